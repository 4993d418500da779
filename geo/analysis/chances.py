"""How sure a figure is: 95 % intervals for shares, counts and medians, and whether two figures differ.

| figure | interval | source |
|---|---|---|
| share | score interval | Wilson 1927 |
| count | exact Poisson interval | Garwood 1936 |
| median | two order statistics, no assumption about the distribution | David & Nagaraja 2003, § 7.1 |
| difference of shares | hybrid score interval | Newcombe 1998, method 10 |
| ratio of counts | conditional on their sum | Przyborowski & Wilenski 1940 |

They tell what chance does to numbers of this size. They do not tell about missing reports, wrong positions, or days
that resemble each other (counts of cases spread wider than Poisson). Everything takes arrays and gives arrays.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Z95 = 1.959963984540054
TAIL = 0.025
LEAST_FOR_MEDIAN = 6  # of five, even the smallest and the largest miss the median with more than 5 %


def of_share(part: ArrayLike, whole: ArrayLike) -> tuple[Floats, Floats]:
    """(low, high) of part ÷ whole, each 0–1; NaN where the whole is 0.

    >>> low, high = of_share(8, 10)
    >>> round(float(low), 4), round(float(high), 4)
    (0.4902, 0.9433)
    """
    k, n = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = k / n
        width = 1 + Z95**2 / n
        middle = (share + Z95**2 / (2 * n)) / width
        half = Z95 * np.sqrt(share * (1 - share) / n + Z95**2 / (4 * n**2)) / width
    # at the ends the exact limit is 0 or 1; the subtraction would leave a rounding error
    low = np.where(k == 0, 0.0, np.maximum(middle - half, 0))
    high = np.where(k == n, 1.0, np.minimum(middle + half, 1))
    nothing = n == 0
    return np.where(nothing, np.nan, low), np.where(nothing, np.nan, high)


def of_count(count: ArrayLike) -> tuple[Floats, Floats]:
    """(low, high) of the mean of which a count is one draw.

    >>> low, high = of_count([0, 10])
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.0, 4.795], [3.689, 18.39])
    """
    from scipy.special import gammaincinv  # only who asks for an interval waits for this import

    x = np.asarray(count, dtype=np.float64)
    low = np.where(x > 0, gammaincinv(np.maximum(x, 1), TAIL), 0.0)
    return low, gammaincinv(x + 1, 1 - TAIL)


def ranks_of_median(n: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(low, high): the places, from 1, of the two sorted values between which the median lies; (0, 0) below six.

    The largest low with P(Bin(n, ½) < low) ≤ 2.5 %; high mirrors it. Coverage is at least 95 %.

    >>> low, high = ranks_of_median([5, 6, 20])
    >>> low.tolist(), high.tolist()
    ([0, 1, 6], [0, 6, 15])
    """
    from scipy.special import bdtr

    size = np.asarray(n, dtype=np.int64)
    near = np.floor((size - Z95 * np.sqrt(size)) / 2).astype(np.int64)
    low = np.zeros_like(size)
    for step in (-2, -1, 0, 1, 2, 3):  # the normal place is off by less than this
        place = near + step
        fits = (place >= 1) & (bdtr(np.maximum(place - 1, 0), np.maximum(size, 1), 0.5) <= TAIL)
        low = np.where(fits, place, low)
    return low, np.where(low > 0, size + 1 - low, 0)


def shares_differ(part_a: int, whole_a: int, part_b: int, whole_b: int) -> bool | None:
    """Whether two shares differ by more than chance would make them (5 %); None where one has no cases.

    >>> shares_differ(80, 100, 50, 100), shares_differ(8, 10, 7, 10), shares_differ(1, 2, 0, 0)
    (True, False, None)
    """
    if not whole_a or not whole_b:
        return None
    a, b = part_a / whole_a, part_b / whole_b
    (low_a, high_a), (low_b, high_b) = of_share(part_a, whole_a), of_share(part_b, whole_b)
    under = float(np.hypot(a - low_a, high_b - b))
    over = float(np.hypot(high_a - a, b - low_b))
    return not a - b - under <= 0 <= a - b + over


def counts_differ(a: int, b: int, days_a: int = 1, days_b: int = 1) -> bool | None:
    """Whether two counts differ by more than chance would make them (5 %), given how long each was counted.

    >>> counts_differ(130, 90), counts_differ(10, 9), counts_differ(0, 0)
    (True, False, None)
    """
    if a + b == 0 or days_a <= 0 or days_b <= 0:
        return None
    low, high = of_share(a, a + b)
    return not float(low) <= days_a / (days_a + days_b) <= float(high)

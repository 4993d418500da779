"""How sure a rank is: the range of ranks each zone may hold, all of them right together with 95 %.

A zone's rank is one more than the number of zones above it. Zones that chance alone may have put in this order must
not be told apart, so every pair is compared with Tukey's honestly significant difference, and the range of a zone is
from 1 + (zones certainly above it) to the number of zones − (zones certainly below it). All ranges hold together with
probability 95 % (Mohamad, van Zwet, Solari & Goeman 2019, "Simultaneous confidence intervals for ranks using Tukey's
HSD"; unequal variances by Kramer 1956, conservative: Hayter 1984).

Counts, rates and shares are compared on the scale on which their variance does not depend on them (Anscombe 1948), a
median on the logarithm of its days.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from geo.analysis import figure_kernels as kernels

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
LEVEL = 0.95
METHOD = "mohamad-vanzwet-solari-goeman-2019/tukey-kramer"
NOBODY = 0  # rank and group of a zone without a value


@dataclass(frozen=True, eq=False)
class Ranks:
    """Per zone: rank (1: the highest value), its range, and its group; 0 where there is no value.

    Groups are numbered from the top; a group ends before the first zone that differs from the group's first one. A zone
    too small to be compared has no group (0).
    """

    rank: Whole
    low: Whole
    high: Whole
    group: Whole


def rank_ranges(values: Floats, scale: Floats, variance: Floats) -> Ranks:
    """Ranks of `values`, with ranges from `scale` (the same order, normal with a known `variance`).

    A zone without a value (NaN) has no rank; one whose scale or variance is unknown has a rank and the whole range, and
    nobody is told apart from it.

    >>> apart = rank_ranges(np.array([9.0, 1.0, 1.1]), np.array([9.0, 1.0, 1.1]), np.full(3, 0.04))
    >>> apart.rank.tolist(), apart.low.tolist(), apart.high.tolist(), apart.group.tolist()
    ([1, 3, 2], [1, 2, 2], [1, 3, 3], [1, 2, 2])
    """
    made = Ranks(*(np.zeros(len(values), dtype=np.int64) for _ in range(4)))
    ranked = np.flatnonzero(np.isfinite(values))
    m = len(ranked)
    if not m:
        return made
    ascending = np.sort(values[ranked])
    made.rank[ranked] = m - np.searchsorted(ascending, values[ranked], side="right") + 1
    known = ranked[np.isfinite(scale[ranked]) & np.isfinite(variance[ranked])]
    above, below = apart(scale[known], variance[known], quantile_of_range(m) / np.sqrt(2))
    made.low[ranked], made.high[ranked] = 1, m
    made.low[known], made.high[known] = 1 + above, m - below
    # on the other scale two values may stand in the other order: the rank itself always lies in its range
    made.low[ranked] = np.minimum(made.low[ranked], made.rank[ranked])
    made.high[ranked] = np.maximum(made.high[ranked], made.rank[ranked])
    made.group[known] = _groups(
        values[known], scale[known], variance[known], quantile_of_range(m) / np.sqrt(2)
    )
    return made


def apart(scale: Floats, variance: Floats, factor: float) -> tuple[Whole, Whole]:
    """(how many are certainly above, how many below) each of the values; in sorted order, only near ones compared."""
    order = np.argsort(scale, kind="stable")
    y, v = np.ascontiguousarray(scale[order]), np.ascontiguousarray(variance[order])
    m = len(y)
    above, below = np.zeros(m, dtype=np.int64), np.zeros(m, dtype=np.int64)
    if not m:
        return above, below
    # nearer than the least difference nobody is apart, farther than the greatest everybody is
    first = np.searchsorted(y, y + factor * np.sqrt(v + v.min()), side="right")
    stop = np.searchsorted(y, y + factor * np.sqrt(v + v.max()), side="right")
    above += m - stop
    below += np.cumsum(np.bincount(stop, minlength=m + 1))[:m]
    kernels.count_apart(y, v, float(factor), first.astype(np.int64), stop.astype(np.int64), above, below)
    back = np.empty(m, dtype=np.int64)
    back[order] = np.arange(m)
    return above[back], below[back]


@lru_cache(maxsize=256)
def quantile_of_range(m: int, level: float = LEVEL) -> float:
    """The studentized range with known variance: q such that m standard normal draws span at most q with `level`.

    P(q) = m ∫ φ(z) (Φ(z) − Φ(z − q))^(m − 1) dz (Tukey 1953), by the trapezium rule, q by halving.

    >>> round(quantile_of_range(2), 3), round(quantile_of_range(10), 3)
    (2.772, 4.474)
    """
    from scipy.special import ndtr  # only who ranks waits for this import

    if m < 2:
        return 0.0
    z = np.linspace(-9, 9, 6001)
    density, cumulative = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi), ndtr(z)
    low, high = 0.0, 20.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        inside = m * np.trapezoid(density * (cumulative - ndtr(z - middle)) ** (m - 1), z)
        low, high = (middle, high) if inside < level else (low, middle)
    return (low + high) / 2


def _groups(values: Floats, scale: Floats, variance: Floats, factor: float) -> Whole:
    """Group numbers from the highest value down; the first of a group is compared with those below it."""
    m = len(values)
    order = np.lexsort((-scale, -values))
    y, v = scale[order], variance[order]
    numbers = np.zeros(m, dtype=np.int64)
    start, number = 0, 0
    while start < m:
        number += 1
        differs = y[start] - y[start + 1 :] > factor * np.sqrt(v[start] + v[start + 1 :])
        found = np.flatnonzero(differs)
        end = start + 1 + int(found[0]) if len(found) else m
        numbers[start:end] = number
        start = end
    made = np.empty(m, dtype=np.int64)
    made[order] = numbers
    return made

"""Cut values into classes and give each a colour: the same limits and ramps for the web page, folium and reports.

A class map says one thing per class, so the limits are chosen to be read: few, in natural gaps of the data, round
wherever a round number separates the same values, and zero ("no case here") a class of its own.

Limits are lower-inclusive: `[0, 1, 5, 20]` means {0}, 1–4, 5–19, 20 and more; the last class has no upper limit.
Natural classes are exact (`maps.natural`); the square root steadies the variance of counts (Bartlett 1936).
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geo.settings import reference
from maps.natural import natural_starts, tally_whole

Method = Literal["natural", "quantile", "equal"]
Floats = NDArray[np.float64]
WHOLE_BELOW = 4096  # whole numbers below this are tallied, not sorted

COUNTS = frozenset(
    {"cases", "open", "overdue", "count", "capacity"}
)  # whole numbers in which zero means "none here"
RATES_WITH_NONE = frozenset({"per_km2", "per_1000_households"})  # zero means "none here", too


def for_measure(
    measure: str, values: ArrayLike, *, classes: int = 6, method: Method = "natural"
) -> list[float]:
    """Class limits that suit a measure of the heat map; NaN (no data, hidden) is left out.

    >>> for_measure("cases", [0, 0, 0, 1, 2, 3, 40, 41, 300])
    [0.0, 1.0, 2.0, 3.0, 5.0, 50.0]
    """
    whole = measure in COUNTS
    none = whole or measure in RATES_WITH_NONE
    return breaks(values, classes=classes, method=method, zero_class=none, steady=none)


def breaks(
    values: ArrayLike,
    *,
    classes: int = 6,
    method: Method = "natural",
    zero_class: bool = False,
    steady: bool = False,
) -> list[float]:
    """Lower-inclusive class limits, rising strictly, at most `classes` of them; [] without a finite value.

    `zero_class`: zero alone is the first class. `steady`: natural classes are sought on the square root (counts and
    rates with long tails). Few distinct values: one class each. No class is empty.

    >>> breaks([3, 1, 1, 7])
    [1.0, 3.0, 7.0]
    >>> breaks(range(1, 101), classes=4, method="quantile")
    [1.0, 26.0, 51.0, 75.0]
    """
    distinct, counts = _distinct(values)
    if not len(distinct):
        return []
    zero = [0.0] if zero_class and distinct[0] == 0 else []
    rest = distinct > 0 if zero else np.ones(len(distinct), dtype=bool)
    distinct, counts = distinct[rest], counts[rest]
    if not len(distinct):
        return zero
    room = max(1, classes - len(zero))
    if len(distinct) <= room:
        return zero + [float(v) for v in distinct]
    starts = _starts(distinct, counts, room, method, steady)
    return zero + _readable(distinct, starts, floor=0.0 if zero else None)


def _distinct(values: ArrayLike) -> tuple[Floats, Floats]:
    """The finite values, rising, each once, and how often each stands there."""
    given = np.ascontiguousarray(values, dtype=np.float64).ravel()
    whole = np.zeros(WHOLE_BELOW, dtype=np.int64)
    largest = tally_whole(given, whole)
    if largest >= -1:
        at = np.flatnonzero(whole[: largest + 1])
        return at.astype(np.float64), whole[at].astype(np.float64)
    distinct, counts = np.unique(given[np.isfinite(given)], return_counts=True)
    return distinct, counts.astype(np.float64)


def _starts(distinct: Floats, counts: Floats, classes: int, method: Method, steady: bool) -> Floats:
    """The smallest value of each class, before rounding; there are more values than classes."""
    if method == "equal":
        edges = np.linspace(distinct[0], distinct[-1], classes + 1)[1:-1]
        at = np.searchsorted(distinct, edges, side="left")
    elif method == "quantile":
        # the class starts at the distinct value whose first copy lies nearest to the wanted rank: ties stay together
        first = np.cumsum(counts) - counts
        wanted = np.arange(1, classes) * counts.sum() / classes
        at = np.abs(first[None, :] - wanted[:, None]).argmin(axis=1)
    else:
        low = _look_alike(distinct)
        axis = distinct[low] if len(low) == len(distinct) else _three_digits(distinct[low])
        weight = counts if len(low) == len(distinct) else np.add.reduceat(counts, low)
        at = low[natural_starts(np.sqrt(np.maximum(axis, 0)) if steady else axis, weight, classes)[1:]]
    starts: Floats = distinct[np.unique(np.concatenate([[0], at]))]
    return starts


def _look_alike(distinct: Floats) -> NDArray[np.int64]:
    """Where a value begins that differs from the one before it in three significant digits."""
    if (
        len(distinct) == distinct[-1] - distinct[0] + 1 < 1000
        and distinct[0] >= 0
        and distinct[0].is_integer()
    ):
        return np.arange(len(distinct))  # whole numbers one after the other
    seen = _three_digits(distinct)
    return np.flatnonzero(np.diff(seen, prepend=-np.inf) > 0)


def _three_digits(values: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        power = np.where(values == 0, 0, np.floor(np.log10(np.abs(values) + (values == 0))))
    step = 10.0 ** (power - 2)
    seen: Floats = np.round(values / step) * step
    return seen


# ── Numbers that people can read ────────────────────────────────────────────────────────────────────────────────────


def _readable(distinct: Floats, starts: Floats, floor: float | None) -> list[float]:
    """Move each limit down to the roundest number that (nearly) separates the same values; drop emptied classes."""
    ordered = distinct.tolist()
    whole = all(value.is_integer() for value in ordered)
    limits: list[float] = []
    for at, start in enumerate(starts.tolist()):
        if at == 0:
            under = start - 0.05 * abs(start) if floor is None else floor
            lowest = start if floor is None else 1.0  # zero stays alone: the next class begins at one
            limits.append(lowest if whole else roundest(under, start))
            continue
        gap = ordered[max(bisect_left(ordered, start) - 1, 0)]
        low = min(gap, start - 0.015 * abs(start))  # a little slack: 1287 may read 1280
        low = max(low, limits[-1])
        # before one far outlier the limit stays by the many
        high = min(start, 2 * low) if low > 0 else start
        limits.append(roundest(low, high, whole=whole))
    kept = sorted(set(limits))
    places = [*(bisect_left(ordered, limit) for limit in kept), len(ordered)]
    return [limit for limit, low_, high_ in zip(kept, places, places[1:], strict=False) if high_ > low_]


def roundest(low: float, high: float, *, whole: bool = False) -> float:
    """The number with the fewest digits in (low, high], steps 5, 2, 1 × 10ⁿ; whole numbers stay whole.

    >>> roundest(37, 58), roundest(1268, 1287), roundest(0, 0.37), roundest(4, 5, whole=True)
    (50.0, 1280.0, 0.2, 5.0)
    """
    if low < 0 < high or high == 0:
        return 0.0
    top = math.floor(math.log10(max(abs(low), abs(high)))) + 1
    for power in range(top, -1 if whole else top - 12, -1):
        for digit in (5, 2, 1):
            steps = math.floor(high / (digit * 10.0**power) + 1e-12) * digit
            value = float(f"{steps}e{power}")
            if low < value <= high:
                return value
    return high


def diverging(values: ArrayLike, *, centre: float = 0.0, arms: int = 3) -> list[float]:
    """Limits mirrored around `centre` (plan A against plan B), `arms` classes on each side, the middle one around it.

    >>> diverging([-40, -3, 0, 8, 90], arms=3)
    [-90.0, -50.0, -30.0, -10.0, 10.0, 30.0, 50.0]
    """
    finite = np.asarray(values, dtype=np.float64).ravel()
    finite = finite[np.isfinite(finite)]
    reach = float(np.abs(finite - centre).max()) if len(finite) else 0.0
    if reach == 0:
        return [centre]
    step = roundest(reach / (2 * arms + 1), 2 * reach / (2 * arms + 1))
    sides = [step * (2 * i + 1) / 2 for i in range(arms)]
    lowest = min(-reach, -sides[-1] - step)
    return [round(centre + v, 12) for v in [lowest, *(-s for s in reversed(sides)), *sides]]


def classify(values: ArrayLike, limits: list[float]) -> NDArray[np.int64]:
    """The class of each value (0 …), −1 for NaN; values below the first limit belong to the first class.

    >>> classify([0, 4, 5, float("nan")], [0, 1, 5]).tolist()
    [0, 1, 2, -1]
    """
    array = np.asarray(values, dtype=np.float64)
    found = np.maximum(np.searchsorted(np.asarray(limits), array, side="right") - 1, 0)
    return np.where(np.isfinite(array) & (len(limits) > 0), found, -1).astype(np.int64)


# ── Colours ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@lru_cache(maxsize=1)
def ramps() -> dict[str, Any]:
    """`data/ramps.json`: heat, calm, balance (nine colours each), facility, no_data, hidden, and measure → ramp."""
    loaded: dict[str, Any] = json.loads(reference("ramps.json").read_text(encoding="utf-8"))
    return loaded


def colours(name: str, classes: int) -> list[str]:
    """`classes` colours evenly along a ramp, lightest first (a single class takes one from the middle).

    >>> len(colours("heat", 6)), colours("heat", 6)[0]
    (6, '#fcf5c7')
    """
    anchors = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in ramps()[name]], dtype=np.float64)
    if classes <= 0:
        return []
    at = np.linspace(0, len(anchors) - 1, classes) if classes > 1 else np.array([(len(anchors) - 1) / 2])
    mixed = np.column_stack([np.interp(at, np.arange(len(anchors)), anchors[:, i]) for i in range(3)])
    return ["#" + "".join(f"{v:02x}" for v in row) for row in np.floor(mixed + 0.5).astype(int)]


def ramp_of(measure: str) -> str:
    """The ramp of a measure: warm where more is a burden, calm where more is good."""
    return str(ramps()["measures"].get(measure, "heat"))

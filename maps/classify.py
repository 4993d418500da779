"""Cut values into classes and give each a colour: the same limits and ramps for the web page, folium and reports.

A class map says one thing per class, so the limits are chosen to be read: few, in natural gaps of the data, round
wherever a round number separates the same values, and zero ("no case here") a class of its own.

Limits are lower-inclusive: `[0, 1, 5, 20]` means {0}, 1–4, 5–19, 20 and more; the last class has no upper limit.
Sources: exact one-dimensional k-means by dynamic programming (Fisher 1958; Wang & Song 2011, R Journal 3/2) with
divide and conquer over the monotone split points; the square root steadies the variance of counts (Bartlett 1936).
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geo.settings import reference

Method = Literal["natural", "quantile", "equal"]
Floats = NDArray[np.float64]

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
    finite = np.asarray(values, dtype=np.float64).ravel()
    finite = np.sort(finite[np.isfinite(finite)])
    if not len(finite):
        return []
    zero = [0.0] if zero_class and finite[0] == 0 else []
    rest = finite[finite > 0] if zero else finite
    if not len(rest):
        return zero
    room = max(1, classes - len(zero))
    starts = _starts(rest, room, method, steady)
    if len(starts) <= room and len(starts) == len(np.unique(rest)):
        return zero + [float(v) for v in starts]
    return zero + _readable(rest, starts, floor=0.0 if zero else None)


def _starts(ordered: Floats, classes: int, method: Method, steady: bool) -> Floats:
    """The smallest value of each class, before rounding."""
    distinct, first = np.unique(ordered, return_index=True)
    if len(distinct) <= classes:
        return distinct
    if method == "equal":
        edges = np.linspace(distinct[0], distinct[-1], classes + 1)[1:-1]
        at = np.searchsorted(distinct, edges, side="left")
    elif method == "quantile":
        # the class starts at the distinct value whose first copy lies nearest to the wanted rank: ties stay together
        wanted = np.arange(1, classes) * len(ordered) / classes
        at = np.abs(first[None, :] - wanted[:, None]).argmin(axis=1)
    else:
        at = natural_starts(*_thinned(ordered, steady), classes)[1:]
        at = np.searchsorted(distinct, _thin(distinct, steady)[1][at], side="left")
    starts: Floats = distinct[np.unique(np.concatenate([[0], at]))]
    return starts


def _thin(distinct: Floats, steady: bool) -> tuple[Floats, Floats]:
    """Values that look alike in three significant digits, seen as one: (position on the axis, its smallest value)."""
    with np.errstate(divide="ignore"):
        power = np.where(distinct == 0, 0, np.floor(np.log10(np.abs(distinct) + (distinct == 0))))
    step = 10.0 ** (power - 2)
    seen, first = np.unique(np.round(distinct / step) * step, return_index=True)
    return np.sqrt(np.maximum(seen, 0)) if steady else seen, distinct[first]


def _thinned(ordered: Floats, steady: bool) -> tuple[Floats, Floats]:
    """The k-means input: positions on the axis and how many values stand at each."""
    axis, low = _thin(np.unique(ordered), steady)
    upto = np.append(np.searchsorted(ordered, low[1:], side="left"), len(ordered))
    return axis, np.diff(upto, prepend=0).astype(np.float64)


def natural_starts(axis: Floats, weight: Floats, classes: int) -> NDArray[np.int64]:
    """Index of the first element of each class with the least within-class sum of squares, exactly.

    `axis` rises strictly, `weight` > 0. O(classes · n log n): the best split point never moves left as the end moves
    right, so each layer is solved level by level, all midpoints of a level at once.

    >>> natural_starts(np.array([1., 2., 10., 11., 50.]), np.ones(5), 3).tolist()
    [0, 2, 4]
    """
    n, k = len(axis), min(classes, len(axis))
    centred = axis - np.average(axis, weights=weight)
    w, s, q = (np.concatenate([[0.0], np.cumsum(weight * centred**p)]) for p in (0, 1, 2))

    def cost(i: NDArray[np.int64], j: NDArray[np.int64]) -> Floats:
        """Sum of squares of elements i … j−1 around their mean."""
        mass = w[j] - w[i]
        return np.asarray(q[j] - q[i] - (s[j] - s[i]) ** 2 / np.where(mass > 0, mass, 1.0))

    ends = np.arange(n + 1)
    best = cost(np.zeros(n + 1, np.int64), ends)
    splits: list[NDArray[np.int64]] = []
    for layer in range(1, k):
        split = _layer(best, cost, layer, n)
        best = np.where(ends > layer, best[split] + cost(split, ends), np.inf)
        splits.append(split)
    starts, end = [], n
    for split in reversed(splits):
        end = int(split[end])
        starts.append(end)
    return np.array([0, *reversed(starts)][:k], dtype=np.int64)


def _layer(best: Floats, cost: Any, layer: int, n: int) -> NDArray[np.int64]:
    """For every end the split that adds one class most cheaply, found by halving (monotone minima)."""
    split = np.full(n + 1, layer, dtype=np.int64)
    jobs = np.array([[layer + 1, n, layer, n - 1]])  # ends from–to, splits from–to
    while len(jobs):
        a, b, low, high = jobs.T
        mid = (a + b) // 2
        width = np.minimum(mid - 1, high) - low + 1
        start = np.concatenate([[0], np.cumsum(width)[:-1]])
        i = np.arange(width.sum()) - np.repeat(start - low, width)
        total = best[i] + cost(i, np.repeat(mid, width))
        least = np.minimum.reduceat(total, start)
        hit = np.flatnonzero(total == np.repeat(least, width))
        job = np.searchsorted(start, hit, side="right") - 1
        chosen = i[hit[np.unique(job, return_index=True)[1]]]
        split[mid] = chosen
        left = np.column_stack([a, mid - 1, low, chosen])
        right = np.column_stack([mid + 1, b, chosen, high])
        jobs = np.concatenate([left[a <= mid - 1], right[mid + 1 <= b]])
    return split


# ── Numbers that people can read ────────────────────────────────────────────────────────────────────────────────────


def _readable(ordered: Floats, starts: Floats, floor: float | None) -> list[float]:
    """Move each limit down to the roundest number that (nearly) separates the same values; drop emptied classes."""
    before = ordered[np.maximum(np.searchsorted(ordered, starts, side="left") - 1, 0)]
    whole = bool((ordered == np.round(ordered)).all())
    limits: list[float] = []
    for at, (gap, start) in enumerate(zip(before, starts, strict=True)):
        if at == 0:
            under = float(start) - 0.05 * abs(float(start)) if floor is None else floor
            lowest = float(start) if floor is None else 1.0  # zero stays alone: the next class begins at one
            limits.append(lowest if whole else roundest(under, float(start)))
            continue
        low = min(float(gap), float(start) - 0.015 * abs(float(start)))  # a little slack: 1287 may read 1280
        low = max(low, limits[-1])
        # before one far outlier the limit stays by the many
        high = min(float(start), 2 * low) if low > 0 else float(start)
        limits.append(roundest(low, high, whole=whole))
    kept = np.unique(limits)
    filled = np.diff(np.append(np.searchsorted(ordered, kept, side="left"), len(ordered))) > 0
    return [float(v) for v in kept[filled]]


def roundest(low: float, high: float, *, whole: bool = False) -> float:
    """The number with the fewest digits in (low, high], steps 5, 2, 1 × 10ⁿ; whole numbers stay whole.

    >>> roundest(37, 58), roundest(1268, 1287), roundest(0, 0.37), roundest(4, 5, whole=True)
    (50.0, 1280.0, 0.2, 5.0)
    """
    if low < 0 < high or high == 0:
        return 0.0
    top = int(np.floor(np.log10(max(abs(low), abs(high))))) + 1
    for power in range(top, -1 if whole else top - 12, -1):
        for digit in (5, 2, 1):
            steps = int(np.floor(high / (digit * 10.0**power) + 1e-12)) * digit
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

"""What the public may see of a count: nothing about fewer than k cases, and no sum that gives the hidden away.

The rule (simple primary suppression with one complement):

1. a zone whose n is between 1 and k − 1 is hidden: value and n;
2. if exactly one zone is hidden, the next smallest is hidden too, so that a subtraction finds neither;
3. unplaced and outside below k are folded into the hidden sum, never shown on their own; when that is all that is
   hidden and only one of them, the smallest of the other one and the zones goes with it.

Always: visible n + suppressed_total + unplaced + outside = total. A zero is shown: it says that nothing happened, not
to whom something did. Pure functions; the operator's own views are never passed through here.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from geo.heat import CategoryCounts, HeatMap, Series

K = 5
SENSITIVE_K = 10


def protect(heat: HeatMap, k: int = K) -> HeatMap:
    """The heat map as the public may see it. Hidden values are NaN, hidden n are 0, `suppressed` marks them.

    For shares and medians the n behind the value decides. Protect before cutting to a box (`clip`), never after.
    """
    hidden = _hidden(heat.n, k)
    folded = {name: n for name, n in _rest(heat).items() if n < k}
    if len(folded) == 1 and not hidden.any():  # alone, it could be had by subtraction
        other = {name: n for name, n in _rest(heat).items() if name not in folded}
        smallest = heat.n[heat.n > 0].min(initial=np.iinfo(np.int64).max)
        if other and min(other.values()) <= smallest:
            folded |= other
        else:
            hidden = _with_next_smallest(heat.n, hidden)
    open_, elsewhere = heat.unassigned, heat.outside - heat.unassigned
    unassigned = 0 if "outside" in folded or 0 < open_ < k or 0 < elsewhere < k else open_
    return replace(
        heat,
        values=np.where(hidden, np.nan, heat.values),
        n=np.where(hidden, 0, heat.n),
        suppressed=hidden,
        suppressed_total=int(heat.n[hidden].sum()) + sum(folded.values()),
        unplaced=0 if "unplaced" in folded else heat.unplaced,
        outside=0 if "outside" in folded else heat.outside,
        unassigned=unassigned,
        overlaps=0 if 0 < heat.overlaps < k else heat.overlaps,
        k=k,
    )


def _rest(heat: HeatMap) -> dict[str, int]:
    """The cases without a zone, by the name of their count; only where there are any."""
    return {name: n for name, n in (("unplaced", heat.unplaced), ("outside", heat.outside)) if n > 0}


def clip(heat: HeatMap, box: tuple[float, float, float, float]) -> HeatMap:
    """Only the zones whose point lies in a box (west, south, east, north); the totals add up to what is left.

    Unplaced, outside and the hidden sum stay those of the whole city: a small box must not tell what a zone hides.
    """
    west, south, east, north = box
    lon, lat = heat.zones.lon, heat.zones.lat
    across = west > east  # the box crosses longitude 180
    inside = (lon >= west) | (lon <= east) if across else (lon >= west) & (lon <= east)
    inside &= (lat >= south) & (lat <= north)
    n = heat.n[inside]
    return replace(
        heat,
        codes=heat.codes[inside],
        names=heat.names[inside],
        values=heat.values[inside],
        n=n,
        suppressed=heat.suppressed[inside],
        zones=heat.zones.where(inside),
        total=int(n.sum()) + heat.suppressed_total + heat.unplaced + heat.outside,
    )


def protect_series(series: Series, k: int = K) -> Series:
    """A series as the public may see it: buckets below k are hidden, and one more where only one would be."""
    hidden = _hidden(series.n, k)
    return replace(
        series,
        values=np.where(hidden, np.nan, series.values),
        n=np.where(hidden, 0, series.n),
        suppressed=hidden,
        suppressed_total=int(series.n[hidden].sum()),
        k=k,
    )


def protect_categories(counts: CategoryCounts, k: int = K) -> CategoryCounts:
    """Counts by category as the public may see them; a sensitive category needs at least 10."""
    needed = np.where(counts.sensitive, max(k, SENSITIVE_K), k)
    hidden = _hidden(counts.values, needed)
    return replace(
        counts,
        values=np.where(hidden, 0, counts.values),
        suppressed=hidden,
        suppressed_total=int(counts.values[hidden].sum()),
        k=k,
    )


def hidden_counts(n: NDArray[np.int64], k: int | NDArray[np.int64] = K) -> NDArray[np.bool_]:
    """Which of a list of counts with a known sum the public may not see.

    >>> hidden_counts(np.array([3, 100, 0, 7])).tolist()
    [True, False, False, True]
    """
    return _hidden(n, k)


def _hidden(n: NDArray[np.int64], k: int | NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which counts are hidden: the small ones, and the next smallest when only one is small.

    >>> _hidden(np.array([3, 100, 0, 7]), 5).tolist()
    [True, False, False, True]
    """
    hidden = (n > 0) & (n < k)
    return _with_next_smallest(n, hidden) if hidden.sum() == 1 else hidden


def _with_next_smallest(n: NDArray[np.int64], hidden: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """One more hidden: the smallest visible count above 0, or a zero where nothing else is left."""
    rest = np.flatnonzero(~hidden & (n > 0))
    rest = rest if len(rest) else np.flatnonzero(~hidden)
    if not len(rest):
        return hidden
    more = hidden.copy()
    more[rest[np.argmin(n[rest])]] = True
    return more

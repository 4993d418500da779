"""What the public may see of a count: nothing about fewer than k cases, and no sum that gives the hidden away.

The rule (primary suppression, then complements):

1. a zone whose n is between 1 and k − 1 is hidden: value and n; a share also where the cases it counts, or those it
   does not count, are between 1 and k − 1 (n and share together would tell them);
2. the next smallest is hidden too until at least two are hidden and they add up to k or more, so that no subtraction
   finds one of them or a sum below k;
3. unplaced and outside below k are folded into the hidden sum, never shown on their own; the same rule holds for
   zones, unplaced and outside together;
4. where there are fewer than k in all, everything is hidden, zeros too: what is hidden must not tell where they are.

Always: visible n + suppressed_total + unplaced + outside = total. A zero is shown: it says that nothing happened, not
to whom something did. Pure functions; the operator's own views are never passed through here.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from geo.heat import MEASURES, CategoryCounts, HeatMap, Series

K = 5
SENSITIVE_K = 10
SHARES = frozenset(key for key, kind in MEASURES.items() if kind.unit == "share")


def protect(heat: HeatMap, k: int = K) -> HeatMap:
    """The heat map as the public may see it. Hidden values are NaN, hidden n are 0, `suppressed` marks them.

    For shares and medians the n behind the value decides. Protect before cutting to a box (`clip`), never after.
    """
    parts = np.append(heat.n, (heat.unplaced, heat.outside))
    zones = _widened(
        heat.n, _small_zones(heat, k), k
    )  # alone first: every layer tells the same unplaced and outside
    rest = parts[-2:]
    everywhere = _hidden_among(parts, np.append(zones, (rest > 0) & (rest < k)), k)
    hidden = everywhere[:-2]
    folded = dict(zip(("unplaced", "outside"), everywhere[-2:].tolist(), strict=True))
    open_, elsewhere = heat.unassigned, heat.outside - heat.unassigned
    unassigned = 0 if folded["outside"] or 0 < open_ < k or 0 < elsewhere < k else open_
    return replace(
        heat,
        values=np.where(hidden, np.nan, heat.values),
        n=np.where(hidden, 0, heat.n),
        suppressed=hidden,
        suppressed_total=int(parts[everywhere].sum()),
        unplaced=0 if folded["unplaced"] else heat.unplaced,
        outside=0 if folded["outside"] else heat.outside,
        unassigned=unassigned,
        overlaps=0 if 0 < heat.overlaps < k else heat.overlaps,
        k=k,
    )


def without_hidden(heat: HeatMap) -> HeatMap:
    """The zones that are not hidden; what is left out stays in `suppressed_total`.

    For hexagons, of which only those with a case are listed: a hidden one in the list would tell where a case is.
    """
    return _cut(heat, ~heat.suppressed) if heat.suppressed.any() else heat


def _cut(heat: HeatMap, wanted: NDArray[np.bool_]) -> HeatMap:
    return replace(
        heat,
        codes=heat.codes[wanted],
        names=heat.names[wanted],
        values=heat.values[wanted],
        n=heat.n[wanted],
        suppressed=heat.suppressed[wanted],
        zones=heat.zones.where(wanted),
    )


def clip(heat: HeatMap, box: tuple[float, float, float, float]) -> HeatMap:
    """Only the zones whose point lies in a box (west, south, east, north); the totals add up to what is left.

    Unplaced, outside and the hidden sum stay those of the whole city: a small box must not tell what a zone hides.
    """
    west, south, east, north = box
    lon, lat = heat.zones.lon, heat.zones.lat
    across = west > east  # the box crosses longitude 180
    inside = (lon >= west) | (lon <= east) if across else (lon >= west) & (lon <= east)
    inside &= (lat >= south) & (lat <= north)
    part = _cut(heat, inside)
    return replace(part, total=int(part.n.sum()) + heat.suppressed_total + heat.unplaced + heat.outside)


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


def protect_categories(
    counts: CategoryCounts, k: int = K, parts: CategoryCounts | None = None
) -> CategoryCounts:
    """Counts by category as the public may see them; a sensitive category needs at least 10.

    parts: the same cases by 小类, where `counts` are by 大类: one with a hidden part is hidden too. What is hidden
    comes last, by key: its place in the order must not tell how much it is.
    """
    needed = _needed(counts, k)
    least = max([k, *needed[_small(counts.values, needed)].tolist()])
    hidden = _hidden(counts.values, needed)
    if parts is not None:
        tops = {key.partition("/")[0] for key in _hidden_keys(parts, k)}
        hidden = _hidden_among(counts.values, hidden | np.array([key in tops for key in counts.keys]), least)
    order = sorted(range(len(hidden)), key=lambda at: (True, counts.keys[at]) if hidden[at] else (False, ""))
    at = np.array(order, dtype=np.int64)
    return replace(
        counts,
        keys=tuple(counts.keys[i] for i in order),
        names=tuple(counts.names[i] for i in order),
        names_en=tuple(counts.names_en[i] for i in order),
        sensitive=counts.sensitive[at],
        values=np.where(hidden, 0, counts.values)[at],
        suppressed=hidden[at],
        suppressed_total=int(counts.values[hidden].sum()),
        k=k,
    )


def _hidden_keys(counts: CategoryCounts, k: int) -> list[str]:
    hidden = _hidden(counts.values, _needed(counts, k)).tolist()
    return [key for key, h in zip(counts.keys, hidden, strict=True) if h]


def _needed(counts: CategoryCounts, k: int) -> NDArray[np.int64]:
    return np.where(counts.sensitive, max(k, SENSITIVE_K), k)


def hidden_counts(n: NDArray[np.int64], k: int | NDArray[np.int64] = K) -> NDArray[np.bool_]:
    """Which of a list of counts with a known sum the public may not see.

    >>> hidden_counts(np.array([3, 100, 0, 7])).tolist()
    [True, False, False, True]
    """
    return _hidden(n, k)


def _small_zones(heat: HeatMap, k: int) -> NDArray[np.bool_]:
    """Zones with few cases; of a share also those where it counts few of them, or all but few."""
    hidden = _small(heat.n, k)
    if heat.measure not in SHARES:
        return hidden
    known = ~np.isnan(heat.values)
    part = np.where(known, np.round(np.nan_to_num(heat.values) * heat.n), 0).astype(np.int64)
    rest = np.where(known, heat.n - part, 0)
    return hidden | _hidden(part, k) | _hidden(rest, k)


def _small(n: NDArray[np.int64], k: int | NDArray[np.int64]) -> NDArray[np.bool_]:
    return (n > 0) & (n < k)


def _hidden(n: NDArray[np.int64], k: int | NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which counts are hidden: the small ones, and the next smallest until two or more add up to k.

    >>> _hidden(np.array([3, 100, 0, 7]), 5).tolist()
    [True, False, False, True]
    >>> _hidden(np.array([3, 0, 1]), 5).tolist()
    [True, True, True]
    """
    small = _small(n, k)
    return _hidden_among(n, small, int(np.broadcast_to(k, n.shape)[small].max(initial=0)))


def _hidden_among(n: NDArray[np.int64], hidden: NDArray[np.bool_], k: int) -> NDArray[np.bool_]:
    """`hidden` and what must go with it; everything where all there is comes to less than k."""
    more = _widened(n, hidden, k)
    return np.ones_like(more) if more.any() and n[more].sum() < k else more


def _widened(n: NDArray[np.int64], hidden: NDArray[np.bool_], k: int) -> NDArray[np.bool_]:
    """More hidden, the smallest visible count above 0 first, until two or more add up to k or nothing is left; a zero
    where there is only one."""
    more = hidden.copy()
    if not more.any() or _enough(n, more, k):
        return more
    for zeros in (False, True):
        rest = np.flatnonzero(~more & ((n == 0) if zeros else (n > 0)))
        smallest = np.argsort(n[rest], kind="stable")[: k + 2]  # each adds one or more: no others are needed
        for at in rest[smallest].tolist():
            if _enough(n, more, 0 if zeros else k):
                return more
            more[at] = True
    return more


def _enough(n: NDArray[np.int64], hidden: NDArray[np.bool_], k: int) -> bool:
    return bool(np.count_nonzero(hidden) > 1 and n[hidden].sum() >= k)

"""Which units lie beside each other, for how many metres, and whether people can walk across."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from etl.units.mesh import Sides
from etl.units.plane import Geometries

ALONG_M = 12.0  # half the width of a barrier: a border that runs this near runs along it
FREE_SHARE = 0.2  # a border is open when more than this share of it runs away from every barrier
CROSSING_M = 15.0  # a bridge or level crossing opens borders this near
END_M = 1.0  # a way must go on this far beyond the barrier to cross it


@dataclass(frozen=True)
class Borders:
    """Pairs of units (a < b by index) with shared length in metres and whether one can walk across."""

    a: NDArray[np.int64]
    b: NDArray[np.int64]
    length_m: NDArray[np.float64]
    walkable: NDArray[np.bool_]


def pairs_of(sides: Sides, length_m: NDArray[np.float64]) -> tuple[Borders, Geometries]:
    """Shared borders per pair of neighbours, everything walkable, and each border's line (plane metres)."""
    shared = np.flatnonzero((sides.b >= 0) & (sides.a != sides.b))
    low = np.minimum(sides.a[shared], sides.b[shared])
    high = np.maximum(sides.a[shared], sides.b[shared])
    order = np.lexsort((high, low))
    shared, low, high = shared[order], low[order], high[order]
    new = (
        np.flatnonzero(np.r_[True, (low[1:] != low[:-1]) | (high[1:] != high[:-1])])
        if len(low)
        else np.empty(0, int)
    )
    pair = np.cumsum(np.isin(np.arange(len(low)), new)) - 1
    ends = np.stack([sides.start[shared], sides.end[shared]], axis=1)
    lines = np.atleast_1d(np.asarray(shapely.linestrings(ends), dtype=object))
    whole = shapely.multilinestrings(lines, indices=pair) if len(lines) else np.empty(0, dtype=object)
    total = np.bincount(pair, weights=length_m[shared], minlength=len(new)).astype(np.float64)
    return Borders(low[new], high[new], total, np.ones(len(new), bool)), np.asarray(whole, dtype=object)


def open_borders(lines: Geometries, barriers: Geometries, passages: Geometries) -> NDArray[np.bool_]:
    """Which of the border lines can be walked across.

    A border is closed when at least 80 % of it runs within 12 m of a barrier (rail, water, motorway), unless a way
    or bridge (`passages`) really crosses the barrier there. All geometries in plane metres.
    """
    walkable = np.ones(len(lines), bool)
    if len(barriers) == 0 or len(lines) == 0:
        return walkable
    strips = shapely.buffer(barriers, ALONG_M, quad_segs=4)
    which, strip = shapely.STRtree(strips).query(lines, predicate="intersects")
    for border in np.unique(which):
        near = shapely.union_all(strips[strip[which == border]])
        free = shapely.length(shapely.difference(lines[border], near))
        walkable[border] = free > FREE_SHARE * shapely.length(lines[border])
    closed = np.flatnonzero(~walkable)
    points = crossings(barriers, passages)
    if len(points) and len(closed):
        point, border = shapely.STRtree(lines[closed]).query(points, predicate="dwithin", distance=CROSSING_M)
        far = shapely.distance(points[point], lines[closed[border]])
        nearest = np.full(len(points), np.inf)
        np.minimum.at(nearest, point, far)
        walkable[closed[border[far <= nearest[point] + END_M]]] = True
    return walkable


def crossings(barriers: Geometries, passages: Geometries) -> Geometries:
    """The points where a way goes on across a barrier (a way that ends there does not cross)."""
    if len(passages) == 0:
        return np.empty(0, dtype=object)
    lines = shapely.get_parts(shapely.line_merge(shapely.union_all(shapely.get_parts(passages))))
    barrier_lines = np.where(shapely.get_dimensions(barriers) == 2, shapely.boundary(barriers), barriers)
    which, barrier = shapely.STRtree(barrier_lines).query(lines, predicate="intersects")
    if len(which) == 0:
        return np.empty(0, dtype=object)
    met = shapely.intersection(lines[which], barrier_lines[barrier])
    points, of = shapely.get_parts(met, return_index=True)
    is_point = shapely.get_type_id(points) == 0
    points, of = points[is_point], of[is_point]
    ends = shapely.boundary(lines[which[of]])
    far = shapely.is_empty(ends) | (shapely.distance(points, ends) > END_M)
    return np.asarray(points[far], dtype=object)


def reach_pockets(
    borders: Borders,
    area: NDArray[np.int64],
    solid_m2: NDArray[np.float64],
    least_m2: float,
) -> tuple[Borders, int]:
    """Opens one border of every pocket: ground that could be reached from nowhere inside its area.

    A pocket is a set of units of one area, connected by open borders, with less than `least_m2` of `solid_m2` (of
    each unit the ground that counts: all of it where people are, little where nothing happens, none of water). Its
    longest border with a neighbour of the area is opened, so that a river's surface or a strip behind a railway
    belongs to one side and never joins two. Returns the borders and the number of borders opened.
    """
    walkable = borders.walkable.copy()
    inner = area[borders.a] == area[borders.b]
    opened = 0
    while True:
        component = _components(len(area), borders, walkable & inner)
        dry = np.bincount(component, weights=solid_m2, minlength=component.max() + 1)
        ca, cb = component[borders.a], component[borders.b]
        candidate = np.flatnonzero(inner & ~walkable & (ca != cb) & (np.minimum(dry[ca], dry[cb]) < least_m2))
        if len(candidate) == 0:
            return Borders(borders.a, borders.b, borders.length_m, walkable), opened
        # the driest pocket first; each pocket once per round, to its longest border with a larger neighbour
        pocket = np.where((dry[ca] < dry[cb]) | ((dry[ca] == dry[cb]) & (ca > cb)), ca, cb)[candidate]
        host = np.where(pocket == ca[candidate], cb[candidate], ca[candidate])
        order = np.lexsort(
            (candidate, -borders.length_m[candidate], -(dry[host] >= least_m2).astype(int), pocket)
        )
        first = order[np.unique(pocket[order], return_index=True)[1]]
        chosen, seen = [], set()
        for i in first.tolist():
            if host[i] not in seen or dry[host[i]] >= least_m2:
                chosen.append(candidate[i])
                seen.add(int(pocket[i]))
        walkable[chosen] = True
        opened += len(chosen)


def _components(n: int, borders: Borders, keep: NDArray[np.bool_]) -> NDArray[np.int64]:
    a, b = borders.a[keep], borders.b[keep]
    graph = coo_matrix((np.ones(len(a)), (a, b)), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)

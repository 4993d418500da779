"""Faces between lines, who lies beside whom, and the merging of faces that are too small to be units.

All lines are cut with each other on one precision grid (snap rounding), so neighbours share every vertex: nothing
overlaps and nothing is left between them, to the last bit (a *coverage*).
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from etl.units.plane import GRID_M, Geometries

HARD_BORDER_SHARE = 0.2  # a border along rail or water counts a fifth: a sliver rather joins its own side
OTHER_KIND_SHARE = 0.1  # water rather joins water


@dataclass(frozen=True)
class Faces:
    """Polygons (plane metres) that form a coverage, and the index of the area each lies in."""

    polygons: Geometries
    area: NDArray[np.int64]


@dataclass(frozen=True)
class Sides:
    """Straight pieces of border: face `a` (and `b`, −1 where nobody lies) and the ends (n, 2) in plane metres."""

    a: NDArray[np.int64]
    b: NDArray[np.int64]
    start: NDArray[np.float64]
    end: NDArray[np.float64]

    @property
    def length_m(self) -> NDArray[np.float64]:
        """Length of each piece, in plane metres."""
        return np.asarray(np.hypot(*(self.end - self.start).T), dtype=np.float64)


def faces_of(lines: Geometries, areas: Geometries) -> Faces:
    """The faces that `lines` (with the areas' own borders) cut out of `areas`.

    Areas come sorted by code: where two overlap the first one gets the ground, as for cases. Faces in no area
    (gaps) are dropped.
    """
    every = np.concatenate([shapely.get_parts(shapely.boundary(areas)), shapely.get_parts(lines)])
    noded = shapely.union_all(every, grid_size=GRID_M)
    polygons = np.asarray(shapely.get_parts(shapely.polygonize(shapely.get_parts(noded))), dtype=object)
    area = inside(shapely.point_on_surface(polygons), areas)
    return Faces(polygons[area >= 0], area[area >= 0])


def inside(points: Geometries, areas: Geometries) -> NDArray[np.int64]:
    """The lowest index of the areas that hold each point, −1 for none."""
    which, area = shapely.STRtree(areas).query(points, predicate="intersects")
    found = np.full(len(points), len(areas), np.int64)
    np.minimum.at(found, which, area)
    found[found == len(areas)] = -1
    return found


def sides_of(polygons: Geometries) -> Sides:
    """Every straight piece of border once. The polygons must be a coverage (shared borders share vertices)."""
    rings, owner = shapely.get_rings(polygons, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    here = np.flatnonzero(ring[1:] == ring[:-1])
    face = owner[ring[here]]
    _, vertex = np.unique(xy[:, 0] + 1j * xy[:, 1], return_inverse=True)
    low, high = np.minimum(vertex[here], vertex[here + 1]), np.maximum(vertex[here], vertex[here + 1])
    order = np.lexsort((face, high, low))
    here, face, low, high = here[order], face[order], low[order], high[order]
    twin = np.flatnonzero((low[1:] == low[:-1]) & (high[1:] == high[:-1]))
    b = np.full(len(face), -1, np.int64)
    b[twin] = face[twin + 1]
    keep = np.ones(len(face), bool)
    keep[twin + 1] = False
    return Sides(face[keep].astype(np.int64), b[keep], xy[here[keep]], xy[here[keep] + 1])


@dataclass(frozen=True)
class Rules:
    """Per face: below `least_m2` it is too small to be a unit, above `cap_m2` too large; only equal kinds join freely."""

    least_m2: NDArray[np.float64]
    cap_m2: NDArray[np.float64]
    sliver_m2: float  # below this (plane m²) a face may join another kind too
    kind: NDArray[np.int64]  # 0 ground, 1 empty ground, 2 water


def merge_small(
    area: NDArray[np.int64],
    area_m2: NDArray[np.float64],
    small: NDArray[np.bool_],
    rules: Rules,
    sides: Sides,
    hard: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Gives every small face to the neighbour of the same area with the longest shared border; returns group numbers.

    Smallest first, ties to the lowest number, so nothing depends on chance. A group never exceeds the smaller cap
    of its two partners; grown to its `least_m2`, it is no longer small. `hard` marks sides along a barrier.
    """
    beside = _neighbours(len(area), area, sides, np.where(hard, HARD_BORDER_SHARE, 1.0))
    size, kind, group = area_m2.copy(), rules.kind.copy(), np.arange(len(area))
    queue = [(float(size[f]), int(f)) for f in np.flatnonzero(small)]
    heapq.heapify(queue)
    while queue:
        known, f = heapq.heappop(queue)
        if group[f] != f or size[f] != known:
            continue
        into = _best_host(f, beside[f], size, kind, rules)
        if into is None:
            continue
        _absorb(into, f, beside)
        if size[f] > size[into]:
            kind[into] = kind[f]
        size[into] += size[f]
        group[f] = into
        if small[into] and size[into] < rules.least_m2[into]:
            heapq.heappush(queue, (float(size[into]), into))
    return _roots(group)


def _best_host(
    f: int, beside: dict[int, float], size: NDArray[np.float64], kind: NDArray[np.int64], rules: Rules
) -> int | None:
    """The neighbour with the longest border among those with room, own kind first."""
    best, chosen = 0.0, None
    for n in sorted(beside):
        if size[n] + size[f] > min(rules.cap_m2[n], rules.cap_m2[f]):
            continue
        if kind[n] != kind[f] and size[f] >= rules.sliver_m2:
            continue
        worth = beside[n] * (OTHER_KIND_SHARE if kind[n] != kind[f] else 1.0)
        if worth > best:
            best, chosen = worth, n
    return chosen


def _absorb(into: int, f: int, beside: dict[int, dict[int, float]]) -> None:
    for n, length in beside.pop(f).items():
        del beside[n][f]
        if n != into:
            beside[into][n] = beside[n][into] = beside[into].get(n, 0.0) + length


def join_islands(
    group: NDArray[np.int64],
    polygons: Geometries,
    area: NDArray[np.int64],
    area_m2: NDArray[np.float64],
    least_m2: float,
) -> NDArray[np.int64]:
    """Pieces too small to be units that touch nobody of their area join its nearest larger group (a unit of two parts)."""
    size = np.bincount(group, weights=area_m2, minlength=len(group))
    group = group.copy()
    for lonely in np.flatnonzero((size > 0) & (size < least_m2)):
        others = np.flatnonzero((area == area[lonely]) & (size[group] >= least_m2))
        if len(others):
            members = np.flatnonzero(group == lonely)
            distance = shapely.distance(shapely.multipolygons(polygons[members]), polygons[others])
            group[members] = group[others[int(np.argmin(distance))]]
    return group


def dissolve(polygons: Geometries, group: NDArray[np.int64]) -> tuple[Geometries, NDArray[np.int64]]:
    """One geometry per group, in order of group number, and the group numbers."""
    order = np.argsort(group, kind="stable")
    numbers, first = np.unique(group[order], return_index=True)
    merged = np.empty(len(numbers), dtype=object)
    for i, members in enumerate(np.split(order, first[1:])):
        merged[i] = (
            polygons[members[0]] if len(members) == 1 else shapely.coverage_union_all(polygons[members])
        )
    return merged, numbers


def _neighbours(
    n: int, area: NDArray[np.int64], sides: Sides, share: NDArray[np.float64]
) -> dict[int, dict[int, float]]:
    """Shared border per face and neighbour of the same area, weighted by `share` per side."""
    beside: dict[int, dict[int, float]] = {f: {} for f in range(n)}
    inner = (sides.b >= 0) & (area[sides.a] == area[sides.b]) & (sides.a != sides.b)
    for a, b, length in zip(
        sides.a[inner].tolist(),
        sides.b[inner].tolist(),
        (sides.length_m * share)[inner].tolist(),
        strict=True,
    ):
        beside[a][b] = beside[b][a] = beside[a].get(b, 0.0) + length
    return beside


def _roots(group: NDArray[np.int64]) -> NDArray[np.int64]:
    while (group != group[group]).any():
        group = group[group]
    return group

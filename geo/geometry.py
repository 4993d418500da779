"""Shapes measured and compared: areas, lengths, overlaps and gaps between siblings, a point inside.

Everything here takes polygons in a **projected** CRS in metres (see `geo.crs.measuring_crs` and `geo.crs.project`)
unless a name says lonlat, and they must be valid (see `etl.reading.repair`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from geo import crs as coordinates

Geoms = NDArray[np.object_]
GAP_WIDTH_M = 2.0  # cracks between neighbours up to this width are errors of digitising, not ground
PAIRS_MEASURED = 500


@dataclass(frozen=True)
class Overlap:
    """Two areas that share ground: positions, shared m², and its share (0–1) of the smaller one."""

    a: int
    b: int
    area_m2: float
    share: float


@dataclass(frozen=True)
class Gap:
    """Ground enclosed by, or a crack between, areas that should meet: m², the neighbours' positions, hole or crack."""

    area_m2: float
    neighbours: tuple[int, ...]
    kind: str


def areas_m2(geoms_lonlat: Geoms, crs: str) -> NDArray[np.float64]:
    """Areas in m² of longitude-latitude polygons, measured in the projected `crs`.

    >>> import shapely
    >>> round(float(areas_m2(np.array([shapely.box(121.4, 31.2, 121.41, 31.21)]), "EPSG:4549")[0]) / 1e6, 3)
    1.057
    """
    return np.asarray(shapely.area(coordinates.project(geoms_lonlat, crs)), dtype=np.float64)


def perimeters_m(geoms_lonlat: Geoms, crs: str) -> NDArray[np.float64]:
    """Perimeters in metres of longitude-latitude polygons, measured in the projected `crs`."""
    return np.asarray(shapely.length(coordinates.project(geoms_lonlat, crs)), dtype=np.float64)


def points_inside(geoms: Geoms) -> Geoms:
    """One point inside each polygon (not the centroid, which may lie outside): for labels."""
    return np.asarray(shapely.point_on_surface(geoms), dtype=object)


def multi(geoms: Geoms) -> Geoms:
    """Every polygon as a MultiPolygon, as the schema stores them."""
    single = shapely.get_type_id(geoms) == 3
    out = np.asarray(geoms, dtype=object).copy()
    for i in np.flatnonzero(single).tolist():
        out[i] = shapely.multipolygons([out[i]])
    return out


def is_coverage(geoms: Geoms) -> bool:
    """Whether the polygons fit like tiles: no overlap, no mismatched edge, no crack up to GAP_WIDTH_M."""
    return bool(shapely.coverage_is_valid(geoms, gap_width=GAP_WIDTH_M))


def union(geoms: Geoms) -> shapely.Geometry:
    """All ground of the polygons as one geometry; fast where they fit like tiles."""
    if len(geoms) == 0:
        return shapely.MultiPolygon()
    if shapely.coverage_is_valid(geoms):
        whole: shapely.Geometry = shapely.coverage_union_all(geoms)
    else:
        whole = shapely.union_all(geoms)
    return whole


def overlaps(geoms: Geoms, least_m2: float = 0.01) -> list[Overlap]:
    """Pairs that share at least `least_m2` of ground, largest share first."""
    geoms = np.asarray(geoms, dtype=object)
    if len(geoms) < 2 or shapely.coverage_is_valid(geoms):
        return []
    shapely.prepare(geoms)
    first, second = shapely.STRtree(geoms).query(geoms, predicate="intersects")
    once = first < second
    first, second = first[once], second[once]
    touching = shapely.touches(geoms[first], geoms[second])
    first, second = first[~touching], second[~touching]
    shared = shapely.area(shapely.intersection(geoms[first], geoms[second]))
    areas = shapely.area(geoms)
    smaller = np.minimum(areas[first], areas[second])
    found = [
        Overlap(int(a), int(b), float(m2), float(m2 / least))
        for a, b, m2, least in zip(first, second, shared, smaller, strict=True)
        if m2 >= least_m2
    ]
    return sorted(found, key=lambda o: (-o.share, o.a, o.b))


def gaps(geoms: Geoms, least_m2: float = 1.0) -> list[Gap]:
    """Holes enclosed by the areas together, and cracks up to GAP_WIDTH_M between neighbours, largest first.

    A hole may be right (a lake, another city's exclave); a crack never is. Neighbours are named for the PAIRS_MEASURED
    largest holes; at most that many cracks are measured.
    """
    geoms = np.asarray(geoms, dtype=object)
    if len(geoms) < 2:
        return []
    tree = shapely.STRtree(geoms)
    found = [*_holes(geoms, tree, least_m2), *_cracks(geoms, tree, least_m2)]
    return sorted(found, key=lambda gap: -gap.area_m2)


def _holes(geoms: Geoms, tree: shapely.STRtree, least_m2: float) -> list[Gap]:
    rings = [ring for part in shapely.get_parts(union(geoms)) for ring in part.interiors]
    holes = (
        np.asarray(shapely.polygons(np.array(rings, dtype=object)), dtype=object)
        if rings
        else np.empty(0, object)
    )
    areas = shapely.area(holes)
    largest = np.argsort(-areas, kind="stable")[: int((areas >= least_m2).sum())]
    near: dict[int, list[int]] = {i: [] for i in range(len(largest))}
    named = largest[:PAIRS_MEASURED]
    if len(named):
        for hole, neighbour in zip(*tree.query(holes[named], predicate="intersects"), strict=True):
            near[int(hole)].append(int(neighbour))
    return [Gap(float(areas[at]), tuple(sorted(near[i])), "hole") for i, at in enumerate(largest.tolist())]


def _cracks(geoms: Geoms, tree: shapely.STRtree, least_m2: float) -> list[Gap]:
    """Cracks: edges that GEOS's coverage validator finds within GAP_WIDTH_M of a neighbour without matching it."""
    edges = shapely.coverage_invalid_edges(geoms, gap_width=GAP_WIDTH_M)
    suspect = np.flatnonzero(~shapely.is_empty(edges) & ~shapely.is_missing(edges))
    if len(suspect) == 0:
        return []
    left, right = tree.query(shapely.buffer(edges[suspect], GAP_WIDTH_M), predicate="intersects")
    pairs = sorted(
        {
            (min(int(suspect[i]), int(j)), max(int(suspect[i]), int(j)))
            for i, j in zip(left, right, strict=True)
        }
    )
    found = []
    for a, b in [(a, b) for a, b in pairs if a != b][:PAIRS_MEASURED]:
        area = _crack_m2(geoms[a], geoms[b], edges[a], edges[b])
        if area >= least_m2:
            found.append(Gap(area, (a, b), "crack"))
    return found


def _crack_m2(
    a: shapely.Geometry, b: shapely.Geometry, edges_a: shapely.Geometry, edges_b: shapely.Geometry
) -> float:
    """m² between two neighbours: what closing them (out by half the width, back in) adds, near the suspect edges."""
    near = shapely.union_all(
        [e for e in (edges_a, edges_b) if e is not None and not bool(shapely.is_empty(e))]
    )
    near = shapely.intersection(
        near, shapely.box(*shapely.bounds(shapely.intersection(_around(a), _around(b))))
    )
    if bool(shapely.is_empty(near)):
        return 0.0
    window = shapely.buffer(near, 4 * GAP_WIDTH_M, cap_style="square", join_style="mitre")
    both = shapely.union(shapely.intersection(a, window), shapely.intersection(b, window))
    half = GAP_WIDTH_M / 2
    closed = shapely.buffer(shapely.buffer(both, half, join_style="mitre"), -half, join_style="mitre")
    return float(shapely.area(shapely.difference(closed, both)))


def _around(geom: shapely.Geometry) -> shapely.Geometry:
    west, south, east, north = shapely.bounds(geom).tolist()
    box: shapely.Geometry = shapely.box(
        west - GAP_WIDTH_M, south - GAP_WIDTH_M, east + GAP_WIDTH_M, north + GAP_WIDTH_M
    )
    return box


def largest_overlap(children: Geoms, parents: Geoms) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each child the position of the parent that holds most of its area (−1 for none) and that share (0–1)."""
    best = np.full(len(children), -1, dtype=np.int64)
    most = np.zeros(len(children))
    if len(children) == 0 or len(parents) == 0:
        return best, most
    shapely.prepare(parents)
    child, parent = shapely.STRtree(parents).query(children, predicate="intersects")
    held = shapely.contains_properly(parents[parent], children[child])
    shared = np.zeros(len(child))
    shared[held] = shapely.area(children[child[held]])
    shared[~held] = shapely.area(shapely.intersection(children[child[~held]], parents[parent[~held]]))
    for c, p, m2 in zip(child, parent, shared, strict=True):
        if m2 > most[c]:
            best[c], most[c] = p, m2
    area = shapely.area(children)
    return best, np.divide(most, area, out=np.zeros(len(children)), where=area > 0)


def iou(a: shapely.Geometry, b: shapely.Geometry) -> float:
    """Intersection over union of two outlines, 0–1."""
    shared = float(shapely.area(shapely.intersection(a, b)))
    together = float(shapely.area(a) + shapely.area(b)) - shared
    return shared / together if together > 0 else 0.0

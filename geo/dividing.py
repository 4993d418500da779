"""Dividing ground by a line or by other ground: pure shapes, to be worked out in a limited child process.

A line comes from a person's hand, so it is read strictly (`line`) and whatever is done with it can take long: thousands
of zigzags cross a million times. Neighbours get the points where a cut meets their border, so that all ground goes on
fitting like tiles.

Everything is EPSG:4326: a straight border stays the straight border of its neighbours there, which no projection keeps.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from geo.errors import RefusedArgument

Geoms = NDArray[np.object_]

MOST_POINTS = 2_000
MOST_CHARACTERS = 200_000
MOST_PARTS = 50
NEAR_DEG = 1e-12  # a tenth of a micrometre: a point that noding put on a border
SNAP_DEG = 1e-9  # a tenth of a millimetre: a line that comes this near a corner goes through it
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_WKT = re.compile(
    rf"\s*LINESTRING\s*\(\s*({_NUMBER}\s+{_NUMBER}(?:\s*,\s*{_NUMBER}\s+{_NUMBER})*)\s*\)\s*", re.IGNORECASE
)


def line(written: str | dict[str, Any]) -> shapely.LineString:
    """A line from WKT or GeoJSON (LineString, or a feature or collection with one), longitude and latitude.

    Raises RefusedArgument `line` for anything else: no line, too many points, points off the Earth.

    >>> line("LINESTRING (114.3 30.5, 114.4 30.6)").length > 0
    True
    """
    if isinstance(written, str) and len(written) > MOST_CHARACTERS:
        raise _no_line("太长", f"is longer than {MOST_CHARACTERS} characters")
    points = _from_wkt(written) if isinstance(written, str) else None
    if points is None:
        points = _from_geojson(written)
    if len(points) > MOST_POINTS:
        raise _no_line(
            f"有 {len(points)} 个点，最多 {MOST_POINTS} 个",
            f"has {len(points)} points; at most {MOST_POINTS}",
        )
    whole = np.array(points, np.float64)
    if not np.isfinite(whole).all() or (abs(whole) > (180, 90)).any():
        raise _no_line("超出经纬度范围", "leaves the range of longitude and latitude")
    moving = whole[np.r_[True, (np.diff(whole, axis=0) != 0).any(axis=1)]]
    if len(moving) < 2:
        raise _no_line("不足两个不同的点", "has fewer than two different points")
    return shapely.LineString(moving)


def by_line(geoms: Geoms, others: Geoms, cut: Geoms) -> Geoms:
    """The parts of `geoms[0]` on either side of `cut[0]`, largest first, then `others` with the points where it meets them.

    A line that ends inside is lengthened straight on. One part alone means that the line does not divide the ground.
    """
    ground, drawn = geoms[0], cut[0]
    parts = _faces(ground, _through_corners(drawn, ground))
    if len(parts) < 2:
        parts = _faces(ground, _through_corners(_lengthened(drawn, ground), ground))
    return np.array([*parts, *_fitted(ground, parts, others)], dtype=object)


def by_areas(geoms: Geoms, others: Geoms, areas: Geoms, least_share: float, least_deg2: float) -> Geoms:
    """The parts of `geoms[0]` in different `areas`, then `others` with the new points; scraps join what lies beside them.

    A part counts when it exceeds `least_share` (0–1) of the ground and `least_deg2` (square degrees).
    """
    ground = geoms[0]
    lines = shapely.intersection(_through_corners(shapely.boundary(areas), ground), ground)
    noded = shapely.union_all([shapely.boundary(ground), *lines])
    faces = _inside(ground, shapely.get_parts(shapely.polygonize([noded])))
    if len(faces) < 2:
        return np.array([ground, *others], dtype=object)
    owner = _owners(faces, areas)
    least = max(least_share * ground.area, least_deg2)
    parts = _joined(faces, owner, least)
    return np.array([*parts, *_fitted(ground, parts, others)], dtype=object)


# ── faces ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _faces(ground: Any, drawn: Any) -> list[Any]:
    """The pieces into which a line falls the ground apart; polygons that it leaves whole go with the largest piece."""
    whole, cut = [], []
    for polygon in shapely.get_parts(ground):
        noded = shapely.union_all([shapely.boundary(polygon), shapely.intersection(drawn, polygon)])
        faces = _inside(polygon, shapely.get_parts(shapely.polygonize([noded])))
        if len(faces) > 1:
            cut += list(faces)
        else:
            whole.append(polygon)
    cut.sort(key=lambda face: -face.area)
    if cut and whole:
        cut[0] = shapely.MultiPolygon([*whole, cut[0]])
    return cut or [ground]


def _through_corners(lines: Any, ground: Any) -> Any:
    """Lines led through the ground's corners that they miss by less than can be drawn: a neighbour that the same line
    cut before has its point there already."""
    return shapely.snap(lines, ground, SNAP_DEG)


def _inside(polygon: Any, faces: Any) -> Any:
    """Those faces that are ground (a ring around a hole makes a face of the hole, too)."""
    shapely.prepare(polygon)
    return faces[shapely.contains(polygon, shapely.point_on_surface(faces))]


def _lengthened(drawn: Any, ground: Any) -> Any:
    """The line with both ends drawn straight on until they have left the ground."""
    west, south, east, north = shapely.total_bounds([ground, drawn]).tolist()
    by = math.hypot(east - west, north - south) * 2
    points = shapely.get_coordinates(drawn)
    points = points[np.r_[True, (abs(np.diff(points, axis=0)) > NEAR_DEG).any(axis=1)]]
    if len(points) < 2:
        return drawn
    first, last = points[0] - points[1], points[-1] - points[-2]
    ends = points[0] + first / np.hypot(*first) * by, points[-1] + last / np.hypot(*last) * by
    return shapely.LineString([ends[0], *points, ends[1]])


def _owners(faces: Any, areas: Geoms) -> NDArray[np.int64]:
    """The area (lowest index) that holds each face, −1 for none."""
    points = shapely.point_on_surface(faces)
    owner = np.full(len(faces), -1, np.int64)
    for a in reversed(range(len(areas))):
        owner[shapely.intersects(areas[a], points)] = a
    return owner


def _joined(faces: Any, owner: NDArray[np.int64], least: float) -> list[Any]:
    """One part per area; parts at or below `least` join the part with the longest common border, smallest first."""
    parts = [shapely.union_all(faces[owner == a]) for a in np.unique(owner)]
    while len(parts) > 1:
        small = min(range(len(parts)), key=lambda i: parts[i].area)
        if parts[small].area > least:
            break
        scrap = parts.pop(small)
        beside = max(range(len(parts)), key=lambda i: (_common(scrap, parts[i]), parts[i].area))
        parts[beside] = shapely.union_all([parts[beside], scrap])
    return sorted(parts, key=lambda part: -part.area)


def _common(a: Any, b: Any) -> float:
    return float(shapely.length(shapely.intersection(shapely.boundary(a), shapely.boundary(b))))


# ── neighbours go on fitting ────────────────────────────────────────────────────────────────────────────────────────


def _fitted(ground: Any, parts: list[Any], others: Geoms) -> list[Any]:
    """The neighbours with every point that the cut put on a border they share with the ground."""
    before = {tuple(p) for p in shapely.get_coordinates(ground).tolist()}
    after = {tuple(p) for p in shapely.get_coordinates(np.array(parts, dtype=object)).tolist()}
    new = np.array(sorted(after - before), float).reshape(-1, 2)
    if not len(new) or not len(others):
        return list(others)
    points = shapely.points(new)
    outer = new[shapely.distance(shapely.boundary(ground), points) <= NEAR_DEG]
    return [_with_points(one, outer) for one in others]


def _with_points(geom: Any, points: NDArray[np.float64]) -> Any:
    polygons = []
    for polygon in shapely.get_parts(geom):
        rings = [_ring(np.asarray(ring.coords), points) for ring in (polygon.exterior, *polygon.interiors)]
        polygons.append(shapely.Polygon(rings[0], rings[1:]))
    return shapely.MultiPolygon(polygons)


def _ring(ring: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """A ring with those points that lie on its edges, in their order along them."""
    starts, ends = ring[:-1], ring[1:]
    edges = np.asarray(shapely.linestrings(np.stack([starts, ends], axis=1)), dtype=object)
    found: list[tuple[int, float, NDArray[np.float64]]] = []
    for point in points:
        at = shapely.distance(edges, shapely.Point(point)) <= NEAR_DEG
        known = ((starts == point).all(axis=1) | (ends == point).all(axis=1)).any()
        if at.any() and not known:
            edge = int(np.flatnonzero(at)[0])
            found.append((edge, float(np.hypot(*(point - starts[edge]))), point))
    if not found:
        return ring
    found.sort(key=lambda one: (one[0], one[1]))
    return np.insert(ring, [edge + 1 for edge, _, _ in found], [point for _, _, point in found], axis=0)


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _from_wkt(written: str) -> list[list[float]] | None:
    match = _WKT.fullmatch(written)
    if match is None:
        return None
    return [[float(number) for number in pair.split()] for pair in match.group(1).split(",")]


def _from_geojson(written: str | dict[str, Any]) -> list[list[float]]:
    try:
        found: Any = json.loads(written) if isinstance(written, str) else written
        if found.get("type") == "FeatureCollection":
            (found,) = found["features"]
        if found.get("type") == "Feature":
            found = found["geometry"]
        if found["type"] != "LineString":
            raise ValueError(found["type"])
        points = [[float(x), float(y)] for x, y, *_ in found["coordinates"][: MOST_POINTS + 1]]
        if any(isinstance(number, bool | str) for pair in found["coordinates"] for number in pair):
            raise ValueError("not numbers")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as problem:
        raise _no_line(
            "不是 WKT 或 GeoJSON 的 LineString", "is not a LineString in WKT or GeoJSON"
        ) from problem
    if not points:
        raise _no_line("没有点", "has no points")
    return points


def _no_line(zh: str, en: str) -> RefusedArgument:
    return RefusedArgument(
        f"所给的线{zh}。", f"The line {en}.", code="line", field="line",
        do_zh="请给经纬度（EPSG:4326）的 LineString，如 LINESTRING (114.30 30.50, 114.31 30.51)。",
        do_en="Give a LineString in longitude and latitude, such as LINESTRING (114.30 30.50, 114.31 30.51).",
    )  # fmt: skip

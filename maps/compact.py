"""Outlines small enough to travel inside a page: simplified without tearing neighbours apart, packed as whole numbers.

A shape becomes a list of parts, a part a list of rings (or one line), a ring `[x0, y0, dx1, dy1, …]` in steps of
`STEP_DEGREES`; the page adds them up again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

STEP_DEGREES = 1e-5  # about a metre
METRES_PER_DEGREE = 111_320.0

Ring = list[int]
Packed = list[list[Ring]]


def simplified(geometries: NDArray[np.object_], tolerance_m: float) -> NDArray[np.object_]:
    """Polygons with fewer vertices (Visvalingam & Whyatt 1993); shared borders stay shared where the layer is a coverage.

    `tolerance_m` is about the side of the smallest detail that stays. Degrees of longitude are stretched first, so that
    a metre is a metre both ways. What would vanish keeps its own outline.
    """
    if not len(geometries):
        return geometries
    stretch = float(np.cos(np.radians(shapely.total_bounds(geometries)[[1, 3]].mean())))
    flat = shapely.transform(geometries, lambda xy: xy * [stretch, 1.0])
    tolerance = tolerance_m / METRES_PER_DEGREE
    if shapely.coverage_is_valid(flat):
        thin = np.asarray(shapely.coverage_simplify(flat, tolerance))
    else:
        thin = np.asarray(shapely.simplify(flat, tolerance / 3, preserve_topology=True))
    thin = np.where(shapely.is_empty(thin), flat, thin)
    return np.asarray(shapely.transform(thin, lambda xy: xy / [stretch, 1.0]))


def pack(geometry: Any) -> Packed:
    """One (multi)polygon or (multi)line as rings of whole numbers; parts that shrink to nothing are left out.

    >>> pack(shapely.box(110, 33, 110.0001, 33.0002))
    [[[11000010, 3300000, 0, 20, -10, 0, 0, -20]]]
    """
    parts: Packed = []
    for part in shapely.get_parts(geometry):
        if part.is_empty:
            continue
        if part.geom_type == "Polygon":
            rings = [_ring(ring, closed=True) for ring in (part.exterior, *part.interiors)]
            if len(rings[0]) >= 6:
                parts.append([ring for ring in rings if len(ring) >= 6])
        elif part.geom_type == "LineString":
            line = _ring(part, closed=False)
            if len(line) >= 4:
                parts.append([line])
    return parts


def pack_all(geometries: NDArray[np.object_]) -> list[Packed]:
    """Every geometry packed, in order."""
    return [pack(geometry) for geometry in geometries]


def merged_lines(lines: NDArray[np.object_], tolerance_m: float) -> Packed:
    """Many short lines as few long ones, simplified (Douglas & Peucker 1973) and packed."""
    if not len(lines):
        return []
    long = shapely.line_merge(shapely.union_all(lines))
    thin = shapely.simplify(shapely.get_parts(long), tolerance_m / METRES_PER_DEGREE)
    return [part for line in thin for part in pack(line)]


def _ring(ring: Any, *, closed: bool) -> Ring:
    """Vertices as steps, without repeats; a ring leaves out its closing vertex."""
    xy = np.rint(shapely.get_coordinates(ring) / STEP_DEGREES).astype(np.int64)
    keep = np.r_[True, (np.diff(xy, axis=0) != 0).any(axis=1)]
    xy = xy[keep]
    if closed and len(xy) > 1 and (xy[0] == xy[-1]).all():
        xy = xy[:-1]
    steps = np.vstack([xy[:1], np.diff(xy, axis=0)])
    return [int(v) for v in steps.ravel()]

"""Cutting large faces into equal pieces by straight cuts across their longer axis."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from etl.units.plane import Geometries

BISECTIONS = 30
SHARE_TOLERANCE = 0.001


def cuts(polygons: Geometries, pieces: NDArray[np.int64]) -> Geometries:
    """Lines (plane metres) that divide polygon i into about `pieces[i]` parts of equal area."""
    lines: list[Any] = []
    for polygon, k in zip(polygons, pieces.tolist(), strict=True):
        _cut(polygon, k, lines)
    return np.array(lines, dtype=object)


def _cut(polygon: Any, pieces: int, lines: list[Any]) -> None:
    waiting = _by_share(polygon, pieces)
    while waiting:
        piece, k = waiting.pop()
        if k < 2 or piece.is_empty:
            continue
        angle = _long_axis(piece)
        at = position(piece, angle, (k // 2) / k)
        line, behind, beyond = _tools(piece, angle, at)
        lines.append(shapely.intersection(line, piece))
        for half, n in ((behind, k // 2), (beyond, k - k // 2)):
            if n > 1:
                waiting += _by_share(shapely.intersection(half, piece), n)  # a concave piece may fall apart


def _by_share(geometry: Any, pieces: int) -> list[tuple[Any, int]]:
    """The polygons of a geometry with the pieces each is due by its area."""
    parts = [part for part in shapely.get_parts(geometry) if part.geom_type == "Polygon"]
    return [(part, max(1, round(pieces * part.area / geometry.area))) for part in parts]


def _long_axis(piece: Any) -> float:
    """Direction (radians) of the longer side of the smallest rectangle around the piece."""
    corners = shapely.get_coordinates(shapely.minimum_rotated_rectangle(piece))
    if len(corners) < 4:
        return 0.0
    first, second = corners[1] - corners[0], corners[2] - corners[1]
    x, y = first if np.hypot(*first) >= np.hypot(*second) else second
    return math.atan2(y, x) % math.pi


def position(piece: Any, angle: float, share: float) -> float:
    """How far along `angle` a cut must lie to leave `share` of the piece's area behind it.

    No geometry is cut to find it: by Green's theorem the area behind a cut at t is ∮ min(u, t) dv over the rings.

    >>> round(position(shapely.box(0, 0, 10, 4), 0.0, 0.25), 2)
    2.5
    """
    u0, v0, u1, v1 = _edges(piece, angle)
    low, high = float(min(u0.min(), u1.min())), float(max(u0.max(), u1.max()))
    whole = abs(_behind(u0, v0, u1, v1, high))
    for _ in range(BISECTIONS):
        at = (low + high) / 2
        got = abs(_behind(u0, v0, u1, v1, at)) / whole
        if abs(got - share) < SHARE_TOLERANCE:
            return at
        low, high = (at, high) if got < share else (low, at)
    return (low + high) / 2


def _edges(piece: Any, angle: float) -> tuple[NDArray[np.float64], ...]:
    """Ends of all ring edges, turned so that u runs along `angle`; outer rings one way round, holes the other."""
    rings = shapely.get_rings(shapely.orient_polygons(piece))
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    c, s = math.cos(angle), math.sin(angle)
    u, v = xy @ (c, s), xy @ (-s, c)
    here = np.flatnonzero(ring[1:] == ring[:-1])
    return u[here], v[here], u[here + 1], v[here + 1]


def _behind(
    u0: NDArray[np.float64],
    v0: NDArray[np.float64],
    u1: NDArray[np.float64],
    v1: NDArray[np.float64],
    t: float,
) -> float:
    """∮ min(u, t) dv: on the part of an edge beyond t, u counts as t."""
    a, b = np.minimum(u0, t), np.minimum(u1, t)
    crosses = (u0 < t) != (u1 < t)
    mean = (a + b) / 2
    if crosses.any():
        inner = np.abs((t - np.minimum(u0, u1)[crosses]) / (u1 - u0)[crosses])  # share of the edge behind t
        near = np.minimum(a, b)[crosses]
        mean[crosses] = inner * (near + t) / 2 + (1 - inner) * t
    return float((mean * (v1 - v0)).sum())


def _tools(piece: Any, angle: float, at: float) -> tuple[Any, Any, Any]:
    """The cutting line and the half planes (as large boxes) behind and beyond it."""
    c, s = math.cos(angle), math.sin(angle)
    middle = piece.centroid.y * c - piece.centroid.x * s
    reach = piece.length + 1.0
    a, b = ((at * c - (middle + t) * s, at * s + (middle + t) * c) for t in (-reach, reach))
    along = (reach * c, reach * s)
    boxes = (
        shapely.Polygon(
            [a, b, (b[0] + f * along[0], b[1] + f * along[1]), (a[0] + f * along[0], a[1] + f * along[1])]
        )
        for f in (-1, 1)
    )
    behind, beyond = boxes
    return shapely.LineString([a, b]), behind, beyond

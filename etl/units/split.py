"""Cutting large faces into equal pieces by straight cuts across their longer axis."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from etl.units.plane import Geometries

BISECTIONS = 24
SHARE_TOLERANCE = 0.01
FAR_M = 1e6


def cuts(polygons: Geometries, pieces: NDArray[np.int64]) -> Geometries:
    """Lines (plane metres) that divide polygon i into about `pieces[i]` parts of equal area."""
    lines: list[Any] = []
    for polygon, k in zip(polygons, pieces.tolist(), strict=True):
        _cut(polygon, k, lines)
    return np.array(lines, dtype=object)


def _cut(polygon: Any, pieces: int, lines: list[Any]) -> None:
    waiting = [(polygon, pieces)]
    while waiting:
        piece, k = waiting.pop()
        if k < 2 or piece.is_empty:
            continue
        angle = _long_axis(piece)
        share = (k // 2) / k
        at = _position(piece, angle, share)
        line = _across(piece, angle, at)
        lines.append(shapely.intersection(line, piece))
        low, high = _sides(piece, angle, at)
        for half, n in ((low, k // 2), (high, k - k // 2)):
            parts = shapely.get_parts(half)
            for part in parts:  # a concave piece may fall into several: each gets pieces by its share
                waiting.append((part, max(1, round(n * part.area / max(half.area, 1e-9)))))


def _long_axis(piece: Any) -> float:
    """Direction (radians) of the longer side of the smallest rectangle around the piece."""
    corners = shapely.get_coordinates(shapely.minimum_rotated_rectangle(piece))
    if len(corners) < 4:
        return 0.0
    first, second = corners[1] - corners[0], corners[2] - corners[1]
    x, y = first if np.hypot(*first) >= np.hypot(*second) else second
    return math.atan2(y, x) % math.pi


def _position(piece: Any, angle: float, share: float) -> float:
    """Where along `angle` a cut leaves `share` of the area behind it (regula falsi kept inside its bracket)."""
    along = shapely.get_coordinates(piece) @ (math.cos(angle), math.sin(angle))
    low, high = float(along.min()), float(along.max())
    below, above = 0.0, 1.0
    total = piece.area
    at = low + (high - low) * share
    for step in range(BISECTIONS):
        got = _sides(piece, angle, at)[0].area / total
        if abs(got - share) < SHARE_TOLERANCE:
            break
        if got < share:
            low, below = at, got
        else:
            high, above = at, got
        slope = (share - below) / max(above - below, 1e-12)
        at = low + (high - low) * (0.5 if step % 3 == 2 else min(max(slope, 0.05), 0.95))
    return at


def _sides(piece: Any, angle: float, at: float) -> tuple[Any, Any]:
    """The parts of a piece behind and beyond a cut."""
    return shapely.intersection(piece, _half_plane(piece, angle, at, -1)), shapely.intersection(
        piece, _half_plane(piece, angle, at, 1)
    )


def _half_plane(piece: Any, angle: float, at: float, sign: int) -> Any:
    c, s = math.cos(angle), math.sin(angle)
    middle = _middle(piece, angle)
    reach = piece.length + 1.0
    a, b = (
        (at * c - (middle - reach) * s, at * s + (middle - reach) * c),
        (
            at * c - (middle + reach) * s,
            at * s + (middle + reach) * c,
        ),
    )
    far = (sign * reach * c, sign * reach * s)
    return shapely.Polygon([a, b, (b[0] + far[0], b[1] + far[1]), (a[0] + far[0], a[1] + far[1])])


def _across(piece: Any, angle: float, at: float) -> Any:
    c, s = math.cos(angle), math.sin(angle)
    middle, reach = _middle(piece, angle), piece.length + 1.0
    return shapely.LineString(
        [(at * c - (middle + t * reach) * s, at * s + (middle + t * reach) * c) for t in (-1, 1)]
    )


def _middle(piece: Any, angle: float) -> float:
    """Where the piece lies across the cut's direction: the centroid measured along the cut."""
    return float(piece.centroid.y * math.cos(angle) - piece.centroid.x * math.sin(angle))

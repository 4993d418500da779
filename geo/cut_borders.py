"""Areas, outlines and common borders of the parts of one ground, in metres, adding up to what the ground had.

Ground that fits like tiles shares its edges to the last bit, so common borders are found as common edges.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import shapely
from numpy.typing import NDArray

from geo import crs

Geoms = NDArray[np.object_]
Edge = tuple[tuple[float, float], tuple[float, float]]
TOUCH_DEG = 1e-9  # 0.1 mm: borders of ground that does not fit to the last bit


@dataclass(frozen=True)
class Outline:
    """One part: area, outline, and its edges (ends in EPSG:4326) with their lengths in metres."""

    area_m2: float
    perimeter_m: float
    shape: shapely.Geometry
    edges: dict[Edge, float] = field(repr=False)

    def common_m(self, other: Outline) -> float:
        """The length of the border with another part."""
        return float(sum(self.edges[edge] for edge in self.edges.keys() & other.edges.keys()))


def outline(parts: Geoms, measuring_crs: str, area_m2: float, perimeter_m: float) -> list[Outline]:
    """The parts' outlines; areas add up to `area_m2`, outer borders to `perimeter_m`."""
    share = shapely.area(crs.project(parts, measuring_crs))
    share = share / share.sum()
    edges = [_edges(part, measuring_crs) for part in parts]
    times: dict[Edge, int] = {}
    for one in edges:
        for edge in one:
            times[edge] = times.get(edge, 0) + 1
    outer = sum(length for one in edges for edge, length in one.items() if times[edge] == 1)
    scale = perimeter_m / outer if outer > 0 else 1.0
    return [
        Outline(
            float(area_m2 * share[i]),
            float(sum(length * (scale if times[edge] == 1 else 1.0) for edge, length in one.items())),
            parts[i],
            one,
        )
        for i, one in enumerate(edges)
    ]


def shared(parts: list[Outline], neighbour: shapely.Geometry, length_m: float) -> list[float]:
    """How the border of `length_m` that a neighbour had with the whole falls to the parts."""
    theirs = set(_keys(neighbour))
    own = np.array([sum(length for edge, length in part.edges.items() if edge in theirs) for part in parts])
    if own.sum() <= 0:  # ground that does not fit to the last bit: by nearness
        near = shapely.buffer(neighbour, TOUCH_DEG)
        own = np.array([shapely.length(shapely.intersection(shapely.boundary(p.shape), near)) for p in parts])
    if own.sum() <= 0:
        own[int(np.argmin([shapely.distance(p.shape, neighbour) for p in parts]))] = 1.0
    return [float(value) for value in own / own.sum() * length_m]


def _edges(part: shapely.Geometry, measuring_crs: str) -> dict[Edge, float]:
    keys = _keys(part)
    ends = np.array(keys, float).reshape(-1, 4)
    x0, y0 = crs.from_wgs84(ends[:, 0], ends[:, 1], measuring_crs)
    x1, y1 = crs.from_wgs84(ends[:, 2], ends[:, 3], measuring_crs)
    return dict(zip(keys, np.hypot(x1 - x0, y1 - y0).tolist(), strict=True))


def _keys(part: shapely.Geometry) -> list[Edge]:
    points, ring = shapely.get_coordinates(shapely.get_rings(shapely.get_parts(part)), return_index=True)
    pairs = zip(points[:-1].tolist(), points[1:].tolist(), (ring[1:] == ring[:-1]).tolist(), strict=True)
    return [(min(a, b), max(a, b)) for p, q, same in pairs if same for a, b in [(tuple(p), tuple(q))]]

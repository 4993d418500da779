"""Repairing invalid polygons, inside the child process only, with a cap before GEOS gets to work.

Repair can take GEOS minutes and more memory than there is: one 3 000-vertex scribble ended a whole PostgreSQL server
(measured). So crossings are counted first, and the child's limits end what the count did not foresee.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

BLOCK = 512

KEPT, REPAIRED, CROSSED, NOTHING_LEFT = 0, 1, 2, 3


def repair(geoms: NDArray[np.object_], crossings: int) -> tuple[NDArray[np.object_], NDArray[np.int8]]:
    """Valid polygons and what became of each: KEPT, REPAIRED, CROSSED (more than `crossings`), NOTHING_LEFT (no area)."""
    out = np.asarray(geoms, dtype=object).copy()
    state = np.zeros(len(out), dtype=np.int8)
    for i in np.flatnonzero(~shapely.is_valid(out) & ~shapely.is_missing(out)).tolist():
        if too_crossed(out[i], crossings):
            out[i], state[i] = None, CROSSED
            continue
        out[i] = _areas(shapely.make_valid(out[i], method="structure", keep_collapsed=False))
        state[i] = REPAIRED
    for i in range(len(out)):
        if out[i] is not None and state[i] == KEPT and out[i].geom_type not in ("Polygon", "MultiPolygon"):
            out[i] = _areas(out[i])
    empty = np.array([g is None or g.is_empty or not g.area > 0 for g in out], dtype=bool)
    state[empty & (state != CROSSED) & ~shapely.is_missing(geoms)] = NOTHING_LEFT
    out[empty] = None
    return out, state


def _areas(geom: shapely.Geometry) -> shapely.Geometry | None:
    """The polygons of whatever it is."""
    parts = [
        p for p in shapely.get_parts(shapely.get_parts(geom)) if p.geom_type == "Polygon" and not p.is_empty
    ]
    if not parts:
        return None
    joined: shapely.Geometry = parts[0] if len(parts) == 1 else shapely.multipolygons(parts)
    return joined


def too_crossed(geom: shapely.Geometry, allowed: int) -> bool:
    """Whether edges of a polygon cross one another more than `allowed` times; stops counting there.

    >>> too_crossed(shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)]), 0)
    True
    """
    starts, ends = _edges(geom)
    edges = np.atleast_1d(np.asarray(shapely.linestrings(np.stack([starts, ends], axis=1)), dtype=object))
    tree = shapely.STRtree(edges)
    found = 0
    for begin in range(0, len(starts), BLOCK):
        block = slice(begin, begin + BLOCK)
        mine, other = tree.query(edges[block])
        mine = mine + begin
        mine, other = mine[other > mine], other[other > mine]
        found += int(_cross(starts[mine], ends[mine], starts[other], ends[other]).sum())
        if found > allowed:
            return True
    return False


def _edges(geom: shapely.Geometry) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rings = shapely.get_rings(shapely.get_parts(geom))
    points, ring = shapely.get_coordinates(rings, return_index=True)
    same = ring[1:] == ring[:-1]
    return points[:-1][same], points[1:][same]


def _cross(
    a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64], d: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Whether segments ab and cd cross properly (each separates the ends of the other)."""

    def side(p: NDArray[np.float64], q: NDArray[np.float64], r: NDArray[np.float64]) -> NDArray[np.float64]:
        return (q[:, 0] - p[:, 0]) * (r[:, 1] - p[:, 1]) - (q[:, 1] - p[:, 1]) * (r[:, 0] - p[:, 0])

    apart = (side(a, b, c) * side(a, b, d) < 0) & (side(c, d, a) * side(c, d, b) < 0)
    return np.asarray(apart, dtype=bool)

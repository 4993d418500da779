"""Which polygon holds most of each piece of ground: the rule by which units follow a layer they were not cut for."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray


def most(
    pieces: NDArray[np.object_], polygons: NDArray[np.object_]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For every piece the index of the polygon that holds most of its area (−1: none) and the share (0–1) of it.

    Geometries in EPSG:4326: a straight border stays the straight border of its neighbours there, which no projection
    keeps. Ties go to the lower index, so sort polygons by code.

    >>> boxes = np.array([shapely.box(0, 0, 6, 1), shapely.box(6, 0, 9, 1)], dtype=object)
    >>> best, share = most(np.array([shapely.box(4, 0, 7, 1), shapely.box(20, 0, 21, 1)], dtype=object), boxes)
    >>> best.tolist(), share.round(3).tolist()
    ([0, -1], [0.667, 0.0])
    """
    best, area = np.full(len(pieces), -1, np.int64), np.zeros(len(pieces))
    piece, polygon = shapely.STRtree(polygons).query(pieces, predicate="intersects")
    shared = shapely.area(shapely.intersection(pieces[piece], polygons[polygon]))
    order = np.lexsort((polygon, -shared, piece))
    piece, polygon, shared = piece[order], polygon[order], shared[order]
    _, first = np.unique(piece, return_index=True)
    first = first[shared[first] > 0]
    best[piece[first]], area[piece[first]] = polygon[first], shared[first]
    return best, area / np.maximum(shapely.area(pieces), np.finfo(float).tiny)

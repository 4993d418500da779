"""Further barriers for one proposal: lines that people do not walk across, and ways that lead across them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import shapely
from numpy.typing import NDArray

from grids.units import METRES_PER_DEGREE, Floats, UnitGraph

Geometries = NDArray[np.object_]

BESIDE_M = 60.0  # a way that crosses a barrier this near opens the border, too


def closed(
    graph: UnitGraph, lon: Floats, lat: Floats, barriers: Geometries, passages: Geometries
) -> UnitGraph:
    """The graph with borders closed where the line between two units' points meets a barrier (all EPSG:4326).

    A border stays open where a passage crosses the barrier within 60 m of that line.
    """
    if len(barriers) == 0:
        return graph
    rows = np.repeat(np.arange(graph.n), np.diff(graph.indptr))
    once = np.flatnonzero((rows < graph.indices) & graph.walkable)
    ends = np.stack(
        [np.stack([lon, lat], axis=1)[rows[once]], np.stack([lon, lat], axis=1)[graph.indices[once]]], axis=1
    )
    lines = np.asarray(shapely.linestrings(ends), dtype=object)
    met, _ = shapely.STRtree(barriers).query(lines, predicate="intersects")
    shut = np.unique(met)
    points = _crossings(barriers, passages)
    if len(points) and len(shut):
        wide = METRES_PER_DEGREE * np.cos(np.radians(lat.mean()))
        beside = shapely.STRtree(_metres(lines[shut], wide))
        _, near = beside.query(_metres(points, wide), predicate="dwithin", distance=BESIDE_M)
        shut = np.delete(shut, np.unique(near))
    low, high = np.minimum(rows, graph.indices), np.maximum(rows, graph.indices)
    both = np.isin(low * graph.n + high, (low * graph.n + high)[once[shut]])
    return replace(graph, walkable=graph.walkable & ~both)


def _metres(shapes: Geometries, wide: float) -> Geometries:
    """The shapes in metres on a plane that is true enough across a city; `wide`: metres of a degree of longitude there."""
    return np.asarray(shapely.transform(shapes, lambda at: at * [wide, METRES_PER_DEGREE]), dtype=object)


def _crossings(barriers: Geometries, passages: Geometries) -> Geometries:
    """The points where a passage meets a barrier."""
    if len(passages) == 0:
        return np.empty(0, dtype=object)
    way, barrier = shapely.STRtree(barriers).query(passages, predicate="crosses")
    shared = shapely.intersection(passages[way], barriers[barrier])
    return np.asarray(shapely.centroid(shapely.get_parts(shared)), dtype=object)

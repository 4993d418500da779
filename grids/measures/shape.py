"""How compact grids are: by their outline, by the circle round them, by the borders a plan cuts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from grids.partition import Partition
from grids.units import Floats


def polsby_popper(partition: Partition) -> Floats:
    """Compactness of each grid, 4πA/P², 1 for a circle (Polsby and Popper 1991)."""
    found = 4 * np.pi * partition.area_m2 / np.maximum(partition.perimeter_m, 1e-9) ** 2
    return np.asarray(found, dtype=np.float64)


def reock(partition: Partition, shapes: NDArray[np.object_]) -> Floats:
    """Each grid's area over that of the smallest circle round it, 1 for a circle (Reock 1961); nan without units.

    `shapes` are the units' polygons in metres (a projected CRS), in the order of the graph.
    """
    found = np.full(partition.k, np.nan)
    units = np.flatnonzero(partition.grid >= 0)
    if not len(units):
        return found
    units = units[np.argsort(partition.grid[units], kind="stable")]
    corners, which = shapely.get_coordinates(shapes[units], return_index=True)
    clouds = shapely.multipoints(corners, indices=_dense(partition.grid[units][which]))
    radius = shapely.minimum_bounding_radius(clouds)
    area = np.bincount(partition.grid[units], weights=shapely.area(shapes[units]), minlength=partition.k)
    held = np.unique(partition.grid[units])
    found[held] = area[held] / (np.pi * np.maximum(radius, 1e-9) ** 2)
    return found


@dataclass(frozen=True)
class Cut:
    """Borders between units of two different grids: how many, which share of all borders, how long together."""

    edges: int
    share: float | None
    length_m: float


def cut(partition: Partition) -> Cut:
    """The cut edges of the unit graph (DeFord, Duchin and Solomon 2021); fewer is more compact. Open units cut nothing."""
    graph, grid = partition.graph, partition.grid
    rows = np.repeat(np.arange(graph.n), np.diff(graph.indptr))
    once = rows < graph.indices
    a, b = grid[rows[once]], grid[graph.indices[once]]
    across = (a != b) & (a >= 0) & (b >= 0)
    edges = int(across.sum())
    return Cut(edges, edges / len(a) if len(a) else None, float(graph.length_m[once][across].sum()))


def _dense(label: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sorted labels as 0, 1, 2 … without gaps."""
    return np.cumsum(np.r_[0, (np.diff(label) != 0).astype(np.int64)])

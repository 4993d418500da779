"""Rivers, railways and motorways inside a grid: ground on both sides that one post has to look after."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grids.partition import Partition
from grids.units import Floats


@dataclass(frozen=True)
class Barred:
    """Per grid: metres of closed borders (nobody can walk across) between two of its own units."""

    inside_m: Floats

    @property
    def grids(self) -> int:
        """How many grids have ground on both sides of a barrier."""
        return int((self.inside_m > 0).sum())

    @property
    def total_m(self) -> float:
        """The metres of all grids together."""
        return float(self.inside_m.sum())


def barred(partition: Partition) -> Barred:
    """Closed borders inside grids. A contiguous grid with one reaches its other side by a crossing or round the end.

    A border that a bridge or level crossing opens is not closed and adds no length.
    """
    graph, grid = partition.graph, partition.grid
    rows = np.repeat(np.arange(graph.n), np.diff(graph.indptr))
    inner = (grid[rows] == grid[graph.indices]) & (grid[rows] >= 0) & ~graph.walkable & (rows < graph.indices)
    found = np.bincount(grid[rows[inner]], weights=graph.length_m[inner], minlength=partition.k)
    return Barred(found.astype(np.float64))

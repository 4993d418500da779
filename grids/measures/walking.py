"""How far a post has to walk inside its grid."""

from __future__ import annotations

import numpy as np

from grids.kernels import walking
from grids.partition import Partition
from grids.units import Floats


def span(partition: Partition, x: Floats | None = None, y: Floats | None = None) -> Floats:
    """The longest walk inside each grid in metres: from unit to unit across open borders, straight between their points.

    That is the diameter of the grid's part of the walking graph (Dijkstra 1959 from every unit). Of a grid in several
    pieces it is the longest of one piece; nan for a grid without units. `x`, `y`: the units' points in metres, by
    default those of the graph.
    """
    graph = partition.graph
    units = np.flatnonzero(partition.grid >= 0)
    units = units[np.argsort(partition.grid[units], kind="stable")]
    starts = np.searchsorted(partition.grid[units], np.arange(partition.k + 1))
    found = walking.spans(
        graph.indptr, graph.indices, graph.walkable, graph.x if x is None else x, graph.y if y is None else y,
        partition.grid, units, starts,
    )  # fmt: skip
    return np.asarray(np.where(partition.unit_counts > 0, found, np.nan), dtype=np.float64)

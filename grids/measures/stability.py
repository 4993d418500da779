"""What stays where it is between two plans, however their grids are named."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack, identity
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from grids.partition import Partition
from grids.units import Floats, Ints


def matched(before: Partition, after: Partition, by: Floats) -> Ints:
    """For every grid of `before` the one grid of `after` that goes on in its place, −1 for none.

    Pairs are chosen one to one so that as much as possible of `by` stays in its grid: the assignment problem
    (Kuhn 1955); what is left over is the distance of two partitions (Almudevar and Field 1999).
    """
    both = (before.grid >= 0) & (after.grid >= 0) & (by > 0)
    shared = csr_matrix(
        (by[both], (before.grid[both], after.grid[both])), shape=(before.k, after.k), dtype=np.float64
    )
    if not shared.nnz:
        return np.full(before.k, -1, np.int64)
    top = float(shared.data.max())
    alone = identity(before.k, format="csr") * (2.0 * top)
    costs = shared.copy()
    costs.data = 2.0 * top - costs.data
    row, column = min_weight_full_bipartite_matching(hstack([costs, alone], format="csr"))
    found = np.full(before.k, -1, np.int64)
    found[row] = np.where(column < after.k, column, -1)
    return found


def staying(before: Partition, after: Partition, goes_on_as: Ints) -> NDArray[np.bool_]:
    """Which units stay in their grid: they had one, and it goes on as the one they have now."""
    held = before.grid >= 0
    found = np.zeros(before.graph.n, bool)
    to = goes_on_as[before.grid[held]]
    found[held] = (to >= 0) & (to == after.grid[held])
    return found


def share(stays: NDArray[np.bool_], weight: Floats) -> float | None:
    """The share (0–1) of a weight that stays; None when there is none of it."""
    total = float(weight.sum())
    return float(weight[stays].sum()) / total if total > 0 else None

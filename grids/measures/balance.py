"""How evenly a weight is shared among grids, in proportion to their posts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grids import fair
from grids.partition import Partition
from grids.units import Floats

ROUNDING = 1e-12


@dataclass(frozen=True)
class Balance:
    """Deviations are shares of the fair load (0.1 = ten percent); None when nothing weighs anything.

    `forgiven` counts grids whose single heaviest unit alone exceeds the fair load: no plan can make them even, and
    `largest_forgiven` is the largest deviation of the others.
    """

    total: float
    mean_load: float
    largest: float | None
    mean: float | None
    gini: float | None
    within: float | None
    largest_forgiven: float | None
    forgiven: int


def of(partition: Partition, weight: Floats, tolerance: float = 0.10, posts: Floats | None = None) -> Balance:
    """All figures of balance. Grids without a unit take no part; `posts` (k numbers above 0) default to one each."""
    held = np.flatnonzero(partition.unit_counts > 0)
    loads = partition.loads(weight)[held]
    share = np.ones(len(held)) if posts is None else np.asarray(posts, float)[held]
    total = float(loads.sum())
    mean_load = total / max(len(held), 1)
    if total <= 0 or not len(held):
        return Balance(total, mean_load, None, None, None, None, None, 0)
    wanted = fair.loads(weight[partition.grid >= 0], share)
    off = np.abs(loads / wanted - 1.0)
    heavy = heaviest_unit(partition, weight)[held] > wanted * (1 + ROUNDING)
    return Balance(
        total=total,
        mean_load=mean_load,
        largest=float(off.max()),
        mean=float(off.mean()),
        gini=gini(loads / share),
        within=float((off <= tolerance + ROUNDING).mean()),
        largest_forgiven=float(off[~heavy].max()) if (~heavy).any() else None,
        forgiven=int(heavy.sum()),
    )


def deviation(partition: Partition, weight: Floats, posts: Floats | None = None) -> Floats:
    """How far each grid's load is from its fair load: 0.1 is ten percent above it; nan when nothing weighs anything.

    Without `posts` (k numbers above 0) every grid has one; see `grids.fair`.
    """
    loads = partition.loads(weight)
    share = np.ones(partition.k) if posts is None else np.asarray(posts, float)
    wanted = fair.loads(weight[partition.grid >= 0], share)
    found = np.divide(loads, wanted, out=np.full(len(loads), np.nan), where=wanted > 0) - 1.0
    return np.asarray(found, np.float64)


def heaviest_unit(partition: Partition, weight: Floats) -> Floats:
    """The weight of the heaviest single unit of every grid, 0 for a grid without units."""
    found = np.zeros(partition.k)
    assigned = partition.grid >= 0
    np.maximum.at(found, partition.grid[assigned], weight[assigned])
    return found


def gini(values: Floats) -> float | None:
    """The Gini coefficient (Gini 1912): 0 when all values are equal, towards 1 when one has everything; None of nothing.

    Half the mean absolute difference of two values drawn with replacement, over their mean.

    >>> gini(np.array([1.0, 1.0, 1.0])), gini(np.array([0.0, 0.0, 0.0, 4.0])), gini(np.zeros(3))
    (0.0, 0.75, None)
    """
    n, total = len(values), float(values.sum())
    if n == 0 or total <= 0:
        return None
    ordered = np.sort(values)
    return abs(float(2 * (np.arange(1, n + 1) * ordered).sum() / (n * total) - (n + 1) / n))

"""How good a partition is, one family of figures a file; `docs/scores.md` defines every figure with its source.

    balance     how evenly a weight is shared: deviation, Gini, share within tolerance, what a heavy unit forgives
    shape       compactness: Polsby–Popper, Reock, borders that are cut
    nesting     grids that cross an area, areas that are broken
    barriers    rivers, rails and motorways inside a grid
    walking     the longest walk inside a grid
    service     households per grid, posts against residents
    stability   what stays where it is, however the grids are named
    near_line   cases that a small error of position would move to another grid
    catalogue   what each figure is called, in which unit, and which way is better

Pure functions on a Partition and arrays; a figure that cannot be computed is None or NaN, never 0.
"""

from __future__ import annotations

from dataclasses import dataclass

from grids.measures import balance
from grids.measures.balance import deviation, gini
from grids.measures.nesting import crossing
from grids.measures.shape import polsby_popper
from grids.partition import Partition
from grids.units import Floats


@dataclass(frozen=True)
class Score:
    """The short scorecard: what can be said from the graph alone. Shares are 0–1; deviations are of the fair load."""

    grids: int
    units: int
    open_units: int
    total: float
    mean_load: float
    largest_deviation: float | None
    tolerance: float
    within_tolerance: float | None
    compactness: float
    contiguous: float
    crossing: int


def score(
    partition: Partition, weight: Floats, tolerance: float = 0.10, posts: Floats | None = None
) -> Score:
    """The short scorecard of a partition by one weight; `tolerance` is the deviation from the fair load still called even."""
    found = balance.of(partition, weight, tolerance, posts)
    held = partition.unit_counts > 0
    return Score(
        grids=partition.k,
        units=partition.graph.n,
        open_units=int((partition.grid < 0).sum()),
        total=found.total,
        mean_load=found.mean_load,
        largest_deviation=found.largest,
        tolerance=tolerance,
        within_tolerance=found.within,
        compactness=float(polsby_popper(partition)[held].mean()) if held.any() else 0.0,
        contiguous=float((partition.parts() <= 1).mean()) if partition.k else 1.0,
        crossing=crossing(partition),
    )


__all__ = ["Score", "crossing", "deviation", "gini", "polsby_popper", "score"]

"""How good a partition is: balance, compactness, nesting."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grids.partition import Partition
from grids.units import Floats


def deviation(partition: Partition, weight: Floats) -> Floats:
    """How far each grid's load is from the mean load: 0.1 is ten percent above it; nan when nothing weighs anything."""
    loads = partition.loads(weight)
    mean = loads.sum() / max(partition.k, 1)
    return loads / mean - 1.0 if mean > 0 else np.full(partition.k, np.nan)


def polsby_popper(partition: Partition) -> Floats:
    """Compactness of each grid, 4πA/P², 1 for a circle (Polsby and Popper 1991)."""
    found = 4 * np.pi * partition.area_m2 / np.maximum(partition.perimeter_m, 1e-9) ** 2
    return np.asarray(found, dtype=np.float64)


def crossing(partition: Partition) -> int:
    """How many grids lie in more than one area of the nesting level."""
    return sum(len(areas) > 1 for areas in partition.areas_of())


@dataclass(frozen=True)
class Score:
    """The scorecard of a plan. Shares are 0–1; `largest_deviation` is of the mean load."""

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


def score(partition: Partition, weight: Floats, tolerance: float = 0.10) -> Score:
    """All measures of a partition by one weight; `tolerance` is the deviation from the mean load still called even."""
    off = np.abs(deviation(partition, weight))
    known = bool(np.isfinite(off).all()) and partition.k > 0
    total = float(weight[partition.grid >= 0].sum())
    return Score(
        grids=partition.k,
        units=partition.graph.n,
        open_units=int((partition.grid < 0).sum()),
        total=total,
        mean_load=total / max(partition.k, 1),
        largest_deviation=float(off.max()) if known else None,
        tolerance=tolerance,
        within_tolerance=float((off <= tolerance + 1e-12).mean()) if known else None,
        compactness=float(polsby_popper(partition).mean()) if partition.k else 0.0,
        contiguous=float((partition.parts() <= 1).mean()) if partition.k else 1.0,
        crossing=crossing(partition),
    )

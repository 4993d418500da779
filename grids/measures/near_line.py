"""Cases so near a line between two grids that an ordinary error of position would count them for the other one.

A case is near a line when ground of another grid than its own lies within `near_m` of it: then a true position that far
off would belong to that grid. Distances are exact, in metres of a projected CRS.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from grids.partition import Partition
from grids.units import Floats, Ints

BATCH = 500_000


@dataclass(frozen=True)
class Beside:
    """Ground of other grids near each unit: `units[i]` has `ground[i]` (prepared) within reach; other units have none."""

    units: Ints
    ground: NDArray[np.object_]


def beside(partition: Partition, shapes: NDArray[np.object_], near_m: float) -> Beside:
    """For every unit within `near_m` of another grid, that grids' units nearby as one geometry.

    `shapes`: the units' polygons in metres, in the order of the graph. Open units are nobody's ground.
    """
    grid = partition.grid
    held = np.flatnonzero(grid >= 0)
    if not len(held):
        return Beside(np.empty(0, np.int64), np.empty(0, object))
    found = shapely.STRtree(shapes[held]).query(shapes[held], predicate="dwithin", distance=near_m)
    a, b = held[found[0]], held[found[1]]
    other = grid[a] != grid[b]
    a, b = a[other], b[other]
    order = np.argsort(a, kind="stable")
    units, place = np.unique(a[order], return_inverse=True)
    ground = np.asarray(
        shapely.geometrycollections(shapes[b[order]], indices=place) if len(units) else np.empty(0, object),
        dtype=object,
    )
    shapely.prepare(ground)
    return Beside(units, ground)


def near(around: Beside, unit: Ints, x: Floats, y: Floats, near_m: float) -> NDArray[np.bool_]:
    """Which cases are near a line. `unit`: index of each case's unit (−1: none); x, y in metres."""
    flagged = np.zeros(len(unit), bool)
    if not len(around.units):
        return flagged
    at = np.minimum(np.searchsorted(around.units, unit), len(around.units) - 1)
    doubtful = np.flatnonzero(around.units[at] == unit)
    for start in range(0, len(doubtful), BATCH):
        some = doubtful[start : start + BATCH]
        points = shapely.points(x[some], y[some])
        flagged[some] = shapely.dwithin(around.ground[at[some]], points, near_m)
    return flagged

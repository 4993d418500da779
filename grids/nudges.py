"""A problem as the kernels of `grids.kernels.nudging` want it: arrays of the ground, of the grids, of what is wanted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grids.flows import Band
from grids.kernels import nudging
from grids.kernels.nudging import Grids, Ground, Wanted
from grids.problem import Nesting, Problem
from grids.units import Ints

CROSSING = 0.15  # soft nesting: what one more community costs a grid, in shares of its target


def wanted(
    band: Band, *, strict: float, roundness: float, stay: float, nesting: Nesting = "strict"
) -> Wanted:
    """What the kernels should strive for: `strict` about the bands, `roundness`, `stay` at home."""
    crossing = CROSSING if nesting == "soft" else 0.0
    return Wanted(band.low, band.high, band.target, strict, roundness, stay, crossing)


def ground(problem: Problem, home: Ints) -> Ground:
    """The problem's ground; under strict nesting no border between communities is open."""
    graph = problem.graph
    fixed = np.zeros(graph.n, np.bool_) if problem.locked is None else problem.locked.astype(np.bool_)
    return Ground(
        graph.indptr, graph.indices, open_borders(problem, home), graph.length_m,
        problem.weight.astype(np.float64), graph.area_m2, graph.perimeter_m, graph.area, home, fixed,
    )  # fmt: skip


def closed(problem: Problem, grid: Ints) -> NDArray[np.bool_]:
    """Grids all of whose units are locked: they neither give nor take."""
    if problem.locked is None:
        return np.zeros(problem.k, np.bool_)
    held = grid >= 0
    units = np.bincount(grid[held], minlength=problem.k)
    return np.asarray((units > 0) & (np.bincount(grid[held & problem.locked], minlength=problem.k) == units))


def open_borders(problem: Problem, grid: Ints) -> NDArray[np.bool_]:
    """The borders across which a grid may grow: walkable, not of a closed grid, and if strict inside a community."""
    graph = problem.graph
    rows = np.repeat(np.arange(graph.n), np.diff(graph.indptr))
    found = graph.walkable.copy()
    if problem.nesting == "strict":
        found &= graph.area[rows] == graph.area[graph.indices]
    shut = np.append(closed(problem, grid), False)[grid]
    found &= ~(shut[rows] ^ shut[graph.indices])
    return np.asarray(found)


def survey(problem: Problem, ground: Ground, grid: Ints) -> Grids:
    """The state of a partition; its label array is a copy."""
    areas = len(problem.graph.area_codes) if problem.nesting == "soft" else 0
    found: Grids = nudging.survey(ground, grid.copy(), problem.k, areas)
    return found

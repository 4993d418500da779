"""Putting one grid right: in one piece, within its band, rounder, touching only it and the grids beside it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from grids import nudges
from grids.excerpts import ground, neighbours
from grids.flows import Band
from grids.kernels import nudging
from grids.kernels.nudging import Grids
from grids.kernels.nudging import Ground as Arrays
from grids.problem import Problem
from grids.units import Ints, connected, within

STRICT, ROUNDNESS, STAY = 400.0, 0.6, 0.25
ROUNDS = ((0.05, 0.002), (0.02, 0.001), (0.10, 0.002), (0.01, 0.0003))  # temperatures, hot to cold
SWEEPS = 60


def around(problem: Problem, grid: Ints, g: int) -> tuple[Problem, Ints, Ints]:
    """The problem of grid g and the grids beside it alone, with its units and its grids (g first) as indices."""
    grids = np.concatenate([[g], neighbours(problem.graph, grid, g, walking=False)]).astype(np.int64)
    number = np.full(problem.k + 1, -1, np.int64)
    number[grids] = np.arange(len(grids))
    units = np.flatnonzero(number[grid] >= 0)
    part = replace(
        problem,
        graph=within(problem.graph, units),
        weight=problem.weight[units],
        k=len(grids),
        posts=None,
        start=number[grid[units]],
        locked=None if problem.locked is None else problem.locked[units],
        extra={},
    )
    return part, units, grids


def joined(problem: Problem, label: Ints, g: int) -> Ints:
    """Labels after grid g's loose pieces went to the lightest grids beside them; locked units stay."""
    graph, label = problem.graph, label.copy()
    open_ = nudges.open_borders(problem, label)
    walk = ground(replace(graph, walkable=open_))
    inside = (label[walk.a] == g) & (label[walk.b] == g)
    piece = connected(graph.n, walk.a[inside], walk.b[inside])
    mine = np.flatnonzero(label == g)
    fixed = np.zeros(graph.n, bool) if problem.locked is None else problem.locked
    heavy = np.bincount(piece[mine], weights=problem.weight[mine] + 1e-9 * graph.area_m2[mine], minlength=1)
    for p in np.unique(piece[mine[fixed[mine]]]):
        heavy[p] += problem.weight.sum() + 1.0  # a piece with a locked unit cannot go
    loose = mine[(piece[mine] != int(np.argmax(heavy))) & ~fixed[mine]]
    loads = np.bincount(label, weights=problem.weight, minlength=problem.k)
    left = set(loose.tolist())
    while left:
        given = {}
        for u in sorted(left):
            edges = slice(graph.indptr[u], graph.indptr[u + 1])
            beside = label[graph.indices[edges][open_[edges]]]
            beside = np.unique(beside[(beside >= 0) & (beside != g)])
            if len(beside):
                given[u] = int(beside[int(np.argmin(loads[beside]))])
        for u, b in given.items():
            label[u] = b
            loads[b] += problem.weight[u]
        if not given:
            break
        left -= given.keys()
    return label


def put_right(problem: Problem, label: Ints, band: Band) -> Ints:
    """The best labels found that are nearer to the bands of all grids here, rounder, and little changed."""
    arrays = nudges.ground(problem, label)
    state = nudges.survey(problem, arrays, label)
    rng = problem.rng()
    pool = np.flatnonzero(~arrays.fixed & _movable(arrays, label))
    best, best_energy = label, _energy(arrays, state, band, problem)
    for hot, cold in ROUNDS if len(pool) else ():
        aims = nudges.wanted(band, strict=STRICT, roundness=ROUNDNESS, stay=STAY, nesting=problem.nesting)
        nudging.nudge(arrays, state, aims, pool, SWEEPS * len(pool), hot, cold, rng)
        energy = _energy(arrays, state, band, problem)
        if energy < best_energy:
            best, best_energy = state.label.copy(), energy
    return best


def _movable(arrays: Arrays, label: Ints) -> NDArray[np.bool_]:
    """Units with any way out to a neighbour."""
    rows = np.repeat(np.arange(len(label)), np.diff(arrays.indptr))
    found = np.zeros(len(label), bool)
    found[rows[arrays.open_]] = True
    return found


def _energy(arrays: Arrays, state: Grids, band: Band, problem: Problem) -> float:
    """What the kernel lowers, over all grids here."""
    beyond = np.maximum(np.maximum(state.loads - band.high, band.low - state.loads), 0) / band.target
    rim = np.maximum(state.rims, 0) / (2 * np.sqrt(np.pi * np.maximum(state.areas, 1e-9)))
    away = state.label != arrays.home
    moved = (arrays.weight[away] / band.target[arrays.home[away]]).sum()
    moved += 0.004 * (arrays.area[away] / arrays.area.mean()).sum()
    crossings = nudges.CROSSING * (state.held > 0).sum() if problem.nesting == "soft" else 0.0
    return float((STRICT * beyond * (beyond + 0.01)).sum() + ROUNDNESS * rim.sum() + STAY * moved + crossings)

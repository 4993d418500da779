"""The steps of a rebalance on one state of grids: carry the flow, nudge, untangle, retry what is stuck, send home."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from grids import flows, nudges
from grids.flows import Flow
from grids.kernels import carrying, chains, nudging
from grids.kernels.nudging import Grids, Ground
from grids.nudges import Band
from grids.problem import Problem
from grids.units import Floats, Ints, within

ROUNDNESS, STAY, PUSH = 0.3, 1.0, 4.0  # outline, weight away from home, weight carried along the flow
STRICT = 600.0
SAFE = 0.94  # aim a little inside the band: single units do not divide
SWEEPS = (16, 30)  # tries per unit in the first round and later
HEAT = (0.03, 0.02, 0.01, 0.01, 0.03, 0.1, 0.2)
DEPTH, STARTS = 8, 60  # of chains
RETRIES = (
    (0.2, 0.1),
    (0.5, 0.05),
    (0.1, 0.2),
    (1.0, 0.05),
    (0.3, 0.1),
    (0.05, 0.2),
)  # temperature, and what staying home is worth


@dataclass(frozen=True)
class Work:
    """A rebalance under way: `fair` is the load every grid can have on its own ground, `state` changes in place."""

    problem: Problem
    ground: Ground
    state: Grids
    fair: Floats
    rng: np.random.Generator

    def band(self, share: float | Floats = 1.0) -> Band:
        """The bands at `share` of the tolerance, as the grids stand now."""
        band = nudges.band(self.fair, self.problem.weight, self.state.label, self.problem.tolerance * share)
        kept = nudges.closed(self.problem, self.ground.home) if self.problem.locked is not None else False
        loads = self.state.loads
        low = np.where(kept, np.minimum(band.low, loads), band.low)
        return Band(low, np.where(kept, np.maximum(band.high, loads), band.high), band.target)

    def pairs(self) -> Ints:
        """Neighbours that can give to each other now."""
        ground, k = self.ground, self.problem.k
        return flows.neighbours(self.problem.graph, self.state.label, ground.open_, k, ground.fixed)

    def excess(self) -> tuple[int, float]:
        """How many grids are outside their band, and by how much together (in targets)."""
        band, loads = self.band(), self.state.loads
        beyond = np.maximum(np.maximum(loads - band.high, band.low - loads), 0) / band.target
        return int(band.outside(loads).sum()), float(beyond.sum())


def begin(problem: Problem, start: Ints, home: Ints) -> Work:
    """The work on labels `start`, where `home` is what moving is counted against."""
    problem = replace(problem, graph=replace(problem.graph, land=problem.graph.components(walking=False)))
    ground = nudges.ground(problem, start)._replace(home=home)
    state = nudges.survey(problem, ground, start)
    pairs = flows.neighbours(problem.graph, start, ground.open_, problem.k, ground.fixed)
    fair = flows.fair(problem.targets, state.loads, pairs, problem.tolerance)
    return Work(problem, ground, state, fair, problem.rng())


def carry(work: Work, room: Floats) -> Flow:
    """Units follow the least flow that brings every grid into its band; `room[g]` (0–1) is the share of it aimed at."""
    aim = work.band(SAFE * room)
    flow = flows.least(work.state.loads, aim, work.pairs())
    free = nudges.wanted(aim, strict=0.0, roundness=ROUNDNESS, stay=STAY, nesting=work.problem.nesting)
    carrying.carry(work.ground, work.state, free, flow.givers, flow.takers, flow.amounts, PUSH)
    return flow


def around(pairs: Ints, grids: NDArray[np.bool_], rings: int) -> NDArray[np.bool_]:
    """These grids and those up to so many steps away."""
    near = grids.copy()
    for _ in range(rings):
        near[pairs[near[pairs[:, 0]], 1]] = True
    return near


def nudge(work: Work, round_: int, passed: NDArray[np.bool_]) -> None:
    """Single units near grids outside their band, and near those in `passed`, change sides; then chains of moves."""
    aim = work.band(SAFE)
    outside = work.band().outside(work.state.loads)
    near = around(work.pairs(), outside | passed, 1 + round_ % 3 if round_ > 3 else 1)
    pool = np.flatnonzero(np.append(near, False)[work.state.label] & ~work.ground.fixed)
    wanted = nudges.wanted(
        aim, strict=STRICT * (1 + round_), roundness=ROUNDNESS, stay=STAY, nesting=work.problem.nesting
    )
    if len(pool):
        tries = SWEEPS[min(round_, 1)] * len(pool)
        nudging.nudge(work.ground, work.state, wanted, pool, tries, HEAT[round_ % len(HEAT)], 0.002, work.rng)
    bad = np.flatnonzero(work.band().outside(work.state.loads))
    chains.untangle(work.ground, work.state, wanted, bad, DEPTH, STARTS)


def retry(work: Work, g: int, pairs: Ints) -> bool:
    """Everything up to two grids away from grid g is tried anew at high temperature; kept if less is outside."""
    near = np.append(around(pairs, np.arange(work.problem.k) == g, 2), False)
    units, grids = np.flatnonzero(near[work.state.label]), np.flatnonzero(near)
    part = _part(work, units, grids)
    before, pool = part.excess()[1], np.flatnonzero(~part.ground.fixed)
    for hot, stay in RETRIES if len(pool) else ():
        wanted = nudges.wanted(
            part.band(0.99),
            strict=20 * STRICT,
            roundness=ROUNDNESS / 2,
            stay=stay,
            nesting=part.problem.nesting,
        )
        nudging.nudge(part.ground, part.state, wanted, pool, 100 * len(pool), hot, 0.002, work.rng)
        bad = np.flatnonzero(part.band().outside(part.state.loads))
        chains.untangle(part.ground, part.state, wanted, bad, DEPTH, STARTS)
        if part.excess()[1] < before:
            work.state.label[units] = grids[part.state.label]
            return True
    return False


def send_home(work: Work) -> None:
    """What need not be away goes home, and outlines are smoothed, without leaving the bands."""
    aim, pool = work.band(0.995), np.flatnonzero(~work.ground.fixed & (work.state.label >= 0))
    back = nudges.wanted(
        aim, strict=50 * STRICT, roundness=ROUNDNESS, stay=1.5 * STAY, nesting=work.problem.nesting
    )
    pool = pool[_touched(work)[work.state.label[pool]]]
    if len(pool):
        nudging.nudge(work.ground, work.state, back, pool, 20 * len(pool), 0.003, 0.0003, work.rng)


def _touched(work: Work) -> NDArray[np.bool_]:
    """Grids that gave or took something."""
    away = work.state.label != work.ground.home
    found = np.zeros(work.problem.k, np.bool_)
    found[work.state.label[away]] = True
    found[work.ground.home[away & (work.ground.home >= 0)]] = True
    return found


def _part(work: Work, units: Ints, grids: Ints) -> Work:
    """The work on some grids alone."""
    number = np.full(work.problem.k + 1, -1, np.int64)
    number[grids] = np.arange(len(grids))
    problem = replace(
        work.problem,
        graph=within(work.problem.graph, units),
        weight=work.problem.weight[units],
        k=len(grids),
        posts=work.fair[grids],
        locked=None if work.problem.locked is None else work.problem.locked[units],
    )
    label, home = number[work.state.label[units]], number[work.ground.home[units]]
    ground = nudges.ground(problem, label)._replace(home=home)
    return Work(problem, ground, nudges.survey(problem, ground, label), work.fair[grids], work.rng)

"""Bringing a plan back into balance by moving as little as possible.

    flow      the least weight that must pass between neighbouring grids (`grids.flows`), which is also the bound
    carry     border units follow the flow from grid to grid, upstream first, so that a whole district can shed load
    nudge     single units near grids still outside their band change sides; leaving home costs
    again     until all are inside or nothing helps
    return    what does not need to be away goes home
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geo.progress import Progress, silent
from grids import flows, nudges
from grids.flows import Flow
from grids.kernels import carrying, chains, nudging
from grids.kernels.nudging import Grids, Ground
from grids.nudges import Band
from grids.partition import Partition
from grids.problem import Problem
from grids.units import Floats, Ints

ROUNDS = 14
STRICT, ROUNDNESS, STAY, PUSH = 600.0, 0.3, 1.0, 4.0
SAFE = 0.94  # aim a little inside the band: single units do not divide
SWEEPS = 30


@dataclass(frozen=True)
class Settings:
    """Knobs for experiments."""

    push: float = PUSH
    roundness: float = ROUNDNESS
    stay: float = STAY
    safe: float = SAFE
    sweeps: int = SWEEPS


def run(problem: Problem, s: Settings = Settings(), verbose: bool = False):
    import time

    t0 = time.time()
    start = problem.start
    ground = nudges.ground(problem, start)
    state = nudges.survey(problem, ground, start)
    rng = problem.rng()
    band = nudges.band(problem.targets, problem.weight, start, problem.tolerance)
    pairs = flows.neighbours(problem.graph, start, ground.open_, problem.k, ground.fixed)
    bound = flows.least(state.loads, band, pairs)
    W = problem.weight.sum()
    say = lambda what: verbose and print(
        f"{time.time() - t0:6.2f}s {what:12s} out {band.outside(state.loads).sum():5d} worst {np.abs(state.loads / band.target - 1).max():.3f} moved {100 * ground.weight[state.label != start].sum() / W:.2f}% rim {nudges_rim(state):.3f}",
        flush=True,
    )
    say(f"bound {100 * bound.total / W:.2f}%")
    for r in range(ROUNDS):
        band = nudges.band(problem.targets, problem.weight, state.label, problem.tolerance)
        out = band.outside(state.loads)
        if not out.any():
            break
        aim = nudges.band(problem.targets, problem.weight, state.label, problem.tolerance * s.safe)
        pairs = flows.neighbours(problem.graph, state.label, ground.open_, problem.k, ground.fixed)
        flow = flows.least(state.loads, aim, pairs)
        free = nudges.wanted(aim, strict=0.0, roundness=s.roundness, stay=s.stay, nesting=problem.nesting)
        rest = carrying.carry(ground, state, free, flow.givers, flow.takers, flow.amounts, s.push)
        say(f"carry {100 * flow.total / W:.2f} left {100 * np.maximum(rest, 0).sum() / W:.2f}")
        near = band.outside(state.loads)
        near[flow.givers] = True
        near[flow.takers] = True
        for _ in range(1 + r % 3 if r > 3 else 1):
            near[pairs[near[pairs[:, 0]], 1]] = True
        pool = np.flatnonzero(near[state.label] & ~ground.fixed)
        hot = (0.03, 0.02, 0.01, 0.01)[r] if r < 4 else (0.03, 0.1, 0.2)[r % 3]
        tight = nudges.wanted(aim, strict=STRICT * (1 + r), roundness=s.roundness, stay=s.stay, nesting=problem.nesting)
        nudging.nudge(ground, state, tight, pool, s.sweeps * len(pool), hot, 0.002, rng)
        say("nudge")
        left = np.flatnonzero(band.outside(state.loads))
        chains.untangle(ground, state, tight, left, 8, 60)
        say("chain")
    aim = nudges.band(problem.targets, problem.weight, state.label, problem.tolerance * 0.995)
    back = nudges.wanted(aim, strict=30000.0, roundness=s.roundness / 2, stay=2 * s.stay, nesting=problem.nesting)
    pool = np.flatnonzero(~ground.fixed)
    nudging.nudge(ground, state, back, pool, 20 * len(pool), 0.003, 0.0003, rng)
    say("return")
    return state, bound


def nudges_rim(state):
    return float((4 * np.pi * state.areas / state.rims**2).mean())

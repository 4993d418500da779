"""The steps of a rebalance on one state of grids: carry the flow, nudge, untangle, retry what is stuck, send home."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from grids import flows, nudges
from grids.flows import Band, Flow
from grids.kernels import carrying, chains
from grids.kernels.energy import Ground as Land
from grids.kernels.energy import Rates, open_book
from grids.kernels.nudging import Grids, Ground
from grids.problem import Problem
from grids.refine import Refiner
from grids.units import Floats, Ints

ROUNDNESS, STAY, PUSH = 0.3, 1.0, 4.0  # outline, weight away from home, weight carried along the flow
STRICT = 600.0
SAFE = 0.94  # aim a little inside the band: single units do not divide
SWEEPS = (16, 30)  # tries per unit in the first round and later
HEAT = (0.03, 0.02, 0.01, 0.01, 0.03, 0.1, 0.2)
DEPTH, STARTS = 8, 60  # of chains
RETRIES = ((1, 0.2, 0.1), (2, 0.5, 0.05), (1, 0.1, 0.2), (2, 1.0, 0.05))  # grids round it, heat, staying home
RETRY_SWEEPS = 100
COLD = 0.002
MOST_CHAINS = 200
SURE = 0.99
ROUNDS_APART = (
    1_000  # seeds of nudges, of retries, of going home  # temperature, and what staying home is worth
)


@dataclass(frozen=True)
class Work:
    """A rebalance under way: `fair` is the load every grid can have on its own ground, `state` changes in place."""

    problem: Problem
    ground: Ground
    state: Grids
    fair: Floats

    def band(self, share: float | Floats = 1.0) -> Band:
        """The bands at `share` of the tolerance, as the grids stand now."""
        band = flows.band(self.fair, self.problem.weight, self.state.label, self.problem.tolerance * share)
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
    return Work(problem, ground, state, fair)


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
    outside = work.band().outside(work.state.loads)
    near = around(work.pairs(), outside | passed, 1 + round_ % 3 if round_ > 3 else 1)
    plan, strict = _refiner(work, round_), STRICT * (1 + round_)
    plan.anneal(_rates(work, SAFE, strict), SWEEPS[min(round_, 1)], HEAT[round_ % len(HEAT)], COLD, only=near)
    _refresh(work)
    bad = np.flatnonzero(work.band().outside(work.state.loads))[:MOST_CHAINS]
    wanted = nudges.wanted(
        work.band(SAFE), strict=strict, roundness=ROUNDNESS, stay=STAY, nesting=work.problem.nesting
    )
    chains.untangle(work.ground, work.state, wanted, bad, DEPTH, STARTS)


def retry(work: Work, round_: int) -> None:
    """Each grid still outside is tried anew with those round it, with heat; kept unless more is outside then."""
    plan = _refiner(work, ROUNDS_APART + round_)
    for far, hot, stay in RETRIES:
        steep = _rates(work, SURE, 20 * STRICT, stay)
        plan.shake(steep, work.fair, work.problem.tolerance, far, hot, COLD, RETRY_SWEEPS)
        straight = steep._replace(hinge=50.0, corner=1.0)
        plan.shake(straight, work.fair, work.problem.tolerance, far, 3.0, 0.02, RETRY_SWEEPS)
    _refresh(work)


def send_home(work: Work) -> None:
    """What need not be away goes home, and outlines are smoothed, without leaving the bands."""
    plan = _refiner(work, 2 * ROUNDS_APART)
    plan.anneal(_rates(work, 0.995, 50 * STRICT, 1.5 * STAY), 20, 0.003, 0.0003, only=_touched(work))
    _refresh(work)


def _refiner(work: Work, turn: int) -> Refiner:
    """The work as the kernels of a search see it, on the same labels."""
    ground, problem = work.ground, work.problem
    kept = nudges.closed(problem, ground.home) if problem.locked is not None else None
    land = Land(
        ground.indptr, ground.indices, ground.length, ground.open_, problem.graph.x, problem.graph.y,
        ground.area, ground.perimeter, ground.weight[:, None].copy(), ground.nest,
    )  # fmt: skip
    book = open_book(
        land, work.state.label, work.fair[:, None].copy(), closed=kept, held=ground.fixed, origin=ground.home,
        crossing=problem.nesting == "soft",
    )  # fmt: skip
    seed = np.random.SeedSequence([problem.seed, turn]).generate_state(1)[0]
    return Refiner(land, book, int(seed))


def _rates(work: Work, share: float, strict: float, stay: float = STAY) -> Rates:
    """The prices within `share` of the tolerance; `stay`: what weight away from home costs."""
    crossing = nudges.CROSSING if work.problem.nesting == "soft" else 0.0
    return Rates(
        band=share * work.problem.tolerance, pull=0.0, hinge=strict, corner=0.01, shape=ROUNDNESS,
        crossing=crossing, moved=stay, moved_m2=0.004 * stay / float(work.ground.area.mean()),
    )  # fmt: skip


def _refresh(work: Work) -> None:
    """The sums of the state anew after its labels changed."""
    state, fresh = work.state, nudges.survey(work.problem, work.ground, work.state.label)
    state.loads[:], state.areas[:], state.rims[:] = fresh.loads, fresh.areas, fresh.rims
    state.counts[:], state.held[:] = fresh.counts, fresh.held


def _touched(work: Work) -> NDArray[np.bool_]:
    """Grids that gave or took something."""
    away = work.state.label != work.ground.home
    found = np.zeros(work.problem.k, np.bool_)
    found[work.state.label[away]] = True
    found[work.ground.home[away & (work.ground.home >= 0)]] = True
    return found

"""Bringing a plan back into balance by moving as little as possible.

flow      the least weight that must pass between neighbouring grids: the guide, and the bound to be judged by
carry     border units follow the flow from grid to grid, upstream first, so that a whole district can shed load
nudge     single units near grids still outside their band change sides; leaving home costs
untangle  chains of moves where single units are too heavy; what is still stuck is tried anew with its surroundings
send home what need not be away
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from geo.errors import Cancelled, RefusedArgument
from geo.progress import Progress, silent
from grids import balancing, explanations, nudges, staffing
from grids.balancing import Work
from grids.explanations import Stuck
from grids.partition import Partition
from grids.problem import Problem
from grids.units import Ints

ROUNDS = 12
FIRST_RETRY = 2
EASING = (
    0.75  # round a grid that stays outside loads are aimed further inside: where all are full nothing fits
)
PATIENCE = 4  # rounds without progress before what is left counts as stuck


def never() -> bool:
    """Nobody cancels."""
    return False


@dataclass(frozen=True)
class Rebalanced:
    """A partition within the tolerance as far as that goes, and what it cost. Shares are 0–1 of the whole weight.

    `least_share` is the least flow: what must change hands when every grid gives only to grids beside it, counted at
    every border it crosses. `certain_share` must move whatever the method. `deviation` is the worst grid's, of its
    fair load; `within_tolerance` the share of grids inside; `stuck` says why others are not, worst first.
    """

    partition: Partition
    moved_weight: float
    moved_share: float
    moved_units: int
    changed_grids: int
    least_share: float
    certain_share: float
    deviation: float
    within_tolerance: float
    stuck: list[Stuck]


def rebalance(
    problem: Problem, *, more: int = 0, leaving: int | None = None, joining: int | None = None,
    progress: Progress = silent, cancel: Callable[[], bool] = never,
) -> Rebalanced:  # fmt: skip
    """The problem's start with every load within the tolerance of its target, moving little; locked units stay.

    `more=1`: a worker joins, a new grid is made where the flow wants it (or out of grid `joining`). `more=-1`: a
    worker leaves, the grid whose work is taken over most easily (or grid `leaving`) is dissolved into its neighbours
    and left empty. Numbers of grids stay; the new one is numbered k. Grids with locked units only neither give nor
    take. Grids on ground that cannot reach the tolerance (see `stuck`) share evenly what there is.

    The same problem and seed give the same answer. Raises RefusedArgument `no-start`, `grids-change`, `no-such-grid`,
    `grid-locked`, `cannot-dissolve`; Cancelled when `cancel` says so between two rounds.
    """
    start = _start(problem)
    staffed = staffing.change(problem, start, more, leaving, joining)
    work = balancing.begin(staffed.problem, staffed.begin, staffed.home)
    work = _improve(work, progress, cancel)
    grid = np.append(staffed.number, -1)[work.state.label]
    k = problem.k + (more > 0)
    return _judged(problem, staffed, start, Partition(problem.graph, grid, k), work)


def _improve(work: Work, progress: Progress, cancel: Callable[[], bool]) -> Work:
    """The best work found: fewest and least outside, then what can go home at home."""
    k, best, best_label, waited = work.problem.k, work.excess(), work.state.label.copy(), 0
    room = np.ones(k)
    for r in range(ROUNDS):
        progress("rebalance", k - best[0], k)
        if cancel():
            raise Cancelled("已取消，方案没有改变。", "Cancelled; the plan has not changed.")
        if best[0] == 0 or waited >= PATIENCE:
            break
        flow, passed = balancing.carry(work, room), np.zeros(k, np.bool_)
        passed[flow.givers] = passed[flow.takers] = True
        balancing.nudge(work, r, passed)
        if r >= FIRST_RETRY:
            balancing.retry(work, r)
        left = work.band().outside(work.state.loads)
        room[balancing.around(work.pairs(), left, 2)] *= EASING
        found = work.excess()
        waited = 0 if found < best else waited + 1
        if found < best:
            best, best_label = found, work.state.label.copy()
    if (best_label != work.state.label).any():
        work = replace(work, state=nudges.survey(work.problem, work.ground, best_label))
    if (work.state.label != work.ground.home).any():
        balancing.send_home(work)
    progress("rebalance", k - work.excess()[0], k)
    return work


def _start(problem: Problem) -> Ints:
    if problem.start is None or not (problem.start >= 0).any():
        raise RefusedArgument(
            "没有可调整的划分。", "There is no partition to rebalance.", code="no-start", field="start",
            do_zh="请先提出或导入方案。", do_en="Propose or import a plan first.",
        )  # fmt: skip
    return problem.start


def _judged(
    problem: Problem, staffed: staffing.Staffed, start: Ints, partition: Partition, work: Work
) -> Rebalanced:
    """The bookkeeping of what was done."""
    moved = partition.grid != start
    total = max(float(problem.whole_weight.sum()), 1e-300)
    off = np.abs(work.state.loads / np.maximum(staffed.problem.targets, 1e-12) - 1)
    closed = np.flatnonzero(nudges.closed(staffed.problem, staffed.home))
    stuck = explanations.outside(staffed.problem, work.state.label, work.fair, closed)
    return Rebalanced(
        partition=partition,
        moved_weight=float(problem.whole_weight[moved].sum()),
        moved_share=float(problem.whole_weight[moved].sum()) / total,
        moved_units=int(moved.sum()),
        changed_grids=len(np.unique(np.concatenate([partition.grid[moved], start[moved]]))),
        least_share=staffed.least / total,
        certain_share=staffed.certain / total,
        deviation=float(off.max()),
        within_tolerance=float((off <= staffed.problem.tolerance + 1e-9).mean()),
        stuck=[replace(one, grid=int(staffed.number[one.grid])) for one in stuck],
    )

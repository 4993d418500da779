"""From a seed to a plan: rounds of re-cuts, flows and cooling moves, then the grids still outside the tolerance.

A round divides neighbouring grids anew, lets load flow to where it is wanted, and moves single units at falling
temperature; the hinge grows from round to round. Repair works round the grids still outside: pairs are divided by
branches and by lines, then units move, gently at first; where they are heavy, with heat and a straight hinge, which
lets a heavy unit pass that a steep one would hold fast.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from grids.kernels.energy import Rates
from grids.refine import Bools, Refiner, rings
from grids.tastes import Taste
from grids.units import Floats

ROUNDS = 3
SWEEPS = 30
AIM = 0.4  # of the tolerance: how close the flow of a round brings loads
LATE_AIM = (0.6, 0.8)  # the same in repair, from start to start: what one leaves outside the other may not
LEVEL = {"band": 0.0, "pull": 20.0}  # while load flows little else counts
FAR_APART = 12  # grids; among fewer every imbalance is near
TURNS, FEW_TURNS = 36, 4  # of repair; of tiny cities, which have many starts
GENTLE = 9  # turns before heat
FLOW_EVERY = 4  # turns of repair between two flows
HEAT = (0.05, 0.15, 0.4)
HARD = {"hinge": 50.0, "corner": 1.0, "pull": 0.1, "shape": 0.3}  # a straight hinge
SHARP_TURNS = 3
TINY_CITY = 200  # units; so few that heat and patience find the best plan there is
TINY_COLD = (0.5, 0.2, 0.05)  # where its starts stop cooling: the least energy is not the least worst

Told = Callable[[str, int, int], None]


def improve(plan: Refiner, taste: Taste, tolerance: float, tight: Bools, start: int, progress: Told) -> None:
    """Makes a seeded plan as good as it gets, in place; `start` counts the seeds tried.

    `tight` grids share what lies on their ground as evenly as can be: they decide how far the worst grid is off.
    """
    stages = ROUNDS + TURNS + 1
    fair = plan.book.target[:, 0].copy()
    usual = taste.rates(tolerance, float(plan.book.perimeter.mean()))
    for turn in range(ROUNDS):
        progress("search", turn, stages)
        _round(plan, usual._replace(hinge=400.0 * 3**turn), fair, tolerance)
    tiny = len(plan.book.label) <= TINY_CITY
    turns = FEW_TURNS if tiny else TURNS
    aim = LATE_AIM[start % len(LATE_AIM)] * tolerance
    _repair(plan, usual, fair, tolerance, aim, turns, lambda turn: progress("search", ROUNDS + turn, stages))
    if tiny and (plan.excess(fair) > tolerance).any():
        plan.anneal(
            Rates(tolerance, hinge=20_000.0, shape=0.05), 4_000, 300.0, TINY_COLD[start % len(TINY_COLD)]
        )
    plan.anneal(usual._replace(band=usual.band + 0.08 * tolerance, hinge=20_000.0), SWEEPS // 2, 0.02, 0.0005)
    _sharpen(plan, usual, fair, tolerance, tight)
    progress("search", stages, stages)


def _sharpen(plan: Refiner, usual: Rates, fair: Floats, tolerance: float, tight: Bools) -> None:
    """The tight grids as even among themselves as they get."""
    band = min(usual.band, 0.1 * tolerance)
    rates = usual._replace(band=band, pull=2.0, hinge=4_000.0)
    for turn in range(SHARP_TURNS if tight.any() else 0):
        if turn > 0:
            plan.shake(rates._replace(**HARD), fair, 1.5 * band, turn, 3.0, 0.05, 200, only=tight)
        plan.branch_out(rates, trees=10, only=tight)
        plan.recut(rates, directions=16, only=tight)
        plan.anneal(rates, SWEEPS, 0.1, 0.002, only=tight)
        if plan.excess(fair)[tight].max() <= 1.5 * band:
            break


def _round(plan: Refiner, rates: Rates, fair: Floats, tolerance: float) -> None:
    plan.recut(rates)
    _level(plan, rates, fair, AIM * tolerance)
    plan.anneal(rates, SWEEPS, 0.1, 0.005)


def _repair(
    plan: Refiner,
    usual: Rates,
    fair: Floats,
    tolerance: float,
    aim: float,
    turns: int,
    told: Callable[[int], None],
) -> None:
    """The grids outside the tolerance and those round them, until there are none or the turns are over.

    What is left is the state with least outside.
    """
    rates = usual._replace(hinge=4_000.0, shape=min(1.0, usual.shape), crossing=usual.crossing / 2)
    best, least = plan.book.label.copy(), np.inf
    for turn in range(turns):
        told(turn)
        off = np.where(plan.book.closed, 0.0, np.maximum(plan.excess(fair) - tolerance, 0.0))
        if off.sum() < least:
            best, least = plan.book.label.copy(), float(off.sum())
        if least == 0:
            return
        near = rings(off > 0, 1 + turn % 2, plan.neighbours()) & ~plan.book.closed
        plan.branch_out(rates, trees=10, only=near)
        plan.recut(rates, directions=16, only=near)
        _shake(plan, rates, fair, tolerance, turn)
        if turn % FLOW_EVERY == FLOW_EVERY - 1:
            _level(plan, rates, fair, aim)
    if np.maximum(plan.excess(fair) - tolerance, 0.0)[~plan.book.closed].sum() > least:
        plan.take(best)


def _shake(plan: Refiner, rates: Rates, fair: Floats, tolerance: float, turn: int) -> None:
    if turn < GENTLE or turn % 3 == 0:
        plan.shake(rates, fair, tolerance, 1 + turn % 3, HEAT[turn // 3 % 3], 0.004, 40)
    else:
        plan.shake(rates._replace(**HARD), fair, tolerance, 1 + turn % 2, 3.0, 0.05, 200)


def _level(plan: Refiner, rates: Rates, fair: Floats, aim: float) -> None:
    if plan.k >= FAR_APART:
        plan.level(rates._replace(**LEVEL), fair, aim)

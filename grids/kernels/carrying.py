"""Compiled loops that carry a wanted flow of weight from grid to grid, unit by unit, keeping grids in one piece."""

from __future__ import annotations

import numpy as np
from numba import njit

from grids.kernels.linking import Links, link, relink
from grids.kernels.nudging import Grids, Ground, Wanted, move, price, smallest
from grids.kernels.settling import Floats, Ints, stays_whole

IDLE_STEPS = 24  # how many units without weight may be given in a row to reach one that weighs something


@njit(cache=True)
def _best(
    ground: Ground, grids: Grids, wanted: Wanted, mean_area: float, a: int, b: int, left: float, push: float,
    idle: bool, links: Links, seen: Ints, queue: Ints, stamp: int,
) -> tuple[int, int]:  # fmt: skip
    """The unit of a that is best given to b while `left` is still to be carried (−1: none), and the last stamp used."""
    best, chosen = 1e-9, -1
    if idle:
        best = -1e18
    u = links.first[a]
    while u >= 0:
        w = ground.weight[u]
        touches = False
        if not ground.fixed[u] and (w <= 0.0 if idle else w > 0.0):
            for e in range(ground.indptr[u], ground.indptr[u + 1]):
                if ground.open_[e] and grids.label[ground.indices[e]] == b:
                    touches = True
                    break
        if touches:
            gain = push * (abs(left) - abs(left - w)) / wanted.target[b]
            score = gain - price(ground, grids, wanted, mean_area, u, b)
            if score > best and (idle or gain > 0):
                stamp += 2
                if stays_whole(
                    u, ground.indptr, ground.indices, ground.open_, grids.label, seen, queue, stamp
                ):
                    best, chosen = score, u
        u = links.after[u]
    return chosen, stamp


@njit(cache=True)
def carry(
    ground: Ground, grids: Grids, wanted: Wanted, givers: Ints, takers: Ints, amounts: Floats, push: float
) -> Floats:
    """Carries `amounts` of weight from givers to takers in the given order; returns what could not be carried.

    Each step gives the border unit that brings the amount nearest to what is left, costs the least outline and is
    least far from home; where only units without weight border the taker, these go first. `push` is what carrying a
    whole target is worth, in the energy's unit.
    """
    n = len(grids.label)
    links = link(grids.label, len(grids.loads))
    seen, queue = np.full(n, -1, np.int64), np.empty(n, np.int64)
    mean_area, stamp = ground.area.mean(), 0
    rest = amounts.copy()
    for i in range(len(givers)):
        a, b = givers[i], takers[i]
        idle_steps = 0
        while rest[i] > 0 and grids.counts[a] > 1:
            u, stamp = _best(
                ground, grids, wanted, mean_area, a, b, rest[i], push, False, links, seen, queue, stamp
            )
            if u < 0 and idle_steps < IDLE_STEPS and rest[i] > 0.02 * wanted.target[b]:
                idle_steps += 1
                u, stamp = _best(
                    ground, grids, wanted, mean_area, a, b, rest[i], push, True, links, seen, queue, stamp
                )
            elif u >= 0:
                idle_steps = 0
            if u < 0:
                break
            rest[i] -= ground.weight[u]
            move(ground, grids, wanted.nesting > 0, u, b)
            relink(links, u, a, b)
    return rest


def warm() -> None:
    """Compiles every kernel once (they stay cached on disk), so that nobody waits for it later."""
    ground, grids, wanted = smallest()
    carry(ground, grids, wanted, np.array([0]), np.array([1]), np.array([0.5]), 4.0)

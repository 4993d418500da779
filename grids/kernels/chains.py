"""Compiled search for chains of moves: give one unit, take another back, pass a third on, until loads fit.

Where single units are heavy, no single move brings a grid into its band without throwing another one out. A chain goes
uphill for a few steps and is kept only if the whole of it pays (Fiduccia and Mattheyses 1982, on grids instead of cells).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from grids.kernels.linking import Links, link, relink
from grids.kernels.nudging import Grids, Ground, Wanted, _off, move, price, smallest
from grids.kernels.settling import Bools, Ints, stays_whole


@njit(cache=True)
def _worst(grids: Grids, wanted: Wanted, touched: Ints, count: int) -> int:
    """Of the grids touched by a chain the one furthest outside its band (the first where none is)."""
    best, chosen = -1.0, touched[0]
    for i in range(count):
        g = touched[i]
        off = _off(grids.loads[g], wanted.low[g], wanted.high[g], wanted.target[g], 1.0)
        if off > best:
            best, chosen = off, g
    return int(chosen)


@njit(cache=True)
def _candidates(
    ground: Ground, grids: Grids, links: Links, used: Bools, g: int, units: Ints, to: Ints
) -> int:
    """All moves of border units out of grid g and into it; returns how many."""
    found = 0
    u = links.first[g]
    while u >= 0:
        for e in range(ground.indptr[u], ground.indptr[u + 1]):
            v = ground.indices[e]
            b = grids.label[v]
            if not ground.open_[e] or b == g or b < 0:
                continue
            for x, t in ((u, b), (v, g)):
                if ground.fixed[x] or used[x] or grids.counts[grids.label[x]] <= 1 or found >= len(units):
                    continue
                known = False
                for i in range(found):
                    if units[i] == x and to[i] == t:
                        known = True
                        break
                if not known:
                    units[found], to[found] = x, t
                    found += 1
        u = links.after[u]
    return found


@njit(cache=True)
def _step(
    ground: Ground, grids: Grids, wanted: Wanted, links: Links, used: Bools, mean_area: float, g: int,
    units: Ints, to: Ints, seen: Ints, queue: Ints, stamp: int,
) -> tuple[int, int, float, int]:  # fmt: skip
    """The cheapest move out of or into grid g: unit, grid, change of energy, last stamp (unit −1: none)."""
    found = _candidates(ground, grids, links, used, g, units, to)
    best, chosen, where = 1e18, -1, -1
    for i in range(found):
        change = price(ground, grids, wanted, mean_area, units[i], to[i])
        if change < best:
            stamp += 2
            if stays_whole(
                units[i], ground.indptr, ground.indices, ground.open_, grids.label, seen, queue, stamp
            ):
                best, chosen, where = change, units[i], to[i]
    return chosen, where, best, stamp


@njit(cache=True)
def untangle(ground: Ground, grids: Grids, wanted: Wanted, bad: Ints, depth: int, most: int) -> int:
    """For each grid in `bad`: the best chain of up to `depth` moves that starts at it is made, if it lowers the energy.

    `most` bounds the first moves tried for one grid. Returns the moves that stayed.
    """
    n = len(grids.label)
    links = link(grids.label, len(grids.loads))
    seen, queue = np.full(n, -1, np.int64), np.empty(n, np.int64)
    used = np.zeros(n, np.bool_)
    units, to = np.empty(512, np.int64), np.empty(512, np.int64)
    first_units, first_to = np.empty(512, np.int64), np.empty(512, np.int64)
    path, came, went = np.empty(depth, np.int64), np.empty(depth, np.int64), np.empty(depth, np.int64)
    best_path, best_went = np.empty(depth, np.int64), np.empty(depth, np.int64)
    touched = np.empty(2 * depth + 2, np.int64)
    mean_area, stamp, kept = ground.area.mean(), 0, 0
    for g in bad:
        starts = min(_candidates(ground, grids, links, used, g, first_units, first_to), most)
        best, best_steps = -1e-9, 0
        for s in range(starts):
            total, steps, count = 0.0, 0, 1
            touched[0] = g
            while steps < depth:
                if steps == 0:
                    u, b = first_units[s], first_to[s]
                    change = price(ground, grids, wanted, mean_area, u, b)
                    stamp += 2
                    if not stays_whole(
                        u, ground.indptr, ground.indices, ground.open_, grids.label, seen, queue, stamp
                    ):
                        break
                else:
                    h = _worst(grids, wanted, touched, count)
                    u, b, change, stamp = _step(
                        ground, grids, wanted, links, used, mean_area, h, units, to, seen, queue, stamp
                    )
                    if u < 0:
                        break
                a = grids.label[u]
                move(ground, grids, wanted.nesting > 0, u, b)
                relink(links, u, a, b)
                used[u] = True
                path[steps], came[steps], went[steps] = u, a, b
                steps += 1
                touched[count], touched[count + 1] = a, b
                count += 2
                total += change
                if total < best:
                    best, best_steps = total, steps
                    best_path[:steps], best_went[:steps] = path[:steps], went[:steps]
            for i in range(steps - 1, -1, -1):
                move(ground, grids, wanted.nesting > 0, path[i], came[i])
                relink(links, path[i], went[i], came[i])
                used[path[i]] = False
        for i in range(best_steps):
            u, a = best_path[i], grids.label[best_path[i]]
            move(ground, grids, wanted.nesting > 0, u, best_went[i])
            relink(links, u, a, best_went[i])
        kept += best_steps
    return kept


def warm() -> None:
    """Compiles every kernel once (they stay cached on disk), so that nobody waits for it later."""
    ground, grids, wanted = smallest()
    untangle(ground, grids, wanted, np.array([0]), 2, 8)

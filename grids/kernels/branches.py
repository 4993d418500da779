"""Two neighbouring grids divided anew along a branch of a random spanning tree, as recombination does (DeFord, Duchin,
Solomon 2021), but for the best branch instead of a random one. Reaches divisions no straight line makes: on ground of
few heavy units nearly all there are.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from grids.kernels.chance import State, below, start
from grids.kernels.energy import Book, Ground, Ints, Rates, price, strip
from grids.kernels.recut import (
    GAIN,
    MOST_UNITS,
    Desk,
    areas_touched,
    between,
    deal,
    desk_for,
    lay_out,
    load_energy,
    shape_energy,
)


@njit(cache=True, nogil=True)
def branch_out(
    ground: Ground, book: Book, rates: Rates, first: Ints, second: Ints, trees: int, chance: State
) -> int:
    """Divides each pair of neighbouring grids by the best branch of some random trees, when that is better than now.

    Both sides of a branch are in one piece by construction. Grids that are closed or hold a held unit are left alone.
    Works in place on `book`; returns how many pairs were divided anew.
    """
    price(ground, book, rates)
    desk = desk_for(book)
    order, parent = np.empty(MOST_UNITS, np.int64), np.empty(MOST_UNITS, np.int64)
    front = np.empty(8 * MOST_UNITS, np.int64)
    done = 0
    for p in range(len(first)):
        a, b = first[p], second[p]
        m = book.units[a] + book.units[b]
        if m > MOST_UNITS or m < 3 or book.closed[a] or book.closed[b]:
            continue
        if lay_out(book, desk, a, b):
            _clear(desk, m)
            continue
        outline = book.perimeter[a] + book.perimeter[b] - 2 * between(ground, book, desk, a, b)
        best = book.energy[a] + book.energy[b] - GAIN
        if rates.crossing > 0 and book.shared.shape[0] > 0:
            for i in range(m):
                desk.side[i] = 1 if book.label[desk.units[i]] == a else 0
            best += rates.crossing * areas_touched(ground, desk, m)
        found = False
        for _ in range(trees):
            if _grow(ground, desk, m, order, parent, front, chance) < m:
                break
            cost = _best_branch(ground, book, rates, desk, a, b, m, outline, order, parent, best)
            if cost < best:
                best, found = cost, True
        _clear(desk, m)
        if found:
            deal(ground, book, rates, desk, a, b, m)
            done += 1
    return done


@njit(cache=True, nogil=True)
def _clear(desk: Desk, m: int) -> None:
    for i in range(m):
        desk.place[desk.units[i]] = -1


@njit(cache=True, nogil=True)
def _grow(ground: Ground, desk: Desk, m: int, order: Ints, parent: Ints, front: Ints, chance: State) -> int:
    """A spanning tree of the pair grown from a random unit over random borders: `order` with parents first.

    Returns the units reached; fewer than m when earlier cuts drew the two grids apart.
    """
    for i in range(m):
        desk.seen[i] = 0
    root = below(chance, m)
    desk.seen[root], order[0], parent[root] = 1, root, -1
    met, waiting = 1, 0
    at = int(root)
    while True:
        for e in range(ground.indptr[desk.units[at]], ground.indptr[desk.units[at] + 1]):
            other = desk.place[ground.indices[e]]
            if ground.open_[e] and other >= 0 and desk.seen[other] == 0 and waiting < len(front):
                front[waiting] = other * m + at
                waiting += 1
        at = -1
        while waiting > 0 and at < 0:
            pick = below(chance, waiting)
            edge = front[pick]
            waiting -= 1
            front[pick] = front[waiting]
            if desk.seen[edge // m] == 0:
                at = edge // m
                parent[at] = edge % m
        if at < 0:
            return met
        desk.seen[at] = 1
        order[met] = at
        met += 1


@njit(cache=True, nogil=True)
def _best_branch(
    ground: Ground, book: Book, rates: Rates, desk: Desk, a: int, b: int, m: int, outline: float, order: Ints,
    parent: Ints, best: float,
) -> float:  # fmt: skip
    """The cost of the best branch, its units left as side 1 in `desk.best`; `best` when none is better."""
    weights = book.load.shape[1]
    load, size = np.zeros((m, weights)), np.zeros(m)
    for j in range(m - 1, -1, -1):
        i = order[j]
        size[i] += ground.area[desk.units[i]]
        for w in range(weights):
            load[i, w] += ground.weight[desk.units[i], w]
        if j > 0:
            size[parent[i]] += size[i]
            for w in range(weights):
                load[parent[i], w] += load[i, w]
    whole = book.load[a] + book.load[b]
    area = book.area[a] + book.area[b]
    for j in range(1, m):
        i = order[j]
        for turn in range(2):  # the branch becomes a, or b
            one, two = (a, b) if turn == 0 else (b, a)
            cost = load_energy(book, rates, one, load[i]) + load_energy(book, rates, two, whole - load[i])
            if cost >= best:
                continue
            rim, rest = _outlines(ground, desk, m, order, parent, j, outline)
            cost += shape_energy(rates, size[i], rim) + shape_energy(rates, area - size[i], rest)
            if cost >= best:
                continue
            if turn == 1:
                for u in range(m):
                    desk.side[u] = 1 - desk.side[u]
            if rates.crossing > 0 and book.shared.shape[0] > 0:
                cost += rates.crossing * areas_touched(ground, desk, m)
            if cost < best:
                best = cost
                for u in range(m):
                    desk.best[u] = desk.side[u]
    return best


@njit(cache=True, nogil=True)
def _outlines(
    ground: Ground, desk: Desk, m: int, order: Ints, parent: Ints, at: int, outline: float
) -> tuple[float, float]:
    """Marks the branch of the unit at place `at` of the order as side 1; its outline and the rest's, m."""
    for j in range(m):
        desk.side[order[j]] = 0
    desk.side[order[at]] = 1
    for j in range(at + 1, m):
        desk.side[order[j]] = desk.side[parent[order[j]]]
    rim, cut = 0.0, 0.0
    for j in range(at, m):
        i = order[j]
        if desk.side[i] == 0:
            continue
        u = desk.units[i]
        rim += ground.perimeter[u]
        for e in range(ground.indptr[u], ground.indptr[u + 1]):
            other = desk.place[ground.indices[e]]
            if other >= 0:
                if desk.side[other] == 1:
                    rim -= ground.length[e]
                else:
                    cut += ground.length[e]
    return rim, outline - rim + 2 * cut


def warm() -> None:
    """Compiles every kernel once (they stay cached on disk), so that nobody waits for it later."""
    ground, book = strip()
    branch_out(ground, book, Rates(0.1), np.array([0]), np.array([1]), 2, start(1))

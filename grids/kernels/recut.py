"""Two neighbouring grids divided anew by a straight sweep line, which single moves cannot reach step by step."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from grids.kernels.chance import State, share, start
from grids.kernels.energy import ROUND, Book, Floats, Ground, Ints, Rates, energy, price, strip

Bytes = NDArray[np.int8]

MOST_UNITS = 4_000  # of a pair; larger ones are left to single moves
GAIN = 1e-6  # a cut must be better by this much


class Desk(NamedTuple):
    """Scratch space for one pair of m units, and linked lists of the units of every grid."""

    head: Ints
    next: Ints
    place: Ints  # of a unit on the desk, −1 elsewhere
    units: Ints
    queue: Ints
    side: Bytes
    best: Bytes
    seen: Bytes
    touched: NDArray[np.int64]  # per community: stamp of the first, of the second side


@njit(cache=True, nogil=True)
def recut(
    ground: Ground, book: Book, rates: Rates, first: Ints, second: Ints, directions: int, chance: State
) -> int:
    """Divides each pair of neighbouring grids by the best of some sweep lines, when that is better than now.

    Directions are evenly spaced from a random one. Both sides must be in one piece; grids that are closed or hold a
    held unit are left alone. Works in place on `book`; returns how many pairs were cut anew.
    """
    price(ground, book, rates)
    desk = desk_for(book)
    done = 0
    for p in range(len(first)):
        if _pair(ground, book, rates, desk, first[p], second[p], directions, chance):
            done += 1
    return done


@njit(cache=True, nogil=True)
def pass_on(
    ground: Ground, book: Book, rates: Rates, givers: Ints, takers: Ints, amounts: Floats, directions: int,
    chance: State,
) -> int:  # fmt: skip
    """Divides pairs anew so that about `amounts` of the first weight pass from giver to taker, in the given order.

    For one cut the loads wanted after it stand in for the targets. Returns how many pairs were cut anew.
    """
    desk = desk_for(book)
    done = 0
    for i in range(len(givers)):
        a, b = givers[i], takers[i]
        fair_a, fair_b = book.target[a, 0], book.target[b, 0]
        book.target[a, 0] = max(book.load[a, 0] - amounts[i], GAIN * fair_a)
        book.target[b, 0] = book.load[b, 0] + amounts[i]
        _reprice(ground, book, rates, a, b)
        if _pair(ground, book, rates, desk, a, b, directions, chance):
            done += 1
        book.target[a, 0], book.target[b, 0] = fair_a, fair_b
    price(ground, book, rates)
    return done


@njit(cache=True, nogil=True)
def _reprice(ground: Ground, book: Book, rates: Rates, a: int, b: int) -> None:
    for g in (a, b):
        book.energy[g] = energy(ground, book, rates, g, 0, 0, book.perimeter[g])


@njit(cache=True, nogil=True)
def desk_for(book: Book) -> Desk:
    """Scratch space with the units of every grid listed."""
    n, k = len(book.label), len(book.units)
    desk = Desk(
        np.full(k, -1, np.int64), np.full(n, -1, np.int64), np.full(n, -1, np.int64),
        np.empty(MOST_UNITS, np.int64), np.empty(MOST_UNITS, np.int64), np.empty(MOST_UNITS, np.int8),
        np.empty(MOST_UNITS, np.int8), np.empty(MOST_UNITS, np.int8),
        np.zeros((max(book.shared.shape[1], 1), 2), np.int64),
    )  # fmt: skip
    for u in range(n):
        if book.label[u] >= 0:
            desk.next[u] = desk.head[book.label[u]]
            desk.head[book.label[u]] = u
    return desk


@njit(cache=True, nogil=True)
def _pair(
    ground: Ground, book: Book, rates: Rates, desk: Desk, a: int, b: int, directions: int, chance: State
) -> bool:
    m = book.units[a] + book.units[b]
    if m > MOST_UNITS or m < 3 or book.closed[a] or book.closed[b]:
        return False
    held = lay_out(book, desk, a, b)
    found = False
    if not held:
        outline = book.perimeter[a] + book.perimeter[b] - 2 * between(ground, book, desk, a, b)
        best = book.energy[a] + book.energy[b] - GAIN
        if rates.crossing > 0 and book.shared.shape[0] > 0:
            for i in range(m):
                desk.side[i] = 1 if book.label[desk.units[i]] == a else 0
            best += rates.crossing * areas_touched(ground, desk, m)
        equal = _equal(book.target[a], book.target[b])
        angle = share(chance) * math.pi
        for turn in range(directions):
            theta = angle + 2 * math.pi * turn / directions
            cost = _sweep(ground, book, rates, desk, a, b, m, outline, math.cos(theta), math.sin(theta), best)
            if cost < best and (equal or 2 * _overlap(book, desk, desk.side, a, m) >= m):
                best, found = cost, True
                for i in range(m):
                    desk.best[i] = desk.side[i]
    for i in range(m):
        desk.place[desk.units[i]] = -1
    if found:
        deal(ground, book, rates, desk, a, b, m)
    return found


@njit(cache=True, nogil=True)
def lay_out(book: Book, desk: Desk, a: int, b: int) -> bool:
    """Puts the pair's units on the desk; whether one of them is held."""
    i = 0
    held = False
    for g in (a, b):
        u = desk.head[g]
        while u >= 0:
            desk.units[i] = u
            desk.place[u] = i
            held = held or book.held[u]
            i += 1
            u = desk.next[u]
    return held


@njit(cache=True, nogil=True)
def between(ground: Ground, book: Book, desk: Desk, a: int, b: int) -> float:
    """The border between the two grids, m."""
    total = 0.0
    for i in range(book.units[a]):
        u = desk.units[i]
        for e in range(ground.indptr[u], ground.indptr[u + 1]):
            if book.label[ground.indices[e]] == b:
                total += ground.length[e]
    return total


@njit(cache=True, nogil=True)
def load_energy(book: Book, rates: Rates, g: int, load: Floats) -> float:
    """What grid g costs by a load."""
    total = 0.0
    for j in range(len(load)):
        d = load[j] / book.target[g, j] - 1.0
        h = abs(d) - rates.band
        total += rates.pull * d * d
        if h > 0:
            total += rates.hinge * h * (h + rates.corner)
    return total


@njit(cache=True, nogil=True)
def shape_energy(rates: Rates, size: float, rim: float) -> float:
    """What a grid costs by its area and outline."""
    return rates.shape * rim / (ROUND * math.sqrt(size)) + rates.border * rim


@njit(cache=True, nogil=True)
def _sweep(
    ground: Ground, book: Book, rates: Rates, desk: Desk, a: int, b: int, m: int, outline: float,
    cos: float, sin: float, best: float,
) -> float:  # fmt: skip
    """The cost of the best cut across one direction, left in `desk.side`; infinite when none beats `best`."""
    key = np.empty(m)
    for i in range(m):
        key[i] = ground.x[desk.units[i]] * cos + ground.y[desk.units[i]] * sin
        desk.side[i] = 0
    order = np.argsort(key)
    weights = book.load.shape[1]
    load_a, load_b = np.zeros(weights), book.load[a] + book.load[b]
    area_a, area = 0.0, book.area[a] + book.area[b]
    rim_a, rim_b = 0.0, outline
    lowest, at = best, -1
    for j in range(m - 1):
        i = order[j]
        u = desk.units[i]
        to_a, to_b = 0.0, 0.0
        for e in range(ground.indptr[u], ground.indptr[u + 1]):
            other = desk.place[ground.indices[e]]
            if other >= 0:
                if desk.side[other] == 1:
                    to_a += ground.length[e]
                else:
                    to_b += ground.length[e]
        desk.side[i] = 1
        rim_a += ground.perimeter[u] - 2 * to_a
        rim_b += 2 * to_b - ground.perimeter[u]
        area_a += ground.area[u]
        for w in range(weights):
            load_a[w] += ground.weight[u, w]
            load_b[w] -= ground.weight[u, w]
        cost = load_energy(book, rates, a, load_a) + shape_energy(rates, area_a, rim_a)
        cost += load_energy(book, rates, b, load_b) + shape_energy(rates, area - area_a, rim_b)
        if cost < lowest:
            lowest, at = cost, j
    if at < 0:
        return np.inf
    for j in range(m):
        desk.side[order[j]] = 1 if j <= at else 0
    if not (_whole(ground, desk, m, 1) and _whole(ground, desk, m, 0)):
        return np.inf
    if rates.crossing > 0 and book.shared.shape[0] > 0:
        lowest += rates.crossing * areas_touched(ground, desk, m)
    return lowest


@njit(cache=True, nogil=True)
def _whole(ground: Ground, desk: Desk, m: int, which: int) -> bool:
    """Whether one side is in one piece."""
    total, first = 0, -1
    for i in range(m):
        desk.seen[i] = 0
        if desk.side[i] == which:
            total += 1
            first = i
    desk.seen[first] = 1
    desk.queue[0] = first
    head, tail = 0, 1
    while head < tail:
        u = desk.units[desk.queue[head]]
        head += 1
        for e in range(ground.indptr[u], ground.indptr[u + 1]):
            other = desk.place[ground.indices[e]]
            if ground.open_[e] and other >= 0 and desk.side[other] == which and desk.seen[other] == 0:
                desk.seen[other] = 1
                desk.queue[tail] = other
                tail += 1
    return tail == total


@njit(cache=True, nogil=True)
def areas_touched(ground: Ground, desk: Desk, m: int) -> int:
    """How many areas the two sides touch together."""
    found = 0
    for i in range(m):
        c = ground.community[desk.units[i]]
        if c >= 0 and desk.touched[c, desk.side[i]] == 0:
            desk.touched[c, desk.side[i]] = 1
            found += 1
    for i in range(m):
        c = ground.community[desk.units[i]]
        if c >= 0:
            desk.touched[c, desk.side[i]] = 0
    return found


@njit(cache=True, nogil=True)
def _overlap(book: Book, desk: Desk, side: Bytes, a: int, m: int) -> int:
    """How many units stay where they are when side 1 of the cut is called a."""
    found = 0
    for i in range(m):
        if (side[i] == 1) == (book.label[desk.units[i]] == a):
            found += 1
    return found


@njit(cache=True, nogil=True)
def _equal(one: Floats, other: Floats) -> bool:
    return bool((one == other).all())


@njit(cache=True, nogil=True)
def deal(ground: Ground, book: Book, rates: Rates, desk: Desk, a: int, b: int, m: int) -> None:
    """Writes the best cut into the book.

    Grids of equal targets keep the label of the side that is more theirs, so that neighbours stay neighbours.
    """
    if 2 * _overlap(book, desk, desk.best, a, m) < m and _equal(book.target[a], book.target[b]):
        a, b = b, a
    for g in (a, b):
        desk.head[g] = -1
        book.load[g, :] = 0
        book.area[g], book.perimeter[g], book.units[g] = 0, 0, 0
        if book.shared.shape[0] > 0:
            book.shared[g, :] = 0
    for i in range(m):
        u = desk.units[i]
        g = a if desk.best[i] == 1 else b
        book.label[u] = g
        desk.next[u] = desk.head[g]
        desk.head[g] = u
        book.load[g] += ground.weight[u]
        book.area[g] += ground.area[u]
        book.units[g] += 1
        if book.shared.shape[0] > 0 and ground.community[u] >= 0:
            book.shared[g, ground.community[u]] += 1
    for i in range(m):
        u = desk.units[i]
        g = book.label[u]
        book.perimeter[g] += ground.perimeter[u]
        for e in range(ground.indptr[u], ground.indptr[u + 1]):
            if book.label[ground.indices[e]] == g:
                book.perimeter[g] -= ground.length[e]
    _reprice(ground, book, rates, a, b)


def warm() -> None:
    """Compiles every kernel once (they stay cached on disk), so that nobody waits for it later."""
    ground, book = strip()
    recut(ground, book, Rates(0.1), np.array([0]), np.array([1]), 4, start(1))
    pass_on(ground, book, Rates(0.1), np.array([0]), np.array([1]), np.array([0.1]), 4, start(1))

"""Low-temperature single-unit moves (simulated annealing; Kirkpatrick, Gelatt, Vecchi 1983), contiguous throughout.

Temperatures stay low: the seeds are good already, and heat costs compactness that cooling does not bring back.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from grids.kernels.chance import State, below, share, start
from grids.kernels.contiguity import stays_whole
from grids.kernels.energy import Book, Bools, Ground, Ints, Rates, energy, price, strip

WINDOW = 2_048  # units of the pool tried at a time, so that what is looked at stays near the processor


class Paper(NamedTuple):
    """Scratch space for asking whether a grid stays in one piece."""

    seen: Ints
    queue: Ints
    stamp: Ints  # one number: the last one used
    beside: Ints  # grids beside a unit, once for every border


@njit(cache=True, nogil=True)
def paper(n: int) -> Paper:
    """Scratch space for n units."""
    return Paper(
        np.full(n, -1, np.int64), np.empty(n, np.int64), np.zeros(1, np.int64), np.empty(64, np.int64)
    )


@njit(cache=True, nogil=True)
def anneal(
    ground: Ground, book: Book, rates: Rates, pool: Ints, steps: int, hot: float, cold: float, chance: State
) -> int:
    """`steps` tries to give a random unit of `pool` to a grid beside it, cooling from `hot` to `cold`.

    A better plan is always taken, a worse one with probability exp(−Δ/temperature); never one that breaks a grid,
    empties it, or touches what is held or closed. Works in place on `book`; returns the units moved.
    """
    price(ground, book, rates)
    sheet = paper(len(book.label))
    return cool(ground, book, rates, pool, book.closed, steps, hot, cold, sheet, chance)


@njit(cache=True, nogil=True)
def cool(
    ground: Ground, book: Book, rates: Rates, pool: Ints, shut: Bools, steps: int, hot: float, cold: float,
    sheet: Paper, chance: State,
) -> int:  # fmt: skip
    """The same on a book that is priced already, neither out of nor into grids that are `shut`.

    The pool is gone through window by window, each as often as the others; it is quickest when units that are near
    each other on the ground are near each other in the pool.
    """
    label = book.label
    moved = 0
    crossing = rates.crossing > 0 and book.shared.shape[0] > 0
    moving = rates.moved > 0 or rates.moved_m2 > 0
    cooling = math.log(cold / hot) / max(steps, 1)
    temperature, begin = hot, 0
    wide = -(-len(pool) // (-(-len(pool) // WINDOW)))  # windows as equal as can be
    for step in range(steps):
        if step % WINDOW == 0:
            temperature = hot * math.exp(cooling * step)
            begin = 0 if begin + wide >= len(pool) else begin + wide
        u = pool[begin + below(chance, min(wide, len(pool) - begin))]
        a = label[u]
        b = _neighbour(ground, label, u, sheet.beside, chance)
        if b < 0 or book.units[a] <= 1 or book.held[u] or shut[a] or shut[b]:
            continue
        to_a, to_b = 0.0, 0.0
        for e in range(ground.indptr[u], ground.indptr[u + 1]):
            g = label[ground.indices[e]]
            if g == a:
                to_a += ground.length[e]
            elif g == b:
                to_b += ground.length[e]
        rim_a = book.perimeter[a] - ground.perimeter[u] + 2 * to_a
        rim_b = book.perimeter[b] + ground.perimeter[u] - 2 * to_b
        cost_a = energy(ground, book, rates, a, u, -1, rim_a)
        cost_b = energy(ground, book, rates, b, u, 1, rim_b)
        change = cost_a + cost_b - book.energy[a] - book.energy[b]
        if crossing:
            change += rates.crossing * _crossed(ground, book, u, a, b)
        if moving:
            change += _taken(ground, book, rates, u, a, b)
        if change > 0 and share(chance) >= math.exp(-change / temperature):
            continue
        sheet.stamp[0] += 2
        if not stays_whole(ground, label, u, sheet.seen, sheet.queue, sheet.stamp[0]):
            continue
        _move(ground, book, u, a, b, rim_a, rim_b)
        book.energy[a], book.energy[b] = cost_a, cost_b
        moved += 1
    return moved


@njit(nogil=True, inline="always")
def _neighbour(ground: Ground, label: Ints, u: int, beside: Ints, chance: State) -> int:
    """The grid across a random open border of u that leads out of its grid; −1 when there is none."""
    out = 0
    for e in range(ground.indptr[u], ground.indptr[u + 1]):
        g = label[ground.indices[e]]
        if ground.open_[e] and g != label[u] and out < len(beside):
            beside[out] = g
            out += 1
    return beside[below(chance, out)] if out > 0 else -1


@njit(cache=True, nogil=True)
def _crossed(ground: Ground, book: Book, u: int, a: int, b: int) -> float:
    """By how much a + b touch more areas once u went from a to b."""
    c = ground.community[u]
    if c < 0:
        return 0.0
    change = 0.0
    if book.shared[a, c] == 1:
        change -= 1.0
    if book.shared[b, c] == 0:
        change += 1.0
    return change


@njit(cache=True, nogil=True)
def _taken(ground: Ground, book: Book, rates: Rates, u: int, a: int, b: int) -> float:
    """What it costs that u goes from a to b: its workload changes hands, or comes back where it was."""
    if book.origin[u] != a and book.origin[u] != b:
        return 0.0
    worth = rates.moved * ground.weight[u, 0] / book.target[a, 0] + rates.moved_m2 * ground.area[u]
    return worth if book.origin[u] == a else -worth  # type: ignore[no-any-return]


@njit(cache=True, nogil=True)
def _move(ground: Ground, book: Book, u: int, a: int, b: int, rim_a: float, rim_b: float) -> None:
    for j in range(book.load.shape[1]):
        book.load[a, j] -= ground.weight[u, j]
        book.load[b, j] += ground.weight[u, j]
    book.area[a] -= ground.area[u]
    book.area[b] += ground.area[u]
    book.perimeter[a], book.perimeter[b] = rim_a, rim_b
    book.units[a] -= 1
    book.units[b] += 1
    if book.shared.shape[0] > 0 and ground.community[u] >= 0:
        book.shared[a, ground.community[u]] -= 1
        book.shared[b, ground.community[u]] += 1
    book.label[u] = b


def warm() -> None:
    """Compiles every kernel once (they stay cached on disk), so that nobody waits for it later."""
    ground, book = strip()
    anneal(ground, book, Rates(0.1), np.arange(4), 8, 0.1, 0.01, start(1))

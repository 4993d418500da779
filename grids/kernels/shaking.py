"""Grids outside the tolerance shaken up with their surroundings, each by itself, so that a try costs what they hold."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from grids.kernels.chance import State, start
from grids.kernels.energy import Book, Bools, Floats, Ground, Ints, Rates, price, strip
from grids.kernels.moves import cool, paper

MOST_GRIDS = 64  # in one surrounding: further ones change nothing for the grid in the middle


class Yard(NamedTuple):
    """The grids round one that is outside, their units, and everything as it was before the try."""

    head: Ints  # a unit of every grid
    next: Ints  # the next unit of the same grid
    shut: Bools  # every grid but those being shaken
    grids: Ints
    units: Ints
    label: Ints
    sums: Floats  # of each grid: area, perimeter, energy, then loads
    sizes: Ints  # and units of each


@njit(cache=True, nogil=True)
def off(ground: Ground, book: Book, yard: Yard, fair: Floats, g: int) -> float:
    """How far grid g is from its fair load; one with a unit heavier than that is forgiven it."""
    heaviest = 0.0
    u = yard.head[g]
    while u >= 0:
        heaviest = max(heaviest, ground.weight[u, 0])
        u = yard.next[u]
    if heaviest > fair[g]:
        return (book.load[g, 0] - heaviest) / fair[g]  # type: ignore[no-any-return]
    return abs(book.load[g, 0] / fair[g] - 1)  # type: ignore[no-any-return]


@njit(cache=True, nogil=True)
def shake(
    ground: Ground, book: Book, rates: Rates, bad: Ints, fair: Floats, allowed: float, rings: int, sweeps: int,
    hot: float, cold: float, chance: State,
) -> int:  # fmt: skip
    """Each grid of `bad` still further than `allowed` from its fair load is annealed with those up to `rings` away.

    A try is kept unless more of these grids' load lies outside than before. Works in place on `book`; returns how
    many of `bad` are inside now.
    """
    price(ground, book, rates)
    n, k = len(book.label), len(book.units)
    yard = Yard(
        np.full(k, -1, np.int64), np.full(n, -1, np.int64), np.ones(k, np.bool_), np.empty(MOST_GRIDS, np.int64),
        np.empty(n, np.int64), np.empty(n, np.int64), np.empty((MOST_GRIDS, 3 + book.load.shape[1])),
        np.empty(MOST_GRIDS, np.int64),
    )  # fmt: skip
    for u in range(n):
        if book.label[u] >= 0:
            _list(yard, u, book.label[u])
    sheet = paper(n)
    healed = 0
    for g in bad:
        if off(ground, book, yard, fair, g) > allowed:
            near, units = _surround(ground, book, yard, g, rings)
            before = _outside(ground, book, yard, fair, allowed, near)
            _save(book, yard, near, units)
            cool(ground, book, rates, yard.units[:units], yard.shut, sweeps * units, hot, cold, sheet, chance)
            _relist(book, yard, near, units)
            if _outside(ground, book, yard, fair, allowed, near) > before + 1e-12:
                _restore(ground, book, yard, near, units)
                _relist(book, yard, near, units)
            for i in range(near):
                yard.shut[yard.grids[i]] = True
        if off(ground, book, yard, fair, g) <= allowed:
            healed += 1
    return healed


@njit(cache=True, nogil=True)
def _list(yard: Yard, u: int, g: int) -> None:
    yard.next[u] = yard.head[g]
    yard.head[g] = u


@njit(cache=True, nogil=True)
def _relist(book: Book, yard: Yard, near: int, units: int) -> None:
    for i in range(near):
        yard.head[yard.grids[i]] = -1
    for i in range(units):
        _list(yard, yard.units[i], book.label[yard.units[i]])


@njit(cache=True, nogil=True)
def _surround(ground: Ground, book: Book, yard: Yard, g: int, rings: int) -> tuple[int, int]:
    """Lists grid g and those up to `rings` open borders away, opens them, and lists their units."""
    yard.grids[0] = g
    yard.shut[g] = False
    near, done = 1, 0
    for _ in range(rings):
        ring = near
        for i in range(done, ring):
            u = yard.head[yard.grids[i]]
            while u >= 0:
                for e in range(ground.indptr[u], ground.indptr[u + 1]):
                    other = book.label[ground.indices[e]]
                    if not ground.open_[e] or other < 0 or near == MOST_GRIDS:
                        continue
                    if yard.shut[other] and not book.closed[other]:
                        yard.shut[other] = False
                        yard.grids[near] = other
                        near += 1
                u = yard.next[u]
        done = ring
    units = 0
    for i in range(near):
        u = yard.head[yard.grids[i]]
        while u >= 0:
            yard.units[units] = u
            units += 1
            u = yard.next[u]
    return near, units


@njit(cache=True, nogil=True)
def _outside(ground: Ground, book: Book, yard: Yard, fair: Floats, allowed: float, near: int) -> float:
    """By how much the grids being shaken are further than allowed, together."""
    total = 0.0
    for i in range(near):
        total += max(off(ground, book, yard, fair, yard.grids[i]) - allowed, 0.0)
    return total


@njit(cache=True, nogil=True)
def _save(book: Book, yard: Yard, near: int, units: int) -> None:
    for i in range(units):
        yard.label[i] = book.label[yard.units[i]]
    for i in range(near):
        g = yard.grids[i]
        yard.sums[i, 0], yard.sums[i, 1], yard.sums[i, 2] = book.area[g], book.perimeter[g], book.energy[g]
        yard.sums[i, 3:] = book.load[g]
        yard.sizes[i] = book.units[g]


@njit(cache=True, nogil=True)
def _restore(ground: Ground, book: Book, yard: Yard, near: int, units: int) -> None:
    crossing = book.shared.shape[0] > 0
    for i in range(units):
        u = yard.units[i]
        if crossing and ground.community[u] >= 0:
            book.shared[book.label[u], ground.community[u]] -= 1
            book.shared[yard.label[i], ground.community[u]] += 1
        book.label[u] = yard.label[i]
    for i in range(near):
        g = yard.grids[i]
        book.area[g], book.perimeter[g], book.energy[g] = yard.sums[i, 0], yard.sums[i, 1], yard.sums[i, 2]
        book.load[g] = yard.sums[i, 3:]
        book.units[g] = yard.sizes[i]


def warm() -> None:
    """Compiles every kernel once (they stay cached on disk), so that nobody waits for it later."""
    ground, book = strip()
    shake(ground, book, Rates(0.1), np.array([0]), book.target[:, 0], 0.1, 1, 2, 0.1, 0.01, start(1))

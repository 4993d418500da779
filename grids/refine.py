"""A plan made better step by step: re-cuts of pairs, moves of single units, repair round the worst grids.

`Refiner` holds the exact books of one plan; every way of searching (propose, rebalance, fix) drives the same kernels
with other rates.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grids.kernels import branches, chance, moves, recut
from grids.kernels.energy import Book, Ground, Rates
from grids.units import Floats, Ints

Bools = NDArray[np.bool_]

RETRY_SWEEPS = 40
RETRY_COLD = 0.004
RETRY_TREES = 20


class Refiner:
    """The books of a plan on a ground, and chance; labels change in place and stay contiguous."""

    def __init__(self, ground: Ground, book: Book, seed: int) -> None:
        self.ground, self.book = ground, book
        self._chance = chance.start(seed)
        self._rows = np.repeat(np.arange(len(book.label)), np.diff(ground.indptr))
        self._movable = np.flatnonzero(~book.held)

    @property
    def k(self) -> int:
        """How many grids."""
        return len(self.book.units)

    def recut(self, rates: Rates, *, directions: int = 8, only: Bools | None = None) -> int:
        """Every pair of neighbouring grids (with one of `only`) divided by a line where that is better; how many."""
        first, second = self._pairs(only)
        return int(recut.recut(self.ground, self.book, rates, first, second, directions, self._chance))

    def branch_out(self, rates: Rates, *, trees: int = 8, only: Bools | None = None) -> int:
        """The same with branches of random trees, which fit loads more closely than lines."""
        first, second = self._pairs(only)
        return int(branches.branch_out(self.ground, self.book, rates, first, second, trees, self._chance))

    def _pairs(self, only: Bools | None) -> tuple[Ints, Ints]:
        """Neighbouring grids in a random order."""
        a, b = self.book.label[self._rows], self.book.label[self.ground.indices]
        both = self.ground.open_ & (a < b) & (a >= 0)
        pair = np.unique(a[both] * self.k + b[both])
        first, second = pair // self.k, pair % self.k
        if only is not None:
            wanted = only[first] | only[second]
            first, second = first[wanted], second[wanted]
        order = np.arange(len(first))
        chance.shuffle(self._chance, order)
        return first[order], second[order]

    def anneal(
        self, rates: Rates, sweeps: float, hot: float, cold: float, *, only: Bools | None = None
    ) -> int:
        """`sweeps` tries per unit (of the grids in `only`), cooling; returns the units moved."""
        pool = self._movable if only is None else self._movable[only[self.book.label[self._movable]]]
        if len(pool) == 0 or self.k < 2:
            return 0
        steps = int(sweeps * len(pool))
        return int(moves.anneal(self.ground, self.book, rates, pool, steps, hot, cold, self._chance))

    def excess(self, fair: Floats) -> Floats:
        """How far each grid's load is from its fair load, a grid with one unit heavier than that being forgiven it."""
        load, heaviest = self.book.load[:, 0], np.zeros(self.k)
        held = self.book.label >= 0
        np.maximum.at(heaviest, self.book.label[held], self.ground.weight[held, 0])
        return np.where(heaviest > fair, (load - heaviest) / fair, np.abs(load / fair - 1))

    def retry(
        self, inside: Bools, pairs: tuple[Ints, Ints], rates: Rates, hot: float, fair: Floats, allowed: float
    ) -> bool:
        """Shakes up some grids by themselves; kept only when less lies outside `allowed` of the fair loads than before.

        All other grids are closed meanwhile, so that an attempt costs what these grids cost and can be taken back.
        `pairs`: neighbouring grids, from `neighbours`.
        """
        book, which = self.book, np.flatnonzero(inside)
        pool = np.flatnonzero(inside[book.label] & (book.label >= 0))
        saved = (book.label[pool], *(a[which].copy() for a in self._sums()))
        before = self._outside(fair, allowed, which, pool)
        closed = book.closed.copy()
        book.closed[~inside] = True
        within = inside[pairs[0]] & inside[pairs[1]] & (pairs[0] < pairs[1])
        first, second = pairs[0][within], pairs[1][within]
        branches.branch_out(self.ground, book, rates, first, second, RETRY_TREES, self._chance)
        self.anneal(rates, RETRY_SWEEPS, hot, RETRY_COLD, only=inside)
        branches.branch_out(self.ground, book, rates, first, second, RETRY_TREES, self._chance)
        book.closed[:] = closed
        if self._outside(fair, allowed, which, pool) < before - 1e-12:
            return True
        book.label[pool] = saved[0]
        for array, old in zip(self._sums(), saved[1:], strict=True):
            array[which] = old
        return False

    def neighbours(self) -> tuple[Ints, Ints]:
        """Pairs of grids that border on each other where people can walk, both ways."""
        first, second = self._pairs(None)
        return np.concatenate([first, second]), np.concatenate([second, first])

    def _sums(self) -> tuple[NDArray[np.generic], ...]:
        book = self.book
        found = (book.load, book.area, book.perimeter, book.units, book.energy)
        return (*found, book.shared) if len(book.shared) else found

    def _outside(self, fair: Floats, allowed: float, which: Ints, pool: Ints) -> float:
        """By how much these grids together are outside what is allowed."""
        heaviest = np.zeros(self.k)
        np.maximum.at(heaviest, self.book.label[pool], self.ground.weight[pool, 0])
        load, heavy, mean = self.book.load[which, 0], heaviest[which], fair[which]
        off = np.where(heavy > mean, (load - heavy) / mean, np.abs(load / mean - 1))
        return float(np.maximum(off - allowed, 0).sum())

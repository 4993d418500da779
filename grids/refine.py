"""A plan made better step by step: re-cuts of pairs, moves of single units, repair round the worst grids.

`Refiner` holds the exact books of one plan; every way of searching (propose, rebalance, fix) drives the same kernels
with other rates.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grids.kernels import branches, chance, energy, moves, recut
from grids.kernels.energy import Book, Ground, Rates
from grids.units import Floats, Ints

Bools = NDArray[np.bool_]


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

    def near(self, grids: Bools, rings: int) -> Bools:
        """These grids and those up to `rings` borders away."""
        found = grids.copy()
        a, b = self.book.label[self._rows], self.book.label[self.ground.indices]
        across = self.ground.open_ & (a != b) & (a >= 0) & (b >= 0)
        for _ in range(rings):
            found[b[across & found[a]]] = True
        return found

    def energy(self, rates: Rates) -> float:
        """The whole plan's energy under some rates, without what changed hands."""
        energy.price(self.ground, self.book, rates)
        crossing = rates.crossing * float((self.book.shared > 0).sum()) if rates.crossing else 0.0
        return float(self.book.energy[self.book.units > 0].sum()) + crossing

    def excess(self, fair: Floats) -> Floats:
        """How far each grid's load is from its fair load, a grid with one unit heavier than that being forgiven it."""
        load, heaviest = self.book.load[:, 0], np.zeros(self.k)
        held = self.book.label >= 0
        np.maximum.at(heaviest, self.book.label[held], self.ground.weight[held, 0])
        return np.where(heaviest > fair, (load - heaviest) / fair, np.abs(load / fair - 1))

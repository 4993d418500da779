"""A plan made better step by step: re-cuts of pairs, moves of single units, repair round the worst grids.

`Refiner` holds the exact books of one plan; every way of searching (propose, rebalance, fix) drives the same kernels
with other rates.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grids import flows
from grids.kernels import branches, chance, moves, recut, shaking
from grids.kernels.energy import Book, Ground, Rates, tally
from grids.units import Floats, Ints

Bools = NDArray[np.bool_]

LEVEL_LINES = 16  # directions tried where load flows


class Refiner:
    """The books of a plan on a ground, and chance; labels change in place and stay contiguous."""

    def __init__(self, ground: Ground, book: Book, seed: int) -> None:
        self.ground, self.book = ground, book
        self._chance = chance.start(seed)
        self._rows = np.repeat(np.arange(len(book.label)), np.diff(ground.indptr))
        movable = np.flatnonzero(~book.held & (book.label >= 0))
        self._movable = movable[np.argsort(_along(ground.x[movable], ground.y[movable]), kind="stable")]

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

    def level(self, rates: Rates, fair: Floats, aim: float) -> float:
        """Load carried along the least flow that brings every grid within `aim` of its fair load; how much flowed."""
        pairs = np.stack(self.neighbours(), axis=1)
        band = flows.band(fair, self.ground.weight[:, 0], self.book.label, aim)
        flow = flows.least(self.book.load[:, 0], band, pairs)
        recut.pass_on(
            self.ground, self.book, rates, flow.givers, flow.takers, flow.amounts, LEVEL_LINES, self._chance
        )
        return flow.total

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

    def shake(
        self, rates: Rates, fair: Floats, allowed: float, far: int, hot: float, cold: float, sweeps: int,
        *, only: Bools | None = None,
    ) -> int:  # fmt: skip
        """Grids more than `allowed` off their fair loads tried anew with all up to `far` borders away; how many came in.

        Each by itself, worst first, `sweeps` tries per unit, cooling from `hot` to `cold`; a try that leaves more
        load outside is taken back.
        """
        off = self.excess(fair)
        outside = (off > allowed) & ~self.book.closed
        bad = np.flatnonzero(outside if only is None else outside & only)
        bad = bad[np.argsort(-off[bad], kind="stable")]
        return int(
            shaking.shake(
                self.ground, self.book, rates, bad, fair, allowed, far, sweeps, hot, cold, self._chance
            )
        )

    def take(self, label: Ints) -> None:
        """Takes these labels instead."""
        self.book.label[:] = label
        tally(self.ground, self.book, Rates(0.0))

    def neighbours(self) -> tuple[Ints, Ints]:
        """Pairs of grids that border on each other where people can walk, both ways."""
        first, second = self._pairs(None)
        return np.concatenate([first, second]), np.concatenate([second, first])


def rings(grids: Bools, far: int, pairs: tuple[Ints, Ints]) -> Bools:
    """These grids and those up to `far` borders away."""
    inside = grids.copy()
    for _ in range(far):
        inside[pairs[1][inside[pairs[0]]]] = True
    return inside


def _along(x: Floats, y: Floats) -> Ints:
    """Numbers of places along a Z-order curve (Morton 1966): near numbers are near places."""
    found = np.zeros(len(x), np.int64)
    for axis, values in enumerate((x, y)):
        low, wide = values.min(initial=np.inf), max(float(np.ptp(values)) if len(values) else 0.0, 1e-9)
        cell = np.minimum((values - low) / wide * 1024, 1023).astype(np.int64)
        for bit in range(10):
            found |= ((cell >> bit) & 1) << (2 * bit + axis)
    return found

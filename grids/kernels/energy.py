"""One energy for every mode: what a grid costs by its load, its shape, the areas it touches and what it took over.

Σ_w pull·d² + hinge·h·(h + ε)     d: deviation of the load from its target, h: how far |d| is beyond the band
+ shape · P / (2√(πA))            1 for a circle; its square is one over Polsby–Popper
+ border · P                      outline, so that few borders are cut
+ crossing · areas touched        soft nesting
+ moved · workload taken over     rebalancing: what changes hands costs
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from grids.kernels import chance

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

ROUND = 2.0 * math.sqrt(math.pi)


class Ground(NamedTuple):
    """What does not change while searching: n units and their borders as CSR; `open_` borders connect."""

    indptr: Ints
    indices: Ints
    length: Floats  # of each border, m
    open_: Bools
    x: Floats
    y: Floats
    area: Floats  # m²
    perimeter: Floats  # m
    weight: Floats  # n × weights: the first is what is shared out, further ones are kept even beside it
    community: Ints  # −1: none


class Book(NamedTuple):
    """What changes: the label of each unit and the exact sums of each of the k grids."""

    label: Ints
    load: Floats  # k × weights
    area: Floats
    perimeter: Floats
    units: Ints  # how many
    shared: NDArray[np.int32]  # k × communities: units of each; no row when crossing costs nothing
    energy: Floats  # of each grid under the rates last used, without crossing and moved
    target: Floats  # k × weights
    closed: Bools  # grids that neither take nor give
    held: Bools  # units that stay where they are
    origin: Ints  # where each unit came from, for `moved`


class Rates(NamedTuple):
    """What things cost."""

    band: float  # deviation that is free of the hinge, a share of the target
    pull: float = 0.5
    hinge: float = 400.0
    corner: float = 0.006  # ε: the slope with which the hinge begins, so that being a little outside is felt
    shape: float = 3.0
    border: float = 0.0  # per m
    crossing: float = 0.0
    moved: float = 0.0  # per target's worth that changes hands
    moved_m2: float = 0.0  # per m² that does


@njit(nogil=True, inline="always")
def energy(ground: Ground, book: Book, rates: Rates, g: int, u: int, sign: int, rim: float) -> float:
    """Of grid g with unit u added (sign 1), taken out (−1) or nothing done (0), its outline then being `rim` m."""
    total = 0.0
    for j in range(book.load.shape[1]):
        d = (book.load[g, j] + sign * ground.weight[u, j]) / book.target[g, j] - 1.0
        h = abs(d) - rates.band
        total += rates.pull * d * d
        if h > 0:
            total += rates.hinge * h * (h + rates.corner)
    size = book.area[g] + sign * ground.area[u]
    return total + rates.shape * rim / (ROUND * math.sqrt(size)) + rates.border * rim


@njit(cache=True, nogil=True)
def tally(ground: Ground, book: Book, rates: Rates) -> None:
    """Writes the sums of every grid anew from the labels (−1 counts nowhere) and their energies under `rates`."""
    book.load[:] = 0
    book.area[:] = 0
    book.perimeter[:] = 0
    book.units[:] = 0
    book.shared[:] = 0
    for u in range(len(book.label)):
        g = book.label[u]
        if g < 0:
            continue
        for j in range(book.load.shape[1]):
            book.load[g, j] += ground.weight[u, j]
        book.area[g] += ground.area[u]
        book.perimeter[g] += ground.perimeter[u]
        book.units[g] += 1
        if book.shared.shape[0] > 0 and ground.community[u] >= 0:
            book.shared[g, ground.community[u]] += 1
        for e in range(ground.indptr[u], ground.indptr[u + 1]):
            if book.label[ground.indices[e]] == g:
                book.perimeter[g] -= ground.length[e]
    price(ground, book, rates)


@njit(cache=True, nogil=True)
def price(ground: Ground, book: Book, rates: Rates) -> None:
    """The energy of every grid anew, after the rates changed."""
    for g in range(len(book.units)):
        if book.units[g] > 0:
            book.energy[g] = energy(ground, book, rates, g, 0, 0, book.perimeter[g])


def open_book(
    ground: Ground, label: Ints, target: Floats, *, closed: Bools | None = None, held: Bools | None = None,
    origin: Ints | None = None, crossing: bool = False, rates: Rates | None = None,
) -> Book:  # fmt: skip
    """A Book of these labels (kept and changed in place); `crossing`: communities per grid are counted."""
    n, k = len(label), len(target)
    areas = int(ground.community.max(initial=-1)) + 1
    book = Book(
        label, np.zeros(target.shape), np.zeros(k), np.zeros(k), np.zeros(k, np.int64),
        np.zeros((k, areas) if crossing and areas else (0, 1), np.int32), np.zeros(k), target,
        np.zeros(k, bool) if closed is None else closed, np.zeros(n, bool) if held is None else held,
        label.copy() if origin is None else origin,
    )  # fmt: skip
    tally(ground, book, rates or Rates(0.0))
    return book


def strip(weight: float = 1.0) -> tuple[Ground, Book]:
    """A row of four unit squares in two grids: the smallest ground, for compiling kernels and for tests."""
    indptr, indices = np.array([0, 1, 3, 5, 6]), np.array([1, 0, 2, 1, 3, 2])
    ground = Ground(
        indptr, indices, np.ones(6), np.ones(6, bool), np.arange(4.0), np.zeros(4), np.ones(4),
        np.full(4, 4.0), np.full((4, 1), weight), np.zeros(4, np.int64),
    )  # fmt: skip
    return ground, open_book(ground, np.array([0, 0, 0, 1]), np.full((2, 1), 2 * weight), crossing=True)


def warm() -> None:
    """Compiles every kernel once (they stay cached on disk), so that nobody waits for it later."""
    chance.warm()
    ground, book = strip()
    price(ground, book, Rates(0.1))

"""Compiled loops that put loads into bands by moving as little as possible: single border units at low temperature.

The ground and the state of the grids are named tuples of arrays, so that a call reads like a sentence.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from grids.kernels.settling import Bools, Floats, Ints, stays_whole


class Ground(NamedTuple):
    """The unit graph as arrays; `open_` marks borders that connect, `fixed` units that stay where they are."""

    indptr: Ints
    indices: Ints
    open_: Bools
    length: Floats
    weight: Floats
    area: Floats
    perimeter: Floats
    nest: Ints  # the nesting area of each unit
    home: Ints  # the grid each unit started in
    fixed: Bools


class Grids(NamedTuple):
    """The label of every unit and what follows from it, per grid; changed in place."""

    label: Ints
    loads: Floats
    areas: Floats
    rims: Floats
    counts: Ints
    held: NDArray[
        np.int32
    ]  # units of each nesting area in each grid; one empty row where nesting costs nothing


class Wanted(NamedTuple):
    """Bands of every grid in the weight's unit, and what things cost in shares of a target."""

    low: Floats
    high: Floats
    target: Floats
    strict: float  # leaving the band
    roundness: float  # outline against a circle's
    stay: float  # weight that is not at home
    nesting: float  # each nesting area a grid touches


@njit(cache=True)
def survey(ground: Ground, label: Ints, k: int, areas: int) -> Grids:
    """Loads, areas, outlines and counts of every grid; `areas` > 0 also counts units per nesting area."""
    loads, ground_m2, rims, counts = np.zeros(k), np.zeros(k), np.zeros(k), np.zeros(k, np.int64)
    held = np.zeros((k if areas > 0 else 1, max(areas, 1)), np.int32)
    for u in range(len(label)):
        g = label[u]
        if g < 0:
            continue
        loads[g] += ground.weight[u]
        ground_m2[g] += ground.area[u]
        rims[g] += ground.perimeter[u]
        counts[g] += 1
        if areas > 0 and ground.nest[u] >= 0:
            held[g, ground.nest[u]] += 1
        for e in range(ground.indptr[u], ground.indptr[u + 1]):
            if label[ground.indices[e]] == g:
                rims[g] -= ground.length[e]
    return Grids(label, loads, ground_m2, rims, counts, held)


@njit(cache=True)
def _off(load: float, low: float, high: float, target: float, strict: float) -> float:
    """What a load outside its band costs: steep at once, steeper further out."""
    beyond = max(load - high, low - load) / target
    return strict * beyond * (beyond + 0.01) if beyond > 0 else 0.0


@njit(cache=True)
def _rim(outline: float, area: float) -> float:
    return max(outline, 0.0) / (2.0 * math.sqrt(math.pi * max(area, 1e-9)))


@njit(cache=True)
def price(ground: Ground, grids: Grids, wanted: Wanted, mean_area: float, u: int, b: int) -> float:
    """How much the energy changes when unit u goes to grid b (negative: better)."""
    a = grids.label[u]
    to_a, to_b = 0.0, 0.0
    for e in range(ground.indptr[u], ground.indptr[u + 1]):
        g = grids.label[ground.indices[e]]
        if g == a:
            to_a += ground.length[e]
        elif g == b:
            to_b += ground.length[e]
    w, area, rim = ground.weight[u], ground.area[u], ground.perimeter[u]
    change = 0.0
    for g, sign, rim_after in (
        (a, -1.0, grids.rims[a] - rim + 2 * to_a),
        (b, 1.0, grids.rims[b] + rim - 2 * to_b),
    ):
        low, high, target = wanted.low[g], wanted.high[g], wanted.target[g]
        change += _off(grids.loads[g] + sign * w, low, high, target, wanted.strict)
        change -= _off(grids.loads[g], low, high, target, wanted.strict)
        change += wanted.roundness * (
            _rim(rim_after, grids.areas[g] + sign * area) - _rim(grids.rims[g], grids.areas[g])
        )
    away = wanted.stay * (w / wanted.target[a] + 0.004 * area / mean_area)
    if ground.home[u] == a:
        change += away
    elif ground.home[u] == b:
        change -= away
    if wanted.nesting > 0 and ground.nest[u] >= 0:
        if grids.held[a, ground.nest[u]] == 1:
            change -= wanted.nesting
        if grids.held[b, ground.nest[u]] == 0:
            change += wanted.nesting
    return change


@njit(cache=True)
def move(ground: Ground, grids: Grids, nesting: bool, u: int, b: int) -> None:
    """Gives unit u to grid b and keeps the books."""
    a = grids.label[u]
    for e in range(ground.indptr[u], ground.indptr[u + 1]):
        g = grids.label[ground.indices[e]]
        if g == a:
            grids.rims[a] += 2 * ground.length[e]
        elif g == b:
            grids.rims[b] -= 2 * ground.length[e]
    for g, sign in ((a, -1), (b, 1)):
        grids.loads[g] += sign * ground.weight[u]
        grids.areas[g] += sign * ground.area[u]
        grids.rims[g] += sign * ground.perimeter[u]
        grids.counts[g] += sign
        if nesting and ground.nest[u] >= 0:
            grids.held[g, ground.nest[u]] += sign
    grids.label[u] = b


@njit(cache=True)
def nudge(
    ground: Ground, grids: Grids, wanted: Wanted, pool: Ints, tries: int, hot: float, cold: float,
    rng: np.random.Generator,
) -> int:  # fmt: skip
    """`tries` times: a random unit of `pool` may go to a grid beside it (Metropolis et al. 1953, cooling from hot to cold).

    Grids stay in one piece and keep at least one unit; fixed units stay. Returns the moves made.
    """
    n = len(grids.label)
    seen = np.full(n, -1, np.int64)
    queue = np.empty(n, np.int64)
    beside = np.empty(64, np.int64)
    mean_area = ground.area.mean()
    stamp, moves, heat = 0, 0, hot
    for i in range(tries):
        if (i & 1023) == 0:
            heat = hot * (cold / hot) ** (i / tries)
        u = pool[int(rng.random() * len(pool))]
        a = grids.label[u]
        if ground.fixed[u] or a < 0 or grids.counts[a] <= 1:
            continue
        found = 0
        for e in range(ground.indptr[u], ground.indptr[u + 1]):
            g = grids.label[ground.indices[e]]
            if ground.open_[e] and g != a and g >= 0 and found < 64:
                beside[found] = g
                found += 1
        if found == 0:
            continue
        b = beside[int(rng.random() * found)]
        change = price(ground, grids, wanted, mean_area, u, b)
        if change > 0 and rng.random() >= math.exp(-change / heat):
            continue
        stamp += 2
        if stays_whole(u, ground.indptr, ground.indices, ground.open_, grids.label, seen, queue, stamp):
            move(ground, grids, wanted.nesting > 0, u, b)
            moves += 1
    return moves


def smallest() -> tuple[Ground, Grids, Wanted]:
    """Three units in a row in two grids: what kernels are compiled on."""
    ones = np.ones(3)
    ground = Ground(
        np.array([0, 1, 3, 4]), np.array([1, 0, 2, 1]), np.ones(4, bool), np.ones(4), ones, ones, 4 * ones,
        np.zeros(3, np.int64), np.array([0, 0, 1]), np.zeros(3, bool),
    )  # fmt: skip
    grids = survey(ground, ground.home.copy(), 2, 1)
    wanted = Wanted(np.full(2, 1.4), np.full(2, 1.6), np.full(2, 1.5), 100.0, 0.3, 1.0, 0.1)
    return ground, grids, wanted


def warm() -> None:
    """Compiles every kernel once (they stay cached on disk), so that nobody waits for it later."""
    ground, grids, wanted = smallest()
    nudge(ground, grids, wanted, np.arange(3), 4, 0.1, 0.01, np.random.default_rng(0))

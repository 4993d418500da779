"""Cutting a piece of ground into parts of wanted size, each in one piece.

A piece is halved by straight lines in several directions; where a line leaves loose ends they join the other side.
Ground so entangled that no line serves is cut at one border of a spanning tree, which always leaves two whole sides.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import breadth_first_order

from grids.excerpts import Ground, ground
from grids.kernels import settling
from grids.units import Floats, Ints, UnitGraph, within

Bools = NDArray[np.bool_]

DIRECTIONS = 12
ROUNDNESS = 0.05  # how much a round outline counts beside an even load (squared deviation)
ENOUGH = 0.02  # a line that comes this near to the wanted load needs no tree beside it
TREES = 4
PASSES = 40


def cut(graph: UnitGraph, load: Floats, share: Floats, rng: np.random.Generator) -> Ints:
    """The part (0 …) of every unit: as many parts as `share` has numbers, their loads in that proportion.

    The graph must be one piece of ground (see `excerpts.ground`) with at least as many units as parts.
    """
    label = np.zeros(graph.n, np.int64)
    waiting = [(np.arange(graph.n), 0, len(share))]
    while waiting:
        units, first, parts = waiting.pop()
        if parts == 1:
            label[units] = first
            continue
        side, left = _halve(within(graph, units), load[units], share[first : first + parts], rng)
        waiting += [(units[side], first, left), (units[~side], first + left, parts - left)]
    _settle(graph, load, share, label, rng)
    return label


def _halve(graph: UnitGraph, load: Floats, share: Floats, rng: np.random.Generator) -> tuple[Bools, int]:
    """The first side (True) and how many of the parts lie in it."""
    land = ground(graph)
    left = len(share) // 2
    wanted = float(share[:left].sum() / share.sum())
    found = [
        (_energy(graph, load, side, wanted), i, side, left)
        for i, side in enumerate(_lines(graph, land, load, wanted))
        if left <= side.sum() <= graph.n - (len(share) - left)
    ]
    best = min(found, key=lambda one: one[:2], default=None)
    if best is None or abs(load[best[2]].sum() / max(load.sum(), 1e-300) - wanted) > ENOUGH:
        for _ in range(TREES):
            side, parts = _tree_cut(land, load, share, rng)
            energy = _energy(graph, load, side, float(share[:parts].sum() / share.sum()))
            if best is None or energy < best[0]:
                best = (energy, len(found), side, parts)
    assert best is not None
    return best[2], best[3]


def _lines(graph: UnitGraph, land: Ground, load: Floats, wanted: float) -> list[Bools]:
    """One side of every line, mended so that both sides are whole."""
    found = []
    for i in range(DIRECTIONS):
        turn = 2 * math.pi * i / DIRECTIONS
        order = np.argsort(graph.x * math.cos(turn) + graph.y * math.sin(turn), kind="stable")
        sums = np.cumsum(load[order])
        near = np.abs(sums[:-1] - wanted * sums[-1])
        side = np.zeros(graph.n, bool)
        side[order[: int(np.argmin(near)) + 1]] = True
        side = _whole(land, load, side)
        found.append(~_whole(land, load, ~side))
    return found


def _whole(land: Ground, load: Floats, side: Bools) -> Bools:
    """The heaviest piece of a side; what hangs loose goes to the other."""
    piece = land.pieces(side)
    heavy = np.bincount(piece[side], weights=load[side] + 1e-9, minlength=1)
    return np.asarray(side & (piece == int(np.argmax(heavy))))


def _energy(graph: UnitGraph, load: Floats, side: Bools, wanted: float) -> float:
    """Squared deviations of both sides from what was wanted, and their outlines against circles'."""
    rows = np.repeat(np.arange(graph.n), np.diff(graph.indptr))
    inner = side[rows] == side[graph.indices]
    total, found = max(float(load.sum()), 1e-300), 0.0
    for here, share in ((side, wanted), (~side, 1 - wanted)):
        rim = graph.perimeter_m[here].sum() - graph.length_m[inner & here[rows]].sum()
        found += (load[here].sum() / total / share - 1) ** 2
        found += ROUNDNESS * rim / (2 * math.sqrt(math.pi * graph.area_m2[here].sum()))
    return float(found)


def _tree_cut(land: Ground, load: Floats, share: Floats, rng: np.random.Generator) -> tuple[Bools, int]:
    """The better side of the best border of a random spanning tree, and the number of parts that fit into it."""
    n, parts = land.n, len(share)
    shuffled = rng.permutation(n)
    joined = csr_matrix((np.ones(len(land.a), np.int8), (shuffled[land.a], shuffled[land.b])), shape=(n, n))
    order, parent = breadth_first_order(joined, int(rng.integers(n)), directed=False)
    weights, units = np.empty(n), np.ones(n, np.int64)
    weights[shuffled] = load
    for v in order[:0:-1]:
        weights[parent[v]] += weights[v]
        units[parent[v]] += units[v]
    below = order[1:]
    least = np.maximum(1, parts - (n - units[below]))
    most = np.minimum(units[below], parts - 1)
    sums = np.cumsum(share)
    fits = np.searchsorted(sums, sums[-1] * weights[below] / max(float(load.sum()), 1e-300)) + 1
    fits = np.clip(fits, least, most)
    fewer = np.clip(fits - 1, least, most)
    off = np.abs(weights[below] / max(float(load.sum()), 1e-300) - sums[fits - 1] / sums[-1])
    off_fewer = np.abs(weights[below] / max(float(load.sum()), 1e-300) - sums[fewer - 1] / sums[-1])
    fits, off = np.where(off_fewer < off, fewer, fits), np.minimum(off, off_fewer)
    at = int(np.argmin(off))
    inside = np.zeros(n, bool)
    inside[below[at]] = True
    for v in below[at + 1 :]:
        inside[v] |= inside[parent[v]]
    return inside[shuffled], int(fits[at])


def _settle(graph: UnitGraph, load: Floats, share: Floats, label: Ints, rng: np.random.Generator) -> None:
    """Border units change sides while that makes the parts more even or rounder."""
    if load.sum() <= 0:
        return
    target = load.sum() * share / share.sum()
    for _ in range(PASSES):
        moves = settling.settle(
            graph.indptr, graph.indices, graph.walkable, graph.length_m, load, graph.area_m2, graph.perimeter_m,
            label, target, rng.permutation(graph.n), ROUNDNESS,
        )  # fmt: skip
        if moves == 0:
            break

"""How much weight must pass from grid to grid before all are even: the least flow on the map of neighbours.

    min Σ f(i→j)   such that   low ≤ load − given + received ≤ high   for every grid,   f ≥ 0 between neighbours

a transhipment problem (Orden 1956), solved as a linear program by HiGHS (Huangfu and Hall 2018).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import coo_matrix, csc_matrix, hstack, identity

from grids.units import Floats, Ints, UnitGraph, connected

OUTSIDE = 1e3  # what one unit of weight outside the band costs: more than carrying it anywhere


@dataclass(frozen=True)
class Band:
    """The least and the most every grid should hold, and its fair load, in the weight's own unit.

    A grid that cannot do without one heavy unit may hold that unit: its band reaches up to it.
    """

    low: Floats
    high: Floats
    target: Floats

    def outside(self, loads: Floats) -> NDArray[np.bool_]:
        """Which grids lie outside their band."""
        slack = 1e-9 * np.maximum(self.target, 1e-300)
        return np.asarray((loads < self.low - slack) | (loads > self.high + slack))


def band(target: Floats, weight: Floats, grid: Ints, tolerance: float | Floats) -> Band:
    """The bands of a partition's grids within `tolerance` (0.1 = ten percent) of their targets."""
    target = np.maximum(target, 1e-12)
    heaviest = np.zeros(len(target))
    held = grid >= 0
    np.maximum.at(heaviest, grid[held], weight[held])
    return Band(target * (1 - tolerance), np.maximum(target * (1 + tolerance), heaviest), target)


@dataclass(frozen=True)
class Flow:
    """Weight to carry from `givers[i]` to `takers[i]`, upstream first; `price[g]` is what one unit less at g is worth."""

    givers: Ints
    takers: Ints
    amounts: Floats
    price: Floats

    @property
    def total(self) -> float:
        """All weight carried, once for every border it crosses."""
        return float(self.amounts.sum())


def neighbours(
    graph: UnitGraph, grid: Ints, open_: NDArray[np.bool_], k: int, fixed: NDArray[np.bool_]
) -> Ints:
    """Pairs (giver, taker) of grids with a unit at their open border that may move from one to the other."""
    rows = np.repeat(np.arange(graph.n), np.diff(graph.indptr))
    a, b = grid[rows], grid[graph.indices]
    keep = open_ & (a != b) & (a >= 0) & (b >= 0) & ~fixed[rows]
    pairs = np.unique(a[keep] * k + b[keep])
    return np.stack([pairs // k, pairs % k], axis=1)


def fair(target: Floats, loads: Floats, pairs: Ints, tolerance: float) -> Floats:
    """The load every grid can have on its own ground: its target, or an even share where the whole ground is too full.

    Ground that no open border leaves (a community under strict nesting, an island) keeps all of its weight; where that
    is more than `tolerance` from the targets of its grids, they share it in proportion to them.
    """
    land = connected(len(loads), pairs[:, 0], pairs[:, 1])
    there = np.bincount(land, weights=loads) / np.maximum(np.bincount(land, weights=target), 1e-300)
    ratio = np.where(np.abs(there - 1) <= tolerance, 1.0, there)[land]
    return np.asarray(np.maximum(target * ratio, 1e-12), dtype=np.float64)


def least(loads: Floats, band: Band, pairs: Ints) -> Flow:
    """The least flow that brings every load into its band, as far as neighbours allow.

    >>> import numpy as np
    >>> from grids.flows import Band
    >>> even = Band(np.full(3, 9.0), np.full(3, 11.0), np.full(3, 10.0))
    >>> flow = least(np.array([14.0, 10.0, 6.0]), even, np.array([[0, 1], [1, 2]]))
    >>> [(int(a), int(b), round(float(f), 6)) for a, b, f in zip(flow.givers, flow.takers, flow.amounts)]
    [(0, 1, 3.0), (1, 2, 3.0)]
    """
    k, scale = len(loads), float(band.target.mean())
    m = len(pairs)
    arcs = coo_matrix(
        (
            np.r_[np.ones(m), -np.ones(m)],
            (np.r_[pairs[:, 0], pairs[:, 1]], np.r_[np.arange(m), np.arange(m)]),
        ),
        (k, m),
    )
    one = identity(k, format="csc")
    balance = csc_matrix(
        hstack([arcs, one, one, -one])
    )  # given − received + load after + too much − too little
    cost = np.r_[np.ones(m), np.zeros(k), np.full(2 * k, OUTSIDE)]
    span = np.stack([np.maximum(band.low, 0), np.maximum(band.high, band.low)], axis=1) / scale
    free = np.stack([np.zeros(m + 2 * k), np.full(m + 2 * k, np.inf)], axis=1)
    found = linprog(
        cost,
        A_eq=balance,
        b_eq=loads / scale,
        bounds=np.concatenate([free[:m], span, free[m:]]),
        method="highs",
    )
    if found.x is None:  # cannot be: too much and too little take up every rest
        return Flow(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.zeros(k))
    used = np.flatnonzero(found.x[:m] > 1e-9)
    order = used[_upstream_first(k, pairs[used])]
    return Flow(pairs[order, 0], pairs[order, 1], found.x[order] * scale, np.asarray(found.eqlin.marginals))


def certain(loads: Floats, band: Band, pairs: Ints) -> float:
    """What must move whatever the method: the excess or the lack of each piece of ground, whichever is larger."""
    over = np.maximum(loads - band.high, 0)
    under = np.maximum(band.low - loads, 0)
    land = connected(len(loads), pairs[:, 0], pairs[:, 1])
    return float(np.maximum(np.bincount(land, weights=over), np.bincount(land, weights=under)).sum())


def _upstream_first(k: int, arcs: Ints) -> Ints:
    """Positions of arcs so that a grid receives before it gives (Kahn 1962); a least flow has no cycles."""
    waits = np.bincount(arcs[:, 1], minlength=k)
    order = np.argsort(arcs[:, 0], kind="stable")
    first = np.searchsorted(arcs[order, 0], np.arange(k + 1))
    ready = [g for g in range(k) if waits[g] == 0]
    found: list[int] = []
    for g in ready:
        for i in order[first[g] : first[g + 1]].tolist():
            found.append(i)
            waits[arcs[i, 1]] -= 1
            if waits[arcs[i, 1]] == 0:
                ready.append(int(arcs[i, 1]))
    left = set(range(len(arcs))) - set(found)
    return np.array([*found, *sorted(left)], np.int64)

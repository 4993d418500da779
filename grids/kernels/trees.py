"""Compiled steps of a random walk over plans: two neighbouring grids are joined and cut anew along a random tree.

ReCom (DeFord, Duchin and Solomon 2021) with uniform spanning trees (Wilson 1996): a border is drawn at random, the two
grids beside it are joined, a spanning tree of both is drawn uniformly, and one of its borders that leaves two loads
within their bands is cut, each such border being equally likely. Where a tree has none, another tree is drawn.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from grids.kernels import chance
from grids.kernels.chance import State, below
from grids.kernels.energy import Ground, strip
from grids.kernels.linking import Links, link, relink

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

TREES = 10  # drawn for one pair before the step is given up


class Chain(NamedTuple):
    """One random walk: the label of every unit, changed in place, and what it keeps books of."""

    label: Ints
    load: Floats
    units: Ints
    links: Links
    low: Floats
    high: Floats  # of every grid; a grid holding a unit heavier than that may hold it and `spare` more
    spare: Floats
    held: Bools  # units that stay in their grid
    state: State


class Space(NamedTuple):
    """Scratch space for one joined pair: `place` of every unit in it (−1: not in it) and arrays of its units."""

    place: Ints
    units: Ints
    first: Ints
    beside: Ints
    parent: Ints
    inside: Bools
    below: Floats
    waits: Ints
    order: Ints
    heavy: Bools
    side: NDArray[np.int8]


def chain(
    ground: Ground, label: Ints, low: Floats, high: Floats, spare: Floats, held: Bools, seed: int
) -> tuple[Chain, Space]:
    """A walk that begins at a copy of these labels, and its scratch space."""
    n, k = len(label), len(low)
    load = np.bincount(label, weights=ground.weight[:, 0], minlength=k).astype(np.float64)
    count = np.bincount(label, minlength=k).astype(np.int64)
    label = label.copy()
    walk = Chain(label, load, count, link(label, k), low, high, spare, held, chance.start(seed))
    space = Space(
        np.full(n, -1, np.int64), np.empty(n, np.int64), np.empty(n + 1, np.int64),
        np.empty(len(ground.indices), np.int64), np.empty(n, np.int64), np.empty(n, np.bool_), np.empty(n),
        np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.bool_), np.empty(n, np.int8),
    )  # fmt: skip
    return walk, space


@njit(cache=True, nogil=True)
def _join(ground: Ground, walk: Chain, space: Space, a: int, b: int) -> int:
    """Writes the units of both grids and their open borders into the scratch space; returns how many units."""
    m = 0
    for g in (a, b):
        u = walk.links.first[g]
        while u >= 0:
            space.units[m] = u
            space.place[u] = m
            m += 1
            u = walk.links.after[u]
    at = 0
    for i in range(m):
        space.first[i] = at
        u = space.units[i]
        for e in range(ground.indptr[u], ground.indptr[u + 1]):
            if ground.open_[e] and space.place[ground.indices[e]] >= 0:
                space.beside[at] = space.place[ground.indices[e]]
                at += 1
    space.first[m] = at
    return m


@njit(cache=True, nogil=True)
def draw(space: Space, m: int, root: int, state: State) -> None:
    """A uniform spanning tree of the joined units as parents below a root, by loop-erased walks (Wilson 1996).

    The tree does not depend on the root, the time does: walks end sooner at a root in the middle.
    """
    first, beside, parent, inside = space.first, space.beside, space.parent, space.inside
    for i in range(m):
        inside[i] = False
    inside[root] = True
    parent[root] = -1
    for i in range(m):
        x = i
        while not inside[x]:
            at = first[x]
            parent[x] = beside[at + below(state, first[x + 1] - at)]
            x = parent[x]
        x = i
        while not inside[x]:
            inside[x] = True
            x = parent[x]


@njit(cache=True, nogil=True)
def _fits(walk: Chain, g: int, load: float, heavy: bool, heaviest: float) -> bool:
    """Whether grid g may hold this load; a side with the pair's heaviest unit may be as heavy as that unit demands."""
    high = walk.high[g]
    if heavy:
        high = max(high, heaviest + walk.spare[g])
    return bool(walk.low[g] <= load <= high)


@njit(cache=True, nogil=True)
def _cut(ground: Ground, walk: Chain, space: Space, m: int, root: int, a: int, b: int) -> tuple[int, bool]:
    """The unit above which the tree is cut (−1: nowhere) and whether what hangs below becomes grid a."""
    total, heaviest, top = walk.load[a] + walk.load[b], -1.0, 0
    for i in range(m):
        w = ground.weight[space.units[i], 0]
        space.below[i], space.waits[i], space.heavy[i] = w, 0, False
        if w > heaviest:
            heaviest, top = w, i
    space.heavy[top] = True
    for i in range(m):
        if space.parent[i] >= 0:
            space.waits[space.parent[i]] += 1
    tail = 0
    for i in range(m):
        if space.waits[i] == 0 and i != root:
            space.order[tail] = i
            tail += 1
    head, found, chosen, below_is_a = 0, 0, -1, True
    while head < tail:
        x = space.order[head]
        head += 1
        load, heavy = space.below[x], space.heavy[x]
        for as_a in (True, False):
            g, h = (a, b) if as_a else (b, a)
            if _fits(walk, g, load, heavy, heaviest) and _fits(walk, h, total - load, not heavy, heaviest):
                found += 1
                if below(walk.state, found) == 0:
                    chosen, below_is_a = x, as_a
        p = space.parent[x]
        space.below[p] += load
        space.heavy[p] |= heavy
        space.waits[p] -= 1
        if space.waits[p] == 0 and p != root:
            space.order[tail] = p
            tail += 1
    return chosen, below_is_a


@njit(cache=True, nogil=True)
def _apply(
    ground: Ground, walk: Chain, space: Space, m: int, cut: int, below_is_a: bool, a: int, b: int
) -> bool:
    """Gives both sides of the cut to their grids, unless a held unit would leave its own."""
    for i in range(m):
        space.side[i] = -1
    space.side[cut] = 1
    for i in range(m - 2, -1, -1):  # parents stand behind their children in the peeling order
        x = space.order[i]
        if space.side[x] < 0:
            space.side[x] = 1 if space.side[space.parent[x]] == 1 else 0
    for i in range(m):
        u, to_a = space.units[i], (space.side[i] == 1) == below_is_a
        if walk.held[u] and walk.label[u] != (a if to_a else b):
            return False
    for i in range(m):
        u = space.units[i]
        g = a if (space.side[i] == 1) == below_is_a else b
        if walk.label[u] != g:
            w = ground.weight[u, 0]
            relink(walk.links, u, walk.label[u], g)
            walk.load[walk.label[u]] -= w
            walk.units[walk.label[u]] -= 1
            walk.load[g] += w
            walk.units[g] += 1
            walk.label[u] = g
    return True


@njit(cache=True, nogil=True)
def step(ground: Ground, walk: Chain, space: Space, a: int, b: int, middle: int) -> bool:
    """Joins grids a and b, which meet at unit `middle`, and cuts them anew; False when no tree gave a cut that fits."""
    m = _join(ground, walk, space, a, b)
    root, done = space.place[middle], False
    for _ in range(TREES):
        draw(space, m, root, walk.state)
        cut, below_is_a = _cut(ground, walk, space, m, root, a, b)
        if cut >= 0:
            done = _apply(ground, walk, space, m, cut, below_is_a, a, b)
            break
    for i in range(m):
        space.place[space.units[i]] = -1
    return done


@njit(cache=True, nogil=True)
def wander(ground: Ground, walk: Chain, space: Space, tails: Ints, heads: Ints, steps: int) -> int:
    """Makes `steps` steps over open borders (tails[i], heads[i]); returns how many changed something."""
    done = 0
    for _ in range(steps):
        a = b = middle = -1
        for _try in range(1_000_000):
            e = below(walk.state, len(tails))
            middle = tails[e]
            a, b = walk.label[middle], walk.label[heads[e]]
            if a != b:
                break
        if a == b:
            return done
        if step(ground, walk, space, a, b, middle):
            done += 1
    return done


@njit(cache=True, nogil=True)
def measure(
    ground: Ground, label: Ints, load: Floats, target: Floats, walkable: Bools, areas: int
) -> tuple[float, float, float, float, float]:
    """Largest and mean deviation, mean Polsby–Popper, cut walkable borders, grids in more than one community."""
    k = len(load)
    area, rim, community = np.zeros(k), np.zeros(k), np.full(k, -2, np.int64)
    crosses = np.zeros(k, np.bool_)
    cut = 0
    for u in range(len(label)):
        g = label[u]
        area[g] += ground.area[u]
        rim[g] += ground.perimeter[u]
        c = ground.community[u]
        if areas > 0 and c >= 0:
            if community[g] == -2:
                community[g] = c
            elif community[g] != c:
                crosses[g] = True
        for e in range(ground.indptr[u], ground.indptr[u + 1]):
            if label[ground.indices[e]] == g:
                rim[g] -= ground.length[e]
            elif walkable[e]:
                cut += 1
    worst, total, round_, crossing = 0.0, 0.0, 0.0, 0
    for g in range(k):
        off = abs(load[g] / target[g] - 1.0)
        worst, total = max(worst, off), total + off
        round_ += 4 * np.pi * area[g] / max(rim[g], 1e-9) ** 2
        crossing += crosses[g]
    return worst, total / k, round_ / k, cut / 2, float(crossing)


def warm() -> None:
    """Compiles every kernel once (they stay cached on disk), so that nobody waits for it later."""
    ground, book = strip()
    one = np.ones(2)
    walk, space = chain(ground, book.label, 0 * one, 4 * one, one, np.zeros(4, np.bool_), 1)
    wander(ground, walk, space, np.array([2, 1]), np.array([3, 2]), 2)
    measure(ground, walk.label, walk.load, 2 * one, ground.open_, 1)

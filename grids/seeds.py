"""Where a search begins: grids as the cells of a balanced power diagram on every piece of ground.

A power diagram (Aurenhammer 1987) gives each middle a radius; raising it where a cell holds too little balances the
cells while their lines stay straight (Balzer and Heck 2008 for weights, Lloyd's step for roundness). Barriers and
islands are seen to afterwards by `kernels.repair`.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from grids.kernels import repair
from grids.terrain import Terrain
from grids.units import Floats, Ints

IDLE_SHARE = (
    0.02  # a unit where nothing weighs counts like 2 % of a mean unit, so that empty ground is shared out too
)
FAR_M = 1e7  # further apart than any two places of a city: keeps pieces of ground apart in one tree
STEP = 0.6
SLOWER = 0.96
STAY = 0.4  # of a middle's old place when it moves to the middle of its cell
THREADED = 20_000  # units: for fewer, starting threads takes longer than they save
WIDEST = 1.0  # deviations beyond this move a radius no faster


def seed(terrain: Terrain, home: Ints, target: Floats, rounds: int = 10) -> Ints:
    """A label for every unit: connected grids, about `target` each, grid g on piece `home[g]`, held units kept."""
    label = terrain.label.copy()
    free = np.flatnonzero(terrain.piece >= 0)
    load = terrain.ground.weight[:, 0]
    size = load + IDLE_SHARE * max(float(load.mean()), 1e-9)
    halves = _halved(terrain, home, target, size, free)
    label[free] = _balanced(terrain, home, target, size, free, halves, rounds)
    label[terrain.held] = terrain.label[terrain.held]
    repair.mend(terrain.ground, label, terrain.held, target)
    repair.fill(terrain.ground, label, terrain.held, terrain.closed, target, home)
    return label


def _halved(terrain: Terrain, home: Ints, target: Floats, size: Floats, free: Ints) -> Ints:
    """Labels of the free units: each piece halved across its longer side until every part is one grid's worth."""
    x, y = terrain.ground.x, terrain.ground.y
    label = np.full(len(x), -1, np.int64)
    open_grids = np.flatnonzero(~terrain.closed)
    for units, grids in zip(
        _grouped(terrain.piece[free], free, terrain.pieces),
        _grouped(home[open_grids], open_grids, terrain.pieces),
        strict=True,
    ):
        waiting = [(units, grids)]
        while waiting:
            part, own = waiting.pop()
            if len(own) <= 1 or len(part) <= 1:
                label[part] = own[0]
                continue
            along = x if np.ptp(x[part]) >= np.ptp(y[part]) else y
            line = part[np.argsort(along[part], kind="stable")]
            half = len(own) // 2
            sums = np.cumsum(size[line])
            at = int(np.searchsorted(sums, sums[-1] * target[own[:half]].sum() / target[own].sum()))
            at = min(max(at, min(half, len(line) - 1)), max(len(line) - (len(own) - half), 1))
            waiting += [(line[:at], own[:half]), (line[at:], own[half:])]
    return label[free]


def _grouped(key: Ints, items: Ints, groups: int) -> list[Ints]:
    order = np.argsort(key, kind="stable")
    return np.split(items[order], np.searchsorted(key[order], np.arange(1, groups)))


def _balanced(
    terrain: Terrain, home: Ints, target: Floats, size: Floats, free: Ints, label: Ints, rounds: int
) -> Ints:
    """The labels of the best of some rounds of the power diagram."""
    k, ground = len(target), terrain.ground
    xy = np.stack([ground.x[free], ground.y[free]], axis=1)
    at = np.column_stack([xy, FAR_M * terrain.piece[free], np.zeros(len(free))])
    load, area = ground.weight[free, 0], ground.area[free]
    middle = _middles(xy, label, size[free], k)
    radius, best, least = np.zeros(k), label, np.inf
    own = np.flatnonzero(~terrain.closed)
    threads = -1 if len(free) >= THREADED else 1
    for turn in range(2 * rounds):
        lift = np.sqrt(np.maximum(radius.max() - radius, 0))
        centre = np.column_stack([middle, FAR_M * home, lift])[own]
        label = own[cKDTree(centre).query(at, workers=threads)[1]]
        off = np.bincount(label, weights=load, minlength=k) / target - 1
        cell = np.bincount(label, weights=area, minlength=k)
        if (spread := float(np.abs(off[own]).mean())) < least:
            best, least = label, spread
        radius -= (
            STEP
            * SLOWER ** (turn // 2)
            / np.pi
            * np.where(cell > 0, cell, area.mean())
            * off.clip(-WIDEST, WIDEST)
        )
        if turn % 2:
            middle = STAY * middle + (1 - STAY) * _middles(xy, label, size[free], k, middle)
    return best


def _middles(xy: Floats, label: Ints, size: Floats, k: int, else_: Floats | None = None) -> Floats:
    mass = np.bincount(label, weights=size, minlength=k)
    sums = np.stack([np.bincount(label, weights=size * c, minlength=k) for c in xy.T], axis=1)
    found = sums / np.maximum(mass, 1e-12)[:, None]
    if else_ is not None:
        found[mass == 0] = else_[mass == 0]
    return np.asarray(found, dtype=np.float64)

"""A problem as the kernels see it: which borders connect, which pieces of ground a grid may not leave, what is locked."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from grids.kernels.energy import Ground
from grids.problem import Problem
from grids.units import Floats, Ints, UnitGraph, connected

Bools = NDArray[np.bool_]

SMALL_SHARE = (
    0.5  # of a grid's worth: lighter islands go with the nearest ground instead of having their own grid
)


@dataclass(frozen=True)
class Terrain:
    """Everything about a problem that stays the same while searching.

    `piece[u]` is the piece of ground (0 … pieces − 1) that the grid of unit u may not leave, −1 for units of closed
    grids. `label[u]` is the grid of a held unit, −1 elsewhere. Islands are joined to the nearest ground by ferries:
    borders of no length, so that a grid of an island and the shore counts as one piece.
    """

    ground: Ground
    piece: Ints
    pieces: int
    label: Ints
    held: Bools
    closed: Bools


def survey(problem: Problem, *, within_area: bool) -> Terrain:
    """The terrain of a problem; `within_area`: no grid may cross a nesting area's line (strict)."""
    graph, closed = problem.graph, closed_grids(problem)
    held, label = np.zeros(graph.n, bool), np.full(graph.n, -1, np.int64)
    if problem.locked is not None and problem.start is not None:
        held = problem.locked & (problem.start >= 0)
        label[held] = problem.start[held]
    shut = held & closed[label]
    rows = np.repeat(np.arange(graph.n), np.diff(graph.indptr))
    open_ = graph.walkable & ~shut[rows] & ~shut[graph.indices]
    if within_area:
        open_ &= graph.area[rows] == graph.area[graph.indices]
    piece = connected(graph.n, rows[open_], graph.indices[open_])
    load = load_of(problem)
    ferries = _ferries(graph, piece, shut, load, float(load.sum()) / problem.k, within_area=within_area)
    ground = _ground(problem, open_, ferries)
    rows = np.repeat(np.arange(graph.n), np.diff(ground.indptr))
    piece = connected(graph.n, rows[ground.open_], ground.indices[ground.open_])
    free = np.unique(piece[~shut])
    number = np.full(graph.n + 1, -1, np.int64)
    number[free] = np.arange(len(free))
    return Terrain(ground, number[np.where(shut, graph.n, piece)], len(free), label, held, closed)


def closed_grids(problem: Problem) -> Bools:
    """Grids all of whose starting units are locked: they keep exactly their ground, nothing leaves and nothing enters."""
    if problem.start is None or problem.locked is None:
        return np.zeros(problem.k, bool)
    placed = problem.start >= 0
    units = np.bincount(problem.start[placed], minlength=problem.k)
    locked = np.bincount(problem.start[placed & problem.locked], minlength=problem.k)
    return np.asarray((units > 0) & (units == locked), bool)


def load_of(problem: Problem) -> Floats:
    """What is shared out; where nothing weighs anything, the ground itself."""
    return problem.weight if problem.weight.sum() > 0 else problem.graph.area_m2


def join_small(terrain: Terrain, load: Floats, least: float, most: int) -> Terrain:
    """Pieces lighter than `least`, and more until `most` are left, joined to the lightest piece beside them.

    Beside means across a border that can be walked; used for soft nesting, where several small communities share.
    """
    ground, piece = terrain.ground, terrain.piece.copy()
    rows = np.repeat(np.arange(len(piece)), np.diff(ground.indptr))
    total = np.bincount(piece[piece >= 0], weights=load[piece >= 0], minlength=terrain.pieces)
    left = terrain.pieces
    a, b = piece[rows], piece[ground.indices]
    across = ground.open_ & (a != b) & (a >= 0) & (b >= 0)
    beside: list[set[int]] = [set() for _ in range(terrain.pieces)]
    for p, q in set(zip(a[across].tolist(), b[across].tolist(), strict=True)):
        beside[p].add(q)
    into = np.arange(terrain.pieces)
    while True:
        waiting = [p for p in range(terrain.pieces) if into[p] == p and beside[p]]
        p = min(waiting, key=lambda p: (total[p], p), default=-1)
        if p < 0 or (total[p] >= least and left <= most):
            break
        host = min(beside[p], key=lambda q: (total[q], q))
        into[p], total[host], left = host, total[host] + total[p], left - 1
        for q in beside[p]:
            beside[q].discard(p)
            if q != host:
                beside[q].add(host)
                beside[host].add(q)
    while (into != into[into]).any():
        into = into[into]
    names, number = np.unique(into, return_inverse=True)
    return replace(terrain, piece=np.where(piece >= 0, number[piece], -1), pieces=len(names))


def _ferries(
    graph: UnitGraph, piece: Ints, shut: Bools, load: Floats, target: float, *, within_area: bool
) -> list[tuple[int, int]]:
    """Pairs of units that tie light islands to the nearest other ground, lightest first.

    An island is a piece with no border to other ground of its kind; with `within_area` of its own area.
    """
    land = graph.components(walking=False)
    if land.max(initial=0) == 0:
        return []
    kind = land * (len(graph.area_codes) + 1) + (graph.area + 1 if within_area else 0)
    alone = np.bincount(np.unique(np.stack([kind, piece]), axis=1)[0], minlength=int(kind.max()) + 1) == 1
    total = np.bincount(piece, weights=load)
    first = np.unique(piece, return_index=True)[1]
    islands = [p for p in np.argsort(total, kind="stable") if alone[kind[first[p]]] and not shut[first[p]]]
    found, group = [], piece.copy()
    for p in islands:
        g = group[first[p]]
        members = np.flatnonzero(group == g)
        if load[members].sum() >= SMALL_SHARE * target:
            continue
        others = np.flatnonzero((group != g) & ~shut & (land != land[first[p]]))
        if within_area:
            others = others[graph.area[others] == graph.area[first[p]]]
        if len(others) == 0:
            continue
        own = np.flatnonzero(piece == p)
        tree = cKDTree(np.stack([graph.x[others], graph.y[others]], axis=1))
        far, near = tree.query(np.stack([graph.x[own], graph.y[own]], axis=1))
        at = int(np.argmin(far))
        found.append((int(own[at]), int(others[near[at]])))
        group[members] = group[found[-1][1]]
    return found


def _ground(problem: Problem, open_: Bools, ferries: list[tuple[int, int]]) -> Ground:
    """The kernels' arrays, ferries added as borders of no length."""
    graph = problem.graph
    indptr, indices, length = graph.indptr, graph.indices, graph.length_m
    if ferries:
        a, b = np.array(ferries + [(v, u) for u, v in ferries]).T
        order = np.argsort(a, kind="stable")
        at = indptr[a[order] + 1]
        indices, length = np.insert(indices, at, b[order]), np.insert(length, at, 0.0)
        open_ = np.insert(open_, at, True)
        indptr = indptr + np.concatenate([[0], np.cumsum(np.bincount(a, minlength=graph.n))])
    weight = np.stack([load_of(problem), *problem.extra.values()], axis=1).astype(np.float64)
    return Ground(
        indptr, indices, length, open_, graph.x, graph.y, graph.area_m2, graph.perimeter_m,
        np.ascontiguousarray(weight), graph.area,
    )  # fmt: skip

"""A first plan: simple, contiguous, nested, the same every time.

    ground     pieces of the city that a grid may not leave (strict: one community; soft: a community or several that
               are too small alone; free: whatever can be walked)
    apportion  grids are shared out one by one to the piece with the most weight per grid
    cut        each piece is halved across its longer side until every part is one grid's worth
    mend       parts that fell apart give their loose ends to the lightest part beside them
    settle     border units change sides while that makes the parts more even or rounder

The engine that searches for better plans works on the same values and starts from this one.
"""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from geo.errors import RefusedArgument
from geo.progress import Progress, silent
from grids.kernels import settling
from grids.partition import Partition
from grids.units import Floats, Ints, UnitGraph

IDLE_SHARE = (
    0.02  # a unit where nothing weighs counts like 2 % of a mean unit, so that empty ground is shared out too
)
SMALL_SHARE = 0.5  # soft: a community below half a grid's worth joins a neighbour; islands likewise
PASSES = 60
ROUNDNESS = (0.02, 0.10, 0.05)


def propose(
    graph: UnitGraph,
    weight: Floats,
    k: int,
    *,
    nest: str = "strict",
    seed: int = 0,
    progress: Progress = silent,
) -> Partition:
    """A partition of all units into k grids of about equal weight.

    Raises RefusedArgument `too-few-grids` (with the least that is possible) or `too-many-grids`.
    """
    if k > graph.n:
        raise RefusedArgument(
            f"{graph.n} 个单元分不成 {k} 个网格。",
            f"{graph.n} units cannot make {k} grids.",
            code="too-many-grids",
            field="grids",
            measured=k,
            allowed=graph.n,
            do_zh=f"请用不超过 {graph.n} 的数。",
            do_en=f"Use at most {graph.n}.",
        )
    load = _load(weight)
    ground = grounds(graph, load, k, nest)
    pieces = int(ground.max()) + 1
    if k < pieces:
        raise _too_few(graph, k, pieces, nest)
    share = apportion(
        np.bincount(ground, weights=load).astype(np.float64), np.bincount(ground).astype(np.int64), k
    )
    label = _cut(graph, load, ground, share)
    rows = np.repeat(np.arange(graph.n), np.diff(graph.indptr))
    open_ = graph.walkable & (ground[rows] == ground[graph.indices])
    _mend(graph, open_, load, label, k)
    _settle(graph, open_, load, label, share, ground, np.random.default_rng(seed), progress)
    return Partition(graph, label, k)


def fewest(graph: UnitGraph, weight: Floats, k: int, nest: str) -> int:
    """The least number of grids from k on that this ground and nesting allow: one for each piece of ground."""
    load = _load(weight)
    while (pieces := int(grounds(graph, load, k, nest).max()) + 1) > k:
        k = pieces
    return k


def grounds(graph: UnitGraph, load: Floats, k: int, nest: str) -> Ints:
    """The piece of ground (0 …) that the grid of each unit may not leave."""
    piece = graph.components(within_area=nest in ("strict", "soft"))
    target = load.sum() / k
    if nest == "soft":
        piece = _join_small(graph, piece, load, target)
    return _join_islands(graph, piece, load, target, within_area=nest == "strict")


def apportion(load: Floats, units: Ints, k: int) -> Ints:
    """k grids shared out to pieces with these loads: each at least one, never more than its units.

    Each further grid goes where most weight would share one grid, which keeps the heaviest grid as light as possible.

    >>> apportion(np.array([1.0, 5.0]), np.array([9, 9]), 4).tolist()
    [1, 3]
    """
    share = np.ones(len(load), np.int64)
    queue = [(-float(load[i]), i) for i in range(len(load)) if units[i] > 1]
    heapq.heapify(queue)
    for _ in range(k - len(load)):
        i = heapq.heappop(queue)[1]
        share[i] += 1
        if share[i] < units[i]:
            heapq.heappush(queue, (-float(load[i]) / int(share[i]), i))
    return share


def _join_small(graph: UnitGraph, piece: Ints, load: Floats, target: float) -> Ints:
    """Pieces below half a grid join the lightest piece one can walk to, smallest first."""
    piece = piece.copy()
    total = np.bincount(piece, weights=load)
    rows = np.repeat(np.arange(graph.n), np.diff(graph.indptr))
    beside: dict[int, set[int]] = {p: set() for p in range(len(total))}
    across = graph.walkable & (piece[rows] != piece[graph.indices])
    for a, b in zip(piece[rows[across]].tolist(), piece[graph.indices[across]].tolist(), strict=True):
        beside[a].add(b)
    into = np.arange(len(total))
    queue = [(float(w), p) for p, w in enumerate(total) if w < SMALL_SHARE * target]
    heapq.heapify(queue)
    while queue:
        known, p = heapq.heappop(queue)
        if into[p] != p or known != total[p] or not beside[p]:
            continue
        host = min(beside[p], key=lambda q: (total[q], q))
        into[p] = host
        total[host] += total[p]
        for q in beside.pop(p):
            beside[q].discard(p)
            if q != host:
                beside[q].add(host)
                beside[host].add(q)
        if total[host] < SMALL_SHARE * target:
            heapq.heappush(queue, (float(total[host]), host))
    while (into != into[into]).any():
        into = into[into]
    return _renumbered(into[piece])


def _join_islands(graph: UnitGraph, piece: Ints, load: Floats, target: float, *, within_area: bool) -> Ints:
    """Islands (no border to anybody outside) too light for a grid of their own go with the nearest piece."""
    piece = piece.copy()
    land = graph.components(walking=False)
    lands = np.bincount(land)
    total = np.bincount(piece, weights=load)
    main = np.flatnonzero(lands[land] == lands.max())
    for p in np.flatnonzero(total < SMALL_SHARE * target):
        members = np.flatnonzero(piece == p)
        if lands[land[members[0]]] != len(members):
            continue
        others = np.flatnonzero((piece != p) & (land != land[members[0]]))
        if within_area:
            others = others[graph.area[others] == graph.area[members[0]]]
        elif len(np.intersect1d(others, main)):
            others = np.intersect1d(others, main)
        if len(others):
            far = np.hypot(
                graph.x[others] - graph.x[members].mean(), graph.y[others] - graph.y[members].mean()
            )
            piece[members] = piece[others[int(np.argmin(far))]]
    return _renumbered(piece)


def _cut(graph: UnitGraph, load: Floats, ground: Ints, share: Ints) -> Ints:
    """Labels by halving each piece across its longer side, weight by weight."""
    label = np.empty(graph.n, np.int64)
    base = np.concatenate([[0], np.cumsum(share)])
    order = np.argsort(ground, kind="stable")
    starts = np.searchsorted(ground[order], np.arange(len(share)))
    for p, members in enumerate(np.split(order, starts[1:])):
        waiting = [(members, int(base[p]), int(share[p]))]
        while waiting:
            units, first, k = waiting.pop()
            if k == 1:
                label[units] = first
                continue
            spread = (np.ptp(graph.x[units]), np.ptp(graph.y[units]))
            line = units[np.argsort((graph.x if spread[0] >= spread[1] else graph.y)[units], kind="stable")]
            half = k // 2
            sums = np.cumsum(load[line])
            at = int(np.searchsorted(sums, sums[-1] * half / k))
            at = min(max(at, half), len(line) - (k - half))
            waiting += [(line[:at], first, half), (line[at:], first + half, k - half)]
    return label


def _mend(graph: UnitGraph, open_: NDArray[np.bool_], load: Floats, label: Ints, k: int) -> None:
    """Every part in one piece; units that no part can reach (islands of a piece) go to the nearest part."""
    wanted = label.copy()
    settling.mend(graph.indptr, graph.indices, open_, load, label, k)
    lost = label < 0
    label[lost] = wanted[lost]


def _settle(
    graph: UnitGraph,
    open_: NDArray[np.bool_],
    load: Floats,
    label: Ints,
    share: Ints,
    ground: Ints,
    rng: np.random.Generator,
    progress: Progress,
) -> None:
    target = np.repeat(np.bincount(ground, weights=load) / share, share)
    for stage, roundness in enumerate(ROUNDNESS):
        progress("settle", stage, len(ROUNDNESS))
        for _ in range(PASSES):
            moves = settling.settle(
                graph.indptr, graph.indices, open_, graph.length_m, load, graph.area_m2, graph.perimeter_m,
                label, target, rng.permutation(graph.n), roundness,
            )  # fmt: skip
            if moves == 0:
                break
    progress("settle", len(ROUNDNESS), len(ROUNDNESS))


def _load(weight: Floats) -> Floats:
    """The weight with a little for idle ground."""
    return weight + IDLE_SHARE * (float(weight.mean()) if weight.sum() > 0 else 1.0)


def _too_few(graph: UnitGraph, k: int, least: int, nest: str) -> RefusedArgument:
    what_zh = "严格嵌套下" if nest == "strict" else "按步行相通"
    what_en = "Strict nesting needs" if nest == "strict" else "Ground that can be walked needs"
    return RefusedArgument(
        f"{what_zh}至少要 {least} 个网格（{len(graph.area_codes)} 个区域），只要了 {k} 个。",
        f"{what_en} at least {least} grids ({len(graph.area_codes)} areas); {k} were asked for.",
        code="too-few-grids",
        field="grids",
        measured=k,
        allowed=least,
        do_zh=f"请用 --grids {least} 以上，或 --nest soft、--nest free。",
        do_en=f"Use --grids {least} or more, or --nest soft or --nest free.",
    )


def _renumbered(piece: Ints) -> Ints:
    return np.unique(piece, return_inverse=True)[1].astype(np.int64)

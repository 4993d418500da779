"""One act on one grid: split it, merge it with a neighbour, put it right. Pure values; nothing else changes.

Numbers of grids stay what they were, so that codes, names and posts beside them stay in place: new grids are numbered
from k on, and a grid that is merged away is left empty.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from geo.codes import reading_order
from geo.errors import Refused, RefusedArgument
from grids import cuts, flows, lines, repairs
from grids.apportion import apportion
from grids.excerpts import ground, neighbours
from grids.partition import Partition
from grids.problem import Problem
from grids.seeds import IDLE_SHARE
from grids.units import Floats, Ints, UnitGraph, connected, half_borders, within

MOST_PARTS = 1000


def split(
    partition: Partition,
    g: int,
    weight: Floats,
    parts: int = 2,
    rng: np.random.Generator | None = None,
    *,
    posts: ArrayLike | None = None,
) -> Partition:
    """Grid g in `parts` contiguous parts of about equal weight, or with loads in proportion to `posts`.

    The heaviest part stays grid g (with posts: the part of the first number); the others are numbered k, k + 1 … as
    one reads a page. A grid that already lies in pieces nobody can walk between is split there first. Where nothing
    weighs anything, ground counts. The same grid and generator give the same parts.

    Raises RefusedArgument `no-such-grid`, `parts` (fewer than 2, more than the grid has units, or fewer than its
    pieces), `posts` (not as many numbers above 0 as parts).
    """
    units = _members(partition, g)
    share = _shares(parts, posts)
    piece = _walked_pieces(partition, units)
    least = max(2, int(piece.max()) + 1)
    if not least <= len(share) <= min(len(units), MOST_PARTS):
        raise _bad_parts(len(share), least, min(len(units), MOST_PARTS))
    graph = within(partition.graph, units)
    load = weight[units] + 0.0
    load = load + IDLE_SHARE * load.mean() if load.sum() > 0 else graph.area_m2
    label = _cut_pieces(graph, load, share, piece, rng or np.random.default_rng(0))
    if posts is None:
        label = _numbered(graph, load, label, len(share))
    return _with_parts(partition, units, g, label, len(share))


def split_by_line(partition: Partition, g: int, line: ArrayLike) -> Partition:
    """Grid g parted by a drawn line (m × 2 metres in the graph's x, y); units belong where their middles lie.

    The largest side stays grid g. A line that crosses a bent grid twice makes three grids: every side is contiguous;
    scraps below 5 % of the ground join the side beside them.

    Raises RefusedArgument `no-such-grid`, `line`, `line-cuts-nothing`.
    """
    units = _members(partition, g)
    side = lines.sides(within(partition.graph, units), line)
    return _with_parts(partition, units, g, side, int(side.max()) + 1)


def merge(partition: Partition, a: int, b: int) -> Partition:
    """Grids a and b as one grid a; b is left empty, so that other grids keep their numbers.

    Raises RefusedArgument `no-such-grid` or `same-grid`, Refused `not-neighbours` (they share no border) or `not-walkable`
    (they do, but a river or railway lies between them and no crossing joins them).
    """
    _members(partition, a), _members(partition, b)
    if a == b:
        raise RefusedArgument(
            "不能把网格与它自己合并。",
            "A grid cannot be merged with itself.",
            code="same-grid",
            field="grids",
            do_zh="请选两个相邻的网格。",
            do_en="Choose two grids beside each other.",
        )
    if b not in neighbours(partition.graph, partition.grid, a) and not _one_is_an_island(partition, a, b):
        raise _not_mergeable(partition, a, b)
    return partition.flip(np.flatnonzero(partition.grid == b), a)


def fix(problem: Problem, g: int) -> Partition:
    """The problem's start with grid g put right, touching only g and the grids beside it; locked units stay.

    Loose pieces of g go to the lightest grids beside them. Then border units between g and its neighbours, and between
    these neighbours, change sides while that brings loads into the band (the problem's tolerance), makes outlines
    rounder and changes little. What is already right stays as it is; the same problem and seed give the same answer.

    Raises RefusedArgument `no-start` (the problem has no start), `no-such-grid`.
    """
    if problem.start is None:
        raise RefusedArgument(
            "没有可修的划分。", "There is no partition to fix.", code="no-start", field="start",
            do_zh="请先提出或导入方案。", do_en="Propose or import a plan first.",
        )  # fmt: skip
    partition = Partition(problem.graph, problem.start, problem.k)
    _members(partition, g)
    part, units, grids = repairs.around(problem, problem.start, g)
    label = repairs.joined(part, np.asarray(part.start), 0)
    band = flows.band(problem.targets[grids], part.weight, label, problem.tolerance)
    grid = partition.grid.copy()
    grid[units] = grids[repairs.put_right(part, label, band)]
    return replace(partition, grid=grid)


def without_empty(partition: Partition) -> tuple[Partition, Ints]:
    """The partition without its empty grids, and the new number of every former grid (−1: it was empty)."""
    used = partition.unit_counts > 0
    number = np.where(used, np.cumsum(used) - 1, -1).astype(np.int64)
    grid = np.where(partition.grid >= 0, number[partition.grid], -1)
    return Partition(partition.graph, grid, int(used.sum())), number


def _members(partition: Partition, g: int) -> Ints:
    """The units of a grid; refused when there is no such grid or it is empty."""
    units = np.flatnonzero(partition.grid == g) if 0 <= g < partition.k else np.empty(0, np.int64)
    if len(units) == 0:
        raise RefusedArgument(
            f"没有第 {g} 号网格，或其中没有单元。",
            f"There is no grid number {g}, or it has no units.",
            code="no-such-grid",
            field="grid",
            measured=g,
            do_zh="请选一个有单元的网格。",
            do_en="Choose a grid that has units.",
        )
    return units


def _shares(parts: int, posts: ArrayLike | None) -> Floats:
    if posts is None:
        return np.ones(min(max(parts, 0), MOST_PARTS + 1))
    share = np.asarray(posts, dtype=np.float64)
    if share.ndim != 1 or len(share) != parts or not np.isfinite(share).all() or not (share > 0).all():
        raise RefusedArgument(
            f"岗位数要有 {parts} 个，都大于 0。",
            f"Posts must be {parts} numbers above 0.",
            code="posts",
            field="posts",
            measured=[float(p) for p in share.ravel()[:10]],
            do_zh="请给每一部分一个岗位数。",
            do_en="Give one number of posts for each part.",
        )
    return share


def _bad_parts(parts: int, least: int, most: int) -> RefusedArgument:
    return RefusedArgument(
        f"该网格不能分成 {parts} 份（可分 {least} 到 {most} 份）。",
        f"This grid cannot be split in {parts} parts ({least} to {most} are possible).",
        code="parts",
        field="parts",
        measured=parts,
        allowed=[least, most],
        do_zh="单元不可再分；步行不相通的每一块至少成为一份。",
        do_en="Units are not cut, and every piece nobody can walk to becomes a part of its own.",
    )


def _walked_pieces(partition: Partition, units: Ints) -> Ints:
    """The piece of every unit of a grid (0 …); islands count with the piece nearest to them."""
    land = ground(within(partition.graph, units))
    return connected(land.n, land.a, land.b)


def _cut_pieces(graph: UnitGraph, load: Floats, share: Floats, piece: Ints, rng: np.random.Generator) -> Ints:
    """Parts of every unit; each piece of ground gets as many parts as its load deserves."""
    counts = np.bincount(piece)
    each = np.bincount(piece, weights=load).astype(np.float64)
    given, _ = apportion(each, float(load.sum()) / len(share), len(share), np.ones_like(counts), counts)
    label, first = np.empty(graph.n, np.int64), 0
    for p, parts in enumerate(given.tolist()):
        units = np.flatnonzero(piece == p)
        part = cuts.cut(within(graph, units), load[units], share[first : first + parts], rng)
        label[units] = first + part
        first += parts
    return label


def _numbered(graph: UnitGraph, load: Floats, label: Ints, parts: int) -> Ints:
    """Parts renumbered: the heaviest first, then the others as one reads a page."""
    loads, counts = np.bincount(label, weights=load), np.bincount(label)
    x, y = (np.bincount(label, weights=at) / counts for at in (graph.x, graph.y))
    heaviest = int(np.argmax(loads))
    order = [heaviest, *(p for p in reading_order(x, y).tolist() if p != heaviest)]
    number = np.empty(parts, np.int64)
    number[order] = np.arange(parts)
    return number[label]


def _with_parts(partition: Partition, units: Ints, g: int, label: Ints, parts: int) -> Partition:
    grid = partition.grid.copy()
    grid[units] = np.where(label == 0, g, partition.k + label - 1)
    return replace(partition, grid=grid, k=partition.k + parts - 1)


def _one_is_an_island(partition: Partition, a: int, b: int) -> bool:
    """Whether the two share no land at all: then no walk is asked for, as within any grid with an island."""
    land = partition.graph.components(walking=False)
    return not len(np.intersect1d(land[partition.grid == a], land[partition.grid == b]))


def _not_mergeable(partition: Partition, a: int, b: int) -> Refused:
    if b in neighbours(partition.graph, partition.grid, a, walking=False):
        _, edges = half_borders(partition.graph, np.flatnonzero(partition.grid == a))
        between_m = float(
            partition.graph.length_m[edges[partition.grid[partition.graph.indices[edges]] == b]].sum()
        )
        return Refused(
            f"两个网格之间有 {between_m:.0f} 米边界，但都隔着河流、铁路等，步行不通，不能合并。",
            f"The two grids share {between_m:.0f} m of border, all of it closed (river, railway …): no way to walk.",
            code="not-walkable",
            field="grids",
            measured=0.0,
            allowed="> 0",
            do_zh="请选步行相通的网格；若确有桥或通道，请在路网或屏障数据中补上。",
            do_en="Choose grids one can walk between; if there is a crossing, add it to the network or barrier data.",
        )
    return Refused(
        "两个网格不相邻，不能合并。",
        "The two grids are not beside each other and cannot be merged.",
        code="not-neighbours",
        field="grids",
        do_zh="请选相邻的两个网格。",
        do_en="Choose two grids that share a border.",
    )

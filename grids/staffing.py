"""A worker leaves or joins: which grid is dissolved, or where a new one is made, and the plan to begin with then.

Both are asked of the flow: every candidate is tried on the map of neighbours, and the one with the least weight to
carry is taken.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from geo.errors import RefusedArgument
from grids import cuts, flows, nudges
from grids.excerpts import ground
from grids.flows import Band, Flow
from grids.problem import Problem
from grids.seeds import IDLE_SHARE
from grids.units import Floats, Ints, connected, half_borders, within

CANDIDATES = 10


@dataclass(frozen=True)
class Staffed:
    """A problem without empty grids, labels to begin with, and `home`, the grid each unit is in now (−1: one that goes).

    `number[g]` is the number of grid g in the plan; `least` the flow that is needed, `certain` what must move anyhow.
    """

    problem: Problem
    begin: Ints
    home: Ints
    number: Ints
    least: float
    certain: float


def change(problem: Problem, start: Ints, more: int, leaving: int | None, joining: int | None) -> Staffed:
    """The problem with one grid more (1), one less (−1) or as many as now (0)."""
    if more not in (-1, 0, 1):
        raise RefusedArgument(
            f"一次只能增减一个网格，不能是 {more}。", f"One grid more or less at a time, not {more}.",
            code="grids-change", field="grids", measured=more, allowed=[-1, 0, 1],
            do_zh="请用 +1 或 -1，可重复运行。", do_en="Use +1 or -1; run it again for more.",
        )  # fmt: skip
    packed, number = without_empty(problem, start)
    view = _View.of(packed)
    inner = {int(g): i for i, g in enumerate(number)}
    if more == 0:
        flow, band = view.flow(packed.targets)
        label = view.label
        return Staffed(packed, label, label, number, flow.total, flows.certain(view.loads, band, view.pairs))
    if more < 0:
        return _leave(packed, view, number, _number(inner, leaving))
    return _join(packed, view, number, _number(inner, joining), problem.k)


def without_empty(problem: Problem, start: Ints) -> tuple[Problem, Ints]:
    """The problem on `start` without its empty grids, and the former number of every grid that is left."""
    number = np.unique(start[start >= 0])
    place = np.full(problem.k + 1, -1, np.int64)
    place[number] = np.arange(len(number))
    posts = None if problem.posts is None else problem.posts[number]
    return replace(problem, k=len(number), posts=posts, start=place[start]), number


@dataclass(frozen=True)
class _View:
    """A partition as the flow sees it."""

    problem: Problem
    label: Ints
    loads: Floats
    pairs: Ints
    open_: NDArray[np.bool_]
    fixed: NDArray[np.bool_]

    @staticmethod
    def of(problem: Problem) -> _View:
        label = np.asarray(problem.start)
        open_ = nudges.open_borders(problem, label)
        fixed = np.zeros(problem.graph.n, np.bool_) if problem.locked is None else problem.locked
        loads = np.bincount(
            label[label >= 0], weights=problem.weight[label >= 0], minlength=problem.k
        ).astype(np.float64)
        pairs = flows.neighbours(problem.graph, label, open_, problem.k, fixed)
        return _View(problem, label, loads, pairs, open_, fixed)

    def flow(self, target: Floats, *, gone: int = -1, beside: Ints | None = None) -> tuple[Flow, Band]:
        """The least flow to these targets when grid `gone` gives everything, or a new last grid lies beside some."""
        loads, pairs = self.loads, self.pairs
        if beside is not None:
            new = np.full(len(beside), len(loads))
            pairs = np.concatenate([pairs, np.stack([beside, new], 1), np.stack([new, beside], 1)])
            loads = np.append(loads, 0.0)
        fair = flows.fair(target, loads, pairs, self.problem.tolerance)
        band = flows.band(fair, self.problem.weight, self.label, self.problem.tolerance)
        if gone >= 0:
            band.low[gone] = band.high[gone] = 0.0
        return flows.least(loads, band, pairs), band


def _leave(problem: Problem, view: _View, number: Ints, leaving: int | None) -> Staffed:
    possible = _dissolvable(problem, view)
    if leaving is not None and not possible[leaving]:
        raise _cannot(view, leaving)
    candidates = np.flatnonzero(possible) if leaving is None else np.array([leaving])
    if len(candidates) == 0:
        raise _cannot(view, -1)
    candidates = candidates[np.argsort(view.loads[candidates], kind="stable")][:CANDIDATES]
    share = np.ones(problem.k) if problem.posts is None else problem.posts
    best: tuple[float, int, Flow, Band] | None = None
    for g in candidates.tolist():
        left = np.where(np.arange(problem.k) == g, 0.0, share)
        flow, band = view.flow(problem.weight.sum() * left / left.sum(), gone=g)
        if best is None or flow.total < best[0]:
            best = (flow.total, g, flow, band)
    assert best is not None
    total, g, _, band = best
    keep = np.arange(problem.k) != g
    place = np.where(keep, np.cumsum(keep) - 1, -1).astype(np.int64)
    label = np.append(place, -1)[_dissolve(problem, view, g)]
    home = np.append(place, -1)[view.label]
    posts = None if problem.posts is None else problem.posts[keep]
    smaller = replace(problem, k=problem.k - 1, posts=posts, start=label)
    return Staffed(smaller, label, home, number[keep], total, flows.certain(view.loads, band, view.pairs))


def _join(problem: Problem, view: _View, number: Ints, joining: int | None, new_number: int) -> Staffed:
    units = np.bincount(view.label[(view.label >= 0) & ~view.fixed], minlength=problem.k)
    possible = (units >= 2) & (np.bincount(view.label[view.label >= 0], minlength=problem.k) == units)
    if (joining is not None and not possible[joining]) or not possible.any():
        raise RefusedArgument(
            "不能从该网格中分出新网格：单元不足两个，或有锁定的单元。",
            "No new grid can be made out of this one: it has fewer than two units, or locked ones.",
            code="grid-locked", field="grid",
            do_zh="请选另一个网格，或先解锁。", do_en="Choose another grid, or unlock it first.",
        )  # fmt: skip
    share = np.ones(problem.k) if problem.posts is None else problem.posts
    share = np.append(share, share.mean())
    target = problem.weight.sum() * share / share.sum()
    candidates = np.flatnonzero(possible) if joining is None else np.array([joining])
    if joining is None:
        dear = view.flow(target[:-1])[0].price
        order = np.lexsort((-view.loads[candidates], -dear[candidates]))
        heavy = np.argsort(-view.loads[candidates], kind="stable")
        candidates = np.unique(candidates[np.concatenate([order[:CANDIDATES], heavy[: CANDIDATES // 2]])])
    best: tuple[float, int, Band] | None = None
    for g in candidates.tolist():
        beside = np.append(g, view.pairs[view.pairs[:, 1] == g, 0])
        flow, band = view.flow(target, beside=beside)
        if best is None or flow.total < best[0]:
            best = (flow.total, g, band)
    assert best is not None
    total, g, band = best
    label = _halved(problem, view.label, g)
    posts = None if problem.posts is None else share
    larger = replace(problem, k=problem.k + 1, posts=posts, start=label)
    loads = np.append(view.loads, 0.0)
    pairs = np.concatenate([view.pairs, [[g, problem.k]]])
    return Staffed(
        larger, label, view.label, np.append(number, new_number), total, flows.certain(loads, band, pairs)
    )


def _halved(problem: Problem, label: Ints, g: int) -> Ints:
    """Labels after grid g gave half of itself to a new grid."""
    units = np.flatnonzero(label == g)
    graph, load = within(problem.graph, units), problem.weight[units]
    load = load + IDLE_SHARE * load.mean() if load.sum() > 0 else graph.area_m2
    land = ground(graph)
    piece = connected(graph.n, land.a, land.b)
    after = label.copy()
    if piece.max() > 0:  # it lies in pieces already: the lightest becomes the new grid
        after[units[piece == int(np.argmin(np.bincount(piece, weights=load)))]] = problem.k
    else:
        part = cuts.cut(graph, load, np.ones(2), problem.rng())
        lighter = int(np.bincount(part, weights=load)[1] <= np.bincount(part, weights=load)[0])
        after[units[part == lighter]] = problem.k
    return after


def _dissolvable(problem: Problem, view: _View) -> NDArray[np.bool_]:
    """Grids without locked units whose every unit can be reached from another grid."""
    if problem.k < 2:
        return np.zeros(problem.k, np.bool_)
    held = view.label >= 0
    possible = np.bincount(view.label[held & view.fixed], minlength=problem.k) == 0
    rows = np.repeat(np.arange(problem.graph.n), np.diff(problem.graph.indptr))
    a, b = view.label[rows], view.label[problem.graph.indices]
    inside = view.open_ & (a == b) & (a >= 0)
    piece = connected(problem.graph.n, rows[inside], problem.graph.indices[inside])
    reached = np.zeros(problem.graph.n, np.bool_)
    reached[piece[rows[view.open_ & (a != b) & (b >= 0)]]] = True
    alone = held & ~reached[piece]
    possible &= np.bincount(view.label[alone], minlength=problem.k) == 0
    return np.asarray(possible)


def _dissolve(problem: Problem, view: _View, g: int) -> Ints:
    """Labels after grid g's units went, from its border inwards, each to the neighbour with the least for its target."""
    graph, label = problem.graph, view.label.copy()
    share = np.ones(problem.k) if problem.posts is None else problem.posts
    loads = view.loads.copy()
    left = set(np.flatnonzero(label == g).tolist())
    while left:
        row, edge = half_borders(graph, np.array(sorted(left), np.int64))
        at = np.array(sorted(left), np.int64)[row]
        beside = label[graph.indices[edge]]
        usable = view.open_[edge] & (beside != g) & (beside >= 0)
        at, beside, length = at[usable], beside[usable], graph.length_m[edge][usable]
        lightest = int(beside[int(np.argmin(loads[beside] / share[beside]))])
        mine = beside == lightest
        contact = np.bincount(at[mine], weights=length[mine]) / graph.perimeter_m[: int(at[mine].max()) + 1]
        u = int(np.argmax(contact))
        label[u] = lightest
        loads[lightest] += problem.weight[u]
        left.discard(u)
    return label


def _number(inner: dict[int, int], g: int | None) -> int | None:
    """The packed number of a grid that was named."""
    if g is None:
        return None
    if g not in inner:
        raise RefusedArgument(
            f"没有第 {g} 号网格，或其中没有单元。", f"There is no grid number {g}, or it has no units.",
            code="no-such-grid", field="grid", measured=g,
            do_zh="请选一个有单元的网格。", do_en="Choose a grid that has units.",
        )  # fmt: skip
    return inner[g]


def _cannot(view: _View, g: int) -> RefusedArgument:
    locked = g >= 0 and bool(view.fixed[view.label == g].any())
    return RefusedArgument(
        "该网格有锁定的单元，不能撤销。" if locked else "没有可撤销的网格：其单元须能步行并入相邻网格（严格嵌套时须同社区）。",
        "This grid has locked units and cannot be dissolved."
        if locked
        else "No grid can be dissolved: its units must be reached from grids beside it (if strict, in the same community).",
        code="grid-locked" if locked else "cannot-dissolve", field="grid",
        do_zh="请先解锁，或选另一个网格。" if locked else "请选另一个网格，或放宽嵌套。",
        do_en="Unlock it or choose another grid." if locked else "Choose another grid, or loosen the nesting.",
    )  # fmt: skip

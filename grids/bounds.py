"""What no plan can beat, and why: the heaviest unit, nesting, ground that falls apart. Said before anybody searches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grids import fair, terrain
from grids.apportion import apportion
from grids.partition import Partition
from grids.problem import Problem
from grids.terrain import Terrain
from grids.units import Floats, Ints

MOST_NAMED = 8
COARSE_SHARE = 0.1  # of a fair load: units from here on are named as what makes a grid hard to even out
COARSE_TOGETHER = 0.6  # when they hold this much of it


@dataclass(frozen=True)
class Explanation:
    """One reason, in two languages, with what was measured and what would be allowed (shares of the fair load)."""

    code: str
    where: str
    measured: float
    allowed: float
    zh: str
    en: str


@dataclass(frozen=True)
class Bounds:
    """Worst deviations that no plan can beat, as shares of the fair load (0.1 = ten percent).

    `heaviest_unit`: of the grid with the heaviest unit in any plan, because units are not cut. `nested`: of the other
    grids of any plan whose grids each lie in one area; None when there are fewer grids than that needs
    (`fewest_nested`). `fewest`: grids needed on ground that can be walked. `grids_per_area`: area code → grids, the
    numbers with which `nested` is reached.
    """

    heaviest_unit: float
    nested: float | None
    fewest: int
    fewest_nested: int
    grids_per_area: dict[str, int]
    explained: list[Explanation]


def bounds(problem: Problem) -> Bounds:
    """The bounds of a problem; exact for what they state, and cheap (no search)."""
    problem = problem.counted()
    load = terrain.load_of(problem)
    heaviest, heavy = _heaviest(problem)
    walked = terrain.survey(problem, within_area=False)
    nested = terrain.survey(problem, within_area=True)
    closed = int(walked.closed.sum())
    count, off = _nested(problem, nested, load)
    explained = [*heavy, *_scattered(problem, walked, "walk")]
    if count is None:
        explained += _scattered(problem, nested, "nest")
        return Bounds(heaviest, None, walked.pieces + closed, nested.pieces + closed, {}, explained)
    per_area: dict[str, int] = {}
    for p, area in enumerate(_areas(problem, nested)):
        code = problem.graph.area_codes[area] if area >= 0 else ""
        per_area[code] = per_area.get(code, 0) + int(count[p])
    explained += _tight(problem, nested, load, count, float(problem.targets.mean()))
    return Bounds(heaviest, off, walked.pieces + closed, nested.pieces + closed, per_area, explained)


def explain(problem: Problem, partition: Partition, names: Sequence[str]) -> list[Explanation]:
    """Why grids stay outside the tolerance, worst first: too heavy units in them, or their surroundings."""
    off = partition.loads(terrain.load_of(problem)) / problem.targets - 1
    bad = np.flatnonzero(np.abs(off) > problem.tolerance + 1e-9)
    return [_why(problem, partition, names[g], g, float(off[g])) for g in bad[np.argsort(-np.abs(off[bad]))]]


def _why(problem: Problem, partition: Partition, name: str, g: int, off: float) -> Explanation:
    share = terrain.load_of(problem)[partition.grid == g] / problem.targets[g]
    large = np.sort(share[share >= COARSE_SHARE])[::-1]
    listed = ", ".join(f"{s:.2f}" for s in large[:5])
    limit, percent = problem.tolerance, f"{problem.tolerance:.1%}"
    if len(large) and large[0] > 1 + limit:
        return Explanation(
            "unit-heavier-than-grid", name, off, limit,
            f"网格 {name} 达不到 {percent}：其中一个单元就有应有工作量的 {large[0]:.2f} 倍。",
            f"Grid {name} cannot reach {percent}: one unit alone is {large[0]:.2f} of the fair load.",
        )  # fmt: skip
    if large.sum() >= COARSE_TOGETHER:
        return Explanation(
            "units-coarse", name, off, limit,
            f"网格 {name} 偏差 {off:+.1%}，难达 {percent}：其中大单元分别为应有工作量的 {listed}。",
            f"Grid {name} is {off:+.1%} and can hardly reach {percent}: units of {listed} of the fair load.",
        )  # fmt: skip
    return Explanation(
        "hemmed-in", name, off, limit,
        f"网格 {name} 偏差 {off:+.1%}，未达 {percent}：相邻网格、障碍或社区边界不容再让。",
        f"Grid {name} is {off:+.1%}, outside {percent}: its neighbours, barriers or area lines leave no room.",
    )  # fmt: skip


def _heaviest(problem: Problem) -> tuple[float, list[Explanation]]:
    """The deviation that single units force on their own grid."""
    load = problem.whole_weight if problem.whole_weight.sum() > 0 else problem.graph.area_m2
    posts = np.ones(problem.k) if problem.posts is None else problem.posts
    largest = float(fair.loads(load, posts).max())
    over = np.flatnonzero(load > largest * (1 + 1e-9))
    names = problem.graph.codes
    told = [
        Explanation(
            "unit-over-target", names[u], float(load[u] / largest), 1.0,
            f"单元 {names[u]} 一个就有应有工作量的 {load[u] / largest:.2f} 倍，按一个网格计；可切分该单元。",
            f"Unit {names[u]} alone is {load[u] / largest:.2f} of a fair load and counts as one grid; it can be cut.",
        )
        for u in over[np.argsort(-load[over])][:MOST_NAMED].tolist()
    ]  # fmt: skip
    return max(0.0, float(load.max()) / largest - 1) if largest > 0 else 0.0, told


def _nested(problem: Problem, nested: Terrain, load: Floats) -> tuple[Ints | None, float]:
    """Grids per piece of nested ground and the worst deviation that forces; None when there are too few grids."""
    k = int((~nested.closed).sum())
    if k < nested.pieces or nested.pieces == 0:
        return None, np.inf
    free = nested.piece >= 0
    total = np.bincount(nested.piece[free], weights=load[free], minlength=nested.pieces).astype(np.float64)
    units = np.bincount(nested.piece[free], minlength=nested.pieces)
    each = float(problem.targets[~nested.closed].mean())
    if k > units.sum():
        return None, np.inf
    return apportion(total, each, k, np.ones_like(units), units)


def _areas(problem: Problem, nested: Terrain) -> Ints:
    """The area of each piece (−1: none)."""
    found = np.full(nested.pieces, -1, np.int64)
    free = nested.piece >= 0
    found[nested.piece[free]] = problem.graph.area[free]
    return found


def _tight(problem: Problem, nested: Terrain, load: Floats, count: Ints, each: float) -> list[Explanation]:
    """The areas that cannot be divided within the tolerance, worst first."""
    free, graph = nested.piece >= 0, problem.graph
    worth = np.bincount(nested.piece[free], weights=load[free], minlength=nested.pieces) / each
    off = worth / count - 1
    areas = _areas(problem, nested)
    found = []
    for p in np.argsort(-np.abs(off))[:MOST_NAMED].tolist():
        if abs(off[p]) > problem.tolerance:
            name = graph.area_names[areas[p]] if areas[p] >= 0 else "—"
            found.append(
                Explanation(
                    "area-uneven", name, float(off[p]), problem.tolerance,
                    f"“{name}”有 {worth[p]:.2f} 个网格的工作量，严格嵌套时分 {count[p]} 个网格，平均偏差 {off[p]:+.0%}。",
                    f"{name} holds {worth[p]:.2f} grids' worth: nested it gets {count[p]}, each {off[p]:+.0%} on average.",
                )
            )  # fmt: skip
    return found


def _scattered(problem: Problem, ground: Terrain, how: str) -> list[Explanation]:
    """Pieces of ground below half a grid's worth that need a grid of their own all the same."""
    free, load = ground.piece >= 0, terrain.load_of(problem)
    each = float(problem.targets.mean())
    worth = np.bincount(ground.piece[free], weights=load[free], minlength=ground.pieces) / each
    first = np.full(ground.pieces, -1, np.int64)
    first[ground.piece[free][::-1]] = np.flatnonzero(free)[::-1]
    found = []
    small = np.flatnonzero(worth < terrain.SMALL_SHARE) if ground.pieces > 1 else np.empty(0, np.int64)
    for p in small[np.argsort(worth[small])][:MOST_NAMED].tolist():
        unit = problem.graph.codes[first[p]]
        if how == "walk":
            zh = f"单元 {unit} 一带走不出去（障碍环绕），只有 {worth[p]:.2f} 个网格的工作量，却要单独成格。"
            en = f"Ground round unit {unit} cannot be left on foot: {worth[p]:.2f} grids' worth, yet a grid of its own."
        else:
            zh = f"单元 {unit} 一带严格嵌套时要单独成格，只有 {worth[p]:.2f} 个网格的工作量。"
            en = f"Nested, ground round unit {unit} needs a grid of its own with {worth[p]:.2f} grids' worth."
        found.append(Explanation("ground-apart", unit, float(worth[p]), terrain.SMALL_SHARE, zh, en))
    return found

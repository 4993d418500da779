"""Random valid plans of the same city: where does a plan stand among what could have been drawn?

Several random walks (`grids.kernels.trees`) begin at different plans and note measures of every plan they pass; how far
they agree is told beside every figure. The walk prefers plans in proportion to how many trees span their grids, which
are the compact ones: it is a yardstick of ordinary plans, not a vote on them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from geo.errors import Cancelled, RefusedArgument
from geo.progress import Progress, silent
from grids import flows, mixing, search, terrain
from grids.kernels import trees
from grids.partition import Partition
from grids.problem import Problem
from grids.terrain import Terrain
from grids.units import Floats, Ints, connected

MEASURES = ("largest_deviation", "mean_deviation", "compactness", "cut_edges", "crossing")
MORE_IS_BETTER = frozenset({"compactness"})
MOST_PLANS, MOST_CHAINS = 100_000, 64
BURN_SHARE = 0.1  # of the plans of a chain are walked past before the first is noted


@dataclass(frozen=True)
class Ensemble:
    """Measures of the plans sampled, each chains × plans, and whether the chains agree.

    largest_deviation, mean_deviation   of a grid's load from its target, as shares
    compactness                         mean Polsby–Popper, 1 for circles
    cut_edges                           pairs of units side by side (walkable) in different grids
    crossing                            grids in more than one nesting area

    `rhat` near 1 and a large `ess` (effective plans) say that the walks forgot their beginnings; `mixed` is the usual
    rule. `changed_share` of `steps` re-drew two grids; the others found no cut within the tolerance.
    """

    problem: Problem
    measures: dict[str, Floats]
    rhat: dict[str, float]
    ess: dict[str, float]
    mixed: dict[str, bool]
    steps: int
    changed_share: float

    @property
    def plans(self) -> int:
        """How many plans were sampled."""
        return int(next(iter(self.measures.values())).size)


@dataclass(frozen=True)
class Rank:
    """A plan among the sampled ones on one measure. Shares are 0–1 and add up to 1; equal plans are told apart.

    `rank_first` … `rank_last` are the places it shares with its equals, 1 the best, of `of` plans with itself.
    """

    measure: str
    value: float
    better_share: float
    equal_share: float
    worse_share: float
    rank_first: int
    rank_last: int
    of: int
    mixed: bool


def sample(
    problem: Problem, *, plans: int = 1000, chains: int = 4, thinning: int | None = None,
    progress: Progress = silent, cancel: Callable[[], bool] = lambda: False,
) -> Ensemble:  # fmt: skip
    """About `plans` random valid plans from `chains` walks (rounded up to the same number each).

    Between two plans noted lie `thinning` steps (as many as there are grids, so that each is re-drawn about twice).
    The first walk begins at the problem's start where that is valid, the others at plans of their
    own. Valid: contiguous, nested if strict, every load within the tolerance of its target (a grid around a unit too
    heavy for that as near as it goes), locked units in their grids. The same problem and seed give the same ensemble.

    Raises RefusedArgument `plans`, `chains`, `thinning`, what `search.propose` raises, and Cancelled.
    """
    _check(problem, plans, chains, thinning)
    ground = terrain.survey(problem, within_area=problem.nesting == "strict")
    each, every = -(-plans // chains), thinning or max(problem.k, 1)
    found = np.empty((len(MEASURES), chains, each))
    changed = 0
    for c, label in enumerate(_starts(problem, ground, chains)):

        def tell(done: int, c: int = c) -> None:
            if cancel():
                raise Cancelled("已取消。", "Cancelled.")
            progress("ensemble", c * each + done, chains * each)

        changed += _walk(problem, ground, label, problem.seed * MOST_CHAINS + c, every, found[:, c], tell)
    measures = dict(zip(MEASURES, found, strict=True))
    rhat = {name: mixing.rhat(draws) for name, draws in measures.items()}
    ess = {name: mixing.ess(draws) for name, draws in measures.items()}
    steps = chains * (each + _burn(each)) * every
    agreed = {name: mixing.mixed(rhat[name], ess[name], chains) for name in MEASURES}
    return Ensemble(problem, measures, rhat, ess, agreed, steps, changed / max(steps, 1))


def rank(ensemble: Ensemble, partition: Partition) -> list[Rank]:
    """Where a complete plan of the same problem stands among the sampled ones, on every measure.

    Values that differ by less than a billionth are equal. A plan that was worked on is usually better than the sampled
    ones: being last on a measure is what asks for a reason.
    """
    values = measures_of(ensemble.problem, partition)
    return [
        _rank(name, values[name], ensemble.measures[name].ravel(), ensemble.mixed[name]) for name in MEASURES
    ]


def measures_of(problem: Problem, partition: Partition) -> dict[str, float]:
    """The same measures of any complete partition."""
    ground = terrain.survey(problem, within_area=problem.nesting == "strict")
    grid = _complete(problem, partition.grid)
    load = np.bincount(grid, weights=terrain.load_of(problem), minlength=problem.k).astype(np.float64)
    return dict(zip(MEASURES, _measure(problem, ground, _walkable(problem, ground), grid, load), strict=True))


def _walk(
    problem: Problem, ground: Terrain, label: Ints, seed: int, every: int, found: Floats, tell: Callable[[int], None]
) -> int:  # fmt: skip
    """One chain: writes measures × plans into `found`; returns how many steps changed something."""
    band = flows.band(
        problem.targets, terrain.load_of(problem), np.full(problem.graph.n, -1), problem.tolerance
    )
    held = ground.held
    walk, space = trees.chain(ground.ground, label, band.low, band.high, band.high - band.target, held, seed)
    rows = np.repeat(np.arange(problem.graph.n), np.diff(ground.ground.indptr))
    once = ground.ground.open_ & (rows < ground.ground.indices)
    tails, heads = rows[once], ground.ground.indices[once]
    walkable, each = _walkable(problem, ground), found.shape[1]
    changed = 0
    for i in range(-_burn(each), each):
        tell(max(i, 0))
        changed += trees.wander(ground.ground, walk, space, tails, heads, every) if len(tails) else 0
        if i >= 0:
            found[:, i] = _measure(problem, ground, walkable, walk.label, walk.load)
    tell(each)
    return changed


def _burn(each: int) -> int:
    return int(np.ceil(each * BURN_SHARE))


def _measure(
    problem: Problem, ground: Terrain, walkable: NDArray[np.bool_], label: Ints, load: Floats
) -> tuple[float, float, float, float, float]:
    areas = len(problem.graph.area_codes)
    target = np.maximum(problem.targets, 1e-12)
    found: tuple[float, float, float, float, float] = trees.measure(
        ground.ground, label, load, target, walkable, areas
    )
    return found


def _walkable(problem: Problem, ground: Terrain) -> NDArray[np.bool_]:
    """Walkable borders in the kernels' arrays: those of the graph, without ferries (which have no length)."""
    found = np.zeros(len(ground.ground.indices), np.bool_)
    ferry = np.zeros(len(found), np.bool_)
    if len(found) > len(problem.graph.indices):
        ferry = ground.ground.length == 0.0
    found[~ferry] = problem.graph.walkable
    return found


def _starts(problem: Problem, ground: Terrain, chains: int) -> list[Ints]:
    """A beginning for every chain."""
    found: list[Ints] = []
    if problem.start is not None and _usable(problem, ground, problem.start):
        found.append(problem.start)
    while len(found) < chains:
        fresh = replace(problem, seed=problem.seed + 1 + len(found))
        found.append(search.propose(fresh)[0].partition.grid)
    return found


def _usable(problem: Problem, ground: Terrain, grid: Ints) -> bool:
    """Whether a walk can begin here: complete, even, no grid empty, each in one piece over open borders."""
    if (grid < 0).any() or len(np.unique(grid)) < problem.k or not _even(problem, grid):
        return False
    rows = np.repeat(np.arange(problem.graph.n), np.diff(ground.ground.indptr))
    same = ground.ground.open_ & (grid[rows] == grid[ground.ground.indices])
    return len(np.unique(connected(len(grid), rows[same], ground.ground.indices[same]))) == problem.k


def _even(problem: Problem, grid: Ints) -> bool:
    """Whether every load is within the tolerance; what one unit alone makes too heavy is excused.

    A walk that began outside would count its way in as plans that are allowed.
    """
    target = problem.targets
    off = np.abs(np.bincount(grid, weights=problem.weight, minlength=problem.k) / target - 1.0)
    heaviest = np.zeros(problem.k)
    np.maximum.at(heaviest, grid, problem.weight)
    return bool(((off <= problem.tolerance + 1e-9) | (heaviest > target * (1 + problem.tolerance))).all())


def _complete(problem: Problem, grid: Ints) -> Ints:
    if (grid < 0).any() or grid.max(initial=-1) >= problem.k or len(np.unique(grid)) < problem.k:
        raise RefusedArgument(
            f"只能给完整的方案排名：每个单元都属于 {problem.k} 个网格之一。",
            f"Only a complete plan is ranked: every unit in one of the {problem.k} grids, none of them empty.",
            code="incomplete", field="plan",
            do_zh="请先补全方案。", do_en="Complete the plan first.",
        )  # fmt: skip
    return grid


def _rank(name: str, value: float, draws: Floats, mixed: bool) -> Rank:
    equal = np.abs(draws - value) <= 1e-9 * max(abs(value), 1.0)
    better = ~equal & ((draws > value) if name in MORE_IS_BETTER else (draws < value))
    first, ties, n = int(better.sum()) + 1, int(equal.sum()), len(draws)
    return Rank(
        name, value, (first - 1) / n, ties / n, (n - first + 1 - ties) / n, first, first + ties, n + 1, mixed
    )


def _check(problem: Problem, plans: int, chains: int, thinning: int | None) -> None:
    for name, value, most in (
        ("chains", chains, MOST_CHAINS),
        ("plans", plans, MOST_PLANS),
        ("thinning", thinning, 10**9),
    ):
        if value is not None and not 1 <= value <= most:
            raise RefusedArgument(
                f"{name} 要在 1 到 {most} 之间，不能是 {value}。", f"{name} must be from 1 to {most}, not {value}.",
                code=name, field=name, measured=value, allowed=[1, most],
            )  # fmt: skip

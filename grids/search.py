"""Plans proposed: contiguous, balanced, compact, nested as far as was asked; several along the trade-off.

survey      which borders connect, which pieces of ground a grid may not leave, what is locked   (`terrain`)
apportion   grids shared out to pieces so that the worst deviation is least                      (`apportion`)
seed        a balanced power diagram on every piece                                              (`seeds`)
improve     re-cuts, flows, low-temperature moves; then what is still outside the tolerance      (`improving`)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from geo.errors import Cancelled, RefusedArgument
from geo.progress import Progress, silent
from grids import improving, measures, seeds, terrain
from grids.apportion import apportion, share_posts
from grids.kernels import energy
from grids.partition import Partition
from grids.problem import Nesting, Problem
from grids.refine import Bools, Refiner
from grids.tastes import Taste, tastes
from grids.terrain import Terrain
from grids.units import Floats, Ints

TINY_CITY, MOST_STARTS = 1_500, 60  # so many starts that together they search about as many units
SMALL_CITY, FEW_STARTS = 4_000, 12  # units; larger ones are searched from one start
LARGE_CITY, SPARE_STARTS = 50_000, 3  # units; smaller ones get so many starts more while a grid stays outside
ROUNDING = 1e-9  # of a share, where loads add up in another order
SATISFIED = 36  # starts in a row that were no better: further ones will hardly be


@dataclass(frozen=True)
class Choice:
    """A proposed plan and where it stands on the trade-off.

    Deviations are shares of the fair load (0.1 = ten percent): the worst grid's and the mean of all; `outside` is how
    many grids are off by more than the tolerance. Units too heavy for any grid count as one grid's worth.
    """

    partition: Partition
    nesting: Nesting
    label_zh: str
    label_en: str
    deviation: float
    mean_deviation: float
    outside: int
    compactness: float
    crossing: int


def propose(
    problem: Problem,
    *,
    choices: int = 1,
    progress: Progress = silent,
    cancel: Callable[[], bool] = lambda: False,
) -> list[Choice]:
    """Up to `choices` plans for a problem, the one that was asked for first, then others along the trade-off.

    Every plan is complete and contiguous, keeps what is locked, and nests at least as asked. The same problem gives
    the same plans. `cancel` is asked between rounds.

    Raises RefusedArgument `too-few-grids` (with the least that is possible) or `too-many-grids`, and Cancelled.
    """
    _check(problem)
    found: list[Choice] = []
    for i, taste in enumerate(tastes(problem.nesting)[:choices]):

        def told(stage: str, done: int, total: int | None = None, i: int = i) -> None:
            if cancel():
                raise Cancelled("已取消。", "Cancelled.")
            progress(stage, i * (total or 0) + done, choices * total if total else None)

        found.append(_choice(problem, taste, solve(problem, taste, told)))
    return found


def solve(problem: Problem, taste: Taste, progress: Progress = silent) -> Ints:
    """The labels of one plan to a taste."""
    ground = terrain.survey(problem, within_area=taste.nesting == "strict")
    _check_pieces(problem, ground, taste.nesting)
    n = problem.graph.n
    starts = max(FEW_STARTS if n <= SMALL_CITY else 1, min(MOST_STARTS, TINY_CITY // n))
    spare = SPARE_STARTS if SMALL_CITY < n <= LARGE_CITY and taste.nesting == "free" else 0
    begin, target = _seeded(problem, ground, taste)  # the same for every start: chance comes with the moves
    tight = _tight(problem, target, ground)
    best, least, idle = np.empty(0, np.int64), (np.inf, np.inf), 0
    for i in range(starts + spare):
        chance = np.random.SeedSequence([problem.seed, i]).generate_state(1)[0]
        plan = _start(ground, taste, begin.copy(), target, int(chance))
        improving.improve(plan, taste, problem.tolerance, tight, i, progress)
        off = plan.excess(plan.book.target[:, 0])
        rank = (float(np.maximum(off - problem.tolerance, 0).max()), float(plan.book.energy.sum()))
        idle = 0 if rank < least else idle + 1
        if rank < least:
            best, least = plan.book.label, rank
        if idle >= SATISFIED or (i + 1 >= starts and least[0] == 0):
            break
    return best


def _tight(problem: Problem, target: Floats, ground: Terrain) -> Bools:
    """Grids on ground whose share is nearly as far off as any, where that is more than the tolerance."""
    off = np.where(ground.closed, 0.0, np.abs(target / problem.targets - 1))
    return np.asarray((off > off.max() - problem.tolerance) & (off.max() > problem.tolerance) & (off > 1e-9))


def _seeded(problem: Problem, ground: Terrain, taste: Taste) -> tuple[Ints, Floats]:
    """The labels to begin with, and what every grid should then hold."""
    pieces = _soft_pieces(problem) if taste.nesting == "soft" else ground
    home, target = _shares(problem, pieces)
    label = seeds.seed(pieces, home, target)
    return label, _fair(problem, ground) if taste.nesting == "soft" else target


def _start(ground: Terrain, taste: Taste, label: Ints, target: Floats, seed: int) -> Refiner:
    """A seeded plan with its books open."""
    extra = ground.ground.weight.sum(axis=0)[1:] * (target / target.sum())[:, None]
    book = energy.open_book(
        ground.ground, label, np.column_stack([target, extra]), closed=ground.closed, held=ground.held,
        crossing=taste.crossing > 0,
    )  # fmt: skip
    return Refiner(ground.ground, book, seed)


def _shares(problem: Problem, pieces: Terrain) -> tuple[Ints, Floats]:
    """The piece of ground and the target of every grid."""
    load, free = terrain.load_of(problem), pieces.piece >= 0
    total = np.bincount(pieces.piece[free], weights=load[free], minlength=pieces.pieces).astype(np.float64)
    units = np.bincount(pieces.piece[free], minlength=pieces.pieces)
    home = np.full(problem.k, -1, np.int64)
    held = np.flatnonzero(pieces.held & free)
    home[pieces.label[held]] = pieces.piece[held]
    least = np.maximum(np.bincount(home[home >= 0], minlength=pieces.pieces), 1)
    open_grids = np.flatnonzero(~pieces.closed)
    count, _ = apportion(
        total, total.sum() / len(open_grids), len(open_grids), least, np.maximum(units, least)
    )
    posts = np.ones(problem.k) if problem.posts is None else problem.posts
    given = share_posts(total, count, posts[open_grids], home[open_grids])
    home[open_grids] = given
    per_post = total / np.maximum(
        np.bincount(given, weights=posts[open_grids], minlength=pieces.pieces), 1e-12
    )
    target = (
        problem.targets.copy() if problem.weight.sum() > 0 else np.full(problem.k, load.sum() / problem.k)
    )
    target[open_grids] = per_post[given] * posts[open_grids]
    return home, np.maximum(target, 1e-9 * load.sum() / problem.k)


def _fair(problem: Problem, ground: Terrain) -> Floats:
    return _shares(problem, ground)[1]


def _soft_pieces(problem: Problem) -> Terrain:
    """Communities as pieces, small ones joined across borders that can be walked."""
    strict = terrain.survey(problem, within_area=True)
    free = terrain.survey(problem, within_area=False)
    load = terrain.load_of(problem)
    own = replace(free, piece=strict.piece, pieces=strict.pieces)
    open_grids = int((~free.closed).sum())
    return terrain.join_small(own, load, terrain.SMALL_SHARE * load.sum() / problem.k, open_grids)


def _choice(problem: Problem, taste: Taste, label: Ints) -> Choice:
    partition = Partition(problem.graph, label, problem.k)
    off = np.abs(partition.loads(terrain.load_of(problem)) / problem.targets - 1)
    return Choice(
        partition, taste.nesting, taste.zh, taste.en, float(off.max()), float(off.mean()),
        int((off > problem.tolerance + ROUNDING).sum()), float(measures.polsby_popper(partition).mean()),
        measures.crossing(partition),
    )  # fmt: skip


def _check(problem: Problem) -> None:
    if problem.k > problem.graph.n:
        raise RefusedArgument(
            f"{problem.graph.n} 个单元分不成 {problem.k} 个网格。",
            f"{problem.graph.n} units cannot make {problem.k} grids.",
            code="too-many-grids",
            field="grids",
            measured=problem.k,
            allowed=problem.graph.n,
            do_zh=f"请用不超过 {problem.graph.n} 的数。",
            do_en=f"Use at most {problem.graph.n}.",
        )


def _check_pieces(problem: Problem, ground: Terrain, nesting: Nesting) -> None:
    k = int((~ground.closed).sum())
    if k >= ground.pieces:
        return
    what_zh = "严格嵌套下" if nesting == "strict" else "按步行相通"
    what_en = "Strict nesting needs" if nesting == "strict" else "Ground that can be walked needs"
    least = ground.pieces + problem.k - k
    areas = len(problem.graph.area_codes)
    raise RefusedArgument(
        f"{what_zh}至少要 {least} 个网格（{areas} 个区域），只要了 {problem.k} 个。",
        f"{what_en} at least {least} grids ({areas} areas); {problem.k} were asked for.",
        code="too-few-grids",
        field="grids",
        measured=problem.k,
        allowed=least,
        do_zh=f"请用 --grids {least} 以上，或 --nest soft、--nest free。",
        do_en=f"Use --grids {least} or more, or --nest soft or --nest free.",
    )


def fewest(problem: Problem) -> int:
    """The least number of grids from `problem.k` on that ground, nesting and locks allow: one for each piece."""
    k = problem.k
    while True:
        wider = replace(problem, k=k)
        ground = terrain.survey(wider, within_area=problem.nesting == "strict")
        least = ground.pieces + int(ground.closed.sum())
        if least <= k:
            return k
        k = least

"""Plans proposed for the city in the database: read, search, name, store as drafts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.db.versions import bump
from geo.errors import RefusedArgument
from geo.progress import Progress, silent
from grids import barriers, bounds, plans, search, stored, units, weights, wishes
from grids.bounds import Bounds, Explanation
from grids.problem import Nesting, Problem
from grids.search import Choice
from grids.units import Floats, UnitGraph

MOST_EXPLAINED = 20

Geometries = NDArray[np.object_]


@dataclass(frozen=True)
class Found:
    """One proposed plan: the draft and where it stands on the trade-off (figures as in `search.Choice`)."""

    plan_id: int
    name: str
    nesting: str
    label_zh: str
    label_en: str
    deviation: float
    mean_deviation: float
    outside: int
    compactness: float
    crossing: int
    explained: list[Explanation]


@dataclass(frozen=True)
class Proposed:
    """What a proposal brought: the drafts, the usual choice first, and what no plan could beat."""

    plans: list[Found]
    grids: int
    bounds: Bounds

    @property
    def plan_ids(self) -> list[int]:
        """Ids of the drafts in the order of the choices."""
        return [found.plan_id for found in self.plans]


def propose(
    session: Session, *, name: str, grids: int | None = None, per_grid: float | None = None,
    weight: str | Sequence[str] = "cases", nest: Nesting = "strict", tolerance: float = 0.10, seed: int = 0,
    choices: int = 1, locked: Sequence[str] = (), posts: float | Sequence[float] | None = None,
    obstacles: tuple[Geometries, Geometries] | None = None, author: str = "operator",
    progress: Progress = silent, cancel: Callable[[], bool] = lambda: False,
) -> Proposed:  # fmt: skip
    """New drafts whose grids hold about equally much of `weight`; the first is called `name`, then `name 2` …

    Give the number of `grids`, or `per_grid`: how much one grid should hold, in the weight's own unit (cases,
    households, minutes, m²; then never fewer grids than the ground allows). Further weights are kept even as far as
    that goes. `locked`: codes of grids of the plan in force that keep their ground. `posts`: of every grid, or one
    number per grid; loads are in proportion. `obstacles`: more barriers, and ways across them (EPSG:4326). The same
    input and seed give the same plans.
    """
    wishes.check(nest, tolerance, choices)
    names = [name, *(f"{name} {i}" for i in range(2, choices + 1))]
    for one in names:
        stored.check_name(session, one)
    problem = _problem(session, grids, per_grid, weight, nest, tolerance, seed, locked, posts, obstacles)
    limits = bounds.bounds(problem)
    found = search.propose(problem, choices=choices, progress=progress, cancel=cancel)
    drafts = [
        _store(session, one, choice, problem, author, _settings(problem, weight))
        for one, choice in zip(names, found, strict=False)
    ]
    bump(session, "plans")
    return Proposed(drafts, problem.k, limits)


def _problem(
    session: Session, grids: int | None, per_grid: float | None, weight: str | Sequence[str], nest: Nesting,
    tolerance: float, seed: int, locked: Sequence[str], posts: float | Sequence[float] | None,
    obstacles: tuple[Geometries, Geometries] | None,
) -> Problem:  # fmt: skip
    graph = units.read(session, stored.city_today(session))
    if obstacles is not None:
        graph = barriers.closed(graph, *_points(session, graph), *obstacles)
    columns = [weight] if isinstance(weight, str) else list(weight)
    loads = {column: weights.read(session, graph, column) for column in columns}
    load = loads.pop(columns[0])
    if isinstance(posts, Sequence) and grids is None and per_grid is None:
        grids = len(posts)
    k = wishes.how_many(load, grids, per_grid, columns[0])
    start, fixed = _locked(session, graph, locked)
    problem = Problem(
        graph, load, k, tolerance=tolerance, nesting=nest, seed=seed, extra=loads, start=start, locked=fixed
    )
    if per_grid is not None:  # a wish for the average: never fewer grids than the ground allows
        k = min(max(k, search.fewest(problem)), graph.n)
    return replace(problem, k=k, posts=wishes.posts(posts, k)).counted()


def _settings(problem: Problem, weight: str | Sequence[str]) -> dict[str, Any]:
    """What the plan was proposed for, and is judged by when it is edited."""
    first, *more = [weight] if isinstance(weight, str) else list(weight)
    return {"weight": first, "weights": more, "tolerance": problem.tolerance, "seed": problem.seed}


def _store(
    session: Session, name: str, choice: Choice, problem: Problem, author: str, settings: dict[str, Any]
) -> Found:
    """One choice as a draft, with the reasons for what it could not reach."""
    current = plans.holding(session, stored.city_today(session))
    named = plans.name_grids(session, choice.partition)
    kept = None if problem.start is None else problem.start[problem.start >= 0].max(initial=-1) + 1
    plan = stored.write(
        session, name, choice.partition, named, nesting=choice.nesting, origin="proposed", author=author,
        based_on_id=current.id if current else None, posts=problem.posts,
        locked=None if kept is None else np.arange(problem.k) < kept,
    )  # fmt: skip
    plan.settings = settings
    plans.audit(session, author, "propose", plan, grids=problem.k, seed=problem.seed, choice=choice.label_en)
    why = bounds.explain(problem, choice.partition, [one.code for one in named])[:MOST_EXPLAINED]
    return Found(
        plan.id, name, choice.nesting, choice.label_zh, choice.label_en, choice.deviation,
        choice.mean_deviation, choice.outside, choice.compactness, choice.crossing, why,
    )  # fmt: skip


def _points(session: Session, graph: UnitGraph) -> tuple[Floats, Floats]:
    rows = session.execute(
        text("SELECT ST_X(point) AS lon, ST_Y(point) AS lat FROM unit WHERE id = ANY(:ids) ORDER BY id"),
        {"ids": graph.ids.tolist()},
    ).all()
    return np.array([r.lon for r in rows]), np.array([r.lat for r in rows])


def _locked(
    session: Session, graph: UnitGraph, locked: Sequence[str]
) -> tuple[NDArray[np.int64] | None, NDArray[np.bool_] | None]:
    """Start and lock of every unit for grids of the plan in force that keep their ground."""
    if not locked:
        return None, None
    current = plans.holding(session, stored.city_today(session))
    held = None if current is None else stored.read(session, current, graph)
    unknown = sorted(set(locked) - set(held.codes if held else ()))
    if held is None or unknown:
        raise RefusedArgument(
            f"现行方案没有网格 {'、'.join(unknown[:5])}。" if held else "还没有现行方案，无从锁定。",
            f"The plan in force has no grid {', '.join(unknown[:5])}." if held else "No plan is in force to lock grids of.",
            code="grid-unknown",
            field="lock",
            do_zh="请用现行方案的网格编码。",
            do_en="Use grid codes of the plan in force.",
        )  # fmt: skip
    number = np.full(held.partition.k + 1, -1, np.int64)
    number[[held.codes.index(code) for code in dict.fromkeys(locked)]] = np.arange(len(set(locked)))
    start = number[held.partition.grid]
    return start, start >= 0

"""A stored plan brought back into balance: read, rebalanced, written as one act of a draft that can be undone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from geo.errors import RefusedArgument
from geo.progress import Progress, silent
from grids import drafts, rebalance, stored, units, weights, wishes
from grids.problem import Problem
from grids.rebalance import Rebalanced
from grids.stored import Stored


@dataclass(frozen=True)
class Balanced:
    """The draft that was rebalanced and how: `found` without its partition, its reasons with codes of grids."""

    plan_id: int
    name: str
    revision: int
    changed: list[str]
    removed: list[str]
    found: dict[str, Any]


def rebalanced(
    session: Session, plan: int | str, *, revision: int | None = None, name: str | None = None, weight: str = "cases",
    tolerance: float = 0.10, more: int = 0, leaving: str | None = None, joining: str | None = None, seed: int = 0,
    locked: Sequence[str] = (), author: str = "operator", progress: Progress = silent,
    cancel: Callable[[], bool] = rebalance.never,
) -> Balanced:  # fmt: skip
    """Every grid within `tolerance` of its fair load as far as that goes, moving little; locked grids keep their ground.

    A draft changes itself, from `revision` on. With `name`, and always for a plan that is no draft, a new draft based
    on it changes. `more=1`: a worker joins (out of grid `joining`); `more=-1`: one leaves (grid `leaving`). Grids in
    `locked` keep their ground this time, beside those that are locked in the plan.

    Raises RefusedArgument (`plan-name`, `grid-unknown`, `weight-unknown` …), Conflict `stale-revision`, Cancelled.
    """
    row = stored.find(session, plan)
    wishes.check(row.nesting, tolerance, 1)
    if name is None and row.state != "draft":
        raise RefusedArgument(
            f"方案“{row.name}”不是草案，须为新草案取名。",
            f"Plan {row.name!r} is not a draft: the new draft needs a name.",
            code="plan-name", field="name",
            do_zh="请给 name。", do_en="Give a name.",
        )  # fmt: skip
    if name is not None:
        stored.check_name(session, name)
    graph = units.read(session, stored.city_today(session))
    held = stored.read(session, row, graph)
    problem = _problem(held, weights.read(session, graph, weight), tolerance, seed, locked)
    found = rebalance.rebalance(
        problem, more=more, leaving=_grid(held, leaving, "leaving"), joining=_grid(held, joining, "joining"),
        progress=progress, cancel=cancel,
    )  # fmt: skip
    if name is not None:
        row, revision = drafts.copy(session, row.id, name, author), 0
    what = {"weight": weight, "tolerance": tolerance, "more": more, "seed": seed}
    done = drafts.apply(session, row.id, revision, "rebalance", found.partition, what, author)
    changed = [grid.code for grid in done.grids]
    return Balanced(done.plan, done.name, done.revision, changed, done.removed, _told(found, held))


def _problem(
    held: Stored, load: np.ndarray[Any, np.dtype[np.float64]], tolerance: float, seed: int,
    locked: Sequence[str],
) -> Problem:  # fmt: skip
    partition, posts, kept = held.partition, held.posts, held.locked.copy()
    for code in locked:
        kept[_grid(held, code, "lock")] = True
    fixed = np.append(kept, False)[partition.grid] if kept.any() else None
    problem = Problem(
        partition.graph, load, partition.k, tolerance=tolerance, seed=seed, start=partition.grid
    )
    nesting: Any = held.plan.nesting
    return replace(
        problem, nesting=nesting, locked=fixed, posts=posts if (posts != 1).any() else None
    ).counted()


def _grid(held: Stored, code: str | None, field: str) -> int | None:
    if code is None:
        return None
    if code not in held.codes:
        raise RefusedArgument(
            f"方案没有网格 {code}。", f"The plan has no grid {code}.", code="grid-unknown", field=field,
            do_zh="请用该方案的网格编码。", do_en="Use a code of this plan's grids.",
        )  # fmt: skip
    return held.codes.index(code)


def _told(found: Rebalanced, held: Stored) -> dict[str, Any]:
    """The result but for the labels; a reason names its grid by code (None: several, or the new one)."""
    names = dict(enumerate(held.codes))
    stuck = [{**asdict(one), "grid": names.get(one.grid)} for one in found.stuck]
    plain = {name: value for name, value in vars(found).items() if name not in ("partition", "stuck")}
    return {**plain, "stuck": stuck}

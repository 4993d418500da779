"""What a meeting needs to know before plan B replaces plan A: changes, scores, replay, what is still wrong or excepted."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.cases import CaseFilter
from geo.columns import Columns
from grids import comparing, plans, replay
from grids.comparing import Comparison
from grids.constraints import Violation
from grids.replay import Replay


@dataclass(frozen=True)
class Excepted:
    """A rule that the later plan may break: which, on which grid (None: the plan), why, who allowed it."""

    rule: str
    grid_code: str | None
    reason: str
    author: str


@dataclass(frozen=True, eq=False)
class Impact:
    """Everything an impact statement says, as values."""

    comparison: Comparison
    replay: Replay
    violations: list[Violation]
    exceptions: list[Excepted]


def impact(
    session: Session,
    columns: Columns,
    a: int | str,
    b: int | str,
    where: CaseFilter | None = None,
    *,
    weight: str = "cases",
    tolerance: float = 0.10,
    near_m: float | None = None,
    seed: int = 0,
) -> Impact:
    """The impact of going from plan a to plan b, with the cases that `where` wants replayed under both.

    Raises what `comparing.compare` and `replay.replay` raise. A weight that cases do not carry (households, area) is
    judged by that weight and replayed by number of cases.
    """
    chosen = where or CaseFilter()
    compared = comparing.compare(
        session, a, b, first=chosen.from_date, stop=chosen.to_date,
        weight=weight, tolerance=tolerance, near_m=near_m,
    )  # fmt: skip
    replayed = replay.replay(
        session, columns, compared.a.plan.id, compared.b.plan.id, chosen,
        weight=weight if weight in replay.WEIGHTS else "cases", near_m=near_m, seed=seed,
    )  # fmt: skip
    later = compared.b.plan.id
    return Impact(compared, replayed, plans.check(session, later), exceptions(session, later))


def exceptions(session: Session, plan_id: int) -> list[Excepted]:
    """The exceptions recorded for a plan, oldest first."""
    rows = session.execute(
        text("SELECT rule, grid_code, reason, author FROM plan_exception WHERE plan_id = :p ORDER BY id"),
        {"p": plan_id},
    )
    return [Excepted(r.rule, r.grid_code, r.reason, r.author) for r in rows]

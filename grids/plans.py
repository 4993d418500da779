"""Plans over time: propose, look at, approve from a date, withdraw before it starts.

From the first approved date on exactly one plan holds at any instant; the database's exclusion constraint keeps it so.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from geo.codes import parse
from geo.db.tables import Audit, Plan
from geo.db.versions import bump
from geo.errors import Conflict, RefusedArgument
from grids import codes, constraints, measures, refusals, stored, units, weights
from grids.constraints import Violation
from grids.partition import Partition
from grids.stored import city_today, code_template, days, find

APPROVAL_LOCK = 0x57414E47  # one approval at a time; the exclusion constraint stands behind it


@dataclass(frozen=True)
class Listed:
    """One line of `wangge plan list`. `valid_to` is the first day on which the plan no longer holds."""

    id: int
    name: str
    state: str
    valid_from: dt.date | None
    valid_to: dt.date | None
    holds_today: bool
    grids: int
    nesting: str
    origin: str
    revision: int
    author: str
    created_at: dt.datetime


def check(session: Session, plan: int | str) -> list[Violation]:
    """Every rule the plan breaks; empty means it may be approved."""
    row = find(session, plan)
    held = stored.read(session, row, units.read(session, city_today(session)))
    return constraints.violations(held.partition, held.codes, row.nesting, code_template(session))


def score(
    session: Session, plan: int | str, weight: str = "cases", tolerance: float = 0.10
) -> measures.Score:
    """The plan's scorecard by one weight; grids within `tolerance` (0–1) of the mean load count as even."""
    if not 0 <= tolerance <= 10:
        raise RefusedArgument(
            f"容差 {tolerance:g} 不可用。", f"A tolerance of {tolerance:g} is not possible.", code="tolerance",
            field="tolerance", measured=tolerance, allowed=[0, 10],
            do_zh="请用 0.10 这样的数。", do_en="Use a number such as 0.10.",
        )  # fmt: skip
    graph = units.read(session, city_today(session))
    held = stored.read(session, find(session, plan), graph)
    return measures.score(held.partition, weights.read(session, graph, weight), tolerance)


def approve(session: Session, plan: int | str, valid_from: dt.date, planner: str = "operator") -> Listed:
    """Puts a draft into force from a date on; the plan that held then ends the day before.

    The first approved plan may start at any past date, later ones not before today. When somebody approved another
    plan meanwhile, Conflict `plan-conflict` names it; a plan that breaks a rule is refused with every violation.
    """
    row = find(session, plan)
    seen = _approved(session)
    refusals.check_draft(row)
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": APPROVAL_LOCK})
    session.refresh(row)
    refusals.check_draft(row)
    now = _approved(session)
    if now != seen:
        raise refusals.overtaken(session, row, sorted(set(now) - set(seen))[:1])
    today = city_today(session)
    if now and valid_from < today:
        raise refusals.too_early(valid_from, today)
    refusals.refuse_broken(row, check(session, row.id))
    _put_in_force(session, row, valid_from, planner)
    audit(session, planner, "approve", row, valid_from=valid_from.isoformat())
    bump(session, "plans")
    return show(session, row.id)


def withdraw(session: Session, plan: int | str, planner: str = "operator") -> Listed:
    """Takes an approved plan back before it starts; the plan before it goes on in its place."""
    row = find(session, plan)
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": APPROVAL_LOCK})
    session.refresh(row)
    start, end = days(row.during)
    today = city_today(session)
    if row.state != "approved" or start is None or start <= today:
        raise Conflict(
            f"方案“{row.name}”"
            + ("已经生效，不能撤回。" if row.state == "approved" else "没有批准，无可撤回。"),
            f"Plan {row.name!r} "
            + ("has started and cannot be withdrawn." if row.state == "approved" else "is not approved."),
            code="plan-started" if row.state == "approved" else "plan-not-approved",
            plan=row.name,
            do_zh="请另提一个方案并批准。",
            do_en="Propose and approve another plan instead.",
        )
    row.state, row.during = "withdrawn", None
    session.flush()
    session.execute(
        text(
            "UPDATE plan SET during = daterange(lower(during), CAST(:end AS date)) "
            "WHERE state = 'approved' AND upper(during) = CAST(:start AS date)"
        ),
        {"start": start, "end": end},
    )
    audit(session, planner, "withdraw", row, valid_from=start.isoformat())
    bump(session, "plans")
    return show(session, row.id)


def listing(session: Session) -> list[Listed]:
    """All plans: approved ones by date, then drafts and withdrawn ones, newest first."""
    today = city_today(session)
    found = session.execute(
        text("SELECT plan_id, count(*) AS n FROM grid WHERE geom IS NOT NULL GROUP BY plan_id")
    )
    counts = {row.plan_id: row.n for row in found}
    rows = session.query(Plan).all()
    rows.sort(key=lambda p: (p.state != "approved", days(p.during)[0] or dt.date.max, -p.id))
    return [_listed(row, counts.get(row.id, 0), today) for row in rows]


def show(session: Session, plan: int | str) -> Listed:
    """One plan."""
    row = find(session, plan)
    session.refresh(row)
    count = (
        session.scalar(
            text("SELECT count(*) FROM grid WHERE plan_id = :p AND geom IS NOT NULL"), {"p": row.id}
        )
        or 0
    )
    return _listed(row, int(count), city_today(session))


def assignment(session: Session, plan: int | str) -> list[dict[str, Any]]:
    """unit code, grid code, grid name and area code of every unit, in unit order; grid null where a unit is open."""
    graph = units.read(session, city_today(session))
    held = stored.read(session, find(session, plan), graph)
    return [
        {
            "unit": graph.codes[u],
            "grid": held.codes[g] if g >= 0 else None,
            "grid_name": held.names[g] if g >= 0 else None,
            "area": graph.area_codes[graph.area[u]] if graph.area[u] >= 0 else None,
        }
        for u, g in enumerate(held.partition.grid.tolist())
    ]


def name_grids(session: Session, partition: Partition) -> list[codes.Named]:
    """Codes for a new plan's grids, given the plan in force and every code ever approved."""
    return _named(session, partition, holding(session, city_today(session)))


def _named(session: Session, partition: Partition, current: Plan | None) -> list[codes.Named]:
    template = code_template(session)
    former: dict[int, str] = {}
    if current is not None:
        before = stored.read(session, current, partition.graph)
        former = codes.kept(partition, before.partition, before.codes)
    used: dict[str, set[int]] = {}
    for code in session.scalars(
        text(
            "SELECT DISTINCT g.code FROM grid g JOIN plan p ON p.id = g.plan_id WHERE p.approved_at IS NOT NULL"
        )
    ):
        known = parse(code, template)
        if known is not None:
            used.setdefault(known.area, set()).add(known.sequence)
    return codes.assign(partition, template, used, former)


def holding(session: Session, day: dt.date) -> Plan | None:
    """The plan in force on a day."""
    found: Plan | None = (
        session.query(Plan).filter(Plan.state == "approved", Plan.during.contains(day)).one_or_none()
    )
    return found


def _approved(session: Session) -> dict[int, tuple[dt.date | None, dt.date | None]]:
    rows = session.execute(
        text("SELECT id, lower(during), upper(during) FROM plan WHERE state = 'approved'")
    ).all()
    return {r[0]: (r[1], r[2]) for r in rows}


def _put_in_force(session: Session, row: Plan, start: dt.date, planner: str) -> None:
    """Ends the predecessor, starts the plan; the constraint has the last word."""
    name, plan_id = row.name, row.id
    end = session.scalar(
        text(
            "SELECT min(lower(during)) FROM plan WHERE state = 'approved' AND lower(during) > CAST(:d AS date)"
        ),
        {"d": start},
    )
    try:
        with session.begin_nested():
            session.execute(
                text(
                    "UPDATE plan SET during = daterange(lower(during), CAST(:d AS date)) WHERE state = 'approved' "
                    "AND during @> CAST(:d AS date) AND lower(during) < CAST(:d AS date)"
                ),
                {"d": start},
            )
            row.state, row.during = "approved", Range(start, end, bounds="[)")
            row.approved_at = dt.datetime.now(dt.UTC)
            session.flush()
    except IntegrityError as problem:
        if getattr(getattr(problem.orig, "diag", None), "constraint_name", "") != "ex_plan_city_during":
            raise
        session.expire_all()
        others = session.scalars(
            text(
                "SELECT id FROM plan WHERE state = 'approved' AND during && daterange(CAST(:d AS date), NULL)"
            ),
            {"d": start},
        ).all()
        raise refusals.overtaken(session, find(session, plan_id), list(others)[:1], name) from problem


def _listed(row: Plan, count: int, today: dt.date) -> Listed:
    start, end = days(row.during)
    holds = row.state == "approved" and start is not None and start <= today and (end is None or today < end)
    return Listed(
        row.id, row.name, row.state, start, end, holds, count, row.nesting, row.origin, row.revision, row.author,
        row.created_at,
    )  # fmt: skip


def audit(session: Session, who: str, act: str, plan: Plan, **what: Any) -> None:
    """Writes down who did what to a plan."""
    session.add(Audit(who=who, act=f"plan.{act}", what={"plan": plan.id, "name": plan.name, **what}))
    session.flush()


__all__ = [
    "Listed",
    "approve",
    "assignment",
    "check",
    "city_today",
    "listing",
    "score",
    "show",
    "withdraw",
]

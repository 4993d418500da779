"""Which plan holds when: active and retired are questions about a date, nothing runs at midnight."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.db.tables import Plan
from grids.stored import city_today, days, find

Period = tuple[dt.date | None, dt.date | None]


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


def plan_at(session: Session, day: dt.date) -> Plan | None:
    """The approved plan in force on a day: from the first approved date on there is exactly one, before it None."""
    found: Plan | None = (
        session.query(Plan).filter(Plan.state == "approved", Plan.during.contains(day)).one_or_none()
    )
    return found


def base_of(session: Session, row: Plan) -> Plan | None:
    """The approved (or once approved) plan a draft was made from, through the drafts between; None when from nothing."""
    base, seen = row, {row.id}
    while base.based_on_id is not None and base.based_on_id not in seen:
        seen.add(base.based_on_id)
        base = session.get_one(Plan, base.based_on_id)
        if base.approved_at is not None:
            return base
    return None


def periods(session: Session) -> dict[int, Period]:
    """Every approved plan's first day and first day after it, by id."""
    rows = session.execute(
        text("SELECT id, lower(during) AS first, upper(during) AS stop FROM plan WHERE state = 'approved'")
    )
    return {row.id: (row.first, row.stop) for row in rows}


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
    count = session.scalar(
        text("SELECT count(*) FROM grid WHERE plan_id = :p AND geom IS NOT NULL"), {"p": row.id}
    )
    return _listed(row, int(count or 0), city_today(session))


def _listed(row: Plan, count: int, today: dt.date) -> Listed:
    start, end = days(row.during)
    holds = row.state == "approved" and start is not None and start <= today and (end is None or today < end)
    return Listed(
        row.id, row.name, row.state, start, end, holds, count, row.nesting, row.origin, row.revision, row.author,
        row.created_at,
    )  # fmt: skip

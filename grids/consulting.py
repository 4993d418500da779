"""A draft open to the public until a day: opened and closed by an act of somebody, never by itself.

The public sees a draft only while it is open: it is a draft still, somebody opened it, nobody closed it, and its last day
is not over on the city's clock. What the public may then say stands in `remarks`.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.db.clock import city_today
from geo.db.tables import Audit, Consultation, Plan
from geo.errors import Conflict, RefusedArgument
from grids import refusals, stored

MOST_DAYS = 366


@dataclass(frozen=True)
class Opening:
    """Until when (the last day included) a draft is open, since when, and by whom; `open` says whether it is now."""

    open: bool
    last_day: dt.date
    opened_by: str
    opened_at: dt.datetime


def open_until(session: Session, plan: int | str, last_day: dt.date, author: str = "operator") -> Opening:
    """Opens a draft to the public, or moves its last day.

    Raises Conflict `plan-not-draft`; RefusedArgument `consultation-day` for a day before today or more than a year away.
    """
    row = stored.find(session, plan)
    session.refresh(row, with_for_update=True)
    refusals.check_draft(row)
    today = city_today(session)
    if not today <= last_day <= today + dt.timedelta(days=MOST_DAYS):
        raise RefusedArgument(
            f"截止日 {last_day} 须在 {today} 与其后 {MOST_DAYS} 天之间。",
            f"The last day {last_day} must lie between {today} and {MOST_DAYS} days later.",
            code="consultation-day", field="until", measured=str(last_day),
        )  # fmt: skip
    found = session.get(Consultation, row.id)
    if found is None or found.closed_at is not None or found.last_day < today:
        found = session.merge(Consultation(plan_id=row.id, last_day=last_day, opened_by=author))
        found.opened_at, found.closed_at = dt.datetime.now(dt.UTC), None
    found.last_day = last_day
    session.add(Audit(who=author, act="plan.consult", what={"plan": row.id, "until": str(last_day)}))
    session.flush()
    return _opening(row, found, today)


def close(session: Session, plan: int | str, author: str = "operator") -> Opening:
    """Takes a draft from the public's eyes at once. Raises Conflict `consultation-closed` where it is not open."""
    row = stored.find(session, plan)
    session.refresh(row, with_for_update=True)
    now = opening(session, row)
    if now is None or not now.open:
        raise Conflict(
            f"方案“{row.name}”没有在征求意见。", f"Plan {row.name!r} is not open to the public.",
            code="consultation-closed", field="plan",
        )  # fmt: skip
    found = session.get_one(Consultation, row.id)
    found.closed_at = dt.datetime.now(dt.UTC)
    session.add(Audit(who=author, act="plan.consult-close", what={"plan": row.id}))
    session.flush()
    return _opening(row, found, city_today(session))


def opening(session: Session, row: Plan) -> Opening | None:
    """How a plan is or was open to the public; None where it never was."""
    found = session.get(Consultation, row.id)
    return None if found is None else _opening(row, found, city_today(session))


def seen(session: Session, plan_id: int) -> Plan | None:
    """A draft that the public may see now; None for every other number."""
    row = session.get(Plan, plan_id)
    found = None if row is None else opening(session, row)
    return row if found is not None and found.open else None


def last_day(session: Session, plan_id: int) -> dt.date:
    """The last day of a draft that is open."""
    return session.get_one(Consultation, plan_id).last_day


def outlines(session: Session, plan_id: int) -> list[tuple[str, str, tuple[float, float, float, float]]]:
    """(code, name, box in degrees) of every grid of a plan, by code: what the public picks one from."""
    rows = session.execute(_OUTLINES, {"p": plan_id}).all()
    return [(r.code, r.name, (r.west, r.south, r.east, r.north)) for r in rows]


def _opening(row: Plan, found: Consultation, today: dt.date) -> Opening:
    now = row.state == "draft" and found.closed_at is None and found.last_day >= today
    return Opening(now, found.last_day, found.opened_by, found.opened_at)


_OUTLINES = text(
    "SELECT code, name, ST_XMin(geom) AS west, ST_YMin(geom) AS south, ST_XMax(geom) AS east, ST_YMax(geom) AS north "
    "FROM grid WHERE plan_id = :p AND geom IS NOT NULL ORDER BY code"
)

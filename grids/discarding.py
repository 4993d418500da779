"""Throwing a draft away: it was never in force, so nothing is lost but the work on it."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.db.tables import Audit
from geo.db.versions import bump
from grids import refusals, stored


def discard(session: Session, plan: int | str, author: str = "operator") -> str:
    """Removes a draft with its grids, edits and comments; returns its name. Plans based on it are then based on what it
    was based on.

    Raises Conflict `plan-not-draft` for a plan that was approved or withdrawn: those are history.
    """
    row = stored.find(session, plan)
    session.refresh(row, with_for_update=True)
    refusals.check_draft(row)
    found = {"plan": row.id, "parent": row.based_on_id}
    session.execute(text("UPDATE plan SET based_on_id = :parent WHERE based_on_id = :plan"), found)
    for table in ("plan_unit", "grid"):  # in this order: a row of the first points to one of the second
        session.execute(text(f"DELETE FROM {table} WHERE plan_id = :plan"), found)  # noqa: S608
    session.add(
        Audit(
            who=author, act="plan.discard", what={"plan": row.id, "name": row.name, "revision": row.revision}
        )
    )
    name = row.name
    session.delete(row)
    session.flush()
    bump(session, "plans")
    return name

"""Plans over time: look at, check, score, approve from a date, withdraw before it starts.

From the first approved date on exactly one plan holds at any instant; the database's exclusion constraint keeps it so.
The parts stand in files of their own; this is their door.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy.orm import Session

from geo.db.tables import Audit, Plan
from grids import measures, recoding, refusals, stored, units, weights
from grids.approval import approve, withdraw
from grids.checking import check, checked
from grids.codes import Named
from grids.exporting import assignment
from grids.partition import Partition
from grids.stored import city_today, find
from grids.timeline import Listed, listing, plan_at, show


def score(
    session: Session, plan: int | str, weight: str = "cases", tolerance: float = 0.10
) -> measures.Score:
    """The plan's scorecard by one weight; grids within `tolerance` (0–1) of the mean load count as even."""
    refusals.check_tolerance(tolerance)
    graph = units.read(session, city_today(session))
    held = stored.read(session, find(session, plan), graph)
    return measures.score(held.partition, weights.read(session, graph, weight), tolerance)


def name_grids(session: Session, partition: Partition) -> list[Named]:
    """Codes for a new plan's grids, given the plan in force and every code ever approved."""
    current = plan_at(session, city_today(session))
    before = stored.read(session, current, partition.graph) if current is not None else None
    return recoding.named(session, partition, before)


def holding(session: Session, day: dt.date) -> Plan | None:
    """The plan in force on a day."""
    return plan_at(session, day)


def audit(session: Session, who: str, act: str, plan: Plan, **what: Any) -> None:
    """Writes down who did what to a plan."""
    session.add(Audit(who=who, act=f"plan.{act}", what={"plan": plan.id, "name": plan.name, **what}))
    session.flush()


__all__ = [
    "Listed",
    "approve",
    "assignment",
    "audit",
    "check",
    "checked",
    "city_today",
    "holding",
    "listing",
    "name_grids",
    "plan_at",
    "score",
    "show",
    "withdraw",
]

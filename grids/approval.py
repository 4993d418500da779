"""A plan comes into force from a date on, or is taken back before it starts: one transaction each, one winner each.

From the first approved date on exactly one plan holds at any instant. Approvals go one at a time under an advisory
lock; the exclusion constraint of the database stands behind it, and its triggers keep what is approved as it is.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from geo.db.tables import Audit, Plan
from geo.db.versions import bump
from grids import checking, differences, lineage, recoding, refusals, stored, units
from grids.codes import Named
from grids.constraints import Violation
from grids.lineage import Passed
from grids.stored import Stored, city_today, days, find
from grids.timeline import Listed, Period, base_of, periods, plan_at, show

APPROVAL_LOCK = 0x57414E47  # one approval at a time; the exclusion constraint stands behind it


WHOLE_CITY = frozenset(
    {"proposed", "imported", "drawn"}
)  # plans that were not made by redrawing a part of another


@dataclass(frozen=True)
class _Ready:
    """A plan that may be approved after the plan before it: its final codes and what grids pass on to which."""

    held: Stored
    before: Stored | None
    named: list[Named] | None
    passed: list[Passed]
    excepted: list[Violation]


def approve(session: Session, plan: int | str, valid_from: dt.date, planner: str = "operator") -> Listed:
    """Puts a draft into force from a date on; the plan that held then ends the day before.

    The first approved plan may start at any past date, later ones not before today on the city's clock. Conflict
    `plan-conflict` names the winner when somebody approved another plan meanwhile, or since this draft was made from
    an older one (`grids.rebasing` helps then). A plan that breaks a rule without an exception is refused with every
    violation, `grid-gap` when units are open.
    """
    row = find(session, plan)
    seen = periods(session)
    session.refresh(row, with_for_update=True)  # nobody edits it from here on
    refusals.check_draft(row)
    ready = _prepare(
        session, row, valid_from, seen
    )  # outside the lock: nobody waits for the check of a large city
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": APPROVAL_LOCK})
    now = periods(session)
    if now != seen:
        raise refusals.overtaken(session, row, _latest(session, set(now) - set(seen)))
    _put_in_force(session, ready, valid_from, planner)
    bump(session, "plans")
    return show(session, row.id)


def withdraw(session: Session, plan: int | str, planner: str = "operator") -> Listed:
    """Takes an approved plan back before it starts; the plan before it goes on in its place.

    Raises Conflict `plan-started` (today counts as started) or `plan-not-approved`.
    """
    row = find(session, plan)
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": APPROVAL_LOCK})
    session.refresh(row)
    start, end = days(row.during)
    if row.state != "approved" or start is None or start <= city_today(session):
        raise refusals.not_withdrawable(row)
    row.state, row.during = "withdrawn", None
    session.flush()
    session.execute(
        text(
            "UPDATE plan SET during = daterange(lower(during), CAST(:end AS date)) "
            "WHERE state = 'approved' AND upper(during) = CAST(:start AS date)"
        ),
        {"start": start, "end": end},
    )
    _audit(session, planner, "withdraw", row, valid_from=start.isoformat())
    bump(session, "plans")
    return show(session, row.id)


def _prepare(session: Session, row: Plan, valid_from: dt.date, seen: dict[int, Period]) -> _Ready:
    today = city_today(session)
    if seen and valid_from < today:
        raise refusals.too_early(valid_from, today)
    if any(first == valid_from for first, _ in seen.values()):
        raise refusals.overtaken(session, row, [p for p, (first, _) in seen.items() if first == valid_from])
    predecessor = plan_at(session, valid_from)
    base = base_of(session, row)
    graph = units.read(session, today)
    held = stored.read(session, row, graph)
    before = stored.read(session, predecessor, graph) if predecessor is not None else None
    if before is not None and base is not None and row.origin not in WHOLE_CITY:
        _keep_what_came_between(session, held, base, before)
    named = recoding.final(session, held, before, made_from=base)
    final = held if named is None else _recoded(held, named)
    checked = checking.of(session, held, named=named, predecessor=predecessor)
    refusals.refuse_broken(row, checked.walls, lambda: stored.gap(session, held))
    passed = lineage.between(before, final, lineage.weigh(session, graph)) if before is not None else []
    return _Ready(held, before, named, passed, checked.excepted)


def _keep_what_came_between(session: Session, held: Stored, base: Plan, before: Stored) -> None:
    """A redrawn copy of a plan must not undo what another plan changed since: Conflict `plan-conflict` names the units."""
    if base.id != before.plan.id:
        lost = differences.undone(stored.read(session, base, held.partition.graph), held, before)
        if lost:
            raise refusals.outdated(held.plan, base, before.plan, lost)


def _recoded(held: Stored, named: list[Named]) -> Stored:
    return Stored(
        held.plan,
        held.partition,
        held.grid_ids,
        tuple(one.code for one in named),
        held.names,
        held.posts,
        held.locked,
    )


def _put_in_force(session: Session, ready: _Ready, start: dt.date, planner: str) -> None:
    """Codes, lineage, the predecessor's end, the start: all or nothing."""
    row = ready.held.plan
    moved = recoding.write(session, ready.held, ready.named) if ready.named is not None else {}
    if ready.before is not None:
        lineage.store(session, row.id, ready.before.plan.id, ready.passed)
    _date(session, row, start, planner)
    _audit(
        session, planner, "approve", row, valid_from=start.isoformat(), codes=moved,
        excepted=[[one.rule, one.grid] for one in ready.excepted],
    )  # fmt: skip


def _date(session: Session, row: Plan, start: dt.date, planner: str) -> None:
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
            row.approved_at, row.approved_by = dt.datetime.now(dt.UTC), planner
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


def _latest(session: Session, plan_ids: set[int]) -> list[int]:
    """The one of some plans that was approved last."""
    return list(
        session.scalars(
            text("SELECT id FROM plan WHERE id = ANY(:ids) ORDER BY approved_at DESC LIMIT 1"),
            {"ids": sorted(plan_ids)},
        )
    )


def _audit(session: Session, who: str, act: str, plan: Plan, **what: Any) -> None:
    session.add(Audit(who=who, act=f"plan.{act}", what={"plan": plan.id, "name": plan.name, **what}))
    session.flush()

"""Where a draft comes from when no engine proposes one: a copy of a plan, or nothing at all."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.db.tables import Audit, Plan
from geo.db.versions import bump
from grids import hands, stored, units
from grids.partition import Partition


def copy(session: Session, source: int | str, name: str, author: str) -> Plan:
    """A new draft that is like another plan today: its grids with codes, names, posts and locks, its settings.

    Raises NotFound, RefusedArgument `plan-name`, `plan-name-taken`.
    """
    origin = stored.find(session, source)
    plan = _new(session, name, author, nesting=origin.nesting, origin="copied", based_on_id=origin.id)
    plan.bands, plan.settings = dict(origin.bands), dict(origin.settings)
    session.flush()
    both = {"plan": plan.id, "origin": origin.id}
    session.execute(text(_GRIDS), both)
    session.execute(text(_UNITS), both)
    hands.hand_on(session, origin, plan.id)
    bump(session, "drafts")
    return plan


def empty(session: Session, name: str, author: str, nesting: str = "strict") -> Plan:
    """A new draft without grids: every unit is open."""
    graph = units.read(session, stored.city_today(session))
    plan = stored.write(
        session,
        name,
        Partition(graph, graph.area * 0 - 1, 0),
        [],
        nesting=nesting,
        origin="drawn",
        author=author,
    )
    session.execute(
        text(
            "INSERT INTO plan_unit (plan_id, unit_id, grid_id) SELECT :plan, u, NULL "
            "FROM unnest(CAST(:units AS integer[])) AS u"
        ),
        {"plan": plan.id, "units": graph.ids.tolist()},
    )
    session.add(Audit(who=author, act="plan.begin", what={"plan": plan.id, "name": name}))
    session.flush()
    bump(session, "drafts")
    return plan


def _new(session: Session, name: str, author: str, *, nesting: str, origin: str, based_on_id: int) -> Plan:
    stored.check_name(session, name)
    plan = Plan(
        name=name,
        author=author,
        nesting=nesting,
        origin=origin,
        based_on_id=based_on_id,
        during=None,
        city_id=1,
    )
    session.add(plan)
    session.add(Audit(who=author, act="plan.copy", what={"name": name, "of": based_on_id}))
    session.flush()
    return plan


_GRIDS = """
INSERT INTO grid (plan_id, code, name, area_code, geom, area_m2, perimeter_m, posts, locked)
SELECT :plan, code, name, area_code, geom, area_m2, perimeter_m, posts, locked FROM grid
WHERE plan_id = :origin AND geom IS NOT NULL"""
_UNITS = """
INSERT INTO plan_unit (plan_id, unit_id, grid_id)
SELECT :plan, held.unit_id, own.id FROM (
  SELECT DISTINCT ON (unit_id) unit_id, grid_id FROM plan_unit WHERE plan_id = :origin ORDER BY unit_id, revision DESC
) held LEFT JOIN grid theirs ON theirs.id = held.grid_id
LEFT JOIN grid own ON own.plan_id = :plan AND own.code = theirs.code"""

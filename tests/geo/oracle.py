"""The same questions asked of PostGIS in SQL: the oracle of every measure, layer and filter."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.cases import CaseFilter

OPEN = "coalesce(c.closed_at > :asof, c.status <> 1)"
BEGUN = "(c.status <> 2 AND c.opened_at <= :asof)"

# measure -> (value over the wanted rows, n over the wanted rows)
MEASURE = {
    "cases": ("count(*)", "count(*)"),
    "open": (f"count(*) FILTER (WHERE {BEGUN} AND {OPEN})",) * 2,
    "overdue": (f"count(*) FILTER (WHERE {BEGUN} AND {OPEN} AND c.due_at < :asof)",) * 2,
    "per_km2": ("count(*) / nullif(max(z.area_m2) / 1e6, 0)", "count(*)"),
    "per_1000_households": ("count(*) * 1000 / nullif(max(z.households), 0)", "count(*)"),
    "median_days_to_close": (
        "percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM c.closed_at - c.opened_at) / 86400) "
        "FILTER (WHERE c.status <> 2 AND c.closed_at <= :asof)",
        "count(*) FILTER (WHERE c.status <> 2 AND c.closed_at <= :asof)",
    ),
    "response_share": (
        f"count(*) FILTER (WHERE {BEGUN} AND c.dispatched_at <= :asof)::float8 / nullif(count(*) FILTER (WHERE {BEGUN}), 0)",
        f"count(*) FILTER (WHERE {BEGUN})",
    ),
    "resolved_share": (
        f"count(*) FILTER (WHERE {BEGUN} AND NOT {OPEN})::float8 / nullif(count(*) FILTER (WHERE {BEGUN}), 0)",
        f"count(*) FILTER (WHERE {BEGUN})",
    ),
    "satisfied_share": (
        "count(*) FILTER (WHERE c.satisfied)::float8 / nullif(count(c.satisfied), 0)",
        "count(c.satisfied)",
    ),
}

# the zone of a case: a code, or one of the three words
GRID = """
CASE WHEN c.geom IS NULL THEN '*unplaced' WHEN c.unit_id IS NULL THEN '*outside' ELSE coalesce((
    WITH RECURSIVE up(id, parent_id, depth) AS (
        SELECT id, parent_id, 0 FROM unit WHERE id = c.unit_id
        UNION ALL SELECT u.id, u.parent_id, depth + 1 FROM unit u JOIN up ON u.id = up.parent_id)
    SELECT coalesce(g.code, '*open') FROM up JOIN plan_unit p ON p.unit_id = up.id AND p.plan_id = {plan}
    LEFT JOIN grid g ON g.id = p.grid_id ORDER BY up.depth, p.revision DESC LIMIT 1), '*outside') END
"""
THE_PLAN = ":plan"
AS_WAS = (
    """(SELECT id FROM plan WHERE state = 'approved' AND during @> (c.opened_at AT TIME ZONE :tz)::date)"""
)
LEVEL = """
CASE WHEN c.geom IS NULL THEN '*unplaced' ELSE coalesce((
    SELECT b.code FROM boundary b JOIN edition e ON e.id = b.edition_id JOIN level l ON l.id = e.level_id
    WHERE l.name = :level AND e.during @> CAST(:on AS date) AND ST_Intersects(b.geom, c.geom)
    ORDER BY b.code LIMIT 1), '*outside') END
"""


def zone_sql(by: str, as_was: bool = False) -> str:
    """The SQL of a case's zone for grids and levels."""
    return GRID.format(plan=AS_WAS if as_was else THE_PLAN) if by == "grid" else LEVEL


def filter_sql(where: CaseFilter) -> str:
    """The SQL of a case filter."""
    parts = ["true"]
    if where.from_date:
        parts.append("(c.opened_at AT TIME ZONE :tz)::date >= :from_date")
    if where.to_date:
        parts.append("(c.opened_at AT TIME ZONE :tz)::date < :to_date")
    if where.categories:
        parts.append(
            "(coalesce(t.code, k.code) = ANY(:keys) OR coalesce(t.code || '/' || k.code, k.code) = ANY(:keys))"
        )
    if where.origins:
        parts.append("c.origin = ANY(:origins)")
    if where.statuses:
        parts.append("c.status = ANY(:statuses)")
    return " AND ".join(parts)


def ask(
    session: Session,
    *,
    by: str,
    where: CaseFilter,
    measure: str,
    asof: dt.datetime | None,
    timezone: str,
    plan: int | None = None,
    as_was: bool = False,
    on: dt.date | None = None,
    sizes: dict[str, tuple[float, float]] | None = None,
) -> dict[str, tuple[float, int]]:
    """code → (value, n) for every zone with cases, and `*unplaced`, `*outside`, `*open`; NaN where there is no value.

    sizes: code → (area_m2, households), for the rates.
    """
    value, n = MEASURE[measure]
    known = [(code, area, households) for code, (area, households) in (sizes or {}).items()]
    statement = text(
        f"WITH size(code, area_m2, households) AS (SELECT * FROM unnest(CAST(:codes AS text[]), "
        f"CAST(:areas AS float8[]), CAST(:households AS float8[]))) "
        f"SELECT q.zone, {value} AS value, {n} AS n FROM (SELECT c.*, {zone_sql(by, as_was)} AS zone FROM cases c) q "
        "JOIN cases c ON c.source_id = q.source_id AND c.id = q.id "
        "JOIN category k ON k.id = c.category_id LEFT JOIN category t ON t.id = k.parent_id "
        f"LEFT JOIN size z ON z.code = q.zone WHERE {filter_sql(where)} GROUP BY q.zone"
    )
    values: dict[str, Any] = {
        "codes": [k[0] for k in known],
        "areas": [k[1] for k in known],
        "households": [k[2] for k in known],
        "asof": asof or dt.datetime(1970, 1, 1, tzinfo=dt.UTC),
        "tz": timezone,
        "plan": plan,
        "level": by.partition("@")[0],
        "on": on,
        "from_date": where.from_date,
        "to_date": where.to_date,
        "keys": list(where.categories),
        "origins": list(where.origin_codes),
        "statuses": list(where.status_codes),
    }
    rows = session.execute(statement, values).all()
    return {row.zone: (np.nan if row.value is None else float(row.value), int(row.n)) for row in rows}

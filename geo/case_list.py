"""Single cases: filters, one zone or all, pages by key, as far as who asks may see.

Pages run over (source, number), the latest loaded first: that order is the primary key's, so a page costs what it
shows, however deep it lies; or over (due, source, number), the earliest due first and those without a due time last.
The text is the masked one that was stored.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any, Literal

import h3
import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.areas import CITY, HELD, Scope
from geo.cases import ORIGIN_NAME, STATUS_NAME, CaseFilter, category_key
from geo.columns import Columns
from geo.errors import NotFound
from geo.heat import PlanRef
from geo.zones import boundary_zones, grid_zones

Area = tuple[float, float, float, float]
CELL_BATCH = 500
EVERYTHING = CaseFilter()


@dataclass(frozen=True)
class Wanted:
    """Which cases. `placed`: `placed`, `unplaced` (no position) or `outside` (a position, no unit); None for all.

    A bbox whose west is east of its east crosses longitude 180. At most one of `units` (their ids), `area` (the id of a
    boundary; where areas overlap the lowest code has the case) and `cell` (an H3 cell) says where. `seen` limits all of it.
    """

    where: CaseFilter = EVERYTHING
    limit: int = 100
    after: tuple[int, int] | None = None
    after_due: str | None = None  # the due time of the key, `infinity` for none; with `by_due`
    by_due: bool = False
    state: Literal["open", "overdue"] | None = None  # at `asof`, as the measures of the same names count
    asof: dt.datetime | None = None
    source: str | None = None
    bbox: Area | None = None
    placed: str | None = None
    units: tuple[int, ...] | None = None
    area: int | None = None
    cell: str | None = None
    seen: Scope = CITY


def cases(session: Session, wanted: Wanted) -> list[dict[str, Any]]:
    """At most `limit` cases after the key `after`, each with `due_key`, the due time as a key."""
    if wanted.cell is not None:
        return _in_cell(session, wanted, wanted.cell)
    tests, values = _tests(wanted)
    order = _ORDERS[wanted.by_due]
    rows = session.execute(text(_LIST.format(tests=" AND ".join(tests) or "true", order=order)), values)
    return [_case(row) for row in rows.mappings()]


def case(session: Session, number: int, seen: Scope = CITY) -> dict[str, Any] | None:
    """One case by its number; None when there is none, or none that is seen."""
    tests, values = _seen(seen)
    tests.append("(c.source_id, c.id) IN (SELECT s.id, CAST(:number AS bigint) FROM source s)")
    asked = text(_LIST.format(tests=" AND ".join(tests), order=_ORDERS[False]))
    row = session.execute(asked, {**values, "number": number, "limit": 1}).mappings().one_or_none()
    return _case(row) if row else None


def units_of_grid(session: Session, columns: Columns, plan: PlanRef, code: str) -> tuple[int, ...]:
    """The ids of the units of one grid. Raises NotFound (`zone-unknown`)."""
    folded = grid_zones(session, columns, plan)
    at = folded.zones.find(code)
    if at is None:
        raise unknown_zone("grid", code)
    return tuple(columns.unit_ids[np.flatnonzero(folded.unit_zone == at)].tolist())


def area_of_level(session: Session, columns: Columns, level: str, on: Any, code: str) -> int:
    """The id of one area of the edition that holds on a date. Raises NotFound (`zone-unknown`, `level-unknown`)."""
    edition = boundary_zones(session, columns, level, on).edition_id
    found = session.scalar(
        text("SELECT id FROM boundary WHERE edition_id = :edition AND code = :code"),
        {"edition": edition, "code": code},
    )
    if found is None:
        raise unknown_zone(level, code)
    return int(found)


def unknown_zone(by: str, code: str) -> NotFound:
    """There is no such grid, area or cell."""
    return NotFound(
        f"{by} 图层没有编码 {code[:80]}。",
        f"There is no zone {code[:80]} in {by}.",
        code="zone-unknown",
        field="code",
    )


def _in_cell(session: Session, wanted: Wanted, cell: str) -> list[dict[str, Any]]:
    """Cases of an H3 cell: its box asks the database, H3 itself decides."""
    ring = h3.cell_to_boundary(cell)
    lats, lons = [lat for lat, _ in ring], [lon for _, lon in ring]
    box = (min(lons), min(lats), max(lons), max(lats))
    step = replace(wanted, cell=None, bbox=box, limit=CELL_BATCH)
    found: list[dict[str, Any]] = []
    while len(found) < wanted.limit:
        rows = cases(session, step)
        resolution = h3.get_resolution(cell)
        found += [row for row in rows if h3.latlng_to_cell(row["lat"], row["lon"], resolution) == cell]
        if len(rows) < CELL_BATCH:
            break
        step = replace(step, after=(rows[-1]["source_id"], rows[-1]["id"]), after_due=rows[-1]["due_key"])
    return found[: wanted.limit]


# The page is picked from the cases alone and named afterwards: joined first, the planner, who takes a key below
# (source, number) for a rare find, reads and sorts half the city for a page from its middle (measured: 9 s of 1 M).
_LIST = """
SELECT c.id, c.source_id, s.name AS source, c.source_case_id, c.opened_at, c.dispatched_at, c.due_at, c.closed_at,
  c.status, c.origin, c.urgency, c.satisfied, c.responsible_body, c.repeat_of, c.description, c.attributes,
  t.code AS sub, t.name AS category_name, t.name_en AS category_name_en, p.code AS top,
  ST_X(c.geom) AS lon, ST_Y(c.geom) AS lat, u.code AS unit, c.due_key
FROM (SELECT c.*, coalesce(c.due_at, 'infinity')::text AS due_key FROM cases c WHERE {tests} ORDER BY {order} LIMIT :limit) c
JOIN source s ON s.id = c.source_id JOIN category t ON t.id = c.category_id
LEFT JOIN category p ON p.id = t.parent_id LEFT JOIN unit u ON u.id = c.unit_id
ORDER BY {order}"""
_ORDERS = {
    False: "c.source_id DESC, c.id DESC",
    True: "coalesce(c.due_at, 'infinity'), c.source_id, c.id",
}
_S = "date_trunc('second', c.{})"  # the columns, which count, hold whole seconds
_OPEN = (
    f"c.status <> 2 AND {_S.format('opened_at')} <= :asof "
    f"AND coalesce({_S.format('closed_at')} > :asof, c.status <> 1)"
)
_TESTS = {
    "from": "c.opened_at >= CAST(:from AS timestamp) AT TIME ZONE (SELECT timezone FROM city)",
    "to": "c.opened_at < CAST(:to AS timestamp) AT TIME ZONE (SELECT timezone FROM city)",
    "categories": "c.category_id = ANY(ARRAY(SELECT t.id FROM category t LEFT JOIN category p ON p.id = t.parent_id "
    "WHERE coalesce(p.code || '/', '') || t.code = ANY(:categories) OR p.code = ANY(:categories)))",
    "origins": "c.origin = ANY(:origins)",
    "statuses": "c.status = ANY(:statuses)",
    "after": "(c.source_id, c.id) < (:after_source, :after_id)",
    "source": "c.source_id = (SELECT s.id FROM source s WHERE s.name = :source)",
    "after_due": "(coalesce(c.due_at, 'infinity'), c.source_id, c.id) > "
    "(CAST(:after_due AS timestamptz), :after_source, :after_id)",
    "open": _OPEN,
    "overdue": f"{_OPEN} AND {_S.format('due_at')} < :asof",
    "box": "ST_X(c.geom) BETWEEN :west AND :east AND ST_Y(c.geom) BETWEEN :south AND :north",
    "over180": "(ST_X(c.geom) >= :west OR ST_X(c.geom) <= :east) AND ST_Y(c.geom) BETWEEN :south AND :north",
    "units": "c.unit_id = ANY(:units)",
    "area": "EXISTS (SELECT FROM boundary b WHERE b.id = :area AND ST_Intersects(b.geom, c.geom) AND NOT EXISTS ("
    "SELECT FROM boundary o WHERE o.edition_id = b.edition_id AND o.code < b.code AND ST_Intersects(o.geom, c.geom)))",
    "placed": "c.unit_id IS NOT NULL",
    "unplaced": "c.geom IS NULL",
    "outside": "c.geom IS NOT NULL AND c.unit_id IS NULL",
}


def _tests(wanted: Wanted) -> tuple[list[str], dict[str, Any]]:
    """The conditions that are asked for and the values they need."""
    where, box = wanted.where, wanted.bbox
    over = box is not None and box[0] > box[2]
    asked: dict[str, dict[str, Any] | None] = {
        "from": {"from": where.from_date} if where.from_date else None,
        "to": {"to": where.to_date} if where.to_date else None,
        "categories": {"categories": list(where.categories)} if where.categories else None,
        "origins": {"origins": list(where.origin_codes)} if where.origins else None,
        "statuses": {"statuses": list(where.status_codes)} if where.statuses else None,
        "after_due" if wanted.by_due else "after": _key_values(wanted),
        "source": {"source": wanted.source} if wanted.source else None,
        "box" if not over else "over180": dict(zip(("west", "south", "east", "north"), box, strict=True))
        if box
        else None,
        "units": {"units": list(wanted.units)} if wanted.units is not None else None,
        "area": {"area": wanted.area} if wanted.area is not None else None,
    }
    if wanted.placed is not None:
        asked[wanted.placed] = {}
    if wanted.state is not None:
        asked[wanted.state] = {"asof": wanted.asof}
    limits, values = _seen(wanted.seen)
    values["limit"] = wanted.limit
    for needed in asked.values():
        values |= needed or {}
    return limits + [_TESTS[name] for name, needed in asked.items() if needed is not None], values


def _seen(seen: Scope) -> tuple[list[str], dict[str, Any]]:
    """The condition that keeps a query within a scope."""
    if seen.everything:
        return [], {}
    if seen.boundary is None:
        return ["false"], {}
    return [HELD], {"scope": seen.boundary}


def _key_values(wanted: Wanted) -> dict[str, Any] | None:
    """The key of the page before, in the order that is asked for; None for the first page."""
    if wanted.after is None:
        return None
    key: dict[str, Any] = {"after_source": wanted.after[0], "after_id": wanted.after[1]}
    return {**key, "after_due": wanted.after_due or "infinity"} if wanted.by_due else key


def _case(row: Any) -> dict[str, Any]:
    found = dict(row)
    top, sub = found.pop("top"), found.pop("sub")
    found["category"] = category_key(top, sub) if top else sub
    found["status"], found["origin"] = STATUS_NAME[found["status"]], ORIGIN_NAME[found["origin"]]
    return found

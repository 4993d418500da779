"""Single cases: filters, one zone, several together or all, pages by key, as far as who asks may see.

Pages run over (source, number), the latest loaded first: that order is the primary key's, so a page costs what it
shows, however deep it lies; or over (due, source, number), the earliest due first and those without a due time last.
The text is the masked one that was stored.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from threading import Lock
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
REMEMBERED = 64
EVERYTHING = CaseFilter()


@dataclass(frozen=True)
class Areas:
    """Boundaries of one edition by their ids, and the units that help to find their cases: `within` lie in them wholly, so
    their cases do; of `beside`, which a border crosses or touches, and of cases without a unit the point decides."""

    ids: tuple[int, ...]
    within: tuple[int, ...]
    beside: tuple[int, ...]


@dataclass(frozen=True)
class Wanted:
    """Which cases. `placed`: `placed`, `unplaced` (no position) or `outside` (a position, no unit); None for all.

    A bbox whose west is east of its east crosses longitude 180. At most one of `units` (their ids), `areas` (of one
    edition; where they overlap the lowest code has the case) and `cells` (H3 cells of one resolution)
    says where: the cases of all of them are one list. `seen` limits all of it.
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
    areas: Areas | None = None
    cells: tuple[str, ...] | None = None
    seen: Scope = CITY


def cases(session: Session, wanted: Wanted) -> list[dict[str, Any]]:
    """At most `limit` cases after the key `after`, each with `due_key`, the due time as a key."""
    if wanted.cells is not None:
        return _in_cells(session, wanted, wanted.cells)
    return _listed(session, wanted)


def _listed(session: Session, wanted: Wanted) -> list[dict[str, Any]]:
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


def units_of_grids(
    session: Session, columns: Columns, plan: PlanRef, codes: Sequence[str]
) -> tuple[int, ...]:
    """The ids of the units of some grids, ascending. Raises NotFound (`zone-unknown`) naming the first that is not there."""
    folded = grid_zones(session, columns, plan)
    wanted = []
    for code in codes:
        zone = folded.zones.find(code)
        if zone is None:
            raise unknown_zone("grid", code)
        wanted.append(zone)
    return tuple(columns.unit_ids[np.isin(folded.unit_zone, wanted)].tolist())


def areas_of_level(session: Session, columns: Columns, level: str, on: Any, codes: Sequence[str]) -> Areas:
    """Areas of the edition that holds on a date. Raises NotFound (`zone-unknown`, `level-unknown`)."""
    edition = boundary_zones(session, columns, level, on).edition_id
    rows = session.execute(
        text("SELECT code, id FROM boundary WHERE edition_id = :edition AND code = ANY(:codes)"),
        {"edition": edition, "codes": list(codes)},
    )
    found = {row.code: int(row.id) for row in rows}
    for code in codes:
        if code not in found:
            raise unknown_zone(level, code)
    return _with_units(session, columns.version, tuple(sorted(found.values())))


def _with_units(session: Session, version: str, ids: tuple[int, ...]) -> Areas:
    """The areas with their units, remembered for a version of the columns: page after page asks the same."""
    with _lock:
        known = _areas.get((version, ids))
    if known is None:
        rows = session.execute(_UNITS, {"areas": list(ids)}).all()
        within = tuple(sorted(row.id for row in rows if row.within))
        known = Areas(ids, within, tuple(sorted(row.id for row in rows if not row.within)))
        with _lock:
            while len(_areas) >= REMEMBERED:
                _areas.pop(next(iter(_areas)))
            _areas[version, ids] = known
    return known


_areas: dict[tuple[str, tuple[int, ...]], Areas] = {}
_lock = Lock()
_UNITS = text(
    "SELECT u.id, bool_or(ST_Covers(b.geom, u.geom) AND NOT EXISTS (SELECT FROM boundary o WHERE o.edition_id = b.edition_id "
    "AND o.code < b.code AND o.id <> ALL(:areas) AND ST_Intersects(o.geom, u.geom))) AS within "
    "FROM boundary b JOIN unit u ON ST_Intersects(b.geom, u.geom) WHERE b.id = ANY(:areas) GROUP BY u.id"
)


def unknown_zone(by: str, code: str) -> NotFound:
    """There is no such grid, area or cell."""
    return NotFound(
        f"{by} 图层没有编码 {code[:80]}。",
        f"There is no zone {code[:80]} in {by}.",
        code="zone-unknown",
        field="code",
    )


def _in_cells(session: Session, wanted: Wanted, cells: tuple[str, ...]) -> list[dict[str, Any]]:
    """Cases of H3 cells: their boxes ask the database, H3 itself decides."""
    resolution, chosen = h3.get_resolution(cells[0]), frozenset(cells)
    step = replace(wanted, limit=CELL_BATCH)
    found: list[dict[str, Any]] = []
    while len(found) < wanted.limit:
        rows = _listed(session, step)
        found += [row for row in rows if h3.latlng_to_cell(row["lat"], row["lon"], resolution) in chosen]
        if len(rows) < CELL_BATCH:
            break
        step = replace(step, after=(rows[-1]["source_id"], rows[-1]["id"]), after_due=rows[-1]["due_key"])
    return found[: wanted.limit]


def _of_areas(areas: Areas) -> dict[str, list[int]]:
    return {"areas": list(areas.ids), "within": list(areas.within), "beside": list(areas.beside)}


def _boxes(cells: tuple[str, ...]) -> dict[str, list[float]]:
    """West, south, east, north of cells in degrees, each as a list."""
    rings = [h3.cell_to_boundary(cell) for cell in cells]
    return {
        "wests": [min(lon for _, lon in ring) for ring in rings],
        "souths": [min(lat for lat, _ in ring) for ring in rings],
        "easts": [max(lon for _, lon in ring) for ring in rings],
        "norths": [max(lat for lat, _ in ring) for ring in rings],
    }


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
    "areas": "(c.unit_id = ANY(:within) OR ((c.unit_id IS NULL OR c.unit_id = ANY(:beside)) AND EXISTS (SELECT FROM boundary b "
    "WHERE b.id = ANY(:areas) AND ST_Intersects(b.geom, c.geom) AND NOT EXISTS (SELECT FROM boundary o "
    "WHERE o.edition_id = b.edition_id AND o.code < b.code AND ST_Intersects(o.geom, c.geom)))))",
    "cells": "EXISTS (SELECT FROM unnest(CAST(:wests AS float8[]), CAST(:souths AS float8[]), CAST(:easts AS float8[]), "
    "CAST(:norths AS float8[])) AS z (w, s, e, n) WHERE ST_X(c.geom) BETWEEN z.w AND z.e AND ST_Y(c.geom) BETWEEN z.s AND z.n)",
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
        "areas": _of_areas(wanted.areas) if wanted.areas is not None else None,
        "cells": _boxes(wanted.cells) if wanted.cells is not None else None,
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

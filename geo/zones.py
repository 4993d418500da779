"""The zones a count is asked for: grids of a plan, boundaries of an edition, and how units fold into grids.

A leaf's grid is that of its nearest ancestor with a row in the plan (plans refer to units as they were); of several
rows the one with the highest revision holds, and a row without grid leaves the unit open.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from psycopg import sql
from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from geo.columns import Columns
from geo.db.copying import read_table
from geo.db.session import raw
from geo.errors import NotFound, RefusedArgument
from geo.heat import Floats, PlanRef, Zones, words
from geo.placement import PointIndex

NO_ZONE, OPEN = -1, -3  # of a unit: no row in the plan; a row that leaves it open (unassigned)

PLAN = (
    "SELECT id, name, state, lower(during) AS first, upper(during) AS stop, revision FROM plan WHERE {which} "
    "ORDER BY id LIMIT 1"
)
BY_DATE = text(PLAN.format(which="state = 'approved' AND during @> CAST(:on AS date)"))
BY_ID = text(PLAN.format(which="id = :id"))
BY_NAME = text(PLAN.format(which="name = :name"))
APPROVED = text(
    "SELECT id, name, state, lower(during) AS first, upper(during) AS stop, revision FROM plan "
    "WHERE state = 'approved' ORDER BY lower(during)"
)
LARGEST_INT = 2**31 - 1


# ── Which plan ──────────────────────────────────────────────────────────────────────────────────────────────────────


def resolve_plan(session: Session, asked: str, today: dt.date) -> PlanRef:
    """The plan that a word means: `current`, `as-of:DATE`, an id, or a name.

    Raises NotFound (`no-current-plan`, `plan-unknown`) and RefusedArgument (`date-invalid`).
    """
    if asked == "current" or asked.startswith("as-of:"):
        on = today if asked == "current" else _date(asked.removeprefix("as-of:"))
        row = session.execute(BY_DATE, {"on": on}).one_or_none()
        if row is None:
            raise NotFound(
                f"{on} 没有生效的网格方案。",
                f"No grid plan holds on {on}.",
                code="no-current-plan",
                field="plan",
                do_zh="请先批准一个方案，或指定方案。",
                shell_zh="`wangge plan list` 列出方案；先 `plan propose` 再 `plan approve`，或指定方案。",
                do_en="Approve a plan first, or name one.",
                shell_en="`wangge plan list` shows plans; `plan propose` and `plan approve` make one hold, or name a plan.",
            )
        return _plan(row, asked)
    number = int(asked) if re.fullmatch(r"[0-9]{1,10}", asked) else None
    row = session.execute(BY_ID, {"id": number}).one_or_none() if number and number <= LARGEST_INT else None
    row = row or session.execute(BY_NAME, {"name": asked}).one_or_none()
    if row is None:
        raise no_plan(asked)
    return _plan(row, asked)


def no_plan(asked: str) -> NotFound:
    """There is no such plan, or not for you: one answer for both, or drafts could be found by guessing."""
    return NotFound(
        f"没有方案 {asked[:80]}。",
        f"There is no plan {asked[:80]}.",
        code="plan-unknown",
        field="plan",
        do_zh="请从方案列表（/api/plans）中选取。",
        shell_zh="`wangge plan list` 列出方案。",
        do_en="Choose one from the list of plans (/api/plans).",
        shell_en="`wangge plan list` shows them.",
    )


def settled_plan(asked: str) -> bool:
    """Whether a word can mean approved plans only, which no edit changes.

    >>> settled_plan("current"), settled_plan("as-of:2026-01-01"), settled_plan("7")
    (True, True, False)
    """
    return asked in ("current", "as-was") or asked.startswith("as-of:")


def approved_plans(session: Session) -> list[PlanRef]:
    """All approved plans, in the order in which they hold."""
    return [_plan(row, "as-was") for row in session.execute(APPROVED)]


def _plan(row: Row[Any], asked: str) -> PlanRef:
    during = None if row.first is None and row.stop is None else (row.first, row.stop)
    return PlanRef(row.id, row.name, row.state, during, row.revision, asked)


def _date(written: str) -> dt.date:
    try:
        return dt.date.fromisoformat(written)
    except ValueError as problem:
        raise RefusedArgument(
            f"日期 {written[:40]!r} 无法识别。",
            f"{written[:40]!r} is not a date.",
            code="date-invalid",
            field="plan",
            do_zh="请写成 as-of:2026-01-31。",
            do_en="Write as-of:2026-01-31.",
        ) from problem


# ── Grids ───────────────────────────────────────────────────────────────────────────────────────────────────────────

GRIDS = text(
    "SELECT id, code, name, area_code, area_m2, ST_X(p) AS lon, ST_Y(p) AS lat, ST_XMin(geom) AS w, ST_YMin(geom) AS s, "
    "ST_XMax(geom) AS e, ST_YMax(geom) AS n FROM (SELECT *, ST_PointOnSurface(geom) AS p FROM grid "
    "WHERE plan_id = :plan AND geom IS NOT NULL) g ORDER BY code"
)
ASSIGNED = sql.SQL(
    "SELECT DISTINCT ON (unit_id) unit_id, coalesce(grid_id, -3) FROM plan_unit WHERE plan_id = {} "
    "ORDER BY unit_id, revision DESC"
)


@dataclass(frozen=True, eq=False)
class GridZones:
    """The grids of a plan and, for every unit ordinal of the columns, its grid: ≥ 0, NO_ZONE or OPEN."""

    zones: Zones
    unit_zone: NDArray[np.int32]


def grid_zones(session: Session, columns: Columns, plan: PlanRef) -> GridZones:
    """The grids of a plan in order of code, with the households of their units, and the fold unit → grid."""
    rows = session.execute(GRIDS, {"plan": plan.id}).all()
    unit_zone = _fold(session, columns, plan, np.array([row.id for row in rows], dtype=np.int64))
    counted = unit_households(session, columns)
    households = None
    if counted is not None:
        inside = unit_zone >= 0
        households = sums_with_gaps(unit_zone[inside], counted[inside], len(rows))
    version = f"plan {plan.id}.{plan.revision}"
    return GridZones(_zones("grid", rows, households, version, plan=plan), unit_zone)


def _fold(
    session: Session, columns: Columns, plan: PlanRef, grid_ids: NDArray[np.int64]
) -> NDArray[np.int32]:
    """The zone of every unit: from its own row or the nearest ancestor's."""
    select = ASSIGNED.format(sql.Literal(plan.id))  # by COPY: a city has hundreds of thousands of units
    table = read_table(raw(session), select, (("unit", "i4"), ("grid", "i4")))
    own = np.full(len(columns.unit_ids), NO_ZONE, dtype=np.int32)
    at = columns.unit_ordinals(table["unit"])
    order = np.argsort(grid_ids)
    position = np.searchsorted(grid_ids, table["grid"], sorter=order).clip(max=max(0, len(grid_ids) - 1))
    zone = np.where(table["grid"] < 0, OPEN, order[position] if len(order) else NO_ZONE)
    own[at[at >= 0]] = zone[at >= 0]
    parents, asked = columns.unit_parents, columns.unit_parents.copy()
    while len(open_ := np.flatnonzero((own == NO_ZONE) & (asked >= 0))):  # one generation at a time
        own[open_] = own[asked[open_]]
        asked[open_] = parents[asked[open_]]
    return own


# ── Boundaries ──────────────────────────────────────────────────────────────────────────────────────────────────────

EDITION = text(
    "SELECT e.id FROM edition e JOIN level l ON l.id = e.level_id WHERE l.name = :level AND e.during @> CAST(:on AS date)"
)
LEVELS = text("SELECT name FROM level ORDER BY rank NULLS LAST, name")
AREAS = text(
    "SELECT id, code, name, parent_code AS area_code, area_m2, ST_X(p) AS lon, ST_Y(p) AS lat, ST_XMin(geom) AS w, "
    "ST_YMin(geom) AS s, ST_XMax(geom) AS e, ST_YMax(geom) AS n FROM (SELECT *, ST_PointOnSurface(geom) AS p "
    "FROM boundary WHERE edition_id = :edition) b ORDER BY code"
)
POLYGONS = text("SELECT ST_AsBinary(geom) FROM boundary WHERE edition_id = :edition ORDER BY code")


def boundary_zones(session: Session, columns: Columns, level: str, on: dt.date) -> Zones:
    """The areas of the edition of `level` that holds on a date, in order of code.

    Households of an area are those of the units whose inner point lies in it. Raises NotFound (`level-unknown`).
    """
    edition = edition_on(session, level, on)
    rows = session.execute(AREAS, {"edition": edition}).all()
    ids = [row.id for row in rows]
    version = f"edition {edition}.{len(ids)}.{min(ids, default=0)}.{max(ids, default=0)}"
    counted = unit_points(session, columns)
    households = None
    if counted is not None:
        lon, lat, value = counted
        at = PointIndex(boundary_polygons(session, edition)).place(lon, lat)
        households = sums_with_gaps(at[at >= 0], value[at >= 0], len(rows))
    return _zones(level, rows, households, version, edition=edition)


def edition_on(session: Session, level: str, on: dt.date, field: str = "by") -> int:
    """The id of the edition of a level that holds on a date. Raises NotFound (`level-unknown`) about `field`."""
    edition = session.scalar(EDITION, {"level": level, "on": on})
    if edition is None:
        raise _unknown_level(session, level, on, field)
    return int(edition)


def boundary_polygons(session: Session, edition: int) -> NDArray[np.object_]:
    """The geometries of an edition in order of code."""
    found = session.execute(POLYGONS, {"edition": edition}).scalars().all()
    return np.asarray(shapely.from_wkb([bytes(wkb) for wkb in found]), dtype=object)


def levels(session: Session) -> list[str]:
    """The names of all levels, administrative ranks first."""
    return list(session.execute(LEVELS).scalars())


def _unknown_level(session: Session, level: str, on: dt.date, field: str) -> NotFound:
    known = ", ".join(levels(session)) or "—"
    return NotFound(
        f"没有 {on} 有效的边界图层 {level[:80]}。",
        f"There is no boundary level {level[:80]} that holds on {on}.",
        code="level-unknown",
        field=field,
        do_zh=f"可用：{known}。",
        do_en=f"Known: {known}.",
    )


# ── Households ──────────────────────────────────────────────────────────────────────────────────────────────────────

HOUSEHOLDS = sql.SQL(
    "SELECT w.unit_id, w.value, ST_X(u.point), ST_Y(u.point) FROM weight w JOIN unit u ON u.id = w.unit_id "
    "WHERE w.\"column\" = 'households' AND NOT EXISTS (SELECT FROM unit part WHERE part.parent_id = u.id)"
)
HOUSEHOLD_FIELDS = (("unit", "i4"), ("households", "f8"), ("lon", "f8"), ("lat", "f8"))


def unit_households(session: Session, columns: Columns) -> Floats | None:
    """Households per unit ordinal (NaN where not counted); None when no households were loaded."""
    table = read_table(raw(session), HOUSEHOLDS, HOUSEHOLD_FIELDS)
    if not len(table["unit"]):
        return None
    counted = np.full(len(columns.unit_ids), np.nan)
    at = columns.unit_ordinals(table["unit"])
    counted[at[at >= 0]] = table["households"][at >= 0]
    return counted


def unit_points(session: Session, columns: Columns) -> tuple[Floats, Floats, Floats] | None:
    """(lon, lat, households) of the units whose households are counted; None when none are."""
    table = read_table(raw(session), HOUSEHOLDS, HOUSEHOLD_FIELDS)
    return (table["lon"], table["lat"], table["households"]) if len(table["unit"]) else None


def sums_with_gaps(zone: NDArray[np.int32], value: Floats, zones: int) -> Floats:
    """Sum of values per zone; NaN for a zone where no unit has a value.

    >>> sums_with_gaps(np.array([0, 0, 2]), np.array([1.0, 2.0, np.nan]), 3).tolist()
    [3.0, nan, nan]
    """
    known = ~np.isnan(value)
    sums = np.bincount(zone[known], weights=value[known], minlength=zones).astype(np.float64)
    sums[np.bincount(zone[known], minlength=zones) == 0] = np.nan
    return sums


def _zones(
    by: str,
    rows: Any,
    households: Floats | None,
    version: str,
    plan: PlanRef | None = None,
    edition: int | None = None,
) -> Zones:
    numbers = np.array(
        [(r.area_m2, r.lon, r.lat, r.w, r.s, r.e, r.n) for r in rows], dtype=np.float64
    ).reshape(-1, 7)
    return Zones(
        by=by,
        codes=words([row.code for row in rows]),
        names=words([row.name for row in rows]),
        parents=words([row.area_code for row in rows]),
        area_m2=numbers[:, 0],
        lon=numbers[:, 1],
        lat=numbers[:, 2],
        bbox=numbers[:, 3:],
        households=households,
        plan=plan,
        edition_id=edition,
        version=version,
    )

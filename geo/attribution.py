"""Which unit every case and facility lies in: placed once, exactly, and placed again when the ground changes.

A unit takes part when it is a leaf (not cut into others) and not retired. Points on a border belong to the unit with
the lowest code; a part of a cut unit stands where that unit stood. A row without position stays *unplaced* (no unit);
one with a position outside every unit is *outside* (no unit either).

Loads and re-placement never overlap: `unit_index` takes a shared lock that lasts to the end of the transaction,
`place_again` the exclusive one, so no load commits rows placed in units that have just changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
import shapely
from numpy.typing import NDArray
from psycopg import sql
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from geo.db.clock import city_today
from geo.db.copying import read_rows, write_rows
from geo.db.session import raw
from geo.errors import RefusedArgument
from geo.placement import PointIndex
from geo.progress import Progress, silent

PLACEMENT_LOCK = 0x77616E67_0001  # "wang": pg_advisory_xact_lock key of everything that sets unit_id
PLACEMENT_WAIT_S = 600
NO_UNIT = -1
ROWS_PER_BATCH = 500_000

ACTIVE_LEAVES = (  # parts of a cut unit stand where it stood, so that points on its border stay on its side
    "WITH RECURSIVE grown AS (SELECT id, ARRAY[code] AS line FROM unit WHERE parent_id IS NULL UNION ALL "
    "SELECT part.id, grown.line || part.code FROM grown JOIN unit AS part ON part.parent_id = grown.id) "
    "SELECT id, ST_AsBinary(geom) FROM unit AS u JOIN grown USING (id) "
    "WHERE (upper_inf(during) OR upper(during) > %s) "
    "AND NOT EXISTS (SELECT FROM unit AS part WHERE part.parent_id = u.id) ORDER BY line"
)


@dataclass(frozen=True)
class Placed:
    """What `place_again` did: rows that got another unit, and how many with a position lie outside every unit."""

    cases: int
    facilities: int
    outside: int


def unit_index(session: Session) -> tuple[PointIndex, NDArray[np.int32]] | None:
    """The raster index of the units and, beside it, their ids: `ids[index.place(lon, lat)]` where not −1.

    None when there are no units yet. Holds the shared placement lock until the transaction ends.
    """
    _wait(session, "SELECT pg_advisory_xact_lock_shared(:key)")
    today = city_today(session)
    with raw(session).cursor(binary=True) as cursor:
        rows = cursor.execute(ACTIVE_LEAVES, [today]).fetchall()
    if not rows:
        return None
    ids = np.fromiter((row[0] for row in rows), dtype=np.int32, count=len(rows))
    return PointIndex(shapely.from_wkb([row[1] for row in rows])), ids


def place(
    lon: NDArray[np.float64], lat: NDArray[np.float64], units: tuple[PointIndex, NDArray[np.int32]] | None
) -> NDArray[np.int32]:
    """The unit id of every position, −1 where there is none (NaN positions, outside, or no units at all)."""
    if units is None:
        return np.full(len(lon), NO_UNIT, dtype=np.int32)
    index, ids = units
    at = index.place(lon, lat)
    return np.where(at < 0, np.int32(NO_UNIT), ids[at])


def place_again(session: Session, progress: Progress = silent) -> Placed:
    """Places every case and facility by the units of now; only rows whose unit changes are written.

    Waits for loads that are under way. Bump `cases` and `facilities` afterwards (`geo.db.versions.bump`) when the
    counts are not 0; flushes, never commits.
    """
    hold_placement(session)
    units = unit_index(session)
    connection = raw(session)
    cases, cases_outside = _place_table(connection, CASES, units, progress)
    facilities, facilities_outside = _place_table(connection, FACILITIES, units, progress)
    return Placed(cases, facilities, cases_outside + facilities_outside)


def hold_placement(session: Session) -> None:
    """Nobody else places anything until the transaction ends; waits for loads that are under way."""
    _wait(session, "SELECT pg_advisory_xact_lock(:key)")


def _wait(session: Session, statement: str) -> None:
    """Takes the placement lock: placing ten million cases again takes minutes, so loads wait up to ten."""
    before = session.scalar(text("SELECT current_setting('lock_timeout')"))
    limit = text("SELECT set_config('lock_timeout', :limit, true)")
    session.execute(limit, {"limit": f"{PLACEMENT_WAIT_S}s"})
    try:
        session.execute(text(statement), {"key": PLACEMENT_LOCK})
        session.execute(limit, {"limit": before})
    except OperationalError as problem:
        if not isinstance(problem.orig, psycopg.errors.LockNotAvailable):
            raise
        raise RefusedArgument(
            "另一个装载或单元构建正在进行，等待超时。",
            "Another load or unit build is under way and took too long.",
            code="placement-busy",
            do_zh="请等它结束后再试。",
            do_en="Try again when it has finished.",
        ) from problem


# ── How a table is placed: read all positions, write the changed units ──────────────────────────────────────────────


@dataclass(frozen=True)
class _Table:
    name: str
    select: sql.SQL
    update: sql.SQL


CASES = _Table(
    "cases",
    sql.SQL(
        "COPY (SELECT source_id::int8, id, coalesce(unit_id, -1), ST_X(geom), ST_Y(geom) "
        "FROM cases WHERE geom IS NOT NULL) TO STDOUT (FORMAT binary)"
    ),
    sql.SQL(
        "UPDATE cases SET unit_id = nullif(moved.unit_id, -1) FROM moved "
        "WHERE cases.source_id = moved.source_id AND cases.id = moved.id"
    ),
)
FACILITIES = _Table(
    "facilities",
    sql.SQL(
        "COPY (SELECT 0::int8, id, coalesce(unit_id, -1), ST_X(point), ST_Y(point) "
        "FROM facility WHERE point IS NOT NULL) TO STDOUT (FORMAT binary)"
    ),
    sql.SQL(
        "UPDATE facility SET unit_id = nullif(moved.unit_id, -1) FROM moved WHERE facility.id = moved.id"
    ),
)
POSITIONS = (("source_id", "i8"), ("id", "i8"), ("unit_id", "i4"), ("lon", "f8"), ("lat", "f8"))
MOVED = (("source_id", "i8"), ("id", "i8"), ("unit_id", "i4"))


def _place_table(
    connection: psycopg.Connection[Any],
    table: _Table,
    units: tuple[PointIndex, NDArray[np.int32]] | None,
    progress: Progress,
) -> tuple[int, int]:
    """(rows changed, rows with a position outside every unit)."""
    changed: list[dict[str, NDArray[Any]]] = []
    outside = done = 0
    for rows in _positions(connection, table):
        unit = place(rows["lon"], rows["lat"], units)
        differs = unit != rows["unit_id"]
        changed.append(
            {"source_id": rows["source_id"][differs], "id": rows["id"][differs], "unit_id": unit[differs]}
        )
        outside += int((unit == NO_UNIT).sum())
        done += len(unit)
        progress(f"place {table.name}", done)
    moved = sum(len(part["id"]) for part in changed)
    if moved:
        _write(connection, table, changed)
    return moved, outside


def _positions(connection: psycopg.Connection[Any], table: _Table) -> Iterator[dict[str, NDArray[Any]]]:
    with connection.cursor() as cursor:
        yield from read_rows(cursor, table.select, POSITIONS, ROWS_PER_BATCH)


def _write(
    connection: psycopg.Connection[Any], table: _Table, changed: list[dict[str, NDArray[Any]]]
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE moved (source_id int8, id int8, unit_id int4) ON COMMIT DROP")
        for part in changed:
            write_rows(cursor, sql.SQL("COPY moved FROM STDIN (FORMAT binary)"), MOVED, part)
        cursor.execute("ANALYZE moved")
        cursor.execute(table.update)
        cursor.execute("DROP TABLE moved")

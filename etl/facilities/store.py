"""Facilities in the database: staged by COPY, compared by row hash, merged by (source, identifier)."""

from __future__ import annotations

from dataclasses import replace
from typing import LiteralString

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray
from psycopg import sql
from sqlalchemy import text
from sqlalchemy.orm import Session

from etl import copying
from etl.cleaning.problems import reject
from etl.facilities.rows import Facilities
from etl.locks import wait_for
from etl.rejects import Reject
from geo.db.session import raw

STAGE = "facility_stage"
COLUMNS: tuple[LiteralString, ...] = (
    "source", "source_facility_id", "kind", "name", "capacity", "row_hash", "geom", "point", "unit_id", "attributes",
)  # fmt: skip


def lock(session: Session, kind: str) -> None:
    """Wait up to 60 s for loads of this kind that run now, then refuse."""
    wait_for(session, "facilities", kind)


def hashes(found: Facilities) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Hashes of the identifiers and of the whole rows."""
    n = len(found.rows)
    return copying.hashes([copying.texts(found.id)], n), copying.hashes(_values(found), n)


def conflicts(found: Facilities, groups: list[list[int]]) -> list[Reject]:
    """A reject for every row of an identifier that stands with different content."""
    where = {int(row): at for at, row in enumerate(found.rows)}
    made = []
    for group in groups:
        for row in group:
            at = where[row]
            identity = found.id[at].as_py()
            original = {"id": identity, "name": found.name[at].as_py()}
            lines = ", ".join(map(str, group[:10]))
            made.append(
                reject(
                    row,
                    "row-conflict",
                    column="id",
                    value=identity,
                    original=original,
                    id=identity,
                    rows=lines,
                )
            )
    return made


def take(found: Facilities, keep: NDArray[np.bool_]) -> Facilities:
    """Only some of the rows."""
    mask = pa.array(keep)
    return replace(
        found,
        rows=found.rows[keep],
        id=found.id.filter(mask),
        name=found.name.filter(mask),
        capacity=found.capacity[keep],
        geom=found.geom[keep],
        point=found.point[keep],
        attributes=found.attributes.filter(mask),
        district=[name for name, kept in zip(found.district, keep, strict=True) if kept],
    )


def stage(session: Session, found: Facilities, units: NDArray[np.int32], kind: str) -> str:
    """Copy the rows into a temporary table; returns its name."""
    n = len(found.rows)
    connection = raw(session)
    connection.execute(
        "CREATE TEMP TABLE facility_stage ON COMMIT DROP AS SELECT source, source_facility_id, kind, name, capacity, "
        "row_hash, geom, point, unit_id, attributes FROM facility WITH NO DATA"
    )
    _, state = hashes(found)
    name, capacity, geom, point, attributes = _values(found)
    columns = [
        copying.constant(kind.encode(), n),
        copying.texts(found.id),
        copying.constant(kind.encode(), n),
        name,
        capacity,
        copying.records(copying.hash_bytes(state)),
        geom,
        point,
        copying.fixed(units, ">i4", units < 0),
        attributes,
    ]
    query = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
        sql.Identifier(STAGE), sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
    )
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        copy.write(copying.HEAD)
        copy.write(memoryview(copying.rows(columns, n).data))
        copy.write(copying.TAIL)
    return STAGE


def compare(session: Session, stage_name: str, kind: str) -> tuple[int, int, int]:
    """(added, updated, unchanged) that `merge` will make."""
    row = (
        raw(session)
        .execute(
            sql.SQL(
                "SELECT count(*) FILTER (WHERE f.id IS NULL), count(*) FILTER (WHERE f.row_hash <> s.row_hash), "
                "count(*) FILTER (WHERE f.row_hash = s.row_hash) FROM {} s LEFT JOIN facility f "
                "ON f.source = s.source AND f.source_facility_id = s.source_facility_id"
            ).format(sql.Identifier(stage_name))
        )
        .fetchone()
    )
    assert row is not None
    return row[0], row[1], row[2]


def merge(session: Session, stage_name: str, kind: str, run: int) -> None:
    """Insert what is new, update what differs."""
    changed = sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(c)) for c in COLUMNS[2:])
    columns = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
    raw(session).execute(
        sql.SQL(
            "INSERT INTO facility ({columns}, load_run_id) SELECT {columns}, {run} FROM {stage} "
            "ON CONFLICT (source, source_facility_id) DO UPDATE SET {changed}, load_run_id = excluded.load_run_id "
            "WHERE facility.row_hash <> excluded.row_hash"
        ).format(columns=columns, run=sql.Literal(run), stage=sql.Identifier(stage_name), changed=changed)
    )
    session.execute(text("DROP TABLE facility_stage"))
    session.execute(text("ANALYZE facility"))


def _values(found: Facilities) -> list[copying.Column]:
    """name, capacity, geometry, point, attributes: what the hash is made of."""
    missing = np.isnan(found.capacity)
    attributes = pa.array([v or "{}" for v in found.attributes.to_pylist()], pa.string())
    return [
        copying.texts(found.name),
        copying.fixed(np.where(missing, 0, found.capacity), ">f8", missing),
        copying.blobs(_ewkb(found.geom)),
        copying.blobs(_ewkb(found.point)),
        copying.jsons(attributes),
    ]


def _ewkb(geoms: NDArray[np.object_]) -> pa.BinaryArray:
    return pa.array(shapely.to_wkb(shapely.set_srid(geoms, 4326), include_srid=True), pa.binary())

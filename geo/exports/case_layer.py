"""All cases as a layer: binary COPY from PostgreSQL straight into Arrow, names and codes looked up per block.

Free text (descriptions) and a source's own extra columns never leave: privacy rules 4 and 6 of the project bind exports.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
from psycopg import sql
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.areas import CITY, HELD, Scope
from geo.cases import ORIGIN_NAME, STATUS_NAME
from geo.db.copy_columns import read_columns
from geo.db.session import raw
from geo.exports.layers import GEOMETRY, Layer

# No join: names and codes are looked up per block (measured: half the time of the scan).
ROWS = sql.SQL("""
COPY (SELECT source_id, source_case_id, category_id, opened_at, closed_at, due_at, dispatched_at,
        status, origin, urgency, satisfied, responsible_body, unit_id, ST_AsBinary(geom, 'NDR')
      FROM cases c
      WHERE (%(from)s::timestamptz IS NULL OR opened_at >= %(from)s::timestamptz)
        AND (%(to)s::timestamptz IS NULL OR opened_at < %(to)s::timestamptz)
        AND (%(categories)s::int[] IS NULL OR category_id = ANY(%(categories)s::int[]))
        AND (%(origins)s::int[] IS NULL OR origin = ANY(%(origins)s::int[]))
        AND (%(statuses)s::int[] IS NULL OR status = ANY(%(statuses)s::int[]))
        AND (%(units)s::int[] IS NULL OR unit_id = ANY(%(units)s::int[]))
        AND (%(open)s IS NOT TRUE OR (status <> 2 AND date_trunc('second', opened_at) <= %(asof)s::timestamptz
          AND coalesce(date_trunc('second', closed_at) > %(asof)s::timestamptz, status <> 1)))
        AND (%(late)s IS NOT TRUE OR date_trunc('second', due_at) < %(asof)s::timestamptz)
        AND {seen})
TO STDOUT (FORMAT binary)""")
FIELDS = (
    ("source_id", "i2"),
    ("source_case_id", "text"),
    ("category_id", "i4"),
    ("opened_at", "at"),
    ("closed_at", "at"),
    ("due_at", "at"),
    ("dispatched_at", "at"),
    ("status", "i2"),
    ("origin", "i2"),
    ("urgency", "i2"),
    ("satisfied", "b"),
    ("responsible_body", "text"),
    ("unit_id", "i4"),
    (GEOMETRY, "bytes"),
)
SMALL = pa.int8()


@dataclass(frozen=True)
class _Words:
    """What the numbers in a case row stand for, as arrays indexed by id."""

    sources: pa.Array
    tops: pa.Array
    subs: pa.Array
    units: pa.Array
    statuses: pa.Array
    origins: pa.Array


@dataclass(frozen=True)
class Part:
    """A part of the cases: of these units (ids), and open or overdue at `asof` as the measures of these names count."""

    units: tuple[int, ...] | None = None
    state: Literal["open", "overdue"] | None = None
    asof: dt.datetime | None = None


ALL = Part()


def cases(
    session: Session,
    timezone: str,
    opened_from: dt.datetime | None = None,
    opened_to: dt.datetime | None = None,
    category_ids: list[int] | None = None,
    batch_rows: int = 65_536,
    seen: Scope = CITY,
    origins: list[int] | None = None,
    statuses: list[int] | None = None,
    part: Part = ALL,
) -> Layer:
    """All cases of a period (half-open instants) that are seen, streamed: no description, no attributes, nothing personal.

    Columns: source, source_case_id, category_top, category_sub (codes), opened_at … (aware, in `timezone`), status,
    origin, urgency, satisfied, responsible_body, unit_code, geometry (null = unplaced).
    """
    words = _words(session)
    none: Mapping[str, pa.Array] = {name: pa.array([], _EMPTY[kind]) for name, kind in FIELDS}
    schema = _shape(none, timezone, words).schema

    def batches() -> Iterator[pa.RecordBatch]:
        arguments = {
            "from": opened_from,
            "to": opened_to,
            "categories": category_ids,
            "origins": origins,
            "statuses": statuses,
            "units": None if part.units is None else list(part.units),
            "open": part.state is not None,
            "late": part.state == "overdue",
            "asof": part.asof,
        }
        with raw(session).cursor() as cursor:
            for block in read_columns(cursor, _within(seen), FIELDS, batch_rows, arguments):
                yield _shape(block, timezone, words)

    return Layer("cases", schema, "Point", batches(), complete=False)


_EMPTY: dict[str, pa.DataType] = {
    "i2": pa.int16(),
    "i4": pa.int32(),
    "at": pa.int64(),
    "b": pa.bool_(),
    "text": pa.string(),
    "bytes": pa.binary(),
}


def _within(seen: Scope) -> sql.Composed:
    """The rows of a scope."""
    if seen.everything:
        return ROWS.format(seen=sql.SQL("true"))
    if seen.boundary is None:
        return ROWS.format(seen=sql.SQL("false"))
    return ROWS.format(seen=sql.SQL(HELD.replace(":scope", "{0}")).format(sql.Literal(seen.boundary)))


def _words(session: Session) -> _Words:
    categories = session.execute(
        text(
            "SELECT c.id, coalesce(p.code, c.code), CASE WHEN p.id IS NULL THEN NULL ELSE c.code END "
            "FROM category c LEFT JOIN category p ON p.id = c.parent_id"
        )
    ).all()
    return _Words(
        sources=_by_id(session.execute(text("SELECT id, name FROM source")).all()),
        tops=_by_id([(row[0], row[1]) for row in categories]),
        subs=_by_id([(row[0], row[2]) for row in categories]),
        units=_by_id(session.execute(text("SELECT id, code FROM unit")).all()),
        statuses=_by_id(STATUS_NAME.items()),
        origins=_by_id(ORIGIN_NAME.items()),
    )


def _by_id(rows: Iterable[Any]) -> pa.Array:
    """Words as an array in which the word of id i stands at i."""
    known = {row[0]: row[1] for row in rows}
    return pa.array([known.get(i) for i in range(max(known, default=0) + 1)], pa.string())


def _shape(block: Mapping[str, pa.Array], timezone: str, words: _Words) -> pa.RecordBatch:
    def instant(name: str) -> pa.Array:
        return block[name].cast(pa.timestamp("us", tz="UTC")).cast(pa.timestamp("us", tz=timezone))

    columns: dict[str, pa.Array] = {
        "source": words.sources.take(block["source_id"]),
        "source_case_id": block["source_case_id"],
        "category_top": words.tops.take(block["category_id"]),
        "category_sub": words.subs.take(block["category_id"]),
        "opened_at": instant("opened_at"),
        "closed_at": instant("closed_at"),
        "due_at": instant("due_at"),
        "dispatched_at": instant("dispatched_at"),
        "status": words.statuses.take(block["status"]),
        "origin": words.origins.take(block["origin"]),
        "urgency": block["urgency"].cast(SMALL),
        "satisfied": block["satisfied"],
        "responsible_body": block["responsible_body"],
        "unit_code": words.units.take(block["unit_id"]),
        GEOMETRY: block[GEOMETRY],
    }
    return pa.RecordBatch.from_pydict(columns)

"""What leaves the house: a layer as a stream of Arrow batches in WGS 84, without anything personal.

Free text (descriptions) and a source's own extra columns never leave: privacy rules 4 and 6 of the project bind exports.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

import geopandas as gpd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

GEOMETRY = "geometry"
GeometryKind = Literal["Point", "MultiPolygon", "Unknown"]
STATUS_WORDS = ["open", "closed", "void"]
ORIGIN_WORDS = ["unknown", "citizen", "patrol", "sensor", "other"]


@dataclass(frozen=True)
class Layer:
    """A named stream of rows: `batches` hold attribute columns and `geometry` as WKB (null where there is none)."""

    name: str
    schema: pa.Schema
    geometry_kind: GeometryKind
    batches: Iterator[pa.RecordBatch]
    complete: bool = True  # every row has a geometry
    value_field: str | None = None  # the field a style should colour by
    breaks: tuple[float, ...] = ()


def from_frame(
    name: str,
    frame: gpd.GeoDataFrame,
    kind: GeometryKind,
    value_field: str | None = None,
    breaks: tuple[float, ...] = (),
) -> Layer:
    """A layer of one batch from a GeoDataFrame in EPSG:4326 (ValueError when it is in another CRS)."""
    if frame.crs is None or frame.crs.to_epsg() != 4326:
        raise ValueError(f"layer {name} must be EPSG:4326, got {frame.crs}")
    plain = pa.Table.from_pandas(frame.drop(columns=frame.geometry.name), preserve_index=False)
    plain = plain.replace_schema_metadata(None).cast(
        pa.schema([_plain_field(field) for field in plain.schema])
    )
    wkb = pa.array(shapely.to_wkb(frame.geometry.to_numpy()), pa.binary())
    table = plain.append_column(GEOMETRY, wkb).combine_chunks()
    complete = table.column(GEOMETRY).null_count == 0
    return Layer(name, table.schema, kind, iter(table.to_batches()), complete, value_field, breaks)


def _plain_field(field: pa.Field) -> pa.Field:
    """A column without a single value has no type; GDAL wants one."""
    return pa.field(field.name, pa.string() if pa.types.is_null(field.type) else field.type)


def boundaries(session: Session, level: str | None, on: dt.date) -> Layer:
    """Boundary areas in force on a date, of one level or of all: level, code, name, parent_code, area_m2."""
    frame = _read(
        session,
        """SELECT l.name AS level, b.code, b.name, b.parent_code, b.area_m2, lower(e.during)::text AS valid_from, b.geom
           FROM boundary b JOIN edition e ON e.id = b.edition_id JOIN level l ON l.id = e.level_id
           WHERE e.during @> CAST(:on AS date) AND (CAST(:level AS text) IS NULL OR l.name = :level)
           ORDER BY l.rank NULLS LAST, l.name, b.code""",
        {"on": on, "level": level},
    )
    return from_frame("boundaries", frame, "MultiPolygon")


def units(session: Session, on: dt.date) -> Layer:
    """Units in force on a date: code, area_code, area_m2, perimeter_m, built_up and one column per weight."""
    frame = _read(
        session,
        """SELECT u.code, (SELECT b.code FROM unit_area a JOIN edition e ON e.id = a.edition_id
                           JOIN boundary b ON b.id = a.boundary_id
                           WHERE a.unit_id = u.id AND e.during @> CAST(:on AS date) LIMIT 1) AS area_code,
                  u.area_m2, u.perimeter_m, u.built_up, u.id AS unit_id, u.geom
           FROM unit u WHERE u.during @> CAST(:on AS date)
             AND NOT EXISTS (SELECT 1 FROM unit c WHERE c.parent_id = u.id AND c.during @> CAST(:on AS date))
           ORDER BY u.code""",
        {"on": on},
    )
    weights = session.execute(text('SELECT unit_id, "column", value FROM weight')).all()
    for column in sorted({row[1] for row in weights}):
        values = {row[0]: row[2] for row in weights if row[1] == column}
        frame[column] = frame["unit_id"].map(values).fillna(0.0)
    return from_frame(
        "units", gpd.GeoDataFrame(frame.drop(columns="unit_id"), geometry="geom"), "MultiPolygon"
    )


def grids(session: Session, plan_id: int) -> Layer:
    """Grids of a plan: code, name, area_code, units, area_m2, perimeter_m."""
    frame = _read(
        session,
        """SELECT g.code, g.name, g.area_code, g.area_m2, g.perimeter_m, p.name AS plan, g.geom
           FROM grid g JOIN plan p ON p.id = g.plan_id WHERE g.plan_id = :plan AND g.geom IS NOT NULL ORDER BY g.code""",
        {"plan": plan_id},
    )
    return from_frame("grids", frame, "MultiPolygon")


def facilities(session: Session, kind: str | None) -> Layer:
    """Facilities: kind, name, capacity, unit_code; the point inside each (geometry null where unplaced)."""
    frame = _read(
        session,
        """SELECT f.source_facility_id AS facility_id, f.kind, f.name, f.capacity, u.code AS unit_code, f.point AS geom
           FROM facility f LEFT JOIN unit u ON u.id = f.unit_id
           WHERE CAST(:kind AS text) IS NULL OR f.kind = :kind ORDER BY f.kind, f.source_facility_id""",
        {"kind": kind},
    )
    return from_frame("facilities", frame, "Point")


CASE_COLUMNS = pa.schema(
    [
        ("source_id", pa.int32()),
        ("source_case_id", pa.string()),
        ("category_id", pa.int32()),
        ("opened_us", pa.int64()),
        ("closed_us", pa.int64()),
        ("due_us", pa.int64()),
        ("dispatched_us", pa.int64()),
        ("status", pa.int8()),
        ("origin", pa.int8()),
        ("urgency", pa.int8()),
        ("satisfied", pa.bool_()),
        ("responsible_body", pa.string()),
        ("unit_id", pa.int32()),
        ("lon", pa.float64()),
        ("lat", pa.float64()),
    ]
)

# No join and no exact numeric: names and codes are looked up per block (measured: half the time of the scan).
_CASES_SQL = """
COPY (SELECT source_id, source_case_id, category_id,
        (date_part('epoch', opened_at) * 1e6)::bigint, (date_part('epoch', closed_at) * 1e6)::bigint,
        (date_part('epoch', due_at) * 1e6)::bigint, (date_part('epoch', dispatched_at) * 1e6)::bigint,
        status, origin, urgency, satisfied, responsible_body, unit_id, ST_X(geom), ST_Y(geom)
      FROM cases
      WHERE (%(from)s::timestamptz IS NULL OR opened_at >= %(from)s::timestamptz)
        AND (%(to)s::timestamptz IS NULL OR opened_at < %(to)s::timestamptz)
        AND (%(categories)s::int[] IS NULL OR category_id = ANY(%(categories)s::int[])))
TO STDOUT (FORMAT csv)"""


@dataclass(frozen=True)
class _Words:
    """What the numbers in a case row stand for, as arrays indexed by id."""

    sources: pa.Array
    tops: pa.Array
    subs: pa.Array
    units: pa.Array


def cases(
    session: Session,
    timezone: str,
    opened_from: dt.datetime | None = None,
    opened_to: dt.datetime | None = None,
    category_ids: list[int] | None = None,
    batch_rows: int = 65_536,
) -> Layer:
    """All cases of a period (half-open instants), streamed: no description, no attributes, no personal column.

    Columns: source, source_case_id, category_top, category_sub (codes), opened_at … (aware, in `timezone`), status,
    origin, urgency, satisfied, responsible_body, unit_code, geometry (null = unplaced).
    """
    words = _words(session)
    schema = _shape(_empty(), timezone, words).schema

    def batches() -> Iterator[pa.RecordBatch]:
        driver: Any = session.connection().connection.driver_connection
        arguments = {"from": opened_from, "to": opened_to, "categories": category_ids}
        with driver.cursor() as cursor, cursor.copy(_CASES_SQL, arguments) as copy:
            rows = iter(copy)
            while block := list(islice(rows, batch_rows)):
                yield _shape(_parsed(block), timezone, words)

    return Layer("cases", schema, "Point", batches(), complete=False)


def _empty() -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([], f.type) for f in CASE_COLUMNS], schema=CASE_COLUMNS)


def _parsed(rows: Iterable[bytes]) -> pa.RecordBatch:
    """One block of CSV rows as the server sent them (one message a row, so a quoted line break never splits one)."""
    table = pacsv.read_csv(
        pa.BufferReader(b"".join(rows)),
        read_options=pacsv.ReadOptions(column_names=CASE_COLUMNS.names),
        parse_options=pacsv.ParseOptions(newlines_in_values=True),
        convert_options=pacsv.ConvertOptions(
            column_types=CASE_COLUMNS,
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            null_values=[""],
            true_values=["t"],
            false_values=["f"],
        ),
    )
    return table.combine_chunks().to_batches()[0]


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
    )


def _by_id(rows: Iterable[Any]) -> pa.Array:
    """Words as an array in which the word of id i stands at i."""
    known = {row[0]: row[1] for row in rows}
    return pa.array([known.get(i) for i in range(max(known, default=0) + 1)], pa.string())


def _shape(batch: pa.RecordBatch, timezone: str, words: _Words) -> pa.RecordBatch:
    def instant(name: str) -> pa.Array:
        return batch.column(name).cast(pa.timestamp("us", tz="UTC")).cast(pa.timestamp("us", tz=timezone))

    columns: dict[str, pa.Array] = {
        "source": words.sources.take(batch.column("source_id")),
        "source_case_id": batch.column("source_case_id"),
        "category_top": words.tops.take(batch.column("category_id")),
        "category_sub": words.subs.take(batch.column("category_id")),
        "opened_at": instant("opened_us"),
        "closed_at": instant("closed_us"),
        "due_at": instant("due_us"),
        "dispatched_at": instant("dispatched_us"),
        "status": pa.array(STATUS_WORDS).take(batch.column("status")),
        "origin": pa.array(ORIGIN_WORDS).take(batch.column("origin")),
        "urgency": batch.column("urgency"),
        "satisfied": batch.column("satisfied"),
        "responsible_body": batch.column("responsible_body"),
        "unit_code": words.units.take(batch.column("unit_id")),
        GEOMETRY: _point_wkb(batch.column("lon"), batch.column("lat")),
    }
    return pa.RecordBatch.from_pydict(columns)


def _point_wkb(lon: pa.Array, lat: pa.Array) -> pa.Array:
    """Points as WKB, null where a coordinate is missing."""
    missing = pc.is_null(lon).to_numpy(zero_copy_only=False)
    points = shapely.points(
        pc.fill_null(lon, 0.0).to_numpy(zero_copy_only=False),
        pc.fill_null(lat, 0.0).to_numpy(zero_copy_only=False),
    )
    wkb = pa.array(shapely.to_wkb(points), pa.binary())
    return pc.if_else(pa.array(~missing), wkb, pa.scalar(None, pa.binary()))


def _read(session: Session, sql: str, arguments: Mapping[str, Any]) -> gpd.GeoDataFrame:
    return gpd.read_postgis(
        text(sql), session.connection(), geom_col="geom", crs=4326, params=dict(arguments)
    )

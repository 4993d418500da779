"""What leaves the house: a layer as a stream of Arrow batches in WGS 84, without anything personal.

Free text (descriptions) and a source's own extra columns never leave: privacy rules 4 and 6 of the project bind exports.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

if TYPE_CHECKING:
    import geopandas as gpd

GEOMETRY = "geometry"
GeometryKind = Literal["Point", "MultiPolygon", "Unknown"]


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
    return from_frame("units", frame.drop(columns="unit_id"), "MultiPolygon")


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


def _read(session: Session, sql: str, arguments: Mapping[str, Any]) -> gpd.GeoDataFrame:
    import geopandas as gpd  # only who exports waits for this import

    return gpd.read_postgis(
        text(sql), session.connection(), geom_col="geom", crs=4326, params=dict(arguments)
    )

"""What judging reads from the database beside units and plans: shapes in metres, columns per unit, cases with places."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from psycopg import sql
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo import crs
from geo.db import walls
from geo.db.copying import read_rows
from geo.db.session import raw
from grids.units import Floats, Ints, UnitGraph

PLACED = "COPY (SELECT unit_id, ST_X(geom), ST_Y(geom) FROM cases WHERE unit_id IS NOT NULL) TO STDOUT (FORMAT binary)"
FIELDS = (("unit_id", "i4"), ("lon", "f8"), ("lat", "f8"))


@dataclass(frozen=True)
class Ground:
    """The units' polygons (EPSG:4326 and metres of `crs`) and their points in metres, in the order of the graph."""

    shapes: NDArray[np.object_]
    metres: NDArray[np.object_]
    crs: str
    x: Floats
    y: Floats


def read(session: Session, graph: UnitGraph) -> Ground:
    """The ground of the units of a graph."""
    rows = session.execute(
        text(
            "SELECT id, ST_AsBinary(geom) AS geom, ST_X(point) AS lon, ST_Y(point) AS lat FROM unit "
            "WHERE id = ANY(:ids) ORDER BY id"
        ),
        {"ids": graph.ids.tolist()},
    ).all()
    shapes = np.asarray(shapely.from_wkb([bytes(r.geom) for r in rows]), dtype=object)
    measuring = crs.measuring_crs(tuple(shapely.total_bounds(shapes).tolist()))
    x, y = crs.from_wgs84([r.lon for r in rows], [r.lat for r in rows], measuring)
    return Ground(shapes, crs.project(shapes, measuring), measuring, x, y)


def column(session: Session, graph: UnitGraph, name: str) -> Floats | None:
    """A loaded weight column per unit, 0 where a unit has no value; None when it was never loaded."""
    rows = session.execute(text('SELECT unit_id, value FROM weight WHERE "column" = :c'), {"c": name}).all()
    if not rows:
        return None
    return per_unit(graph, [r.unit_id for r in rows], [r.value for r in rows])


def cases(
    session: Session, graph: UnitGraph, first: dt.date | None = None, stop: dt.date | None = None
) -> Floats:
    """Placed cases per unit, opened on days first ≤ day < stop of the city's clock (None: without limit)."""
    walls.need_everything(session)
    rows = session.execute(
        text(
            "SELECT unit_id, count(*) AS n FROM cases, (SELECT coalesce((SELECT timezone FROM city), "
            "'Asia/Shanghai') AS tz) z WHERE unit_id IS NOT NULL "
            "AND (CAST(:first AS date) IS NULL OR opened_at >= CAST(:first AS date)::timestamp AT TIME ZONE z.tz) "
            "AND (CAST(:stop AS date) IS NULL OR opened_at < CAST(:stop AS date)::timestamp AT TIME ZONE z.tz) "
            "GROUP BY unit_id"
        ),
        {"first": first, "stop": stop},
    ).all()
    return per_unit(graph, [r.unit_id for r in rows], [r.n for r in rows])


def places(session: Session, graph: UnitGraph, measuring: str) -> tuple[Ints, Floats, Floats]:
    """(unit index, x, y in metres) of every case that lies in a unit of the graph."""
    walls.need_everything(session)
    with raw(session).cursor() as cursor:
        parts = list(read_rows(cursor, sql.SQL(PLACED), FIELDS))
    unit = np.concatenate([p["unit_id"] for p in parts]) if parts else np.empty(0, np.int32)
    lon = np.concatenate([p["lon"] for p in parts]) if parts else np.empty(0)
    lat = np.concatenate([p["lat"] for p in parts]) if parts else np.empty(0)
    index = graph.index_of(unit.astype(np.int64))
    known = index >= 0
    x, y = crs.from_wgs84(lon[known], lat[known], measuring)
    return index[known], x, y


def per_unit(graph: UnitGraph, ids: list[int], values: list[float]) -> Floats:
    """Values by unit id as an array over the graph's units, 0 where there is none."""
    found = np.zeros(graph.n)
    place = graph.index_of(np.array(ids, np.int64))
    worth = np.array(values, float)
    np.add.at(found, place[place >= 0], worth[place >= 0])
    return found

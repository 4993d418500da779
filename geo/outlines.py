"""The ground around an answer, for pages drawn outside the browser: outline, water, main roads, rail, borders, names."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

Shapes = NDArray[np.object_]
MAIN_ROADS = ("motorway", "trunk", "primary", "motorway_link", "trunk_link", "primary_link")
OTHER_ROADS = ("secondary", "tertiary", "secondary_link", "tertiary_link")

WATER = text("SELECT ST_AsBinary(geom) FROM way WHERE class = 'water' AND ST_Dimension(geom) = 2 ORDER BY id")
LINES = text(
    "SELECT ST_AsBinary(geom) FROM way WHERE class = ANY(:classes) AND (:any_kind OR kind = ANY(:kinds)) "
    "AND ST_Dimension(geom) = 1 ORDER BY id"
)
RANKED = text(
    "SELECT l.rank, b.name, ST_AsBinary(b.geom), ST_X(ST_PointOnSurface(b.geom)), ST_Y(ST_PointOnSurface(b.geom)) "
    "FROM boundary b JOIN edition e ON e.id = b.edition_id JOIN level l ON l.id = e.level_id "
    "WHERE l.rank = (SELECT min(l2.rank) FROM level l2 JOIN edition e2 ON e2.level_id = l2.id "
    "WHERE l2.rank >= :rank AND e2.during @> CAST(:on AS date)) AND e.during @> CAST(:on AS date) ORDER BY b.code"
)


@dataclass(frozen=True)
class Surroundings:
    """Geometries in EPSG:4326: the outline of the city (None without boundaries), water polygons, lines of main roads,
    of other roads and of rail, borders between districts, labels (lon, lat, name)."""

    limit: Any
    water: Shapes
    main_roads: Shapes
    other_roads: Shapes
    rail: Shapes
    borders: Shapes
    labels: list[tuple[float, float, str]]


def surroundings(session: Session, on: dt.date) -> Surroundings:
    """What a map needs under and above its values, as it holds on a date."""
    whole = session.execute(RANKED, {"rank": 1, "on": on}).all()
    districts = session.execute(RANKED, {"rank": 2, "on": on}).all()
    outline = [_make(row[2]) for row in whole]
    parts = [_make(row[2]) for row in districts]
    return Surroundings(
        limit=shapely.union_all(outline) if outline else None,
        water=_lines(session.execute(WATER).scalars().all()),
        main_roads=_ways(session, ["road", "bridge"], [*MAIN_ROADS, "bridge"]),
        other_roads=_ways(session, ["road"], list(OTHER_ROADS)),
        rail=_ways(session, ["rail"], None),
        borders=np.asarray(shapely.boundary(_array(parts or outline)), dtype=object),
        labels=[(float(row[3]), float(row[4]), str(row[1])) for row in districts],
    )


def _ways(session: Session, classes: list[str], kinds: list[str] | None) -> Shapes:
    chosen = {"classes": classes, "any_kind": kinds is None, "kinds": kinds or []}
    return _lines(session.execute(LINES, chosen).scalars().all())


def _lines(found: Any) -> Shapes:
    return _array([_make(wkb) for wkb in found])


def _make(wkb: Any) -> Any:
    return shapely.from_wkb(bytes(wkb))


def _array(items: list[Any]) -> Shapes:
    made = np.empty(len(items), dtype=object)
    made[:] = items
    return made

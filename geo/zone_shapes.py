"""The polygons of zones, asked for only when somebody draws: grids, boundaries and hexagons alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from h3ronpy import cells_parse
from h3ronpy.vector import cells_to_wkb_polygons
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.heat import Zones

GRIDS = text("SELECT code, ST_AsBinary(geom) AS shape FROM grid WHERE plan_id = :id")
AREAS = text("SELECT code, ST_AsBinary(geom) AS shape FROM boundary WHERE edition_id = :id")
LATEST_GRIDS = text(  # as-was: a code keeps the shape of the latest approved plan that has it
    "SELECT DISTINCT ON (g.code) g.code, ST_AsBinary(g.geom) AS shape FROM grid g JOIN plan p ON p.id = g.plan_id "
    "WHERE p.state = 'approved' ORDER BY g.code, lower(p.during) DESC"
)


def shapes(session: Session, zones: Zones) -> NDArray[np.object_]:
    """A polygon (EPSG:4326) for every zone, in their order; None where it is not known any more."""
    if zones.by.startswith("hexagon"):
        return _hexagons(zones)
    if zones.edition_id is not None:
        rows = session.execute(AREAS, {"id": zones.edition_id})
    elif zones.plan is not None:
        rows = session.execute(GRIDS, {"id": zones.plan.id})
    else:
        rows = session.execute(LATEST_GRIDS)
    return _in_order(zones, {row.code: bytes(row.shape) for row in rows})


def _in_order(zones: Zones, found: dict[str, bytes]) -> NDArray[np.object_]:
    wkb: list[Any] = [found.get(code) for code in zones.codes]
    return np.asarray(shapely.from_wkb(wkb), dtype=object) if wkb else np.empty(0, dtype=object)


def _hexagons(zones: Zones) -> NDArray[np.object_]:
    if not len(zones):
        return np.empty(0, dtype=object)
    wkb = cells_to_wkb_polygons(cells_parse(list(zones.codes))).to_pylist()
    return np.asarray(shapely.from_wkb(wkb), dtype=object)

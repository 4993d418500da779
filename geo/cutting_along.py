"""Cutting units along the lines of another layer, where a line really divides them.

The rule (house rule of editions and imports): a unit is cut where at least two parts exceed 500 m² and 5 % of it; smaller
differences follow the majority.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo import cutting
from geo.cutting import Cut, Divide, Made
from geo.db.clock import city_today
from geo.progress import Progress, silent

Geoms = NDArray[np.object_]
CUT_M2 = 500.0  # a unit is divided by a new line when both parts exceed this …
CUT_SHARE = 0.05  # … and this share of the unit
DivideBy = Callable[[Geoms, float, float], Divide]
"""(areas, least share of the unit, least square degrees) → how a unit is divided by them, in a limited child process."""


def cut_along(
    session: Session,
    areas: Geoms,
    divide_by: DivideBy,
    *,
    author: str = "operator",
    progress: Progress = silent,
) -> list[Cut]:
    """Cuts every unit that the areas (EPSG:4326, valid) divide by the rule; flushes, never commits."""
    rows = session.execute(text(_LEAVES), {"today": city_today(session)}).all()
    shapes = np.asarray(shapely.from_wkb([bytes(row.geom) for row in rows]), dtype=object)
    size = np.array([row.area_m2 for row in rows], float)
    divided = _divided(shapes, size, areas)
    made: list[Made] = []
    for done, (u, near) in enumerate(divided.items()):
        progress("cut", done, len(divided))
        least_deg2 = CUT_M2 / size[u] * float(shapes[u].area)
        found = cutting.cut_ground(
            session, rows[u].id, divide_by(areas[near], CUT_SHARE, least_deg2), least_m2=0.0
        )
        if found is not None:
            made.append(found)
    progress("cut", len(divided), len(divided))
    return cutting.finish(session, made, author)


def _divided(shapes: Geoms, size: NDArray[np.float64], areas: Geoms) -> dict[int, list[int]]:
    """Units of which at least two parts are large enough, with the areas near them."""
    unit, area = shapely.STRtree(areas).query(shapes, predicate="intersects")
    held = np.zeros(len(unit))
    whole = shapely.contains_properly(areas[area], shapes[unit])
    held[whole] = shapely.area(shapes[unit[whole]])
    held[~whole] = shapely.area(shapely.intersection(shapes[unit[~whole]], areas[area[~whole]]))
    share = held / shapely.area(shapes)[unit]
    large = (share * size[unit] > CUT_M2) & (share > CUT_SHARE)
    inside = np.bincount(unit, weights=share, minlength=len(shapes))
    outside = np.maximum(1.0 - inside, 0.0)
    parts = np.bincount(unit, weights=large, minlength=len(shapes)) + (
        (outside * size > CUT_M2) & (outside > CUT_SHARE)
    )
    touched = np.bincount(unit, minlength=len(shapes)) > 0
    return {int(u): area[unit == u].tolist() for u in np.flatnonzero((parts >= 2) & touched)}


_LEAVES = (
    "SELECT u.id, u.area_m2, ST_AsBinary(u.geom) AS geom FROM unit u "
    "WHERE (upper_inf(u.during) OR upper(u.during) > :today) "
    "AND NOT EXISTS (SELECT 1 FROM unit k WHERE k.parent_id = u.id) ORDER BY u.id"
)

"""How far single cases are seen: the whole city, one area, or nothing; said to the database too.

A worker or supervisor answers for one area: a code of a boundary level, in the edition in force today. A case counts to
the area by its exact unit, or (a position outside all units) by its point in the boundary, where areas overlap to the
lowest code; a case without a position belongs to no area. The words for this in SQL are two functions of the database
(migration 0009), which the row-level security of `cases` also asks: `show` tells the transaction its scope, and a
transaction that was told nothing sees no row.

>>> CITY.word, NOWHERE.word, Scope("7", "community", "C01").everything
('*', '', False)
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.columns import Columns
from geo.db import walls
from geo.db.clock import city_today

HELD = (
    "(c.unit_id IN (SELECT unit FROM wangge_area_units(:scope) AS unit) "
    "OR (c.unit_id IS NULL AND wangge_area_has(:scope, c.geom)))"
)  # of a row `c` of cases; what a boundary (its id) holds
_BOUNDARY = text(
    "SELECT b.id, b.name FROM boundary b JOIN edition e ON e.id = b.edition_id JOIN level l ON l.id = e.level_id "
    "WHERE l.name = :level AND e.during @> CAST(:on AS date) AND b.code = :code"
)


class Place(Protocol):
    """A boundary by level and code, as a principal carries it."""

    @property
    def level(self) -> str: ...
    @property
    def code(self) -> str: ...


@dataclass(frozen=True)
class Scope:
    """How far rows of cases are seen: `word` is what the database is told (`*`, the id of a boundary, or nothing).

    `level`, `code` and `name` say which area was meant, even when it no longer holds (then `word` is empty).
    """

    word: str
    level: str | None = None
    code: str | None = None
    name: str | None = None

    @property
    def everything(self) -> bool:
        """Whether all rows are seen."""
        return self.word == walls.EVERYTHING

    @property
    def boundary(self) -> int | None:
        """The id of the boundary that limits the view; None for the whole city and for nothing."""
        return int(self.word) if self.word.isdecimal() else None


CITY = Scope(walls.EVERYTHING)
NOWHERE = Scope("")


def scope(session: Session, area: Place | None, on: dt.date | None = None) -> Scope:
    """The scope of an area in the edition in force today (or `on`); without an area, or where the code is gone, none."""
    if area is None:
        return NOWHERE
    values = {"level": area.level, "code": area.code, "on": on or city_today(session)}
    found = session.execute(_BOUNDARY, values).one_or_none()
    if found is None:
        return Scope("", area.level, area.code)
    return Scope(str(found.id), area.level, area.code, found.name)


def show(session: Session, seen: Scope) -> None:
    """Tells the database how far this transaction sees; ends with the transaction."""
    walls.tell(session, seen.word)


def unit_ids(session: Session, seen: Scope) -> NDArray[np.int32]:
    """The ids of the units of an area, ascending (parts of cut units and the units they were cut from)."""
    if seen.boundary is None:
        return np.empty(0, np.int32)
    rows = session.scalars(
        text("SELECT unit FROM wangge_area_units(:scope) AS unit ORDER BY 1"), {"scope": seen.boundary}
    )
    return np.fromiter(rows, np.int32)


def geometry(session: Session, seen: Scope) -> shapely.Geometry | None:
    """The ground of an area (EPSG:4326); None for the whole city and for nothing."""
    if seen.boundary is None:
        return None
    found = session.scalar(text("SELECT ST_AsBinary(geom) FROM boundary WHERE id = :b"), {"b": seen.boundary})
    return None if found is None else shapely.from_wkb(bytes(found))


def extent(session: Session, seen: Scope) -> tuple[float, float, float, float] | None:
    """West, south, east, north of an area; None for the whole city and for nothing."""
    ground = geometry(session, seen)
    if ground is None:
        return None
    west, south, east, north = shapely.bounds(ground).tolist()
    return west, south, east, north


def rows(session: Session, columns: Columns, seen: Scope) -> NDArray[np.int64] | None:
    """The cases of the columns that are seen, ascending; None for all of them."""
    if seen.everything:
        return None
    boundary = seen.boundary
    if boundary is None:
        return np.empty(0, np.int64)
    at = columns.unit_ordinals(unit_ids(session, seen))
    mine = np.zeros(
        len(columns.unit_ids) + 1, bool
    )  # the last place is nobody's: ordinals below 0 look there
    mine[at[at >= 0]] = True
    held = mine[np.maximum(columns.unit, -1)]
    outside = np.flatnonzero((columns.unit < 0) & ~np.isnan(columns.lon))
    held[outside[_inside(session, columns, seen, outside)]] = True
    return np.flatnonzero(held)


def _inside(session: Session, columns: Columns, seen: Scope, at: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of some cases outside all units lie in the area: its box first, then the database's own word."""
    box = extent(session, seen)
    found = np.zeros(len(at), bool)
    if box is None or not len(at):
        return found
    lon, lat = columns.lon[at], columns.lat[at]
    near = np.flatnonzero((lon >= box[0]) & (lon <= box[2]) & (lat >= box[1]) & (lat <= box[3]))
    told = session.scalars(
        text(
            "SELECT wangge_area_has(:scope, ST_SetSRID(ST_Point(x, y), 4326)) "
            "FROM unnest(CAST(:x AS float8[]), CAST(:y AS float8[])) WITH ORDINALITY AS p (x, y, n) ORDER BY n"
        ),
        {"scope": seen.boundary, "x": lon[near].tolist(), "y": lat[near].tolist()},
    )
    found[near] = np.fromiter(told, bool, len(near))
    return found

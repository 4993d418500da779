"""The unit graph: units, the borders they share, and which of them can be walked across.

Pure values; `read` is the only function that asks the database.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from psycopg import sql
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.db.clock import city_today
from geo.db.copying import read_table
from geo.db.session import raw
from geo.errors import RefusedArgument

METRES_PER_DEGREE = 111_320.0

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class UnitGraph:
    """n units in the order of their ids, with their borders as a symmetric CSR matrix.

    `area` is the index into `area_codes` (−1: in no area). x, y are metres from the city's middle. Neighbours of
    unit u are `indices[indptr[u]:indptr[u+1]]` with `length_m` and `walkable` beside them.
    """

    ids: Ints
    codes: tuple[str, ...]
    area: Ints
    area_codes: tuple[str, ...]
    area_names: tuple[str, ...]
    x: Floats
    y: Floats
    area_m2: Floats
    perimeter_m: Floats
    indptr: Ints
    indices: Ints
    length_m: Floats
    walkable: NDArray[np.bool_]
    land: Ints | None = None  # the connected ground each unit lies on, where it is known already

    @property
    def n(self) -> int:
        """How many units."""
        return len(self.ids)

    def components(self, *, walking: bool = True, within_area: bool = False) -> Ints:
        """The connected part each unit lies in: by open borders or by any, in the whole city or inside its area."""
        if self.land is not None and not walking and not within_area:
            return self.land
        rows = np.repeat(np.arange(self.n), np.diff(self.indptr))
        keep = np.ones(len(rows), bool)
        if walking:
            keep &= self.walkable
        if within_area:
            keep &= self.area[rows] == self.area[self.indices]
        return connected(self.n, rows[keep], self.indices[keep])

    def index_of(self, unit_ids: Ints) -> Ints:
        """Positions of unit ids, −1 for unknown ones."""
        place = np.minimum(np.searchsorted(self.ids, unit_ids), max(self.n - 1, 0))
        found = self.ids[place] == unit_ids if self.n else np.zeros(len(unit_ids), bool)
        return np.where(found, place, -1).astype(np.int64)


def within(graph: UnitGraph, units: Ints) -> UnitGraph:
    """The part of a graph that some units (ascending indices) make; each keeps knowing the land it lies on.

    What is asked of single grids (pieces, areas, outline inside the part) is answered by the part as by the whole,
    as long as it holds all units of those grids.
    """
    place = np.full(graph.n, -1, np.int64)
    place[units] = np.arange(len(units))
    row, edge = half_borders(graph, units)
    inside = place[graph.indices[edge]] >= 0
    row, edge = row[inside], edge[inside]
    indptr = np.zeros(len(units) + 1, np.int64)
    np.cumsum(np.bincount(row, minlength=len(units)), out=indptr[1:])
    return replace(
        graph,
        ids=graph.ids[units],
        codes=tuple(graph.codes[u] for u in units.tolist()),
        area=graph.area[units],
        x=graph.x[units],
        y=graph.y[units],
        area_m2=graph.area_m2[units],
        perimeter_m=graph.perimeter_m[units],
        indptr=indptr,
        indices=place[graph.indices[edge]],
        length_m=graph.length_m[edge],
        walkable=graph.walkable[edge],
        land=graph.components(walking=False)[units],
    )


def half_borders(graph: UnitGraph, units: Ints) -> tuple[Ints, Ints]:
    """(position in `units`, index into `indices`) of every border as seen from these units."""
    starts, degree = graph.indptr[units], graph.indptr[units + 1] - graph.indptr[units]
    row = np.repeat(np.arange(len(units)), degree)
    first = np.cumsum(degree) - degree
    return row, np.arange(len(row)) - np.repeat(first, degree) + np.repeat(starts, degree)


def connected(n: int, a: Ints, b: Ints) -> Ints:
    """Component numbers of an undirected graph of n nodes with edges a–b.

    >>> connected(4, np.array([0, 1]), np.array([1, 2])).tolist()
    [0, 0, 0, 1]
    """
    graph = csr_matrix((np.ones(len(a), np.int8), (a, b)), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def csr(
    n: int, a: Ints, b: Ints, length_m: Floats, walkable: NDArray[np.bool_]
) -> tuple[Ints, Ints, Floats, NDArray[np.bool_]]:
    """Borders given once (a, b) as CSR arrays (indptr, indices, length_m, walkable), neighbours in ascending order."""
    rows, columns = np.concatenate([a, b]), np.concatenate([b, a])
    order = np.lexsort((columns, rows))
    indptr = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(rows, minlength=n), out=indptr[1:])
    return (
        indptr,
        columns[order].astype(np.int64),
        np.concatenate([length_m, length_m])[order],
        np.concatenate([walkable, walkable])[order],
    )


def read(session: Session, on: dt.date | None = None) -> UnitGraph:
    """The units in force on a date (today), leaves only, nested in the city's nesting level as of that date.

    Raises RefusedArgument `no-units` when there are none.
    """
    day = sql.Literal(on or city_today(session))
    session.flush()
    connection = raw(session)
    rows = read_table(connection, sql.SQL(_UNITS).format(on=day), _UNIT_FIELDS)
    ids = rows["id"].astype(np.int64)
    if not len(ids):
        raise RefusedArgument(
            "还没有单元。",
            "There are no units yet.",
            code="no-units",
            do_zh="请管理员先划分单元。",
            shell_zh="请先运行 wangge units build。",
            do_en="An administrator has to build the units first.",
            shell_en="Run `wangge units build` first.",
        )
    codes = session.execute(text(_CODES), {"ids": ids.tolist()}).scalar_one().split(chr(31))
    area, area_codes, area_names = _areas(session, rows["area"])
    lon, lat = rows["lon"], rows["lat"]
    middle = float(lat.mean())
    borders = read_table(connection, sql.SQL(_BORDERS), _BORDER_FIELDS)
    a, b = (np.searchsorted(ids, borders[end]).clip(max=len(ids) - 1) for end in ("a", "b"))
    known = (ids[a] == borders["a"]) & (ids[b] == borders["b"])
    indptr, indices, length_m, walkable = csr(
        len(ids), a[known], b[known], borders["length_m"][known], borders["walkable"][known].astype(bool)
    )
    return UnitGraph(
        ids=ids,
        codes=tuple(codes),
        area=area,
        area_codes=area_codes,
        area_names=area_names,
        x=(lon - lon.mean()) * METRES_PER_DEGREE * float(np.cos(np.radians(middle))),
        y=(lat - middle) * METRES_PER_DEGREE,
        area_m2=rows["area_m2"],
        perimeter_m=rows["perimeter_m"],
        indptr=indptr,
        indices=indices,
        length_m=length_m,
        walkable=walkable,
    )


def _areas(session: Session, ids: NDArray[np.int32]) -> tuple[Ints, tuple[str, ...], tuple[str, ...]]:
    """The area of every unit as an index in order of code (−1: none), codes and names; `ids` are boundary ids, 0 none."""
    used, place = np.unique(ids, return_inverse=True)
    rows = session.execute(
        text("SELECT id, code, name FROM boundary WHERE id = ANY(:ids) ORDER BY code"), {"ids": used.tolist()}
    ).all()
    number = {row.id: i for i, row in enumerate(rows)}
    index = np.array([number.get(i, -1) for i in used.tolist()], np.int64)
    return index[place], tuple(row.code for row in rows), tuple(row.name for row in rows)


_UNITS = """
SELECT u.id, ST_X(u.point) AS lon, ST_Y(u.point) AS lat, u.area_m2, u.perimeter_m, coalesce(ua.boundary_id, 0) AS area
FROM unit u LEFT JOIN (unit_area ua JOIN edition e ON e.id = ua.edition_id AND e.during @> CAST({on} AS date)
  JOIN level l ON l.id = e.level_id JOIN city c ON c.nesting_level = l.name) ON ua.unit_id = u.id
WHERE u.during @> CAST({on} AS date) AND NOT EXISTS (SELECT 1 FROM unit k WHERE k.parent_id = u.id) ORDER BY u.id"""
_UNIT_FIELDS = (
    ("id", "i4"), ("lon", "f8"), ("lat", "f8"), ("area_m2", "f8"), ("perimeter_m", "f8"), ("area", "i4"),
)  # fmt: skip
_CODES = "SELECT string_agg(code, chr(31) ORDER BY id) FROM unit WHERE id = ANY(:ids)"
_BORDERS = "SELECT unit_a, unit_b, length_m, walkable FROM unit_border"
_BORDER_FIELDS = (("a", "i4"), ("b", "i4"), ("length_m", "f8"), ("walkable", "b"))

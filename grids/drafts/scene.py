"""What an editor needs once to draw any draft and to answer a gesture at once: every unit's place, area, weight and
neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from psycopg import sql
from sqlalchemy.orm import Session

from geo.db.copying import read_table
from geo.db.session import raw
from grids.drafts.draft import Draft
from grids.units import Floats, Ints

PLACES = 6  # of degrees: a decimetre


@dataclass(frozen=True, eq=False)
class Scene:
    """Columns in the order of unit ids. lon, lat (EPSG:4326) lie inside the unit; `area` is the index into `area_codes`
    (−1: in none). Unit u has borders with `beside[starts[u]:starts[u + 1]]`, each pair once (u < v)."""

    units: Ints
    codes: tuple[str, ...]
    lon: Floats
    lat: Floats
    area: Ints
    area_codes: tuple[str, ...]
    area_names: tuple[str, ...]
    area_m2: Floats
    loads: dict[str, Floats]
    starts: Ints
    beside: Ints


def scene(session: Session, draft: Draft) -> Scene:
    """The ground under a draft, weighed by what the draft is balanced by."""
    graph, measured = draft.partition.graph, draft.ledger.measured
    lon, lat = _points(session, graph.ids)
    starts, beside = _once(graph.indptr, graph.indices)
    return Scene(
        units=graph.ids,
        codes=graph.codes,
        lon=lon,
        lat=lat,
        area=graph.area,
        area_codes=graph.area_codes,
        area_names=graph.area_names,
        area_m2=np.round(graph.area_m2, 1),
        loads={
            name: np.round(measured.amount[row] / measured.scale[row], 3)
            for row, name in enumerate(measured.names)
        },
        starts=starts,
        beside=beside,
    )


def _points(session: Session, ids: Ints) -> tuple[Floats, Floats]:
    """Inner points of these units (ascending ids). All are read: binary rows of a city take a tenth of the processor time
    that the same rows by an id list take."""
    rows = read_table(raw(session), sql.SQL(_POINTS), _POINT_FIELDS)
    at = np.searchsorted(rows["id"], ids)
    return rows["lon"][at].round(PLACES), rows["lat"][at].round(PLACES)


_POINTS = "SELECT id, ST_X(point), ST_Y(point) FROM unit ORDER BY id"
_POINT_FIELDS = (("id", "i4"), ("lon", "f8"), ("lat", "f8"))


def _once(indptr: Ints, indices: Ints) -> tuple[Ints, Ints]:
    """A symmetric CSR matrix with each pair once.

    >>> [part.tolist() for part in _once(np.array([0, 1, 3, 4]), np.array([1, 0, 2, 1]))]
    [[0, 1, 2, 2], [1, 2]]
    """
    row = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    keep = row < indices
    starts = np.concatenate([[0], np.cumsum(np.bincount(row[keep], minlength=len(indptr) - 1))])
    return starts.astype(np.int64), indices[keep]

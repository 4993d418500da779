"""A small city of square units and plans on it, by plain rules: made once per test in a fraction of a second."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.db import versions
from grids import drafts, stored, units
from grids.codes import Named
from grids.partition import Partition

WEST, SOUTH, STEP = 114.30, 30.50, 0.001
COMMUNITIES = ("420106001001", "420106001002")
CRS = "EPSG:4547"


def square(column: float, row: float, width: float = 1, height: float = 1) -> shapely.Polygon:
    """A rectangle of the lattice; corners of neighbours are the same numbers to the last bit."""
    west, south = WEST + column * STEP, SOUTH + row * STEP
    return shapely.box(west, south, WEST + (column + width) * STEP, SOUTH + (row + height) * STEP)


def town(session: Session, columns: int = 6, rows: int = 4) -> dict[str, int]:
    """columns × rows square units, the west half in one community, the east half in another; code → id."""
    session.execute(text("INSERT INTO city (id, name) VALUES (1, 'Test') ON CONFLICT DO NOTHING"))
    half = columns // 2
    areas = [square(0, 0, half, rows), square(half, 0, columns - half, rows)]
    level = session.scalar(text("INSERT INTO level (name, rank) VALUES ('community', 4) RETURNING id"))
    edition = session.scalar(
        text("INSERT INTO edition (level_id, during, measuring_crs) VALUES (:l, '(,)', :c) RETURNING id"),
        {"l": level, "c": CRS},
    )
    boundary = {}
    for code, geom in zip(COMMUNITIES, areas, strict=True):
        boundary[code] = session.scalar(
            text(
                "INSERT INTO boundary (edition_id, code, name, geom, area_m2) VALUES (:e, :c, :c || '社区', "
                "ST_Multi(ST_GeomFromWKB(:g, 4326)), 1) RETURNING id"
            ),
            {"e": edition, "c": code, "g": shapely.to_wkb(geom)},
        )
    ids: dict[str, int] = {}
    number = dict.fromkeys(COMMUNITIES, 0)
    place: dict[tuple[int, int], int] = {}
    for row in reversed(range(rows)):
        for column in range(columns):
            area = COMMUNITIES[0 if column < half else 1]
            number[area] += 1
            code = f"{area}{number[area]:03d}"
            ids[code] = _unit(session, code, square(column, row))
            place[column, row] = ids[code]
            session.execute(
                text("INSERT INTO unit_area VALUES (:e, :u, :b)"),
                {"e": edition, "u": ids[code], "b": boundary[area]},
            )
    for (column, row), unit in place.items():
        for beside in ((column + 1, row), (column, row + 1)):
            if beside in place:
                a, b = sorted((unit, place[beside]))
                session.execute(text("INSERT INTO unit_border VALUES (:a, :b, 100, true)"), {"a": a, "b": b})
    versions.bump(session, "city", "units", "boundaries")
    return ids


def _unit(session: Session, code: str, geom: shapely.Geometry) -> int:
    return int(
        session.scalar(
            text(
                "INSERT INTO unit (code, geom, point, area_m2, perimeter_m) VALUES (:c, "
                "ST_Multi(ST_GeomFromWKB(:g, 4326)), ST_PointOnSurface(ST_GeomFromWKB(:g, 4326)), 10000, 400) RETURNING id"
            ),
            {"c": code, "g": shapely.to_wkb(geom)},
        )
        or 0
    )


def plan(
    session: Session, name: str, grid_of: Mapping[str, str], *, nesting: str = "free", base: int | None = None
) -> int:
    """A draft with these grid codes by unit code; units that are not named stay open."""
    graph = units.read(session)
    codes = sorted(set(grid_of.values()))
    label = np.array([codes.index(grid_of[c]) if c in grid_of else -1 for c in graph.codes], np.int64)
    partition = Partition(graph, label, len(codes))
    areas = [found[0] if found else -1 for found in partition.areas_of()]
    named = [Named(code, 0, area) for code, area in zip(codes, areas, strict=True)]
    made = stored.write(
        session, name, partition, named, nesting=nesting, origin="proposed", author="t", based_on_id=base
    )
    return int(made.id)


def copy(session: Session, source: int | str, name: str, author: str = "t") -> int:
    """A draft that is a copy of a plan; its id."""
    return drafts.copy(session, source, name, author).id


def strips(ids: Mapping[str, int], columns: int, width: int) -> dict[str, str]:
    """Grids of `width` units each side by side within every community and row, numbered as they come."""
    found, number = {}, dict.fromkeys(COMMUNITIES, 0)
    for code in sorted(ids):
        area, sequence = code[:12], int(code[12:])
        if (sequence - 1) % width == 0:
            number[area] += 1
        found[code] = f"{area}{number[area]:03d}"
    return found

"""Builds cities for tests with plain SQL: levels, units, plans, categories, cases, in any shape a test wants."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.db import versions

WEST, SOUTH, STEP = 121.40, 31.20, 0.002


def square(column: int, row: int, size: int = 1) -> shapely.Polygon:
    """The square of the lattice whose south-west corner stands at (column, row)."""
    x, y = WEST + column * STEP, SOUTH + row * STEP
    return shapely.box(x, y, x + size * STEP, y + size * STEP)


def city(session: Session, timezone: str = "Asia/Shanghai") -> None:
    session.execute(
        text(
            "INSERT INTO city (id, name, timezone) VALUES (1, 'Test', :tz) ON CONFLICT (id) DO UPDATE SET timezone = :tz"
        ),
        {"tz": timezone},
    )
    versions.bump(session, "city")


def edition(
    session: Session,
    level: str,
    areas: dict[str, shapely.Geometry],
    *,
    rank: int | None = None,
    during: str = "(,)",
) -> int:
    """An edition of a level with one boundary per code; returns the edition's id."""
    session.execute(
        text("INSERT INTO level (name, rank) VALUES (:n, :r) ON CONFLICT (name) DO NOTHING"),
        {"n": level, "r": rank},
    )
    made = session.scalar(
        text(
            "INSERT INTO edition (level_id, during, measuring_crs) "
            "SELECT id, CAST(:d AS daterange), 'EPSG:32651' FROM level WHERE name = :n RETURNING id"
        ),
        {"n": level, "d": during},
    )
    for code, geom in areas.items():
        session.execute(
            text(
                "INSERT INTO boundary (edition_id, code, name, geom, area_m2) VALUES (:e, :c, :n, "
                "ST_Multi(ST_GeomFromWKB(:g, 4326)), ST_Area(ST_GeomFromWKB(:g, 4326)::geography))"
            ),
            {"e": made, "c": code, "n": f"area {code}", "g": shapely.to_wkb(geom)},
        )
    versions.bump(session, "boundaries")
    return int(made)


def units(
    session: Session, ground: dict[str, shapely.Geometry], parents: dict[str, str] | None = None
) -> dict[str, int]:
    """Units by code; `parents` says which were cut from which. Returns code → id."""
    ids: dict[str, int] = {}
    for code, geom in ground.items():
        ids[code] = int(
            session.scalar(
                text(
                    "INSERT INTO unit (code, parent_id, geom, point, area_m2, perimeter_m) VALUES (:c, "
                    "(SELECT id FROM unit WHERE code = :p), ST_Multi(ST_GeomFromWKB(:g, 4326)), "
                    "ST_PointOnSurface(ST_GeomFromWKB(:g, 4326)), ST_Area(ST_GeomFromWKB(:g, 4326)::geography), 1) "
                    "RETURNING id"
                ),
                {"c": code, "p": (parents or {}).get(code), "g": shapely.to_wkb(geom)},
            )
            or 0
        )
    versions.bump(session, "units")
    return ids


def plan(
    session: Session,
    name: str,
    grid_of: dict[int, str | None],
    *,
    during: str | None = None,
    geom: shapely.Geometry | None = None,
) -> int:
    """A plan that gives every unit id a grid code (None leaves it open); approved when `during` is given."""
    made = int(
        session.scalar(
            text(
                "INSERT INTO plan (name, state, during) VALUES (:n, :s, CAST(:d AS daterange)) RETURNING id"
            ),
            {"n": name, "s": "approved" if during else "draft", "d": during},
        )
        or 0
    )
    shape = shapely.to_wkb(geom or square(0, 0))
    ids: dict[str | None, int | None] = {None: None}
    for code in sorted({code for code in grid_of.values() if code is not None}):
        ids[code] = session.scalar(
            text(
                "INSERT INTO grid (plan_id, code, name, geom, area_m2, perimeter_m) VALUES (:p, :c, :n, "
                "ST_Multi(ST_GeomFromWKB(:g, 4326)), 40000, 1) RETURNING id"
            ),
            {"p": made, "c": code, "n": f"grid {code}", "g": shape},
        )
    for unit, code in grid_of.items():
        session.execute(
            text("INSERT INTO plan_unit (plan_id, unit_id, grid_id) VALUES (:p, :u, :g)"),
            {"p": made, "u": unit, "g": ids[code]},
        )
    versions.bump(session, "plans")
    return made


def source(
    session: Session, name: str = "hotline", categories: tuple[tuple[str, str | None], ...] = (("01", None),)
) -> int:
    """A source with a catalogue of (top, sub) categories and the partition for its cases; returns its id."""
    catalogue = session.scalar(text("INSERT INTO catalogue (name) VALUES (:n) RETURNING id"), {"n": name})
    made = int(
        session.scalar(
            text("INSERT INTO source (name, catalogue_id) VALUES (:n, :c) RETURNING id"),
            {"n": name, "c": catalogue},
        )
        or 0
    )
    for top in sorted({top for top, _ in categories}):
        session.execute(
            text(
                "INSERT INTO category (catalogue_id, code, name) VALUES (:c, CAST(:t AS text), CAST(:t AS text))"
            ),
            {"c": catalogue, "t": top},
        )
    for top, sub in categories:
        if sub is not None:
            session.execute(
                text(
                    "INSERT INTO category (catalogue_id, parent_id, code, name) "
                    "SELECT :c, id, CAST(:s AS text), CAST(:s AS text) FROM category "
                    "WHERE catalogue_id = :c AND code = :t AND parent_id IS NULL"
                ),
                {"c": catalogue, "t": top, "s": sub},
            )
    session.execute(
        text(f"CREATE TABLE IF NOT EXISTS cases_{made} PARTITION OF cases FOR VALUES IN ({made})")
    )
    return made


def category_ids(session: Session, source_id: int) -> list[int]:
    """The ids of a source's categories."""
    asked = "SELECT c.id FROM category c JOIN source s USING (catalogue_id) WHERE s.id = :s ORDER BY c.id"
    return [int(i) for i in session.execute(text(asked), {"s": source_id}).scalars()]


def cases(session: Session, source_id: int, rows: list[dict[str, Any]], first: int = 0) -> None:
    """Case rows: lon, lat (None: unplaced), opened_at, category_id, and what else is given."""
    run = session.scalar(
        text(
            "INSERT INTO load_run (kind, source, file_name, content_sha256, started_at) "
            "VALUES ('cases', 'test', 'test', '', now()) RETURNING id"
        )
    )
    base = {
        "closed_at": None,
        "due_at": None,
        "dispatched_at": None,
        "status": 0,
        "origin": 0,
        "satisfied": None,
        "lon": None,
        "lat": None,
        "unit_id": None,
    }
    statement = text(
        "INSERT INTO cases (source_id, source_case_id, opened_at, closed_at, due_at, dispatched_at, category_id, status, "
        "origin, satisfied, row_hash, geom, unit_id, load_run_id) VALUES (:source_id, :key, :opened_at, :closed_at, "
        ":due_at, :dispatched_at, :category_id, :status, :origin, :satisfied, '', "
        "CASE WHEN CAST(:lon AS float8) IS NOT NULL THEN ST_SetSRID(ST_Point(:lon, :lat), 4326) END, :unit_id, :run)"
    )
    values = [
        {**base, **row, "source_id": source_id, "key": str(first + i), "run": run}
        for i, row in enumerate(rows)
    ]
    if values:
        session.execute(statement, values)
    versions.bump(session, "cases")


def random_cases(
    rng: np.random.Generator, n: int, category: list[int], *, days: int = 60, size: int = 6
) -> list[dict[str, Any]]:
    """Cases of every kind: on borders, outside, unplaced; closed, void, late, satisfied or not; around midnight."""
    start = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    made = []
    for _ in range(n):
        opened = start + dt.timedelta(seconds=int(rng.integers(0, days * 86_400 // 900)) * 900)
        status = int(rng.choice([0, 1, 1, 1, 2]))
        closed = (
            opened + dt.timedelta(minutes=int(rng.exponential(5000)))
            if status == 1 and rng.random() < 0.9
            else None
        )
        row: dict[str, Any] = {
            "opened_at": opened,
            "closed_at": closed,
            "status": status,
            "due_at": opened + dt.timedelta(days=int(rng.integers(-1, 20))) if rng.random() < 0.7 else None,
            "dispatched_at": opened + dt.timedelta(minutes=int(rng.integers(0, 9000)))
            if rng.random() < 0.5
            else None,
            "origin": int(rng.integers(0, 5)),
            "satisfied": [None, True, False][int(rng.integers(0, 3))],
            "category_id": int(rng.choice(category)),
        }
        if rng.random() < 0.9:
            at = rng.uniform(-0.5, size + 0.5, 2)
            at = at.round() if rng.random() < 0.1 else at
            row["lon"], row["lat"] = WEST + at[0] * STEP, SOUTH + at[1] * STEP
        made.append(row)
    return made

"""An existing grid layer becomes a plan; a second edition of the nesting layer leaves units where they are."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

import etl.units
from etl import reading
from geo.crs import project
from geo.cutting_along import cut_along
from geo.errors import NotFound, RefusedArgument
from grids import imports, plans

Insert = Callable[..., int]
COMMUNITIES = ("420106001001", "420106001002")


def box(west: float, south: float, east: float, north: float) -> Any:
    return shapely.box(114.30 + west * 1e-3, 30.5 + south * 1e-3, 114.30 + east * 1e-3, 30.5 + north * 1e-3)


@pytest.fixture
def city(db: Session, insert_areas: Insert) -> Session:
    insert_areas(db, "community", {COMMUNITIES[0]: box(0, 0, 5, 4), COMMUNITIES[1]: box(5, 0, 10, 4)}, rank=4)
    etl.units.build(db, target_area_m2=10_000, cells="square")
    return db


def square_metres(*geometries: Any) -> float:
    return float(shapely.area(project(np.array(geometries, dtype=object), "EPSG:4547")).sum())


def test_a_layer_that_follows_the_units_loses_nothing(city: Session, insert_areas: Insert) -> None:
    insert_areas(city, "旧网格", {"A1": box(0, 0, 5, 4), "A2": box(5, 0, 10, 4)})
    found = imports.load_plan(city, name="旧网格")
    assert (found.grids, found.open_units, found.lost_polygons, found.nesting) == (2, 0, [], "strict")
    assert found.differing_m2 < 1 and plans.check(city, "旧网格") == []
    rows = city.execute(text("SELECT code, area_code FROM grid ORDER BY code")).all()
    assert [tuple(r) for r in rows] == [("A1", COMMUNITIES[0]), ("A2", COMMUNITIES[1])]
    assert plans.approve(city, found.plan_id, dt.date(2020, 1, 1)).holds_today


def test_what_units_cannot_say_is_reported(city: Session, insert_areas: Insert) -> None:
    """A line 30 % into a column of units: they follow the majority; the strip between is the difference."""
    columns = city.execute(
        text(
            "SELECT DISTINCT round(ST_XMin(geom)::numeric, 6), round(ST_XMax(geom)::numeric, 6) FROM unit ORDER BY 1"
        )
    ).all()
    west, east = (float(v) for v in columns[1])
    line = west + 0.3 * (east - west)
    left = shapely.box(114.30, 30.5, line, 30.504)
    insert_areas(city, "p", {"L": left, "R": box(0, 0, 10, 4).difference(left), "far": box(50, 50, 51, 51)})
    inside = np.random.default_rng(1).uniform((114.30, 30.5), (114.31, 30.504), (300, 2))
    units = city.execute(text("SELECT id, ST_AsBinary(geom) FROM unit ORDER BY code")).all()
    shapes = np.asarray(shapely.from_wkb([bytes(u[1]) for u in units]), dtype=object)
    points = np.asarray(shapely.points(inside), dtype=object)
    which, at = shapely.STRtree(points).query(shapes, predicate="intersects")
    home = dict(zip(at.tolist(), which.tolist(), strict=True))
    make_cases(city, inside, [units[home[i]][0] for i in range(300)])
    found = imports.load_plan(city, name="p")
    assert found.lost_polygons == ["far"] and found.nesting == "free"
    strip = square_metres(shapely.box(west, 30.5, line, 30.504)) + square_metres(box(50, 50, 51, 51))
    assert found.differing_m2 == pytest.approx(strip, rel=2e-2)  # the far box lies 5 km away
    wrong = ((inside[:, 0] > west) & (inside[:, 0] < line)).sum()
    assert (found.cases, found.differing_cases) == (300, wrong) and wrong > 0


def make_cases(db: Session, lonlat: Any, units: list[int]) -> None:
    """Placed cases without a loader."""
    db.execute(text("INSERT INTO catalogue (name) VALUES ('c')"))
    db.execute(text("INSERT INTO category (catalogue_id, code, name) SELECT id, 'x', 'x' FROM catalogue"))
    db.execute(text("INSERT INTO source (name, catalogue_id) SELECT 's', id FROM catalogue"))
    source = db.scalar(text("SELECT id FROM source"))
    db.execute(
        text(f"CREATE TABLE cases_{int(source or 0)} PARTITION OF cases FOR VALUES IN ({int(source or 0)})")
    )
    db.execute(
        text(
            "INSERT INTO load_run (kind, source, file_name, content_sha256, started_at) VALUES ('cases', 's', '', '', now())"
        )
    )
    for i, ((lon, lat), unit) in enumerate(zip(lonlat.tolist(), units, strict=True)):
        db.execute(
            text(
                "INSERT INTO cases (source_id, source_case_id, opened_at, category_id, status, row_hash, geom, unit_id, "
                "load_run_id) "
                "SELECT s.id, :i, '2020-01-01Z', k.id, 0, '', ST_SetSRID(ST_MakePoint(:x, :y), 4326), :u, r.id "
                "FROM source s, category k, load_run r WHERE r.kind = 'cases'"
            ),
            {"i": str(i), "x": lon, "y": lat, "u": unit},
        )


def test_a_layer_beside_the_city_leaves_units_open(city: Session, insert_areas: Insert) -> None:
    insert_areas(city, "p", {"L": box(0, 0, 5, 4)})
    found = imports.load_plan(city, name="p")
    assert found.grids == 1 and 0 < found.open_units < found.units
    assert [v.code for v in plans.check(city, "p")] == ["incomplete"]


def test_refusals(db: Session, insert_areas: Insert) -> None:
    with pytest.raises(RefusedArgument, match="units build"):
        imports.load_plan(db, name="p")
    insert_areas(db, "community", {COMMUNITIES[0]: box(0, 0, 5, 4)}, rank=4)
    etl.units.build(db)
    with pytest.raises(NotFound, match="load boundaries"):
        imports.load_plan(db, name="p")


def test_a_second_edition_of_the_nesting_layer(city: Session, insert_areas: Insert) -> None:
    assert etl.units.follow(city, "street") is None
    city.execute(text("UPDATE edition SET during = '(,2026-01-01)'"))
    level = city.scalar(text("SELECT id FROM level WHERE name = 'community'"))
    edition = insert_areas(
        city, "community2", {COMMUNITIES[0]: box(0, 0, 6.3, 4), COMMUNITIES[1]: box(6.3, 0, 10, 4)}
    )
    city.execute(
        text("UPDATE edition SET level_id = :l, during = '[2026-01-01,)' WHERE id = :e"),
        {"l": level, "e": edition},
    )
    before = city.scalar(text("SELECT count(*) FROM unit"))
    followed = etl.units.follow(city, "community")
    assert followed is not None and followed.outside == 0
    assert followed.cut > 0 and followed.units == before + followed.cut
    moved = city.scalar(
        text(
            "SELECT count(*) FROM unit u JOIN unit_area a ON a.unit_id = u.id AND a.edition_id = :e "
            "JOIN boundary b ON b.id = a.boundary_id WHERE b.code = :c AND ST_X(u.point) > 114.305 "
            "AND NOT EXISTS (SELECT 1 FROM unit k WHERE k.parent_id = u.id)"
        ),
        {"e": edition, "c": COMMUNITIES[0]},
    )
    assert followed.moved == moved and moved > 0
    assert followed.crossed == 0 and followed.differing_m2 < 1  # the line is where units end now
    again = etl.units.follow(city, "community")
    assert again == replace(followed, cut=0)
    whole = leaves(city)
    assert shapely.coverage_is_valid(whole)


def leaves(db: Session) -> Any:
    rows = db.scalars(
        text(
            "SELECT ST_AsBinary(geom) FROM unit u WHERE NOT EXISTS (SELECT 1 FROM unit k WHERE k.parent_id = u.id)"
        )
    )
    return np.asarray(shapely.from_wkb([bytes(geom) for geom in rows]), dtype=object)


def test_import_with_cut_follows_the_lines(city: Session, insert_areas: Insert) -> None:
    """A slanted line through the city: where it really divides a unit the unit is cut, elsewhere the majority decides."""
    slanted = shapely.Polygon([(114.30, 30.5), (114.3047, 30.5), (114.3063, 30.504), (114.30, 30.504)])
    rest = box(0, 0, 10, 4).difference(slanted)
    insert_areas(city, "p", {"L": slanted, "R": rest})
    before = leaves(city)
    size = {u.id: u.area_m2 for u in city.execute(text("SELECT id, area_m2 FROM unit"))}
    cuts = cut_along(city, imports.outlines(city, "p"), reading.divide_by)
    after = leaves(city)
    assert len(cuts) > 0 and len(after) == len(before) + len(cuts)
    assert shapely.coverage_is_valid(after)
    assert shapely.union_all(after).symmetric_difference(shapely.union_all(before)).area < 1e-15
    parts = city.execute(text("SELECT parent_id, area_m2 FROM unit WHERE parent_id IS NOT NULL")).all()
    assert all(m2 > 500 and m2 > 0.05 * size[parent] for parent, m2 in parts)
    found = imports.load_plan(city, name="p")
    assert found.open_units == 0
    assert found.differing_m2 < 0.05 * 10_000 * len(before)
    assert plans.check(city, "p") == []

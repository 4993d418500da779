"""Units and first plans on the boundaries of Boston, Taipei and Nanjing, through the real loaders."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

import etl.boundaries
import etl.units
from grids import plans, proposals

pytestmark = pytest.mark.slow


def assert_sound(db: Session, level: str, target_m2: float) -> None:
    """Independent of our own geometry: a coverage inside the right areas, with everything of them."""
    rows = db.execute(
        text(
            "SELECT b.code, ST_AsBinary(u.geom) AS geom, u.area_m2 FROM unit u JOIN unit_area ua ON ua.unit_id = u.id "
            "JOIN boundary b ON b.id = ua.boundary_id ORDER BY u.id"
        )
    ).all()
    units = np.asarray(shapely.from_wkb([bytes(r.geom) for r in rows]), dtype=object)
    assert shapely.coverage_is_valid(units)
    assert max(r.area_m2 for r in rows) <= 2 * target_m2
    areas = db.execute(
        text(
            "SELECT b.code, ST_AsBinary(b.geom) AS geom FROM boundary b JOIN edition e ON e.id = b.edition_id "
            "JOIN level l ON l.id = e.level_id WHERE l.name = :l ORDER BY 1"
        ),
        {"l": level},
    ).all()
    own = {a.code: shapely.from_wkb(bytes(a.geom)) for a in areas}
    assert set(own) == {r.code for r in rows}
    whole = shapely.union_all(list(own.values()))
    assert shapely.area(shapely.symmetric_difference(whole, shapely.union_all(units))) < 2e-9 * whole.length
    grown = {code: shapely.buffer(area, 2e-9) for code, area in own.items()}
    for area in grown.values():
        shapely.prepare(area)
    assert all(grown[r.code].covers(units[i]) for i, r in enumerate(rows))


def assert_connected(db: Session, plan: int) -> None:
    graph = nx.Graph()
    graph.add_nodes_from(db.scalars(text("SELECT id FROM unit")).all())
    graph.add_edges_from(
        tuple(r) for r in db.execute(text("SELECT unit_a, unit_b FROM unit_border WHERE walkable"))
    )
    land = nx.Graph()
    land.add_nodes_from(graph)
    land.add_edges_from(tuple(r) for r in db.execute(text("SELECT unit_a, unit_b FROM unit_border")))
    island = {u: i for i, part in enumerate(nx.connected_components(land)) for u in part}
    grids: dict[int, list[int]] = {}
    for unit, grid in db.execute(
        text("SELECT unit_id, grid_id FROM plan_unit WHERE plan_id = :p"), {"p": plan}
    ):
        grids.setdefault(grid, []).append(unit)
    for units in grids.values():
        assert nx.number_connected_components(graph.subgraph(units)) == len({island[u] for u in units})


def test_boston_neighbourhoods(db: Session, shared_data: Path) -> None:
    file = shared_data / "data/boston_311/boundaries/Boston_Neighborhoods.geojson"
    etl.boundaries.load(db, file, level="community")
    etl.units.build(db, target_area_m2=60_000)
    assert_sound(db, "community", 60_000)
    plan = proposals.propose(db, name="Boston", grids=200, weight="area").plan_ids[0]
    assert plans.check(db, plan) == []
    assert_connected(db, plan)
    card = plans.score(db, plan, "area")
    assert card.crossing == 0 and card.within_tolerance is not None
    assert plans.approve(db, plan, dt.date(2010, 1, 1)).holds_today


def test_taipei_villages_in_towns(db: Session, shared_data: Path) -> None:
    folder = shared_data / "data/taiwan_taipei"
    etl.boundaries.load(db, folder / "towns.geojson", level="district")
    etl.boundaries.load(db, folder / "villages.geojson", level="community")
    report = etl.units.build(db, target_area_m2=40_000)
    assert report.details["areas"] == 456
    assert_sound(db, "community", 40_000)
    plan = proposals.propose(db, name="Taipei", per_grid=300_000, weight="area").plan_ids[0]
    assert plans.check(db, plan) == []
    assert_connected(db, plan)
    crossing = db.scalar(
        text(
            "SELECT count(*) FROM (SELECT pu.grid_id FROM plan_unit pu JOIN unit_area ua ON ua.unit_id = pu.unit_id "
            "JOIN boundary b ON b.id = ua.boundary_id GROUP BY pu.grid_id HAVING count(DISTINCT b.parent_code) > 1) q"
        )
    )
    assert crossing == 0


def test_nanjing_streets(db: Session, shared_data: Path) -> None:
    etl.boundaries.load(db, shared_data / "data/china_nanjing_jiangning/gbk_shp/江宁街道.shp", level="street")
    etl.units.build(db, within="street", target_area_m2=250_000)
    assert_sound(db, "street", 250_000)
    plan = proposals.propose(db, name="江宁", grids=120, weight="area", seed=1).plan_ids[0]
    assert plans.check(db, plan) == []
    assert_connected(db, plan)

"""Proposals over real cases and real ground, judged by networkx, shapely and SQL only: Boston 2015."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

import etl.boundaries
import etl.cases
import etl.units
from geo.db import session as sessions
from geo.settings import Settings
from grids import proposals
from tests.geo import small_city

pytestmark = [pytest.mark.shared, pytest.mark.slow]
HELD = "(SELECT DISTINCT ON (unit_id) unit_id, grid_id FROM plan_unit WHERE plan_id = :p ORDER BY unit_id, revision DESC)"


def assert_sound(db: Session, plan: int, crs: str) -> None:
    """Every unit is in one grid, grids are in one piece, polygons cover the units' ground once and add up to it."""
    held = dict(db.execute(text(f"SELECT unit_id, grid_id FROM {HELD} h"), {"p": plan}).tuples().all())
    assert set(held) == set(db.scalars(text("SELECT id FROM unit"))) and None not in held.values()
    walk, land = nx.Graph(), nx.Graph()
    walk.add_nodes_from(held)
    land.add_nodes_from(held)
    for a, b, walkable in db.execute(text("SELECT unit_a, unit_b, walkable FROM unit_border")):
        land.add_edge(a, b)
        if walkable:
            walk.add_edge(a, b)
    island = {unit: i for i, part in enumerate(nx.connected_components(land)) for unit in part}
    members: dict[int, list[int]] = {}
    for unit, grid in held.items():
        members.setdefault(grid, []).append(unit)
    for units in members.values():
        assert nx.number_connected_components(walk.subgraph(units)) == len({island[u] for u in units})
    ask = "SELECT ST_AsBinary(ST_Transform(geom, CAST(:c AS integer))) FROM "
    ground = _shapes(db, ask + "unit", {"c": crs})
    drawn = _shapes(db, ask + "grid WHERE plan_id = :p", {"c": crs, "p": plan})
    assert len(drawn) == len(members)
    whole, union = shapely.union_all(ground), shapely.union_all(drawn)
    perimeter = shapely.length(whole)
    assert shapely.area(shapely.symmetric_difference(whole, union)) < 1e-3 * perimeter  # no gap: a millimetre
    assert abs(shapely.area(drawn).sum() - shapely.area(union)) < 1e-3 * perimeter  # no overlap
    assert shapely.area(drawn).sum() == pytest.approx(shapely.area(ground).sum(), rel=1e-7)


def _shapes(db: Session, statement: str, values: dict[str, object]) -> np.ndarray:
    found = [bytes(g) for g in db.scalars(text(statement), values)]
    return np.asarray(shapely.from_wkb(found), dtype=object)


def cases_of(db: Session, plan: int) -> np.ndarray:
    """Cases of every grid, by SQL; a grid without cases counts."""
    rows = db.execute(
        text(f"SELECT g.id, count(c.id) FROM grid g JOIN {HELD} h ON h.grid_id = g.id "
             "LEFT JOIN cases c ON c.unit_id = h.unit_id GROUP BY g.id ORDER BY g.id"), {"p": plan},
    )  # fmt: skip
    return np.array([n for _, n in rows], float)


def heaviest_of(db: Session, plan: int) -> np.ndarray:
    """Cases of the heaviest unit of every grid, in the order of `cases_of`."""
    rows = db.execute(
        text(f"SELECT g.id, max((SELECT count(*) FROM cases c WHERE c.unit_id = h.unit_id)) FROM grid g JOIN {HELD} h "
             "ON h.grid_id = g.id GROUP BY g.id ORDER BY g.id"), {"p": plan},
    )  # fmt: skip
    return np.array([n for _, n in rows], float)


@pytest.fixture(scope="module")
def boston(module_settings: Settings, shared_data: Path) -> Iterator[Settings]:
    """Neighbourhoods, units of 60 000 m² and the 121 145 requests of 2015."""
    folder = shared_data / "data/boston_311"
    with sessions.session(module_settings) as db:
        small_city.city(db, "America/New_York")
        etl.boundaries.load(db, folder / "boundaries/Boston_Neighborhoods.geojson", level="community")
        etl.units.build(db, target_area_m2=60_000)
    with sessions.session(module_settings) as db:
        etl.cases.load(db, folder / "boston_311_2015.csv.gz", source="boston")
    yield module_settings


@pytest.mark.parametrize("nest", ["free", "soft"])
def test_boston_in_grids_of_equal_cases(boston: Settings, nest: str) -> None:
    with Session(sessions.engine(boston, "owner"), expire_on_commit=False) as db:
        made = proposals.propose(db, name=nest, grids=120, weight="cases", nest=nest, tolerance=0.10)  # type: ignore[arg-type]
        plan = made.plans[0]
        assert_sound(db, plan.plan_id, "26986")
        loads = cases_of(db, plan.plan_id)
        placed = db.scalar(text("SELECT count(*) FROM cases WHERE unit_id IS NOT NULL"))
        assert len(loads) == 120 and loads.sum() == placed and placed > 120_000
        shared = loads[
            heaviest_of(db, plan.plan_id) <= loads.mean()
        ]  # an address of thousands fills a grid alone
        off = np.abs(shared / shared.mean() - 1)
        assert len(shared) > 100 and (off <= 0.10).mean() > (0.95 if nest == "free" else 0.8)
        db.rollback()

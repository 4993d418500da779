"""A plan becomes living grids: proposed on units, checked, approved with a date, drawn and counted; history stays."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import networkx as nx
import numpy as np
import pytest
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

from etl import units
from geo.errors import Refused
from grids import plans, proposals

AREAS = {
    "320115001001": shapely.box(118.80, 31.90, 118.81, 31.91),
    "320115001002": shapely.box(118.81, 31.90, 118.82, 31.91),
}


def test_a_plan_becomes_grids(db: Session, insert_areas: Callable[..., object]) -> None:
    insert_areas(db, "community", AREAS)
    units.build(db, target_area_m2=60_000)
    first = proposals.propose(db, name="首版", grids=6, weight="area", seed=1).plan_ids[0]
    approved = plans.approve(db, first, dt.date(2025, 1, 1), "planner")
    assert approved.state == "approved"

    rows = db.execute(
        text(
            "SELECT pu.unit_id, g.code, g.area_code FROM plan_unit pu JOIN grid g ON g.id = pu.grid_id WHERE pu.plan_id = :p"
        ),
        {"p": first},
    ).all()
    n_units = db.scalar(text("SELECT count(*) FROM unit"))
    assert len(rows) == n_units and len({r.code for r in rows}) == 6
    assert all(r.code.startswith(r.area_code) and r.area_code in AREAS for r in rows), (
        "grids nest in communities"
    )

    borders = nx.Graph(db.execute(text("SELECT unit_a, unit_b FROM unit_border")).tuples().all())
    for code in {r.code for r in rows}:
        assert nx.is_connected(borders.subgraph([r.unit_id for r in rows if r.code == code])), (
            f"{code} is in one piece"
        )

    shapes = db.execute(
        text("SELECT ST_AsBinary(geom), area_m2 FROM grid WHERE plan_id = :p"), {"p": first}
    ).all()
    polygons = shapely.from_wkb([bytes(r[0]) for r in shapes])
    whole = shapely.union_all(polygons)
    assert shapely.symmetric_difference(whole, shapely.union_all(list(AREAS.values()))).area < 1e-10
    assert np.isclose(shapely.area(polygons).sum(), whole.area, rtol=1e-9), "no overlap"

    with pytest.raises(Refused):
        later = proposals.propose(db, name="改版", grids=4, weight="area", seed=2).plan_ids[0]
        plans.approve(db, later, dt.date(2025, 6, 1), "planner")  # history is not rewritten

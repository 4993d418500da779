"""Proposals in PostGIS: drafts whose polygons cover the ground once, whose loads SQL confirms, with bounds and locks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import numpy as np
import pytest
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

import etl.units
from geo.errors import RefusedArgument
from grids import bounds, plans, proposals
from grids.problem import Problem
from tests.grids.lattices import lattice
from tests.grids.test_plans import two_by_two

Insert = Callable[..., int]


@pytest.fixture
def ground(db: Session, insert_areas: Insert) -> Session:
    insert_areas(db, "community", two_by_two(), rank=4)
    etl.units.build(db, target_area_m2=20_000)
    return db


def test_choices_are_drafts_without_gap_or_overlap(ground: Session) -> None:
    made = proposals.propose(
        ground, name="甲", grids=16, weight="area", nest="free", tolerance=0.05, choices=3
    )
    assert [one.name for one in made.plans] == ["甲", "甲 2", "甲 3"]
    units = ground.scalars(text("SELECT ST_AsBinary(geom) FROM unit")).all()
    whole = shapely.union_all(shapely.from_wkb([bytes(u) for u in units]))
    for one in made.plans:
        rows = ground.execute(
            text("SELECT ST_AsBinary(geom) AS geom FROM grid WHERE plan_id = :p"), {"p": one.plan_id}
        ).all()
        shapes = shapely.from_wkb([bytes(r.geom) for r in rows])
        union = shapely.union_all(shapes)
        assert len(rows) == 16
        assert shapely.area(shapely.symmetric_difference(union, whole)) < 1e-6 * whole.area
        assert sum(shapely.area(shapes)) == pytest.approx(union.area, rel=1e-9)
        loads = ground.scalars(
            text(
                "SELECT sum(u.area_m2) FROM plan_unit pu JOIN unit u ON u.id = pu.unit_id "
                "WHERE pu.plan_id = :p GROUP BY pu.grid_id"
            ),
            {"p": one.plan_id},
        ).all()
        off = np.abs(np.array(loads) / np.mean(loads) - 1)
        assert one.deviation == pytest.approx(off.max(), rel=1e-9)
        assert one.mean_deviation == pytest.approx(off.mean(), rel=1e-9)
        assert one.outside == (off > 0.05).sum()
    assert made.plans[0].deviation <= 0.1


def test_locked_grids_stay_and_posts_are_stored(ground: Session) -> None:
    first = proposals.propose(ground, name="甲", grids=8, weight="area")
    plans.approve(ground, first.plan_ids[0], dt.date(2020, 1, 1))
    code = ground.scalar(text("SELECT min(code) FROM grid"))
    again = proposals.propose(
        ground, name="乙", grids=10, weight="area", locked=[code], posts=[1.0] * 9 + [2.0], seed=4
    )
    row = ground.execute(
        text("SELECT a.locked, ST_Equals(a.geom, b.geom) AS same FROM grid a, grid b "
             "WHERE a.plan_id = :p AND b.plan_id = :q AND a.code = :c AND b.code = :c"),
        {"p": again.plan_ids[0], "q": first.plan_ids[0], "c": code},
    ).one()  # fmt: skip
    assert row.locked and row.same
    posts = ground.scalars(text("SELECT posts FROM grid WHERE plan_id = :p"), {"p": again.plan_ids[0]}).all()
    assert sorted(posts) == [1.0] * 9 + [2.0]
    with pytest.raises(RefusedArgument, match="no-such"):
        proposals.propose(ground, name="丙", grids=10, weight="area", locked=["no-such"])


@pytest.mark.parametrize(
    "wish", [{"choices": 9}, {"tolerance": -1}, {"nest": "x"}, {"posts": [1.0]}, {"posts": -1.0}]
)
def test_impossible_wishes_are_refused(ground: Session, wish: dict[str, object]) -> None:
    with pytest.raises(RefusedArgument):
        proposals.propose(ground, name="甲", grids=8, weight="area", **wish)  # type: ignore[arg-type]
    assert ground.scalar(text("SELECT count(*) FROM plan")) == 0


def test_bounds_of_two_areas() -> None:
    graph = lattice(10, 10, areas=2)
    weight = np.where(graph.area == 0, 1.0, 2.0)  # 50 and 100: three grids of 50 nested exactly, four not
    found = bounds.bounds(Problem(graph, weight, 3))
    assert (found.heaviest_unit, found.nested) == (0.0, pytest.approx(0.0))
    assert sorted(found.grids_per_area.values()) == [1, 2]
    found = bounds.bounds(Problem(graph, weight, 4))
    assert found.nested == pytest.approx(1 / 3) and [e.code for e in found.explained] == ["area-uneven"] * 2
    assert bounds.bounds(Problem(graph, weight, 1)).nested is None


def test_a_tower_is_named() -> None:
    graph, weight = lattice(10, 10), np.ones(100)
    weight[17] = 60.0  # the others hold 99 in three grids: 33 is fair
    found = bounds.bounds(Problem(graph, weight, 4, nesting="free"))
    assert found.heaviest_unit == pytest.approx(60 / 33 - 1)
    assert [(e.code, e.where) for e in found.explained] == [("unit-over-target", "u18")]

"""The scorecard from the database against SQL and PostGIS."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.errors import NotFound, RefusedArgument
from grids import fair, judging, plans, proposals
from grids.measures.catalogue import FIGURES
from tests.grids import judged_city

Insert = Callable[..., int]


def test_every_figure_has_a_value_or_a_reason(city: Session) -> None:
    plan = proposals.propose(city, name="丙", grids=12, weight="area").plan_ids[0]
    card = judging.scorecard(city, plan)
    assert set(card.figures) == set(FIGURES)
    for key, value in card.figures.items():
        assert (value is None) == (key in card.missing), key
    assert {k for k in card.missing if k.startswith("stays")} == {k for k in FIGURES if k.startswith("stays")}
    assert card.notes["residents_from"] == "households × 2.62"
    plans.approve(city, plan, dt.date(2020, 1, 1))
    again = judging.scorecard(city, plan)
    assert again.missing == {} and again.figures["stays_cases"] == 1.0


def test_loads_by_sql(city: Session) -> None:
    plan = proposals.propose(city, name="丙", grids=9, weight="area").plan_ids[0]
    loads = np.array(
        city.scalars(
            text(
                "SELECT count(c.id) FROM plan_unit pu LEFT JOIN cases c USING (unit_id) "
                "WHERE plan_id = :p GROUP BY grid_id"
            ),
            {"p": plan},
        ).all(),
        float,
    )
    card = judging.scorecard(city, plan, weight="cases", tolerance=0.3)
    per_unit = city.scalars(
        text(
            "SELECT count(c.id) FROM plan_unit pu JOIN cases c USING (unit_id) "
            "WHERE plan_id = :p AND grid_id IS NOT NULL GROUP BY unit_id"
        ),
        {"p": plan},
    ).all()
    off = np.abs(loads / fair.load_per_post(np.array(per_unit, float), np.ones(len(loads))) - 1)
    assert card.figures["total"] == loads.sum() == card.figures["placed_cases"]
    assert card.figures["largest_deviation"] == pytest.approx(off.max())
    assert card.figures["mean_deviation"] == pytest.approx(off.mean())
    assert card.figures["within_tolerance"] == pytest.approx((off <= 0.3).mean())
    plain = np.abs(loads[:, None] - loads[None, :]).mean() / (2 * loads.mean())
    assert card.figures["gini"] == pytest.approx(plain)


@pytest.mark.parametrize("near_m", [0.5, 20, 120])
def test_near_line_as_postgis_sees_it(city: Session, near_m: float) -> None:
    plan = proposals.propose(city, name="丙", grids=12, weight="area").plan_ids[0]
    card = judging.scorecard(city, plan, near_m=near_m)
    near = city.scalar(
        text(
            "WITH g AS (SELECT id, ST_Transform(geom, 4547) AS geom FROM grid WHERE plan_id = :p) "
            "SELECT count(*) FROM cases c JOIN plan_unit pu ON pu.unit_id = c.unit_id AND pu.plan_id = :p WHERE EXISTS "
            "(SELECT 1 FROM g WHERE g.id <> pu.grid_id AND ST_DWithin(g.geom, ST_Transform(c.geom, 4547), :m))"
        ),
        {"p": plan, "m": near_m},
    )
    assert card.figures["near_line_cases"] == near
    assert card.figures["near_line_share"] == pytest.approx(near / card.figures["placed_cases"])


def test_reock_of_the_grids_own_polygons(city: Session) -> None:
    plan = proposals.propose(city, name="丙", grids=7, weight="area").plan_ids[0]
    found = city.execute(
        text(
            "SELECT ST_Area(m) / (pi() * radius * radius) AS r FROM (SELECT ST_Transform(geom, 4547) AS m FROM grid "
            "WHERE plan_id = :p) g, LATERAL ST_MinimumBoundingRadius(m)"
        ),
        {"p": plan},
    ).scalars()
    reock = np.array(found.all(), float)
    card = judging.scorecard(city, plan)
    assert card.figures["reock"] == pytest.approx(reock.mean(), rel=1e-4)
    assert card.figures["reock_least"] == pytest.approx(reock.min(), rel=1e-4)


def test_nothing_happened_yet(db: Session, insert_areas: Insert) -> None:
    judged_city.found(db, insert_areas, cases=0)
    db.execute(text("DELETE FROM weight"))
    plan = proposals.propose(db, name="甲", grids=8, weight="area").plan_ids[0]
    card = judging.scorecard(db, plan, weight="cases")
    for key in ("gini", "largest_deviation", "near_line_share", "households_in_band", "posts_share"):
        assert card.figures[key] is None and card.missing[key].zh and card.missing[key].en
    assert card.figures["posts"] == 8


def test_refusals_name_the_field(city: Session) -> None:
    plan = proposals.propose(city, name="丙", grids=8, weight="area").plan_ids[0]
    for words, field in (
        ({"tolerance": -1.0}, "tolerance"),
        ({"near_m": 1e6}, "near-m"),
        ({"weight": "x"}, "weight"),
    ):
        with pytest.raises(RefusedArgument) as refused:
            judging.scorecard(city, plan, **words)  # type: ignore[arg-type]
        assert refused.value.field == field
    with pytest.raises(NotFound):
        judging.scorecard(city, "没有")

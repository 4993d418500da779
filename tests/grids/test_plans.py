"""Units built, a plan proposed, checked by networkx, approved: the thin line from ground to plan."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import networkx as nx
import pytest
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

import etl.units
from geo.errors import RefusedArgument
from grids import plans, proposals

Insert = Callable[..., int]


def two_by_two() -> dict[str, Any]:
    """Four communities of about 1 km² near Wuhan, with Beijing-15 community codes."""
    boxes = [(0, 0), (1, 0), (0, 1), (1, 1)]
    return {
        f"42010600100{i + 1}": shapely.box(
            114.3 + x * 0.0104, 30.5 + y * 0.009, 114.3 + (x + 1) * 0.0104, 30.5 + (y + 1) * 0.009
        )
        for i, (x, y) in enumerate(boxes)
    }


@pytest.fixture
def ground(db: Session, insert_areas: Insert) -> Session:
    insert_areas(db, "community", two_by_two(), rank=4)
    etl.units.build(db, target_area_m2=20_000)
    return db


def test_a_first_plan_from_nothing_but_areas(ground: Session) -> None:
    plan = proposals.propose(ground, name="首版", grids=20, weight="area").plan_ids[0]
    assert plans.check(ground, plan) == []
    card = plans.score(ground, plan, "area")
    assert (card.grids, card.open_units, card.crossing, card.contiguous) == (20, 0, 0, 1.0)
    assert card.largest_deviation is not None and card.largest_deviation < 0.2
    held = plans.approve(ground, plan, dt.date(2020, 1, 1))
    assert held.holds_today and held.valid_to is None
    codes = ground.scalars(text("SELECT code FROM grid ORDER BY code")).all()
    assert codes == sorted(f"42010600100{a}{s:03d}" for a in range(1, 5) for s in range(1, 6))


def test_grids_are_connected_for_networkx_too(ground: Session) -> None:
    plan = proposals.propose(ground, name="首版", grids=13, weight="area", seed=3).plan_ids[0]
    graph = nx.Graph()
    graph.add_edges_from(
        tuple(e) for e in ground.execute(text("SELECT unit_a, unit_b FROM unit_border WHERE walkable"))
    )
    rows = ground.execute(text("SELECT unit_id, grid_id FROM plan_unit WHERE plan_id = :p"), {"p": plan})
    members: dict[int, list[int]] = {}
    for unit, grid in rows:
        members.setdefault(grid, []).append(unit)
    assert len(members) == 13
    assert all(nx.is_connected(graph.subgraph(units)) for units in members.values())


def test_no_units_names_the_command(db: Session) -> None:
    with pytest.raises(RefusedArgument, match="units build"):
        proposals.propose(db, name="x", grids=3, weight="area").plan_ids[0]

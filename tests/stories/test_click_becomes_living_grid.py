"""A click becomes a living grid: PATCH → the router → the draft → the partition and its rules → on approval the plan."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import shapely
from sqlalchemy import text
from starlette.testclient import TestClient

from api import auth
from api.app import create_app
from etl import units
from geo.db import session as sessions
from geo.settings import Settings
from grids import proposals

AREAS = {"320115001001": shapely.box(118.80, 31.90, 118.81, 31.91)}


def test_a_click_becomes_a_living_grid(settings: Settings, insert_areas: Callable[..., object]) -> None:
    with sessions.session(settings) as s:
        insert_areas(s, "community", AREAS)
        units.build(s, target_area_m2=40_000)
        plan = proposals.propose(s, name="改版", grids=3, weight="area", seed=1).plan_ids[0]
        for name in ("planner", "chief"):  # nobody approves a plan of their own hand
            auth.add_user(s, name)
        token, chief = (auth.issue_token(s, name)[0] for name in ("planner", "chief"))
    with TestClient(create_app(settings), headers={"Authorization": f"Bearer {token}"}) as web:
        path, before = f"/api/plans/{plan}", web.get(f"/api/plans/{plan}/assignment").json()
        revision = 0
        for unit, old, new in units_at_an_edge(
            settings, before
        ):  # a click, taken back as long as it breaks a rule
            click = {"unit_ids": [unit], "to_grid": new, "revision": revision}
            told = web.patch(f"{path}/units", json=click).json()
            assert {g["code"] for g in told["grids"]} == {old, new} and told["score"]["open_units"] == 0
            assert web.patch(f"{path}/units", json=click).status_code == 409, "decided on an older state"
            if not told["violations"]:
                break
            revision = web.post(f"{path}/undo", json={"revision": told["revision"]}).json()["revision"]
            assert web.get(f"{path}/assignment").json()["grid"] == before["grid"]

        seen = {"from": dt.date.today().isoformat(), "revision": told["revision"]}
        assert web.post(f"{path}/approve", json=seen).json()["type"].endswith("own-plan")
        by_chief = {"Authorization": f"Bearer {chief}"}
        assert web.post(f"{path}/approve", json=seen, headers=by_chief).status_code == 200
        assert web.patch(f"{path}/units", json={**click, "revision": told["revision"]}).status_code == 409
    with sessions.session(settings) as s:
        lies = "SELECT ST_Covers(g.geom, u.point) FROM grid g, unit u WHERE g.code = :c AND u.id = :u"
        assert s.scalar(text(lies), {"c": new, "u": unit}), "the ground is in its new grid's polygon"


def units_at_an_edge(settings: Settings, table: dict[str, Any]) -> list[tuple[int, str, str]]:
    """(unit, its grid, a grid beside it), of grids with something left."""
    grid = {unit: table["grids"][g] for unit, g in zip(table["units"], table["grid"], strict=True)}
    with sessions.session(settings) as s:
        borders = s.execute(text("SELECT unit_a, unit_b FROM unit_border WHERE walkable")).all()
    return [
        (a, grid[a], grid[b])
        for a, b in borders
        if grid[a] != grid[b] and list(grid.values()).count(grid[a]) > 1
    ]

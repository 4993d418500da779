"""A case becomes warmth on a map: a file of cases, four rooms, one number on the page."""

from __future__ import annotations

import datetime as dt
import json
import time
from pathlib import Path
from typing import Any

import pytest
import shapely
from starlette.testclient import TestClient

from api import auth
from api.app import create_app
from etl import boundaries, cases, units
from geo.db import session as sessions
from geo.settings import Settings
from grids import plans, proposals

CSV = """工单编号,受理时间,办结时间,大类,小类,经度,纬度,来源,联系电话
A1,2026-03-01 08:00:00,2026-03-02 09:00:00,市容环境,暴露垃圾,118.8005,31.9005,市民热线,13800000000
A2,2026-03-01 09:30:00,,市容环境,道路不洁,118.8006,31.9006,巡查,13800000001
A3,2026-03-02 10:00:00,2026-03-01 10:00:00,街面秩序,占道经营,118.8105,31.9005,市民热线,
A4,2026-03-03 11:00:00,,街面秩序,占道经营,0,0,市民热线,
A5,2026-03-04 12:00:00,,街面秩序,占道经营,118.9000,31.9000,巡查,
A6,2026-02-30 12:00:00,,街面秩序,占道经营,118.8005,31.9005,巡查,
"""
MORE = CSV.splitlines()[0] + "\nB1,2026-03-05 08:00:00,,市容环境,暴露垃圾,118.8007,31.9007,市民热线,\n"


@pytest.fixture
def town(settings: Settings, tmp_path: Path) -> Settings:
    """Two communities, units, an approved plan; no case yet."""
    features = [
        {
            "type": "Feature",
            "properties": {"社区代码": f"32011500100{i}", "社区名称": f"{name}社区"},
            "geometry": shapely.geometry.mapping(
                shapely.box(118.80 + i * 0.01, 31.90, 118.81 + i * 0.01, 31.91)
            ),
        }
        for i, name in enumerate(["解放", "和平"])
    ]
    path = tmp_path / "社区.geojson"
    path.write_text(
        json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False), "utf-8"
    )
    with sessions.session(settings) as session:
        assert boundaries.load(session, path, level="community").added == 2
        units.build(session, target_area_m2=100_000)
        plan = proposals.propose(session, name="首版", grids=4, weight="area").plan_ids[0]
        plans.approve(session, plan, dt.date(2025, 1, 1), "planner")
    return settings


def load(settings: Settings, path: Path, text: str) -> Any:
    path.write_text(text, "utf-8")
    with sessions.session(settings) as session:
        return cases.load(session, path, source="热线", now=dt.datetime(2026, 4, 1, tzinfo=dt.UTC))


def test_a_case_becomes_warmth(town: Settings, tmp_path: Path) -> None:
    report = load(town, tmp_path / "工单.csv", CSV)
    assert (report.rows_in, report.added, report.rejected, report.unplaced) == (6, 5, 1, 1)
    assert report.rejects[0].row == 7 and report.rejects[0].code == "date-invalid"
    assert report.personal_columns == {"联系电话": 2}

    with sessions.session(town) as session:
        auth.add_user(session, "operator")
        token, _ = auth.issue_token(session, "operator", days=1)
    with TestClient(create_app(town)) as client:
        client.headers["Authorization"] = f"Bearer {token}"
        heat = client.get("/api/heatmap/grids").json()
        assert heat["plan"]["name"] == "首版"
        assert sum(heat["values"]) == 3
        assert (heat["total"], heat["unplaced"], heat["outside"]) == (5, 1, 1)

        by_community = client.get("/api/heatmap/boundaries", params={"level": "community"}).json()
        assert dict(zip(by_community["names"], by_community["values"], strict=True)) == {
            "解放社区": 2,
            "和平社区": 1,
        }

        public = TestClient(create_app(town)).get("/api/heatmap/grids").json()
        assert all(value is None or value >= 5 or value == 0 for value in public["values"])

        load(town, tmp_path / "更多.csv", MORE)
        deadline = time.monotonic() + 20
        while client.get("/api/heatmap/grids").json()["total"] != 6:
            assert time.monotonic() < deadline, "the running service never saw the new case"
            time.sleep(0.2)

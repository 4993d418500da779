"""Single cases for staff: every filter equals SQL, pages neither miss nor repeat, a zone's cases are its count."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from sqlalchemy import text

from geo.db import session as sessions


def everything(town: Any, query: str = "", limit: int = 1000) -> list[dict[str, Any]]:
    """All pages."""
    found: list[dict[str, Any]] = []
    after = ""
    while True:
        page = town.staff(f"/api/cases?limit={limit}{query}{after}").json()
        found += page["cases"]
        if page["next"] is None:
            return found
        after = f"&after={page['next']}"


@pytest.mark.parametrize(
    ("query", "condition"),
    [
        ("", "true"),
        ("&from=2024-03-01&to=2024-03-15", "opened_at >= '2024-03-01+08' AND opened_at < '2024-03-15+08'"),
        ("&category=01", "category_id IN (SELECT id FROM category WHERE code LIKE '01__')"),
        (
            "&category=01/0101&category=02",
            "category_id IN (SELECT id FROM category WHERE code LIKE '02__' OR code = '0101')",
        ),
        ("&origin=citizen&origin=patrol", "origin IN (1, 2)"),
        ("&status=open", "status = 0"),
        ("&source=town", "true"),
        ("&source=nobody", "false"),
        ("&placed=unplaced", "geom IS NULL"),
        ("&placed=outside", "geom IS NOT NULL AND unit_id IS NULL"),
        ("&placed=placed", "unit_id IS NOT NULL"),
        (
            "&bbox=116.3,39.9,116.31,39.91",
            "ST_Intersects(geom, ST_MakeEnvelope(116.3, 39.9, 116.31, 39.91, 4326))",
        ),
        ("&bbox=117,39,116.305,40", "ST_X(geom) >= 117 OR ST_X(geom) <= 116.305"),
        ("&category=%27%20OR%201=1--", "false"),
    ],
)
def test_filters_equal_sql(town: Any, query: str, condition: str) -> None:
    with sessions.session(town.settings, "owner") as session:
        expected = session.execute(
            text(f"SELECT id FROM cases WHERE {condition} ORDER BY source_id DESC, id DESC")
        )
        assert [c["id"] for c in everything(town, query)] == list(expected.scalars())


def test_pages(town: Any) -> None:
    whole = [c["id"] for c in everything(town, "&category=02")]
    assert [c["id"] for c in everything(town, "&category=02", limit=97)] == whole
    assert len(set(whole)) == len(whole) > 500
    for wrong in ("x", "Mg", "Mi4", "LTEuMQ", "MS4x" * 30, "%00", "MS45OTk5OTk5OTk5OTk5OTk5OTk5OTk5"):
        answer = town.staff(f"/api/cases?after={wrong}")
        assert answer.status_code == 400, wrong
        assert answer.json()["field"] == "after"


@pytest.mark.parametrize("by", ["grid", "community", "street", "hexagon:8", "hexagon:9"])
def test_the_cases_of_a_zone_are_its_count(town: Any, by: str) -> None:
    layer = {
        "grid": "grids?",
        "hexagon:8": "hexagons?resolution=8",
        "hexagon:9": "hexagons?resolution=9",
    }.get(by, f"boundaries?level={by}")
    heat = town.staff(f"/api/heatmap/{layer}&from=2024-02-01&to=2024-05-01").json()
    for code, n in list(zip(heat["codes"], heat["n"], strict=True))[:6]:
        assert len(everything(town, f"&by={by}&code={code}&from=2024-02-01&to=2024-05-01")) == n
        assert len(everything(town, f"&by={by}&code={code}&from=2024-02-01&to=2024-05-01", limit=7)) == n


@pytest.mark.parametrize("by", ["grid", "community", "street", "hexagon:8", "hexagon:9"])
@pytest.mark.parametrize("order", ["", "&state=open&sort=due"])
def test_several_zones_are_one_list(town: Any, by: str, order: str) -> None:
    """The cases of several zones, in the one order, on pages that neither miss nor repeat."""
    layer = {"grid": "grids?", "hexagon:8": "hexagons?resolution=8", "hexagon:9": "hexagons?resolution=9"}
    heat = town.staff(f"/api/heatmap/{layer.get(by, f'boundaries?level={by}')}").json()
    codes = [code for code, n in zip(heat["codes"], heat["n"], strict=True) if n][::3][:5]
    asked = f"&by={by}{order}" + "".join(f"&code={code}" for code in codes)
    alone = {code: {c["id"] for c in everything(town, f"&by={by}{order}&code={code}")} for code in codes}
    together = [c["id"] for c in everything(town, asked)]
    assert len(together) == len(set(together)) == sum(map(len, alone.values())) > 0
    assert set(together) == set().union(*alone.values())
    everywhere = [c["id"] for c in everything(town, order)]
    assert together == [one for one in everywhere if one in set(together)]  # the order of the city's list
    assert [c["id"] for c in everything(town, asked, limit=7)] == together
    assert [c["id"] for c in everything(town, f"{asked}&code={codes[0]}")] == together  # twice is once


def test_a_cell_and_a_box_limit_both(town: Any) -> None:
    heat = town.staff("/api/heatmap/hexagons?resolution=8").json()
    code = heat["codes"][int(max(range(len(heat["n"])), key=heat["n"].__getitem__))]
    inside = everything(town, f"&by=hexagon:8&code={code}")
    middle = sorted(c["lon"] for c in inside)[len(inside) // 2]
    box = (116.0, 39.0, middle, 40.0)
    both = everything(town, f"&by=hexagon:8&code={code}&bbox={','.join(map(str, box))}")
    assert [c["id"] for c in both] == [
        c["id"] for c in inside if box[0] <= c["lon"] <= box[2] and box[1] <= c["lat"] <= box[3]
    ]
    assert 0 < len(both) < len(inside)


@pytest.mark.parametrize(
    "query",
    [
        "by=grid&code=G0000&code=nope",
        "by=street&code=S1&code=C00",
        "by=grid&code=nope",
        "by=nope&code=C00",
        "by=street&code=C00",
        "by=hexagon:9&code=C00",
    ],
)
def test_unknown_zones(town: Any, query: str) -> None:
    assert town.staff("/api/cases?" + query).status_code == 404


def test_one_case_and_geojson(town: Any) -> None:
    case = town.staff("/api/cases?limit=1&placed=placed").json()["cases"][0]
    one = town.staff(f"/api/cases/{case['id']}").json()
    assert one | case == one
    assert set(one) - set(case) == {"stage", "late", "history"}
    assert case["status"] in ("open", "closed", "void")
    assert "source_id" not in case
    feature = town.staff(f"/api/cases/{case['id']}", headers={"Accept": "application/geo+json"}).json()
    assert feature["geometry"] == {"type": "Point", "coordinates": [case["lon"], case["lat"]]}
    features = town.staff("/api/cases?format=geojson&placed=unplaced&limit=3").json()["features"]
    assert [f["geometry"] for f in features] == [None, None, None]
    for wrong in ("0", "-1", "x", "9" * 30, "1.5", "1e3"):
        assert town.staff(f"/api/cases/{wrong}").status_code == 404


def test_history_and_stage(town: Any) -> None:
    run = town.staff("/api/runs").json()["runs"][0]
    overdue = town.staff("/api/heatmap/grids?measure=overdue").json()["total"]
    late_open = 0
    for case in everything(town)[:400]:
        one = town.staff(f"/api/cases/{case['id']}").json()
        happened = {event["what"]: event["at"] for event in one["history"]}
        times = {"opened": "opened_at", "due": "due_at", "closed": "closed_at"}
        assert {what: at for what, at in happened.items() if what != "loaded"} == {
            what: case[column] for what, column in times.items() if case[column]
        }
        assert one["history"] == sorted(
            one["history"], key=lambda event: dt.datetime.fromisoformat(event["at"])
        )
        assert {event.get("run") for event in one["history"]} == {None, run["id"]}
        assert one["stage"] == {"open": "opened", "closed": "closed", "void": "void"}[case["status"]]
        if case["status"] == "closed":
            assert one["late"] == (case["closed_at"] > case["due_at"])
        late_open += case["status"] == "open" and one["late"]
    assert 0 < late_open <= overdue


def test_runs(town: Any) -> None:
    found = town.staff("/api/runs").json()["runs"]
    assert found[0]["kind"] == "cases"
    assert town.staff(f"/api/runs/{found[0]['id']}").json()["rejects"] == []
    assert town.staff("/api/runs/999").status_code == 404
    assert town.staff("/api/runs?limit=0").status_code == 400


# ── by due time ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_earliest_due_first_and_those_without_a_due_time_last(town: Any) -> None:
    with sessions.session(town.settings, "owner") as session:
        expected = session.execute(
            text("SELECT id FROM cases WHERE status = 0 ORDER BY due_at NULLS LAST, source_id, id")
        )
        ids = list(expected.scalars())
    assert [c["id"] for c in everything(town, "&status=open&sort=due")] == ids
    assert [c["id"] for c in everything(town, "&status=open&sort=due", limit=41)] == ids


@pytest.mark.parametrize("state", ["open", "overdue"])
def test_a_state_lists_what_the_heat_map_counts(town: Any, state: str) -> None:
    told = town.staff(f"/api/heatmap/grids?measure={state}").json()
    listed = everything(town, f"&state={state}&sort=due")
    assert len(listed) == told["total"] > 0
    asof = dt.datetime.fromisoformat(told["asof"])
    if state == "overdue":
        assert all(dt.datetime.fromisoformat(c["due_at"]) < asof for c in listed)
    busiest = max(range(len(told["values"])), key=lambda i: told["values"][i])
    of_one = everything(town, f"&state={state}&sort=due&by=grid&code={told['codes'][busiest]}")
    assert len(of_one) == told["values"][busiest]


def test_a_key_of_the_other_order_is_refused(town: Any) -> None:
    by_due = town.staff("/api/cases?limit=2&sort=due").json()["next"]
    loaded = town.staff("/api/cases?limit=2").json()["next"]
    for query in (f"after={by_due}", f"sort=due&after={loaded}", "sort=due&after=MS4yLm5vdGltZQ"):
        answer = town.staff(f"/api/cases?{query}")
        assert answer.status_code == 400, query
        assert answer.json()["field"] == "after"

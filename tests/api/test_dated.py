"""Check, exceptions, rebase, lineage, export, comments and cuts through the API."""

from __future__ import annotations

import csv
import datetime as dt
import io
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from geo.db import session as sessions

made = iter(range(10_000))
FAR = dt.date.today() + dt.timedelta(days=3650)


def post(town: Any, path: str, body: Any, method: str = "POST", **headers: str) -> httpx.Response:
    answer: httpx.Response = town.ask(method, path, json=body, headers={**town.admin, **headers})
    return answer


def begin(town: Any, like: str = "草稿") -> str:
    answer = post(town, "/api/plans", {"name": f"dated {next(made)}", "like": like, "nesting": "free"})
    assert answer.status_code == 201, answer.text
    return str(answer.headers["location"])


def kind(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


def test_a_gap_is_answered_with_its_ground(town: Any) -> None:
    draft = begin(town)
    post(town, f"{draft}/units", {"unit_codes": ["U0101"], "to_grid": None, "revision": 0}, "PATCH")
    refused = post(town, f"{draft}/approve", {"from": FAR.isoformat(), "revision": 1})
    assert kind(refused) == (422, "grid-gap")
    told = refused.json()
    assert told["gap"]["units"] == 1 and told["gap"]["geometry"]["type"] in ("Polygon", "MultiPolygon")
    assert told["violations"][0]["code"] == "incomplete" and told["gap"]["area_m2"] > 0
    walls = town.staff(f"{draft}/check").json()["violations"]
    assert ("incomplete", None) in {(one["rule"], one["grid"]) for one in walls}
    never = post(town, f"{draft}/exceptions", {"rule": "incomplete", "reason": "x"})
    assert kind(never) == (422, "rule-never-excepted")


def test_an_exception_opens_the_wall(town: Any) -> None:
    draft = begin(town)
    post(town, f"{draft}/units", {"unit_codes": ["U0000"], "to_grid": "G0500", "revision": 0}, "PATCH")
    walls = town.staff(f"{draft}/check").json()["violations"]
    assert {(one["rule"], one["grid"]) for one in walls} == {("not-contiguous", "G0500")}
    made_one = post(
        town, f"{draft}/exceptions", {"rule": "not-contiguous", "grid": "G0500", "reason": "校园两处"}
    )
    assert made_one.status_code == 201, made_one.text
    told = town.staff(f"{draft}/check").json()
    assert (
        told["violations"] == []
        and len(told["excepted"]) == 1
        and told["exceptions"][0]["reason"] == "校园两处"
    )
    query = f"{draft}/exceptions?rule=not-contiguous&grid=G0500"
    assert town.ask("DELETE", query, headers=town.admin).json() == {"exceptions": []}
    assert town.ask("DELETE", query, headers=town.admin).status_code == 404


def test_rebase_names_what_both_changed(town: Any) -> None:
    refused = post(town, f"{begin(town)}/rebase", {})
    assert kind(refused) == (400, "no-base")
    mine = begin(town, "首版")
    assert kind(post(town, f"{mine}/rebase", {})) in ((400, "rebase-nothing"), (201, ""))
    assert town.staff("/api/plans/首版/lineage").json()["rows"] == []
    rows = town.staff(f"{mine}/lineage").json()
    assert rows["before"] == "首版" and {row["kind"] for row in rows["rows"]} == {"kept"}
    assert town.staff(f"{mine}/lineage?against=nobody").status_code == 404


def test_files(town: Any) -> None:
    draft = begin(town)
    found = town.staff(f"{draft}/export.csv")
    rows = list(csv.DictReader(io.StringIO(found.content.decode("utf-8-sig"))))
    assert len(rows) >= 100 and rows[0]["unit"] == "U0000" and rows[0]["grid"].startswith("G")
    package = town.staff(f"{draft}/export.gpkg")
    assert package.status_code == 200 and package.content.startswith(b"SQLite format 3")
    features = town.staff(f"{draft}/export.geojson").json()["features"]
    told = features[0]["properties"]
    assert {"code", "posts", "compactness", "deviation", "cases", "households"} <= set(told)


def test_comments_are_masked_answered_and_hidden(town: Any) -> None:
    draft = begin(town)
    first = post(
        town, f"{draft}/comments", {"body": "联系人：张三，电话13800138000，请调整", "grid": "G0000"}
    )
    assert first.status_code == 201, first.text
    told = first.json()
    assert (
        "13800138000" not in first.text
        and "张三" not in first.text
        and set(told["masked"]) == {"mobile", "name"}
    )
    answer = post(town, f"{draft}/comments", {"body": "已处理", "answers": told["comment"]["id"]})
    assert answer.json()["comment"]["grid"] == "G0000"
    whole = post(town, f"{draft}/comments", {"body": "总体可以"})
    assert whole.json()["comment"]["author"] == "tester"
    listed = town.staff(f"{draft}/comments").json()["comments"]
    assert [one["body"] for one in listed] == [told["comment"]["body"], "已处理", "总体可以"]
    assert len(town.staff(f"{draft}/comments?grid=G0000").json()["comments"]) == 2
    hidden = post(town, f"{draft}/comments/{told['comment']['id']}/hide", {})
    assert hidden.json()["comment"]["hidden"] and hidden.json()["comment"]["body"] is None
    assert "调整" not in town.staff(f"{draft}/comments").text
    post(town, f"{draft}/comments/{told['comment']['id']}/hide", {"hidden": False})
    assert "调整" in town.staff(f"{draft}/comments").text
    for body, problem in (
        ({"body": "  "}, (400, "comment")), ({"body": "x", "grid": "nobody"}, (400, "grid-unknown")),
        ({"body": "x", "answers": 10**6}, (404, "no-such-comment")), ({"body": "x" * 2001}, (400, "parameter-invalid")),
    ):  # fmt: skip
        assert kind(post(town, f"{draft}/comments", body)) == problem
    assert kind(post(town, "/api/plans/首版/comments", {"body": "x"})) == (409, "plan-not-draft")
    assert town.get(f"{draft}/comments").status_code in (401, 403, 404)


@pytest.mark.parametrize(
    "line", ["nonsense", {"type": "Point", "coordinates": [1, 2]}, "LINESTRING (0 0, 1 1)"]
)
def test_lines_that_cut_nothing(town: Any, line: Any) -> None:
    answer = post(town, "/api/units/U0303/cut", {"line": line})
    assert kind(answer) in ((400, "line"), (400, "line-divides-nothing")) and answer.json()["field"] == "line"


def test_a_cut_moves_no_number(town: Any) -> None:
    draft = begin(town)

    def numbers() -> Any:
        return [
            {k: v for k, v in town.staff(f"/api/heatmap/grids?plan={plan}").json().items() if k != "version"}
            for plan in ("首版", draft.rpartition("/")[2], "as-was")
        ]

    before = numbers()
    with sessions.session(town.settings) as s:
        box = s.execute(
            text(
                "SELECT ST_XMin(geom) w, ST_YMin(geom) s, ST_XMax(geom) e, ST_YMax(geom) n FROM unit WHERE code = 'U0505'"
            )
        ).one()
    line = {"type": "LineString", "coordinates": [[box.w, box.s], [box.e, (box.s + box.n) / 2]]}
    done = post(town, f"{draft}/cut", {"unit": "U0505", "line": line})
    assert done.status_code == 201, done.text
    assert done.json()["unit"] == "U0505" and len(done.json()["parts"]) == 2
    town.app.state.service.store.refresh()
    assert numbers() == before
    again = post(town, "/api/units/U0505/cut", {"line": line})
    assert kind(again) == (409, "unit-cut") and again.json()["units"] == done.json()["parts"]
    assert kind(post(town, "/api/units/nobody/cut", {"line": line})) == (404, "unit-unknown")

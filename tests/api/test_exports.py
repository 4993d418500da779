"""Layers that leave over HTTP: every layer in every format, opened again; whose they are; how long they are kept."""

from __future__ import annotations

import datetime as dt
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas
import httpx
import pandas as pd
import pyogrio
import pytest
from sqlalchemy import text

from api.exports import MEDIA
from api.jobs import keeping, queue
from geo.db import session as sessions
from geo.settings import Settings
from tests.api.at_work import working
from tests.api.files_at_work import ended, person

LAYERS = ("boundaries", "units", "grids", "cases", "facilities", "heatmap", "hexagons")
ASYNC = {"Prefer": "respond-async"}
SUPERVISOR = ("street", "S1")


@pytest.fixture(scope="module")
def worked(town: Any) -> Iterator[Any]:
    with working(town.settings, ODD_PRELOAD="1"):
        yield town


@pytest.fixture(scope="module")
def people(worked: Any) -> dict[str, dict[str, str]]:
    made = {role: person(worked.settings, f"an {role}", role) for role in ("planner", "admin")}
    for role in ("worker", "supervisor"):
        made[role] = person(worked.settings, f"a {role}", role, SUPERVISOR)
    return made


def ask(
    town: Any, who: dict[str, str] | None = None, headers: dict[str, str] | None = None, **body: Any
) -> httpx.Response:
    asked = {name.rstrip("_"): value for name, value in body.items()}
    answer: httpx.Response = town.ask(
        "POST", "/api/exports", json=asked, headers={**(who or town.admin), **(headers or {})}
    )
    return answer


def fetched(town: Any, who: dict[str, str] | None = None, **body: Any) -> httpx.Response:
    """The file of an export that was made by a job."""
    who = who or town.admin
    answer = ask(town, who, ASYNC, **body)
    job = ended(town, answer, who)
    assert job["state"] == "done", job["problem"]
    file: httpx.Response = town.get(f"/api/exports/{job['id']}", headers=who)
    assert file.status_code == 200, file.text
    assert (len(file.content), job["result"]["bytes"]) == (job["result"]["bytes"], len(file.content))
    return file


def read(content: bytes, ending: str, folder: Path) -> pd.DataFrame:
    """The rows of an exported file, by the programs that people use."""
    path = folder / f"x.{ending}"
    path.write_bytes(content)
    if ending == "csv":
        return pd.read_csv(path)
    if ending == "xlsx":
        return pd.read_excel(path, engine="openpyxl")
    if ending == "parquet":
        return geopandas.read_parquet(path)
    return pyogrio.read_dataframe(f"/vsizip/{path}" if ending == "shp.zip" else path)


# ── what comes out ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("layer", LAYERS)
def test_every_layer(worked: Any, layer: str, tmp_path: Path) -> None:
    file = fetched(worked, layer=layer, format="gpkg", crs="EPSG:4490")
    frame = read(file.content, "gpkg", tmp_path)
    assert frame.crs.to_epsg() == 4490 and len(frame) > 0
    names = " ".join(frame.columns)
    assert "description" not in names and "attributes" not in names


@pytest.mark.parametrize("ending", MEDIA)
def test_every_format(worked: Any, ending: str, tmp_path: Path) -> None:
    file = fetched(worked, layer="cases", format=ending)
    assert file.headers["content-type"].startswith(MEDIA[ending])
    assert "说明" not in file.content.decode("utf-8", "ignore")
    assert len(read(file.content, ending, tmp_path)) == 3000
    name = file.headers["content-disposition"]
    assert f'filename="cases.{ending}"' in name and re.search(r"filename\*=UTF-8''%E5%B0%8F%E5%9F%8E-", name)


def test_filters_and_gbk(worked: Any, tmp_path: Path) -> None:
    period = {"from_": "2024-02-01", "to": "2024-05-01"}
    some = read(fetched(worked, layer="cases", format="csv", **period).content, "csv", tmp_path)
    opened = pd.to_datetime(some["opened_at"]).dt.tz_convert("Asia/Shanghai").dt.date
    assert 0 < len(some) < 3000 and opened.min() >= dt.date(2024, 2, 1) and opened.max() < dt.date(2024, 5, 1)
    few = read(
        fetched(
            worked, layer="cases", format="csv", status=["open"], origin=["citizen"], category=["01"]
        ).content,
        "csv",
        tmp_path,
    )
    assert (
        set(few["status"]) == {"open"}
        and set(few["origin"]) == {"citizen"}
        and set(few["category_top"].astype(int)) == {1}
    )
    zipped = fetched(worked, layer="boundaries", format=".shp.zip", encoding="gbk", level="street")
    frame = read(zipped.content, "shp.zip", tmp_path)
    assert set(frame["name"]) == {"东街", "西街"}


def test_heat_maps_are_exact_and_add_up(worked: Any, people: Any, tmp_path: Path) -> None:
    """Of one week, so that some counts are below what the public sees."""
    week = {"from_": "2024-03-04", "to": "2024-03-11"}
    for role in ("supervisor", "planner"):
        for layer, by, path in (
            ("heatmap", "grid", "grids?"),
            ("heatmap", "community", "boundaries?level=community&"),
            ("hexagons", "hexagon:9", "hexagons?resolution=9&"),
        ):
            file = fetched(worked, people[role], layer=layer, format="csv", by=by, **week)
            values = read(file.content, "csv", tmp_path)["value"]
            told = worked.staff(f"/api/heatmap/{path}from=2024-03-04&to=2024-03-11").json()
            assert values.tolist() == told["values"]
            assert by == "community" or values.between(1, 4).any()


def test_a_draft_is_exported_by_name(worked: Any, people: Any, tmp_path: Path) -> None:
    frame = read(
        fetched(worked, people["planner"], layer="grids", plan="草稿", format="fgb").content, "fgb", tmp_path
    )
    assert len(frame) == 50 and set(frame["plan"]) == {"草稿"}


def test_formulas_are_neutralised(worked: Any, tmp_path: Path) -> None:
    with sessions.session(worked.settings) as session:
        session.execute(text("UPDATE facility SET name = '=HYPERLINK(1)' WHERE source_facility_id = '0'"))
    for ending in ("csv", "xlsx"):
        frame = read(fetched(worked, layer="facilities", format=ending).content, ending, tmp_path)
        assert "'=HYPERLINK(1)" in set(frame["name"])


# ── at once, and by a job ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_small_layer_is_the_answer_itself_and_stands_in_the_list(
    worked: Any, people: Any, tmp_path: Path
) -> None:
    answer = ask(worked, people["planner"], layer="grids", format="geojson")
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/geo+json"
    assert len(answer.json()["features"]) == 20
    place = answer.headers["content-location"]
    listed = worked.get("/api/exports", headers=people["planner"]).json()["exports"][0]
    assert (listed["href"], listed["rows"], listed["state"]) == (place, 20, "done")
    assert worked.get(place, headers=people["planner"]).content == answer.content


def test_one_that_takes_too_long_becomes_a_job(
    worked: Any, people: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The statement limit of the web ends the try; the worker, a process of its own, has no such limit."""

    def slow(session: Any, *_: Any, **__: Any) -> None:
        session.execute(text("SELECT pg_sleep(30)"))

    before = set(worked.settings.exports_dir.iterdir())
    monkeypatch.setattr("api.exports.layers.export", slow)
    answer = ask(worked, people["planner"], {"Idempotency-Key": "too-long"}, layer="grids", format="csv")
    assert answer.status_code == 202, answer.text
    job = ended(worked, answer, people["planner"])
    assert (job["state"], job["result"]["rows"]) == ("done", 20)
    assert len(set(worked.settings.exports_dir.iterdir()) - before) == 1  # nothing of the try is left
    again = ask(worked, people["planner"], {"Idempotency-Key": "too-long"}, layer="grids", format="csv")
    assert again.headers["location"] == answer.headers["location"]


def test_the_same_key_exports_once(worked: Any, people: Any) -> None:
    key = {"Idempotency-Key": "export-1"}
    first = ask(worked, people["planner"], key, layer="grids", format="csv")
    again = ask(worked, people["planner"], key, layer="grids", format="csv")
    assert again.content == first.content and again.headers["idempotency-replayed"] == "true"
    jobs = [
        ask(worked, people["planner"], {**key, **ASYNC, "Idempotency-Key": "e2"}, layer="units")
        for _ in range(2)
    ]
    assert jobs[0].headers["location"] == jobs[1].headers["location"]


def test_every_export_is_audited_with_its_rows(worked: Any, people: Any) -> None:
    ended(
        worked,
        ask(worked, people["admin"], ASYNC, layer="cases", format="csv", status=["void"]),
        people["admin"],
    )
    with sessions.session(worked.settings) as session:
        what = session.scalar(
            text("SELECT what FROM audit WHERE act = 'export' AND who = 'an admin' ORDER BY id DESC LIMIT 1")
        )
    assert what == {
        "layer": "cases",
        "rows": 0,
        "k": None,
        "format": ".csv",
        "crs": "EPSG:4326",
        "status": ["void"],
    }


def test_an_export_that_fails_says_why_and_leaves_nothing(worked: Any) -> None:
    before = {p.name for p in worked.settings.exports_dir.iterdir()}
    for body, code in (
        ({"layer": "grids", "plan": "nowhere"}, "plan-unknown"),
        ({"layer": "cases", "category": ["none"]}, "category-unknown"),
        ({"layer": "boundaries", "crs": "EPSG:999999"}, "crs-unknown"),
        ({"layer": "heatmap", "by": "nowhere"}, "level-unknown"),
    ):
        job = ended(worked, ask(worked, headers=ASYNC, **body))
        assert job["state"] == "failed" and job["result"] is None
        assert job["problem"]["type"] == f"urn:wangge:problem:{code}", job["problem"]
        assert worked.staff(f"/api/exports/{job['id']}").status_code == 404
    assert {p.name for p in worked.settings.exports_dir.iterdir()} == before
    listed = worked.staff("/api/exports?limit=1&lang=en").json()["exports"][0]
    assert listed["problem"]["detail"] and listed["href"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "layer"),
        ({"layer": "people"}, "layer"),
        ({"layer": "units", "format": "exe"}, "format"),
        ({"layer": "units", "crs": "gcj02"}, "crs"),
        ({"layer": "units", "level": "street"}, "level"),
        ({"layer": "boundaries", "from": "2024-01-01"}, "from"),
        ({"layer": "cases", "by": "grid"}, "by"),
        ({"layer": "cases", "by": "street", "code": "S1"}, "by"),
        ({"layer": "cases", "state": "late"}, "state"),
        ({"layer": "units", "state": "open"}, "state"),
        ({"layer": "hexagons", "by": "hexagon:3"}, "by"),
        ({"layer": "cases", "from": "2024-02-01", "to": "2024-01-01"}, "to"),
        ({"layer": "cases", "encoding": "gbk", "format": "csv"}, "encoding"),
        ({"layer": "cases", "format": "csv", "secret": 1}, "secret"),
    ],
)
def test_what_cannot_be_asked(worked: Any, body: dict[str, Any], field: str) -> None:
    answer = worked.ask("POST", "/api/exports", json=body, headers=worked.admin)
    assert (answer.status_code, answer.json()["field"]) == (400, field), answer.text


def test_a_level_that_there_is_not_makes_no_empty_file(worked: Any) -> None:
    for level in ("nowhere", "street@2020-01-01"):
        answer = ask(worked, layer="boundaries", level=level)
        assert (answer.status_code, answer.json()["field"]) == (404, "level"), answer.text


# ── ranges, owners, time ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_is_fetched_in_pieces(worked: Any) -> None:
    whole = fetched(worked, layer="cases", format="csv")
    place = str(whole.request.url.path)
    tag = whole.headers["etag"]
    part = worked.staff(place, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole.content[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole.content)}"
    rest = worked.staff(place, headers={"Range": "bytes=500-", "If-Range": tag})
    assert (rest.status_code, rest.content) == (206, whole.content[500:])
    changed = worked.staff(place, headers={"Range": "bytes=500-", "If-Range": '"other"'})
    assert (changed.status_code, changed.content) == (200, whole.content)
    assert worked.staff(place, headers={"Range": f"bytes={10**9}-"}).status_code == 416
    head = worked.ask("HEAD", place, headers=worked.admin)
    assert (
        head.status_code == 200
        and head.content == b""
        and int(head.headers["content-length"]) == len(whole.content)
    )


def test_a_file_is_its_owners_and_an_admins_alone(worked: Any, people: Any) -> None:
    mine = ask(worked, people["planner"], layer="units", format="csv").headers["content-location"]
    assert worked.get(mine, headers=people["planner"]).status_code == 200
    assert worked.get(mine, headers=people["admin"]).status_code == 200
    other, missing = (
        worked.get(mine, headers=people["supervisor"]),
        worked.get("/api/exports/987654321", headers=people["supervisor"]),
    )
    assert other.status_code == missing.status_code == 404
    assert {**other.json(), "instance": ""} == {**missing.json(), "instance": ""}
    assert (
        worked.get(mine).status_code == 401 and worked.get(mine, headers=people["worker"]).status_code == 403
    )
    assert ask(worked, people["worker"], layer="units").status_code == 403
    for who in ("supervisor", "admin"):
        assert all(
            one["author"] != "an planner"
            for one in worked.get("/api/exports", headers=people[who]).json()["exports"]
        )


@pytest.mark.parametrize("state", ["open", "overdue"])
def test_the_list_of_a_grid_is_what_the_map_counts(worked: Any, state: str, tmp_path: Path) -> None:
    told = worked.staff(f"/api/heatmap/grids?measure={state}").json()
    code, n = max(zip(told["codes"], told["values"], strict=True), key=lambda pair: pair[1])
    answer = ask(worked, layer="cases", format="csv", by="grid", code=code, state=state)
    assert answer.status_code == 200, answer.text
    rows = read(answer.content, "csv", tmp_path)
    listed = worked.staff(f"/api/cases?by=grid&code={code}&state={state}&limit=1000").json()["cases"]
    assert len(rows) == n > 0
    assert sorted(rows["source_case_id"]) == sorted(case["source_case_id"] for case in listed)
    with sessions.session(worked.settings) as session:
        what = session.scalar(text("SELECT what FROM audit WHERE act = 'export' ORDER BY id DESC LIMIT 1"))
    assert (what["rows"], what["code"], what["state"]) == (n, code, state)
    unknown = ask(worked, layer="cases", format="csv", by="grid", code="nowhere")
    assert unknown.status_code == 404, unknown.text


def test_planners_have_no_rows_of_cases(worked: Any, people: Any) -> None:
    answer = ask(worked, people["planner"], layer="cases", format="csv")
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:wangge:problem:cases-barred")


def test_a_supervisor_has_the_cases_of_the_own_area_alone(worked: Any, people: Any, tmp_path: Path) -> None:
    whole = read(fetched(worked, layer="cases", format="csv").content, "csv", tmp_path)
    mine = read(fetched(worked, people["supervisor"], layer="cases", format="csv").content, "csv", tmp_path)
    south = whole[
        whole["unit_code"].fillna("").between("U0000", "U0499")
    ]  # the street S1 is the town's south
    assert len(mine) == len(south) > 0 and set(mine["source_case_id"]) == set(south["source_case_id"])
    with sessions.session(worked.settings) as session:
        what = session.scalar(
            text(
                "SELECT what FROM audit WHERE act = 'export' AND who = 'a supervisor' ORDER BY id DESC LIMIT 1"
            )
        )
    assert (what["rows"], what["area"]) == (len(mine), {"level": "street", "code": "S1"})


def test_another_area_is_not_given_the_answer_of_the_former(worked: Any) -> None:
    """The same person, request and key: once the area has changed it is a new request."""
    mover = person(worked.settings, "a mover", "supervisor", ("street", "S1"))
    asked = {"layer": "cases", "format": "csv", "by": "grid", "code": "G0000"}
    key = {"Idempotency-Key": "moved"}
    before = ask(worked, mover, key, **asked)
    assert before.status_code == 200, before.text
    assert ask(worked, mover, key, **asked).headers["idempotency-replayed"] == "true"
    with sessions.session(worked.settings, "owner") as session:
        session.execute(text("UPDATE app_user SET area_code = 'S2' WHERE name = 'a mover'"))
    worked.app.state.service.principals.clear()
    after = ask(worked, mover, key, **asked)
    assert after.status_code == 200, after.text
    assert "idempotency-replayed" not in after.headers
    assert (before.content.count(b"\n") > 1, after.content.count(b"\n")) == (True, 1)  # the heading alone


def test_no_area_no_cases(worked: Any) -> None:
    nowhere = person(worked.settings, "without area", "supervisor")
    answer = ask(worked, nowhere, layer="cases")
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:wangge:problem:no-area")
    gone = person(worked.settings, "area gone", "supervisor", ("street", "S9"))
    job = ended(worked, ask(worked, gone, layer="cases"), gone)
    assert (job["state"], job["problem"]["type"]) == ("failed", "urn:wangge:problem:area-gone")
    assert fetched(worked, gone, layer="heatmap", format="csv").status_code == 200


def test_a_supervisor_of_another_area_now_has_the_old_file_no_more(worked: Any) -> None:
    who = person(worked.settings, "moves on", "supervisor", ("community", "C00"))
    place = str(fetched(worked, who, layer="cases", format="csv").request.url.path)
    with sessions.session(worked.settings) as session:
        session.execute(text("UPDATE app_user SET area_code = 'C01' WHERE name = 'moves on'"))
    worked.app.state.service.principals.__init__(worked.app.state.service.principals._look_up)
    assert worked.get(place, headers=who).status_code == 404


def test_an_admin_who_became_a_planner_has_no_cases_any_more(worked: Any) -> None:
    who = person(worked.settings, "was an admin", "admin")
    place = str(fetched(worked, who, layer="cases", format="csv").request.url.path)
    with sessions.session(worked.settings) as session:
        session.execute(text("UPDATE app_user SET role = 'planner' WHERE name = 'was an admin'"))
    worked.app.state.service.principals.__init__(worked.app.state.service.principals._look_up)
    assert worked.get(place, headers=who).status_code == 404
    assert worked.get("/api/exports", headers=who).json()["exports"][0]["href"] is None


def test_files_expire_and_are_removed(worked: Any) -> None:
    settings = worked.settings
    place = ask(worked, layer="grids", format="csv").headers["content-location"]
    number = int(place.rsplit("/", 1)[1])
    with sessions.session(settings) as session:
        folder = settings.exports_dir / session.scalar(
            text(
                "UPDATE job SET finished_at = now() - interval '8 days' WHERE id = :id RETURNING params->>'place'"
            ),
            {"id": number},
        )
    assert folder.is_dir() and worked.staff(place).status_code == 404
    young = settings.exports_dir / ("f" * 32)
    stranger = settings.exports_dir / "kept by hand"
    passing = settings.exports_dir / ".plan-x"
    for made in (young, stranger, passing):
        made.mkdir()
    old = time.time() - 7200
    for made in (folder, stranger, passing):
        os.utime(made, (old, old))
    with sessions.session(settings) as session:
        keeping.tidy(session, settings)
    assert not folder.exists() and not passing.exists() and young.exists() and stranger.exists()
    listed = next(one for one in worked.staff("/api/exports").json()["exports"] if one["id"] == number)
    assert listed["href"] is None and listed["expires_at"] < dt.datetime.now(dt.UTC).isoformat()


def test_pages_of_the_list(worked: Any) -> None:
    who = person(worked.settings, "a collector", "planner")
    places = [ask(worked, who, layer="grids", format="csv").headers["content-location"] for _ in range(3)]
    first = worked.get("/api/exports?limit=2", headers=who).json()
    second = worked.get(f"/api/exports?limit=2&before={first['next']}", headers=who).json()
    assert [one["href"] for one in first["exports"] + second["exports"]] == places[::-1]
    assert second["next"] is None and first["kept_days"] == 7


def test_cancelled_nothing_is_left(worked: Any) -> None:
    """A job that waits behind another is taken off the queue; its folder never comes to be."""
    before = {p.name for p in worked.settings.exports_dir.iterdir()}
    busy = ask(worked, headers=ASYNC, layer="cases", format="xlsx")
    answer = ask(worked, headers=ASYNC, layer="cases", format="gpkg")
    place = answer.headers["location"]
    assert worked.ask("POST", place + "/cancel", headers=worked.admin).status_code == 202
    assert ended(worked, answer)["state"] in ("cancelled", "done")
    ended(worked, busy)
    made = {p.name for p in worked.settings.exports_dir.iterdir()} - before
    assert len(made) <= 2
    with sessions.session(worked.settings) as session:
        assert queue.listing(session, state="running") == []


def test_days_are_a_setting(tmp_path: Path) -> None:
    made = Settings.from_environment(environment={"WANGGE_HOME": str(tmp_path), "WANGGE_EXPORT_DAYS": "3"})
    assert made.export_days == 3 and made.to_environment()["WANGGE_EXPORT_DAYS"] == "3"
    with pytest.raises(ValueError, match="WANGGE_EXPORT_DAYS"):
        Settings.from_environment(environment={"WANGGE_EXPORT_DAYS": "0"})

"""Plans in and out as files, checked, and proposed by a job."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pyogrio
import pytest
from sqlalchemy import text

from api.jobs import queue
from geo.db import session as sessions
from tests.api.at_work import working
from tests.api.conftest import SIDE, SOUTH, STEP, WEST

BYTES = {"Content-Type": "application/octet-stream"}


@pytest.fixture(scope="module")
def worked(town: Any) -> Iterator[Any]:
    with working(town.settings, ODD_PRELOAD="1"):
        yield town


def quarters() -> bytes:
    """Four squares that cover the town, as GeoJSON."""
    half, features = SIDE // 2 * STEP, []
    for j in range(2):
        for i in range(2):
            w, s = WEST + i * half, SOUTH + j * half
            ring = [[w, s], [w + half, s], [w + half, s + half], [w, s + half], [w, s]]
            features.append(
                {
                    "type": "Feature",
                    "properties": {"code": f"Q{i}{j}", "name": f"=片{i}{j}"},
                    "geometry": {"type": "Polygon", "coordinates": [ring]},
                }
            )
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def send(town: Any, query: str, content: bytes, **headers: str) -> httpx.Response:
    sent = {**town.admin, **BYTES, **headers}
    answer: httpx.Response = town.ask("POST", f"/api/plans/import?{query}", content=content, headers=sent)
    return answer


def ended(town: Any, answer: httpx.Response) -> Any:
    assert answer.status_code == 202, answer.text
    for _ in range(15):
        job = town.staff(answer.headers["location"] + "?wait=15").json()
        if job["finished_at"]:
            return job
    raise AssertionError(job)


def uploads(town: Any) -> list[Path]:
    folder = town.settings.uploads_dir
    return list(folder.iterdir()) if folder.exists() else []


def no_uploads(town: Any) -> bool:
    """Once the worker has cleared up after a job's end."""
    deadline = time.monotonic() + 20
    while uploads(town) and time.monotonic() < deadline:
        time.sleep(0.1)
    return uploads(town) == []


def test_a_layer_becomes_a_plan_and_comes_out_again(worked: Any) -> None:
    query = "name=四片&file=四片.geojson&code_field=code&name_field=name"
    first = send(worked, query, quarters(), **{"Idempotency-Key": "import-1"})
    again = send(worked, query, quarters(), **{"Idempotency-Key": "import-1"})
    assert again.headers["location"] == first.headers["location"]
    job = ended(worked, first)
    assert job["state"] == "done", job
    plan = job["result"]["plans"][0]
    assert (plan["name"], job["result"]["imported"]["grids"], job["result"]["imported"]["open_units"]) == (
        "四片",
        4,
        0,
    )
    assert job["result"]["imported"]["differing_m2"] < 1 and job["author"] == "tester"
    assert no_uploads(worked)
    table = worked.staff(f"/api/plans/{plan['id']}/export.csv")
    assert table.headers["content-disposition"].endswith("filename*=UTF-8''%E5%9B%9B%E7%89%87.csv")
    rows = list(csv.DictReader(io.StringIO(table.content.decode("utf-8-sig"))))
    assert len(rows) == SIDE**2 and {row["grid"] for row in rows} == {"Q00", "Q01", "Q10", "Q11"}
    assert all(row["grid_name"].startswith("'=") for row in rows)
    drawn = worked.staff(f"/api/plans/{plan['id']}/export.geojson").json()
    assert {f["properties"]["code"] for f in drawn["features"]} == {"Q00", "Q01", "Q10", "Q11"}


def test_a_geopackage_opens(worked: Any, tmp_path: Path) -> None:
    answer = worked.staff("/api/plans/首版/export.gpkg")
    assert answer.headers["content-type"] == "application/geopackage+sqlite3"
    file = tmp_path / "plan.gpkg"
    file.write_bytes(answer.content)
    frame = pyogrio.read_dataframe(file, layer="grids")
    assert len(frame) == 20 and frame.crs.to_epsg() == 4326 and frame.geometry.is_valid.all()
    deadline = time.monotonic() + 30
    while any(p.name.startswith(".plan-") for p in worked.settings.exports_dir.iterdir()):
        assert time.monotonic() < deadline, "the file is removed when it was sent"
        time.sleep(0.05)
    same = worked.staff("/api/plans/首版/export.gpkg", headers={"If-None-Match": answer.headers["etag"]})
    assert same.status_code == 304
    with sessions.session(worked.settings) as session:
        assert session.scalar(text("SELECT count(*) FROM audit WHERE act = 'export' AND who = 'tester'")) >= 1


@pytest.mark.parametrize("path", ["export.csv", "export.geojson", "export.gpkg", "check"])
def test_files_and_checks_are_for_staff_and_name_their_plan(worked: Any, path: str) -> None:
    assert worked.get(f"/api/plans/首版/{path}").status_code == 401
    missing = worked.staff(f"/api/plans/nowhere/{path}")
    assert (missing.status_code, missing.json()["field"]) == (404, "plan")


def test_what_is_no_layer_fails_in_its_job_and_leaves_nothing(worked: Any) -> None:
    job = ended(
        worked, send(worked, "name=坏&file=x.geojson", b'{"type": "FeatureCollection", "features": 5}')
    )
    assert job["state"] == "failed" and job["problem"]["type"].startswith("urn:wangge:problem:file")
    assert worked.staff("/api/plans/坏").status_code == 404
    assert no_uploads(worked)


def test_what_is_refused_at_once(worked: Any) -> None:
    for query, content, status, field in (
        ("name=首版&file=a.geojson", quarters(), 400, "name"),
        ("name=community&file=a.geojson", quarters(), 400, "name"),
        ("name=新&file=..", quarters(), 400, "file"),
        ("name=新&file=.hidden", quarters(), 400, "file"),
        ("name=新&file=a.geojson&crs=EPSG:x", quarters(), 400, "crs"),
        ("name=新&file=a.geojson&nest=none", quarters(), 400, "nest"),
        ("file=a.geojson", quarters(), 400, "name"),
        ("name=新&file=a.geojson", b"", 422, "body"),
    ):
        answer = send(worked, query, content)
        assert (answer.status_code, answer.json()["field"]) == (status, field), (query, answer.text)
    foreign = worked.ask(
        "POST", "/api/plans/import?name=n&file=a.geojson", content=b"x",
        headers={**worked.admin, "Content-Type": "multipart/form-data; boundary=x"},
    )  # fmt: skip
    assert foreign.status_code == 415
    assert no_uploads(worked)


def test_the_rules_a_plan_breaks(worked: Any) -> None:
    good = worked.staff("/api/plans/首版/check").json()
    assert good["keeps_all"] and good["violations"] == []
    broken = worked.staff("/api/plans/草稿/check").json()
    assert not broken["keeps_all"] and broken["revision"] == 0
    one = broken["violations"][0]
    assert one["code"] == "not-nested" and one["measured"] == 2 and one["grid"] in one["zh"] and one["do_en"]


def test_a_proposal_by_job(worked: Any) -> None:
    answer = worked.ask(
        "POST", "/api/plans/propose", headers=worked.admin,
        json={"name": "提案", "grids": 8, "weight": "households", "tolerance": 0.2, "choices": 2},
    )  # fmt: skip
    job = ended(worked, answer)
    assert job["state"] == "done", job
    plan, second = job["result"]["plans"]
    assert (plan["name"], second["name"], job["result"]["grids"]) == ("提案", "提案 2", 8)
    assert plan["deviation"] <= 0.2 and plan["label_zh"] and plan["label_en"] and plan["crossing"] == 0
    assert job["result"]["bounds"]["fewest_nested"] == 4
    assert worked.staff("/api/plans/提案").json()["author"] == "tester"
    taken = worked.ask("POST", "/api/plans/propose", headers=worked.admin, json={"name": "提案", "grids": 8})
    assert (taken.status_code, taken.json()["field"]) == (400, "name")
    few = ended(
        worked,
        worked.ask("POST", "/api/plans/propose", headers=worked.admin, json={"name": "少", "grids": 2}),
    )
    assert few["problem"]["type"] == "urn:wangge:problem:too-few-grids" and few["problem"]["measured"] == 2
    for body, field in (
        ({"name": "n"}, "grids"), ({"name": "n", "grids": 2, "per_grid": 5.0}, "grids"), ({"name": "n", "grids": 0}, "grids"),
        ({"name": "n", "grids": 2, "tolerance": -1}, "tolerance"), ({"name": "", "grids": 2}, "name"),
        ({"name": "current", "grids": 2}, "name"), ({"name": "n", "grids": 2, "nest": "hard"}, "nest"),
        ({"name": "n", "grids": 2, "choices": 6}, "choices"), ({"name": "n", "grids": 2, "weight": []}, "weight"),
        ({"name": "n", "grids": 2, "posts": [1, 0]}, "posts"), ({"name": "n", "grids": 2, "locked": "a"}, "locked"),
        ({"name": "n", "grids": "2"}, "grids"), ({"name": "n", "grids": 2, "seed": -1}, "seed"),
    ):  # fmt: skip
        refused = worked.ask("POST", "/api/plans/propose", headers=worked.admin, json=body)
        assert (refused.status_code, refused.json()["field"]) == (400, field), (body, refused.text)


def test_a_proposal_between_further_barriers(worked: Any) -> None:
    """A river along the middle: one grid cannot lie on both banks, unless bridges join them."""
    west, south, east, north = worked.staff("/api/city").json()["bbox"]
    middle = (south + north) / 2 + 1e-5
    river = [[west - 0.01, middle], [east + 0.01, middle]]
    places = [west + (east - west) * i / 200 for i in range(200)]  # one of them beside every pair of units
    bridges = [[[x, middle - 0.001], [x, middle + 0.001]] for x in places]

    def asked(**more: Any) -> dict[str, Any]:
        body = {"name": f"河 {len(more)}", "grids": 1, "weight": "area", "nest": "free", **more}
        job: dict[str, Any] = ended(
            worked, worked.ask("POST", "/api/plans/propose", headers=worked.admin, json=body)
        )
        return job

    assert asked()["state"] == "done"
    parted = asked(barriers=[river])["problem"]
    assert (parted["type"], parted["allowed"]) == ("urn:wangge:problem:too-few-grids", 2)
    assert asked(barriers=[river], passages=bridges)["state"] == "done"
    for field, value in (
        ("barriers", [[[1, 2]]]), ("barriers", [[[181, 0], [0, 0]]]), ("barriers", [[["a", 0], [0, 0]]]),
        ("passages", [river] * 1001), ("barriers", [river * 1300, river * 1300]), ("barriers", {"type": "LineString"}),
    ):  # fmt: skip
        refused = worked.ask(
            "POST", "/api/plans/propose", headers=worked.admin, json={"name": "n", "grids": 1, field: value}
        )
        assert (refused.status_code, refused.json()["field"].split(".")[0]) == (400, field), refused.text


def rebalance(town: Any, plan: str, **body: Any) -> httpx.Response:
    answer: httpx.Response = town.ask("POST", f"/api/plans/{plan}/rebalance", headers=town.admin, json=body)
    return answer


def test_a_plan_is_rebalanced_by_job(worked: Any) -> None:
    job = ended(worked, rebalance(worked, "首版", name="均衡", weight="cases", tolerance=0.25))
    assert job["state"] == "done", job
    result = job["result"]
    assert result["plans"][0]["name"] == "均衡" and result["plans"][0]["revision"] == 1
    assert 0 < result["certain_share"] <= result["moved_share"] < 1 and result["changed"]
    assert worked.staff("/api/plans/首版").json()["revision"] == 0
    made = worked.staff("/api/plans/均衡").json()
    assert made["based_on_id"] == worked.staff("/api/plans/首版").json()["id"]
    more = ended(worked, rebalance(worked, "均衡", revision=1, more=1, tolerance=0.3))
    assert more["state"] == "done" and more["result"]["plans"][0]["revision"] == 2
    assert worked.staff("/api/plans/均衡").json()["grids"] == made["grids"] + 1
    late = rebalance(worked, "均衡", revision=1)
    assert (late.status_code, late.json()["type"]) == (409, "urn:wangge:problem:stale-revision")
    assert rebalance(worked, "均衡").status_code == 428


def test_a_draft_that_changed_before_its_rebalance_began(worked: Any) -> None:
    with sessions.session(worked.settings, "app") as session:
        plan = session.scalar(text("SELECT id FROM plan WHERE name = '草稿'"))
        params = {"plan": plan, "revision": 7}
        job = queue.ask(session, "plan.rebalance", params, "张工")
    found = worked.staff(f"/api/jobs/{job}?wait=20").json()
    assert (found["state"], found["problem"]["type"]) == ("failed", "urn:wangge:problem:stale-revision")
    assert worked.staff("/api/plans/草稿").json()["revision"] == 0


def test_what_cannot_be_rebalanced(worked: Any) -> None:
    for body, status, field in (
        ({}, 400, "name"), ({"name": "草稿"}, 400, "name"), ({"name": "n", "more": 2}, 400, "more"),
        ({"name": "n", "leaving": "G0000"}, 400, "leaving"), ({"name": "n", "tolerance": 11}, 400, "tolerance"),
    ):  # fmt: skip
        answer = rebalance(worked, "首版", **body)
        assert (answer.status_code, answer.json()["field"]) == (status, field), (body, answer.text)
    job = ended(worked, rebalance(worked, "首版", name="n", more=-1, leaving="nowhere"))
    assert (job["state"], job["problem"]["field"]) == ("failed", "leaving")
    assert worked.staff("/api/plans/n").status_code == 404


def test_a_plan_among_random_ones_by_job(worked: Any) -> None:
    body = {"plans": 20, "chains": 2, "tolerance": 0.6, "weight": "area"}
    answer = worked.ask("POST", "/api/plans/首版/ensemble", headers=worked.admin, json=body)
    job = ended(worked, answer)
    assert job["state"] == "done", job
    result = job["result"]
    assert (result["name"], result["plans"], result["chains"]) == ("首版", 20, 2)
    for one in result["measures"]:
        rank = one["rank"]
        assert abs(rank["better_share"] + rank["equal_share"] + rank["worse_share"] - 1) < 1e-9
        assert one["quantiles"] == sorted(one["quantiles"])
    refused = worked.ask("POST", "/api/plans/首版/ensemble", headers=worked.admin, json={"chains": 65})
    assert (refused.status_code, refused.json()["field"]) == (400, "chains")


def test_work_of_the_engine_is_cancelled(worked: Any) -> None:
    body = {"plans": 100_000, "chains": 64, "tolerance": 0.6}
    answer = worked.ask("POST", "/api/plans/首版/ensemble", headers=worked.admin, json=body)
    address = answer.headers["location"]
    while worked.staff(address).json()["done"] == 0:
        time.sleep(0.1)
    assert worked.ask("POST", f"{address}/cancel", headers=worked.admin).status_code == 202
    assert worked.staff(f"{address}?wait=25").json()["state"] == "cancelled"

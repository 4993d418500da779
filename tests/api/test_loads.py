"""Files that come in over HTTP: looked at, loaded, refused, cancelled; every row accounted for, nothing left behind."""

from __future__ import annotations

import csv
import io
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import psutil
import pytest
import shapely
from sqlalchemy import text

from api import uploads
from api.jobs import queue
from etl.limits import Limits
from geo.db import session as sessions
from geo.settings import Settings
from tests.api.at_work import ODD, working
from tests.api.conftest import SIDE, SOUTH, STEP, WEST
from tests.api.files_at_work import HEADER, areas, as_csv, case_rows, ended, left, loaded, person, send
from tests.etl.corpus_adapter import cases as corpus_cases

DIRTY = [
    ["D1", "2025-13-45 08:00:00", "116.305", "39.905", "暴露垃圾"],
    ["=D2", "不是时间", "116.306", "39.906", "@SUM(A1)"],
    ["D3", "2025-03-01 08:00:00", "abc", "39.906", "暴露垃圾"],
]


@pytest.fixture(scope="module")
def worked(town: Any) -> Iterator[Any]:
    with working(town.settings, ODD_PRELOAD="1"):
        yield town


def counted(settings: Settings, query: str, **values: Any) -> int:
    with sessions.session(settings) as session:
        return int(session.scalar(text(query), values) or 0)


def law(found: dict[str, Any]) -> bool:
    parts = ("added", "updated", "unchanged", "duplicate", "rejected")
    return bool(found["rows_in"] == sum(found[part] for part in parts))


# ── the whole way ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_name_too_long_for_the_disk_is_refused(worked: Any) -> None:
    """A hundred Chinese characters are 300 bytes; no file system takes them."""
    answer = send(worked, b"x", what="cases", source="x", file="网" * 96 + ".csv")
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:wangge:problem:file-name"), answer.text
    assert not left(worked.settings)


def test_a_dirty_gbk_file_is_looked_at_loaded_corrected_and_loaded_again(worked: Any) -> None:
    content = as_csv(case_rows(200) + DIRTY, "gbk")
    asked = {"what": "cases", "file": "热线.csv", "source": "hotline"}
    seen = loaded(worked, content, **asked, dry_run="true")
    assert (seen["run"], seen["dry_run"], seen["rows_in"], seen["rejected"]) == (None, True, 203, 3)
    assert law(seen) and seen["encoding"].lower().startswith("gb")
    assert {c["field"]: c["column"] for c in seen["columns"]}["opened_at"] == "受理时间"
    assert seen["header"] == HEADER and seen["reason"]["zh"] and seen["reason"]["en"]
    assert {r["code"] for r in seen["rejects"]} == {"date-invalid", "number-format"}
    assert all(r["do"]["zh"] and r["do"]["en"] for r in seen["rejects"])
    assert counted(worked.settings, "SELECT count(*) FROM load_run WHERE source = 'hotline'") == 0

    done = loaded(worked, content, **asked)
    assert law(done) and (done["added"], done["rejected"]) == (200, 3)
    evidence = done["evidence"]
    assert evidence["used"] == "EPSG:4326" and evidence["datum_by"] == "inside"
    assert evidence["datum"]["EPSG:4326"] > 0.95 > evidence["datum"]["bd09"] and evidence["better"] is None
    assert 100 < len(evidence["sample"]) <= 400 and evidence["sample"][0]["type"] == "Point"
    assert evidence["bbox"][0] >= WEST - 1e-6 and evidence["bbox"][3] <= SOUTH + SIDE * STEP + 1e-6
    again = loaded(worked, content, **asked)
    assert (again["unchanged"], again["same_as_run"]) == (200, done["run"])

    answer = worked.staff(f"/api/loads/{done['run']}/rejects.csv")
    assert answer.content.startswith(b"\xef\xbb\xbf") and answer.headers["content-type"].startswith(
        "text/csv"
    )
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert list(rows[0])[:5] == HEADER and len(rows) == 3
    taken = "SELECT count(*) FROM audit WHERE act = 'export' AND what @> jsonb_build_object('layer', 'rejects', 'rows', 3)"
    assert counted(worked.settings, taken) == 1
    assert rows[1]["工单编号"] == "'=D2" and rows[1]["类别"] == "'@SUM(A1)"
    corrected = [{**row, "受理时间": "2025-03-02 09:00:00", "经度": "116.305"} for row in rows]
    text_ = io.StringIO(newline="")
    writer = csv.DictWriter(text_, rows[0].keys())
    writer.writeheader()
    writer.writerows(corrected)
    fixed = loaded(worked, ("\ufeff" + text_.getvalue()).encode(), **{**asked, "file": "改正.csv"})
    assert (fixed["rows_in"], fixed["added"], fixed["rejected"]) == (3, 3, 0)
    assert counted(worked.settings, "SELECT count(*) FROM cases WHERE source_case_id = '=D2'") == 1
    assert left(worked.settings) == []


def test_loads_are_listed_page_by_page_with_who_loaded(worked: Any) -> None:
    for n in range(3):
        loaded(worked, as_csv(case_rows(5, 10 * n)), what="cases", file=f"页{n}.csv", source="pages")
    first = worked.staff("/api/loads?limit=2&what=cases&source=pages").json()
    assert [one["file_name"] for one in first["loads"]] == ["页2.csv", "页1.csv"]
    assert {one["by"] for one in first["loads"]} == {"tester"}
    second = worked.staff(f"/api/loads?limit=2&what=cases&source=pages&before={first['next']}").json()
    assert ([one["file_name"] for one in second["loads"]], second["next"]) == (["页0.csv"], None)
    assert worked.staff("/api/runs?limit=1").json()["runs"][0]["by"] == "tester"
    who = counted(
        worked.settings,
        "SELECT count(*) FROM audit WHERE who = 'tester' AND act = 'load cases' AND what->>'source' = 'pages'",
    )
    assert who == 3


def test_rejects_page_by_page(worked: Any) -> None:
    rows = [[f"R{k}", "never", "116.305", "39.905", "x"] for k in range(25)]
    run = loaded(worked, as_csv(case_rows(1) + rows), what="cases", file="r.csv", source="paged")["run"]
    seen: list[int] = []
    after: int | None = 0
    while after is not None:
        page = worked.staff(f"/api/loads/{run}?limit=10&after={after}").json()
        seen += [one["row"] for one in page["rejects"]]
        after = page["rejects_next"]
    assert seen == list(range(3, 28)) and page["rows_rejected"] == 25


def test_a_map_says_which_column_is_which(worked: Any) -> None:
    content = "甲,乙,丙,丁\nM1,2025-03-01 08:00:00,116.305,39.905\n".encode()
    asked = {"what": "cases", "file": "怪.csv", "source": "odd"}
    job = ended(worked, send(worked, content, **asked))
    assert (job["state"], job["problem"]["type"]) == ("failed", "urn:wangge:problem:column-missing")
    assert job["problem"]["zh"] and job["problem"]["en"] and job["problem"]["do_zh"]
    chosen = '[fields]\nid = "甲"\nopened_at = "乙"\nlon = "丙"\nlat = "丁"\n'
    done = loaded(worked, content, **asked, map_=chosen)
    assert done["added"] == 1 and {c["column"] for c in done["columns"]} == {"甲", "乙", "丙", "丁"}


# ── other files ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_boundaries_with_units_following(worked: Any) -> None:
    done = loaded(worked, areas(), what="boundaries", file="警区.geojson", level="police_district")
    assert law(done) and (done["added"], done["crs"]) == (4, "EPSG:4326")
    assert {s["type"] for s in done["evidence"]["sample"]} <= {"Polygon", "MultiPolygon"}
    assert done["evidence"]["datum_by"] == "outline" and done["evidence"]["datum"]["EPSG:4326"] > 0.9
    levels = {one["name"]: one["n"] for one in worked.staff("/api/city").json()["levels"]}
    assert levels["police_district"] == 4


def test_a_crs_that_is_not_so_is_refused_and_what_fits_is_named(worked: Any) -> None:
    before = counted(worked.settings, "SELECT count(*) FROM load_run")
    squares = geopandas.read_file(io.BytesIO(areas()), engine="pyogrio").to_crs(4548)
    content = geopandas.GeoDataFrame(
        squares.drop(columns="geometry"), geometry=squares.geometry.array, crs=None
    )
    text_ = content.to_json().replace('"crs"', '"was"')
    job = ended(worked, send(worked, text_.encode(), what="boundaries", file="错.geojson", level="wrong"))
    assert job["state"] == "failed" and job["result"] is None
    problem = job["problem"]
    assert problem["type"] == "urn:wangge:problem:coordinate-range" and problem["field"] == "crs"
    assert problem["suggested"] and "--crs" in problem["do_zh"]
    assert counted(worked.settings, "SELECT count(*) FROM load_run") == before
    assert left(worked.settings) == []


def test_facilities_weights_and_ways(worked: Any, tmp_path: Path) -> None:
    at = shapely.points(WEST + 0.001 * np.arange(6), SOUTH + 0.002)
    places = geopandas.GeoDataFrame(
        {"编号": [f"F{i}" for i in range(6)], "名称": [f"公园{i}" for i in range(6)]}, geometry=at, crs=4326
    )
    places.to_file(tmp_path / "公园.gpkg", engine="pyogrio")
    done = loaded(
        worked, (tmp_path / "公园.gpkg").read_bytes(), what="facilities", file="公园.gpkg", kind="park"
    )
    assert law(done) and done["added"] == 6
    table = pd.DataFrame({"code": ["U0000", "U0001", "nowhere"], "people": [10, 20, 30]})
    table.to_excel(tmp_path / "人口.xlsx", index=False)
    done = loaded(
        worked, (tmp_path / "人口.xlsx").read_bytes(), what="weights", file="人口.xlsx", column="people"
    )
    assert law(done) and done["rejected"] == 1 and done["details"]["stored_total"] == 30
    roads = geopandas.GeoDataFrame(
        {"id": ["a"], "class": ["road"], "name": ["新街"]},
        geometry=[shapely.LineString([(WEST, SOUTH), (WEST + 0.01, SOUTH)])],
        crs=4326,
    )
    roads.to_file(tmp_path / "路.geojson", engine="pyogrio")
    done = loaded(
        worked, (tmp_path / "路.geojson").read_bytes(), what="network", file="路.geojson", source="new"
    )
    assert law(done) and done["added"] == 1 and done["evidence"]["sample"][0]["type"] == "LineString"


def test_a_geojson_of_one_datum_in_another(worked: Any) -> None:
    """Points taken from a GCJ-02 map, sent as WGS 84: some fall outside the town, and the better datum is named."""
    from geo.crs import wgs84_to_gcj02

    rows = case_rows(400)
    lon, lat = wgs84_to_gcj02([float(r[2]) for r in rows], [float(r[3]) for r in rows])
    moved = [[r[0], r[1], f"{x:.6f}", f"{y:.6f}", r[4]] for r, x, y in zip(rows, lon, lat, strict=True)]
    seen = loaded(worked, as_csv(moved), what="cases", file="火星.csv", source="mars", dry_run="true")
    assert seen["evidence"]["better"] == "gcj02" and seen["evidence"]["datum"]["gcj02"] > 0.95
    put = loaded(
        worked, as_csv(moved), what="cases", file="火星.csv", source="mars", dry_run="true", crs="gcj02"
    )
    assert put["evidence"]["better"] is None and put["evidence"]["asked"] == "gcj02"


# ── what is refused, and who may ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ({"what": "cases", "file": "a.csv"}, 400, "source"),
        ({"what": "boundaries", "file": "a.csv"}, 400, "level"),
        ({"what": "facilities", "file": "a.csv"}, 400, "kind"),
        ({"what": "weights", "file": "a.csv"}, 400, "column"),
        ({"what": "people", "file": "a.csv"}, 400, "what"),
        ({"what": "cases", "source": "s"}, 400, "file"),
        ({"what": "cases", "source": "s", "file": "../.."}, 400, "file"),
        ({"what": "cases", "source": "s", "file": "a.csv", "level": "street"}, 400, "level"),
        ({"what": "cases", "source": "s", "file": "a.csv", "from": "2025-01-01"}, 400, "from"),
        ({"what": "boundaries", "level": "ward", "file": "a.csv", "from": "2025-02-30"}, 400, "from"),
        ({"what": "cases", "source": "s", "file": "a.csv", "crs": "EPSG:x"}, 400, "crs"),
        ({"what": "cases", "source": "s", "file": "a.csv", "dry": "1"}, 400, "dry"),
    ],
)
def test_what_cannot_be_asked(worked: Any, query: dict[str, str], status: int, field: str) -> None:
    answer = send(worked, b"x", **query)
    assert (answer.status_code, answer.json()["field"]) == (status, field), answer.text
    assert left(worked.settings) == []


def test_a_name_of_a_person_cannot_be_a_weight(worked: Any) -> None:
    job = ended(worked, send(worked, b"code,v\nU0000,1\n", what="weights", file="a.csv", column="身份证"))
    assert job["problem"]["type"] == "urn:wangge:problem:weight-name"


def test_bodies(worked: Any) -> None:
    empty = send(worked, b"", what="cases", file="a.csv", source="s")
    assert (empty.status_code, empty.json()["type"]) == (422, "urn:wangge:problem:file-empty")
    for kind in ("application/json", "multipart/form-data; boundary=x", "text/csv"):
        foreign = send(worked, b"x", {"Content-Type": kind}, what="cases", file="a.csv", source="s")
        assert foreign.status_code == 415
    host, _, port = worked.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as line:
        told = f"Authorization: {worked.admin['Authorization']}\r\nContent-Type: application/octet-stream\r\n"
        query = "what=cases&file=a.csv&source=s"
        line.sendall(
            f"POST /api/loads?{query} HTTP/1.1\r\nHost: {host}\r\n{told}Content-Length: {10**9}\r\n\r\n".encode()
        )
        assert line.recv(200).startswith(b"HTTP/1.1 413")


def test_as_large_as_the_loaders_open() -> None:
    from api import policy

    assert Limits().file_bytes == policy.LOAD_BYTES


def test_loads_are_for_admins_and_their_jobs_for_nobody_else(worked: Any) -> None:
    done = send(worked, as_csv(case_rows(2)), what="cases", file="a.csv", source="private")
    job = ended(worked, done)
    place, run = done.headers["location"], job["result"]["run"]
    assert (
        send(worked, b"x", {"Authorization": ""}, what="cases", file="a.csv", source="s").status_code == 401
    )
    for role in ("worker", "supervisor", "planner"):
        who = person(worked.settings, f"a {role}", role, ("street", "S1") if role != "planner" else None)
        assert send(worked, b"x", who, what="cases", file="a.csv", source="s").status_code == 403
        for path in ("/api/loads", f"/api/loads/{run}", f"/api/loads/{run}/rejects.csv"):
            assert worked.get(path, headers=who).status_code == 403
        if role == "worker":
            assert worked.get(place, headers=who).status_code == 403
            continue
        barred, missing = worked.get(place, headers=who), worked.get("/api/jobs/999999", headers=who)
        assert barred.status_code == missing.status_code == 404
        assert barred.json()["type"] == missing.json()["type"] == "urn:wangge:problem:no-such-job"
        assert worked.get("/api/jobs", headers=who).json()["jobs"] == []
        assert worked.ask("POST", place + "/cancel", headers=who).status_code == 404
    assert left(worked.settings) == []


def test_the_same_key_loads_once(worked: Any) -> None:
    content, asked = as_csv(case_rows(3)), {"what": "cases", "file": "k.csv", "source": "once"}
    first = send(worked, content, {"Idempotency-Key": "load-1"}, **asked)
    again = send(worked, content, {"Idempotency-Key": "load-1"}, **asked)
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotency-replayed"] == "true"
    other = send(worked, content + b"\n", {"Idempotency-Key": "load-1"}, **asked)
    assert (other.status_code, other.json()["type"]) == (422, "urn:wangge:problem:idempotency-key-reused")
    assert ended(worked, first)["state"] == "done" and left(worked.settings) == []


# ── what does not end well ────────────────────────────────────────────────────────────────────────────────────────


def test_cancelled_while_it_is_read_nothing_is_written(worked: Any) -> None:
    content = as_csv(case_rows(400_000))
    answer = send(worked, content, what="cases", file="大.csv", source="large")
    place = answer.headers["location"]
    deadline = time.monotonic() + 60
    while worked.staff(place).json()["done"] == 0 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert worked.ask("POST", place + "/cancel", headers=worked.admin).status_code == 202
    job = ended(worked, answer)
    assert (job["state"], job["result"]) == ("cancelled", None)
    assert counted(worked.settings, "SELECT count(*) FROM source WHERE name = 'large'") == 0
    assert counted(worked.settings, "SELECT count(*) FROM load_run WHERE source = 'large'") == 0
    assert left(worked.settings) == []


def test_a_loader_that_is_killed_leaves_nothing(worked: Any) -> None:
    answer = send(worked, as_csv(case_rows(400_000)), what="cases", file="死.csv", source="killed")
    place = answer.headers["location"]
    deadline = time.monotonic() + 60
    while worked.staff(place).json()["done"] == 0 and time.monotonic() < deadline:
        time.sleep(0.02)
    work = [p for w in psutil.Process().children() for p in w.children() if str(ODD) in p.cmdline()]
    assert len(work) == 1
    work[0].kill()
    job = ended(worked, answer)
    assert (job["state"], job["problem"]["type"]) == ("failed", "urn:wangge:problem:job-crashed")
    assert counted(worked.settings, "SELECT count(*) FROM source WHERE name = 'killed'") == 0
    assert counted(worked.settings, "SELECT count(*) FROM audit WHERE what->>'source' = 'killed'") == 0
    tables = counted(
        worked.settings, "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relname LIKE 'cases%'"
    )
    assert tables == counted(
        worked.settings, "SELECT count(*) FROM pg_inherits WHERE inhparent = 'cases'::regclass"
    )
    assert left(worked.settings) == []


def test_two_loads_of_one_source_at_once(worked: Any) -> None:
    with working(worked.settings, ODD_PRELOAD="1"):
        sent = [
            send(worked, as_csv(case_rows(20_000, 20_000 * k)), what="cases", file=f"{k}.csv", source="twins")
            for k in range(2)
        ]
        jobs = [ended(worked, answer) for answer in sent]
    assert [job["state"] for job in jobs] == ["done", "done"], jobs
    assert sum(job["result"]["added"] for job in jobs) == 40_000
    found = counted(
        worked.settings,
        "SELECT count(*) FROM cases c JOIN source s ON s.id = c.source_id WHERE s.name = 'twins'",
    )
    assert found == 40_000 and left(worked.settings) == []


def test_what_a_killed_service_left_is_removed_and_what_is_written_is_kept(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    dead, waiting, living = (settings.uploads_dir / name for name in ("dead", "waiting", "living"))
    for place in (dead, waiting, living):
        place.mkdir(parents=True)
        (place / "a.csv").write_bytes(b"x")
    old = time.time() - 3600
    with (living / "a.csv").open("rb") as held:
        import fcntl

        fcntl.flock(held, fcntl.LOCK_EX)
        for place in (dead, waiting, living):
            for one in (place / "a.csv", place):
                os.utime(one, (old, old))
        uploads.tidy(settings, {"waiting"})
        assert sorted(p.name for p in settings.uploads_dir.iterdir()) == ["living", "waiting"]
    uploads.tidy(settings, set())
    assert list(settings.uploads_dir.iterdir()) == []


# ── the corpus of bad files, over HTTP ────────────────────────────────────────────────────────────────────────────

BAD = [
    one for one in corpus_cases("etl_cases")[::9] if one.format in ("csv", "json", "xlsx", "geojson", "tsv")
][:12]
BAD_AREAS = [one for one in corpus_cases("etl_boundaries")[::8] if one.format != "shp"][:12]


@pytest.mark.shared
@pytest.mark.parametrize("one", BAD + BAD_AREAS, ids=lambda one: one.id)
def test_a_bad_file_is_no_fault_of_ours(worked: Any, one: Any, tmp_path: Path) -> None:
    path = one.write(tmp_path)
    asked = (
        {"what": "cases", "source": one.id} if one in BAD else {"what": "boundaries", "level": one.id.lower()}
    )
    content = path.read_bytes()
    answer = send(worked, content, **asked, file=path.name)
    if answer.status_code != 202:
        assert answer.status_code in (400, 422) and answer.json()["type"].startswith("urn:wangge:problem:")
        return
    job = ended(worked, answer)
    assert job["state"] in ("done", "failed")
    if job["state"] == "failed":
        problem = job["problem"]
        assert problem["type"] not in ("urn:wangge:problem:internal", "urn:wangge:problem:job-crashed"), (
            problem
        )
        assert (
            problem["zh"]
            and problem["en"]
            and "Traceback" not in str(job)
            and str(worked.settings.home) not in str(job)
        )
    else:
        assert law(job["result"])
    assert left(worked.settings) == []
    with sessions.session(worked.settings) as session:
        assert queue.wanted_uploads(session) == set()

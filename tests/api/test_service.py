"""The service as a whole: alive and ready, figures, its own explanation, static files, a database that goes away."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from api import answers
from api.routers import static
from geo.db import cluster, migrations
from geo.db import session as sessions
from geo.settings import Settings
from tests.api.conftest import admin_token, found_town, serving


def test_alive_and_ready(town: Any) -> None:
    assert town.get("/healthz").json() == {"status": "ok"}
    deadline = time.monotonic() + 20
    while not town.get("/readyz").json()["checks"]["columns"] and time.monotonic() < deadline:
        time.sleep(0.1)
    checks = town.get("/readyz").json()["checks"]
    assert {k: v for k, v in checks.items() if k != "ui"} == {
        "database": True,
        "schema": True,
        "columns": True,
    }
    assert checks["ui"] == (static.index_file() is not None)


def test_figures(town: Any) -> None:
    town.get("/api/city")
    families = {f.name: f for f in text_string_to_metric_families(town.get("/metrics").text)}
    samples = families["wangge_request_seconds"].samples
    routes = {s.labels.get("route") for s in samples}
    assert "/api/city" in routes
    assert all(route is None or "{" in route or "/api/cases/1" not in route for route in routes)
    counted = [s.value for s in samples if s.name.endswith("_count") and s.labels["route"] == "/api/city"]
    assert sum(counted) >= 1


def test_explanation_needs_no_network_and_no_script(town: Any) -> None:
    page = town.get("/api/docs").text
    assert "<script" not in page
    assert "style=" not in page
    assert not re.search(r"""(src|href)=["']https?:""", page)
    for path in town.get("/api/openapi.json").json()["paths"]:
        assert path in page
    assert town.get("/api/docs.css").headers["content-type"].startswith("text/css")


def test_examples_of_the_interface_run(town: Any) -> None:
    tried = 0
    for path, methods in town.get("/api/openapi.json").json()["paths"].items():
        example = methods.get("get", {}).get("x-example")
        if example and path != "/readyz":
            answer = town.staff(example)
            assert answer.status_code == 200, example
            tried += 1
    assert tried >= 12


def test_openapi_describes_the_parameters_of_plain_routes(town: Any) -> None:
    paths = town.get("/api/openapi.json").json()["paths"]
    names = {p["name"] for p in paths["/api/heatmap/hexagons"]["get"]["parameters"]}
    assert {"resolution", "bbox", "from", "to", "category", "measure", "format"} <= names
    assert (
        "application/vnd.apache.arrow.stream"
        in paths["/api/heatmap/grids"]["get"]["responses"]["200"]["content"]
    )
    assert "422" not in json.dumps(paths)


def test_static_files(town: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html>网格" + " " * 2000)
    (tmp_path / "assets" / "a-1.js").write_text("let a = 1;" * 500)
    (tmp_path / ".secret").write_text("x")
    outside = tmp_path.parent / f"{tmp_path.name}-outside.txt"
    outside.write_text("secret")
    (tmp_path / "link.txt").symlink_to(outside)
    files = static.Files(tmp_path)
    found = files._answer("index.html", False)
    assert isinstance(found, answers.Answer)
    assert found.raw_headers is not None
    assert dict(found.raw_headers)[b"cache-control"] == b"no-cache"
    script = files._answer("assets/a-1.js", False)
    assert dict(script.raw_headers)[b"cache-control"] == b"public, max-age=31536000, immutable"
    assert b"etag" in dict(script.raw_headers)
    for name in (".secret", "../x", "link.txt", "assets", "nope", "a" * 5000, "\udcff"):
        with pytest.raises(Exception, match="no such file"):
            files._answer(name, False)
    (tmp_path / "index.html").unlink()
    with pytest.raises(Exception, match="not built"):
        files._answer("index.html", False)


def test_the_unbuilt_page_says_what_to_do(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(static, "ROOT", tmp_path)
    monkeypatch.setattr("api.app.Files", lambda: static.Files(tmp_path))
    with serving(settings) as (url, _):
        answer = httpx.get(url + "/?lang=en")
    assert answer.status_code == 503
    assert "./run demo" in answer.json()["detail"]


def test_ranges_are_answered_uncompressed(town: Any, tmp_path: Path, settings: Settings) -> None:
    pmtiles = tmp_path / "base.pmtiles"
    pmtiles.write_bytes(bytes(range(256)) * 100)
    with serving(settings.with_(basemap_pmtiles=pmtiles)) as (url, _):
        answer = httpx.get(url + "/basemap.pmtiles", headers={"Range": "bytes=256-511"})
        assert httpx.get(url + "/api/city").json()["basemap"]["pmtiles"] is True
    assert answer.status_code == 206
    assert answer.content == bytes(range(256))
    assert "content-encoding" not in answer.headers


def test_an_empty_database_answers(settings: Settings) -> None:
    with serving(settings) as (url, _):
        assert httpx.get(url + "/api/city").json()["cases"] == 0
        hexagons = httpx.get(url + "/api/heatmap/hexagons").json()
        assert (hexagons["total"], hexagons["codes"]) == (0, [])
        grids = httpx.get(url + "/api/heatmap/grids").json()
        assert (grids["total"], grids["codes"], grids["plan"]) == (0, [], None)
        assert httpx.get(url + "/api/series").json()["values"] == []
        assert httpx.get(url + "/tiles/units/0/0/0.mvt").status_code == 204


def test_allowed_hosts(settings: Settings) -> None:
    with serving(settings.with_(allowed_hosts=("grid.example", "*.city.example"))) as (url, _):

        def host(name: str) -> int:
            return httpx.get(url + "/healthz", headers={"Host": name}).status_code

        assert [host(n) for n in ("grid.example", "grid.example:8000", "a.city.example")] == [200, 200, 200]
        assert [host(n) for n in ("evil.example", "city.example.evil", "")] == [400, 400, 400]


def test_logs_hold_no_personal_data(settings: Settings) -> None:
    """A process of its own, so that every byte of its standard error is seen."""
    with sessions.session(settings, "owner") as session:
        found_town(session, cases=50)
    token = admin_token(settings)
    code = (
        "import uvicorn\nfrom api.app import from_environment\n"
        "from tests.api.conftest import serving\nfrom geo.settings import Settings\nimport httpx, sys\n"
        "with serving(Settings.from_environment()) as (url, app):\n"
        "    h = {'Authorization': 'Bearer ' + sys.argv[1], 'X-Forwarded-For': '203.0.113.7'}\n"
        "    for p in ('/api/cases/1', '/api/cases?source=canary-source', '/api/canary-path', '/api/city?canary-x=1'):\n"
        "        httpx.get(url + p, headers=h)\n"
    )
    environment = {**os.environ, **settings.to_environment(), "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", code, token],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert len([line for line in lines if line["event"] == "request"]) == 4
    assert {line["route"] for line in lines if line["event"] == "request"} >= {
        "/api/cases/{id}",
        "/api/cases",
    }
    for canary in ("canary", token, "203.0.113.7", "127.0.0.1", "tester"):
        assert canary not in done.stderr, canary


@pytest.mark.slow
def test_a_database_that_restarts() -> None:
    """Killed and started again under load: only 200, 204 and 503 with Retry-After are answered, then all is well."""
    home = Path(
        tempfile.mkdtemp(prefix=f"wangge-test-{os.getpid()}-")
    )  # the server's user must be able to enter
    home.chmod(0o755)
    settings = Settings(home=home, fsync=False)
    cluster.start(settings)
    try:
        migrations.upgrade(settings)
        with sessions.session(settings, "owner") as session:
            found_town(session, cases=300)
        with serving(settings) as (url, app):
            assert app.state.service.fresh.ready.wait(60)
            assert httpx.get(url + "/api/heatmap/grids", timeout=20).status_code == 200
            outage(settings, url)
    finally:
        sessions.forget(settings)
        cluster.stop(settings)
        shutil.rmtree(home, ignore_errors=True)


def outage(settings: Settings, url: str) -> None:
    paths = (
        "/api/city",
        "/api/plans",
        "/api/heatmap/grids",
        "/api/zones?by=community",
        "/readyz",
        "/healthz",
    )
    seen: list[tuple[str, int, bool]] = []
    stop = threading.Event()

    def load() -> None:
        with httpx.Client(base_url=url, timeout=20) as client:
            while not stop.is_set():
                for n, path in enumerate(paths):
                    answer = client.get(path, params={"lang": "en"} if n % 2 else {})
                    told = answer.status_code != 503 or path == "/readyz" or "retry-after" in answer.headers
                    seen.append((path, answer.status_code, told))

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    for _ in range(2):
        cluster.stop(settings)
        down = httpx.get(url + "/readyz", timeout=20)
        assert down.status_code == 503
        assert down.json()["checks"]["database"] is False
        plans = httpx.get(url + "/api/plans", timeout=20)
        assert plans.status_code == 503
        assert plans.json()["type"] == "urn:wangge:problem:database-unavailable"
        assert int(plans.headers["retry-after"]) >= 1
        assert httpx.get(url + "/healthz", timeout=20).status_code == 200
        assert httpx.get(url + "/api/heatmap/grids", timeout=20).status_code == 200  # from memory
        cluster.start(settings)
        began = time.monotonic()
        while httpx.get(url + "/api/plans", timeout=20).status_code != 200:
            assert time.monotonic() - began < 3
        time.sleep(0.5)
    stop.set()
    for thread in threads:
        thread.join()
    assert {status for _, status, _ in seen} <= {200, 503}
    assert all(told for _, _, told in seen)
    assert all(status == 200 for path, status, _ in seen if path == "/healthz")
    assert len(seen) > 50

"""Requests per second and p99 of the running service at ten million cases, beside bytes from memory in the same run.

    .venv/bin/python benchmarks/serving.py --data DIR [--cases 10000000] [--seconds 4] [--json]

The city: 40 × 40 km, 20 022 grids of one unit each in 304 communities, 80 categories in 10 groups, two years. The data
folder is filled once and used again. Load comes from `wrk` (apt-get install wrk) on the same machine, so the service
never has both cores to itself. Lines:

    limit        the same bytes as `heat kept`, from a bare ASGI application in the same number of workers
    heat kept    one slice that was asked before (one category, one month, grids, values only)
    heat new     slices nobody asked before: random category and window each time
    heat whole   the same as `heat kept` with codes and names
    tile kept    tiles of grids asked before, z 12–14
    tile first   each tile for the first time, by zoom: milliseconds, not requests

Bars: heat ≥ 3 000 requests/s, tile kept ≥ 5 000 requests/s, first z10 < 300 ms, z12 and above < 50 ms.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import random
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text

from api import auth
from geo.db import cluster, migrations
from geo.db import session as sessions
from geo.db.versions import bump
from geo.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
SIDE = 142  # grids along one side
ROWS = 141
WEST, SOUTH, STEP_X, STEP_Y = 116.2, 39.7, 0.0033, 0.00254
CONNECTIONS, THREADS, ROUNDS = 16, 1, 3
SEED = 20

GROUND = f"""
INSERT INTO city (name) VALUES ('基准城');
INSERT INTO load_run (kind, source, file_name, content_sha256, started_at) VALUES ('cases', 'bench', 'bench', '', now());
INSERT INTO level (name, rank) VALUES ('community', 4);
INSERT INTO edition (level_id, during, measuring_crs) SELECT id, '(,)', 'EPSG:4548' FROM level;
CREATE TEMP TABLE cell AS SELECT i, j, j * {SIDE} + i + 1 AS k, ST_Multi(ST_MakeEnvelope({WEST} + i * {STEP_X},
  {SOUTH} + j * {STEP_Y}, {WEST} + (i + 1) * {STEP_X}, {SOUTH} + (j + 1) * {STEP_Y}, 4326)) AS g
  FROM generate_series(0, {SIDE - 1}) i, generate_series(0, {ROWS - 1}) j;
INSERT INTO boundary (edition_id, code, name, geom, area_m2) SELECT 1, 'C' || i / 8 * 100 + j / 8, '社区' || i / 8 || '-'
  || j / 8, ST_Multi(ST_MakeEnvelope(min(ST_XMin(g)), min(ST_YMin(g)), max(ST_XMax(g)), max(ST_YMax(g)), 4326)), 5e6
  FROM cell GROUP BY i / 8, j / 8;
INSERT INTO unit (code, geom, point, area_m2, perimeter_m) SELECT 'U' || to_char(k, 'FM000000'), g, ST_Centroid(g), 80000,
  1130 FROM cell ORDER BY k;
INSERT INTO plan (name, state, during) VALUES ('基准', 'approved', '[2024-01-01,)');
INSERT INTO grid (plan_id, code, name, area_code, geom, area_m2, perimeter_m) SELECT 1, '110101001' || to_char(k,
  'FM000000'), '网格' || k, 'C0', g, 80000, 1130 FROM cell ORDER BY k;
INSERT INTO plan_unit (plan_id, unit_id, grid_id) SELECT 1, u.id, g.id FROM unit u JOIN grid g ON g.id = u.id;
UPDATE plan SET approved_at = now();
INSERT INTO weight ("column", unit_id, value, load_run_id) SELECT 'households', id, 60 + id % 40, 1 FROM unit;
INSERT INTO catalogue (name) VALUES ('bench');
INSERT INTO source (name, catalogue_id) VALUES ('bench', 1);
INSERT INTO category (catalogue_id, code, name) SELECT 1, to_char(t, 'FM00'), '大类' || t FROM generate_series(1, 10) t;
INSERT INTO category (catalogue_id, parent_id, code, name) SELECT 1, p.id, to_char(s, 'FM00'), '小类' || s FROM category p,
  generate_series(1, 8) s;
CREATE TABLE cases_1 PARTITION OF cases FOR VALUES IN (1);
"""
CASES = f"""
INSERT INTO cases (source_id, source_case_id, opened_at, closed_at, due_at, category_id, status, origin, satisfied, row_hash,
  geom, unit_id, load_run_id)
SELECT 1, to_char(n, 'FM00000000'), opened, CASE WHEN late < 0.9 THEN opened + late * interval '9 days' END,
  opened + interval '3 days', 11 + floor(80 * random() * random()), CASE WHEN late < 0.9 THEN 1 ELSE 0 END,
  floor(random() * 4), random() < 0.9, '', ST_SetSRID(ST_Point({WEST} + x * {STEP_X}, {SOUTH} + y * {STEP_Y}), 4326),
  floor(y) * {SIDE} + floor(x) + 1, 1
FROM (SELECT n, timestamptz '2024-01-01+08' + random() * interval '730 days' AS opened, random() AS late,
  {SIDE} * (random() + random()) / 2.0001 AS x, {ROWS} * (random() + random()) / 2.0001 AS y
  FROM generate_series(%(first)s::bigint, %(last)s::bigint) n OFFSET 0) made"""


def fill(settings: Settings, cases: int) -> None:
    """The city and its cases, once per data folder."""
    cluster.start(settings)
    migrations.upgrade(settings)
    with sessions.session(settings, "owner") as session:
        if session.scalar(text("SELECT count(*) FROM plan")):
            return
        raw = sessions.raw(session)
        raw.execute(GROUND)
        for first in range(1, cases + 1, 1_000_000):
            raw.execute(CASES, {"first": first, "last": min(cases, first + 999_999)})
            sys.stderr.write(f"cases: {min(cases, first + 999_999):,}\n")
        bump(session, "city", "boundaries", "units", "plans", "cases", "weights")
    with sessions.connect(settings, autocommit=True) as connection:
        connection.execute("ANALYZE")


@contextlib.contextmanager
def service(settings: Settings, workers: int) -> Iterator[str]:
    """The real service in processes of its own; yields its address once it is ready."""
    port = free_port()
    command = [sys.executable, "-m", "api", "serve", "--port", str(port), "--workers", str(workers)]
    environment = {**os.environ, **settings.to_environment(), "WANGGE_PORT": str(port)}
    with running(command, environment):
        url = f"http://127.0.0.1:{port}"
        began = time.monotonic()
        while not ready(url):
            if time.monotonic() - began > 300:
                raise SystemExit("the service did not become ready")
            time.sleep(0.1)
        yield url


@contextlib.contextmanager
def bare(content: bytes, workers: int) -> Iterator[str]:
    """The limit: an application that sends these bytes and does nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "content").write_bytes(content)
        (Path(folder) / "bare_app.py").write_text(BARE)
        port = free_port()
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            "bare_app:app",
            "--port",
            str(port),
            "--workers",
            str(workers),
        ]
        command += ["--no-access-log", "--log-level", "warning", "--app-dir", folder]
        with running(command, dict(os.environ)):
            url = f"http://127.0.0.1:{port}/"
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    httpx.get(url)
                    break
                time.sleep(0.1)
            yield url


BARE = """
from pathlib import Path
content = (Path(__file__).parent / "content").read_bytes()
head = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json"),
    (b"content-length", str(len(content)).encode())]}
body = {"type": "http.response.body", "body": content}
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send(head)
        await send(body)
"""


@contextlib.contextmanager
def running(command: list[str], environment: dict[str, str]) -> Iterator[None]:
    """A child process group of ours, ended at the end."""
    child = subprocess.Popen(command, env=environment, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        child.terminate()
        try:
            child.wait(timeout=20)
        except subprocess.TimeoutExpired:
            child.kill()


def wrk(
    url: str, seconds: int, paths: list[str] | None = None, headers: dict[str, str] | None = None
) -> dict[str, Any]:
    """Requests per second and p50/p99 in ms. `paths`: each request takes the next one."""
    command = ["wrk", "-t", str(THREADS), "-c", str(CONNECTIONS), "-d", f"{seconds}s", "--latency"]
    for name, value in (headers or {}).items():
        command += ["-H", f"{name}: {value}"]
    with tempfile.TemporaryDirectory() as folder:
        if paths:
            script = Path(folder) / "paths.lua"
            (Path(folder) / "paths.txt").write_text("\n".join(paths))
            script.write_text(LUA.replace("FILE", str(Path(folder) / "paths.txt")))
            command += ["-s", str(script)]
        said = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
    found: dict[str, Any] = {"requests_per_s": float(re.search(r"Requests/sec:\s+([\d.]+)", said).group(1))}  # type: ignore[union-attr]
    for percent in ("50%", "99%"):
        value, unit = re.search(rf"{percent}\s+([\d.]+)(us|ms|s)", said).groups()  # type: ignore[union-attr]
        found[f"p{percent[:2]}_ms"] = float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    found["wrong"] = int(wrong.group(1)) if wrong else 0
    return found


LUA = """
local paths = {}
for line in io.lines("FILE") do paths[#paths + 1] = line end
local k = 0
request = function()
  k = k % #paths + 1
  return wrk.format("GET", paths[k])
end
"""


def slices(count: int) -> list[str]:
    """Heat requests that differ from one another: a sub-category or group and a window of one day to a year."""
    rng = random.Random(SEED)
    found = []
    for _ in range(count):
        day, width = rng.randrange(0, 700), rng.choice((1, 7, 30, 30, 30, 90, 365))
        first = time.gmtime(1704067200 + 86400 * day)
        last = time.gmtime(1704067200 + 86400 * min(day + width, 731))
        category = f"{rng.randint(1, 10):02}" + (f"/{rng.randint(1, 8):02}" if rng.random() < 0.7 else "")
        dates = f"from={time.strftime('%Y-%m-%d', first)}&to={time.strftime('%Y-%m-%d', last)}"
        found.append(f"/api/heatmap/grids?columns=values&category={category}&{dates}")
    return found


def tile_paths(z: int, most: int) -> list[str]:
    """Tiles of the city at one zoom, in random order."""
    n = 1 << z
    x = [int((lon + 180) / 360 * n) for lon in (WEST, WEST + SIDE * STEP_X)]
    y = [
        int((1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * n)
        for lat in (SOUTH + ROWS * STEP_Y, SOUTH)
    ]
    found = [
        f"/tiles/plans/1/grids/{z}/{i}/{j}.mvt" for i in range(x[0], x[1] + 1) for j in range(y[0], y[1] + 1)
    ]
    random.Random(SEED).shuffle(found)
    return found[:most]


def first_tiles(url: str, headers: dict[str, str]) -> dict[str, dict[str, float]]:
    """Milliseconds of each tile asked for the first time, one after the other."""
    found = {}
    with httpx.Client(base_url=url, timeout=30) as client:
        client.get("/tiles/units/0/0/0.mvt")
        for layer, zooms in (("grids", (8, 9, 10, 11, 12, 14, 16)), ("cases", (8, 10, 12, 14))):
            for z in zooms:
                took, size = [], 0
                for path in tile_paths(z, 24):
                    path = path if layer == "grids" else path.replace("plans/1/grids", layer)
                    began = time.perf_counter()
                    size = max(size, len(client.get(path, headers=headers).content))
                    took.append((time.perf_counter() - began) * 1000)
                found[f"{layer} z{z}"] = {
                    "p50_ms": statistics.median(took),
                    "max_ms": max(took),
                    "most_bytes": size,
                }
    return found


def run(settings: Settings, seconds: int, workers: int) -> dict[str, Any]:
    """All lines."""
    with sessions.session(settings, "owner") as session:
        names = [user["name"] for user in auth.list_users(session)]
        if "bench" not in names:
            auth.add_user(session, "bench")
        staff = {"Authorization": f"Bearer {auth.issue_token(session, 'bench')[0]}"}
    lines: dict[str, Any] = {}
    one = "/api/heatmap/grids?category=03/02&from=2024-05-01&to=2024-06-01"
    with service(settings, workers) as url:
        lines["tile first"] = first_tiles(url, staff)
        asked = {**staff, "Accept-Encoding": "identity"}
        content = httpx.get(url + one + "&columns=values", headers=asked, timeout=60).content
        tiles = [path for z in (12, 13, 14) for path in tile_paths(z, 200)]
        wrk(url, 2, tiles)  # every worker has kept them all by then
        with bare(content, workers) as limit:
            for name, path, paths, headers in (
                ("heat kept", one + "&columns=values", None, staff),
                ("heat kept, public", one + "&columns=values", None, {}),
                ("heat whole", one, None, staff),
                ("heat new", "", slices(60_000), staff),
                ("tile kept", "", tiles, {}),
            ):
                lines[name] = beside(limit, url + path, seconds, paths, headers)
    lines["limit"] = {"bytes": len(content)}
    return lines


def beside(
    limit: str, url: str, seconds: int, paths: list[str] | None, headers: dict[str, str]
) -> dict[str, Any]:
    """Medians of ROUNDS rounds, each right after one against the limit: both see the same busy machine."""
    pairs = [(wrk(limit, seconds), wrk(url, seconds, paths, headers)) for _ in range(ROUNDS)]
    found = {
        key: statistics.median(ours[key] for _, ours in pairs)
        for key in ("requests_per_s", "p50_ms", "p99_ms")
    }
    found["limit_per_s"] = statistics.median(bare_["requests_per_s"] for bare_, _ in pairs)
    found["of_limit"] = statistics.median(o["requests_per_s"] / b["requests_per_s"] for b, o in pairs)
    found["wrong"] = sum(ours["wrong"] for _, ours in pairs)
    return found


def ready(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return bool(httpx.get(url + "/readyz", timeout=10).json()["checks"]["columns"])
    return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cases", type=int, default=10_000_000)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is missing: apt-get install wrk")
    settings = Settings(home=asked.data.absolute())
    fill(settings, asked.cases)
    lines = run(settings, asked.seconds, asked.workers)
    if asked.json:
        print(json.dumps(lines, indent=2))
        return
    print(f"limit: {lines.pop('limit')['bytes']:,} bytes from a bare application, {asked.workers} workers")
    for layer, took in lines.pop("tile first").items():
        print(
            f"{layer:20} {took['p50_ms']:8.1f} ms p50 {took['max_ms']:8.1f} ms max {took['most_bytes']:>9,} bytes"
        )
    for name, line in lines.items():
        print(
            f"{name:20} {line['requests_per_s']:8.0f} requests/s  p50 {line['p50_ms']:6.2f} ms  "
            f"p99 {line['p99_ms']:7.2f} ms  {line['of_limit']:5.0%} of {line['limit_per_s']:.0f}  wrong {line['wrong']}"
        )


if __name__ == "__main__":
    main()

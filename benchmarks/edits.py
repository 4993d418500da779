"""How long an edit of a draft takes through the API when the city has 200 000 units: median, p95, and where it goes.

    .venv/bin/python benchmarks/edits.py --data DIR [--units 200000] [--edits 200] [--json]

The city: square units of 100 m in 5 000 grids of 8 × 5 and 200 communities, 500 000 cases; made by SQL once per data
folder. A second draft has 20 grids only, so that each is as large as a district. Lines:

    paint one     one unit at a grid's edge goes to the grid beside it
    brush 12      twelve neighbouring units at once
    lasso 2000    two thousand units given to one grid
    undo          the act before is taken back
    merge, split  two grids become one; a grid becomes two
    large grids   one unit between grids of 10 000 units
    open          the first look at a draft in a fresh process, once

`median` is the time of a request over a kept connection to a service process of one worker; `inside` the same acts called
without HTTP, of it `database` (statements and the commit) and `json` (writing the answer). Processor time is told beside it,
of this process and of PostgreSQL's: on a busy machine it is what can be compared. Bar: median < 50 ms.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
from sqlalchemy import event, text

from api import answers, auth
from benchmarks.serving import service
from geo.db import cluster, migrations, walls
from geo.db import session as sessions
from geo.db.versions import bump
from geo.settings import Settings
from grids import drafts
from grids.drafts import Desk, Move

WIDE, HIGH = 8, 5  # units of a grid
WEST, SOUTH, STEP_X, STEP_Y = 116.2, 39.7, 0.00117, 0.0009

GROUND = f"""
INSERT INTO city (name) VALUES ('基准城');
INSERT INTO load_run (kind, source, file_name, content_sha256, started_at) VALUES ('cases', 'bench', 'bench', '', now());
INSERT INTO level (name, rank) VALUES ('community', 4);
INSERT INTO edition (level_id, during, measuring_crs) SELECT id, '(,)', 'EPSG:4548' FROM level;
CREATE TEMP TABLE cell AS SELECT i, j, j * %(side)s + i + 1 AS k, ST_Multi(ST_MakeEnvelope({WEST} + i * {STEP_X},
  {SOUTH} + j * {STEP_Y}, {WEST} + (i + 1) * {STEP_X}, {SOUTH} + (j + 1) * {STEP_Y}, 4326)) AS g
  FROM generate_series(0, %(side)s - 1) i, generate_series(0, %(rows)s - 1) j;
INSERT INTO boundary (edition_id, code, name, geom, area_m2) SELECT 1, '110101' || to_char(i / 40 * 100 + j / 25, 'FM000000'),
  '社区' || i / 40 || '-' || j / 25, ST_Multi(ST_MakeEnvelope(min(ST_XMin(g)), min(ST_YMin(g)), max(ST_XMax(g)),
  max(ST_YMax(g)), 4326)), 1e7 FROM cell GROUP BY i / 40, j / 25;
INSERT INTO unit (code, geom, point, area_m2, perimeter_m) SELECT 'U' || to_char(k, 'FM000000'), g, ST_Centroid(g), 10000,
  400 FROM cell ORDER BY k;
INSERT INTO unit_area (edition_id, unit_id, boundary_id) SELECT 1, c.k, b.id FROM cell c
  JOIN boundary b ON b.code = '110101' || to_char(c.i / 40 * 100 + c.j / 25, 'FM000000');
INSERT INTO unit_border (unit_a, unit_b, length_m, walkable) SELECT k, k + 1, 100, true FROM cell WHERE i < %(side)s - 1
  UNION ALL SELECT k, k + %(side)s, 100, true FROM cell WHERE j < %(rows)s - 1;
INSERT INTO catalogue (name) VALUES ('bench');
INSERT INTO source (name, catalogue_id) VALUES ('bench', 1);
INSERT INTO category (catalogue_id, code, name) VALUES (1, '01', '大类');
CREATE TABLE cases_1 PARTITION OF cases FOR VALUES IN (1);
GRANT SELECT ON cases_1 TO wangge_app;
INSERT INTO cases (source_id, source_case_id, opened_at, category_id, status, row_hash, geom, unit_id, load_run_id)
  SELECT 1, n::text, timestamptz '2024-01-01+08' + random() * interval '700 days', 1, 0, '', u.point, u.id, 1
  FROM generate_series(1, 500000) n JOIN LATERAL (SELECT 1 + floor(random() * %(units)s)::int + 0 * n AS at) r ON true
  JOIN unit u ON u.id = r.at;
"""
PLAN = """
INSERT INTO plan (name, nesting) VALUES (%(name)s, 'free');
INSERT INTO grid (plan_id, code, name, area_code, geom, area_m2, perimeter_m)
  SELECT p.id, 'G' || to_char(i / %(wide)s * 1000 + j / %(high)s, 'FM000000'), '网格', NULL, ST_Multi(ST_MakeEnvelope(
  min(ST_XMin(g)), min(ST_YMin(g)), max(ST_XMax(g)), max(ST_YMax(g)), 4326)), 1, 1
  FROM cell, plan p WHERE p.name = %(name)s GROUP BY p.id, i / %(wide)s, j / %(high)s;
INSERT INTO plan_unit (plan_id, unit_id, grid_id) SELECT g.plan_id, c.k, g.id FROM cell c JOIN grid g
  ON g.code = 'G' || to_char(c.i / %(wide)s * 1000 + c.j / %(high)s, 'FM000000') JOIN plan p ON p.id = g.plan_id
  WHERE p.name = %(name)s;
"""


def shape_of(units: int) -> tuple[int, int]:
    """Columns and rows of the city, whole communities each way."""
    side = max(40, round((units * 0.8) ** 0.5 / 40) * 40)
    return side, max(25, round(units / side / 25) * 25)


def fill(settings: Settings, units: int) -> None:
    """The city and its two drafts, once per data folder."""
    side, rows = shape_of(units)
    cluster.start(settings)
    migrations.upgrade(settings)
    with sessions.session(settings, "owner") as session:
        if session.scalar(text("SELECT count(*) FROM plan")):
            return
        raw = sessions.raw(session)
        for part in GROUND.split(";\n"):
            if part.strip():
                raw.execute(
                    part, {"side": side, "rows": rows, "units": side * rows} if "%(" in part else None
                )
        for name, wide, high in (("小格", WIDE, HIGH), ("大格", side // 4, rows // 5)):
            for part in PLAN.split(";\n"):
                if part.strip():
                    raw.execute(part, {"name": name, "wide": wide, "high": high})
        bump(session, "city", "boundaries", "units", "plans", "cases")
    with sessions.connect(settings, autocommit=True) as connection:
        connection.execute("ANALYZE")


class Acts:
    """Random acts on a draft of rectangles `wide` × `high`, by unit number; each knows the grids it names."""

    def __init__(self, units: int, wide: int, high: int, seed: int) -> None:
        self.side, self.rows = shape_of(units)
        self.wide, self.high, self.rng = wide, high, np.random.default_rng(seed)

    def edge(self, width: int = 1, height: int = 1) -> tuple[list[int], str]:
        """Units of a block left of a grid's western edge, and that grid."""
        i = self.wide * int(self.rng.integers(1, self.side // self.wide))
        j = int(self.rng.integers(0, self.rows - height))
        block = [(i - 1 - a, j + b) for a in range(width) for b in range(height)]
        return [self.unit(*at) for at in block], self.grid(i, j)

    def unit(self, i: int, j: int) -> int:
        return j * self.side + i + 1

    def grid(self, i: int, j: int) -> str:
        return f"G{i // self.wide * 1000 + j // self.high:06d}"


Ask = Callable[[str, dict[str, Any]], int]


def bench(ask: Ask, acts: Acts, large: Acts, n: int, times: dict[str, list[float]]) -> None:
    """Every kind of act n times (fewer of the heavy ones), timed; `ask(plan, act)` answers the new revision."""

    def timed(line: str, plan: str, act: dict[str, Any]) -> None:
        began = time.perf_counter()
        ask(plan, act)
        times.setdefault(line, []).append((time.perf_counter() - began) * 1000)

    for _ in range(n):
        units, to = acts.edge()
        timed("paint one", "小格", {"unit_ids": units, "to_grid": to})
    for _ in range(n // 2):
        units, to = acts.edge(3, 4)
        timed("brush 12", "小格", {"unit_ids": units, "to_grid": to})
        timed("undo", "小格", {"undo": True})
    for _ in range(max(3, n // 20)):
        units, to = acts.edge(40, 50)
        timed("lasso 2000", "小格", {"unit_ids": sorted(set(units)), "to_grid": to})
        ask("小格", {"undo": True})
        i, j = acts.wide * int(acts.rng.integers(1, 20)), acts.high * int(acts.rng.integers(1, 20))
        pair = {"grid": acts.grid(i, j), "other": acts.grid(i - 1, j)}
        timed("merge", "小格", {"merge": pair})
        timed("split", "小格", {"split": {"grid": pair["grid"], "parts": 2}})
        ask("小格", {"undo": True})
        ask("小格", {"undo": True})
        units, to = large.edge()
        timed("large grids", "大格", {"unit_ids": units, "to_grid": to})


@contextlib.contextmanager
def over_http(url: str, token: str) -> Iterator[Ask]:
    """Acts over one kept connection."""
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=300) as client:
        revision: dict[str, int] = {}

        def ask(plan: str, act: dict[str, Any]) -> int:
            if plan not in revision:
                revision[plan] = int(client.get(f"/api/plans/{plan}").json()["revision"])
            word = next((word for word in ("undo", "merge", "split") if word in act), None)
            body = act[word] if word in ("merge", "split") else {} if word else act
            method, path = ("POST", word) if word else ("PATCH", "units")
            answer = client.request(
                method, f"/api/plans/{plan}/{path}", json={**body, "revision": revision[plan]}
            )
            if answer.status_code != 200:
                raise SystemExit(answer.text)
            revision[plan] = answer.json()["revision"]
            return revision[plan]

        yield ask


@contextlib.contextmanager
def inside(settings: Settings, spent: dict[str, float]) -> Iterator[Ask]:
    """The same acts called in this process; adds up what statements, commits and JSON took."""
    engine, desk = sessions.engine(settings, "app"), Desk()
    started: list[float] = []

    def before(*_: Any) -> None:
        started.append(time.perf_counter())

    def after(*_: Any) -> None:
        spent["database"] = spent.get("database", 0.0) + time.perf_counter() - started.pop()

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)

    def ask(plan: str, act: dict[str, Any]) -> int:
        common = {"revision": None, "author": "bench", "desk": desk}
        with sessions.session(settings, "app") as s:
            walls.tell(s, walls.EVERYTHING)
            if "undo" in act:
                done = drafts.undo(s, plan, **common)
            elif "merge" in act:
                done = drafts.merge(s, plan, **act["merge"], **common)
            elif "split" in act:
                done = drafts.split(s, plan, **act["split"], **common)
            else:
                done = drafts.assign(s, plan, [Move(act["unit_ids"], act["to_grid"])], **common)
            began = time.perf_counter()
            answers.to_json(done)
            spent["json"] = spent.get("json", 0.0) + time.perf_counter() - began
            s.flush()
            before()
        after()
        return done.revision

    try:
        yield ask
    finally:
        event.remove(engine, "before_cursor_execute", before)
        event.remove(engine, "after_cursor_execute", after)


def run(settings: Settings, units: int, edits: int) -> dict[str, Any]:
    """Both measurements, as {line: {median_ms, p95_ms, inside_ms}} with the shares of `paint one`."""
    side, rows = shape_of(units)
    with sessions.session(settings, "owner") as s:
        if not s.scalar(text("SELECT 1 FROM app_user WHERE name = 'bench'")):
            auth.add_user(s, "bench")
        token = auth.issue_token(s, "bench")[0]
    whole: dict[str, list[float]] = {}
    within: dict[str, list[float]] = {}
    spent: dict[str, float] = {}
    seed = int(time.time())  # not the moves of the run before, which would change nothing now
    small, large = (Acts(units, WIDE, HIGH, seed), Acts(units, side // 4, rows // 5, seed))
    with service(settings, 1) as url, over_http(url, token) as ask:
        for plan in ("小格", "大格"):
            began = time.perf_counter()
            httpx.get(
                f"{url}/api/plans/{plan}/edits", headers={"Authorization": f"Bearer {token}"}, timeout=300
            )
            whole.setdefault("open", []).append((time.perf_counter() - began) * 1000)
        bench(ask, small, large, edits, whole)
    with inside(settings, spent) as ask:
        ask("小格", {"unit_ids": [1], "to_grid": small.grid(0, 0)})
        spent.clear()
        only: dict[str, list[float]] = {}
        ours, servers = time.process_time(), server_seconds(settings)
        bench_one(ask, small, edits, only)
        ours, servers = time.process_time() - ours, server_seconds(settings) - servers
        shares = {name: seconds * 1000 / sum(only["paint one"]) for name, seconds in spent.items()}
        bench(ask, small, large, max(20, edits // 4), within)
    found: dict[str, Any] = {
        line: {
            "median_ms": statistics.median(ms),
            "p95_ms": float(np.percentile(ms, 95)),
            "n": len(ms),
            "inside_ms": statistics.median(within[line]) if line in within else None,
        }
        for line, ms in whole.items()
    }
    processor = {"python_ms": ours * 1000 / edits, "postgresql_ms": servers * 1000 / edits}
    return {"units": side * rows, "lines": found, "shares": shares, "processor_of_paint_one": processor}


def server_seconds(settings: Settings) -> float:
    """Processor time that the connections of the application role have used so far."""
    with sessions.connect(settings, autocommit=True) as connection:
        pids = connection.execute("SELECT pid FROM pg_stat_activity WHERE usename = 'wangge_app'").fetchall()
    times = [psutil.Process(pid).cpu_times() for (pid,) in pids]
    return sum(one.user + one.system for one in times)


def bench_one(ask: Ask, acts: Acts, n: int, times: dict[str, list[float]]) -> None:
    """Painting alone, for the shares."""
    for _ in range(n):
        units, to = acts.edge()
        began = time.perf_counter()
        ask("小格", {"unit_ids": units, "to_grid": to})
        times.setdefault("paint one", []).append((time.perf_counter() - began) * 1000)


def main() -> None:
    """Fills the folder when it is empty, measures, prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--units", type=int, default=200_000)
    parser.add_argument("--edits", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    settings = Settings(home=given.data)
    fill(settings, given.units)
    try:
        found = run(settings, given.units, given.edits)
    finally:
        sessions.forget(settings)
        cluster.stop(settings)
    if given.json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return
    print(f"{found['units']:,} units\n\n| act | n | median ms | p95 ms | inside ms |\n|---|---|---|---|---|")
    for line, ms in found["lines"].items():
        own = f"{ms['inside_ms']:.1f}" if ms["inside_ms"] is not None else "—"
        print(f"| {line} | {ms['n']} | {ms['median_ms']:.1f} | {ms['p95_ms']:.1f} | {own} |")
    print("paint one, inside:", ", ".join(f"{name} {share:.0%}" for name, share in found["shares"].items()))
    used = ", ".join(f"{name} {ms:.1f}" for name, ms in found["processor_of_paint_one"].items())
    print(f"processor time of paint one: {used}")


if __name__ == "__main__":
    main()

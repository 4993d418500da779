"""A small town in a real database, and the service running on it in a real uvicorn."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import anyio._backends._asyncio  # noqa: F401  imported before the threads that would import it
import httpx
import numpy as np
import pytest
import uvicorn
from sqlalchemy import text
from sqlalchemy.orm import Session

from api import auth
from api.app import create_app
from api.protocol import Protocol
from geo.db import session as sessions
from geo.db.versions import bump
from geo.settings import Settings
from tests.api import promised

SIDE = 10  # units along one side of the town
STEP = 0.002  # degrees
WEST, SOUTH = 116.3, 39.9
BASE = {
    "run": "INSERT INTO load_run (kind, source, file_name, content_sha256, started_at) VALUES "
    "('cases', 'town', 'town.csv', '\\x00', now()) RETURNING id"
}


def square(west: float, south: float, east: float, north: float) -> str:
    """WKT of a rectangle."""
    return f"MULTIPOLYGON((({west} {south},{east} {south},{east} {north},{west} {north},{west} {south})))"


def found_town(session: Session, cases: int = 3000, seed: int = 7) -> None:
    """100 units in four communities of two streets, 20 grids, cases over 2024, some unplaced, some outside."""
    rng = np.random.default_rng(seed)
    run = session.scalar(text(BASE["run"]))
    session.execute(
        text("INSERT INTO city (name, timezone, synthetic) VALUES ('小城', 'Asia/Shanghai', true)")
    )
    boundaries(session, run)
    unit_ids = units(session, run)
    plan(session, unit_ids, "首版", "approved", 5)
    plan(session, unit_ids, "草稿", "draft", 2)
    ground(session, run, unit_ids)
    insert_cases(session, run, unit_ids, cases, rng)
    bump(session, "city", "boundaries", "units", "plans", "cases", "facilities", "network", "weights")


def boundaries(session: Session, run: Any) -> None:
    half = SIDE // 2 * STEP
    areas = {"street": [("S1", "东街", 0, 0, 2, 1), ("S2", "西街", 0, 1, 2, 1)]}
    areas["community"] = [(f"C{i}{j}", f"社区{i}{j}", i, j, 1, 1) for j in range(2) for i in range(2)]
    for rank, (name, rows) in enumerate(areas.items(), 3):
        level = session.scalar(
            text("INSERT INTO level (name, rank) VALUES (:n, :r) RETURNING id"), {"n": name, "r": rank}
        )
        edition = session.scalar(
            text(
                "INSERT INTO edition (level_id, load_run_id, during, measuring_crs) "
                "VALUES (:l, :run, '(,)', 'EPSG:4548') RETURNING id"
            ),
            {"l": level, "run": run},
        )
        for code, title, i, j, w, h in rows:
            west, south = WEST + i * half, SOUTH + j * half
            session.execute(
                text(
                    "INSERT INTO boundary (edition_id, code, name, parent_code, geom, area_m2) VALUES "
                    "(:e, :c, :n, :p, ST_GeomFromText(:g, 4326), 1e6)"
                ),
                {
                    "e": edition,
                    "c": code,
                    "n": title,
                    "p": f"S{j + 1}" if name == "community" else None,
                    "g": square(west, south, west + w * half, south + h * half),
                },
            )


def units(session: Session, run: Any) -> list[int]:
    ids = []
    for j in range(SIDE):
        for i in range(SIDE):
            west, south = WEST + i * STEP, SOUTH + j * STEP
            ids.append(
                session.scalar(
                    text(
                        "INSERT INTO unit (code, load_run_id, geom, point, area_m2, perimeter_m) VALUES "
                        "(:c, :run, ST_GeomFromText(:g, 4326), ST_SetSRID(ST_Point(:x, :y), 4326), 38000, 800) RETURNING id"
                    ),
                    {
                        "c": f"U{j:02}{i:02}",
                        "run": run,
                        "g": square(west, south, west + STEP, south + STEP),
                        "x": west + STEP / 2,
                        "y": south + STEP / 2,
                    },
                )
            )
    session.execute(
        text(
            "INSERT INTO unit_area (edition_id, unit_id, boundary_id) SELECT b.edition_id, u.id, b.id FROM unit u "
            "JOIN boundary b ON ST_Contains(b.geom, u.point)"
        )
    )
    session.execute(
        text(
            "INSERT INTO unit_border (unit_a, unit_b, length_m, walkable) SELECT a.id, b.id, 200, true FROM unit a "
            "JOIN unit b ON a.id < b.id AND ST_Distance(a.point, b.point) < :step * 1.1"
        ),
        {"step": STEP},
    )
    return ids


def plan(session: Session, unit_ids: list[int], name: str, state: str, width: int) -> int:
    """Grids of `width` × 1 units; an approved plan holds from 2024 on."""
    plan_id = session.scalar(
        text("INSERT INTO plan (name, state, during) VALUES (:n, :s, CAST(:d AS daterange)) RETURNING id"),
        {"n": name, "s": state, "d": "[2024-01-01,)" if state == "approved" else None},
    )
    for j in range(SIDE):
        for i in range(0, SIDE, width):
            west, south = WEST + i * STEP, SOUTH + j * STEP
            grid = session.scalar(
                text(
                    "INSERT INTO grid (plan_id, code, name, area_code, geom, area_m2, perimeter_m) VALUES "
                    "(:p, :c, :n, 'C00', ST_GeomFromText(:g, 4326), :a, 1000) RETURNING id"
                ),
                {
                    "p": plan_id,
                    "c": f"G{j:02}{i:02}",
                    "n": f"网格{j}-{i}",
                    "a": 38000 * width,
                    "g": square(west, south, west + width * STEP, south + STEP),
                },
            )
            for u in unit_ids[j * SIDE + i : j * SIDE + i + width]:
                session.execute(
                    text("INSERT INTO plan_unit (plan_id, unit_id, grid_id) VALUES (:p, :u, :g)"),
                    {"p": plan_id, "u": u, "g": grid},
                )
    if state == "approved":  # from here on nothing of it changes
        session.execute(text("UPDATE plan SET approved_at = now() WHERE id = :p"), {"p": plan_id})
    return int(plan_id or 0)


def ground(session: Session, run: Any, unit_ids: list[int]) -> None:
    session.execute(
        text(
            'INSERT INTO weight ("column", unit_id, value, load_run_id) '
            "SELECT 'households', id, 40 + id % 7, :run FROM unit"
        ),
        {"run": run},
    )
    for n, (kind, x, y, capacity) in enumerate(
        [("school", 0.001, 0.001, 900), ("school", 0.011, 0.013, 600), ("clinic", 0.005, 0.005, None)]
    ):
        session.execute(
            text(
                "INSERT INTO facility (load_run_id, source, source_facility_id, kind, name, capacity, row_hash, geom, "
                "point, unit_id) SELECT :run, :k, :id, :k, :name, :cap, '\\x00', p, p, "
                "(SELECT id FROM unit WHERE ST_Contains(geom, p)) FROM ST_SetSRID(ST_Point(:x, :y), 4326) p"
            ),
            {
                "run": run,
                "k": kind,
                "id": str(n),
                "name": f"设施{n}",
                "cap": capacity,
                "x": WEST + x,
                "y": SOUTH + y,
            },
        )
    session.execute(
        text(
            "INSERT INTO way (load_run_id, source, source_way_id, class, kind, name, barrier, geom) VALUES "
            "(:run, 'town', 'w1', 'road', 'primary', '大街', true, ST_GeomFromText(:g, 4326))"
        ),
        {"run": run, "g": f"LINESTRING({WEST} {SOUTH + 0.01},{WEST + 0.02} {SOUTH + 0.01})"},
    )


def insert_cases(session: Session, run: Any, unit_ids: list[int], n: int, rng: np.random.Generator) -> None:
    catalogue = session.scalar(text("INSERT INTO catalogue (name) VALUES ('town') RETURNING id"))
    source = session.scalar(
        text("INSERT INTO source (name, catalogue_id) VALUES ('town', :c) RETURNING id"), {"c": catalogue}
    )
    session.execute(
        text(f"CREATE TABLE IF NOT EXISTS cases_{source} PARTITION OF cases FOR VALUES IN ({source})")
    )
    session.execute(text(f"GRANT SELECT ON cases_{source} TO wangge_app"))
    leaves = []
    for code, name, children in (("01", "市容环境", 3), ("02", "街面秩序", 2)):
        top = session.scalar(
            text(
                "INSERT INTO category (catalogue_id, code, name, name_en) "
                "VALUES (:c, :k, :n, 'Top ' || CAST(:k AS text)) RETURNING id"
            ),
            {"c": catalogue, "k": code, "n": name},
        )
        for i in range(children):
            leaves.append(
                session.scalar(
                    text(
                        "INSERT INTO category (catalogue_id, parent_id, code, name, sensitive) "
                        "VALUES (:c, :p, :k, :n, :s) RETURNING id"
                    ),
                    {
                        "c": catalogue,
                        "p": top,
                        "k": f"{code}{i:02}",
                        "n": f"{name}{i}",
                        "s": code == "02" and i == 1,
                    },
                )
            )
    start = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    # a third of the town is busy, one corner is nearly empty: small counts to hide
    where = np.minimum(rng.integers(0, len(unit_ids), n), rng.integers(0, len(unit_ids), n))
    rows = []
    for k in range(n):
        j, i = divmod(int(where[k]), SIDE)
        x, y = WEST + (i + rng.random()) * STEP, SOUTH + (j + rng.random()) * STEP
        opened = start + dt.timedelta(minutes=int(rng.integers(0, 366 * 1440)))
        closed = opened + dt.timedelta(hours=float(rng.exponential(60))) if rng.random() < 0.8 else None
        place = "unplaced" if k % 41 == 0 else "outside" if k % 53 == 0 else "in"
        geom = {"unplaced": None, "outside": f"POINT({WEST + 1} {SOUTH})", "in": f"POINT({x} {y})"}[place]
        rows.append(
            {
                "s": source,
                "id": f"T{k:05}",
                "o": opened,
                "c": closed,
                "due": opened + dt.timedelta(days=3),
                "cat": leaves[int(rng.integers(0, len(leaves)))],
                "st": 0 if closed is None else 1,
                "og": int(rng.integers(0, 4)),
                "sat": bool(rng.random() < 0.9) if closed else None,
                "g": geom,
                "u": unit_ids[int(where[k])] if place == "in" else None,
                "run": run,
                "d": f"说明 {k}",
            }
        )
    session.execute(
        text(
            "INSERT INTO cases (source_id, source_case_id, opened_at, closed_at, due_at, category_id, status, origin, "
            "satisfied, description, row_hash, geom, unit_id, load_run_id) VALUES (:s, :id, :o, :c, :due, :cat, :st, "
            ":og, :sat, :d, '\\x00', ST_GeomFromText(:g, 4326), :u, :run)"
        ),
        rows,
    )


@dataclass
class Served:
    """A running service: its address, settings, application and an admin's token."""

    url: str
    settings: Settings
    app: Any
    token: str
    client: httpx.Client

    @property
    def admin(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.client.get(path, **more)

    def staff(self, path: str, **more: Any) -> httpx.Response:
        return self.client.get(path, headers={**self.admin, **more.pop("headers", {})}, **more)

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self.client.request(method, path, **more)


@contextlib.contextmanager
def serving(settings: Settings) -> Iterator[tuple[str, Any]]:
    """The application on a free port, in a thread."""
    app = create_app(settings)
    port = free_port()
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=port,
        http=Protocol,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the service did not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}", app
    finally:
        server.should_exit = True
        thread.join(timeout=10)


@contextlib.contextmanager
def another_process(settings: Settings) -> Iterator[str]:
    """The same service once more in a process of its own; its address."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "api.app:from_environment", "--factory", "--port", str(port)]
    command.append("--no-proxy-headers")  # as `wangge serve`: who may forward addresses is our own setting
    process = subprocess.Popen(
        [*command, "--log-level", "error"],
        env={**os.environ, **settings.to_environment()},
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            with contextlib.suppress(httpx.TransportError):
                httpx.get(url + "/healthz")
                break
            assert process.poll() is None, "the other process did not start"
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def admin_token(settings: Settings) -> str:
    with sessions.session(settings, "owner") as session:
        auth.add_user(session, "tester")
        return auth.issue_token(session, "tester")[0]


@pytest.fixture(scope="module")
def town(module_settings: Settings) -> Iterator[Served]:
    """The service of the small town. Its office is small: its one administrator approves what they drew themselves."""
    with sessions.session(module_settings, "owner") as session:
        found_town(session)
    token = admin_token(module_settings)
    with (
        serving(module_settings.with_(small_office=True, public_comments=True)) as (url, app),
        httpx.Client(base_url=url, timeout=30, verify=False) as client,
    ):
        assert app.state.service.fresh.ready.wait(120), "the columns were not built"
        yield Served(url, module_settings, app, token, client)


@pytest.fixture(autouse=True)
def uncounted(request: pytest.FixtureRequest) -> None:
    """No test pays for what those before it asked: a fast machine would meet the limits of heavy routes."""
    if "town" in request.fixturenames:
        town = request.getfixturevalue(
            "town"
        )  # a service, or in some modules the settings of a town without one
        with sessions.session(getattr(town, "settings", town), "owner") as session:
            session.execute(text("DELETE FROM attempt"))


@pytest.fixture(scope="session", autouse=True)
def heard() -> Iterator[promised.Interface]:
    """The interface, hearing every answer that any test obtains."""
    held = promised.interface()
    with promised.listening(held):
        yield held


@pytest.fixture(autouse=True)
def kept_word(heard: promised.Interface) -> Iterator[None]:
    """No answer was other than OpenAPI says (also one that a test itself did not look at)."""
    heard.found.clear()
    yield
    if heard.found:
        pytest.fail("\n".join(heard.found[:10]), pytrace=False)

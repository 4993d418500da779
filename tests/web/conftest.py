"""A small town loaded by the real loaders, the real service in a process of its own, a real browser."""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pyogrio
import pytest
import shapely
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, Request, expect, sync_playwright
from sqlalchemy import text
from sqlalchemy.orm import Session

from api import auth
from api.routers.static import index_file
from etl import cases, units
from geo.db import session as sessions
from geo.db.versions import bump
from geo.settings import Settings
from grids import plans, proposals

ROOT = Path(__file__).resolve().parents[2]
WEST, SOUTH, STEP = 116.30, 39.90, 0.008
PAYLOAD = (
    "<img src=x onerror=alert(1)>"  # a name that would run as HTML if any room forgot to treat it as text
)
AXE = ROOT / "maps" / "web" / "node_modules" / "axe-core" / "axe.min.js"
AXE_RUN = """async () => {
  const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
  const found = await axe.run(document, {runOnly: rules, resultTypes: ['violations']});
  return found.violations.map(v => [v.impact, v.id, v.nodes.map(n => n.html.slice(0, 160) + ' ' + (n.any[0]?.message ?? ''))]);
}"""
READY_MS = 60_000  # software WebGL on a busy machine
expect.set_options(timeout=30_000)


def areas(across: int, up: int, name: Callable[[int, int], str]) -> dict[str, Any]:
    """Rectangles that tile the town, 4 steps wide and 2 steps high."""
    width, height = 4 * STEP / across, 2 * STEP / up
    return {
        name(i, j): shapely.box(
            WEST + i * width, SOUTH + j * height, WEST + (i + 1) * width, SOUTH + (j + 1) * height
        )
        for i in range(across)
        for j in range(up)
    }


def write_cases(path: Path, n: int = 4000, seed: int = 5) -> None:
    """A year of cases, denser in the south-west; 60 without a position, 40 outside, one category with a payload."""
    rng = np.random.default_rng(seed)
    east, north = rng.beta(1, 2.2, n) * 4 * STEP, rng.beta(1, 1.6, n) * 2 * STEP
    opened = dt.datetime(2024, 1, 1) + np.sort(rng.random(n)) * dt.timedelta(days=366)
    kinds = [
        ("市容环境", "暴露垃圾"),
        ("市容环境", "道路不洁"),
        ("街面秩序", "占道经营"),
        ("街面秩序", PAYLOAD),
    ]
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(
            [
                "工单编号",
                "受理时间",
                "办结时间",
                "截止时间",
                "大类",
                "小类",
                "经度",
                "纬度",
                "状态",
                "来源",
                "满意度",
            ]
        )
        for i in range(n):
            top, sub = kinds[int(rng.choice(4, p=[0.4, 0.3, 0.2, 0.1]))]
            days = float(rng.exponential(4))
            closed = opened[i] + dt.timedelta(days=days) if rng.random() < 0.85 else None
            place = (f"{WEST + east[i]:.6f}", f"{SOUTH + north[i]:.6f}")
            place = (
                ("", "") if i % 67 == 0 else (f"{WEST - 0.02:.6f}", f"{SOUTH:.6f}") if i % 101 == 0 else place
            )
            happy = rng.choice(["满意", "不满意"], p=[0.8, 0.2]) if closed else ""
            out.writerow(
                [f"A{i:06d}", f"{opened[i]:%Y-%m-%d %H:%M:%S}", f"{closed:%Y-%m-%d %H:%M:%S}" if closed else "",
                 f"{opened[i] + dt.timedelta(days=5):%Y-%m-%d %H:%M:%S}", top, sub, *place,
                 "已办结" if closed else "办理中", "12345热线" if i % 3 else "巡查上报", happy]
            )  # fmt: skip


def found(session: Session, insert_areas: Callable[..., int], folder: Path) -> str:
    """City, two levels, units, households, an approved plan, cases, facilities; returns an admin's token."""
    session.execute(
        text("INSERT INTO city (name, timezone, synthetic) VALUES ('测试城', 'Asia/Shanghai', true)")
    )
    insert_areas(session, "street", areas(2, 1, lambda i, _: f"90010000{i + 1}"), "EPSG:4548", 3)
    insert_areas(
        session,
        "community",
        areas(4, 2, lambda i, j: f"90010000{i // 2 + 1}00{2 * (i % 2) + j + 1}"),
        "EPSG:4548",
        4,
    )
    session.execute(text("UPDATE boundary SET name = name || :x WHERE code = '900100001001'"), {"x": PAYLOAD})
    units.build(session, within="community", target_area_m2=40_000)
    write_cases(folder / "cases.csv")
    cases.load(session, folder / "cases.csv", source="hotline", crs="EPSG:4326")
    run = session.scalar(text("SELECT max(id) FROM load_run"))
    session.execute(
        text(
            "INSERT INTO weight (\"column\", unit_id, value, load_run_id) SELECT 'households', id, 60, :r FROM unit"
        ),
        {"r": run},
    )
    for i, (kind, name) in enumerate([("学校", "第一小学"), ("学校", PAYLOAD), ("医院", "人民医院")]):
        session.execute(
            text(
                "INSERT INTO facility (load_run_id, source, source_facility_id, kind, name, capacity, row_hash, point) VALUES "
                "(:r, :k, :i, :k, :n, 100, '\\x00', ST_SetSRID(ST_MakePoint(:x, :y), 4326))"
            ),
            {
                "r": run,
                "k": kind,
                "i": str(i),
                "n": name,
                "x": WEST + (i + 0.5) * STEP,
                "y": SOUTH + STEP * 0.7,
            },
        )
    plan = proposals.propose(session, name="首版", grids=24, weight="cases", seed=1).plan_ids[0]
    session.execute(
        text("UPDATE grid SET name = :x WHERE code = (SELECT min(code) FROM grid)"), {"x": f"{PAYLOAD}网格"}
    )
    plans.approve(session, plan, dt.date(2024, 1, 1))
    auth.add_user(session, "tester")
    secret, _ = auth.issue_token(session, "tester")
    bump(session, "city", "boundaries", "units", "plans", "cases", "facilities", "weights")
    return secret


# ── the service ───────────────────────────────────────────────────────────────────────────────────────────────────


class Service:
    """`uvicorn` in a process of its own, on a free port; can be stopped and started again."""

    def __init__(self, settings: Settings, log: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.settings, self.log = settings, log
        self.url = f"http://127.0.0.1:{self.port}"
        self.token = ""
        self.start()

    def start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            "api.app:from_environment",
            "--factory",
            "--port",
            str(self.port),
        ]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [*command, "--log-level", "warning"], cwd=ROOT, stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, **self.settings.to_environment()},
            )  # fmt: skip
        for _ in range(300):
            with contextlib.suppress(OSError), urllib.request.urlopen(self.url + "/healthz", timeout=5):
                return
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.2)
        raise AssertionError(f"the service did not start: {self.log.read_text()[-2000:]}")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def json(self, path: str, token: str = "") -> Any:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with urllib.request.urlopen(
            urllib.request.Request(self.url + path, headers=headers), timeout=60
        ) as answer:
            return json.load(answer)


@pytest.fixture(scope="module")
def built_page() -> None:
    if index_file() is None:
        pytest.skip(
            "the web application is not built (./run builds it; or npm ci && npm run build in maps/web)"
        )


@pytest.fixture(scope="module")
def town(
    module_settings: Settings,
    insert_areas: Callable[..., int],
    built_page: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("town")
    with Session(sessions.engine(module_settings, "owner")) as session:
        token = found(session, insert_areas, folder)
        session.commit()
    service = Service(module_settings.with_(public_comments=True), folder / "service.log")
    service.token = token
    yield service
    service.stop()


@pytest.fixture
def beside(town: Service, module_settings: Settings, tmp_path: Path) -> Iterator[Service]:
    """A second service on the same town whose operator has a background map of one file."""
    file = tmp_path / "ground.pmtiles"
    park = geopandas.GeoDataFrame(
        {"kind": ["park"]}, geometry=[shapely.box(WEST, SOUTH, WEST + 0.03, SOUTH + 0.01)], crs=4326
    )
    pyogrio.write_dataframe(park, file, driver="PMTiles", layer="parks", MINZOOM=8, MAXZOOM=12)
    service = Service(module_settings.with_(basemap_pmtiles=file), tmp_path / "beside.log")
    yield service
    service.stop()


@pytest.fixture
def empty_service(settings: Settings, built_page: None, tmp_path: Path) -> Iterator[Service]:
    service = Service(settings, tmp_path / "service.log")
    yield service
    service.stop()


@pytest.fixture
def cases_only(settings: Settings, built_page: None, tmp_path: Path) -> Iterator[Service]:
    """Cases, but no boundary, no unit, no plan."""
    write_cases(tmp_path / "cases.csv", n=600)
    with Session(sessions.engine(settings, "owner")) as session:
        cases.load(session, tmp_path / "cases.csv", source="hotline", crs="EPSG:4326")
        auth.add_user(session, "tester")
        token, _ = auth.issue_token(session, "tester")
        session.commit()
    service = Service(settings, tmp_path / "service.log")
    service.token = token
    yield service
    service.stop()


# ── the browser ───────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Watched:
    """A page, and everything it did that it should not have."""

    page: Page
    base: str
    outside: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def open(self, query: str = "/", ready: bool = True) -> Page:
        self.page.goto(self.base + query)
        if ready:
            self.ready()
        return self.page

    def ready(self) -> None:
        self.page.wait_for_selector("body[data-ready=true]", timeout=READY_MS)

    def settle(self) -> None:
        """After a change: until the map has drawn what was asked."""
        self.page.wait_for_timeout(250)
        self.ready()

    def accessible(self) -> None:
        """WCAG 2.2 AA as far as axe-core can tell: no serious and no critical violation on the page as it stands."""
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = self.page.evaluate(AXE_RUN)
        assert [one for one in found if one[0] in ("serious", "critical")] == []

    def clean(self) -> None:
        assert self.outside == []
        assert self.errors == []


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Watched]]:
    """`visit(base, phone=False, **context)`: a watched page in a fresh context."""
    contexts: list[BrowserContext] = []

    def make(base: str, phone: bool = False, **options: Any) -> Watched:
        size = {"width": 390, "height": 844} if phone else {"width": 1440, "height": 900}
        context = browser.new_context(viewport=size, has_touch=phone, is_mobile=phone, **options)
        contexts.append(context)
        watched = Watched(context.new_page(), base)
        watched.page.set_default_timeout(READY_MS)

        def request(asked: Request) -> None:
            if not asked.url.startswith((base, "data:", f"blob:{base}")):
                watched.outside.append(asked.url)

        def dismiss(asked: Dialog) -> None:
            watched.errors.append(f"dialog {asked.message}")
            asked.dismiss()

        context.on("request", request)
        watched.page.on("pageerror", lambda e: watched.errors.append(str(e)))
        watched.page.on("dialog", dismiss)
        watched.page.on("console", lambda m: watched.errors.append(m.text) if m.type == "error" else None)
        return watched

    yield make
    for context in contexts:
        context.close()

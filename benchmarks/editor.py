"""Whether the planner's editor stays fluid in a large city: frame times in headless Chromium while panning and painting.

    .venv/bin/python benchmarks/editor.py --data DIR [--units 200000] [--json]

The city of `benchmarks/edits.py` (square units of 100 m) with one more draft of grids of 5 × 2 units: 20 000 grids of
200 000 units. A real service, a real page of 1440 × 900, WebGL in software. Lines:

    pan whole city    the map dragged where grids are drawn
    pan units         the same where single units are drawn
    paint             strokes of a large brush over units; every stroke is saved
    list              the list of all grids scrolled

`median` and `p95` are the milliseconds between two frames as the page sees them (`requestAnimationFrame`), `main thread`
the processor milliseconds of its main thread that a frame takes (Chromium's own TaskDuration): on a machine without a graphics
card the rest is drawing in software. `open` is the time from the address to the drawn plan, `first` right after the service
has started, `again` in a fresh browser context; beside it seconds of the page's main thread in tasks (on a busy
machine waiting counts), processor seconds of drawing and of the service, and the longest task of the main thread by the clock.

    pan … beside an empty map    the map dragged by 6 pixels a frame as it is and with nothing on it, in turns (`frames.py`)
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Browser, CDPSession, Page, sync_playwright
from sqlalchemy import text

from api import auth
from benchmarks import edits, frames
from benchmarks.serving import service
from geo.db import cluster
from geo.db import session as sessions
from geo.db.versions import bump
from geo.settings import Settings

NAME, WIDE, HIGH = "两万格", 5, 2
TASKS = """window.__tasks = []; new PerformanceObserver(list => {
  for (const task of list.getEntries()) window.__tasks.push(task.duration); }).observe({type: 'longtask', buffered: true});"""
FRAMES = """() => { window.__frames = []; let last = performance.now();
  const tick = (now) => { window.__frames.push(now - last); last = now; window.__watch = requestAnimationFrame(tick); };
  window.__watch = requestAnimationFrame(tick); }"""


def fill(settings: Settings, units: int) -> int:
    """The city and its draft of small grids, once per data folder; the draft's id."""
    edits.fill(settings, units)
    side, rows = edits.shape_of(units)
    with sessions.session(settings, "owner") as session:
        known = session.scalar(text("SELECT id FROM plan WHERE name = :n"), {"n": NAME})
        if known is None:
            raw = sessions.raw(session)
            raw.execute("DROP TABLE IF EXISTS pg_temp.cell")
            cell = next(p for p in edits.GROUND.split(";\n") if p.startswith("CREATE TEMP TABLE cell"))
            raw.execute(cell, {"side": side, "rows": rows, "units": side * rows})
            for part in edits.PLAN.split(";\n"):
                if part.strip():
                    raw.execute(part, {"name": NAME, "wide": WIDE, "high": HIGH})
            bump(session, "plans", "drafts")
            known = session.scalar(text("SELECT id FROM plan WHERE name = :n"), {"n": NAME})
    with sessions.connect(settings, autocommit=True) as connection:
        connection.execute("ANALYZE")
    assert known is not None
    return int(known)


def token_of(settings: Settings) -> str:
    """A token of an account made for this run."""
    with sessions.session(settings, "owner") as session:
        name = f"bench-{time.time_ns()}"
        auth.add_user(session, name)
        return auth.issue_token(session, name)[0]


class Watch:
    """Frame times and main-thread time of a page while something is done."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.cdp: CDPSession = page.context.new_cdp_session(page)
        self.cdp.send("Performance.setTimeDomain", {"timeDomain": "threadTicks"})
        self.cdp.send("Performance.enable")
        self.lines: dict[str, dict[str, float]] = {}

    def busy_s(self) -> float:
        """Processor seconds the main thread has worked so far."""
        told = {m["name"]: m["value"] for m in self.cdp.send("Performance.getMetrics")["metrics"]}
        return float(told["TaskDuration"])

    def during(self, name: str, work: Callable[[], None]) -> None:
        """Measures one line."""
        self.page.evaluate(FRAMES)
        before = self.busy_s()
        work()
        used = self.busy_s() - before
        frames = self.page.evaluate(
            "() => { cancelAnimationFrame(window.__watch); return window.__frames.slice(2) }"
        )
        cuts = statistics.quantiles(frames, n=20)
        self.lines[name] = {
            "frames": len(frames), "median_ms": statistics.median(frames), "p95_ms": cuts[18],
            "main_thread_ms": used * 1000 / max(1, len(frames)),
        }  # fmt: skip


def drag(page: Page, times: int) -> None:
    """The map dragged to and fro."""
    for k in range(times):
        page.mouse.move(500 + 60 * (k % 3), 400)
        page.mouse.down()
        page.mouse.move(800, 520 - 80 * (k % 2), steps=12)
        page.mouse.move(600, 430, steps=12)
        page.mouse.up()


def paint(page: Page, strokes: int) -> None:
    """Strokes of a large brush, each into the grid where it begins."""
    for k in range(strokes):
        page.mouse.move(520 + 35 * k, 330 + 30 * k)
        page.mouse.down()
        page.mouse.move(760 + 10 * k, 360 + 25 * k, steps=14)
        page.mouse.up()


def scroll(page: Page, times: int) -> None:
    """The list of grids from top to bottom."""
    page.mouse.move(150, 600)
    for _ in range(times):
        page.mouse.wheel(0, 900)
        page.wait_for_timeout(16)


def ready(page: Page, since: float) -> float:
    """Seconds until the map stands still."""
    page.wait_for_selector(".editor-map", timeout=300_000)
    page.wait_for_selector("body[data-ready=true]", timeout=300_000)
    return time.monotonic() - since


def opened(browser: Browser, url: str, token: str, plan: int) -> tuple[Page, dict[str, float]]:
    """The plan in a fresh context, and what opening it took."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, service_workers="block")
    context.request.post(
        f"{url}/api/session", data={"token": token}, headers={"X-Requested-With": "wangge", "Origin": url}
    )
    page = context.new_page()
    page.set_default_timeout(300_000)
    page.add_init_script(TASKS)
    watch = Watch(page)
    before, service_before, began = frames.spent_s(), service_s(url), time.monotonic()
    page.goto(f"{url}/plans/{plan}")
    took = {"open_s": ready(page, began), "main_thread_s": watch.busy_s()}
    after = frames.spent_s()
    took |= {
        "drawing_s": after["gpu-process"] - before["gpu-process"],
        "service_s": service_s(url) - service_before,
        "longest_task_ms": page.evaluate("() => Math.max(0, ...window.__tasks)"),
    }
    return page, took


def service_s(url: str) -> float:
    """Processor seconds of the service's process so far."""
    port, found = url.rpartition(":")[2], 0.0
    for child in psutil.Process().children(recursive=True):
        try:
            if "serve" in child.cmdline() and port in child.cmdline():
                found += sum(child.cpu_times()[:2])
        except psutil.Error:  # gone meanwhile
            continue
    return found


def measure(url: str, token: str, plan: int) -> dict[str, Any]:
    """All lines, in one page."""
    with sync_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page, first = opened(browser, url, token, plan)
        page.context.close()
        page, again = opened(browser, url, token, plan)
        beside = {"whole city": frames.beside_empty(page)}
        watch = Watch(page)
        watch.during("pan whole city", lambda: drag(page, 1))
        watch.during("list", lambda: scroll(page, 25))
        page.evaluate("() => void window.__wangge_map.jumpTo({ zoom: 14.5 })")
        page.wait_for_timeout(3_000)
        beside["units"] = frames.beside_empty(page)
        watch.during("pan units", lambda: drag(page, 1))
        page.keyboard.press("b")
        page.keyboard.press("]")
        revision = int(page.locator("main.editor").get_attribute("data-revision") or 0)
        watch.during("paint", lambda: paint(page, 3))
        page.wait_for_selector("main.editor[data-saved=saved]")
        made = int(page.locator("main.editor").get_attribute("data-revision") or 0) - revision
        heap = page.evaluate("() => performance.memory?.usedJSHeapSize ?? 0")
        browser.close()
    return {
        "first": first, "again": again, "saved_strokes": made, "heap_mb": heap / 2**20,
        "lines": watch.lines, "beside_empty": beside,
    }  # fmt: skip


def main() -> None:
    """Fills the folder when it is empty, measures, prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--units", type=int, default=200_000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    settings = Settings(home=given.data)
    plan = fill(settings, given.units)
    try:
        with service(settings, 1) as url:
            found = measure(url, token_of(settings), plan)
    finally:
        sessions.forget(settings)
        cluster.stop(settings)
    if given.json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return
    for name in ("first", "again"):
        print(name + ": " + ", ".join(f"{key} {value:.1f}" for key, value in found[name].items()))
    print(f"heap {found['heap_mb']:.0f} MB, {found['saved_strokes']} edits saved")
    for name, line in found["beside_empty"].items():
        print(frames.told(name, line))
    print("| line | frames | median ms | p95 ms | main thread ms |\n|---|---|---|---|---|")
    for name, line in found["lines"].items():
        print(
            f"| {name} | {line['frames']} | {line['median_ms']:.1f} | {line['p95_ms']:.1f} | {line['main_thread_ms']:.1f} |"
        )


if __name__ == "__main__":
    main()

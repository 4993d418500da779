"""How long a supervisor waits: first useful map, and from a click to what it changes, in headless Chromium.

    .venv/bin/python -P benchmarks/page.py --url http://127.0.0.1:8000 [--token TOKEN] [--times 7] [--json]
    .venv/bin/python -P benchmarks/page.py --data DIR [--cases 500000] [--times 3]

Asks a service that runs already (`wangge demo`, or `wangge sample` and `wangge up`), or with `--data` one of its own over
the city of `benchmarks/serving.py`: 20 000 grids, a supervisor's account. Drawing is software WebGL: a machine
with a graphics card only does better. A visit is a fresh browser context, so nothing is kept from the one before.

    first map     from the address to the first frame with every zone coloured and the list filled (`coloured`)
    first whole   until names, roads and all tiles stand as well (`body[data-ready=true]`)
    click …       from the event to the first frame that shows the answer, known to the service already (second round)
    frame         time between frames while the map is dragged: median and 95th percentile; `empty` the same with nothing on
                  the map: the limit; `drawing` and `page`: processor milliseconds a frame
    bytes         of scripts and styles asked for before the first map, as sent; `page s`, `drawing s`: processor seconds

Bars: first map < 2 000 ms, click < 100 ms.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from api import auth
from benchmarks import frames, serving
from geo.db import cluster
from geo.db import session as sessions
from geo.settings import Settings

COLOURED = """() => new Promise(done => {
  const look = () => {
    const map = window.__wangge_map, rows = document.querySelectorAll('li.zone').length;
    const layer = map && map.getLayer('zones-fill');
    const drawn = layer && map.queryRenderedFeatures({layers: ['zones-fill']});
    const fills = drawn ? drawn.filter(f => f.state.fill).length : 0;
    if (rows && fills && fills === drawn.length) requestAnimationFrame(() => done(performance.now()));
    else setTimeout(look, 10);
  };
  look();
})"""
# from the event itself: what Playwright needs to find and press is not the reader's time
CLICK = """([selector, test]) => new Promise(done => {
  const began = performance.now(), until = new Function('return ' + test);
  const look = () => until() ? done(performance.now() - began) : requestAnimationFrame(look);
  document.querySelector(selector).click();
  requestAnimationFrame(look);
})"""
BYTES = """() => performance.getEntriesByType('resource').filter(e => /\\.(js|css)$/.test(e.name))
  .reduce((n, e) => n + e.transferSize, 0)"""
SPENT = {"page s": "renderer", "drawing s": "gpu-process"}
TURNS = (  # name, there, back
    ("click period", "[data-preset='30d']", "[data-preset='90d']"),
    ("click measure", "[data-figure=overdue]", "[data-figure=cases]"),
)


def main() -> None:
    given = arguments()
    if given.data is None:
        found = measured(given, given.url, given.token)
    else:
        found = of_own_city(given)
    if given.json:
        json.dump(found, sys.stdout, indent=1)
        return
    for name, value in found.items():
        sys.stdout.write(f"{name:24} {value:10.1f}\n")


def measured(given: argparse.Namespace, url: str, token: str) -> dict[str, float]:
    """The medians of all visits."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=given.chromium, args=["--no-sandbox"])
        visits = [visit(browser, url, token) for _ in range(given.times)]
        browser.close()
    return {name: statistics.median(v[name] for v in visits) for name in visits[0]}


def of_own_city(given: argparse.Namespace) -> dict[str, float]:
    """The same of 20 000 grids, served from a data folder that is filled when it is empty."""
    settings = Settings(home=given.data.absolute())
    serving.fill(settings, given.cases)
    try:
        with sessions.session(settings, "owner") as session:
            name = f"bench-{time.time_ns()}"
            auth.add_user(session, name)
            token = auth.issue_token(session, name)[0]
        with serving.service(settings, 1) as url:
            return measured(given, url, token)
    finally:
        sessions.forget(settings)
        cluster.stop(settings)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument(
        "--token", default="", help="of a supervisor or an admin; without it the public's page"
    )
    parser.add_argument(
        "--data", type=Path, help="a folder for a city of 20 000 grids and a service of its own"
    )
    parser.add_argument("--cases", type=int, default=500_000)
    parser.add_argument("--times", type=int, default=7)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def visit(browser: Browser, url: str, token: str) -> dict[str, float]:
    """One visit's milliseconds, in a context of its own."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, service_workers="block")
    try:
        if token:
            enter(context, url, token)
        page = context.new_page()
        before = frames.spent_s()
        page.goto(url, wait_until="commit")
        found = {"first map ms": float(page.evaluate(COLOURED)), "bytes": float(page.evaluate(BYTES))}
        after = frames.spent_s()
        found |= {name: after[kind] - before[kind] for name, kind in SPENT.items()}
        page.wait_for_selector("body[data-ready=true]", timeout=120_000)
        found["first whole ms"] = float(page.evaluate("() => performance.now()"))
        found |= clicks(page)
        for name, line in frames.beside_empty(page).items():
            found |= {f"frame {name} {key}": value for key, value in line.items()}
        return found
    finally:
        context.close()


def enter(context: BrowserContext, url: str, token: str) -> None:
    headers = {"Content-Type": "application/json", "X-Requested-With": "wangge", "Origin": url}
    answer = context.request.post(url + "/api/session", data=json.dumps({"token": token}), headers=headers)
    if not answer.ok:
        raise SystemExit(f"sign-in refused: {answer.text()[:300]}")


def clicks(page: Page) -> dict[str, float]:
    """A period, a measure, a zone: each asked once before, so that the answer is kept where a reader would have it kept."""
    found: dict[str, float] = {}
    changed = "document.querySelector('#total').textContent !== {}"
    for name, there, back in TURNS:
        press(page, there, changed)
        press(page, back, changed)
        found[name] = press(page, there, changed)
        press(page, back, changed)
    page.evaluate(CLICK, ["li.zone", "!!document.querySelector('#zone-name')"])
    settle(page)
    found["click zone"] = float(
        page.evaluate(
            CLICK, ["li.zone:nth-of-type(4)", "document.querySelectorAll('.panel dl div').length > 3"]
        )
    )
    settle(page)
    return found


def press(page: Page, selector: str, test: str) -> float:
    """Milliseconds from a click until the total on the page is another one; then until all is drawn."""
    before = page.text_content("#total")
    took = float(page.evaluate(CLICK, [selector, test.format(json.dumps(before))]))
    settle(page)
    return took


def settle(page: Page, patience_s: float = 30) -> None:
    limit = time.monotonic() + patience_s
    page.wait_for_timeout(150)
    while page.evaluate("() => document.body.dataset.ready") != "true" and time.monotonic() < limit:
        page.wait_for_timeout(50)


if __name__ == "__main__":
    main()

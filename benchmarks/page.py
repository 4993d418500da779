"""How long a supervisor waits: first useful map, and from a click to what it changes, in headless Chromium.

    .venv/bin/python benchmarks/page.py --url http://127.0.0.1:8000 [--token TOKEN] [--times 7] [--json]

Asks a service that runs already (`wangge demo`, or `wangge sample` and `wangge up`). Drawing is software WebGL: a machine
with a graphics card only does better. A visit is a fresh browser context, so nothing is kept from the one before.

    first map     from the address to the first frame with every zone coloured and the list filled (`coloured`)
    first whole   until names, roads and all tiles stand as well (`body[data-ready=true]`)
    click …       from the event to the first frame that shows the answer, known to the service already (second round)
    frame         time between frames while the map is dragged: median and 95th percentile

Bars: first map < 2 000 ms, click < 100 ms.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

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
FRAMES = """() => new Promise(done => {
  const map = window.__wangge_map, gaps = [];
  let last = performance.now(), n = 0;
  const step = now => {
    gaps.push(now - last);
    last = now;
    map.panBy([n % 40 < 20 ? 6 : -6, 2 * (n % 2)], {animate: false});
    if (++n < 90) requestAnimationFrame(step); else done(gaps.slice(5));
  };
  requestAnimationFrame(step);
})"""
TURNS = (  # name, there, back
    ("click period", "[data-preset='30d']", "[data-preset='90d']"),
    ("click measure", "[data-figure=overdue]", "[data-figure=cases]"),
)


def main() -> None:
    given = arguments()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=given.chromium, args=["--no-sandbox"])
        visits = [visit(browser, given) for _ in range(given.times)]
        found = {name: statistics.median(v[name] for v in visits) for name in visits[0]}
        browser.close()
    if given.json:
        json.dump(found, sys.stdout, indent=1)
        return
    for name, ms in found.items():
        sys.stdout.write(f"{name:24} {ms:8.0f} ms\n")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument(
        "--token", default="", help="of a supervisor or an admin; without it the public's page"
    )
    parser.add_argument("--times", type=int, default=7)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def visit(browser: Browser, given: argparse.Namespace) -> dict[str, float]:
    """One visit's milliseconds, in a context of its own."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, service_workers="block")
    try:
        if given.token:
            enter(context, given.url, given.token)
        page = context.new_page()
        page.goto(given.url, wait_until="commit")
        found = {"first map": float(page.evaluate(COLOURED))}
        page.wait_for_selector("body[data-ready=true]")
        found["first whole"] = float(page.evaluate("() => performance.now()"))
        found |= clicks(page)
        gaps = sorted(page.evaluate(FRAMES))
        found["frame median"], found["frame p95"] = statistics.median(gaps), gaps[int(len(gaps) * 0.95)]
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

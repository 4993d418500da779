"""Self-contained pages in a real browser: no request, no error, no markup from names, Chinese drawn, the slider recolours."""

from __future__ import annotations

import functools
import http.server
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import shapely
from playwright.sync_api import Browser, Page, sync_playwright

from maps import classify
from maps.folium_maps import FEW, PLAN_COLOURS, Frame, Ground, Zones, heat_page, plan_page, tell_apart

NASTY = "</script><script>window.bad=1</script><img src=x onerror='window.bad=1'>{{7*7}}"
WEST, SOUTH, STEP = 110.40, 33.60, 0.01
SHAPES = np.array(
    [shapely.box(WEST + i * STEP, SOUTH, WEST + (i + 1) * STEP, SOUTH + 2 * STEP) for i in range(6)]
)
ZONES = Zones(
    [f"90010200100{i}" for i in range(6)],
    ["翠林社区", "云河社区", NASTY, "金桥社区", "柳塘村", "福湾社区"],
    SHAPES,
)
GROUND = Ground(
    limit=shapely.box(WEST, SOUTH, WEST + 6 * STEP, SOUTH + 2 * STEP),
    water=np.array([shapely.box(WEST, SOUTH + 0.9 * STEP, WEST + 6 * STEP, SOUTH + STEP)]),
    roads=np.array([shapely.LineString([(WEST, SOUTH + STEP / 2), (WEST + 6 * STEP, SOUTH + STEP / 2)])]),
    labels=[(WEST + STEP, SOUTH + STEP * 1.5, "云城区")],
)


def frame(label: str, values: list[float], **more: int) -> Frame:
    array = np.array(values, dtype=float)
    n = np.nan_to_num(array).astype(np.int64)
    return Frame(label, array, n, int(n.sum()) + sum(more.values()), **more)


FRAMES = [
    frame("2026-01-01 – 2026-02-28", [0, 3, 12, 40, 80, 300], unplaced=7, outside=2),
    frame("2026-01", [0, 3, 0, 40, 0, 100]),
    frame("2026-02", [0, 0, 12, 0, 80, 200]),
]


@dataclass
class Opened:
    """A page in a browser with what it asked for and what went wrong."""

    page: Page
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def fills(self) -> list[str]:
        return str(self.page.evaluate("document.body.dataset.fills")).split(" ")


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A folder behind a real web server, so that a forgotten relative link or a favicon would show as a request."""
    folder = tmp_path_factory.mktemp("pages")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


@pytest.fixture
def show(browser: Browser, served: tuple[Path, str]) -> Iterator[object]:
    contexts = []

    def open_page(html: str, width: int = 1100, height: int = 760) -> Opened:
        folder, base = served
        (folder / "map.html").write_text(html, encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": height})
        contexts.append(context)
        found = Opened(context.new_page())
        found.page.on("request", lambda r: found.requests.append(r.url))
        found.page.on("pageerror", lambda e: found.errors.append(str(e)))
        found.page.on(
            "console", lambda m: found.errors.append(m.text) if m.type in ("error", "warning") else None
        )
        found.page.goto(f"{base}/map.html")
        found.page.wait_for_selector("body[data-ready=true]", timeout=60_000)
        return found

    yield open_page
    for context in contexts:
        context.close()


def heat(lang: str = "zh", **changes: object) -> str:
    given: dict[str, object] = {
        "measure": "cases", "measure_name": "案件数", "unit": "件", "title": f"云川市（合成） {NASTY}",
        "ground": GROUND, "synthetic": True, "lang": lang,
    } | changes  # fmt: skip
    return heat_page(ZONES, FRAMES, **given)  # type: ignore[arg-type]


# ── The text of the page ────────────────────────────────────────────────────────────────────────────────────────────


def test_nothing_in_the_page_points_outside() -> None:
    page = heat()
    addresses = set(re.findall(r"https?://[^\s\"'<>)]+", page))
    for address in addresses:  # a namespace, comments of Leaflet's style and the link of its (removed) prefix
        assert address.rstrip("\\") == "http://www.w3.org/2000/svg" or re.search(
            r"leafletjs|bugzilla|bugs\.chrom", address
        )
    assert not re.search(
        r"<(script|link|img|iframe)[^>]+(src|href)=(?!\"data:)", page.replace(json.dumps(NASTY), "")
    )
    assert "default-src 'none'" in page.replace("&#x27;", "'")
    assert page.count("</script>") == page.count("<script")


def test_size_is_that_of_leaflet_and_little_more() -> None:
    assert len(heat().encode()) < 220_000


def test_class_limits_are_those_of_the_web_page() -> None:
    data = json.loads(re.search(r'id="wangge-data">(.*?)</script>', heat(), re.DOTALL).group(1))  # type: ignore[union-attr]
    assert data["limits"]["whole"] == classify.for_measure("cases", FRAMES[0].values)
    both = np.concatenate([f.values for f in FRAMES[1:]])
    assert data["limits"]["part"] == classify.for_measure("cases", both)


def test_neighbours_never_share_a_colour() -> None:
    rng = np.random.default_rng(3)
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(rng.random((300, 2)))))
    left, right = shapely.STRtree(cells).query(cells, predicate="intersects")
    pairs = np.c_[left[left < right], right[left < right]]
    colours = tell_apart(len(cells), pairs)
    assert all(colours[a] != colours[b] for a, b in pairs.tolist())
    assert max(colours) < len(PLAN_COLOURS)


def test_an_empty_city_still_makes_a_page() -> None:
    nothing = Zones([], [], np.empty(0, object))
    page = heat_page(nothing, [frame("全部时段", [])], measure="cases", measure_name="案件数", title="空")
    assert "共 0 件" in page


# ── In the browser ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.browser
def test_no_request_no_error_and_names_stay_text(show) -> None:  # type: ignore[no-untyped-def]
    opened = show(heat())
    assert [r.split("/")[-1] for r in opened.requests] == ["map.html"]
    assert opened.errors == []
    assert opened.page.evaluate("window.bad") is None
    assert opened.page.title() == f"云川市（合成） {NASTY}"
    head = opened.page.locator(".wg-head")
    assert NASTY in head.inner_text() and "合成数据" in head.inner_text()
    assert "共 444 件（未定位 7，范围外 2）" in head.inner_text()
    for i in range(6):
        x = 1100 / 2 + (i - 2.5) * 120
        opened.page.mouse.move(x, 380)
        opened.page.mouse.click(x, 380)
    assert opened.page.evaluate("window.bad") is None and opened.errors == []


@pytest.mark.browser
def test_hovering_and_clicking_a_zone_tell_its_numbers(show) -> None:  # type: ignore[no-untyped-def]
    opened = show(heat(title="热力图"))
    box = opened.page.locator(".folium-map").bounding_box()
    x, y = box["width"] / 2 + 20, box["height"] / 2 - 40
    opened.page.mouse.move(x, y)
    opened.page.wait_for_selector(".leaflet-tooltip .wg-facts")
    assert "金桥社区" in opened.page.locator(".leaflet-tooltip b").inner_text()
    assert "40 件" in opened.page.locator(".leaflet-tooltip .wg-facts").inner_text()
    opened.page.mouse.click(x, y)
    popup = opened.page.locator(".wg-popup")
    popup.wait_for()
    assert "900102001003" in popup.inner_text() and popup.locator("rect").count() == 2
    width = popup.bounding_box()["width"]
    assert width > 130, "Chinese text must not wrap after every character"


@pytest.mark.browser
def test_the_slider_recolours_and_the_legend_counts(show) -> None:  # type: ignore[no-untyped-def]
    opened = show(heat(title="热力图"))
    whole = opened.fills()
    assert len(whole) == 6 and len(set(whole)) > 3
    slider = opened.page.get_by_role("slider")
    slider.focus()
    opened.page.keyboard.press("Home")
    january = opened.fills()
    opened.page.keyboard.press("ArrowRight")
    february = opened.fills()
    assert january != february
    assert (
        january[2]
        == february[0]
        == classify.colours("heat", len(classify.for_measure("cases", [0, 3, 12, 40, 80, 100, 200])))[0]
    )
    assert "2026-02" in opened.page.locator(".wg-time output").inner_text()
    assert "共 292 件" in opened.page.locator(".wg-head p").inner_text()
    counts = [int(t) for t in opened.page.locator(".wg-legend small").all_inner_texts()]
    assert sum(counts) == 6
    opened.page.get_by_role("button", name="全部").click()
    assert opened.fills() == whole


@pytest.mark.browser
def test_the_ranking_names_the_highest_and_goes_there(show) -> None:  # type: ignore[no-untyped-def]
    opened = show(heat(title="热力图"))
    opened.page.locator(".wg-rank summary").click()
    items = opened.page.locator(".wg-rank li")
    assert items.count() == 6
    assert [t.split()[0] for t in items.all_inner_texts()[:2]] == ["福湾社区", "柳塘村"]
    items.nth(1).get_by_role("button").click()
    assert "柳塘村" in opened.page.locator(".wg-popup").inner_text()
    assert opened.errors == [] and opened.page.evaluate("window.bad") is None


@pytest.mark.browser
def test_play_runs_to_the_end_and_stops(show) -> None:  # type: ignore[no-untyped-def]
    opened = show(heat(title="热力图"))
    opened.page.get_by_role("button", name="播放").click()
    opened.page.wait_for_selector("body[data-frame='2']", timeout=15_000)
    opened.page.get_by_role("button", name="播放").wait_for(timeout=15_000)


@pytest.mark.browser
def test_english_and_shares_with_few_cases_are_pale(show) -> None:  # type: ignore[no-untyped-def]
    share = Frame(
        "2026", np.array([0.5, 1.0, np.nan, 0.8, 0.9, 0.25]), np.array([FEW, FEW - 1, 0, 60, 80, 90]), 239
    )
    html = heat_page(
        ZONES,
        [share],
        measure="satisfied_share",
        measure_name="Satisfied",
        title="Map",
        synthetic=True,
        lang="en",
    )
    opened = show(html)
    text = opened.page.locator("body").inner_text()
    assert (
        "SYNTHETIC DATA" in text
        and "239 cases" in text
        and "no data" in text
        and f"n < {FEW}: pale · 1" in text
    )
    assert "%" in opened.page.locator(".wg-legend").inner_text()
    assert opened.fills()[2] == classify.ramps()["no_data"]
    assert opened.page.get_by_role("slider").count() == 0
    assert opened.page.evaluate("document.documentElement.lang") == "en"


@pytest.mark.browser
def test_chinese_is_drawn_with_real_glyphs(show) -> None:  # type: ignore[no-untyped-def]
    """Missing glyphs are all drawn as one box: different characters must differ in pixels."""
    opened = show(heat(title="热力图"))
    same = opened.page.evaluate(
        """() => { const font = getComputedStyle(document.body).font;
        const drawn = (c) => { const e = document.createElement('canvas'); e.width = e.height = 40;
          const g = e.getContext('2d'); g.font = '28px ' + getComputedStyle(document.body).fontFamily;
          g.fillText(c, 4, 32); return e.toDataURL(); };
        return drawn('云') === drawn('川'); }"""
    )
    assert same is False


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1100])
def test_panels_do_not_cover_each_other(show, width: int) -> None:  # type: ignore[no-untyped-def]
    opened = show(heat(title="云川市 案件热力图"), width, 780)
    boxes = [opened.page.locator(s).bounding_box() for s in (".wg-head", ".wg-legend", ".wg-time")]
    shapes = [shapely.box(b["x"], b["y"], b["x"] + b["width"], b["y"] + b["height"]) for b in boxes]
    screen = shapely.box(0, 0, width, 780)
    for i, one in enumerate(shapes):
        assert screen.contains(one)
        assert all(not one.intersects(other) for other in shapes[i + 1 :])


@pytest.mark.browser
def test_a_plan_page_tells_grids_apart(show) -> None:  # type: ignore[no-untyped-def]
    zones = Zones(ZONES.codes, ZONES.names, SHAPES, [("户数", ["120", "80", None, "3", "4", "5"])])
    pairs = np.array([[i, i + 1] for i in range(5)])
    html = plan_page(
        zones,
        FRAMES[0],
        neighbours=pairs,
        title="首版方案",
        value_name="案件数",
        ground=GROUND,
        synthetic=True,
    )
    opened = show(html)
    fills = opened.fills()
    assert all(a != b for a, b in pairwise(fills)) and set(fills) <= set(PLAN_COLOURS)
    opened.page.mouse.click(1100 / 2 - 500 + 60, 380)
    assert opened.errors == [] and len(opened.requests) == 1

"""The supervisor's map in a real browser on the real service: what is seen is what the service counted."""

from __future__ import annotations

import re
import time
import urllib.parse
from typing import Any

import httpx
import numpy as np
import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser
PAYLOAD = "<img src=x onerror=alert(1)>"


def number(text: str | None) -> float:
    """1,234 件/km² -> 1234.0; 85% -> 0.85"""
    found = re.search(r"-?[\d,]+(\.\d+)?", text or "")
    assert found, text
    value = float(found.group().replace(",", ""))
    return value / 100 if "%" in (text or "") else value


def asked(page: Page) -> dict[str, str]:
    """The heat map's own query for the period that is shown."""
    url = page.evaluate(
        "() => performance.getEntriesByType('resource').map(e => e.name).filter(n => n.includes('/api/heatmap/')).pop()"
    )
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))


def heat(town: Any, query: dict[str, str], **more: str) -> dict[str, Any]:
    query = {**query, **more}
    answer: dict[str, Any] = town.json("/api/heatmap/grids?" + urllib.parse.urlencode(query))
    return answer


SEEN = """() => {
  const map = window.__wangge_map, small = document.createElement('canvas');
  small.width = small.height = 120;
  map.redraw(); // the drawing buffer is only there right after a drawing
  const pen = small.getContext('2d');
  pen.drawImage(map.getCanvas(), 0, 0, 120, 120);
  return [...pen.getImageData(0, 0, 120, 120).data];
}"""
GROUND = np.array([0xEE, 0xF1, 0xF3])


def pixels(page: Page) -> np.ndarray:
    """What the map shows: 120 x 120 x RGB."""
    return np.array(page.evaluate(SEEN)).reshape(120, 120, 4)[:, :, :3]


def coloured(page: Page) -> float:
    """The share of the map that is not bare ground."""
    return float((np.abs(pixels(page) - GROUND).max(axis=2) > 24).mean())


def click_zone(page: Page, lon: float, lat: float) -> None:
    x, y = page.evaluate(
        "([lon, lat]) => { const p = window.__wangge_map.project([lon, lat]); return [p.x, p.y] }", [lon, lat]
    )
    box = page.locator(".map").bounding_box()
    assert box
    page.mouse.click(box["x"] + x, box["y"] + y)


# ── what is seen ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_first_map_is_coloured_in_chinese_and_talks_to_nobody_else(town: Any, visit: Any) -> None:
    watched = visit(town.url)
    page = watched.open()
    assert page.evaluate("() => document.documentElement.lang") == "zh-CN"
    expect(page.locator("header")).to_contain_text("测试城")
    expect(page.locator(".badge")).to_be_visible()
    swatches = page.locator(".legend li rect").evaluate_all("all => all.map(r => r.getAttribute('fill'))")
    assert len(swatches) >= 4
    assert coloured(page) > 0.15
    tones = {tuple(c) for c in (pixels(page) // 24).reshape(-1, 3)}
    assert len(tones) >= len(swatches), "fewer tones than classes: the zones were not painted"
    watched.clean()


def test_totals_add_up_and_equal_the_service(town: Any, visit: Any) -> None:
    page = visit(town.url).open("/?period=all")
    told = town.json("/api/heatmap/grids")
    assert number(page.text_content("#total")) == told["total"] == 4000
    parts = [number(t) for t in page.locator(".parts b").all_text_contents()]
    assert sum(parts) == told["total"]
    assert parts[1] == told["unplaced"]
    assert parts[2] == told["outside"]


def test_a_click_on_the_map_opens_the_zone_with_the_numbers_of_the_service(town: Any, visit: Any) -> None:
    watched = visit(town.url)
    page = watched.open()
    zones = town.json("/api/zones?by=grid")
    query = asked(page)
    told = heat(town, query)
    at = int(np.argmax([v or 0 for v in told["values"]]))
    code, spot = told["codes"][at], zones["codes"].index(told["codes"][at])
    click_zone(page, zones["lon"][spot], zones["lat"][spot])
    expect(page.locator("#zone-name")).to_have_text(told["names"][at])
    assert f"zone={code}" in page.url
    for measure in (
        "cases",
        "open",
        "per_km2",
        "per_1000_households",
        "median_days_to_close",
        "satisfied_share",
    ):
        answer = heat(town, query, measure=measure)
        row = page.locator(f"[data-measure={measure}] dd b")
        value = answer["values"][answer["codes"].index(code)]
        if value is None:
            expect(row).to_have_text(re.compile("—|不显示"))
        else:
            expect(row).to_have_text(re.compile(r"\d"))
            assert number(row.text_content()) == pytest.approx(value, rel=0.006, abs=0.006), measure
    expect(page.locator(".panel .uplot canvas")).to_be_visible()
    assert page.locator(".bars button").count() >= 2
    expect(page.locator(f"[data-code='{code}']")).to_have_attribute("aria-selected", "true")
    watched.clean()


def test_list_and_map_are_linked_and_the_keyboard_is_enough(town: Any, visit: Any) -> None:
    watched = visit(town.url)
    page = watched.open()
    page.locator("ul[role=listbox]").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    hovered = page.locator("li.hover")
    code = hovered.get_attribute("data-code")
    assert hovered.get_attribute("id") == page.locator("ul[role=listbox]").get_attribute(
        "aria-activedescendant"
    )
    assert page.evaluate(
        "code => window.__wangge_map.getFeatureState({source: 'zones', sourceLayer: 'grids', id: code}).hover",
        code,
    )
    page.keyboard.press("Enter")
    expect(page.locator("#zone-name")).to_be_visible()
    assert f"zone={code}" in page.url
    assert page.evaluate(
        "code => window.__wangge_map.getFeatureState({source: 'zones', sourceLayer: 'grids', id: code}).selected",
        code,
    )
    page.keyboard.press("Escape")
    expect(page.locator("#zone-name")).to_have_count(0)
    watched.clean()


@pytest.mark.parametrize("by", ["street", "community", "hexagon"])
def test_every_kind_of_zone_draws(town: Any, visit: Any, by: str) -> None:
    watched = visit(town.url)
    page = watched.open(f"/?by={by}&period=all")
    assert page.locator("ul[role=listbox] li.zone").count() > (1 if by == "street" else 7)
    assert coloured(page) > 0.1
    assert number(page.text_content("#total")) == 4000
    page.locator("ul[role=listbox] li.zone").first.click()
    expect(page.locator("[data-measure=cases] dd b")).to_have_text(re.compile(r"\d"))
    expect(page.locator(".panel .uplot canvas")).to_be_visible()
    watched.clean()


# ── asking ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_filters_change_the_values_and_a_link_brings_them_back(town: Any, visit: Any) -> None:
    watched = visit(town.url)
    page = watched.open("/?period=all")
    key = town.json("/api/city")["categories"][0]["key"]
    page.click("#category")
    page.locator(f"#category-tree [data-key='{key}'] .name").click()
    expect(page.locator("#category-tree")).to_have_count(0)
    page.select_option("#origin", "citizen")
    page.select_option("#measure", "per_km2")
    page.click("[data-preset=last-year], [data-preset=this-year] >> nth=0")
    watched.settle()
    shown, link = page.text_content("#total"), page.url
    told = heat(town, asked(page))
    assert told["measure"] == "per_km2"
    assert number(shown) == told["total"] < 4000

    again = visit(town.url)
    other = again.open(link.removeprefix(town.url))
    assert other.text_content("#total") == shown
    assert other.get_attribute("#category", "data-value") == key
    assert other.input_value("#measure") == "per_km2"
    assert other.url == link
    again.clean()
    watched.clean()


def test_presets_count_back_from_the_last_case(town: Any, visit: Any) -> None:
    watched = visit(town.url)
    page = watched.open()
    page.click("[data-preset='7d']")
    watched.settle()
    last = town.json("/api/city")["last_case"]
    assert last.startswith("2024-12")
    query = asked(page)
    assert query["from"] == "2024-12-25"
    assert query["to"] == "2025-01-01"
    assert number(page.text_content("#total")) == heat(town, asked(page))["total"] > 0


def test_the_timeline_picks_a_week_and_plays(town: Any, visit: Any) -> None:
    watched = visit(town.url)
    page = watched.open()
    box = page.locator(".chart svg").bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] * 0.4, box["y"] + box["height"] / 2)
    watched.settle()
    query = asked(page)
    assert np.datetime64(query["to"]) - np.datetime64(query["from"]) == np.timedelta64(7, "D")
    assert number(page.text_content("#total")) == heat(town, asked(page))["total"]
    before = page.text_content("#period-text")
    page.click(".play")
    expect(page.locator("#period-text")).not_to_have_text(before or "", timeout=20_000)
    expect(page.locator(".legend")).to_contain_text("色阶固定")
    page.click(".play")
    page.locator(".chart input[type=range]").focus()
    page.keyboard.press("Home")
    watched.settle()
    assert asked(page)["from"] <= "2024-01-01"
    watched.clean()


def test_the_language_changes_every_word(town: Any, visit: Any) -> None:
    watched = visit(town.url)
    page = watched.open("/?by=community")
    page.click("#language")
    expect(page.locator("header")).to_contain_text("Sign in")
    watched.settle()
    assert page.evaluate("() => document.documentElement.lang") == "en"
    assert "lang=en" in page.url
    frame = page.locator(
        "header button, #filters label > span, #filters legend, .legend h2, .ranking h2, .presets button"
    )
    for words in frame.all_text_contents():
        assert words == "中文" or not re.search(r"[\u4e00-\u9fff]", words), words
    page.reload()
    watched.ready()
    expect(page.locator("header")).to_contain_text("Sign in")
    watched.clean()


def test_names_of_the_data_are_text_and_never_run(town: Any, visit: Any) -> None:
    watched = visit(town.url)
    page = watched.open("/?by=community&period=all&facility=学校")
    row = page.locator("li[data-code='900100001001']")
    expect(row).to_contain_text(PAYLOAD)
    row.click()
    expect(page.locator("#zone-name")).to_contain_text(PAYLOAD)
    row.hover()
    page.goto(town.url + "/?by=grid&period=all&zone=" + urllib.parse.quote(PAYLOAD))
    watched.ready()
    page.goto(town.url + "/?measure=" + urllib.parse.quote(PAYLOAD) + "&by=" + urllib.parse.quote(PAYLOAD))
    page.wait_for_timeout(500)
    assert page.locator("img[src=x]").count() == 0
    watched.clean()


def test_hidden_counts_stay_hidden(town: Any, visit: Any) -> None:
    watched = visit(town.url)
    page = watched.open("/?by=grid&period=7d")
    told = town.json("/api/heatmap/grids?" + urllib.parse.urlencode(asked(page)))
    assert any(told["suppressed"])  # of grids; a hidden hexagon is not even listed
    expect(page.locator(".legend")).to_contain_text("少于 5")
    texts = page.locator("ul[role=listbox] .value").all_text_contents()
    assert any("不显示" in t for t in texts) or len(texts) < len(told["codes"])
    assert not any(re.fullmatch(r"[1-4]", t.strip()) for t in texts)
    watched.clean()


def test_signing_in_shows_what_the_public_may_not_see(town: Any, visit: Any) -> None:
    watched = visit(town.url)
    page = watched.open("/?by=grid&period=7d")
    expect(page.locator(".legend")).to_contain_text("少于 5")
    page.click("header button:has-text('登录')")
    page.click("#way-token")
    page.fill("#sign-in-token", "wrong")
    page.click("dialog button.primary")
    expect(page.locator("dialog [role=alert]")).to_be_visible()
    watched.errors.clear()  # the browser itself notes the 401
    page.fill("#sign-in-token", town.token)
    page.click("dialog button.primary")
    expect(page.locator("dialog")).to_have_count(0)
    watched.settle()
    expect(page.locator(".legend")).not_to_contain_text("少于 5")
    cookies = page.context.cookies()
    assert all(c["httpOnly"] and c["sameSite"] == "Strict" for c in cookies) and cookies
    page.click("header .opener")
    page.click("#account-menu button:has-text('退出登录')")
    expect(page.locator(".legend")).to_contain_text("少于 5")
    watched.clean()


def test_staff_click_a_number_down_to_its_cases(town: Any, visit: Any) -> None:
    watched = visit(town.url)
    page = watched.open("/?period=all")
    page.locator("ul[role=listbox] li.zone").first.click()
    expect(page.locator("#zone-name")).to_be_visible()
    assert page.locator(".cases").count() == 0
    page.click("header button:has-text('登录')")
    page.click("#way-token")
    page.fill("#sign-in-token", town.token)
    page.click("dialog button.primary")
    expect(page.locator(".cases li")).to_have_count(20)
    code = urllib.parse.parse_qs(urllib.parse.urlsplit(page.url).query)["zone"][0]
    told = town.json(f"/api/cases?by=grid&code={code}&state=open&sort=due&limit=40", token=town.token)[
        "cases"
    ]
    assert [c["due_at"] for c in told] == sorted(c["due_at"] for c in told)
    page.locator(".panel button:has-text('再看 20')").click()
    expect(page.locator(".cases li")).to_have_count(min(40, len(told)))
    listed = page.locator(".cases .number").all_text_contents()
    assert listed == [c["source_case_id"] for c in told]
    watched.settle()
    assert page.evaluate("() => window.__wangge_map.querySourceFeatures('points').length") > 0
    page.locator(".cases li button").first.click()
    expect(page.locator("#case-name")).to_have_text(told[0]["category_name"])
    expect(page.locator(".panel")).to_contain_text(told[0]["source_case_id"])
    assert f"case={told[0]['id']}" in page.url
    watched.settle()
    assert page.evaluate("() => window.__wangge_map.getZoom()") >= 15
    watched.accessible()
    link = page.url
    page.click(".panel .back")
    expect(page.locator(".cases li").first).to_be_visible()
    page.goto(link)
    expect(page.locator("#case-name")).to_have_text(told[0]["category_name"])
    watched.clean()


# ── everywhere ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_phone_shows_map_and_sheet_without_sideways_scrolling(town: Any, visit: Any) -> None:
    watched = visit(town.url, phone=True)
    page = watched.open("/?lang=en")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    for part in ("header button", ".legend", ".strip", ".side"):
        for box in page.locator(part).evaluate_all("all => all.map(e => e.getBoundingClientRect().toJSON())"):
            assert box["left"] >= -1 and box["right"] <= 391, (part, box)
    page.click(".side .handle")
    page.wait_for_timeout(400)
    page.locator("ul[role=listbox] li.zone").first.tap()
    expect(page.locator("#zone-name")).to_be_visible()
    page.click("header .phone")
    expect(page.locator("#measure")).to_be_visible()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    watched.clean()


def test_an_empty_database_says_what_to_do(empty_service: Any, visit: Any) -> None:
    watched = visit(empty_service.url)
    page = watched.open()
    expect(page.locator(".empty")).to_contain_text("wangge sample")
    expect(page.locator(".empty")).to_contain_text("wangge load boundaries")
    watched.clean()


def test_cases_without_any_zone_are_found_and_drawn_as_hexagons(cases_only: Any, visit: Any) -> None:
    watched = visit(cases_only.url)
    page = watched.open("/?period=all")
    expect(page.locator(".note")).to_contain_text("wangge load boundaries")
    assert number(page.text_content("#total")) == 600
    watched.settle()
    public = coloured(page)
    assert public > 0, "the public sees the cells that hide nobody"
    page.click("header button:has-text('登录')")
    page.click("#way-token")
    page.fill("#sign-in-token", cases_only.token)
    page.click("dialog button.primary")
    expect(page.locator("dialog")).to_have_count(0)
    watched.settle()
    assert coloured(page) > max(0.02, public), "staff see every cell"
    watched.clean()


def test_a_service_that_goes_away_is_told_and_found_again(town: Any, visit: Any) -> None:
    watched = visit(town.url)
    page = watched.open()
    town.stop()
    try:
        page.click("[data-preset='30d']")
        expect(page.locator("[role=alert]")).to_contain_text("连不上服务")
    finally:
        town.start()
    expect(page.locator("[role=alert]")).to_have_count(0, timeout=30_000)
    watched.settle()
    assert number(page.text_content("#total")) == heat(town, asked(page))["total"]
    assert watched.outside == []


def test_a_link_to_something_that_is_not_here_explains_itself(town: Any, visit: Any) -> None:
    watched = visit(town.url)
    page = watched.open("/?category=nowhere", ready=False)
    expect(page.locator("[role=alert], .none")).to_be_visible()
    if page.locator("[role=alert]").count():
        page.click("[role=alert] button >> nth=0")
    watched.settle()
    assert not any("pageerror" in e for e in watched.errors)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("by=grid&plan=nope", "没有方案“nope”"),
        ("by=nolayer", "没有图层“nolayer”"),
        ("by=grid&zone=nope", "没有编码为 nope 的区域"),
    ],
)
def test_nothing_is_shown_in_the_place_of_another_without_a_word(
    town: Any, visit: Any, query: str, told: str
) -> None:
    watched = visit(town.url)
    page = watched.open(f"/?{query}")
    expect(page.locator("body")).to_contain_text(told)
    watched.clean()


def test_the_operators_own_ground_lies_below(town: Any, visit: Any, beside: Any) -> None:
    watched = visit(beside.url)
    page = watched.open()
    layers = page.evaluate("() => window.__wangge_map.getStyle().layers.map(l => l.id)")
    assert layers.index("basemap-parks-area") < layers.index("zones-fill")
    assert (
        page.evaluate(
            "() => window.__wangge_map.queryRenderedFeatures({layers: ['basemap-parks-area']}).length"
        )
        > 0
    )
    watched.clean()


LUMINANCE = r"""() => {
  const channel = v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4 };
  const light = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
  const rgb = s => s.match(/[\d.]+/g).map(Number);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = rgb(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0.9) return c;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.checkVisibility() || e.closest('canvas, svg, option, [disabled], .skip')) continue;
    const style = getComputedStyle(e), [a, b] = [light(rgb(style.color)), light(behind(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const large = parseFloat(style.fontSize) >= 24;
    if (ratio < (large ? 3 : 4.5)) poor.push([e.className, e.textContent.trim().slice(0, 20), ratio.toFixed(2)]);
  }
  return poor;
}"""

NAMELESS = """() => [...document.querySelectorAll('button, select, input, [role=listbox], [role=option]')]
  .filter(e => e.checkVisibility())
  .filter(e => !(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.length))
  .map(e => e.outerHTML.slice(0, 80))"""


def test_everything_has_a_name_and_enough_contrast(town: Any, visit: Any) -> None:
    watched = visit(town.url)
    page = watched.open()
    page.locator("ul[role=listbox] li.zone").first.click()
    expect(page.locator("#zone-name")).to_be_visible()
    assert page.evaluate(LUMINANCE) == []
    nameless = page.evaluate(NAMELESS)
    assert nameless == []
    assert page.locator("h1").count() == 1
    ids = page.evaluate("() => [...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))


def test_calm_for_those_who_asked_for_it(town: Any, visit: Any) -> None:
    watched = visit(town.url, reduced_motion="reduce")
    page = watched.open()
    started = time.monotonic()
    page.click(".zoom button >> nth=0")
    page.wait_for_timeout(60)
    assert not page.evaluate("() => window.__wangge_map.isMoving()"), time.monotonic() - started
    watched.clean()


def test_an_address_nobody_gave_says_so(town: Any, visit: Any) -> None:
    watched = visit(town.url, phone=True)
    page = watched.open("/nowhere?lang=zh")
    expect(page.locator("main")).to_contain_text("没有这个页面")
    watched.accessible()
    page.get_by_role("link", name="回到地图").click()
    page.wait_for_selector(".map")
    assert httpx.get(town.url + "/nowhere", headers={"Accept": "text/html"}).status_code == 404
    assert httpx.get(town.url + "/nowhere").headers["content-type"] == "application/problem+json"


def test_paper_shows_the_map(town: Any, visit: Any) -> None:
    page = visit(town.url).open()
    page.evaluate("() => dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    expect(page.locator("img.paper")).to_be_visible()
    assert page.evaluate("() => document.querySelector('img.paper').naturalWidth") > 300
    expect(page.locator("#filters")).to_be_hidden()
    expect(page.locator(".ranking li.zone:visible")).to_have_count(min(60, page.locator("li.zone").count()))

"""The supervisor's workbench in a real browser: figures, ranks, categories, several zones, hours, cases, files, offline."""

from __future__ import annotations

import csv
import io
import json
import urllib.parse
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


def enter(watched: Any, town: Any) -> None:
    """Sign in as the tester, by the service itself, before the page is opened."""
    answer = watched.page.context.request.post(
        town.url + "/api/session",
        data=json.dumps({"token": town.token}),
        headers={"Content-Type": "application/json", "X-Requested-With": "wangge", "Origin": town.url},
    )
    assert answer.ok, answer.text()


def staff(town: Any, path: str, **query: Any) -> Any:
    return town.json(f"{path}?{urllib.parse.urlencode(query, doseq=True)}", token=town.token)


def period(page: Page) -> dict[str, str]:
    """The period of the last summary that the page asked for."""
    url = page.evaluate(
        "() => performance.getEntriesByType('resource').map(e => e.name).filter(n => n.includes('/api/summary')).pop()"
    )
    asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
    return {key: asked[key] for key in ("from", "to") if key in asked}


def whole(text: str | None) -> int:
    return int((text or "").replace(",", ""))


# ── figures ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_strip_says_what_the_service_counted_and_chooses_the_measure(town: Any, visit: Any) -> None:
    watched = visit(town.url)
    page = watched.open("/?lang=en")
    told = {f["key"]: f for f in town.json("/api/summary?" + urllib.parse.urlencode(period(page)))["figures"]}
    for key in ("cases", "open", "overdue"):
        assert whole(page.text_content(f"[data-figure={key}] b")) == told[key]["value"]
    share = told["service_share"]["value"]
    assert (
        page.text_content("[data-figure=service_share] b") == f"{share * 100:.0f} : {100 - share * 100:.0f}"
    )
    title = page.get_attribute("[data-figure=cases]", "title") or ""
    assert "95% interval" in title and f"n={told['cases']['n']:,}" in title
    delta = page.text_content("[data-figure=cases] .delta") or ""
    assert delta[0] in "▲▼≈＝" and "%" in delta, "told by more than a colour"
    page.click("[data-figure=overdue]")
    watched.settle()
    assert page.input_value("#measure") == "overdue"
    assert whole(page.text_content("#total")) == told["overdue"]["value"]
    page.select_option("#versus", "last-year")
    expect(page.locator(".versus small")).to_have_text("nothing to compare")
    assert "versus=last-year" in page.url
    watched.clean()


def test_ranks_have_ranges_and_groups_for_staff(town: Any, visit: Any) -> None:
    watched = visit(town.url)
    enter(watched, town)
    page = watched.open("/?period=all&lang=en")
    told = staff(town, "/api/indicators", by="grid", measure="cases")
    first = max(range(len(told["codes"])), key=lambda i: told["values"][i])
    row = page.locator(f"li.zone[data-code='{told['codes'][first]}']")
    low, high = told["rank_low"][first], told["rank_high"][first]
    expect(row.locator(".rank small")).to_have_text(f"{low}–{high}" if low < high else str(low))
    size = told["group"].count(told["group"][first])
    if size > 1:
        expect(page.locator("li.group").first).to_have_text(f"These {size} cannot be told apart")
    watched.clean()


# ── categories ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_category_tree_is_searched_and_walked_by_keys(town: Any, visit: Any) -> None:
    watched = visit(town.url)
    page = watched.open("/?period=all")
    page.focus("#category")
    page.keyboard.press("Enter")
    expect(page.locator(".tree input")).to_be_focused()
    watched.accessible()
    page.keyboard.type("暴露")
    rows = page.locator("#category-tree [role=treeitem]")
    expect(rows).to_have_count(2)  # the group and the one below it
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#category")).to_be_focused()
    expect(page.locator("#category")).to_have_text("暴露垃圾")
    watched.settle()
    key = page.get_attribute("#category", "data-value") or ""
    assert (
        whole(page.text_content("#total"))
        == town.json("/api/heatmap/grids?" + urllib.parse.urlencode({"category": key}))["total"]
    )
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(page.locator("#category-tree")).to_have_count(0)
    watched.clean()


# ── several zones, hours ──────────────────────────────────────────────────────────────────────────────────────────


def test_several_zones_are_seen_together_and_a_link_brings_them_back(town: Any, visit: Any) -> None:
    watched = visit(town.url)
    enter(watched, town)
    page = watched.open("/?period=all&lang=en")
    rows = page.locator("li.zone")
    codes = [rows.nth(i).get_attribute("data-code") for i in range(3)]
    rows.nth(0).click()
    rows.nth(1).click(modifiers=["Control"])
    rows.nth(2).locator(".tick").click()
    expect(page.locator("#zone-name")).to_contain_text("3 together")
    told = {f["key"]: f for f in staff(town, "/api/summary", by="grid", code=codes)["figures"]}
    expect(page.locator(".panel [data-measure=cases] dd b")).to_have_text(f"{told['cases']['value']:,}")
    expect(page.locator(".panel [data-measure=overdue] dd b")).to_have_text(f"{told['overdue']['value']:,}")
    for code in codes:
        assert page.evaluate(
            "code => window.__wangge_map.getFeatureState({source: 'zones', sourceLayer: 'grids', id: code}).selected",
            code,
        )
    expect(page.locator(".panel .uplot canvas")).to_be_visible()
    held = staff(town, "/api/cases", by="grid", code=codes, state="open", sort="due", limit=20)["cases"]
    numbers = page.locator(".cases li .number")
    expect(numbers).to_have_text([case["source_case_id"] for case in held])  # one list of all three
    watched.accessible()
    again = visit(town.url)
    enter(again, town)
    other = again.open(page.url.removeprefix(town.url))
    expect(other.locator("#zone-name")).to_contain_text("3 together")
    other.locator(".chips .out").first.click()
    expect(other.locator("#zone-name")).to_contain_text("2 together")
    again.clean()
    watched.clean()


def test_hours_by_weekdays_are_a_table_of_the_services_counts(town: Any, visit: Any) -> None:
    watched = visit(town.url)
    enter(watched, town)
    page = watched.open("/?period=all&panel=city")
    told = staff(town, "/api/matrix")["values"]
    cells = page.locator(".panel tbody td span").all_text_contents()
    assert [int(cell) for cell in cells] == [n for row in told for n in row]
    assert page.locator(".panel tbody th[scope=row]").count() == 7
    watched.clean()


def test_the_public_sees_hours_of_the_whole_city_only(town: Any, visit: Any) -> None:
    watched = visit(town.url)
    page = watched.open("/?period=all&lang=en")
    page.locator("li.zone").first.click()
    expect(page.locator(".panel")).to_contain_text("By hour only the whole city is published.")
    assert page.locator(".cases").count() == 0
    watched.clean()


# ── plans ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_plan_of_then_of_a_day_and_now(town: Any, visit: Any) -> None:
    watched = visit(town.url)
    page = watched.open("/?period=all&by=grid")
    page.select_option("#plan", "as-was")
    watched.settle()
    assert "plan=as-was" in page.url
    assert whole(page.text_content("#total")) == town.json("/api/heatmap/grids?plan=as-was")["total"]
    expect(page.locator(".legend")).to_contain_text("发生当日有效的网格")
    page.select_option("#plan", "as-of")
    expect(page.locator("#plan-day")).to_be_visible()
    page.fill("#plan-day", "2024-06-01")
    watched.settle()
    assert "plan=as-of:2024-06-01" in page.url
    assert whole(page.text_content("#total")) == 4000
    page.select_option("#plan", "current")
    watched.settle()
    assert "plan=" not in page.url
    watched.clean()


# ── files ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_worst_overdue_grid_of_last_month_and_its_list(town: Any, visit: Any, tmp_path: Path) -> None:
    watched = visit(town.url)
    enter(watched, town)
    page = watched.open("/")
    page.click("[data-preset=last-month]")
    page.click("[data-figure=overdue]")
    watched.settle()
    asked = period(page)
    assert asked == {"from": "2024-12-01", "to": "2025-01-01"}
    told = staff(town, "/api/heatmap/grids", measure="overdue", **asked)
    page.locator("li.zone").first.click()
    code = urllib.parse.parse_qs(urllib.parse.urlsplit(page.url).query)["zone"][0]
    assert told["values"][told["codes"].index(code)] == max(told["values"]) > 0
    page.click(".which button:has-text('超期')")
    expect(page.locator(".cases li").first).to_contain_text("超期")
    with page.expect_download() as waiting:
        page.click(".panel .export button")
    waiting.value.save_as(tmp_path / "list.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "list.csv").read_text(encoding="utf-8-sig"))))
    listed = staff(town, "/api/cases", by="grid", code=code, state="overdue", limit=1000, **asked)["cases"]
    assert sorted(r["source_case_id"] for r in rows) == sorted(c["source_case_id"] for c in listed)
    assert len(rows) == max(told["values"])
    with page.expect_download() as waiting:
        page.click(".ranking .export button")
    waiting.value.save_as(tmp_path / "ranking.csv")
    ranking = list(csv.DictReader(io.StringIO((tmp_path / "ranking.csv").read_text(encoding="utf-8-sig"))))
    values = {r["code"]: float(r["value"]) for r in ranking}
    assert values == dict(zip(told["codes"], told["values"], strict=True))
    watched.clean()


def test_a_closed_case_leads_back_to_its_place_in_the_list(town: Any, visit: Any) -> None:
    watched = visit(town.url)
    enter(watched, town)
    page = watched.open("/?period=all")
    page.locator("li.zone").first.click()
    page.click(".which button:has-text('全部')")
    page.click(".panel .more:has-text('再看')")
    expect(page.locator(".cases li")).to_have_count(40)
    told = page.locator(".cases li").nth(30).inner_text()
    page.locator(".cases li button").nth(30).click()
    expect(page.locator("#case-name")).to_be_focused()
    page.locator(".panel .back").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".cases li")).to_have_count(40)
    opener = page.locator(".cases li button").nth(30)
    expect(opener).to_be_focused()
    expect(opener).to_be_in_viewport()
    assert page.locator(".cases li").nth(30).inner_text() == told
    watched.clean()


EXACT = """() => ['.panel dl', '.panel table caption', '#total', '.ranking ul']
  .map(s => document.querySelector(s)?.textContent ?? '')"""


def test_nothing_that_staff_saw_stays_after_signing_out(town: Any, visit: Any) -> None:
    told = town.json("/api/heatmap/grids?measure=open&from=2024-12-01&to=2025-01-01")
    hidden = told["codes"][told["suppressed"].index(True)]
    view, line = f"/?period=last-month&measure=open&zone={hidden}", ".panel [data-measure=open]"
    watched = visit(town.url)
    enter(watched, town)
    page = watched.open(view)
    expect(page.locator(".panel table caption")).to_be_visible()
    expect(page.locator(line)).not_to_contain_text("不显示")
    before = page.evaluate(EXACT)
    page.click(".account .opener")
    page.click("#account-menu button:has-text('退出登录')")
    expect(page.locator(".account")).to_have_count(0)
    watched.settle()
    expect(page.locator(line)).to_contain_text("不显示")
    expect(page.locator(".panel table caption")).to_have_count(0)  # by hour only the whole city is published
    after = page.evaluate(EXACT)
    assert before[0] != after[0] and before[3] != after[3]
    expect(page.locator(".cases")).to_have_count(0)
    stranger = visit(town.url)
    afresh = stranger.open(view)
    expect(afresh.locator(line)).to_contain_text("不显示")
    assert afresh.locator(".panel dl").inner_text() == page.locator(".panel dl").inner_text()


@pytest.mark.parametrize(("form", "begins"), [("pdf", b"%PDF-"), ("html", b"<!"), ("xlsx", b"PK")])
def test_a_report_of_the_view_is_one_file(
    town: Any, visit: Any, tmp_path: Path, form: str, begins: bytes
) -> None:
    watched = visit(town.url)
    enter(watched, town)
    page = watched.open("/?period=90d&measure=open")
    page.click("#report")
    watched.accessible()
    with page.expect_download() as waiting:
        page.click(f"#report-menu [data-format={form}]")
    assert waiting.value.suggested_filename.endswith("." + form)
    waiting.value.save_as(tmp_path / "report")
    assert (tmp_path / "report").read_bytes().startswith(begins)
    expect(page.locator("#report-menu [role=status]")).to_contain_text("已下载")
    watched.clean()


def test_the_public_has_no_report_and_no_export(town: Any, visit: Any) -> None:
    page = visit(town.url).open()
    assert page.locator("#report").count() == 0
    assert page.locator(".export").count() == 0


# ── without a network ─────────────────────────────────────────────────────────────────────────────────────────────

KEPT = """async () => {
  const found = [];
  for (const name of await caches.keys())
    for (const request of await (await caches.open(name)).keys()) found.push(new URL(request.url).pathname);
  return found;
}"""


def test_the_last_view_is_read_offline_and_never_a_case(town: Any, visit: Any) -> None:
    watched = visit(town.url, phone=True)
    enter(watched, town)
    page = watched.open("/?period=all")
    page.evaluate("() => navigator.serviceWorker.ready.then(() => true)")
    page.reload()
    watched.ready()
    page.locator(".side .handle").tap()
    page.locator("li.zone").first.tap()
    expect(page.locator(".cases li")).to_have_count(20)
    page.locator(".cases li button").first.tap()
    expect(page.locator("#case-name")).to_be_visible()
    page.wait_for_timeout(500)
    kept = page.evaluate(KEPT)
    assert any(path.startswith("/api/heatmap/") for path in kept)
    assert [path for path in kept if "case" in path or "repeat" in path or "user" in path] == []
    page.context.set_offline(True)
    page.goto(town.url + "/?period=all")
    expect(page.locator("[role=alert]")).to_contain_text("离线")
    expect(page.locator("#total")).to_have_text("4,000")
    page.context.set_offline(False)
    expect(page.locator("[role=alert]")).to_have_count(0, timeout=20_000)
    page.evaluate(
        "() => fetch('/api/session', {method: 'DELETE', headers: {'X-Requested-With': 'wangge'}}).then(r => r.status)"
    )
    page.wait_for_timeout(500)
    assert [path for path in page.evaluate(KEPT) if path.startswith("/api/")] == []

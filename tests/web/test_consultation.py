"""A draft before the public in a real browser: opened, looked at without signing in, remarked on, released, answered, closed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import text

from geo.db import session as sessions
from tests.web.at_plans import Api, accounts, at_desk, open_editor
from tests.web.payloads import PAYLOADS
from tests.web.test_payloads import calm, watch

pytestmark = pytest.mark.browser


@pytest.fixture
def desk(town: Any) -> Iterator[tuple[Any, Api, dict[str, str]]]:
    """The town, its planner over HTTP, and everybody's token; nothing counted, no draft left of before."""
    with sessions.session(town.settings) as session:
        session.execute(text("DELETE FROM attempt"))
    tokens = accounts(town.settings)
    yield town, Api(town.url, tokens["王规划"]), tokens


def opened(api: Api, name: str) -> int:
    plan = api.draft(name)
    api("POST", f"/api/plans/{plan}/consultation", {"until": "2027-06-30"})
    return plan


def public_page(watched: Any, plan: int, lang: str = "zh") -> Page:
    page: Page = watched.open(f"/plans/{plan}?lang={lang}")
    expect(page.locator("main.consult h2")).to_be_visible()
    return page


def test_from_opening_to_an_answer(desk: Any, visit: Any) -> None:
    town, api, tokens = desk
    plan = api.draft("滨河征求稿")
    stranger = visit(town.url)
    page = stranger.open(f"/plans/{plan}")
    expect(page.locator("main")).to_contain_text("没有在征求意见")  # nobody opened it yet
    stranger.accessible()
    assert all("404" in one for one in stranger.errors)
    stranger.errors.clear()

    with at_desk(visit, town.url, tokens["王规划"]) as planner:
        editor = open_editor(planner, plan)
        editor.click("#tab-talk")
        editor.click("text=公众意见")
        expect(editor.locator("#pane")).to_contain_text("没有公开")
        planner.accessible()
        editor.locator("#pane input[type=date]").fill("2027-06-30")
        editor.click("text=公开征求意见")
        expect(editor.locator("#pane .state")).to_contain_text("2027年6月30日")

        page.reload()
        stranger.ready()
        expect(page.locator("main.consult h2")).to_have_text("“滨河征求稿”征求意见")
        expect(page.locator(".facts")).to_contain_text("24 个网格")
        expect(page.locator(".facts")).to_contain_text("与现行方案的划分相同")
        assert "王规划" not in page.locator("body").inner_text()
        stranger.accessible()
        page.fill("input[type=search]", "第1网格")
        page.locator(".hits button").first.click()
        about = page.locator("#remark-about").inner_text()
        assert about.endswith("第1网格")
        page.fill("textarea", "我是 13800138000，河东几栋楼应归北街。")
        page.click("form button.primary")
        expect(page.locator(".sent .kept")).to_have_text("我是 [手机]，河东几栋楼应归北街。")
        expect(page.locator("main")).to_contain_text("还没有公布的意见")
        stranger.accessible()

        editor.click("#tab-rules")
        editor.click("#tab-talk")
        editor.click("text=公众意见")
        remark = editor.locator("li[data-remark]")
        expect(remark).to_contain_text("我是 [手机]，河东几栋楼应归北街。")
        expect(remark).to_contain_text(about)
        planner.accessible()
        remark.locator("text=公开答复").click()
        remark.locator("textarea").fill("已采纳。")
        remark.locator("text=保存答复").click()
        editor.locator("li[data-remark] >> text=公布").first.click()
        expect(editor.locator(".states button").nth(1)).to_have_text("已公布 1")

        page.reload()
        stranger.ready()
        expect(page.locator("[aria-labelledby=remarks] li")).to_contain_text(
            ["我是 [手机]，河东几栋楼应归北街。"]
        )
        expect(page.locator("[aria-labelledby=remarks] li .answer")).to_contain_text("已采纳。")
        page.locator("[aria-labelledby=remarks] li .link").click()
        expect(page.locator("#remark-about")).to_have_text(about)

        api("DELETE", f"/api/plans/{plan}/consultation")
        page.fill("textarea", "太晚了")
        page.click("form button.primary")
        expect(page.locator("form [role=alert]")).to_contain_text("没有在征求意见")
    assert all("404" in one for one in stranger.errors)
    stranger.errors.clear()
    stranger.clean()


def test_a_grid_is_picked_on_the_map(desk: Any, visit: Any) -> None:
    town, api, _ = desk
    plan = opened(api, "点选稿")
    stranger = visit(town.url)
    page = public_page(stranger, plan)
    page.wait_for_function("window.__wangge_map.loaded()")
    box = page.locator("section.map canvas").bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] / 2 + 20, box["y"] + box["height"] / 2 + 20)
    expect(page.locator("#remark-about")).to_have_text(re.compile("网格"))
    page.click("text=不限于此网格")
    expect(page.locator("#remark-about")).to_have_text("整个草案")
    tiles = page.evaluate("performance.getEntriesByType('resource').map(e => new URL(e.name).pathname)")
    asked = {one for one in tiles if one.startswith(("/api/", "/tiles/"))}
    assert not [
        one
        for one in asked
        if one.startswith(("/api/heatmap", "/api/cases", f"/api/plans/{plan}", "/tiles/cases"))
    ]
    stranger.clean()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_phone(desk: Any, visit: Any, lang: str) -> None:
    town, api, _ = desk
    plan = opened(api, f"手机稿 {lang}")
    stranger = visit(town.url, phone=True)
    page = public_page(stranger, plan, lang)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    stranger.accessible()
    page.fill("textarea", "x")
    page.tap("form button.primary")
    expect(page.locator(".sent")).to_be_visible()
    stranger.clean()


def test_staff_see_what_the_public_sees(desk: Any, visit: Any) -> None:
    town, api, tokens = desk
    plan = opened(api, "自看稿")
    with at_desk(visit, town.url, tokens["赵网格长"]) as leader:
        page = leader.open(f"/plans/{plan}/public")
        expect(page.locator("main.consult h2")).to_contain_text("自看稿")
        expect(page.locator("#remark-law")).to_contain_text("您已登录")


def test_payloads_of_strangers(desk: Any, visit: Any) -> None:
    """Forty payloads as remarks, released with answers of the same: text before the public and in the planner's queue."""
    town, api, tokens = desk
    plan = opened(api, PAYLOADS[3][:60] + "稿")
    with sessions.session(town.settings) as session:
        session.execute(
            text(
                "INSERT INTO public_remark (plan_id, grid_code, body, revision, state, answer, answered_by, answered_at) "
                "SELECT :p, CASE WHEN n % 2 = 0 THEN g.code ELSE b END, b, 0, "
                "CASE WHEN n % 4 = 0 THEN 'held' ELSE 'released' END, b, b, now() "
                "FROM unnest(CAST(:all AS text[])) WITH ORDINALITY AS t (b, n), "
                "(SELECT code FROM grid WHERE plan_id = :p ORDER BY code LIMIT 1) g"
            ),
            {"p": plan, "all": list(PAYLOADS)},
        )
        session.execute(text("UPDATE grid SET name = :n WHERE plan_id = :p"), {"n": PAYLOADS[0], "p": plan})
    stranger = visit(town.url)
    page = watch(stranger)
    public_page(stranger, plan)
    expect(page.locator("[aria-labelledby=remarks] li")).to_have_count(30)
    page.fill("input[type=search]", "script")
    expect(page.locator(".hits button").first).to_be_visible()
    page.locator(".hits button").first.click()
    assert "onerror" in page.locator("body").inner_text()
    calm(page, stranger)
    with at_desk(visit, town.url, tokens["王规划"]) as planner:
        page = watch(planner)
        open_editor(planner, plan)
        page.click("#tab-talk")
        expect(page.locator("li[data-remark]")).to_have_count(10)
        assert "onload" in page.locator("#pane").inner_text()
        calm(page, planner)

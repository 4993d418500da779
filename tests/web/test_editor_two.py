"""Two planners in one draft, refused strokes, and people who may only look."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.web.at_plans import Api, accounts, at_desk, border, open_editor, saved, spot, stroke

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def tokens(town: Any, module_settings: Any) -> dict[str, str]:
    return accounts(module_settings)


@pytest.fixture
def wang(town: Any, tokens: dict[str, str]) -> Api:
    return Api(town.url, tokens["王规划"])


@pytest.fixture
def li(town: Any, tokens: dict[str, str]) -> Api:
    return Api(town.url, tokens["李规划"])


def give(api: Api, plan: int, unit: str, grid: str | None) -> None:
    revision = api("GET", f"/api/plans/{plan}")["revision"]
    body = {"unit_codes": [unit], "to_grid": grid, "revision": revision}
    api("PATCH", f"/api/plans/{plan}/units", body)


def expected(watched: Any, *statuses: str) -> None:
    """The browser notes every refused request on its console: these were meant."""
    watched.errors = [e for e in watched.errors if not any(s in e for s in statuses)]


def test_what_the_other_did_is_seen_within_seconds(town: Any, visit: Any, wang: Api, li: Api) -> None:
    plan = wang.draft("两人")
    ground = wang("GET", f"/api/plans/{plan}/ground")
    unit, _, _, target = border(wang, plan, ground)
    with at_desk(visit, town.url, wang.token) as watched:
        page = open_editor(watched, plan)
        give(li, plan, unit, target)
        expect(page.locator("[data-notice=others]")).to_contain_text("李规划", timeout=10_000)
        saved(page, 1)
        page.mouse.click(*spot(page, ground, unit))
        expect(page.locator("[role=option][aria-selected=true]")).to_have_attribute("data-grid", target)


def collide(page: Any, ground: dict[str, Any], beside: str, unit: str, meanwhile: Any) -> None:
    """A stroke of one unit whose request meets an edit that came between."""
    page.mouse.click(*spot(page, ground, beside))
    page.keyboard.press("b")
    page.get_by_role("button", name="一个单元").click()
    done: list[bool] = []

    def hold(route: Any) -> None:
        if not done and route.request.method == "PATCH":
            done.append(True)
            meanwhile()
        route.continue_()

    page.route("**/units", hold)
    page.route("**/changes?*", lambda route: route.continue_() if done else route.abort())
    stroke(page, [spot(page, ground, beside), spot(page, ground, unit)])


def test_other_ground_is_joined_without_a_question(town: Any, visit: Any, wang: Api, li: Api) -> None:
    plan = wang.draft("两处")
    ground = wang("GET", f"/api/plans/{plan}/ground")
    unit, _, beside, target = border(wang, plan, ground)
    held = wang.held(plan)
    other = next(u for u, g in held.items() if g not in (held[unit], target))
    with at_desk(visit, town.url, wang.token) as watched:
        page = open_editor(watched, plan)
        collide(page, ground, beside, unit, lambda: give(li, plan, other, None))
        saved(page, 2)
        after = wang.held(plan)
        assert after[unit] == target and after[other] is None
        expect(page.get_by_role("dialog")).to_have_count(0)
        expected(watched, "409", "ERR_FAILED")


@pytest.mark.parametrize("mine", [True, False])
def test_the_same_ground_asks_whose_shall_stand(
    town: Any, visit: Any, wang: Api, li: Api, mine: bool
) -> None:
    plan = wang.draft(f"同处 {mine}")
    ground = wang("GET", f"/api/plans/{plan}/ground")
    unit, _, beside, target = border(wang, plan, ground)
    with at_desk(visit, town.url, wang.token) as watched:
        page = open_editor(watched, plan)
        collide(page, ground, beside, unit, lambda: give(li, plan, unit, None))
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("李规划 抢先改了同一处")
        watched.accessible()
        dialog.locator(f"[data-choice={'mine' if mine else 'theirs'}]").click()
        saved(page, 2 if mine else 1)
        assert wang.held(plan)[unit] == (target if mine else None)
        expect(page.locator("[data-find=open]")).to_contain_text("0" if mine else "1")
        expected(watched, "409", "ERR_FAILED")


def test_a_refused_stroke_is_put_right(town: Any, visit: Any, wang: Api, li: Api) -> None:
    plan = wang.draft("退回")
    ground = wang("GET", f"/api/plans/{plan}/ground")
    unit, before, beside, _ = border(wang, plan, ground)
    with at_desk(visit, town.url, wang.token) as watched:
        page = open_editor(watched, plan)
        page.route(
            "**/units",
            lambda route: route.continue_(
                post_data=route.request.post_data.replace('"to_grid":"', '"to_grid":"gone-')
            ),
        )
        page.mouse.click(*spot(page, ground, beside))
        page.keyboard.press("b")
        page.get_by_role("button", name="一个单元").click()
        stroke(page, [spot(page, ground, beside), spot(page, ground, unit)])
        expect(page.locator("[data-notice=refused]")).to_contain_text("没有网格")
        page.unroute("**/units")
        page.keyboard.press("v")
        page.mouse.click(*spot(page, ground, unit))
        expect(page.locator("[role=option][aria-selected=true]")).to_have_attribute("data-grid", before)
        assert wang.held(plan)[unit] == before
        expected(watched, "422")


def test_a_stroke_survives_a_service_that_is_away(town: Any, visit: Any, wang: Api) -> None:
    plan = wang.draft("断线")
    ground = wang("GET", f"/api/plans/{plan}/ground")
    unit, _, beside, target = border(wang, plan, ground)
    with at_desk(visit, town.url, wang.token) as watched:
        page = open_editor(watched, plan)
        page.mouse.click(*spot(page, ground, beside))
        page.keyboard.press("b")
        page.get_by_role("button", name="一个单元").click()
        page.route("**/units", lambda route: route.abort())
        stroke(page, [spot(page, ground, beside), spot(page, ground, unit)])
        expect(page.locator("main.editor")).to_have_attribute("data-saved", "unsent")
        page.unroute("**/units")
        page.get_by_role("button", name="再试").click()
        saved(page, 1)
        assert wang.held(plan)[unit] == target
        expected(watched, "ERR_FAILED")


def test_a_supervisor_looks_and_comments_but_changes_nothing(
    town: Any, visit: Any, wang: Api, tokens: dict[str, str]
) -> None:
    plan = wang.draft("给大家看")
    ground = wang("GET", f"/api/plans/{plan}/ground")
    unit, grid, _, _ = border(wang, plan, ground)
    with at_desk(visit, town.url, tokens["赵网格长"]) as watched:
        page = watched.open("/plans")
        expect(page.get_by_role("button", name="新建草案")).to_have_count(0)
        expect(page.locator("li", has_text="给大家看").get_by_role("button")).to_have_text(["查看"])
        page = open_editor(watched, plan)
        expect(page.locator("div.bar")).to_contain_text("只读")
        expect(page.get_by_role("toolbar")).to_have_count(0)
        expect(page.get_by_role("button", name="批准")).to_have_count(0)
        page.mouse.click(*spot(page, ground, unit))
        expect(page.locator(".right h3")).to_be_visible()
        expect(page.locator("[data-act]")).to_have_count(0)
        for key in ("s", "x", "f", "n", "Control+z"):
            page.keyboard.press(key)
        page.get_by_role("tab", name="意见").click()
        page.locator("#remark").fill("这里应归北街，电话 13812345678。")
        page.get_by_role("button", name="发表").click()
        expect(page.locator("#pane li")).to_contain_text("赵网格长")
        expect(page.locator("#pane li")).not_to_contain_text("13812345678")
        watched.accessible()
    told = wang("GET", f"/api/plans/{plan}/comments")["comments"]
    assert [(c["author"], c["grid"]) for c in told] == [("赵网格长", grid)]
    assert wang("GET", f"/api/plans/{plan}")["revision"] == 0
    with at_desk(visit, town.url, wang.token) as watched:
        page = open_editor(watched, plan)
        page.get_by_role("tab", name="意见").click()
        page.get_by_role("button", name="答复").click()
        page.locator("#remark").fill("已改。")
        page.get_by_role("button", name="发表").click()
        expect(page.locator(".answer")).to_contain_text("已改。")


def test_a_phone_shows_the_plan_and_says_kindly_why_it_is_not_edited(
    town: Any, visit: Any, wang: Api
) -> None:
    plan = wang.draft("手机")
    with at_desk(visit, town.url, wang.token, phone=True) as watched:
        page = open_editor(watched, plan)
        expect(page.get_by_text("编辑需要更大的屏幕")).to_be_visible()
        expect(page.get_by_role("toolbar")).to_be_hidden()
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
        watched.accessible()

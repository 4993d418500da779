"""The planner's editor in a real browser on the real service: what is painted is what the service holds."""

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


def test_a_draft_begins_from_the_list(town: Any, visit: Any, wang: Api) -> None:
    with at_desk(visit, town.url, wang.token) as watched:
        page = watched.open("/plans")
        expect(page.get_by_role("heading", name="网格方案")).to_be_visible()
        expect(page.locator("section", has_text="现行").locator("li")).to_have_count(1)
        watched.accessible()
        page.get_by_role("button", name="新建草案").click()
        page.locator("input[name=name]").fill("从现行开始")
        page.get_by_role("button", name="建立").click()
        page.wait_for_selector(".editor-map")
        expect(page.locator(".bar h2")).to_have_text("从现行开始")
        page.locator(".back").click()
        row = page.locator("li", has_text="从现行开始")
        expect(row).to_contain_text("王规划")


def test_paint_undo_and_redo(town: Any, visit: Any, wang: Api) -> None:
    plan = wang.draft("涂")
    ground = wang("GET", f"/api/plans/{plan}/ground")
    unit, before, beside, target = border(wang, plan, ground)
    with at_desk(visit, town.url, wang.token) as watched:
        page = open_editor(watched, plan)
        page.mouse.click(*spot(page, ground, beside))
        expect(page.locator("[role=option][aria-selected=true]")).to_have_attribute("data-grid", target)
        page.keyboard.press("b")
        page.get_by_role("button", name="一个单元").click()
        stroke(page, [spot(page, ground, beside), spot(page, ground, unit)])
        saved(page, 1)
        assert wang.held(plan)[unit] == target
        expect(page.get_by_role("button", name="撤销")).to_be_enabled()
        page.keyboard.press("Control+z")
        saved(page, 2)
        assert wang.held(plan)[unit] == before
        page.keyboard.press("Control+Shift+z")
        saved(page, 3)
        assert wang.held(plan)[unit] == target
        watched.accessible()


def test_lasso_rectangle_and_community_pick_what_lies_inside(town: Any, visit: Any, wang: Api) -> None:
    plan = wang.draft("选")
    ground = wang("GET", f"/api/plans/{plan}/ground")
    unit, _, _, _ = border(wang, plan, ground)
    area = ground["area"][ground["codes"].index(unit)]
    with at_desk(visit, town.url, wang.token) as watched:
        page = open_editor(watched, plan)
        page.keyboard.press("w")
        page.mouse.click(*spot(page, ground, unit))
        expect(page.locator(".picked")).to_contain_text(f"选中 {ground['area'].count(area)} 个单元")
        page.keyboard.press("r")
        x, y = spot(page, ground, unit)
        stroke(page, [(x - 45, y - 45), (x + 45, y + 45)])
        inside = sum(
            abs(sx - x) <= 45 and abs(sy - y) <= 45
            for sx, sy in (spot(page, ground, code) for code in ground["codes"])
        )
        expect(page.locator(".picked")).to_contain_text(f"选中 {inside} 个单元")
        page.keyboard.press("l")
        stroke(
            page, [(x - 30, y - 30), (x + 30, y - 30), (x + 30, y + 30), (x - 30, y + 30), (x - 30, y - 28)]
        )
        expect(page.locator(".picked")).to_be_visible()
        page.keyboard.press("n")
        saved(page, 1)
        fresh = set(wang.held(plan).values()) - set(wang.held(1).values())
        assert len(fresh) == 1 and wang.held(plan)[unit] in fresh


def test_everything_by_keyboard(town: Any, visit: Any, wang: Api) -> None:
    plan = wang.draft("键盘")
    with at_desk(visit, town.url, wang.token) as watched:
        page = open_editor(watched, plan)
        page.locator(".editor-map canvas").focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(600)
        page.keyboard.press("Enter")
        expect(page.locator("#facts")).to_contain_text("单元")
        chosen = page.locator("[role=option][aria-selected=true]").get_attribute("data-grid")
        page.keyboard.press("x")
        saved(page, 1)
        expect(page.locator(".right h3")).to_contain_text("已锁定")
        page.keyboard.press("x")
        saved(page, 2)
        page.keyboard.press("s")
        saved(page, 3)
        assert len(set(wang.held(plan).values())) == len(set(wang.held(1).values())) + 1
        page.keyboard.press("Control+z")
        saved(page, 4)
        assert wang.held(plan) == wang.held(1)
        page.keyboard.press("?")
        expect(page.get_by_role("dialog")).to_contain_text("Ctrl")
        watched.accessible()
        page.keyboard.press("Escape")
        assert chosen in wang.held(plan).values()

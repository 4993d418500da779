"""A planner's whole way in the browser, on the real service with its worker: propose, edit, take back, compare, approve."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect

from tests.api.at_work import working
from tests.web.at_plans import Api, accounts, at_desk, border, open_editor, saved, spot, stroke

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def worked(town: Any, module_settings: Any) -> Iterator[dict[str, str]]:
    """Everybody's tokens, while a worker does the jobs."""
    with working(module_settings):
        yield accounts(module_settings)


def undo_to_the_start(page: Page, revision: int) -> int:
    """Presses undo until there is nothing left; the revision after it."""
    undo = page.get_by_role("button", name="撤销")
    while undo.is_enabled():
        page.keyboard.press("Control+z")
        revision += 1
        saved(page, revision)
    return revision


def test_from_proposal_to_approval(town: Any, visit: Any, worked: dict[str, str]) -> None:
    wang, li = Api(town.url, worked["王规划"]), Api(town.url, worked["李规划"])
    with at_desk(visit, town.url, wang.token) as watched:
        page = watched.open("/plans")
        plan = propose(watched, page)
        ground = wang("GET", f"/api/plans/{plan}/ground")
        first = wang.held(plan)
        page.wait_for_selector("body[data-ready=true]")
        revision = edit(page, wang, plan, ground)
        edited = wang.held(plan)
        assert edited != first
        after = undo_to_the_start(page, revision)
        assert after == 2 * revision and wang.held(plan) == first
        for step in range(revision):
            page.keyboard.press("Control+Shift+z")
            saved(page, after + step + 1)
        assert wang.held(plan) == edited
        cut(page, wang, plan)
        compare(watched, page, plan)
        refused_to_oneself(watched, page, plan)
    with at_desk(visit, town.url, li.token) as watched:
        approve(watched, open_editor(watched, plan), li, plan)


def propose(watched: Any, page: Page) -> int:
    """Three choices; the first is opened."""
    page.get_by_role("button", name="让引擎提案").click()
    page.locator("input[name=name]").fill("明年")
    page.locator("input[name=grids]").fill("20")
    expect(page.locator("select[name=choices]")).to_have_value("3")
    watched.accessible()
    page.get_by_role("button", name="开始提案").click()
    expect(page.locator("[data-choice]")).to_have_count(3, timeout=180_000)
    expect(page.locator("figure circle")).to_have_count(3)
    expect(page.get_by_role("heading", name="任何方案都做不到更好")).to_be_visible()
    watched.accessible()
    chosen = page.locator("[data-choice]").first
    plan = int(chosen.get_attribute("data-choice") or "")
    chosen.get_by_role("button", name="打开并编辑").click()
    page.wait_for_selector("main.editor:has-text('明年') .editor-map")
    return plan


def edit(page: Page, wang: Api, plan: int, ground: dict[str, Any]) -> int:
    """Paint, split, merge, lock: four acts, each checked in what the service holds."""
    unit, _, beside, target = border(wang, plan, ground)
    page.mouse.click(*spot(page, ground, beside))
    page.keyboard.press("b")
    page.get_by_role("button", name="一个单元").click()
    stroke(page, [spot(page, ground, beside), spot(page, ground, unit)])
    saved(page, 1)
    assert wang.held(plan)[unit] == target
    page.locator("[data-act=split]").click()
    saved(page, 2)
    assert len(set(wang.held(plan).values())) == 21
    page.locator("#merge-with").focus()
    other = page.locator("#merge-with").input_value()
    page.locator("[data-act=merge]").click()
    saved(page, 3)
    assert other not in wang.held(plan).values()
    page.locator("[data-act=lock]").click()
    saved(page, 4)
    return 4


def cut(page: Page, wang: Api, plan: int) -> None:
    """A line across a unit cuts it; its parts stay where it was."""
    ground = wang("GET", f"/api/plans/{plan}/ground")
    held, n = wang.held(plan), len(ground["codes"])
    locked = {row for row in held.values() if row is not None} - unlocked(wang, plan)
    middle = page.viewport_size or {"width": 0, "height": 0}
    large = [c for c, m2 in zip(ground["codes"], ground["area_m2"], strict=True) if m2 > 30_000]
    code = min(
        (c for c in large if held[c] not in locked),
        key=lambda c: (
            abs(spot(page, ground, c)[0] - middle["width"] / 2)
            + abs(spot(page, ground, c)[1] - middle["height"] / 2)
        ),
    )
    x, y = spot(page, ground, code)
    page.keyboard.press("v")
    page.keyboard.press("Escape")  # nothing picked: the unit under the line is meant
    page.keyboard.press("c")
    stroke(page, [(x - 70, y - 3), (x, y), (x + 70, y + 3)])
    expect(page.locator("[data-notice=done]")).to_contain_text(code)
    after = wang("GET", f"/api/plans/{plan}/ground")
    assert len(after["codes"]) == n + 1 and code not in after["codes"]


def unlocked(wang: Api, plan: int) -> set[str]:
    """Codes of grids that may be changed."""
    table = wang("GET", f"/api/plans/{plan}/grids")
    return {code for code, held in zip(table["codes"], table["locked"], strict=True) if not held}


def compare(watched: Any, page: Page, plan: int) -> None:
    """Beside the plan in force: who changes hands, scores, the cases of a year under both, the statement."""
    page.get_by_role("link", name="比较").click()
    page.wait_for_selector(".pair canvas >> nth=1")
    expect(page.locator(".facts")).to_contain_text("个网格交出地块")
    expect(page.locator("#cpane table tbody tr").first).to_be_visible()
    watched.accessible()
    page.get_by_role("button", name="卷帘").click()
    page.locator("input[type=range]").fill("30")
    page.get_by_role("button", name="差异").click()
    page.get_by_role("tab", name="评分").click()
    expect(page.locator("#cpane")).to_contain_text("基尼系数")
    page.get_by_role("tab", name="回放案件").click()
    expect(page.locator("#cpane")).to_contain_text("件案件")
    href = page.get_by_role("link", name="影响说明网页").get_attribute("href") or ""
    answer = page.context.request.get(watched.base + href)
    assert answer.ok and "明年" in answer.text()
    page.locator(".back").click()
    page.wait_for_selector(".editor-map")


def refused_to_oneself(watched: Any, page: Page, plan: int) -> None:
    """Who made a plan does not approve it: said in words."""
    page.get_by_role("button", name="批准").click()
    expect(page.locator("dialog li.good").first).to_be_visible()
    expect(page.locator("dialog")).to_contain_text("受影响的范围")
    watched.accessible()
    page.locator("dialog").get_by_role("button", name="批准，自").click()
    expect(page.locator("dialog .problem-text")).to_be_visible()
    watched.errors = [e for e in watched.errors if "403" not in e and "409" not in e and "422" not in e]
    page.keyboard.press("Escape")


def approve(watched: Any, page: Page, li: Api, plan: int) -> None:
    """A second person puts it into force from the first of next month."""
    page.get_by_role("button", name="批准").click()
    today = dt.datetime.now(ZoneInfo("Asia/Shanghai")).date()
    first = (today.replace(day=1) + dt.timedelta(days=32)).replace(day=1)
    expect(page.locator("input[name=from]")).to_have_value(first.isoformat())
    page.locator("dialog").get_by_role("button", name="批准，自").click()
    expect(page.locator("[data-approved]")).to_be_visible()
    held = li("GET", f"/api/plans/{plan}")
    assert (held["state"], held["valid_from"]) == ("approved", first.isoformat())
    page.get_by_role("button", name="全部方案").click()
    expect(page.locator("section", has_text="已批准，待生效").locator("li")).to_contain_text("明年")
    watched.accessible()

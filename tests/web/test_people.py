"""Signing in and the page of people in a real browser: keyboard, errors, limits, secrets shown once, the record of acts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import text

from api import auth
from geo.db import session as sessions

pytestmark = pytest.mark.browser
PAYLOAD = "<img src=x onerror=alert(1)>"
PASSWORD = "seven brown tables"


@pytest.fixture
def staffed(town: Any) -> Iterator[Any]:
    """The town with a root of its own, nothing counted."""
    with sessions.session(town.settings) as session:
        session.execute(text("DELETE FROM attempt"))
        session.execute(text("DELETE FROM app_user WHERE name <> 'tester'"))
        auth.add_user(session, "根", password=PASSWORD)
    yield town


def sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    page.click("header button:has-text('登录'), header button:has-text('Sign in')")
    page.fill("#sign-in-name", name)
    page.fill("#sign-in-password", password)
    page.click("dialog button.primary")
    expect(page.locator("dialog")).to_have_count(0)
    expect(page.locator("header .opener")).to_contain_text(name)


def people(watched: Any, path: str = "/people") -> Page:
    """The page of people as root."""
    page: Page = watched.open("/")
    sign_in(page, "根")
    page.goto(watched.base + path)
    return page


def test_by_keyboard_alone(staffed: Any, visit: Any) -> None:
    watched = visit(staffed.url)
    page = watched.open("/")
    page.locator("header button:has-text('登录')").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#sign-in-name")).to_be_focused()
    watched.accessible()
    page.keyboard.type("根")
    page.keyboard.press("Tab")
    expect(page.locator("#sign-in-password")).to_be_focused()
    page.keyboard.type("wrong password")
    page.keyboard.press("Enter")
    expect(page.locator("dialog [role=alert]")).to_have_text("用户名或密码不对。")
    expect(page.locator("#sign-in-password")).to_be_focused()
    watched.errors.clear()  # the browser itself notes the 401
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # the button that shows it
    expect(page.locator("#sign-in-password")).to_have_attribute("type", "text")
    page.locator("#sign-in-password").focus()
    page.keyboard.press("Enter")
    expect(page.locator("dialog")).to_have_count(0)
    page.locator("header .opener").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#account-menu")).to_contain_text("管理员 · 全市")
    page.keyboard.press("Escape")
    expect(page.locator("#account-menu")).to_have_count(0)
    expect(page.locator("header .opener")).to_be_focused()
    watched.clean()


def test_tabs_by_arrow_keys_and_escape(staffed: Any, visit: Any) -> None:
    page = visit(staffed.url).open("/?lang=en")
    page.click("header button:has-text('Sign in')")
    page.locator("#way-name").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#way-token")).to_be_focused()
    expect(page.locator("#sign-in-token")).to_be_visible()
    page.fill("#sign-in-token", staffed.token)
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    assert page.context.cookies() == []


def test_too_many_tries_say_how_long(staffed: Any, visit: Any) -> None:
    watched = visit(staffed.url)
    page = watched.open("/?lang=en")
    page.click("header button:has-text('Sign in')")
    for _ in range(11):
        page.fill("#sign-in-name", "根")
        page.fill("#sign-in-password", "wrong password")
        with page.expect_response("**/api/session"):
            page.click("dialog button.primary")
        expect(page.locator("dialog [role=alert]")).to_be_visible()
    expect(page.locator("dialog [role=alert]")).to_contain_text("Too many sign-ins")
    button = page.locator("dialog button.primary")
    expect(button).to_have_text(re.compile(r"Try again in \d+ s"))
    expect(button).to_be_disabled()


def test_own_password(staffed: Any, visit: Any) -> None:
    watched, other = visit(staffed.url), visit(staffed.url)
    page, elsewhere = watched.open("/"), other.open("/")
    sign_in(page, "根")
    sign_in(elsewhere, "根")
    page.click("header .opener")
    page.click("#account-menu button:has-text('修改密码')")
    watched.accessible()
    page.fill("#own-old", PASSWORD)
    page.fill("#own-new", "short")
    page.click("dialog button.primary")
    expect(page.locator("dialog [role=alert]")).to_contain_text("10 至 200")
    watched.errors.clear()
    page.fill("#own-new", "nine grey windows")
    page.click("dialog button.primary")
    expect(page.locator("dialog [role=status]")).to_contain_text("密码已修改")
    page.click("dialog .actions button")
    page.reload()
    expect(page.locator("header .opener")).to_contain_text("根")
    for _ in range(20):  # a service of several workers remembers tokens for 15 seconds
        elsewhere.reload()
        other.ready()
        if elsewhere.locator("header button:has-text('登录')").is_visible():
            break
        elsewhere.wait_for_timeout(1_000)
    expect(elsewhere.locator("header button:has-text('登录')")).to_be_visible()
    watched.clean()


@pytest.mark.parametrize(("lang", "phone"), [("zh", False), ("en", True)])
def test_a_supervisor_is_added_signs_in_and_is_shut_out(
    staffed: Any, visit: Any, lang: str, phone: bool
) -> None:
    name = f"李{PAYLOAD}{lang}"
    watched, theirs = (
        visit(staffed.url, phone=phone, permissions=["clipboard-read", "clipboard-write"]),
        visit(staffed.url),
    )
    page = people(watched, f"/people?lang={lang}")
    page.locator(".head button.primary").click()
    page.fill("#new-name", name)
    expect(page.locator("dialog button.primary")).to_be_disabled()  # no area yet
    page.select_option("#new-area", "900100001")
    watched.accessible()
    page.click("dialog button.primary")
    secret = page.text_content(".secret code")
    assert secret and re.fullmatch(r"\w{4}(-\w{4}){3}", secret)
    page.click(".secret button")
    expect(page.locator(".secret button")).to_have_text(re.compile("已复制|Copied"))
    assert page.evaluate("() => navigator.clipboard.readText()") == secret
    page.click("dialog .actions button")
    expect(page.locator("dialog")).to_have_count(0)  # closing is told to the page a moment later
    assert secret not in page.content()
    row = page.locator("tbody tr", has_text=name)
    expect(row).to_contain_text("900100001社区")

    theirs_page = theirs.open("/")
    sign_in(theirs_page, name, secret)
    theirs_page.click("header .opener")
    expect(theirs_page.locator("#account-menu")).to_contain_text("网格长 · 900100001社区")
    theirs_page.goto(theirs.base + "/people")
    expect(theirs_page.locator("main")).to_contain_text("无权查看")

    row.locator("button").click()
    page.click("dialog .pair button")
    token = page.text_content(".secret code")
    assert token and token.startswith("wg_")
    assert staffed.json("/api/session", token=token)["name"] == name
    expect(page.locator("dialog li")).to_have_count(1)
    watched.accessible()
    page.select_option("#user-role", "planner")
    page.locator("dialog section").first.locator("button").click()
    expect(page.locator("dialog .said")).to_be_visible()
    expect(row).to_contain_text("规划" if lang == "zh" else "Planner")
    page.locator("dialog button.danger").click()
    page.locator("dialog button.danger").click()
    expect(row).to_contain_text("停用" if lang == "zh" else "Disabled")
    theirs_page.goto(theirs.base + "/")
    expect(theirs_page.locator("header button:has-text('登录')")).to_be_visible()
    if phone:
        page.keyboard.press("Escape")
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    watched.clean()
    theirs.clean()


def test_the_last_admin_is_kept_and_the_page_says_why(staffed: Any, visit: Any) -> None:
    with sessions.session(staffed.settings) as session:
        session.execute(text("UPDATE app_user SET role = 'planner' WHERE name = 'tester'"))
    try:
        watched = visit(staffed.url)
        page = people(watched)
        page.locator("tbody tr", has_text="根").locator("button").click()
        page.locator("dialog button.danger").click()
        page.locator("dialog button.danger").click()
        expect(page.locator("dialog [role=alert]").first).to_contain_text("最后一名管理员")
    finally:
        with sessions.session(staffed.settings) as session:
            session.execute(text("UPDATE app_user SET role = 'admin' WHERE name = 'tester'"))


def test_the_record_of_acts(staffed: Any, visit: Any) -> None:
    watched = visit(staffed.url)
    page = people(watched, "/people/audit")
    expect(page.locator(".chain")).to_contain_text("记录完好")
    page.click(
        "header .opener"
    )  # here, not over the map: what the menu covers there counts as too small to hit
    watched.accessible()
    page.keyboard.press("Escape")
    page.select_option("#audit-who", "根")
    expect(page.locator("tbody .who", has_text="operator")).to_have_count(0)
    expect(page.locator("tbody tr").first).to_contain_text("登录")
    assert set(page.locator("tbody .who").all_text_contents()) == {"根"}
    with sessions.session(
        staffed.settings
    ) as session:  # behind the service's back, as somebody who owns the database
        session.execute(text("ALTER TABLE audit DISABLE TRIGGER ALL"))
        number = session.scalar(
            text("UPDATE audit SET what = '{\"x\": 1}' WHERE seq = 2 RETURNING what::text || id")
        )
        session.execute(text("ALTER TABLE audit ENABLE TRIGGER ALL"))
    assert number
    page.click(".chain button")
    expect(page.locator(".chain.broken")).to_contain_text("第 2 号")
    watched.clean()


@pytest.mark.parametrize("code", ["oidc-failed", "oidc-unknown", "oidc-no-role", "nonsense<script>"])
def test_what_single_sign_on_sends_back(staffed: Any, visit: Any, code: str) -> None:
    watched = visit(staffed.url)
    page = watched.open(f"/?signin={code}")
    expect(page.locator("dialog [role=alert]")).to_be_visible()
    assert "nonsense" not in (page.text_content("dialog") or "")
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    watched.clean()

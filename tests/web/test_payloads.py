"""Forty payloads stand in every text field there is; every page shows them as text, nothing fires, the CSP has nothing to say."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.db import session as sessions
from geo.db.versions import bump
from tests.web.at_plans import at_desk
from tests.web.payloads import PAYLOADS

pytestmark = pytest.mark.browser

WATCH = """
window.__csp = [];
addEventListener('securitypolicyviolation', e => window.__csp.push(e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sample));
"""
FIELDS = (  # each row of each field gets the next payload
    "UPDATE cases SET description = {p}, responsible_body = {p}, repeat_of = {p}, source_case_id = source_case_id || {p}, "
    "attributes = jsonb_build_object({p}, {p}) WHERE {n}",
    "UPDATE category SET name = left({p}, 200), name_en = left({p}, 200) WHERE {n}",
    "UPDATE boundary SET name = {p} WHERE {n}",
    "UPDATE grid SET name = {p} WHERE {n}",
    "UPDATE facility SET name = {p} WHERE {n}",
    "UPDATE load_run SET file_name = {p}, source = {p}, crs = {p} WHERE {n}",
    "UPDATE source SET name = {p} WHERE {n}",
)
MORE = (
    "UPDATE city SET name = {p}",
    "INSERT INTO app_user (name, role) SELECT {p}, 'planner' FROM generate_series(0, 39) AS s (id)",
    "INSERT INTO plan (name, author) SELECT left({p}, 80), {p} FROM generate_series(0, 39) AS s (id)",
    'INSERT INTO reject (load_run_id, row, "column", value, code, why_zh, why_en, do_zh, do_en, original) SELECT '
    "(SELECT max(id) FROM load_run), id + 2, {p}, left({p}, 80), 'x', {p}, {p}, {p}, {p}, jsonb_build_object({p}, {p}) "
    "FROM generate_series(0, 39) AS s (id)",
    "INSERT INTO audit (who, act, what) SELECT {p}, {p}, jsonb_build_object('plan', {p}, {p}, {p}) "
    "FROM generate_series(0, 39) AS s (id)",
    "INSERT INTO job (kind, state, author, params, problem) SELECT 'export', 'failed', 'tester', jsonb_build_object('layer', "
    "{p}, 'format', {p}), jsonb_build_object('code', 'x', 'zh', {p}, 'en', {p}, 'do_zh', {p}, 'do_en', {p}) "
    "FROM generate_series(0, 39) AS s (id)",
)


def poison(session: Session) -> None:
    """Writes the payloads as the owner, past what the loaders would have refused."""
    word = "(CAST(:all AS text[]))[1 + CAST(id AS int) % 40]"
    session.execute(text("ALTER TABLE grid DISABLE TRIGGER USER"))
    for statement in FIELDS:
        session.execute(text(statement.format(p=word, n="id IS NOT NULL")), {"all": list(PAYLOADS)})
    session.execute(text("ALTER TABLE grid ENABLE TRIGGER USER"))
    for statement in MORE:
        session.execute(text(statement.format(p=word, n="")), {"all": list(PAYLOADS)})
    bump(session, "city", "cases", "boundaries", "plans", "drafts", "facilities")


@pytest.fixture(scope="module")
def poisoned(town: Any) -> dict[str, Any]:
    """The town with payloads everywhere, and a draft with a remark of each."""
    with sessions.session(town.settings, "owner") as session:
        poison(session)
        draft = session.scalar(
            text(
                "INSERT INTO plan (name, author, based_on_id, nesting) SELECT :n, :n, id, nesting FROM plan "
                "WHERE state = 'approved' RETURNING id"
            ),
            {"n": PAYLOADS[3] + " 稿"},
        )
        copied = {"d": draft}
        session.execute(
            text(
                "INSERT INTO grid (plan_id, code, name, area_code, geom, area_m2, perimeter_m) SELECT :d, code, name, area_code, "
                "geom, area_m2, perimeter_m FROM grid WHERE plan_id = (SELECT id FROM plan WHERE state = 'approved')"
            ),
            copied,
        )
        session.execute(
            text(
                "INSERT INTO plan_unit (plan_id, unit_id, grid_id) SELECT :d, u.unit_id, g.id FROM plan_unit u JOIN grid o ON "
                "o.id = u.grid_id JOIN grid g ON g.plan_id = :d AND g.code = o.code "
                "WHERE u.plan_id = (SELECT id FROM plan WHERE state = 'approved')"
            ),
            copied,
        )
        for one in PAYLOADS:
            session.execute(
                text("INSERT INTO plan_comment (plan_id, body, author, revision) VALUES (:d, :p, :p, 0)"),
                {"d": draft, "p": one},
            )
        run = session.scalar(text("SELECT max(id) FROM load_run"))
        bump(session, "drafts")
    return {"draft": draft, "run": run}


def calm(page: Page, watched: Any) -> None:
    """Nothing ran, nothing was asked for, and the policy had nothing to forbid."""
    assert page.evaluate("window.__fired") is None
    assert page.evaluate("window.__csp") == []
    assert watched.asked == []
    watched.clean()


def watch(watched: Any) -> Page:
    page: Page = watched.page
    page.add_init_script(WATCH)
    watched.asked = []
    page.on("request", lambda r: watched.asked.append(r.url) if "/xss" in r.url else None)
    return page


@pytest.mark.parametrize(
    ("lang", "by"), [("zh", "grid"), ("en", "grid"), ("zh", "community"), ("en", "street")]
)
def test_the_map_page(town: Any, visit: Any, poisoned: Any, lang: str, by: str) -> None:
    with at_desk(visit, town.url, town.token) as watched:
        page = watch(watched)
        watched.open(f"/?lang={lang}&by={by}&period=all")
        for i in range(2):
            page.locator("ul[role=listbox] li.zone").nth(i).click()
            expect(page.locator("#zone-name")).to_be_visible()
            watched.settle()
        if by == "grid":
            page.locator(".cases li").first.click()
            page.wait_for_timeout(500)
            assert "onerror" in page.locator("body").inner_text()
        calm(page, watched)


@pytest.mark.parametrize(
    "path", ["/plans", "/plans/{draft}", "/loads", "/loads/{run}", "/exports", "/people"]
)
def test_the_other_pages(town: Any, visit: Any, poisoned: Any, path: str) -> None:
    with at_desk(visit, town.url, town.token) as watched:
        page = watch(watched)
        watched.open(path.format(**poisoned), ready=False)
        expect(page.locator("main")).to_be_visible()
        page.wait_for_timeout(3000)  # some pages go on asking, so none is ever idle
        shown = page.locator("body").inner_text()
        assert any(one in shown for one in PAYLOADS), shown[:2000]
        calm(page, watched)


def test_files_that_are_pages(town: Any, visit: Any, poisoned: Any) -> None:
    """The report and the impact statement, opened from a disk without the service's own policy."""
    with at_desk(visit, town.url, town.token) as watched:
        asked = watched.page.context.request
        headers = {"X-Requested-With": "wangge"}
        made = asked.post(
            f"{town.url}/api/reports", data={"format": "html", "view": {"by": "grid"}}, headers=headers
        )
        plan = poisoned["draft"]
        impact = asked.get(f"{town.url}/api/plans/current/impact?with={plan}&format=html")
        for answer in (made, impact):
            assert answer.ok, answer.text()[:300]
            page = watch(watched)
            page.set_content(answer.text())
            page.wait_for_timeout(500)
            assert "onerror" in page.locator("body").inner_text()
            assert page.evaluate("window.__fired") is None
            assert watched.asked == []
        watched.errors.clear()

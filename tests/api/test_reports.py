"""`POST /api/reports`: the three forms opened again, equal to the answers of the interface, audited, refused to the public."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

import openpyxl
import pypdfium2
import pytest
from playwright.sync_api import Browser, sync_playwright
from sqlalchemy import text

from api import view_data
from geo.db import session as sessions
from maps.reports.paper import chinese_font
from tests.web.conftest import AXE, AXE_RUN

VIEW = {"by": "grid", "measure": "cases", "from": "2024-03-01", "to": "2024-04-01"}


def ask(town: Any, form: str, view: dict[str, Any] | None = None, **more: Any) -> Any:
    body = {"format": form, "view": VIEW if view is None else view, **more.pop("body", {})}
    headers = {**town.admin, **more.pop("headers", {})}
    return town.ask("POST", "/api/reports", json=body, headers=headers, **more)


def audit(town: Any) -> list[Any]:
    with sessions.session(town.settings, "owner") as session:
        return list(session.execute(text("SELECT who, what FROM audit WHERE act = 'report' ORDER BY id")))


def sheets(answer: Any) -> dict[str, list[list[Any]]]:
    assert answer.status_code == 200, answer.text
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    return {sheet.title: [[cell.value for cell in row] for row in sheet.iter_rows()] for sheet in book}


def test_a_workbook_says_what_the_interface_says(town: Any) -> None:
    found = sheets(ask(town, "xlsx", headers={"Accept-Language": "en"}))
    assert list(found) == ["Summary", "Ranking", "Trend", "Weekday hour", "About"]
    query = "from=2024-03-01&to=2024-04-01"
    strip = town.staff(f"/api/summary?{query}").json()["figures"]
    for row, figure in zip(found["Summary"][1:], strip, strict=True):
        assert row[1] == figure["unit"]
        wanted = [figure[key] for key in ("value", "n", "low", "high")]
        assert row[2:6] == pytest.approx(wanted, rel=1e-12)
        assert row[7:9] == pytest.approx([figure["previous"], figure["previous_n"]], rel=1e-12)
    ranked = town.staff(f"/api/indicators?by=grid&{query}").json()
    rows = {row[0]: row for row in found["Ranking"][1:]}
    assert list(rows) != ranked["codes"]  # the highest first
    for at, code in enumerate(ranked["codes"]):
        keys = ("names", "values", "n", "low", "high", "rank", "rank_low", "rank_high", "group", "posts")
        wanted = [ranked[key][at] for key in keys]
        assert rows[code][1] == wanted[0]
        assert rows[code][2:] == pytest.approx(wanted[1:], rel=1e-12)
    assert [row[2] for row in found["Ranking"][1:]] == sorted(ranked["values"], reverse=True)
    matrix = town.staff(f"/api/matrix?{query}").json()
    assert [row[1:25] for row in found["Weekday hour"][1:]] == matrix["values"]
    series = town.staff(f"/api/series?{query}&bucket=day").json()
    assert [row[1] for row in found["Trend"][1:]] == series["n"]
    about = {row[0]: row[1] for row in found["About"]}
    assert about["In zones"] + about["Unplaced"] + about["Outside"] == about["Total"] == matrix["total"]
    assert about["Made by"] == "tester"
    assert about["Mind"] == "SYNTHETIC DATA"


def test_chosen_zones_are_seen_together(town: Any) -> None:
    view = {
        **VIEW,
        "by": "community",
        "code": ["C00", "C11"],
        "versus": "last-year",
        "measure": "satisfied_share",
    }
    found = sheets(ask(town, "xlsx", view))
    assert list(found) == ["概要", "排名", "走势", "星期时刻", "说明"]
    query = "from=2024-03-01&to=2024-04-01&by=community&code=C00&code=C11"
    total = town.staff(f"/api/summary?{query}").json()["total"]
    assert found["概要"][1][2] == total
    assert sum(row[1] for row in found["走势"][1:]) == total
    assert sum(sum(row[1:25]) for row in found["星期时刻"][1:]) == total
    assert found["概要"][1][7] is None
    assert "早于数据" in found["概要"][1][11]
    page = ask(town, "html", view).text
    assert "▶ 社区00" in page
    assert "合成数据" in page


def test_paper(town: Any) -> None:
    try:
        chinese_font()
    except Exception:
        pytest.skip("no Chinese font on this machine (apt-get install fonts-noto-cjk)")
    for language, words in (
        ("zh", ("小城案件报告", "合成数据", "上期", "名次范围", "星期×时刻", "有多大把握", "网格")),
        ("en", ("casereport", "SYNTHETICDATA", "Rankrange", "Howsure", "Weekday×hour")),
    ):
        answer = ask(town, "pdf", body={"lang": language})
        assert answer.headers["content-type"] == "application/pdf"
        assert answer.headers["content-language"] == language
        assert re.fullmatch(
            r'attachment; filename="wangge-report-\d{4}-\d\d-\d\d\.pdf"',
            answer.headers["content-disposition"],
        )
        document = pypdfium2.PdfDocument(answer.content)
        said = re.sub(r"\s+", "", "".join(p.get_textpage().get_text_range() for p in document))
        for word in words:
            assert word in said, word
        total = town.staff("/api/summary?from=2024-03-01&to=2024-04-01").json()["total"]
        assert f"{total:,}" in said
        width, height = document[0].get_size()
        assert (round(width), round(height)) == (595, 842)


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.mark.parametrize(
    "view", [VIEW, {"by": "hexagon:8", "measure": "per_km2"}, {"by": "street", "measure": "open"}]
)
def test_the_page_opens_alone(town: Any, browser: Browser, tmp_path: Any, view: dict[str, Any]) -> None:
    file = tmp_path / "report.html"
    file.write_bytes(ask(town, "html", view).content)
    page = browser.new_page(viewport={"width": 390, "height": 844})
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(file.as_uri())
    assert asked == [file.as_uri()]
    assert said == []
    assert page.locator(".card").count() == 7
    assert page.locator("table.matrix tbody td").count() == 7 * 24
    assert page.locator("figure svg path").count() > 3
    assert page.locator(".legend span").count() >= 1
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.close()


@pytest.mark.parametrize("width", [390, 1200])
def test_the_page_is_accessible(town: Any, browser: Browser, tmp_path: Any, width: int) -> None:
    if not AXE.is_file():
        pytest.skip("no axe-core (python hatch_build.py build)")
    file = tmp_path / "report.html"
    file.write_bytes(ask(town, "html").content)
    context = browser.new_context(viewport={"width": width, "height": 844}, bypass_csp=True)
    page = context.new_page()
    page.goto(file.as_uri())
    page.add_script_tag(path=AXE)
    assert page.evaluate(AXE_RUN) == []
    context.close()


def test_it_is_in_the_audit_and_only_when_it_was_made(town: Any) -> None:
    before = len(audit(town))
    assert ask(town, "html").status_code == 200
    made = audit(town)[before:]
    assert len(made) == 1
    assert made[0].who == "tester"
    assert made[0].what["rows"] == 20
    assert made[0].what["k"] is None
    assert made[0].what["format"] == "html"
    assert (made[0].what["from"], made[0].what["to"]) == ("2024-03-01", "2024-04-01")
    assert ask(town, "html", {**VIEW, "plan": "nope"}).status_code == 404
    assert len(audit(town)) == before + 1
    key = {"Idempotency-Key": "report-1"}
    first, again = (ask(town, "xlsx", headers=key) for _ in range(2))
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    assert len(audit(town)) == before + 2


def test_the_public_gets_none(town: Any) -> None:
    assert town.ask("POST", "/api/reports", json={"format": "html", "view": VIEW}).status_code == 401


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"format": "docx"}, 400, "format"),
        ({"view": {"measure": "joy"}}, 400, "measure"),
        ({"view": {"colour": "red"}}, 400, "colour"),
        ({"view": {"from": "2024-13-01"}}, 400, "from"),
        ({"view": {"from": "2024-02-01", "to": "2024-01-01"}}, 400, "to"),
        ({"view": {"by": "nope"}}, 404, None),
        ({"view": {"by": "grid", "code": ["nope"]}}, 404, "code"),
        ({"view": {"category": ["nope"]}}, 400, "category"),
        ({"view": {"by": "grid\u0000"}}, 400, None),
        ([], 400, None),
    ],
)
def test_refusals(town: Any, body: Any, status: int, field: str | None) -> None:
    answer = town.ask("POST", "/api/reports", json=body, headers=town.admin)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    if field is not None:
        assert answer.json()["field"].removeprefix("view.") == field


def test_a_map_of_too_many_zones_is_refused(town: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view_data, "MOST_ZONES", 19)
    answer = ask(town, "html")
    assert answer.status_code == 400
    assert answer.json()["field"] == "view.by"
    assert answer.json()["type"].endswith("too-many-zones")
    assert ask(town, "html", {**VIEW, "by": "community"}).status_code == 200


def test_a_name_that_would_run_is_text(town: Any) -> None:
    """A category with a payload for its name, in page and workbook."""
    with sessions.session(town.settings, "owner") as session:
        session.execute(text("UPDATE city SET name = :n"), {"n": "=1+1<img src=x onerror=alert(1)>"})
    try:
        page = ask(town, "html").text
        assert "<img" not in page
        assert "&lt;img" in page
        found = sheets(ask(town, "xlsx"))
        assert found["说明"][1][1] == "'=1+1<img src=x onerror=alert(1)>"
    finally:
        with sessions.session(town.settings, "owner") as session:
            session.execute(text("UPDATE city SET name = '小城'"))

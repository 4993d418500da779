"""A report of a view as page, paper and workbook: whatever a name holds, nothing runs, nothing leaves, all of it is there."""

from __future__ import annotations

import datetime as dt
import io
import re

import numpy as np
import openpyxl
import pypdfium2
import pytest
import shapely

from geo.errors import RefusedArgument
from maps.reports import (
    Card,
    Picture,
    Section,
    Shaded,
    Sheet,
    Table,
    Trend,
    ViewReport,
    view_html,
    view_pdf,
    workbook,
)
from maps.reports.charts import bars
from maps.reports.drawing import Scene, draw
from maps.reports.paper import chinese_font

NASTY = '<script>alert(1)</script> {{ 7*7 }} #import "x" $x$ [*a*] \\ & "'


def report(name: str = "望江社区第3网格", rows: int = 12) -> ViewReport:
    areas = np.array(
        [shapely.box(121.4 + i / 100, 31.2, 121.408 + i / 100, 31.21) for i in range(4)], dtype=object
    )
    svg, _ = draw(Scene(areas, ["#fdd", "#f88", "#c33", "#611"]))
    cells = tuple((str(h), "#f8a837", "#1f2933") for h in range(24))
    ranked = tuple((name, f"C{i}", "5") for i in range(rows))
    week = tuple((f"周{d}", cells) for d in "一二三四五六日")
    return ViewReport(
        lang="zh",
        title=f"{name} 案件报告",
        subtitle="由 王芳 生成",
        badge="合成数据",
        facts=(("时段", name),),
        strip_title=name,
        cards=tuple(Card(f"{name}{i}", "1,234", "95 %：1–2", "上期 3") for i in range(7)),
        map_title="地图",
        picture=Picture(svg, (("#fdd", "1–5（2 个，n = 9）"),), name),
        trend=Trend(bars([3, 5, 0]), "5", ("甲", "乙", "丙"), "走势", name),
        matrix=Shaded("星期 × 时刻", ("", *(str(h) for h in range(24))), week, (), name),
        ranking=Section("排名", Table(("名称", "编码", "数值"), ranked, words=2), note=name),
        notes=Section("有多大把握", lines=(name, "二")),
        footer="Wangge",
    )


@pytest.fixture(scope="module")
def font() -> str:
    try:
        return chinese_font()
    except RefusedArgument:
        pytest.skip("no Chinese font on this machine (apt-get install fonts-noto-cjk)")


def text_of(pdf: bytes) -> tuple[int, str]:
    document = pypdfium2.PdfDocument(pdf)
    said = "".join(page.get_textpage().get_text_range() for page in document)
    return len(document), re.sub(r"\s+", "", said)


def test_paper_says_it_all(font: str) -> None:
    pages, said = text_of(view_pdf(report()))
    assert pages == 2
    for word in (
        "望江社区",
        "案件报告",
        "合成数据",
        "1,234",
        "星期×时刻",
        "周日",
        "排名",
        "有多大把握",
        "n=9",
        "C11",
    ):
        assert word in said, word
    assert text_of(view_pdf(report(rows=300)))[0] > 4


def test_text_is_never_markup(font: str) -> None:
    _, said = text_of(view_pdf(report(NASTY)))
    assert "#import" in said and "$x$" in said and "{{7*7}}" in said and "<script>" in said
    page = view_html(report(NASTY))
    assert "<script>" not in page and "&lt;script&gt;" in page


def test_the_page_asks_for_nothing() -> None:
    page = view_html(report())
    assert "default-src 'none'" in page.replace("&#39;", "'")
    assert set(re.findall(r"https?://[^\"' ]+", page)) == {"http://www.w3.org/2000/svg"}
    assert set(re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"')\s>]+)""", page)) <= {"data:,"}


def test_bars_are_in_proportion() -> None:
    heights = [float(h) for h in re.findall(r'height="([\d.]+)" fill', bars([4, 2, 0]))]
    assert heights[0] == pytest.approx(2 * heights[1])
    assert heights[2] == 0
    assert "<rect" not in bars([])


def test_a_workbook_keeps_numbers_and_runs_nothing() -> None:
    rows = (
        ("=1+1", 3, 0.25, dt.date(2026, 1, 2), None),
        ("＝CMD|' /C calc'!A0", -2, 1e-9, dt.date(2025, 1, 2), "+86"),
        ("道路\x00破损\x1b", 0, 0.0, None, "@a"),
    )
    head = ("名称", "n", "share", "day", "-more")
    book = openpyxl.load_workbook(
        io.BytesIO(workbook((Sheet("排名", head, rows), Sheet("走势", ("a",), ()))))
    )
    assert book.sheetnames == ["排名", "走势"]
    sheet = book["排名"]
    assert [cell.value for cell in sheet[1]] == ["名称", "n", "share", "day", "'-more"]
    assert [cell.value for cell in sheet[2]] == ["'=1+1", 3, 0.25, dt.datetime(2026, 1, 2), None]
    assert [cell.value for cell in sheet[3]][:2] == ["'＝CMD|' /C calc'!A0", -2]
    assert next(cell.value for cell in sheet[4]) == "道路破损"
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "n", "d"}
    assert sheet.freeze_panes == "A2"

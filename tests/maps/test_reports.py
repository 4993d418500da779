"""The statement as page and paper: whatever a name holds, nothing runs, nothing leaves, it fits."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pypdfium2
import pytest
import shapely

from geo.errors import RefusedArgument
from maps.reports import Picture, Section, Statement, Table, statement_html, statement_pdf
from maps.reports.drawing import Scene, draw
from maps.reports.paper import chinese_font

NASTY = '<script>alert(1)</script> {{ 7*7 }} #import "x" $x$ [*a*] \\ & "'
LONG = "望江新城国际社区服务中心东南片区第一百二十三网格" * 3


def statement(name: str = "望江社区第3网格", rows: int = 8) -> Statement:
    areas = np.array(
        [shapely.box(121.4 + i / 100, 31.2, 121.408 + i / 100, 31.21) for i in range(4)], dtype=object
    )
    svg, _ = draw(
        Scene(areas, ["#fdd", "#f88", "#c33", "#611"], limit=shapely.box(121.39, 31.19, 121.45, 31.22))
    )
    table = Table(("由", "归", "案件"), tuple((name, name, f"{i:,}") for i in range(rows)), words=2)
    return Statement(
        "zh", f"{name} 影响说明", "A → B", "合成数据", f"{name} 让出地面。",
        Section("评分", Table(("指标", "A", "B"), tuple((name, "1", "2") for _ in range(12)))),
        Picture(svg, (("#fdd", "1–5"), ("#611", "≥ 50")), name),
        (Section("沿革", table, note="注"), Section("例外", lines=(name,))),
        Section("来源", lines=(name, "二")), "Wangge",
    )  # fmt: skip


@pytest.fixture(scope="module")
def font() -> str:
    try:
        return chinese_font()
    except RefusedArgument:
        pytest.skip("no Chinese font on this machine (apt-get install fonts-noto-cjk)")


def text_of(pdf: bytes) -> tuple[int, str]:
    document = pypdfium2.PdfDocument(pdf)
    return len(document), "".join(page.get_textpage().get_text_range() for page in document)


def test_the_paper_is_one_page_and_says_what_it_should(font: str) -> None:
    pages, said = text_of(statement_pdf(statement()))
    assert pages == 1
    for word in ("望江社区", "影响说明", "合成数据", "沿革", "≥ 50", "来源"):
        assert word in said


def test_text_is_never_markup(font: str) -> None:
    _, said = text_of(statement_pdf(statement(NASTY)))
    flat = re.sub(r"\s+", "", said)
    assert "#import" in flat and "$x$" in flat and "{{7*7}}" in flat and "<script>" in flat
    page = statement_html(statement(NASTY))
    assert "<script>" not in page and "&lt;script&gt;" in page and "49" not in page.split("<svg")[0]


def test_long_names_wrap_and_two_pages_are_enough(font: str) -> None:
    pages, said = text_of(statement_pdf(statement(LONG)))
    assert pages <= 2
    assert re.sub(r"\s+", "", said).count(LONG) >= 8


def test_the_page_asks_for_nothing() -> None:
    page = statement_html(statement())
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page
    links = set(re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"')\s>]+)""", page))
    assert links <= {"data:,"}
    assert set(re.findall(r"https?://[^\"' ]+", page)) == {"http://www.w3.org/2000/svg"}


def test_no_font_names_the_remedy() -> None:
    with pytest.raises(RefusedArgument, match="fonts-noto-cjk"):
        chinese_font({"Arial", "DejaVu Sans"})


def test_a_scene_in_true_proportion() -> None:
    """A box of 0.02° × 0.01° at 60° north is about square on the ground, and so on paper."""
    svg, bar_m = draw(Scene(np.empty(0, object), [], limit=shapely.box(10, 60, 10.02, 60.01)))
    found = re.search(r'viewBox="0 0 (\d+) (\d+)"', svg)
    assert found is not None
    width, height = (float(v) for v in found.groups())
    assert width == pytest.approx(height, rel=0.01)
    assert bar_m in (100, 200)
    assert draw(Scene(np.empty(0, object), []))[1] == 0.0


def test_an_empty_statement_stands(font: str) -> None:
    bare = replace(statement(), sections=(), badge="", sources=Section("来源"))
    assert text_of(statement_pdf(bare))[0] == 1
    assert "<h1>" in statement_html(bare)

"""`wangge plan score`, `compare`, `replay` as a person types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from geo.settings import Settings
from tests.grids.typed import Wangge, typed


@pytest.fixture
def wangge(judged: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Wangge:
    return typed(judged, monkeypatch, capsys)


def test_score_in_both_languages_and_as_json(wangge: Wangge) -> None:
    code, out, _ = wangge("plan", "score", "甲")
    assert code == 0 and "Gini coefficient" in out and "no plan holds today" in out
    _, out, _ = wangge("plan", "score", "甲", "--lang", "zh")
    assert "基尼系数" in out and "今天没有生效的方案可比" in out
    _, out, _ = wangge("plan", "score", "甲", "--weight", "households", "--near-m", "5", "--json")
    card = json.loads(out)
    assert card["weight"] == "households" and card["near_m"] == 5 and card["stays_area"] is None
    assert card["missing"]["stays_area"]["zh"]


def test_compare_prints_and_writes(wangge: Wangge, tmp_path: Path) -> None:
    code, out, _ = wangge("plan", "compare", "甲", "乙")
    assert code == 0 and "Changes hands: units" in out and "Polsby–Popper, mean" in out
    page, units, figures = (tmp_path / f"d.{ending}" for ending in ("html", "geojson", "json"))
    for target in (page, units, figures):
        assert wangge("plan", "compare", "甲", "乙", "-o", str(target))[0] == 0
    html = page.read_text("utf-8")
    assert "default-src &#x27;none&#x27;" in html and "甲 → 乙" in html
    moved = json.loads(figures.read_text())["moved"]["units"]["moved"]
    assert len(json.loads(units.read_text())["features"]) == moved > 0
    code, out, _ = wangge("plan", "compare", "甲", "甲", "--json")
    assert code == 0 and json.loads(out)["grids_touched"] == 0


def test_replay_prints_intervals(wangge: Wangge) -> None:
    code, out, _ = wangge("plan", "replay", "甲", "乙", "--from", "2024-01-01")
    assert code == 0 and "95 % interval" in out and "Gini coefficient" in out
    code, out, _ = wangge(
        "plan", "replay", "甲", "乙", "--from", "2024-01-01", "--to", "2024-01-15", "--lang", "zh"
    )
    assert code == 0 and "不足 8 周" in out
    code, out, _ = wangge("plan", "replay", "甲", "乙", "--json", "--seed", "3")
    assert code == 0 and json.loads(out)["seed"] == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("compare", "甲", "没有"), "plan list"),
        (("compare", "甲", "乙", "-o", "d.png"), ".html"),
        (("compare", "甲", "乙", "-o", "nowhere/d.html"), "nowhere"),
        (("compare", "甲", "乙", "--from", "yesterday"), "yesterday"),
        (("compare", "甲", "乙", "--from", "2024-03-01", "--to", "2024-02-01"), "before it begins"),
        (("replay", "甲", "乙", "--weight", "area"), "workload"),
        (("replay", "甲", "乙", "--category", "zz"), "zz"),
        (("score", "甲", "--tolerance", "-1"), "tolerance"),
    ],
)
def test_what_cannot_be_done_is_said(wangge: Wangge, words: tuple[str, ...], said: str) -> None:
    code, _, err = wangge("plan", *words)
    assert code == 2 and said in err and "Traceback" not in err


def test_the_impact_statement(wangge: Wangge, tmp_path: Path) -> None:
    page, paper = tmp_path / "i.html", tmp_path / "i.pdf"
    assert (
        wangge("plan", "impact", "甲", "乙", "-o", str(page), "--from", "2024-01-01", "--lang", "zh")[0] == 0
    )
    html = page.read_text("utf-8")
    assert "网格调整影响说明" in html and "95 % 区间" in html and "B 没有违反规则" in html
    code, _, err = wangge("plan", "impact", "甲", "乙", "-o", str(paper))
    if code == 0:
        assert paper.read_bytes().startswith(b"%PDF")
    else:
        assert code == 2 and "fonts-noto-cjk" in err
    code, _, _ = wangge("plan", "impact", "甲", "甲", "-o", str(page), "--weight", "households")
    assert code == 0 and "the plans are the same" in page.read_text("utf-8")
    assert wangge("plan", "impact", "甲", "乙", "-o", str(tmp_path / "i.docx"))[0] == 2

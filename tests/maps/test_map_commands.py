"""`wangge map heatmap` and `map plan` on a real database: the page says what SQL says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from api.cli import main, map_data, sample_city
from api.cli.map_data import Question
from etl.sample import SampleSpec
from geo.cases import CaseFilter
from geo.db import session as sessions
from geo.errors import NotFound, RefusedArgument
from geo.progress import silent
from geo.settings import Settings

EVERYTHING = CaseFilter()


@pytest.fixture(scope="module")
def town(module_settings: Settings) -> Settings:
    sample_city.make(module_settings, SampleSpec(seed=2, cases=900, communities=8), None, silent)
    return module_settings


def data_of(html: str) -> dict[str, Any]:
    found = re.search(r'id="wangge-data">(.*?)</script>', html, re.DOTALL)
    assert found
    made: dict[str, Any] = json.loads(found.group(1))
    return made


def page(settings: Settings, by: str = "grid", **changes: Any) -> dict[str, Any]:
    asked = {
        "plan": "current",
        "where": EVERYTHING,
        "measure": "cases",
        "time": None,
        "title": None,
        "lang": "zh",
    } | changes
    html, _ = map_data.heat_html(settings, Question(by=by, **asked))
    return data_of(html)


def counted(settings: Settings, sql: str) -> dict[str, int]:
    with sessions.session(settings, "owner") as session:
        return dict(session.execute(text(sql)).all())


BY_COMMUNITY = (
    "SELECT b.code, count(c.id) FROM boundary b JOIN edition e ON e.id = b.edition_id JOIN level l ON l.id = e.level_id "
    "LEFT JOIN cases c ON ST_Intersects(b.geom, c.geom) WHERE l.name = 'community' GROUP BY b.code"
)
BY_GRID = (
    "SELECT g.code, count(c.id) FROM grid g JOIN plan_unit u ON u.grid_id = g.id LEFT JOIN cases c ON c.unit_id = u.unit_id "
    "GROUP BY g.code"
)


@pytest.mark.parametrize(("by", "sql"), [("community", BY_COMMUNITY), ("grid", BY_GRID)])
def test_values_are_those_of_sql(town: Settings, by: str, sql: str) -> None:
    data = page(town, by)
    got = dict(zip(data["zones"]["codes"], data["frames"][0]["values"], strict=True))
    assert got == counted(town, sql)
    assert all(data["zones"]["shapes"]) and data["synthetic"] is True
    assert (
        data["ground"]["limit"]
        and data["ground"]["water"]
        and data["ground"]["roads"]
        and data["ground"]["borders"]
    )


@pytest.mark.parametrize("by", ["grid", "hexagon:9"])
def test_months_add_up_to_the_whole(town: Settings, by: str) -> None:
    data = page(town, by, time="month")
    whole, parts = data["frames"][0], data["frames"][1:]
    assert len(parts) == 24
    sums = [sum(p["values"][i] for p in parts) for i in range(len(whole["values"]))]
    assert sums == whole["values"]
    assert [p["label"] for p in parts][:2] == ["2024-11", "2024-12"]


def test_weeks_of_a_short_period_keep_to_it(town: Settings) -> None:
    import datetime as dt

    where = CaseFilter(dt.date(2026, 3, 4), dt.date(2026, 3, 20))
    data = page(town, "community", time="week", where=where)
    labels = [f["label"] for f in data["frames"]]
    assert labels == [
        "2026-03-04 – 2026-03-19",
        "2026-03-04 – 2026-03-08",
        "2026-03-09 – 2026-03-15",
        "2026-03-16 – 2026-03-19",
    ]


def test_a_share_carries_its_n(town: Settings) -> None:
    data = page(town, "community", measure="satisfied_share", lang="en")
    frame = data["frames"][0]
    assert data["share"] and data["showN"] and data["few"] == 5
    assert all(v is None or 0 <= v <= 1 for v in frame["values"])
    assert sum(frame["n"]) > 0 and data["legend"] == "Satisfied"


def test_the_plan_page_lists_grids_with_households(town: Settings) -> None:
    html, _ = map_data.plan_html(town, "current", EVERYTHING, None, "zh")
    data = data_of(html)
    labels = {f["label"]: f["values"] for f in data["zones"]["facts"]}
    assert set(labels) == {"面积 km²", "户数"} and len(data["zones"]["colour"]) == len(data["zones"]["codes"])
    households = sum(int(v.replace(",", "")) for v in labels["户数"])
    with sessions.session(town, "owner") as session:
        held = session.execute(
            text("SELECT sum(value) FROM weight WHERE \"column\" = 'households'")
        ).scalar_one()
    assert households == pytest.approx(held, rel=0.02)


def test_what_is_not_there_is_said(town: Settings) -> None:
    with pytest.raises(NotFound):
        page(town, "ward")
    with pytest.raises(NotFound):
        map_data.plan_html(town, "no such plan", EVERYTHING, None, "zh")
    with pytest.raises(RefusedArgument):
        map_data.plan_html(town, "as-was", EVERYTHING, None, "zh")
    assert all(page(town, "grid", plan="as-was")["zones"]["shapes"])


def test_an_empty_database_makes_an_empty_page(settings: Settings) -> None:
    data = page(settings, "grid")
    assert data["frames"][0]["totals"].endswith("共 0 件") and data["zones"]["codes"] == []


def test_the_commands(
    town: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {**town.to_environment(), "WANGGE_LANG": "en"}.items():
        monkeypatch.setenv(name, value)
    target = tmp_path / "x.html"
    assert main(["map", "heatmap", "-o", str(target), "--by", "community", "--time", "month", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["zones"] == 8 and told["bytes"] == target.stat().st_size < 400_000
    assert data_of(target.read_text(encoding="utf-8"))["lang"] == "en"
    assert main(["map", "plan", "current", "-o", str(tmp_path / "p.html")]) == 0
    assert (tmp_path / "p.html").stat().st_size > 150_000


@pytest.mark.parametrize(
    "words",
    [
        ["-o", "x.txt"],
        ["-o", "no/such/folder/x.html"],
        ["-o", "x.html", "--measure", "beauty"],
        ["-o", "x.html", "--time", "year"],
        ["-o", "x.html", "--from", "yesterday"],
        ["-o", "x.html", "--by", "hexagon:3"],
    ],
)
def test_wrong_arguments_are_refused_and_nothing_is_written(
    town: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in {**town.to_environment(), "WANGGE_LANG": "zh"}.items():
        monkeypatch.setenv(name, value)
    assert main(["map", "heatmap", *words]) == 2
    assert "错误" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []

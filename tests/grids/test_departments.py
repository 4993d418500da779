"""多格合一 on a real database: plans and loaded layers by name, the draft that comes out, reports, refusals."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import networkx as nx
import pytest
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

from api.cli import main
from geo.db import session as sessions
from geo.errors import NotFound, RefusedArgument
from geo.settings import Settings
from grids import departments, judging, plans
from tests.grids.judged_city import EAST, NORTH, SOUTH, WEST


@pytest.fixture(scope="module")
def police(judged: Settings, insert_areas: Callable[..., int]) -> Settings:
    """The judged city with two police districts, west and east."""
    middle = (WEST + EAST) / 2
    halves = {"P1": shapely.box(WEST, SOUTH, middle, NORTH), "P2": shapely.box(middle, SOUTH, EAST, NORTH)}
    with sessions.session(judged, "owner") as session:
        insert_areas(session, "police", halves)
    return judged


def test_a_draft_that_is_complete_and_contiguous(police: Settings, city: Session) -> None:
    made = departments.merge(city, ["甲", "乙", "police"], name="合一", weights={"甲": 2})
    held = city.execute(
        text("SELECT unit_id, grid_id FROM plan_unit WHERE plan_id = :p"), {"p": made.plan_id}
    ).all()
    assert len(held) == city.scalar(text("SELECT count(*) FROM unit"))
    graph = nx.Graph()
    graph.add_nodes_from(unit for unit, _ in held)
    graph.add_edges_from(
        tuple(e) for e in city.execute(text("SELECT unit_a, unit_b FROM unit_border WHERE walkable"))
    )
    members: dict[int, list[int]] = {}
    for unit, grid in held:
        members.setdefault(grid, []).append(unit)
    assert all(nx.is_connected(graph.subgraph(units)) for units in members.values())
    assert len(members) == made.overlay.merged.k == plans.show(city, made.plan_id).grids
    assert judging.scorecard(city, made.plan_id).figures["contiguous"] == 1.0


def test_the_heaviest_department_decides(police: Settings, city: Session) -> None:
    made = departments.merge(
        city, ["甲", "乙", "police"], name="甲说了算", weights={"甲": 5, "乙": 1, "police": 1}
    )
    kept = [t for t in made.overlay.translations if t.layer == "甲"]
    assert all(t.share_of_grid == t.share_of_merged == pytest.approx(1.0) for t in kept) and len(kept) == 12
    halves = {t.grid for t in made.overlay.translations if t.layer == "police"}
    assert halves == {"P1", "P2"}


def test_what_is_refused(police: Settings, city: Session) -> None:
    for layers, weights, field in (
        (["甲"], {}, "layers"), (["甲", "甲"], {}, "layers"), (["甲", "乙"], {"丙": 1}, "weights"),
        (["甲", "乙"], {"甲": 0}, "weights"), (["甲", "乙"], {"甲": float("nan")}, "weights"),
    ):  # fmt: skip
        with pytest.raises(RefusedArgument) as refused:
            departments.merge(city, layers, name="x", weights=weights)
        assert refused.value.field == field
    with pytest.raises(NotFound, match="load boundaries"):
        departments.merge(city, ["甲", "没有"], name="x")
    with pytest.raises(RefusedArgument, match="already"):
        departments.merge(city, ["甲", "乙"], name="甲")


def test_the_command_writes_tables_and_a_report(
    police: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {**police.to_environment(), "WANGGE_LANG": "zh"}.items():
        monkeypatch.setenv(name, value)
    table, page = tmp_path / "对照表.csv", tmp_path / "合一.html"
    words = ["plan", "overlay", "甲", "police", "--weights", "甲=2，police=1"]
    assert main([*words, "--name", "合一表", "-o", str(table), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    rows = list(csv.DictReader(table.read_text("utf-8-sig").splitlines()))
    assert len(rows) == len(facts["translations"])
    assert sum(float(r["share_of_grid"]) for r in rows if r["grid"] == "P1") == pytest.approx(1.0)
    assert main([*words, "--name", "合一页", "-o", str(page)]) == 0
    assert "多格合一：合一页" in page.read_text("utf-8")
    assert main(["plan", "overlay", "甲", "police", "--weights", "甲", "--name", "x"]) == 2
    assert main([*words, "--name", "y", "-o", str(tmp_path / "y.png")]) == 2
    capsys.readouterr()
    assert main(["plan", "show", "y"]) == 2  # nothing was left behind

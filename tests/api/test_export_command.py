"""`wangge export` as its user runs it: every layer, every ending, from a small city in a real database."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyogrio
import pytest
from sqlalchemy import text

from api.cli import main
from geo.attribution import place_again
from geo.db import session as sessions
from geo.settings import Settings
from tests.geo import small_city

LAYERS = ("boundaries", "units", "grids", "cases", "facilities", "heatmap", "hexagons")


@pytest.fixture(scope="module")
def town(module_settings: Settings) -> Iterator[Settings]:
    """Four units in two communities, one approved plan of two grids, 200 random cases."""
    rng = np.random.default_rng(7)
    with sessions.session(module_settings) as session:
        small_city.city(session)
        ground = {f"U{c}{r}": small_city.square(c, r) for c in range(2) for r in range(2)}
        small_city.edition(session, "community", {"A0": small_city.square(0, 0, 2)}, rank=4)
        ids = small_city.units(session, ground)
        grids = {ids[code]: "G1" if code[1] == "0" else "G2" for code in ground}
        small_city.plan(session, "今年方案", grids, during="[2020-01-01,)")
        source = small_city.source(session)
        category = small_city.category_ids(session, source)
        small_city.cases(session, source, small_city.random_cases(rng, 200, category, size=2))
    with sessions.session(module_settings) as session:
        place_again(session)
    yield module_settings


@pytest.fixture
def run(
    town: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Any]:
    """Runs the command in this process, as `wangge` would: its JSON, or what it said on refusal."""
    for name, value in {**town.to_environment(), "WANGGE_LANG": "en"}.items():
        monkeypatch.setenv(name, value)

    def command(*words: str, code: int = 0) -> Any:
        ended = main(["export", *words, "--json"])
        said = capsys.readouterr()
        assert ended == code, said.err
        assert "Traceback" not in said.err
        return json.loads(said.out) if code == 0 else said.err

    return command


@pytest.mark.parametrize("layer", LAYERS)
def test_every_layer_can_be_exported(run: Callable[..., Any], tmp_path: Path, layer: str) -> None:
    written = run(layer, "-o", str(tmp_path / "x.gpkg"), "--crs", "EPSG:4490")
    frame = pyogrio.read_dataframe(tmp_path / "x.gpkg")
    assert len(frame) == written["rows"]
    assert frame.crs.to_epsg() == 4490
    assert (tmp_path / "x.qml").exists()


def test_heat_map_values_add_up(run: Callable[..., Any], town: Settings, tmp_path: Path) -> None:
    run("heatmap", "-o", str(tmp_path / "h.csv"))
    frame = pd.read_csv(tmp_path / "h.csv")
    with sessions.session(town) as session:
        placed = session.scalar(text("SELECT count(*) FROM cases WHERE unit_id IS NOT NULL"))
    assert frame["value"].sum() == frame["n"].sum() == placed
    assert set(frame["code"]) == {"G1", "G2"}


def test_an_export_is_audited(run: Callable[..., Any], town: Settings, tmp_path: Path) -> None:
    run("cases", "-o", str(tmp_path / "c.csv"))
    with sessions.session(town) as session:
        row = session.execute(
            text("SELECT who, what FROM audit WHERE act = 'export' ORDER BY id DESC LIMIT 1")
        ).one()
    assert row.who == "operator" and row.what["layer"] == "cases" and row.what["rows"] == 200


def test_what_is_refused_says_what_to_do(run: Callable[..., Any], tmp_path: Path) -> None:
    assert "boundaries" in run("roads", "-o", str(tmp_path / "x.gpkg"), code=2)
    assert ".gpkg" in run("grids", "-o", str(tmp_path / "x.docx"), code=2)
    assert "EPSG" in run("grids", "-o", str(tmp_path / "x.gpkg"), "--crs", "moon", code=2)
    run("grids", "-o", str(tmp_path / "x.gpkg"), "--plan", "no such plan", code=2)
    run("cases", "-o", str(tmp_path / "x.csv"), "--category", "no-such", code=2)
    assert not list(tmp_path.iterdir())

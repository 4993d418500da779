"""`wangge heatmap` as a user runs it: files, JSON, an empty database, mistakes."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import shapely

from api.cli import main
from geo.attribution import place_again
from geo.db import session as sessions
from geo.settings import Settings
from tests.geo import small_city

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Done:
    """What one run of the command said."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `wangge heatmap …` in this process, on the database of `settings`."""
    for name, value in settings.to_environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("WANGGE_LANG", "en")
    monkeypatch.setenv("COLUMNS", "200")

    def command(*arguments: str) -> Done:
        capsys.readouterr()
        code = main(["heatmap", *arguments])
        said = capsys.readouterr()
        return Done(code, said.out, said.err)

    return command


@pytest.fixture
def city(settings: Settings) -> Settings:
    rng = np.random.default_rng(7)
    with sessions.session(settings) as db:
        small_city.city(db)
        source = small_city.source(db)
        small_city.cases(db, source, small_city.random_cases(rng, 400, small_city.category_ids(db, source)))
        ids = small_city.units(db, {f"u{x}{y}": small_city.square(x, y) for x in range(5) for y in range(5)})
        small_city.plan(
            db, "first", {unit: f"g{code[1]}" for code, unit in ids.items()}, during="[2024-01-01,)"
        )
        small_city.edition(db, "ward", {"=w1": small_city.square(0, 0, 3), "w2": small_city.square(2, 2, 3)})
        place_again(db)
    return settings


def test_the_installed_command_answers(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "api", "heatmap", "--json"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["total"] == 0


@pytest.mark.parametrize("by", ["grid", "hexagon:9", "ward"])
def test_an_empty_database_answers_zero(run: Run, by: str) -> None:
    done = run("--by", by, "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["total"], answer["codes"], answer["values"]) == (0, [], [])


def test_files_agree_with_json(city: Settings, run: Run, tmp_path: Path) -> None:
    done = run("--by", "grid", "--json", "-o", str(tmp_path / "a.csv"))
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert sum(answer["values"]) + answer["unplaced"] + answer["outside"] == answer["total"] == 400
    rows = list(csv.DictReader((tmp_path / "a.csv").open(encoding="utf-8")))
    assert list(rows[0]) == ["code", "name", "value", "n"]
    assert [row["code"] for row in rows] == answer["codes"] == ["g0", "g1", "g2", "g3", "g4"]
    assert [int(row["value"]) for row in rows] == answer["values"]
    assert run("-o", str(tmp_path / "a.parquet")).returncode == 0
    table = pq.read_table(tmp_path / "a.parquet")
    assert table.column_names == ["code", "name", "value", "n"]
    assert table.column("value").to_pylist() == answer["values"]


@pytest.mark.parametrize("by", ["grid", "grid --plan as-was", "hexagon:8", "ward"])
def test_geojson_has_a_polygon_for_every_zone(city: Settings, run: Run, tmp_path: Path, by: str) -> None:
    out = tmp_path / "a.geojson"
    done = run("--by", *by.split(), "-o", str(out), "--measure", "satisfied_share")
    assert done.returncode == 0, done.stderr
    features = json.loads(out.read_text())["features"]
    assert features
    for feature in features:
        assert set(feature["properties"]) == {"code", "name", "value", "n"}
        shape = shapely.from_geojson(json.dumps(feature["geometry"]))
        assert shape.area > 0
        assert shape.is_valid


def test_csv_cells_start_no_formula(city: Settings, run: Run, tmp_path: Path) -> None:
    assert run("--by", "ward", "-o", str(tmp_path / "a.csv")).returncode == 0
    assert (tmp_path / "a.csv").read_text().splitlines()[1].startswith("'=w1,")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--measure", "sum"), "measure cannot be"),
        (("--by", "district"), "Known: ward"),
        (("--by", "hexagon:3"), "hexagon:7 to hexagon:11"),
        (("--plan", "nothing"), "There is no plan nothing"),
        (("--plan", "as-of:2020-01-01"), "No grid plan holds on 2020-01-01"),
        (("--category", "99"), "There is no category 99"),
        (("--origin", "drone"), "origin cannot be"),
        (("--from", "2024-03-01", "--to", "2024-02-01"), "before it begins"),
        (("-o", "a.xls"), "Use .csv, .parquet or .geojson"),
        (("-o", "/nowhere/a.csv"), "Cannot write"),
    ],
)
def test_mistakes_are_refused_with_help(
    city: Settings, run: Run, arguments: tuple[str, ...], said: str
) -> None:
    done = run(*arguments)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_table_names_the_totals(city: Settings, run: Run) -> None:
    done = run("--by", "ward")
    assert done.returncode == 0
    assert "400 cases in all" in done.stdout
    assert "in overlapping zones" in done.stdout

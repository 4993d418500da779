"""The commands of ground as a person types them: exit codes, JSON, both languages."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import geopandas
import pytest
import shapely

from geo.settings import Settings
from tests.grids.typed import Wangge, typed


@pytest.fixture
def wangge(
    module_settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Wangge:
    """`wangge(*words)` runs one command in this process: exit code, standard output, standard error."""
    return typed(module_settings, monkeypatch, capsys)


def box(west: float, east: float) -> Any:
    return shapely.box(114.30 + west * 1e-3, 30.5, 114.30 + east * 1e-3, 30.504)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Two communities, a street between them, an old grid layer, households by community."""
    codes = ["420106001001", "420106001002"]
    frame = geopandas.GeoDataFrame(
        {"code": codes, "name": ["甲", "乙"]}, geometry=[box(0, 5), box(5, 10)], crs=4326
    )
    frame.to_file(tmp_path / "community.geojson")
    grids = geopandas.GeoDataFrame(
        {"网格编码": ["G1", "G2", "G3"], "网格名称": ["一", "二", "三"]},
        geometry=[box(0, 3), box(3, 5), box(5, 10)],
        crs=4326,
    )
    grids.to_file(tmp_path / "old.gpkg")
    street = shapely.LineString([(114.299, 30.502), (114.311, 30.502)])
    geopandas.GeoDataFrame({"class": ["主干路"]}, geometry=[street], crs=4326).to_file(tmp_path / "ways.gpkg")
    (tmp_path / "households.csv").write_text(f"code,households\n{codes[0]},300\n{codes[1]},600\nnobody,1\n")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("units", "build", "--cells", "round"), "round"),
        (("plan", "propose", "--name", "x", "--nest", "odd"), "strict, soft, free"),
        (("user", "add", "x", "--role", "boss"), "worker, supervisor"),
        (("units", "build", "--target-area-m2", "-1"), "target-area-m2"),
        (("units", "build", "--barriers", "nothing.gpkg"), "nothing.gpkg"),
        (("plan", "approve", "x", "--from", "tomorrow"), "tomorrow"),
        (("plan", "show", "x"), "plan list"),
        (("plan", "propose", "--name", "x", "--grids", "3"), "units build"),
        (("load", "network", "nothing.osm.pbf"), "nothing.osm.pbf"),
        (("load", "weights", "nothing.csv", "--column", "households"), "units build"),
        (("load", "plan", "nothing.gpkg", "--name", "x"), "units build"),
    ],
)
def test_refusals_exit_2_and_say_what_to_do(wangge: Wangge, words: tuple[str, ...], said: str) -> None:
    code, _, err = wangge(*words)
    assert code == 2 and said in err
    assert "Traceback" not in err


def test_errors_speak_chinese(wangge: Wangge) -> None:
    code, _, err = wangge("units", "build", "--lang", "zh")
    assert code == 2 and "请先运行 wangge load boundaries" in err


def test_from_boundaries_to_an_approved_plan(wangge: Wangge, files: Path) -> None:
    def done(code: int, *words: str) -> Any:
        exit_code, out, err = wangge(*words, "--json")
        assert exit_code == code, err
        return json.loads(out)

    assert wangge("units", "build")[0] == 2
    assert (
        done(0, "load", "boundaries", str(files / "community.geojson"), "--level", "community")["added"] == 2
    )
    assert done(0, "load", "network", str(files / "ways.gpkg"))["details"]["classes"] == {"road": 1}
    built = done(0, "units", "build", "--target-area-m2", "8000")
    assert built["areas"] == 2 and built["units"] > 30
    assert done(0, "units", "show")["units"] == built["units"]
    weights = done(3, "load", "weights", str(files / "households.csv"), "--column", "households")
    assert (weights["added"], weights["rejected"]) == (2, 1)
    card = done(0, "plan", "propose", "--name", "首版", "--per-grid", "150", "--weight", "households")
    assert (card["grids"], card["crossing"], card["contiguous"]) == (6, 0, 1.0)
    assert done(0, "plan", "check", "首版") == []
    assert done(0, "plan", "score", "首版", "--weight", "area")["grids"] == 6
    approved = done(0, "plan", "approve", "首版", "--from", "2020-01-01")
    assert approved["holds_today"] and approved["state"] == "approved"
    old = done(0, "plan", "import", str(files / "old.gpkg"), "--name", "旧网格")
    assert old["grids"] == 3 and old["nesting"] == "strict" and old["load"]["added"] == 3
    for taken in ("旧网格", "community", "street"):
        assert wangge("plan", "import", str(files / "old.gpkg"), "--name", taken)[0] == 2
    assert [p["name"] for p in done(0, "plan", "list")] == ["首版", "旧网格"]
    frame = geopandas.read_file(files / "community.geojson")
    frame.geometry = [box(0, 6), box(6, 10)]
    frame.to_file(files / "community.geojson")
    edition = done(
        0,
        "load",
        "boundaries",
        str(files / "community.geojson"),
        "--level",
        "community",
        "--from",
        "2030-01-01",
    )
    followed = edition["details"]["units"]
    assert followed["units"] == built["units"] + followed["cut"] and followed["outside"] == 0
    assert followed["moved"] > 0 and followed["cut"] > 0
    out = files / "units.csv"
    assert wangge("plan", "export", "首版", "-o", str(out))[0] == 0
    with out.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == followed["units"] and {r["grid"][:12] for r in rows} == {
        "420106001001",
        "420106001002",
    }
    again = done(0, "load", "plan", str(out), "--name", "再读")
    assert (again["grids"], again["open_units"], again["load"]["added"]) == (6, 0, len(rows))
    back = files / "again.csv"
    assert wangge("plan", "export", "再读", "-o", str(back))[0] == 0
    assert back.read_bytes() == out.read_bytes()  # the same plan, to the last cell
    for ending in (".gpkg", ".geojson", ".shp.zip"):
        assert wangge("plan", "export", "首版", "-o", str(files / f"grids{ending}"))[0] == 0
    grids = geopandas.read_file(files / "grids.gpkg")
    assert len(grids) == 6 and {"households", "deviation", "compactness", "posts", "pieces"} <= set(
        grids.columns
    )
    assert grids["households"].sum() == pytest.approx(900) and (grids["units"].sum() == len(rows))
    assert wangge("plan", "export", "首版", "-o", str(files / "grids.exe"))[0] == 2
    unit = rows[0]["unit"]
    box_ = geopandas.read_file(files / "community.geojson").total_bounds
    line = f"LINESTRING ({box_[0]} {box_[1]}, {box_[2]} {box_[3]})"
    code, _, err = wangge("units", "cut", unit, "--line", "LINESTRING (0 0, 1 1)", "--json")
    assert code == 2 and "does not divide" in err
    assert wangge("units", "cut", unit, "--line", "nothing.geojson")[0] == 2
    assert wangge("units", "cut", "nobody", "--line", line)[0] == 2
    assert wangge("plan", "begin", "--like", "首版", "--name", "改版")[0] == 0
    assert done(0, "plan", "bands", "改版", "--profile", "urban")["households"] == [300, 500]
    standing = {row["standing"] for row in done(0, "plan", "check", "改版")}
    assert standing == {"wall"}
    code, _, err = wangge("plan", "approve", "改版", "--from", "2099-01-01")
    assert code == 2 and "households" in err
    for reason, expected in (("", 2), ("试点", 0)):
        words = ("plan", "except", "改版", "--rule", "band:households", "--reason", reason)
        assert wangge(*words)[0] == expected
    assert {row["standing"] for row in done(0, "plan", "check", "改版")} == {"excepted"}
    assert done(0, "plan", "approve", "改版", "--from", "2099-01-01")["state"] == "approved"
    assert {row["kind"] for row in done(0, "plan", "lineage", "改版")["rows"]} == {"kept"}
    assert done(0, "plan", "withdraw", "改版")["state"] == "withdrawn"

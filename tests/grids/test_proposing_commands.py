"""`wangge plan propose` with files: posts one line a grid, barriers and the ways across them; checked by SQL."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas
import pytest
import shapely
from sqlalchemy import text

from api.cli import edge
from api.cli.plan_proposing import _posts
from geo.db import session as sessions
from geo.errors import RefusedArgument
from geo.settings import Settings
from tests.grids import small_plans
from tests.grids.typed import Wangge, typed

COLUMNS, ROWS = 8, 4


@pytest.fixture(scope="module")
def ground(module_settings: Settings) -> Settings:
    """32 square units in two communities, west and east."""
    with sessions.session(module_settings) as session:
        small_plans.town(session, COLUMNS, ROWS)
    return module_settings


@pytest.fixture
def wangge(ground: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Wangge:
    return typed(ground, monkeypatch, capsys)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("posts\n1\n2\n3\n", [1, 2, 3]),
        ("1\n2.5\n", [1, 2.5]),
        ("网格,岗位\nA,2\nB,1\n", [2, 1]),
        ("\ufeff岗位数,备注\n2,x\n4,y\n", [2, 4]),
        ("code,number\nA,1e0\n\nB,2\n", [1, 2]),
        ("1e1\n-2\n", [10, -2]),  # what is no possible number is refused later, never taken for a heading
    ],
)
def test_files_of_posts(tmp_path: Path, written: str, read: list[float]) -> None:
    (tmp_path / "posts.csv").write_text(written, encoding="utf-8")
    assert _posts(str(tmp_path / "posts.csv")) == read


@pytest.mark.parametrize(
    "written", [b"", b"posts\n1\nmany\n", "岗位\n1\n".encode("gb18030"), b"\x00\xff", b"a,posts\n1\n"]
)
def test_what_holds_no_posts_is_refused(tmp_path: Path, written: bytes) -> None:
    (tmp_path / "posts.csv").write_bytes(written)
    with pytest.raises(RefusedArgument) as refused:
        _posts(str(tmp_path / "posts.csv"))
    assert refused.value.code == "posts"


def test_posts_of_a_file_make_the_grids_and_their_loads(wangge: Wangge, tmp_path: Path) -> None:
    """Two grids of one post and two of three: a quarter of a community each, or three quarters."""
    (tmp_path / "posts.csv").write_text("网格,岗位\na,1\nb,3\nc,1\nd,3\n", encoding="utf-8")
    code, out, err = wangge("plan", "propose", "--name", "岗", "--weight", "area", "--posts", str(tmp_path / "posts.csv"),
                            "--nest", "free", "--json")  # fmt: skip
    assert code == 0, err
    assert json.loads(out)["grids"] == 4
    with edge.work() as session:
        rows = session.execute(
            text("SELECT g.posts, sum(u.area_m2) FROM grid g JOIN plan p ON p.id = g.plan_id JOIN plan_unit h "
                 "ON h.grid_id = g.id JOIN unit u ON u.id = h.unit_id WHERE p.name = '岗' GROUP BY g.id ORDER BY 1")
        ).all()  # fmt: skip
    assert [posts for posts, _ in rows] == [1, 1, 3, 3]
    assert [area / 10_000 for _, area in rows] == pytest.approx([4, 4, 12, 12])


@pytest.mark.parametrize("written", ["1\n2\n", "1\n2\n3\n0\n", "1\n2\n3\nnan\n"])
def test_posts_that_do_not_fit_the_grids(wangge: Wangge, tmp_path: Path, written: str) -> None:
    (tmp_path / "posts.csv").write_text(written, encoding="utf-8")
    code, _, err = wangge("plan", "propose", "--name", "x", "--grids", "4", "--weight", "area",
                          "--posts", str(tmp_path / "posts.csv"))  # fmt: skip
    assert code == 2 and "4 positive numbers" in err and "Traceback" not in err


def ways(path: Path, *told: tuple[str, Any]) -> Path:
    frame = geopandas.GeoDataFrame({"class": [c for c, _ in told]}, geometry=[g for _, g in told], crs=4326)
    frame.to_file(path)
    return path


def test_a_file_of_barriers_keeps_grids_on_their_bank(wangge: Wangge, tmp_path: Path) -> None:
    """A river along the middle of the town from west to east; with 2 grids each bank is one."""
    west, south, step = small_plans.WEST, small_plans.SOUTH, small_plans.STEP
    middle = south + ROWS / 2 * step
    river = ("water", shapely.LineString([(west - step, middle), (west + (COLUMNS + 1) * step, middle)]))
    file = ways(tmp_path / "river.gpkg", river)
    code, _, err = wangge("plan", "propose", "--name", "河", "--grids", "2", "--weight", "area", "--nest", "free",
                          "--barriers", str(file), "--json")  # fmt: skip
    assert code == 0, err
    with edge.work() as session:
        banks = session.execute(
            text("SELECT h.grid_id, count(*), bool_and(ST_Y(u.point) > :m), bool_or(ST_Y(u.point) > :m) FROM plan_unit h "
                 "JOIN plan p ON p.id = h.plan_id JOIN unit u ON u.id = h.unit_id WHERE p.name = '河' GROUP BY 1"),
            {"m": middle},
        ).all()  # fmt: skip
    assert sorted((n, every, some) for _, n, every, some in banks) == [(16, False, False), (16, True, True)]
    code, _, err = wangge("plan", "propose", "--name", "x", "--grids", "1", "--weight", "area", "--nest", "free",
                          "--barriers", str(file))  # fmt: skip
    assert code == 2 and "Traceback" not in err, "two banks cannot be one grid"
    bridge = (
        "bridge",
        shapely.LineString([(west + step / 2, middle - step / 4), (west + step / 2, middle + step / 4)]),
    )
    file = ways(tmp_path / "bridge.gpkg", river, bridge)
    code, _, err = wangge("plan", "propose", "--name", "桥", "--grids", "1", "--weight", "area", "--nest", "free",
                          "--barriers", str(file))  # fmt: skip
    assert code == 0, err

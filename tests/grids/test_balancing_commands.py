"""`wangge plan rebalance` and `wangge plan ensemble` on a real database, checked by SQL."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas
import pytest
import shapely
from sqlalchemy import text

from api.cli import edge
from tests.grids.test_commands import wangge  # noqa: F401  (the fixture)
from tests.grids.typed import Said, Wangge

WEST, SOUTH, STEP = 114.30, 30.50, 0.001


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One community of about 130 square units whose west has most of the cases."""
    folder = tmp_path_factory.mktemp("town")
    ground = shapely.box(WEST, SOUTH, WEST + 12 * STEP, SOUTH + 9 * STEP)
    frame = geopandas.GeoDataFrame({"code": ["420106001001"], "name": ["甲"]}, geometry=[ground], crs=4326)
    frame.to_file(folder / "community.geojson")
    rows = ["id,lon,lat,opened_at"]
    for i in range(12):
        for j in range(9):
            for n in range(6 if i < 5 else 3):
                rows.append(
                    f"c{i}-{j}-{n},{WEST + (i + 0.3 + n / 20) * STEP:.6f},{SOUTH + (j + 0.5) * STEP:.6f},"
                    "2025-03-04T09:00:00+08:00"
                )
    (folder / "cases.csv").write_text("\n".join(rows) + "\n")
    return folder


def said(done: Said) -> Any:
    assert done[0] == 0, done[2]
    return json.loads(done[1])


def loads(plan: int) -> dict[str, tuple[int, int]]:
    """Cases and units of every grid, by SQL."""
    with edge.work() as session:
        rows = session.execute(
            text(
                "SELECT g.code, count(DISTINCT h.unit_id), count(c.id) FROM grid g JOIN (SELECT DISTINCT ON (unit_id) "
                "unit_id, grid_id FROM plan_unit WHERE plan_id = :p ORDER BY unit_id, revision DESC) h ON h.grid_id = g.id "
                "LEFT JOIN cases c ON c.unit_id = h.unit_id WHERE g.plan_id = :p GROUP BY g.code"
            ),
            {"p": plan},
        ).all()
    return {code: (units, cases) for code, units, cases in rows}


def test_rebalance_and_ensemble_as_a_person_types_them(wangge: Wangge, town: Path) -> None:  # noqa: F811
    said(wangge("load", "boundaries", str(town / "community.geojson"), "--level", "community", "--json"))
    said(wangge("units", "build", "--cells", "square", "--json"))
    said(wangge("load", "cases", str(town / "cases.csv"), "--source", "hotline", "--json"))
    first = said(
        wangge("plan", "propose", "--name", "even ground", "--grids", "6", "--weight", "area", "--json")
    )
    before = loads(first["id"])
    found = said(wangge("plan", "rebalance", "even ground", "--name", "evened", "--json"))
    after = loads(found["id"])
    total = sum(cases for _, cases in after.values())
    assert total == sum(cases for _, cases in before.values())
    assert max(abs(cases / (total / 6) - 1) for _, cases in before.values()) > 0.10
    assert found["within_tolerance"] == 1 and found["stuck"] == [] and found["revision"] == 1
    assert all(abs(cases / (total / 6) - 1) <= 0.10 + 1e-9 for _, cases in after.values())
    assert found["certain_share"] <= found["moved_share"] <= 2 * found["least_share"]
    assert loads(first["id"]) == before  # the plan it is based on stays
    kept = min(after)
    fewer = said(
        wangge("plan", "rebalance", "evened", "--grids", "-1", "--lock", kept, "--tolerance", "0.3", "--json")
    )
    assert fewer["id"] == found["id"] and fewer["revision"] == 2 and len(fewer["removed"]) == 1
    assert len(loads(found["id"])) == 5 and loads(found["id"])[kept] == after[kept]
    said(wangge("plan", "edit", "evened", "undo", "--json"))
    assert loads(found["id"]) == after
    code, out, err = wangge("plan", "rebalance", "evened", "--grids", "+1")
    assert code == 0 and "moved" in out + err and len(loads(found["id"])) == 7

    ranked = said(wangge("plan", "ensemble", "even ground", "--plans", "40", "--chains", "2", "--json"))
    assert ranked["plans"] == 40 and {one["rank"]["measure"] for one in ranked["measures"]} >= {
        "cut_edges",
        "crossing",
    }
    worst = next(one["rank"] for one in ranked["measures"] if one["rank"]["measure"] == "largest_deviation")
    assert worst["rank_first"] == 41  # drawn for area, judged by cases: every sampled plan is within 10 %
    code, out, err = wangge(
        "plan", "ensemble", "even ground", "--plans", "40", "--chains", "2", "--weight", "area"
    )
    assert code == 0 and "walks" in out + err and "compactness" in out


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("rebalance", "evened", "--grids", "+3"), "+1 or -1"),
        (("rebalance", "evened", "--lock", "nobody"), "nobody"),
        (("rebalance", "evened", "--grids", "-1", "--leaving", "nobody"), "nobody"),
        (("rebalance", "evened", "--tolerance", "-1"), "tolerance"),
        (("rebalance", "evened", "--weight", "gold"), "gold"),
        (("rebalance", "no such plan"), "no such plan"),
        (("ensemble", "no such plan"), "no such plan"),
        (("ensemble", "evened", "--plans", "0"), "plans"),
        (("ensemble", "evened", "--chains", "1000"), "chains"),
        (("ensemble", "evened", "--tolerance", "nan"), "tolerance"),
    ],
)
def test_what_is_refused(wangge: Wangge, town: Path, words: tuple[str, ...], named: str) -> None:  # noqa: F811
    code, _, err = wangge("plan", *words)
    assert code == 2 and named in err and "Traceback" not in err

"""By the smallest hexagons nobody sees exactly what single cases would tell them, but who may see all cases."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api import people

ARROW = "application/vnd.apache.arrow.stream"
FEW = "&from=2024-03-01&to=2024-03-15"  # two weeks: most hexagons hold one case or two


@pytest.fixture(scope="module")
def staff(town: Any) -> dict[str, people.Headers]:
    return people.staff(town.settings)


def ways(town: Any, resolution: int) -> list[str]:
    """Every question by hexagons, for a cell that holds the most and one that holds few."""
    heat = town.staff(f"/api/heatmap/hexagons?resolution={resolution}{FEW}").json()
    cells = sorted(zip(heat["n"], heat["codes"], strict=True))
    one = [f"by=hexagon:{resolution}&code={code}" for _, code in (cells[0], cells[-1])]
    both = f"by=hexagon:{resolution}&code={cells[0][1]}&code={cells[-1][1]}"
    written = "".join(f"%{ord(digit):02x}" for digit in str(resolution))
    return [
        f"/api/heatmap/hexagons?resolution={resolution}{FEW}",
        f"/api/heatmap/hexagons?resolution={written}{FEW}",
        f"/api/heatmap/hexagons?resolution={resolution}&format=geojson{FEW}",
        f"/api/heatmap/hexagons?resolution={resolution}&measure=median_days_to_close{FEW}",
        f"/api/heatmap/hexagons?resolution={resolution}&bbox=116.3,39.9,116.31,39.91{FEW}",
        *(
            f"/api/{what}?{place}{FEW}"
            for what in ("series", "categories", "summary", "matrix")
            for place in one
        ),
        *(f"/api/{what}?{both}{FEW}" for what in ("summary", "matrix")),
    ]


@pytest.mark.parametrize("resolution", [10, 11])
@pytest.mark.parametrize("who", ["planner", "supervisor"])
def test_the_smallest_are_the_publics(
    town: Any, staff: dict[str, people.Headers], resolution: int, who: str
) -> None:
    told = 0
    for path in ways(town, resolution):
        exact = town.get(path, headers=staff["admin"])  # asked first: no kept answer of theirs is handed on
        asked, public = town.get(path, headers=staff[who]), town.get(path)
        assert exact.status_code == asked.status_code == public.status_code == 200, path
        assert asked.json() == public.json(), path
        told += exact.json() != public.json()
        assert town.get(path, headers=staff["admin"]).json() == exact.json()
    assert told > 6  # there was something to protect
    heat = town.get(f"/api/heatmap/hexagons?resolution={resolution}{FEW}", headers=staff[who]).json()
    assert all(n >= 5 for n in heat["n"])
    arrow = f"/api/heatmap/hexagons?resolution={resolution}{FEW}"
    forms = [town.get(arrow, headers={**headers, "Accept": ARROW}).content for headers in (staff[who], {})]
    assert forms[0] == forms[1]


@pytest.mark.parametrize("resolution", [7, 8, 9])
def test_larger_ones_are_exact(town: Any, staff: dict[str, people.Headers], resolution: int) -> None:
    for path in ways(town, resolution):
        exact = town.get(path, headers=staff["admin"]).json()
        for who in ("planner", "supervisor"):
            assert town.get(path, headers=staff[who]).json() == exact, path


@pytest.mark.parametrize("by", ["hexagon:10", "hexagon:11"])
def test_no_file_of_them(town: Any, staff: dict[str, people.Headers], by: str) -> None:
    report = {"format": "xlsx", "view": {"by": by, "from": "2024-03-01", "to": "2024-03-15"}}
    for who in ("planner", "supervisor"):
        for path, body in (
            ("/api/reports", report),
            ("/api/exports", {"layer": "hexagons", "format": "csv", "by": by}),
            ("/api/exports", {"layer": "heatmap", "format": "csv", "by": by}),
        ):
            refused = town.ask("POST", path, json=body, headers={**staff[who], "Accept-Language": "en"})
            assert (refused.status_code, refused.json()["type"]) == (
                403,
                "urn:wangge:problem:figures-too-fine",
            )
            assert "hexagon:9" in refused.json()["detail"]
    assert town.ask("POST", "/api/reports", json=report, headers=staff["admin"]).status_code == 200
    coarse = {"format": "xlsx", "view": {"by": "hexagon:9"}}
    assert town.ask("POST", "/api/reports", json=coarse, headers=staff["planner"]).status_code == 200

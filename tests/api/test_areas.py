"""Cases are seen as far as one's area reaches, in every route; what is barred looks like what is missing."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Any

import mapbox_vector_tile
import pytest
from sqlalchemy import text

from geo.db import session as sessions
from geo.db.versions import bump
from tests.api import people

TOWN = "/tiles/cases/12/3371/1551.mvt"
OUTSIDE_C00 = "POINT(116.3001 39.9001)"  # in the ground of C00, but said to be in no unit


@pytest.fixture(scope="module")
def staff(town: Any) -> dict[str, people.Headers]:
    with sessions.session(town.settings, "owner") as session:
        session.execute(
            text(
                "UPDATE cases SET geom = ST_GeomFromText(:p, 4326) WHERE unit_id IS NULL AND geom IS NOT NULL "
                "AND hashtext(source_case_id) % 2 = 0"
            ),
            {"p": OUTSIDE_C00},
        )
        bump(session, "cases")
    found = people.staff(town.settings)
    found["homeless"] = people.token(town.settings, "无区", "supervisor")
    found["gone"] = people.token(town.settings, "旧区", "worker", ("community", "C99"))
    found["street"] = people.token(town.settings, "街长", "supervisor", ("street", "S2"))
    until = time.monotonic() + 30
    while time.monotonic() < until and not placed(town, found):
        time.sleep(0.1)
    return found


def placed(town: Any, found: dict[str, people.Headers]) -> bool:
    """Whether the columns have heard of the moved cases."""
    columns = town.app.state.service.store.current()
    return bool((abs(columns.lon - 116.3001) < 1e-9).any())


def listed(town: Any, headers: people.Headers, query: str = "", limit: int = 97) -> Iterator[dict[str, Any]]:
    after = ""
    while True:
        answer = town.get(f"/api/cases?limit={limit}{query}{after}", headers=headers)
        assert answer.status_code == 200, answer.text
        yield from answer.json()["cases"]
        if answer.json()["next"] is None:
            return
        after = f"&after={answer.json()['next']}"


def ids(town: Any, headers: people.Headers, query: str = "") -> list[int]:
    return [case["id"] for case in listed(town, headers, query)]


@pytest.mark.parametrize("who", ["worker", "supervisor"])
def test_the_list_is_the_area(town: Any, staff: dict[str, people.Headers], who: str) -> None:
    mine = people.of_area(town.settings, "C00")
    assert ids(town, staff[who]) == mine
    assert 0 < len(mine) < len(ids(town, staff["admin"]))
    assert len(ids(town, staff[who], "&placed=outside")) > 10
    assert ids(town, staff[who], "&placed=unplaced") == []
    answer = town.get("/api/cases", headers=staff[who]).json()
    assert answer["area"] == {"level": "community", "code": "C00", "name": "社区00"}


def test_a_street_has_the_cases_of_its_communities(town: Any, staff: dict[str, people.Headers]) -> None:
    both = {*people.of_area(town.settings, "C01"), *people.of_area(town.settings, "C11")}
    assert set(ids(town, staff["street"])) == both


def test_every_filter_stays_inside(town: Any, staff: dict[str, people.Headers]) -> None:
    mine = set(people.of_area(town.settings, "C00"))
    for query in (
        "&by=community&code=C11", "&by=street&code=S1", "&by=grid&code=G0000", "&bbox=-180,-90,180,90", "&source=town",
        "&by=grid&code=G0000&code=G0905", "&by=community&code=C00&code=C11",
        "&by=hexagon:8&code=8831aa5601fffff", "&category=01", "&status=open", "&origin=citizen",
    ):  # fmt: skip
        answer = town.get(f"/api/cases?limit=1000{query}", headers=staff["supervisor"])
        if answer.status_code == 200:
            assert {case["id"] for case in answer.json()["cases"]} <= mine, query
        features = town.get(f"/api/cases?limit=1000&format=geojson{query}", headers=staff["worker"])
        if features.status_code == 200:
            assert {f["id"] for f in features.json()["features"]} <= mine, query


def test_a_worker_finds_no_grid_of_a_draft(town: Any, staff: dict[str, people.Headers]) -> None:
    for plan, status in (("草稿", 404), ("nope", 404), ("current", 200)):
        answer = town.get(f"/api/cases?by=grid&code=G0000&plan={plan}", headers=staff["worker"])
        assert answer.status_code == status


@pytest.mark.parametrize(("who", "code"), [("homeless", "no-area"), ("gone", "area-gone")])
def test_without_an_area_nothing_is_seen_and_the_answer_says_why(
    town: Any, staff: dict[str, people.Headers], who: str, code: str
) -> None:
    answer = town.get("/api/cases", headers=staff[who]).json()
    assert answer["cases"] == []
    assert answer["notice"]["code"] == code
    assert answer["notice"]["zh"]
    assert town.get("/api/cases/1", headers=staff[who]).status_code == 404
    assert town.get(TOWN, headers=staff[who]).status_code == 204


def test_planners_and_the_public_see_no_case(town: Any, staff: dict[str, people.Headers]) -> None:
    for path in ("/api/cases", "/api/cases/1", "/tiles/cases", TOWN):
        assert town.get(path, headers=staff["planner"]).status_code == 403
        assert town.get(path).status_code == 401


def test_barred_and_missing_are_one_answer(town: Any, staff: dict[str, people.Headers]) -> None:
    mine = people.of_area(town.settings, "C00")
    other = people.of_area(town.settings, "C11")
    assert town.get(f"/api/cases/{mine[0]}", headers=staff["worker"]).json()["id"] == mine[0]
    for accept in ("application/json", "application/geo+json"):
        headers = {**staff["worker"], "Accept": accept}
        barred = town.get(f"/api/cases/{other[0]}", headers=headers)
        missing = town.get("/api/cases/999999999", headers=headers)
        assert barred.status_code == missing.status_code == 404
        assert {**barred.json(), "instance": ""} == {**missing.json(), "instance": ""}
        assert set(barred.headers) == set(missing.headers)


def test_barred_and_missing_take_equally_long(town: Any, staff: dict[str, people.Headers]) -> None:
    other = people.of_area(town.settings, "C11")
    took_s: dict[str, list[float]] = {"barred": [], "missing": []}
    for i in range(60):  # in turns, so that a busy machine slows both
        for what, number in (("barred", other[i]), ("missing", 900_000_000 + i)):
            began = time.perf_counter()
            assert town.get(f"/api/cases/{number}", headers=staff["worker"]).status_code == 404
            took_s[what].append(time.perf_counter() - began)
    barred, missing = (statistics.median(v) for v in took_s.values())
    print(f"barred {barred * 1000:.2f} ms, missing {missing * 1000:.2f} ms")
    assert abs(barred - missing) <= 0.002
    assert abs(barred - missing) < 0.05 * missing


def test_tiles_hold_the_area_alone(town: Any, staff: dict[str, people.Headers]) -> None:
    """Every zoom from the town down to its streets: the points and counts add up to the area's cases."""
    mine = set(people.of_area(town.settings, "C00"))
    for z in (10, 12, 14, 16):
        found = 0
        for path in tiles_of_town(z):
            answer = town.get(path, headers=staff["worker"])
            assert answer.status_code in (200, 204)
            if answer.status_code == 200:
                for feature in mapbox_vector_tile.decode(answer.content)["cases"]["features"]:
                    found += feature["properties"].get("n", 1)
        assert found == len(mine), z
        whole = town.get(tiles_of_town(10)[0], headers=staff["admin"])
        assert (
            whole.headers["etag"] != town.get(tiles_of_town(10)[0], headers=staff["worker"]).headers["etag"]
        )


def tiles_of_town(z: int) -> list[str]:
    """The tiles that the town lies in."""
    import math

    def tile(lon: float, lat: float) -> tuple[int, int]:
        y = (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2
        return int((lon + 180) / 360 * 2**z), int(y * 2**z)

    (west, south), (east, north) = tile(116.3, 39.9), tile(116.3201, 39.9201)
    return [f"/tiles/cases/{z}/{x}/{y}.mvt" for x in range(west, east + 1) for y in range(north, south + 1)]


def test_the_bounds_of_the_tileset_are_the_area(town: Any, staff: dict[str, people.Headers]) -> None:
    own = town.get("/tiles/cases", headers=staff["worker"]).json()["bounds"]
    assert own == pytest.approx([116.3, 39.9, 116.31, 39.91])

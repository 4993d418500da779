"""Summary, matrix, indicators and repeats over HTTP: equal to SQL, the laws, what the public may see, errors, caches."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from api import auth
from geo.db import session as sessions

K = 5
MARCH = "from=2024-03-01&to=2024-04-01"
KEYS = [
    "cases",
    "open",
    "overdue",
    "overdue_share",
    "median_days_to_close",
    "satisfied_share",
    "service_share",
]


def figures(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    assert [f["key"] for f in found["figures"]] == KEYS
    return {f["key"]: f for f in found["figures"]}


def scalar(town: Any, sql: str) -> Any:
    with sessions.session(town.settings, "owner") as session:
        return session.scalar(text(sql))


def test_the_strip_of_a_month(town: Any) -> None:
    found = town.staff(f"/api/summary?{MARCH}").json()
    march = "opened_at >= '2024-03-01+08' AND opened_at < '2024-04-01+08'"
    before = "opened_at >= '2024-01-30+08' AND opened_at < '2024-03-01+08'"
    assert found["period"] == {"from": "2024-03-01", "to": "2024-04-01"}
    assert found["previous"] == {"from": "2024-01-30", "to": "2024-03-01"}
    assert found["previous_reason"] is None
    strip = figures(found)
    assert (
        strip["cases"]["value"] == found["total"] == scalar(town, f"SELECT count(*) FROM cases WHERE {march}")
    )
    assert strip["cases"]["previous"] == scalar(town, f"SELECT count(*) FROM cases WHERE {before}")
    assert strip["satisfied_share"]["n"] == scalar(town, f"SELECT count(satisfied) FROM cases WHERE {march}")
    assert found["unplaced"] == scalar(town, f"SELECT count(*) FROM cases WHERE {march} AND geom IS NULL")
    for figure in strip.values():
        assert figure["n"] > 0, figure
        assert figure["low"] <= figure["value"] <= figure["high"], figure
        assert figure["previous_low"] <= figure["previous"] <= figure["previous_high"], figure
        assert figure["differs"] in (True, False)
    year = town.staff(f"/api/summary?{MARCH}&versus=last-year").json()
    assert year["previous"] == {"from": "2023-03-01", "to": "2023-04-01"}
    assert year["previous_reason"] == "before-data"
    assert {f["previous"] for f in year["figures"]} == {None}
    assert {f["previous_reason"] for f in year["figures"]} == {"before-data"}


def test_zones_together_add_up(town: Any) -> None:
    heat = town.staff(f"/api/heatmap/grids?{MARCH}").json()
    codes = "".join(f"&code={code}" for code in heat["codes"])
    together = town.staff(f"/api/summary?{MARCH}&by=grid{codes}").json()
    whole = town.staff(f"/api/summary?{MARCH}").json()
    assert together["total"] + heat["unplaced"] + heat["outside"] == whole["total"] == heat["total"]
    parts = [
        town.staff(f"/api/summary?{MARCH}&by=street&code={code}").json()["total"] for code in ("S1", "S2")
    ]
    assert sum(parts) == town.staff(f"/api/summary?{MARCH}&by=street&code=S1&code=S2").json()["total"]
    twice = town.staff(f"/api/summary?{MARCH}&by=street&code=S1&code=S1").json()
    assert twice["total"] == parts[0]
    assert twice["code"] == ["S1"]


def test_matrix_sums_to_the_summary(town: Any) -> None:
    for query in (
        "",
        MARCH,
        f"{MARCH}&category=01",
        "by=grid&code=G0000&code=G0005",
        "by=community&code=C11",
    ):
        found = town.staff(f"/api/matrix?{query}").json()
        assert sum(map(sum, found["values"])) == found["total"]
        assert found["total"] == town.staff(f"/api/summary?{query}").json()["total"]
        assert (len(found["values"]), {len(row) for row in found["values"]}) == (7, {24})
    assert found["weekdays"] == list(range(1, 8))
    noon = scalar(
        town,
        "SELECT count(*) FROM cases WHERE extract(isodow FROM opened_at AT TIME ZONE 'Asia/Shanghai') = 3 "
        "AND extract(hour FROM opened_at AT TIME ZONE 'Asia/Shanghai') = 12",
    )
    assert town.staff("/api/matrix").json()["values"][2][12] == noon > 0


def test_the_public_sees_no_small_figure(town: Any) -> None:
    """Every zone and period: a figure is at least k on both sides, or hidden; and where the map hides, so does this."""
    seen = hidden = 0
    for period in (MARCH, "from=2024-03-04&to=2024-03-11", "from=2024-03-04&to=2024-03-05", ""):
        heat = town.get(f"/api/heatmap/grids?{period}").json()
        for code, gone in [(None, False), *zip(heat["codes"], heat["suppressed"], strict=True)]:
            zone = "" if code is None else f"&by=grid&code={code}"
            found = town.get(f"/api/summary?{period}{zone}").json()
            assert found["unplaced"] is found["outside"] is None
            strip = figures(found)
            exact = figures(town.staff(f"/api/summary?{period}{zone}").json())
            if gone:
                assert found["total"] is None
                assert {f["reason"] for f in strip.values()} == {"hidden"}
                hidden += 1
            for key, figure in strip.items():
                for prefix, n in (("", "n"), ("previous", "previous_n")):
                    value = figure[prefix or "value"]
                    if value is None:
                        assert figure[n] == 0
                        continue
                    seen += 1
                    assert value == exact[key][prefix or "value"]
                    assert figure[n] == 0 or figure[n] >= K
                    if figure["unit"] == "share":
                        part = round(value * figure[n])
                        rest = strip["cases"][n] - figure[n]  # neither: no answer, reported by others
                        assert rest == 0 or rest >= K
                        assert 0 in (part, figure[n] - part) or min(part, figure[n] - part) >= K
            assert strip["median_days_to_close"]["low"] is None
    assert seen > 300
    assert hidden > 5


def test_a_hidden_zone_is_not_found_by_subtraction(town: Any) -> None:
    week = "from=2024-03-04&to=2024-03-11"
    heat = town.get(f"/api/heatmap/grids?{week}").json()
    gone = [c for c, h in zip(heat["codes"], heat["suppressed"], strict=True) if h]
    shown = [c for c, h in zip(heat["codes"], heat["suppressed"], strict=True) if not h and c]
    assert gone
    assert shown
    pair = town.get(f"/api/summary?{week}&by=grid&code={shown[0]}&code={gone[0]}").json()
    assert pair["total"] is None
    assert {f["value"] for f in pair["figures"]} == {None}
    both = town.get(f"/api/summary?{week}&by=grid&code={shown[0]}&code={shown[-1]}").json()
    assert both["total"] >= K
    empty = town.get("/api/summary?by=hexagon:9&code=8931aa42c7bffff").json()
    assert empty["total"] is None


def test_the_matrix_of_the_public(town: Any) -> None:
    found = town.get("/api/matrix").json()
    exact = town.staff("/api/matrix").json()
    for row, true in zip(found["values"], exact["values"], strict=True):
        gone = [n for n, told in zip(true, row, strict=True) if told is None]
        assert all(told is None or told == n for n, told in zip(true, row, strict=True))
        assert all(told == 0 or told >= K for told in row if told is not None)
        assert not gone or (len(gone) > 1 and sum(gone) >= K)  # the day's sum is published elsewhere
    visible = sum(n for row in found["values"] for n in row if n is not None)
    assert visible + found["suppressed_total"] == found["total"]
    assert found["k"] == K
    zone = town.get("/api/matrix?by=community&code=C00").json()
    assert zone["reason"] == "zones-not-public"
    assert zone["total"] is None
    assert {n for row in zone["values"] for n in row} == {None}
    few = town.get(
        "/api/matrix?from=2024-03-04&to=2024-03-05&category=01/0100&origin=citizen&status=open"
    ).json()
    assert few["total"] in (None, 0)


def test_ranks_have_ranges(town: Any) -> None:
    found = town.staff("/api/indicators?by=grid&measure=cases").json()
    size = len(found["codes"])
    columns = ("names", "values", "n", "low", "high", "rank", "rank_low", "rank_high", "group", "posts")
    assert {len(found[name]) for name in columns} == {size} == {20}
    for at in range(size):
        assert found["low"][at] <= found["values"][at] <= found["high"][at]
        assert found["rank_low"][at] <= found["rank"][at] <= found["rank_high"][at]
    best, last = found["rank"].index(1), found["rank"].index(max(found["rank"]))
    assert found["rank_high"][best] < found["rank_low"][last]
    assert found["group"][best] == 1 < found["group"][last]
    assert sum(found["values"]) + found["unplaced"] + found["outside"] == found["total"]
    assert set(found["posts"]) == {1.0}
    assert "2019" in found["method"]
    shares = town.staff(
        "/api/indicators?by=community&measure=satisfied_share&from=2024-03-04&to=2024-03-05"
    ).json()
    for at, value in enumerate(shares["values"]):
        assert (shares["rank"][at] is None) == (value is None)
    assert shares["posts"] is None


def test_repeats(town: Any) -> None:
    found = town.staff("/api/repeats?limit=10").json()
    assert found["places"] > 10 == len(found["units"]) == len(found["lon"]) == len(found["category"])
    assert found["n"] == sorted(found["n"], reverse=True)
    most = scalar(
        town,
        "SELECT max(n) FROM (SELECT count(*) AS n FROM cases WHERE unit_id IS NOT NULL AND status <> 2 "
        "GROUP BY unit_id, category_id) q",
    )
    assert found["n"][0] == most
    assert all(first <= last for first, last in zip(found["first"], found["last"], strict=True))
    grid = town.staff("/api/repeats?by=grid&code=G0000").json()
    assert 0 < grid["places"] < found["places"]


def person(
    town: Any, name: str, role: str, level: str | None = None, code: str | None = None
) -> dict[str, str]:
    with sessions.session(town.settings, "owner") as session:
        auth.add_user(session, name)
        session.execute(
            text("UPDATE app_user SET role = :r, area_level = :l, area_code = :c WHERE name = :n"),
            {"r": role, "l": level, "c": code, "n": name},
        )
        token = auth.issue_token(session, name)[0]
    return {"Authorization": f"Bearer {token}"}


def test_repeats_of_the_own_area_only(town: Any) -> None:
    whole = town.staff("/api/repeats?limit=1000").json()
    worker = person(town, "repeat-worker", "worker", "community", "C00")
    mine = town.get("/api/repeats?limit=1000", headers=worker).json()
    own = {f"U{j:02}{i:02}" for j in range(5) for i in range(5)}
    assert set(mine["units"]) == set(whole["units"]) & own != set()
    elsewhere = town.get("/api/repeats?by=community&code=C11", headers=worker).json()
    assert elsewhere["units"] == []
    assert town.get("/api/indicators", headers=worker).status_code == 403
    planner = person(town, "repeat-planner", "planner")
    assert town.get("/api/repeats", headers=planner).status_code == 403
    assert town.get("/api/indicators", headers=planner).status_code == 200


@pytest.mark.parametrize("path", ["/api/indicators", "/api/repeats"])
def test_not_public(town: Any, path: str) -> None:
    assert town.get(path).status_code == 401


@pytest.mark.parametrize(
    ("path", "status", "field"),
    [
        ("/api/summary?by=grid", 400, "code"),
        ("/api/summary?code=G0000", 400, "by"),
        ("/api/summary?by=grid&code=nope", 404, "code"),
        ("/api/summary?by=nope&code=x", 404, None),
        ("/api/summary?versus=never", 400, "versus"),
        ("/api/summary?asof=yesterday", 400, "asof"),
        ("/api/summary?from=2024-02-01&to=2024-01-01", 400, "to"),
        ("/api/summary?colour=red", 400, "colour"),
        ("/api/summary?category=nope", 400, "category"),
        ("/api/summary?by=grid" + "&code=x" * 201, 400, "code"),
        ("/api/matrix?by=hexagon:3&code=x", 400, "by"),
        ("/api/indicators?by=hexagon:9", 400, "by"),
        ("/api/indicators?measure=happiness", 400, "measure"),
        ("/api/indicators?by=nope", 404, None),
        ("/api/indicators?plan=nope", 404, "plan"),
        ("/api/repeats?limit=0", 400, "limit"),
    ],
)
def test_refusals(town: Any, path: str, status: int, field: str | None) -> None:
    for language in ("zh", "en"):
        answer = town.staff(path, headers={"Accept-Language": language})
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"].startswith("application/problem+json")
        assert answer.headers["content-language"] == language
        if field:
            assert answer.json()["field"] == field


def test_a_draft_is_not_there_for_the_public(town: Any) -> None:
    for path in ("summary", "matrix"):
        query = f"/api/{path}?by=grid&code=G0000&plan=草稿"
        assert town.get(query).status_code == 404
        assert town.staff(query).status_code == 200


def test_validators_and_caches(town: Any) -> None:
    for path in (f"/api/summary?{MARCH}", "/api/matrix", "/api/indicators"):
        first = town.staff(path)
        again = town.staff(path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert first.headers["cache-control"] == "private, no-cache"
        assert (
            town.staff(path + ("&" if "?" in path else "?") + "origin=citizen").headers["etag"]
            != first.headers["etag"]
        )
    assert town.get("/api/summary").headers["cache-control"].startswith("public")
    assert town.staff("/api/repeats").headers["cache-control"] == "private, no-store"

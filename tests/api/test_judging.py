"""Score, compare and replay over HTTP: figures, refusals, caches, who may."""

from __future__ import annotations

import pytest

from tests.api.conftest import Served

PLAN = "/api/plans/首版"


def test_the_scorecard(town: Served) -> None:
    found = town.staff(f"{PLAN}/score", params={"weight": "households", "tolerance": 0.2})
    card = found.json()
    assert card["plan"] == "首版" and card["grids"] == 20 and card["contiguous"] is not None
    unknown = {key for key, value in card.items() if value is None}
    assert unknown == set(card["missing"]) and all(why["en"] for why in card["missing"].values())
    assert card["within_tolerance"] is not None and card["placed_cases"] > 0
    again = town.staff(
        f"{PLAN}/score",
        params={"weight": "households", "tolerance": 0.2},
        headers={"If-None-Match": found.headers["etag"]},
    )
    assert again.status_code == 304


def test_compare_with_a_draft(town: Served) -> None:
    found = town.staff(f"{PLAN}/compare", params={"with": "草稿", "from": "2024-03-01"}).json()
    assert found["moved"]["units"] == {"moved": 60.0, "total": 100.0, "share": 0.6}
    assert sum(p["units"] for p in found["pairs"] if not p["stays"]) == 60
    drawn = town.staff(f"{PLAN}/compare", params={"with": "草稿", "format": "geojson"})
    assert drawn.headers["content-type"] == "application/geo+json"
    assert len(drawn.json()["features"]) == 60


def test_replay_with_a_draft(town: Served) -> None:
    found = town.staff(f"{PLAN}/replay", params={"with": "草稿", "replicates": 50}).json()
    assert found["n"] == 3000 and found["weeks"] >= 52
    assert sum(found["loads"][0].values()) == sum(found["loads"][1].values())
    assert found["figures"]["gini"]["low"] is not None
    one_week = {"with": "草稿", "from": "2024-03-04", "to": "2024-03-11"}
    assert town.staff(f"{PLAN}/replay", params=one_week).json()["figures"]["gini"]["low"] is None


@pytest.mark.parametrize(
    ("path", "status", "field"),
    [
        (f"{PLAN}/compare", 400, "with"),
        (f"{PLAN}/compare?with=没有", 404, "with"),
        ("/api/plans/没有/score", 404, "plan"),
        (f"{PLAN}/score?tolerance=-1", 400, "tolerance"),
        (f"{PLAN}/score?near_m=nan", 400, "near_m"),
        (f"{PLAN}/score?weight=%E6%B2%A1%E6%9C%89", 400, "weight"),
        (f"{PLAN}/replay?with=草稿&weight=area", 400, "weight"),
        (f"{PLAN}/replay?with=草稿&category=zz", 400, "category"),
        (f"{PLAN}/replay?with=草稿&replicates=1e9", 400, "replicates"),
        (f"{PLAN}/compare?with=草稿&from=2024-02-31", 400, "from"),
    ],
)
def test_refusals_name_the_field(town: Served, path: str, status: int, field: str) -> None:
    said = town.staff(path)
    assert said.status_code == status and said.headers["content-type"] == "application/problem+json"
    assert said.json().get("field") == field


@pytest.mark.parametrize("what", ["score", "compare?with=2", "replay?with=2"])
def test_the_public_may_not(town: Served, what: str) -> None:
    assert town.get(f"{PLAN}/{what}").status_code == 401


def test_the_impact_statement_is_a_file(town: Served) -> None:
    said = town.staff(f"{PLAN}/impact", params={"with": "草稿", "format": "html", "lang": "en"})
    assert said.status_code == 200 and said.headers["content-disposition"].startswith("attachment")
    assert "Replay on real cases" in said.text and "script" not in said.text


def test_overlay_makes_a_draft(town: Served) -> None:
    asked = {"name": "合一", "layers": ["首版", "草稿", "street"], "weights": {"首版": 2}}
    made = town.client.post("/api/plans/overlay", json=asked, headers=town.admin)
    assert made.status_code == 201, made.text
    assert {one["name"] for one in made.json()["layers"]} == set(asked["layers"])
    assert town.staff(f"/api/plans/{made.json()['id']}").json()["state"] == "draft"
    again = town.client.post("/api/plans/overlay", json=asked, headers=town.admin)
    assert again.status_code == 400 and again.json()["field"] == "name"
    for wrong, field in (
        ({**asked, "name": "x", "layers": ["首版"]}, "layers"),
        ({**asked, "name": "x", "weights": {"首版": 0}}, "weights"),
    ):
        said = town.client.post("/api/plans/overlay", json=wrong, headers=town.admin)
        assert said.status_code == 400 and said.json()["field"].startswith(field)
    assert town.client.post("/api/plans/overlay", json=asked).status_code == 401

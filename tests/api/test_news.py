"""What an editor reads beside the acts: the ground once, and what is new since a revision."""

from __future__ import annotations

from typing import Any

import pytest

made = iter(range(10_000))


@pytest.fixture
def draft(town: Any) -> str:
    """The path of a fresh copy of the town's draft: grids of 2 × 1 units."""
    body = {"name": f"新 {next(made)}", "like": "草稿"}
    return str(town.ask("POST", "/api/plans", json=body, headers=town.admin).headers["location"])


def act(town: Any, path: str, body: Any, method: str = "POST") -> dict[str, Any]:
    answer = town.ask(method, path, json=body, headers=town.admin)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def news(town: Any, draft: str, since: int) -> dict[str, Any]:
    answer = town.staff(f"{draft}/changes?since={since}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_the_ground_has_a_place_and_neighbours_for_every_unit(town: Any, draft: str) -> None:
    ground = town.staff(f"{draft}/ground").json()
    held = town.staff(f"{draft}/assignment").json()
    assert ground["units"] == held["units"]
    n = len(ground["units"])
    assert all(len(ground[name]) == n for name in ("codes", "lon", "lat", "area", "area_m2"))
    assert len(ground["starts"]) == n + 1 and ground["starts"][-1] == len(ground["beside"])
    pairs = [
        (u, v) for u in range(n) for v in ground["beside"][ground["starts"][u] : ground["starts"][u + 1]]
    ]
    assert len(set(pairs)) == len(pairs) and all(u < v for u, v in pairs)
    at = {code: i for i, code in enumerate(ground["codes"])}
    assert (at["U0000"], at["U0001"]) in pairs
    for name, loads in ground["loads"].items():
        assert sum(loads) == pytest.approx(sum(town.staff(f"{draft}/grids").json()["loads"][name]), abs=0.01)
    assert town.get(f"{draft}/ground").status_code in (401, 404)


def test_news_tell_what_moved_and_are_nothing_new_the_second_time(town: Any, draft: str) -> None:
    before = town.staff(f"{draft}/changes?since=0")
    assert before.json()["acts"] == [] and before.json()["units"] == []
    tag = before.headers["etag"]
    assert town.staff(f"{draft}/changes?since=0", headers={"If-None-Match": tag}).status_code == 304
    act(town, f"{draft}/units", {"unit_codes": ["U0000"], "to_grid": "G0002", "revision": 0}, "PATCH")
    told = news(town, draft, 0)
    assert [(one["act"], one["author"]) for one in told["acts"]] == [("assign", "tester")]
    assert told["unit_grids"] == ["G0002"] and len(told["units"]) == 1
    assert {one["code"] for one in told["grids"]} == {"G0000", "G0002"} and told["removed"] == []
    assert told["can_undo"] and not told["can_redo"] and told["revision"] == 1
    assert ("not-contiguous", "G0002") in {(v["code"], v["grid"]) for v in told["violations"]}
    assert news(town, draft, 1)["units"] == []


def test_news_of_a_split_a_merge_and_an_undo_agree_with_the_whole_assignment(town: Any, draft: str) -> None:
    def held() -> dict[int, str | None]:
        found = town.staff(f"{draft}/assignment").json()
        return {
            u: found["grids"][g] if g >= 0 else None
            for u, g in zip(found["units"], found["grid"], strict=True)
        }

    known = held()
    acts: list[tuple[str, dict[str, Any]]] = [
        ("merge", {"grid": "G0000", "other": "G0002"}),
        ("split", {"grid": "G0000", "parts": 2}),
        ("undo", {}),
        ("undo", {}),
        ("redo", {}),
    ]
    for revision, (word, body) in enumerate(acts):
        act(town, f"{draft}/{word}", {**body, "revision": revision})
        told = news(town, draft, revision)
        known |= dict(zip(told["units"], told["unit_grids"], strict=True))
        assert known == held(), word
        assert not set(told["removed"]) & set(known.values())


def test_a_new_code_takes_the_old_one_away(town: Any, draft: str) -> None:
    act(town, f"{draft}/rename", {"grid": "G0000", "code": "G9999", "revision": 0})
    told = news(town, draft, 0)
    assert told["removed"] == ["G0000"] and [one["code"] for one in told["grids"]] == ["G9999"]


def test_a_revision_to_come_is_refused(town: Any, draft: str) -> None:
    answer = town.staff(f"{draft}/changes?since=7")
    assert answer.status_code == 409 and answer.json()["type"].endswith("stale-revision")


def test_the_ground_is_made_once_for_all_drafts_on_it(town: Any, draft: str) -> None:
    first = town.staff(f"{draft}/ground")
    other = str(
        town.ask(
            "POST", "/api/plans", json={"name": f"新 {next(made)}", "like": "草稿"}, headers=town.admin
        ).headers["location"]
    )
    second = town.staff(f"{other}/ground")
    assert second.content == first.content and second.headers["etag"] == first.headers["etag"]
    tag = first.headers["etag"]
    assert town.staff(f"{other}/ground", headers={"If-None-Match": tag}).status_code == 304
    assert town.get(f"{other}/ground").status_code in (401, 404), "kept for staff alone"


def test_rules_about_cases_are_looked_at_with_all_cases(town: Any, draft: str) -> None:
    told = town.staff(f"{draft}/grids").json()
    band = {"bands": {"cases": [10**6, 10**7]}, "revision": told["revision"]}
    answer = town.ask("POST", f"{draft}/settings", json=band, headers=town.admin)
    assert answer.status_code == 200, answer.text
    answer = town.staff(f"{draft}/check")
    assert answer.status_code == 200, answer.text
    broken = [v for v in answer.json()["violations"] if v["column"] == "cases"]
    assert {v["grid"] for v in broken} == set(told["codes"])
    assert sum(v["measured"] for v in broken) == sum(told["loads"]["cases"])

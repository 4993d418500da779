"""Drafts through the API: edits and what follows them (heat maps, tiles, lists), stale states, refusals, limits."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

NO_PLAN = "/api/plans/no-such-plan"
made = iter(range(10_000))


@pytest.fixture
def draft(town: Any) -> str:
    """The path of a fresh copy of the town's draft: grids of 2 × 1 units."""
    answer = post(town, "/api/plans", {"name": f"稿 {next(made)}", "like": "草稿"})
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/api/plans/{answer.json()['id']}"
    return str(answer.headers["location"])


def post(town: Any, path: str, body: Any, method: str = "POST", **headers: str) -> httpx.Response:
    answer: httpx.Response = town.ask(method, path, json=body, headers={**town.admin, **headers})
    return answer


def patch(town: Any, draft: str, body: Any, **headers: str) -> httpx.Response:
    return post(town, f"{draft}/units", body, "PATCH", **headers)


def kind(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


def test_an_edit_answers_only_what_it_changed(town: Any, draft: str) -> None:
    answer = patch(town, draft, {"unit_codes": ["U0000"], "to_grid": "G0002", "revision": 0})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert [g["code"] for g in told["grids"]] == ["G0000", "G0002"] and told["removed"] == []
    assert (told["revision"], told["act"], told["author"], told["units"]) == (1, "assign", "tester", 1)
    assert told["grids"][1]["contiguous"] is False and told["grids"][1]["parts"] == 2
    broken = {(v["code"], v["grid"]) for v in told["violations"]}
    assert ("not-contiguous", "G0002") in broken and all(grid in ("G0000", "G0002") for _, grid in broken)
    assert told["score"]["grids"] == 50 and told["score"]["weight"] == "cases"
    assert answer.headers["etag"].startswith('W/"r1.')
    last = patch(
        town, draft, {"unit_codes": ["U0001"], "to_grid": None}, **{"If-Match": answer.headers["etag"]}
    )
    assert last.json()["removed"] == ["G0000"] and last.json()["grids"] == []


def test_the_heat_map_and_the_lists_follow_an_edit(town: Any, draft: str) -> None:
    plan = draft.rpartition("/")[2]

    def heat(**more: str) -> dict[str, Any]:
        return dict(town.staff("/api/heatmap/grids", params={"plan": plan, **more}).json())

    before = heat()
    values = dict(zip(before["codes"], before["values"], strict=True))
    assert before == heat() and len(values) == 50
    patch(town, draft, {"unit_codes": ["U0000", "U0001"], "to_grid": "G0002", "revision": 0})
    after = heat()
    now = dict(zip(after["codes"], after["values"], strict=True))
    assert "G0000" not in now and len(now) == 49
    assert now["G0002"] == values["G0000"] + values["G0002"] and after["outside"] == before["outside"]
    patch(town, draft, {"unit_codes": ["U0002", "U0003"], "to_grid": None, "revision": 1})
    opened = heat()
    assert opened["total"] == before["total"] and opened["unassigned"] == values["G0002"]
    assert opened["outside"] == before["outside"] + values["G0002"]
    assert sum(opened["values"]) + opened["unplaced"] + opened["outside"] == opened["total"]
    post(town, f"{draft}/undo", {"revision": 2})
    post(town, f"{draft}/undo", {"revision": 3})
    assert heat()["values"] == before["values"]
    assert town.staff(draft).json()["grids"] == 50
    assert len(town.staff(f"/api/zones?by=grid&plan={plan}").json()["codes"]) == 50


def test_edits_leave_what_the_public_sees_in_its_caches(town: Any, draft: str) -> None:
    service = town.app.state.service
    service.store.poll()
    town.get("/api/heatmap/grids?measure=open")
    town.staff("/tiles/grids/12/3371/1551.mvt")
    hits, tiles = service.answers.hits, service.tiles.hits
    assert patch(town, draft, {"unit_codes": ["U0000"], "to_grid": None, "revision": 0}).status_code == 200
    service.store.poll()
    town.get("/api/heatmap/grids?measure=open")
    town.staff("/tiles/grids/12/3371/1551.mvt")
    assert (service.answers.hits, service.tiles.hits) == (hits + 1, tiles + 1)


def test_tiles_of_a_draft_follow_its_edits(town: Any, draft: str) -> None:
    import mapbox_vector_tile

    address = f"/tiles/plans/{draft.rpartition('/')[2]}/grids/12/3371/1551.mvt"

    def shown() -> set[str]:
        content = town.staff(address).content
        return {f["properties"]["code"] for f in mapbox_vector_tile.decode(content)["grids"]["features"]}

    assert "G0400" in shown()
    patch(town, draft, {"unit_codes": ["U0400", "U0401"], "to_grid": "G0402", "revision": 0})
    assert "G0400" not in shown()
    assert town.get(address).status_code == 404, "a draft does not exist for the public"


def test_two_clients_on_one_draft(town: Any, draft: str) -> None:
    seen = town.staff(draft).headers["etag"]
    first = patch(town, draft, {"unit_codes": ["U0000"], "to_grid": "G0100"}, **{"If-Match": seen})
    assert first.status_code == 200, first.text
    by_header = patch(town, draft, {"unit_codes": ["U0901"], "to_grid": "G0902"}, **{"If-Match": seen})
    assert kind(by_header) == (412, "stale-revision") and by_header.json()["field"] == "If-Match"
    by_body = patch(town, draft, {"unit_codes": ["U0901"], "to_grid": "G0902", "revision": 0})
    assert kind(by_body) == (409, "stale-revision") and by_body.json()["field"] == "revision"
    for answer in (by_header, by_body):
        told = answer.json()
        assert (told["author"], told["revision"]) == ("tester", 1) and told["at"]
        assert told["changed"]["grids"] == ["G0000", "G0100"] and told["changed"]["units"] == ["U0000"]
        assert "tester" in told["detail"] and "U0000" in told["detail"]
    assert kind(patch(town, draft, {"unit_codes": ["U0901"], "to_grid": None})) == (428, "revision-required")
    agreed = patch(town, draft, {"unit_codes": ["U0901"], "to_grid": "G0902", "revision": told["revision"]})
    assert agreed.json()["revision"] == 2
    assert (
        patch(town, draft, {"unit_codes": ["U0000"], "to_grid": None}, **{"If-Match": "*"}).status_code == 200
    )


def test_an_edit_sent_twice_under_one_key_happens_once(town: Any, draft: str) -> None:
    body, key = {"unit_codes": ["U0000"], "to_grid": "new", "revision": 0}, {"Idempotency-Key": draft}
    first, again = patch(town, draft, body, **key), patch(town, draft, body, **key)
    assert first.status_code == 200 and again.content == first.content
    assert town.staff(draft).json()["revision"] == 1


def test_split_along_a_line_by_posts_and_put_right(town: Any, draft: str) -> None:
    merged = post(town, f"{draft}/merge", {"grid": "G0000", "other": "G0002", "revision": 0})
    assert merged.status_code == 200, merged.text
    line = [
        [116.3029, 39.89],
        [116.3031, 39.95],
    ]  # between the second and the third unit of four, a little askew
    parted = post(town, f"{draft}/split", {"grid": "G0000", "line": line, "revision": 1})
    assert parted.status_code == 200 and [g["units"] for g in parted.json()["grids"]] in ([1, 3], [3, 1])
    post(town, f"{draft}/undo", {"revision": 2})
    shared = post(town, f"{draft}/split", {"grid": "G0000", "posts": [3, 1], "revision": 3})
    assert {g["code"]: g["posts"] for g in shared.json()["grids"]} == {"G0000": 3.0, "C00-002": 1.0}
    settings = {"nesting": "free", "weights": ["area"], "tolerance": 0.2, "revision": 4}
    assert post(town, f"{draft}/settings", settings).json()["score"]["weight"] == "area"
    fixed = post(town, f"{draft}/fix", {"grid": "G0000", "revision": 5})
    assert fixed.status_code == 200 and all(g["contiguous"] for g in fixed.json()["grids"])
    history = town.staff(f"{draft}/edits?limit=3").json()
    acts = [edit["act"] for edit in history["edits"]]
    assert acts[:1] != [] and set(acts) <= {"fix", "configure", "split", "undo"} and history["next"]
    assert history["edits"][0]["author"] == "tester" and history["edits"][0]["at"]
    rest = town.staff(f"{draft}/edits?before={history['next']}").json()
    assert [edit["revision"] for edit in rest["edits"]] == list(range(history["next"] - 1, 0, -1))
    assert rest["next"] is None


def test_views_carry_validators_and_stay_with_staff(town: Any, draft: str) -> None:
    for what in ("grids", "assignment", "assignment?units=code", "edits"):
        first = town.staff(f"{draft}/{what}")
        kept = town.staff(f"{draft}/{what}", headers={"If-None-Match": first.headers["etag"]})
        assert (first.status_code, kept.status_code) == (200, 304), what
        assert first.headers["cache-control"].startswith("private")
        assert town.get(f"{draft}/{what}").status_code == 401
    table = town.staff(f"{draft}/grids").json()
    assert (
        len({len(table[c]) for c in ("codes", "names", "deviation", "posts", "locked", "crossing", "parts")})
        == 1
    )
    patch(town, draft, {"unit_codes": ["U0000"], "to_grid": None, "revision": 0})
    changed = town.staff(f"{draft}/grids", headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200 and changed.json()["score"]["open_units"] == 1


def test_an_empty_draft_is_painted_from_nothing(town: Any) -> None:
    begun = post(town, "/api/plans", {"name": f"空 {next(made)}", "empty": True, "nesting": "free"})
    path = begun.headers["location"]
    assert town.staff(f"{path}/grids").json()["codes"] == []
    heat = town.staff(f"/api/heatmap/grids?plan={begun.json()['id']}").json()
    assert heat["values"] == [] and heat["unassigned"] > 0
    units = town.staff(f"{path}/assignment").json()["units"]
    moves = [{"unit_ids": units[:40], "to_grid": "new"}, {"unit_ids": units[40:], "to_grid": "new"}]
    answer = patch(town, path, {"moves": moves, "revision": 0})
    assert answer.status_code == 200, answer.text
    done = answer.json()
    assert [g["units"] for g in done["grids"]] in ([40, 60], [60, 40]) and done["score"]["open_units"] == 0
    assert len({g["code"] for g in done["grids"]}) == 2
    taken = post(town, "/api/plans", {"name": begun.json()["name"], "empty": True})
    assert kind(taken) == (400, "plan-name-taken")


@pytest.mark.parametrize(
    ("path", "body", "refusal"),
    [
        ("units", {"unit_codes": ["U9"], "to_grid": "G0000"}, (422, "unit-unknown")),
        ("units", {"unit_ids": [2**31 - 1], "to_grid": "G0000"}, (422, "unit-unknown")),
        ("units", {"unit_ids": [2**31], "to_grid": "G0000"}, (400, "parameter-invalid")),
        ("units", {"unit_ids": ["1"], "to_grid": "G0000"}, (400, "parameter-invalid")),
        ("units", {"unit_ids": [1], "unit_codes": ["U0000"], "to_grid": "G0000"}, (400, "parameter-invalid")),
        ("units", {"unit_ids": [1]}, (400, "parameter-invalid")),
        ("units", {"unit_ids": [1], "to_grid": "X"}, (422, "grid-unknown")),
        ("units", {"unit_ids": [1], "to_grid": None, "colour": "red"}, (400, "parameter-unknown")),
        ("units", {"moves": [], "to_grid": None}, (400, "parameter-invalid")),
        ("units", {"unit_ids": [1] * 200_001, "to_grid": None}, (400, "parameter-invalid")),
        ("split", {"grid": "X"}, (422, "grid-unknown")),
        ("split", {"grid": "G0000", "parts": 3}, (400, "parts")),
        ("split", {"grid": "G0000", "parts": 2, "posts": [1, 1]}, (400, "parameter-invalid")),
        ("split", {"grid": "G0000", "line": [[0, 0], [1, 1]]}, (400, "line-cuts-nothing")),
        ("merge", {"grid": "G0000", "other": "G0908"}, (422, "not-neighbours")),
        ("merge", {"grid": "G0000", "other": "G0000"}, (400, "same-grid")),
        ("posts", {"posts": {"G0000": 0}}, (400, "parameter-invalid")),
        ("posts", {"posts": {"G0000": 1e999}}, (400, "parameter-invalid")),
        ("rename", {"grid": "G0000"}, (400, "parameter-invalid")),
        ("rename", {"grid": "G0000", "code": "G0002"}, (422, "code-taken")),
        ("rename", {"grid": "G0000", "name": " "}, (422, "grid-name")),
        ("lock", {"grids": []}, (400, "parameter-invalid")),
        ("settings", {"weights": ["people"]}, (400, "weight-unknown")),
        ("settings", {"nesting": "loose"}, (400, "parameter-invalid")),
        ("undo", {}, (422, "nothing-to-undo")),
        ("redo", {}, (422, "nothing-to-redo")),
        ("undo", {"revision": -1}, (400, "parameter-invalid")),
    ],
)  # fmt: skip
def test_refusals_name_what_is_wrong_and_change_nothing(
    town: Any, draft: str, path: str, body: dict[str, Any], refusal: tuple[int, str]
) -> None:
    import orjson

    content = orjson.dumps({"revision": 0, **body}).replace(b"null}}", b"1e999}}")
    headers = {**town.admin, "Content-Type": "application/json"}
    answer = town.ask(
        "PATCH" if path == "units" else "POST", f"{draft}/{path}", content=content, headers=headers
    )
    assert kind(answer) == refusal, answer.text
    assert answer.headers["content-type"] == "application/problem+json" and answer.json()["detail"]
    assert town.staff(draft).json()["revision"] == 0
    assert kind(town.ask("POST", f"{NO_PLAN}/undo", json={"revision": 0}, headers=town.admin))[0] == 404

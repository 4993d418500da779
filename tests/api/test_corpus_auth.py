"""The `auth` cases of the bad-input corpus, through the API.

What the corpus calls a thing and what it is here:

    plan.publish → POST /api/plans/{plan}/approve    admin.users → GET /api/users    case.detail → GET /api/cases/{id}
    auth.login   → POST /api/session                 planner     → a role that may approve
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from api import auth, principals
from tests.api import signed_in as people
from tests.api.conftest import serving
from tests.etl.corpus_adapter import Case, cases

SPREAD_S = 0.02
APPROVE = {"from": "2031-01-01", "revision": 0}


def request_headers(case: Case) -> dict[str, str]:
    """The headers of the corpus; a value {expr} is Python of the corpus's own."""
    given = case.payload.get("headers", {})
    return {name: eval(value["expr"]) if isinstance(value, dict) else value for name, value in given.items()}


def no_token(town: Any, case: Case) -> httpx.Response:
    before = town.staff("/api/plans").text
    answer: httpx.Response = town.ask(
        "POST", "/api/plans/草稿/approve", json=APPROVE, headers=request_headers(case)
    )
    assert "www-authenticate" in answer.headers
    assert town.staff("/api/plans").text == before
    return answer


def alg_none(town: Any, case: Case) -> httpx.Response:
    headers = request_headers(case)
    assert headers["Authorization"].startswith("Bearer eyJ")
    answer: httpx.Response = town.ask("GET", "/api/users", headers=headers)
    return answer


def worker_reads_other_area(town: Any, case: Case) -> httpx.Response:
    people.add(town, "工人", case.payload["as_role"], auth.Area("community", "C00"))
    mine = people.carrying(people.sign_in(town, "工人"))
    inside, outside = (
        people.sql(
            town,
            "SELECT min(c.id) FROM cases c JOIN unit_area a ON a.unit_id = c.unit_id JOIN boundary b ON b.id = a.boundary_id "
            f"WHERE b.code {sign} 'C00' AND b.edition_id IN (SELECT edition_id FROM boundary WHERE code = 'C00')",
        )
        for sign in ("=", "<>")
    )
    assert town.ask("GET", f"/api/cases/{inside}", headers=mine).status_code == 200
    barred, missing = (town.ask("GET", f"/api/cases/{n}", headers=mine) for n in (outside, 99999999))
    assert {**barred.json(), "instance": ""} == {**missing.json(), "instance": ""}
    took = {n: [] for n in (outside, 99999999)}
    for _ in range(15):
        for number, seconds in took.items():
            began = time.perf_counter()
            town.ask("GET", f"/api/cases/{number}", headers=mine)
            seconds.append(time.perf_counter() - began)
    a, b = (statistics.median(seconds) for seconds in took.values())
    assert abs(a - b) < SPREAD_S
    return barred  # type: ignore[no-any-return]


def brute_force(town: Any, case: Case) -> httpx.Response:
    people.add(town, "目标", "planner")
    known = people.carrying(people.sign_in(town, "目标"))
    with serving(town.settings.with_(trusted_proxies=("127.0.0.1",))) as (url, _):
        answers = [
            httpx.post(
                url + "/api/session",
                json={"name": "目标", "password": f"wrong password {i}"},
                headers={"X-Forwarded-For": f"203.0.113.{i}", "Accept-Language": "en"},
            )
            for i in range(50)
        ]
    verified = [a for a in answers if a.status_code == 401]
    assert len(verified) <= 10
    assert len(verified) + sum(a.status_code == 429 for a in answers) == 50
    assert town.ask("GET", "/api/session", headers=known).json()["name"] == "目标"  # a known session goes on
    assert people.sign_in(town, "目标", **known).status_code == 200  # and a known browser signs in
    return answers[-1]


def role_downgrade(town: Any, case: Case) -> httpx.Response:
    people.add(town, "降级", "planner")
    token = town.ask("POST", "/api/users/降级/tokens", json={}, headers=town.admin).json()["token"]
    bearer = {"Authorization": f"Bearer {token}", "Accept-Language": "en"}
    with serving(town.settings) as (url, app):  # a worker that did not make the change

        def approve() -> httpx.Response:
            return httpx.post(
                url + "/api/plans/草稿/approve", json={**APPROVE, "revision": 99}, headers=bearer
            )

        assert approve().status_code == 409  # let in; the revision is not today's
        town.ask("PATCH", "/api/users/降级", json={"role": "public"}, headers=town.admin)
        began = time.monotonic()
        app.state.service.principals._clock = lambda: time.monotonic() + principals.KEPT_S + 1
        answer = approve()
    assert time.monotonic() - began + principals.KEPT_S < 60
    return answer


DOES: dict[str, Callable[[Any, Case], httpx.Response]] = {
    "a_no_token": no_token,
    "a_alg_none": alg_none,
    "a_worker_reads_other_area": worker_reads_other_area,
    "a_brute_force": brute_force,
    "a_role_downgrade_live_token": role_downgrade,
}


@pytest.mark.shared
@pytest.mark.parametrize("case", cases("auth"), ids=lambda case: case.id)
def test_case(town: Any, case: Case) -> None:
    people.forget_attempts(town)
    answer = DOES[case.id](town, case)
    told = answer.json()
    assert answer.status_code in case.statuses, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert told["type"] == f"urn:wangge:problem:{case.problem}"
    for word in case.contains:
        assert word.lower() in str({**told, **answer.headers}).lower(), (word, told)


@pytest.mark.shared
def test_every_case_has_its_deed(shared_data: Any) -> None:
    assert {case.id for case in cases("auth")} == set(DOES)

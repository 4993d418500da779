"""The `plan_edit` cases of the bad-input corpus, through the API.

What the corpus calls a thing and what it is here (this table is in `docs/api.md`):

    published           → approved (in every text)
    precondition-failed → stale-revision (412 by If-Match, 409 by revision)    effective-date → plan-date
    grid-gap            → grid-gap            plan-conflict  → plan-conflict
    grid-overlap        → grid-overlap                                         plan-immutable → plan-immutable
"""

from __future__ import annotations

import datetime as dt
import hashlib
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from geo.db import session as sessions
from tests.etl.corpus_adapter import Case, cases

TYPES = {
    "precondition-failed": "stale-revision",
    "effective-date": "plan-date",
}
REPEATS = 5
ENGLISH = {"Accept-Language": "en"}
made = iter(range(10_000))


class Planner:
    """Drafts of the town that may be approved (free nesting), and what may be asked of them."""

    def __init__(self, town: Any) -> None:
        self.town = town

    def draft(self) -> str:
        body = {"name": f"案 {next(made)}", "like": "首版", "nesting": "free"}
        answer = self.ask("POST", "/api/plans", body)
        assert answer.status_code == 201, answer.text
        return str(answer.headers["location"])

    def ask(self, method: str, path: str, body: Any, **headers: str) -> httpx.Response:
        answer: httpx.Response = self.town.ask(
            method, path, json=body, headers={**self.town.admin, **headers}
        )
        return answer

    def checksum(self, path: str) -> str:
        what = self.town.staff(f"{path}/assignment?units=code").json()
        return hashlib.sha256(repr((what["grids"], what["grid"], what["revision"])).encode()).hexdigest()


def stale_etag(planner: Planner) -> tuple[httpx.Response, str]:
    path = planner.draft()
    planner.ask("PATCH", f"{path}/units", {"unit_codes": ["U0000"], "to_grid": "G0005", "revision": 0})
    before = planner.checksum(path)
    answer = planner.ask(
        "PATCH", f"{path}/units", {"unit_codes": ["U0000"], "to_grid": None}, **{"If-Match": '"old"'}
    )
    return answer, before if before == planner.checksum(path) else "a lost update"


def cell_in_two_grids(planner: Planner) -> tuple[httpx.Response, str]:
    path = planner.draft()
    before = planner.checksum(path)
    moves = [{"unit_codes": ["U0101"], "to_grid": to} for to in ("G0000", "G0005")]
    answer = planner.ask("PATCH", f"{path}/units", {"moves": moves, "revision": 0})
    return answer, before if before == planner.checksum(path) else "changed"


def publish_with_gap(planner: Planner) -> tuple[httpx.Response, str]:
    path = planner.draft()
    planner.ask("PATCH", f"{path}/units", {"unit_codes": ["U0101"], "to_grid": None, "revision": 0})
    answer = planner.ask("POST", f"{path}/approve", {"from": "2031-01-01", "revision": 1})
    return answer, planner.town.staff(path).json()["state"]


def edit_published(planner: Planner) -> tuple[httpx.Response, str]:
    path = "/api/plans/首版"
    before = planner.checksum(path)
    answer = planner.ask("PATCH", f"{path}/units", {"unit_codes": ["U0000"], "to_grid": None, "revision": 0})
    return answer, before if before == planner.checksum(path) else "changed"


def effective_in_past(planner: Planner) -> tuple[httpx.Response, str]:
    path = planner.draft()
    answer = planner.ask("POST", f"{path}/approve", {"from": "2001-01-01", "revision": 0})
    return answer, planner.town.staff(path).json()["state"]


def publish_twice(planner: Planner) -> tuple[httpx.Response, str]:
    day = dt.date.today() + dt.timedelta(days=400)
    lost: list[httpx.Response] = []
    for i in range(REPEATS):
        paths = [planner.draft(), planner.draft()]
        start, answers = threading.Barrier(2), []

        def approve(
            path: str, day: Any = day, i: int = i, start: Any = start, answers: Any = answers
        ) -> None:
            start.wait()
            body = {"from": (day + dt.timedelta(days=i)).isoformat(), "revision": 0}
            with httpx.Client(base_url=planner.town.url, timeout=30) as client:
                answers.append(
                    client.post(f"{path}/approve", json=body, headers={**planner.town.admin, **ENGLISH})
                )

        threads = [threading.Thread(target=approve, args=(path,)) for path in paths]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        lost += [answer for answer in answers if answer.status_code == 409]
    with sessions.session(planner.town.settings) as s:
        gaps = s.scalar(text(
            "SELECT count(*) FROM (SELECT upper(during) AS stop, lead(lower(during)) OVER (ORDER BY lower(during)) AS next "
            "FROM plan WHERE state = 'approved') p WHERE stop IS DISTINCT FROM next"
        ))  # fmt: skip
    return lost[-1], "one plan at any instant" if gaps == 0 else f"{gaps} gaps"


DOES: dict[str, Callable[[Planner], tuple[httpx.Response, str]]] = {
    "p_stale_etag": stale_etag,
    "p_cell_in_two_grids": cell_in_two_grids,
    "p_publish_with_gap": publish_with_gap,
    "p_edit_published": edit_published,
    "p_effective_in_past": effective_in_past,
    "p_publish_twice_concurrently": publish_twice,
}
NAMED = {"c1": "U0101", "published": "approved", "effective_from": "2001-01-01", "area": "U0101"}
UNTOUCHED = ("draft", "one plan at any instant")


@pytest.mark.shared
@pytest.mark.parametrize("case", cases("plan_edit"), ids=lambda case: case.id)
def test_case(town: Any, case: Case) -> None:
    answer, state = DOES[case.id](Planner(town))
    told = answer.json()
    # a parameter that cannot be accepted is 400 on every route of this service, where the corpus says 422
    assert answer.status_code in {*case.statuses, *({400} if 422 in case.statuses else ())}, answer.text
    assert told["type"] == f"urn:wangge:problem:{TYPES.get(case.problem or '', case.problem)}"
    assert state in UNTOUCHED or len(state) == 64, f"{case.effect}: {state}"
    for word in case.contains:
        assert NAMED[word] in str(told), (word, told)


@pytest.mark.shared
def test_every_case_has_its_deed(shared_data: Any) -> None:
    assert {case.id for case in cases("plan_edit")} == set(DOES)

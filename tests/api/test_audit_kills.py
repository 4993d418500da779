"""The service is killed (-9) before, in and after commits: no change without its audit row, no row without its change."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from geo.db import audit
from geo.db import session as sessions
from geo.settings import Settings
from tests.api.conftest import admin_token, found_town
from tests.api.test_kills import Mortal, again, strike

SLOW_COMMIT = (  # as a slow disk does it; runs in the commit of every change that is audited
    "CREATE FUNCTION slow_audit() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.05); RETURN NULL; END'",
    "CREATE CONSTRAINT TRIGGER slow_audit AFTER INSERT ON audit DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
    "EXECUTE FUNCTION slow_audit()",
)
PAIRS = {  # what was changed, and the row it must have; both ways
    "edits": (
        "SELECT plan_id || '/' || revision FROM plan_edit",
        "SELECT (what->>'plan') || '/' || (what->>'revision') FROM audit WHERE act = 'plan.edit'",
    ),
    "remarks": (
        "SELECT id::text FROM plan_comment",
        "SELECT what->>'comment' FROM audit WHERE act = 'plan.comment'",
    ),
    "drafts": (
        "SELECT name FROM plan WHERE name LIKE '杀%'",
        "SELECT what->>'name' FROM audit WHERE act IN ('plan.begin', 'plan.copy')",
    ),
    "jobs": ("SELECT id::text FROM job", "SELECT what->>'job' FROM audit WHERE act = 'job.ask'"),
    "people": (
        "SELECT name FROM app_user WHERE name LIKE '新%'",
        "SELECT what->>'user' FROM audit WHERE act = 'user add' AND what->>'user' <> 'tester'",
    ),
}


@pytest.fixture(scope="module")
def mortal(module_settings: Settings) -> Iterator[Mortal]:
    with sessions.session(module_settings, "owner") as session:
        found_town(session, cases=50)
        for statement in SLOW_COMMIT:
            session.execute(text(statement))
    service = Mortal(module_settings)
    yield service
    service.stop()


def test_a_few_kills(mortal: Mortal) -> None:
    hits = strikes(mortal, 8, random.Random(3))
    assert hits["before the answer"] >= 4 and hits["with its effect"] >= 1


@pytest.mark.slow
def test_a_hundred_kills(mortal: Mortal) -> None:
    hits = strikes(mortal, 100, random.Random(4))
    assert hits["before the answer"] >= 50
    assert hits["with its effect"] >= 10 and hits["without effect"] >= 10


def strikes(mortal: Mortal, rounds: int, rng: random.Random) -> Counter[str]:
    """One change a round, and a kill at its commit or some time after it was sent; what the kills hit."""
    with sessions.session(mortal.settings) as session:
        session.execute(text("DELETE FROM app_user WHERE name = 'tester'"))
    headers = {"Authorization": f"Bearer {admin_token(mortal.settings)}"}
    hits: Counter[str] = Counter()
    with httpx.Client(
        base_url=f"http://127.0.0.1:{mortal.port}", timeout=30, trust_env=False, headers=headers
    ) as client:
        acts = itertools.cycle(changes(client, rng))
        for i in range(rounds):
            again(client, "/api/plans", {"name": f"杀 暖 {rng.random()}"}, {})  # it is up, and has done one
            before = counted(mortal)
            killed = strike(mortal, rng.uniform(0.0, 0.15), in_commit=i % 2 == 0)
            answered = attempt(next(acts))
            if answered:
                wake(killed, client)
            killed.join()
            settle(mortal)
            hits["answered" if answered else "before the answer"] += 1
            if not answered:
                hits["with its effect" if counted(mortal) != before else "without effect"] += 1
            for what, (changed, told) in PAIRS.items():
                assert rows(mortal, changed) == rows(mortal, told), what
    with sessions.session(mortal.settings) as session:
        assert audit.verify(session, mortal.settings).first_bad is None
    print(dict(hits))
    return hits


def changes(client: httpx.Client, rng: random.Random) -> list[Callable[[], httpx.Response]]:
    """One change of each kind, on the draft at its present state."""

    def revision() -> int:
        return int(client.get("/api/plans/草稿").json()["revision"])

    def rename() -> httpx.Response:
        body = {"grid": "G0000", "name": f"格 {rng.random()}", "revision": revision()}
        return client.post("/api/plans/草稿/rename", json=body)

    return [
        rename,
        lambda: client.post("/api/plans/草稿/comments", json={"body": f"意见 {rng.random()}"}),
        lambda: client.post("/api/plans", json={"name": f"杀 {rng.random()}", "like": "草稿"}),
        lambda: client.post("/api/plans/propose", json={"name": f"提 {rng.random()}", "grids": 4}),
        lambda: client.post(
            "/api/users", json={"name": f"新{rng.random()}", "role": "planner", "password": False}
        ),
    ]


def attempt(act: Callable[[], httpx.Response]) -> bool:
    """Whether there was an answer."""
    try:
        answer = act()
    except httpx.HTTPError:
        return False
    assert answer.status_code < 400 or answer.status_code in (429, 503), answer.text
    return True


def wake(killed: threading.Thread, client: httpx.Client) -> None:
    """The one who waits for a commit gets one, should the change have been over too soon for it."""
    while killed.is_alive():
        killed.join(0.2)
        if killed.is_alive():
            attempt(lambda: client.post("/api/plans/草稿/comments", json={"body": "等候"}))


def settle(mortal: Mortal) -> None:
    """Commits that were under way when the service died are over."""
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'wangge_app' "
        "AND state <> 'idle'"
    )
    deadline = time.monotonic() + 20
    with sessions.connect(mortal.settings, autocommit=True) as connection:
        while connection.execute(query).fetchone() != (0,):
            assert time.monotonic() < deadline
            time.sleep(0.02)


def counted(mortal: Mortal) -> int:
    """How many changes there are, apart from those that only waited for a kill."""
    waiting = "SELECT id FROM plan_comment WHERE body = '等候'"
    return sum(len(rows(mortal, changed)) for changed, _ in PAIRS.values()) - len(rows(mortal, waiting))


def rows(mortal: Mortal, question: str) -> list[Any]:
    with sessions.session(mortal.settings) as session:
        return sorted(session.scalars(text(question)).all())

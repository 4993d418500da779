"""Limits that all workers share: they slide, they cannot be dodged by headers, and they keep no owner out."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from api import limits, policy
from api.limits import Limit, SignIn, waiting_s
from geo.db import session as sessions
from geo.errors import RateLimited
from geo.settings import Settings
from tests.api import signed_in as people
from tests.api.conftest import another_process, serving

NAME_LIMIT = limits.PER_NAME[0].n
WRONG = {"name": "王工", "password": "no such password"}


@pytest.fixture
def fresh(town: Any) -> Any:
    people.forget_attempts(town)
    return town


@pytest.fixture(scope="module")
def wang(town: Any) -> Any:
    people.add(town, "王工", "planner")
    return town


@given(
    n=st.integers(1, 60), window_s=st.sampled_from([60, 3600]), tried=st.integers(1, 200), earlier=st.integers(0, 60),
    gone=st.floats(0, 0.999),
)  # fmt: skip
def test_who_waits_as_long_as_told_is_served(
    n: int, window_s: int, tried: int, earlier: int, gone: float
) -> None:
    limit, gone_s = Limit(n, window_s), gone * window_s
    earlier, tried = min(earlier, n), min(tried, n + 1)
    wait_s = waiting_s(limit, tried, earlier, gone_s)
    assert 0 <= wait_s <= 2 * window_s + 1
    if wait_s == 0:
        return
    later_s = gone_s + wait_s  # nobody tried meanwhile; the refused try was not counted
    if later_s < window_s:
        assert waiting_s(limit, tried, earlier, later_s) == 0
    elif later_s < 2 * window_s:
        assert waiting_s(limit, 1, tried - 1, later_s - window_s) == 0


def tries(db: Session, attempt: SignIn, n: int) -> int:
    """How many of n tries are let through."""
    let = 0
    for _ in range(n):
        with db.begin_nested() as point:
            try:
                limits.count_sign_in(db, attempt)
                let += 1
            except RateLimited:
                point.rollback()
    return let


def test_a_turning_minute_gives_nothing_away(db: Session) -> None:
    attempt = SignIn("192.0.2.1", "li")
    assert tries(db, attempt, 25) == 10
    db.execute(text("UPDATE attempt SET window_start = window_start - interval '60 seconds'"))
    assert tries(db, attempt, 25) <= 9  # the minute before still weighs
    db.execute(text("DELETE FROM attempt"))
    assert (
        tries(db, SignIn("2001:db8:1:2::1"), 6) + tries(db, SignIn("2001:db8:1:2:ffff::9"), 6) == 10
    )  # one /64
    db.execute(text("DELETE FROM attempt"))
    assert (
        sum(tries(db, SignIn(f"2001:db8::{i:x}"), 1) for i in range(1, 16)) == 10
    )  # one /64 in its short form


def test_an_hour_of_guessing_ends(db: Session) -> None:
    """From ever new addresses, minute after minute: forty an hour and name."""
    let = 0
    for minute in range(30):
        for i in range(12):
            let += tries(db, SignIn(f"10.{minute}.0.{i}", "li"), 1)
        db.execute(
            text(
                "UPDATE attempt SET window_start = window_start - interval '120 seconds' WHERE key <> :hour"
            ),
            {"hour": limits._key("sign-in name", "li", limits.PER_NAME[1])},
        )
    assert let == limits.PER_NAME[1].n


def test_a_thousand_spoofed_addresses_and_two_processes(fresh: Any, wang: Any) -> None:
    """The header is only believed from a listed proxy; two processes share one count."""
    statuses: list[int] = []
    began = time.monotonic()
    with another_process(fresh.settings) as other, httpx.Client() as web:
        for i in range(1000):
            headers = {"X-Forwarded-For": f"203.0.{i // 250}.{i % 250}", "X-Real-IP": f"198.51.100.{i % 250}",
                       "Forwarded": f"for=192.0.2.{i % 250}"}  # fmt: skip
            url = (fresh.url, other)[i % 2]
            statuses.append(
                web.post(url + "/api/session", json={"token": f"wg_{i}"}, headers=headers).status_code
            )
    minutes = (time.monotonic() - began) / 60
    assert set(statuses) == {401, 429}
    per_minute = limits.PER_ADDRESS[0].n
    assert statuses.count(401) <= per_minute * (minutes + 1.5), (statuses.count(401), minutes)
    assert statuses[: per_minute + 2].count(401) == per_minute


def test_fifty_addresses_against_one_name(fresh: Any, wang: Any, module_settings: Settings) -> None:
    """Real addresses this time, through a listed proxy: ten are looked at, the owner's known browser still gets in."""
    known = people.carrying(people.sign_in(fresh, "王工"))
    with serving(module_settings.with_(trusted_proxies=("127.0.0.1",))) as (url, _):
        answers = [
            httpx.post(url + "/api/session", json=WRONG, headers={"X-Forwarded-For": f"198.51.100.{i}"})
            for i in range(50)
        ]
        refused = [a for a in answers if a.status_code == 429]
        assert len(answers) - len(refused) <= NAME_LIMIT
        assert all(1 <= int(a.headers["retry-after"]) <= 3660 for a in refused)
        body = {"name": "王工", "password": people.PASSWORD}
        stranger = httpx.post(url + "/api/session", json=body, headers={"X-Forwarded-For": "198.51.100.99"})
        assert (
            stranger.status_code == 429
        )  # the right password from a browser nobody knows waits like the rest
        owner = httpx.post(
            url + "/api/session", json=body, headers={**known, "X-Forwarded-For": "198.51.100.98"}
        )
        assert owner.status_code == 200
        assert httpx.get(url + "/api/session", headers=people.carrying(owner)).json()["name"] == "王工"


def refusals(town: Any) -> list[tuple[str, Any]]:
    with sessions.session(town.settings, "app") as session:
        found = session.execute(
            text("SELECT who, what FROM audit WHERE act = 'sign in refused' ORDER BY id")
        ).all()
    return [(who, what) for who, what in found]


def minutes(began: float) -> int:
    """How many minutes of the clock have been touched since."""
    return int(time.time() // 60) - int(began // 60) + 1


@pytest.mark.parametrize(("name", "account"), [("王工", "王工"), ("hunter2 typed in the wrong field", None)])
def test_a_limit_that_closes_is_in_the_audit_once(
    fresh: Any, wang: Any, module_settings: Settings, name: str, account: str | None
) -> None:
    """Not a row for a guess: one when the name's limit closes, one when the address's does."""
    known, began = len(refusals(fresh)), time.time()
    with serving(module_settings.with_(trusted_proxies=("127.0.0.1",))) as (url, _):

        def guess(address: str) -> int:
            body = {"name": name, "password": "Gu3ssed-w0rds-here"}
            headers = {"X-Forwarded-For": address}
            return httpx.post(url + "/api/session", json=body, headers=headers).status_code

        by_name = [guess(f"198.51.100.{i}") for i in range(30)]
        people.forget_attempts(fresh)
        by_address = [guess("203.0.113.77") for _ in range(30)]
    assert by_name.count(401) >= NAME_LIMIT and by_name[-1] == by_address[-1] == 429
    rows = refusals(fresh)[known:]
    assert {who for who, _ in rows} == {"public"}
    for limit in ("name", "address"):
        found = [what for _, what in rows if what["limit"] == limit]
        assert 1 <= len(found) <= minutes(began), found
        assert all(what == {"limit": limit, "user": account, "tries": 10, "seconds": 60} for what in found)
    assert len(rows) <= 2 * minutes(began)
    assert not any(word in str(rows) for word in ("203.0.113", "198.51.100", "Gu3ssed", "hunter2"))


def test_an_own_password_tried_too_often_is_in_the_audit(fresh: Any, wang: Any) -> None:
    mine, known = people.carrying(people.sign_in(fresh, "王工")), len(refusals(fresh))
    statuses = [
        fresh.ask(
            "POST",
            "/api/session/password",
            json={"old": "not this one", "new": "never set 123"},
            headers=mine,
        ).status_code
        for _ in range(NAME_LIMIT + 5)
    ]
    assert statuses[-1] == 429
    assert {(who, what["user"]) for who, what in refusals(fresh)[known:]} == {("王工", "王工")}


def test_a_known_browser_is_counted_too(fresh: Any, wang: Any) -> None:
    known = people.carrying(people.sign_in(fresh, "王工"))
    statuses = [people.sign_in(fresh, "王工", "wrong again 123", **known).status_code for _ in range(15)]
    assert statuses.count(401) == NAME_LIMIT
    assert statuses[-1] == 429


def test_another_accounts_browser_is_not_known(fresh: Any, wang: Any) -> None:
    people.add(fresh, "别人", "planner")
    theirs = people.carrying(people.sign_in(fresh, "别人"))
    for i in range(NAME_LIMIT):
        with sessions.session(fresh.settings, "app") as session:
            limits.count_sign_in(session, SignIn(f"192.0.2.{i}", "王工"))
    assert people.sign_in(fresh, "王工", **theirs).status_code == 429


def test_success_is_not_counted_for_a_name(fresh: Any, wang: Any) -> None:
    assert {people.sign_in(fresh, "王工").status_code for _ in range(NAME_LIMIT + 4)} == {200}


def test_heavy_routes(fresh: Any, wang: Any) -> None:
    """Counted by person, over both processes; another person goes on."""
    rule = next(r for r in policy.TABLE if r.path == "/api/plans/{plan}/ensemble")
    path, body = (
        "/api/plans/%E9%A6%96%E7%89%88/ensemble",
        {"plans": -1},
    )  # refused later: what counts is the asking
    with another_process(fresh.settings) as other:
        statuses = [
            httpx.post((fresh.url, other)[i % 2] + path, json=body, headers=fresh.admin).status_code
            for i in range(rule.heavy_per_minute + 5)
        ]
    assert statuses[: rule.heavy_per_minute] == [400] * rule.heavy_per_minute
    assert statuses[-5:] == [429] * 5
    mine = people.carrying(people.sign_in(fresh, "王工"))
    assert fresh.ask("POST", path, json=body, headers=mine).status_code == 400
    light = fresh.staff("/api/plans")
    assert light.status_code == 200


def test_every_costly_route_has_a_limit() -> None:
    words = (
        "propose",
        "ensemble",
        "replay",
        "impact",
        "rebalance",
        "import",
        "overlay",
        "reports",
        "exports",
        "loads",
        "state",
    )
    asked_by_get = ("replay", "impact", "state")
    costly = [
        rule
        for rule in policy.TABLE
        if rule.path.rsplit("/", 1)[-1] in words
        and (rule.method == "POST" or rule.path.endswith(asked_by_get))
    ]
    assert {r.path for r in costly if not r.heavy_per_minute} == set()
    assert len(costly) >= 8


def test_keys_hold_no_address(fresh: Any, wang: Any) -> None:
    people.sign_in(fresh, "王工", "wrong wrong wrong")
    with sessions.session(fresh.settings, "owner") as session:
        rows = session.execute(text("SELECT * FROM attempt")).all()
    assert rows
    assert all(len(bytes(row.key)) == 32 for row in rows)
    assert "127.0.0.1" not in str(rows)

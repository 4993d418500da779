"""Sessions: a new secret at each sign-in, idle and absolute ends by a shifted clock, signs of life, forged requests.

The clock is shifted in the database: what lies `minutes` back there is what a clock `minutes` ahead would see.
"""

from __future__ import annotations

import re
import threading
from typing import Any

import httpx
import pytest

from api import auth, policy, principals, signing_in
from geo.db import session as sessions
from tests.api import signed_in as people
from tests.api.conftest import serving
from tests.api.signed_in import PASSWORD, carrying, cookies, sign_in


@pytest.fixture
def fresh(town: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The town, asking the database each time."""
    monkeypatch.setattr(principals, "KEPT_S", -1.0)
    people.forget_attempts(town)
    return town


@pytest.fixture(scope="module", autouse=True)
def chen(town: Any) -> None:
    people.add(town, "陈工", "planner")


def shift(town: Any, minutes: float) -> None:
    people.sql(
        town,
        "UPDATE token SET created_at = created_at - d, seen_at = seen_at - d, expires_at = expires_at - d "
        "FROM (SELECT make_interval(secs => :s) AS d) x WHERE session",
        s=60 * minutes,
    )


def who(town: Any, headers: dict[str, str]) -> Any:
    return town.get("/api/session", headers=headers).json()["name"]


def test_flags(fresh: Any) -> None:
    lines = sign_in(fresh, "陈工").headers.get_list("set-cookie")
    session, device = lines
    assert session.startswith("wangge_session=") and "Path=/;" in session
    assert device.startswith("wangge_device=") and "Path=/api/session;" in device
    for line in lines:
        assert (
            "HttpOnly" in line and "SameSite=Strict" in line and "Domain" not in line and "Secure" not in line
        )
    assert re.search(r"Max-Age=(431\d\d|43200)\b", session)
    with serving(fresh.settings.with_(trusted_proxies=("127.0.0.1",))) as (url, _):
        behind = type("Behind", (), {"url": url})
        for line in sign_in(behind, "陈工", **{"X-Forwarded-Proto": "https"}).headers.get_list("set-cookie"):
            assert line.endswith("; Secure")


def test_a_sign_in_has_a_new_secret_and_ends_the_former(fresh: Any) -> None:
    first = sign_in(fresh, "陈工")
    second = sign_in(fresh, "陈工", **carrying(first))
    third = sign_in(fresh, "陈工")  # another browser
    secrets = [cookies(a) for a in (first, second, third)]
    assert len({c["wangge_session"] for c in secrets}) == len({c["wangge_device"] for c in secrets}) == 3
    assert who(fresh, carrying(first)) is None
    assert who(fresh, carrying(second)) == who(fresh, carrying(third)) == "陈工"


def test_a_secret_brought_along_is_not_taken_over(fresh: Any) -> None:
    """Session fixation: what somebody planted in the browser never becomes a session."""
    planted = {"Cookie": "wangge_session=planted-by-somebody; wangge_device=planted-too"}
    answer = sign_in(fresh, "陈工", **planted)
    assert "planted" not in str(cookies(answer))
    assert who(fresh, planted) is None


@pytest.mark.parametrize(("minutes", "alive"), [(28, True), (31, False)])
def test_idle(fresh: Any, minutes: float, alive: bool) -> None:
    mine = carrying(sign_in(fresh, "陈工"))
    shift(fresh, minutes)
    assert (who(fresh, mine) == "陈工") == alive
    assert fresh.ask("DELETE", "/api/plans/nothing", headers=mine).status_code == (404 if alive else 401)


def test_use_keeps_a_session_for_twelve_hours_and_no_longer(fresh: Any) -> None:
    mine = carrying(sign_in(fresh, "陈工"))
    alive = 0
    for _ in range(40):
        shift(fresh, 20)
        if who(fresh, mine) is None:
            break
        alive += 20
    assert alive == 11 * 60 + 40


def test_settings_say_how_long(fresh: Any) -> None:
    with serving(fresh.settings.with_(session_idle_minutes=5, session_hours=1)) as (url, _):
        short = type("Short", (), {"url": url})
        answer = sign_in(short, "陈工")
        assert re.search(r"Max-Age=3(5\d\d|600)\b", answer.headers["set-cookie"])
        shift(fresh, 6)
        assert httpx.get(url + "/api/session", headers=carrying(answer)).json()["name"] is None


def test_signs_of_life_are_written_seldom(fresh: Any) -> None:
    mine = carrying(sign_in(fresh, "陈工"))
    written = "SELECT max(xmin::text::bigint) FROM token WHERE session AND revoked_at IS NULL"
    before = people.sql(fresh, written)
    for _ in range(5):
        who(fresh, mine)
    assert people.sql(fresh, written) == before
    shift(fresh, 1.1)
    shifted = people.sql(fresh, written)
    for _ in range(5):
        who(fresh, mine)
    assert people.sql(fresh, written) > shifted
    after = people.sql(fresh, written)
    who(fresh, mine)
    assert people.sql(fresh, written) == after


def test_the_shortest_idle_time_ends_no_session_in_use(fresh: Any) -> None:
    """A minute: whoever asks every 40 seconds stays signed in."""
    with serving(fresh.settings.with_(session_idle_minutes=1)) as (url, _):
        mine = carrying(sign_in(type("Short", (), {"url": url}), "陈工"))
        for _ in range(4):
            shift(fresh, 40 / 60)
            assert httpx.get(url + "/api/session", headers=mine).json()["name"] == "陈工"


def test_a_sign_in_under_way_does_not_outlive_the_password(fresh: Any) -> None:
    """The old password was found right, then it is changed: the session that comes of it ends with the others."""
    people.add(fresh, "许工", "planner")
    with sessions.session(fresh.settings, "app") as session:
        known = signing_in.look_up(session, "许工", None)
        opened = signing_in.by_password(session, known, PASSWORD)
        changing = threading.Thread(target=people.new_password, args=(fresh, "许工", "nine green lamps here"))
        changing.start()
        changing.join(timeout=1)
        assert changing.is_alive()  # it waits for this sign-in
    changing.join(timeout=20)
    assert not changing.is_alive()
    assert who(fresh, {"Cookie": f"wangge_session={opened.secret}"}) is None


def test_revoked_within_a_minute(town: Any) -> None:
    """With the service's real memory of tokens, on a worker that did not do it."""
    people.forget_attempts(town)
    now = [0.0]
    mine = carrying(sign_in(town, "陈工"))
    with serving(town.settings) as (url, app):
        app.state.service.principals._clock = lambda: now[0]

        def here() -> Any:
            return httpx.get(url + "/api/session", headers=mine).json()["name"]

        assert here() == "陈工"
        people.sql(town, "UPDATE token SET revoked_at = now() WHERE session")
        assert here() == "陈工"  # still in memory
        now[0] = 60.0
        assert here() is None
    assert principals.KEPT_S <= 60


def test_every_change_by_cookie_must_come_from_our_page(fresh: Any) -> None:
    """Every row of the policy table that changes something, asked for with a cookie but from elsewhere."""
    people.add(fresh, "总管", "admin")
    mine = carrying(sign_in(fresh, "总管"))
    bare = {"Cookie": mine["Cookie"]}
    host = fresh.url.partition("://")[2]
    forged = [
        bare,
        {**bare, "X-Requested-With": "XMLHttpRequest"},
        {**mine, "Origin": "https://evil.example"},
        {**mine, "Origin": f"http://{host}.evil.example"},
        {**mine, "Origin": "null"},
        {**mine, "Sec-Fetch-Site": "cross-site"},
        {**mine, "Sec-Fetch-Site": "same-site"},
    ]
    changing = [rule for rule in policy.TABLE if rule.method not in ("GET", "HEAD", "OPTIONS")]
    assert len(changing) >= 35
    for rule in changing:
        path = re.sub(r"\{\w+\}", "1", rule.path)
        for headers in forged:
            kind = {"Content-Type": rule.takes[0]} if rule.body_bytes else {}
            answer = fresh.ask(
                rule.method, path, content=b"{}" if rule.body_bytes else b"", headers={**headers, **kind}
            )
            told = answer.json()["type"]
            assert (answer.status_code, told) == (403, "urn:wangge:problem:cross-site"), (
                rule.method,
                path,
                headers,
                answer.text,
            )
    assert who(fresh, mine) == "总管"


def test_reading_changes_nothing() -> None:
    """Only these methods change something, so the check above covers everything that could be forged."""
    assert {rule.method for rule in policy.TABLE} <= {"GET", "POST", "PATCH", "DELETE", "PUT"}


@pytest.mark.parametrize(
    "body",
    [
        {}, {"name": "陈工"}, {"password": PASSWORD}, {"name": "陈工", "password": PASSWORD, "token": "wg_x"},
        {"token": "x", "name": "y"}, {"name": "", "password": PASSWORD}, {"name": "陈工", "password": ""},
        {"name": ["陈工"], "password": PASSWORD},
        {"name": "陈工", "password": {"$ne": ""}}, {"name": "陈工", "password": "x" * 201}, {"name": "a\u0000b", "password": "x"},
        {"name": "陈工", "password": PASSWORD, "role": "admin"},
    ],
)  # fmt: skip
def test_bodies_that_sign_nobody_in(fresh: Any, body: Any) -> None:
    answer = fresh.ask("POST", "/api/session", json=body)
    assert answer.status_code == 400, answer.text
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "name", ["' OR 1=1 --", "陈工' --", "%", "陈工\\", "🙂", "陈" * 100, "../陈工", "陈工\u200b"]
)
def test_names_that_sign_nobody_in(fresh: Any, name: str) -> None:
    assert sign_in(fresh, name).status_code == 401
    assert auth.COOKIE not in fresh.client.cookies

"""Signing in and out: the cookie, its flags, forged requests, limits shared by workers, revocation, expiry."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from api import auth, limits, principals
from geo.db import session as sessions
from geo.settings import Settings
from tests.api.conftest import admin_token, serving

OURS = {"X-Requested-With": "wangge"}
TRIES = limits.PER_ADDRESS[0].n


@pytest.fixture
def fresh(town: Any) -> Any:
    """The town with no sign-in counted."""
    with sessions.session(town.settings, "owner") as session:
        session.execute(text("DELETE FROM attempt"))
    return town


def sign_in(town: Any, token: str | None = None, **headers: str) -> httpx.Response:
    answer: httpx.Response = town.ask(
        "POST", "/api/session", json={"token": token or town.token}, headers=headers
    )
    town.client.cookies.clear()
    return answer


def cookie(answer: httpx.Response) -> dict[str, str]:
    """The session cookie alone, as a page's other requests carry it."""
    return {"Cookie": answer.headers["set-cookie"].partition(";")[0]}


def test_token_for_cookie(fresh: Any) -> None:
    answer = sign_in(fresh)
    assert answer.json()["role"] == "admin"
    sent = answer.headers["set-cookie"]
    assert "HttpOnly" in sent
    assert "SameSite=Strict" in sent
    assert "Path=/" in sent
    assert "Secure" not in sent
    assert fresh.token not in sent
    mine = cookie(answer)
    assert fresh.get("/api/session", headers=mine).json() == {
        "role": "admin",
        "area": None,
        "name": "tester",
        "expires_at": answer.json()["expires_at"],
        "oidc": None,
    }
    assert fresh.get("/api/cases", headers=mine).status_code == 200
    with sessions.session(fresh.settings, "app") as session:
        stored = session.execute(text("SELECT sha256 FROM token")).scalars().all()
        assert auth.digest(fresh.token) in [bytes(s) for s in stored]
        acts = session.execute(text("SELECT act FROM audit")).scalars().all()
    assert "sign in" in acts


def test_sign_out(fresh: Any) -> None:
    mine = cookie(sign_in(fresh))
    answer = fresh.ask("DELETE", "/api/session", headers={**mine, **OURS})
    assert answer.json()["role"] == "public"
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert fresh.get("/api/cases", headers=mine).status_code == 401
    assert fresh.get("/api/city", headers=mine).json()["sight"] == "public"


def test_forged_requests_are_refused(fresh: Any) -> None:
    mine = cookie(sign_in(fresh))
    for headers in (
        mine,
        {**mine, **OURS, "Origin": "http://evil.example"},
        {**mine, **OURS, "Sec-Fetch-Site": "cross-site"},
        {**mine, **OURS, "Sec-Fetch-Site": "same-site"},
        {**mine, **OURS, "Origin": "null"},
        {**mine, **OURS, "Origin": "http://[::1"},  # no address at all
        {**mine, **OURS, "Origin": ""},
    ):
        answer = fresh.ask("DELETE", "/api/session", headers=headers)
        assert answer.status_code == 403, headers
        assert answer.json()["type"] == "urn:wangge:problem:cross-site"
    assert sign_in(fresh, Origin="http://evil.example").status_code == 403
    own = fresh.url.replace("127.0.0.1", "127.0.0.1")
    good = {**mine, **OURS, "Origin": own, "Sec-Fetch-Site": "same-origin"}
    assert fresh.ask("DELETE", "/api/session", headers=good).status_code == 200


def test_a_cookie_is_no_bearer_and_a_bearer_no_cookie(fresh: Any) -> None:
    secret = cookie(sign_in(fresh))["Cookie"].partition("=")[2]
    assert fresh.get("/api/city", headers={"Authorization": f"Bearer {secret}"}).status_code == 401
    assert fresh.get("/api/cases", headers={"Cookie": f"wangge_session={fresh.token}"}).status_code == 401
    assert sign_in(fresh, secret).status_code == 401


def test_bodies(fresh: Any) -> None:
    for content in (
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"token": ""}',
        b'{"token": 5}',
        b'{"token": "x", "admin": true}',
    ):
        answer = fresh.ask(
            "POST", "/api/session", content=content, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 400, content
        assert answer.headers["content-type"] == "application/problem+json"


def test_wrong_tokens_are_limited_across_workers(fresh: Any) -> None:
    """Ten failures a minute and address, counted in the database: a second process of the service knows them."""
    time.sleep(
        max(0.0, 6 - time.time() % 60)
    )  # in the first seconds of a minute one is told to wait up to 66 s
    statuses = [sign_in(fresh, f"wg_wrong{i}").status_code for i in range(TRIES)]
    assert set(statuses) <= {401, 429}
    with serving(fresh.settings) as (url, _):
        answers = [httpx.post(url + "/api/session", json={"token": "wg_wrong"}) for _ in range(12)]
    assert sum(a.status_code == 401 for a in answers) <= TRIES  # a new minute may begin in between
    limited = [a for a in answers if a.status_code == 429]
    assert limited
    assert 1 <= int(limited[0].headers["retry-after"]) <= 61
    assert (
        "Retry-After" in httpx.Response(429, json=limited[0].json()).text or limited[0].json()["lang"] == "zh"
    )
    # who is already signed in goes on
    assert fresh.staff("/api/cases").status_code == 200


def test_forwarded_addresses_do_not_help(fresh: Any) -> None:
    statuses = [
        sign_in(fresh, "wg_wrong", **{"X-Forwarded-For": f"10.0.0.{i}"}).status_code
        for i in range(2 * TRIES + 2)
    ]
    assert 429 in statuses


def test_a_trusted_proxy_tells_the_address(module_settings: Settings, fresh: Any) -> None:
    with serving(module_settings.with_(trusted_proxies=("127.0.0.1",))) as (url, _):
        statuses = [
            httpx.post(
                url + "/api/session",
                json={"token": "wg_wrong"},
                headers={"X-Forwarded-For": f"6.6.6.6, 10.0.0.{i}", "X-Forwarded-Proto": "https"},
            ).status_code
            for i in range(TRIES + 3)
        ]
        assert set(statuses) == {401}
        answer = httpx.post(
            url + "/api/session", json={"token": fresh.token}, headers={"X-Forwarded-Proto": "https"}
        )
        assert "Secure" in answer.headers["set-cookie"]


def test_success_is_not_counted(fresh: Any) -> None:
    assert {sign_in(fresh).status_code for _ in range(TRIES + 5)} == {200}


def test_revocation_expiry_and_disabling(fresh: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(principals, "KEPT_S", 0.0)  # what is kept is kept this long; the bar is a minute
    with sessions.session(fresh.settings, "owner") as session:
        auth.add_user(session, "wang")
        secrets = [auth.issue_token(session, "wang")[0] for _ in range(3)]
    bearer = [{"Authorization": f"Bearer {s}"} for s in secrets]
    page = cookie(sign_in(fresh, secrets[0]))
    assert fresh.get("/api/cases", headers=page).status_code == 200
    with sessions.session(fresh.settings, "owner") as session:
        first = session.scalar(text("SELECT id FROM token WHERE sha256 = :s"), {"s": auth.digest(secrets[0])})
        auth.revoke_token(session, first, user="wang")
        session.execute(
            text("UPDATE token SET expires_at = now() - interval '1 second' WHERE sha256 = :s"),
            {"s": auth.digest(secrets[1])},
        )
    assert fresh.get("/api/cases", headers=bearer[0]).status_code == 401
    assert fresh.get("/api/cases", headers=page).status_code == 401  # the session dies with its token
    assert fresh.get("/api/cases", headers=bearer[1]).status_code == 401
    assert fresh.get("/api/cases", headers=bearer[2]).status_code == 200
    with sessions.session(fresh.settings, "owner") as session:
        auth.disable_user(session, "wang")
    assert fresh.get("/api/cases", headers=bearer[2]).status_code == 401


def test_kept_principals_are_asked_again() -> None:
    now = [0.0]
    asked: list[bytes] = []
    alive = auth.Principal("admin", "li", 1, "bearer", dt.datetime.now(dt.UTC) + dt.timedelta(hours=1))

    def look_up(sha256: bytes) -> auth.Principal | None:
        asked.append(sha256)
        return alive if len(asked) == 1 else None

    kept = auth.Principals(look_up, clock=lambda: now[0])
    assert kept.find(b"a") is alive
    assert kept.find(b"a") is alive
    now[0] = auth.KEPT_S + 1
    assert kept.find(b"a") is None
    assert len(asked) == 2
    assert auth.KEPT_S <= 60


def test_tokens_of_other_kinds(fresh: Any) -> None:
    unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiIxIiwicm9sZSI6ImFkbWluIn0."
    for value in (f"Bearer {unsigned}", "Bearer", "Basic YTpi", "wg_x", "Bearer " + "x" * 5000):
        answer = fresh.get("/api/cases", headers={"Authorization": value})
        assert answer.status_code == 401, value
        assert "www-authenticate" in answer.headers


def test_an_admin_of_one_database_is_nobody_in_another(settings: Settings, fresh: Any) -> None:
    other = admin_token(settings)
    assert fresh.get("/api/cases", headers={"Authorization": f"Bearer {other}"}).status_code == 401

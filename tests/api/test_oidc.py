"""Single sign-on against a real little provider: the whole way there and back, and every way it may be forged."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from api import oidc
from geo.errors import Unauthenticated, Unavailable
from tests.api import signed_in
from tests.api.conftest import free_port, serving
from tests.api.provider import CLIENT, SECRET, Provider, shared_secret


@pytest.fixture
def provider() -> Iterator[Provider]:
    found = Provider()
    yield found
    found.stop()


class Browser:
    """A browser at a service with single sign-on: follows by hand, so that each step can be looked at and bent."""

    def __init__(self, url: str, **headers: str) -> None:
        self.url, self.client = url, httpx.Client(base_url=url, headers=headers)

    def begin(self) -> httpx.Response:
        return self.client.get("/api/session/oidc")

    def at_provider(self, began: httpx.Response) -> str:
        """Signs in there; the address it sends back to, moved to where the service really listens."""
        assert began.status_code == 303, began.text
        back = httpx.get(began.headers["location"]).headers["location"]
        assert back.startswith("http://public.example/api/session/oidc/callback?")
        return self.url + back.removeprefix("http://public.example")

    def sign_in(self) -> httpx.Response:
        return self.client.get(self.at_provider(self.begin()))

    def who(self) -> Any:
        return self.client.get("/api/session").json()


@pytest.fixture
def fresh(town: Any) -> Any:
    signed_in.forget_attempts(town)
    signed_in.sql(town, "DELETE FROM app_user WHERE oidc_subject IS NOT NULL")
    return town


def settings_of(town: Any, provider: Provider, **more: Any) -> Any:
    return town.settings.with_(
        public_url="http://public.example", oidc_issuer=provider.issuer, oidc_client_id=CLIENT, oidc_client_secret=SECRET,
        oidc_label="市民云", **more,
    )  # fmt: skip


@pytest.fixture
def url(fresh: Any, provider: Provider) -> Iterator[str]:
    with serving(settings_of(fresh, provider)) as (found, _):
        yield found


def link(town: Any, name: str, subject: str = "sub-li", role: str = "planner") -> None:
    signed_in.sql(town, "DELETE FROM app_user WHERE name = :n", n=name)
    signed_in.add(town, name, role, password=None)
    signed_in.sql(town, "UPDATE app_user SET oidc_subject = :s WHERE name = :n", n=name, s=subject)


def test_there_and_back(fresh: Any, url: str, provider: Provider) -> None:
    link(fresh, "李规划")
    browser = Browser(url)
    assert browser.who()["oidc"] == "市民云"
    began = browser.begin()
    asked = parse_qs(urlsplit(began.headers["location"]).query)
    assert began.headers["location"].startswith(provider.issuer + "/authorize?")
    assert asked["redirect_uri"] == ["http://public.example/api/session/oidc/callback"]
    cookie = began.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Path=/api/session/oidc" in cookie
    secret = cookie.partition("=")[2].partition(";")[0]
    for public in ("state", "nonce", "code_challenge"):
        assert asked[public][0] not in cookie and secret.partition(".")[0] not in asked[public][0]
    done = browser.client.get(browser.at_provider(began))
    assert (done.status_code, done.headers["location"]) == (303, "/")
    assert any("wangge_session=" in c and "SameSite=Strict" in c for c in done.headers.get_list("set-cookie"))
    assert any("wangge_oidc=;" in c for c in done.headers.get_list("set-cookie"))
    assert (browser.who()["name"], browser.who()["role"]) == ("李规划", "planner")
    act = signed_in.sql(fresh, "SELECT what->>'by' FROM audit WHERE who = '李规划' AND act = 'sign in'")
    assert act == "oidc"


def test_an_answer_is_good_once(fresh: Any, url: str) -> None:
    link(fresh, "李规划")
    browser = Browser(url)
    address = browser.at_provider(browser.begin())
    assert browser.client.get(address).status_code == 303
    assert browser.client.get(address).status_code == 401


def test_another_browser_cannot_finish(fresh: Any, url: str) -> None:
    """Signing somebody in as oneself by sending them one's own answer."""
    link(fresh, "李规划")
    attacker, victim = Browser(url), Browser(url)
    address = attacker.at_provider(attacker.begin())
    victim.begin()  # has a cookie of its own
    assert victim.client.get(address).status_code == 401
    assert victim.who()["name"] is None
    assert Browser(url).client.get(address).status_code == 401  # none at all


@pytest.mark.parametrize("cookie", ["", "x", "x.0", "x.99999999999999", ".", "x." + "9" * 11])
def test_a_made_up_cookie(fresh: Any, url: str, cookie: str) -> None:
    flow = oidc.Flow(cookie)
    answer = httpx.get(
        f"{url}/api/session/oidc/callback?code=c&state={flow.state}",
        headers={"Cookie": f"wangge_oidc={cookie}"},
    )
    assert answer.status_code == 401
    assert answer.json()["type"] == "urn:wangge:problem:oidc-failed"


def test_too_slow() -> None:
    flow = oidc.Flow.begin(now=1000)
    flow.check(flow.state, now=1000 + oidc.FLOW_S)
    for now in (1000 + oidc.FLOW_S + 1, 1000 - oidc.LEEWAY_S - 1):
        with pytest.raises(Unauthenticated):
            flow.check(flow.state, now=now)
    later = oidc.Flow(
        f"{flow.cookie.partition('.')[0]}.2000"
    )  # a moved clock in the cookie changes everything else too
    assert later.state != flow.state and later.verifier != flow.verifier


LIES: dict[str, dict[str, Any]] = {
    "nonce of another": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "another issuer": {"iss": "http://127.0.0.1:1"},
    "no issuer": {"iss": None},
    "for another client": {"aud": "another-client"},
    "for several, not authorised": {"aud": [CLIENT, "another"], "azp": "another"},
    "expired": {"exp": int(time.time()) - 3600, "iat": int(time.time()) - 7200},
    "never expires": {"exp": None},
    "not yet": {"nbf": int(time.time()) + 3600},
    "nobody": {"sub": None},
    "an empty subject": {"sub": ""},
    "a number": {"sub": 17},
}


@pytest.mark.parametrize("lie", LIES)
def test_a_false_id_token(fresh: Any, url: str, provider: Provider, lie: str) -> None:
    link(fresh, "李规划")
    link(fresh, "十七", "17")
    provider.claims = lambda claims: {k: v for k, v in {**claims, **LIES[lie]}.items() if v is not None}
    browser = Browser(url)
    answer = browser.sign_in()
    assert (answer.status_code, answer.json()["type"]) == (401, "urn:wangge:problem:oidc-failed")
    assert not any("wangge_session" in c for c in answer.headers.get_list("set-cookie"))
    assert browser.who()["name"] is None


@pytest.mark.parametrize("how", ["none", "symmetric", "another key", "cut short"])
def test_a_false_signature(fresh: Any, url: str, provider: Provider, how: str) -> None:
    link(fresh, "李规划")
    if how == "none":
        provider.header, provider.sign_with = {"alg": "none"}, shared_secret()
    elif how == "symmetric":
        provider.header, provider.sign_with = {"alg": "HS256"}, shared_secret()
    elif how == "another key":
        provider.sign_with = Provider().key
    else:
        whole = provider.token
        provider.token = lambda nonce: whole(nonce)[:-8]  # type: ignore[method-assign]
    browser = Browser(url)
    assert browser.sign_in().status_code == 401
    assert browser.who()["name"] is None


def test_a_new_key_is_fetched(
    fresh: Any, url: str, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    link(fresh, "李规划")
    assert Browser(url).sign_in().status_code == 303
    monkeypatch.setattr(oidc, "RETRY_S", 0)
    provider.new_key()
    assert Browser(url).sign_in().status_code == 303
    assert provider.asked.count("/keys") == 2
    assert Browser(url).sign_in().status_code == 303
    assert provider.asked.count("/keys") == 2


def test_who_is_not_known(fresh: Any, provider: Provider) -> None:
    provider.person = {"sub": "stranger", "preferred_username": "tester"}  # the name of an admin here
    with serving(settings_of(fresh, provider)) as (url, _):
        answer = Browser(url).sign_in()
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:wangge:problem:oidc-unknown")
    with serving(settings_of(fresh, provider, oidc_unknown="public")) as (url, _):
        browser = Browser(url)
        assert browser.sign_in().status_code == 303
        assert (browser.who()["role"], browser.who()["name"]) == ("public", "sso:tester")
        assert browser.client.get("/api/cases").status_code == 403
        again = Browser(url)
        again.sign_in()
        assert again.who()["name"] == "sso:tester"
        provider.person = {"sub": "another", "preferred_username": "tester"}
        third = Browser(url)
        third.sign_in()
        assert third.who()["name"].startswith("sso:") and third.who()["name"] != "sso:tester"
        provider.person = {"sub": "odd", "preferred_username": "../../x\n<b>"}
        fourth = Browser(url)
        assert fourth.sign_in().status_code == 303
        assert "<" not in fourth.who()["name"]


def test_a_shut_account(fresh: Any, url: str) -> None:
    link(fresh, "李规划")
    signed_in.sql(fresh, "UPDATE app_user SET disabled_at = now() WHERE name = '李规划'")
    assert Browser(url).sign_in().status_code == 403


def test_roles_by_claim(fresh: Any, provider: Provider) -> None:
    link(fresh, "李规划", role="public")
    link(fresh, "王规划", "sub-wang", "planner")
    more = {
        "oidc_role_claim": "groups",
        "oidc_roles": ("grid-admin=admin", "grid-plan=planner", "grid-lead=supervisor"),
    }
    with serving(settings_of(fresh, provider, **more)) as (url, _):

        def role(sub: str, groups: Any) -> Any:
            provider.person = {"sub": sub, "groups": groups}
            browser = Browser(url)
            answer = browser.sign_in()
            return (
                browser.who()["role"]
                if answer.status_code == 303
                else answer.json()["type"].rpartition(":")[2]
            )

        assert role("sub-wang", ["other", "grid-plan"]) == "planner"
        assert role("sub-wang", ["grid-plan", "grid-admin"]) == "admin"  # the operator's order counts
        assert role("sub-wang", "grid-plan") == "planner"
        assert role("sub-wang", ["other"]) == "oidc-no-role"
        assert role("sub-wang", None) == "oidc-no-role"
        assert role("sub-wang", ["grid-lead"]) == "oidc-no-role"  # no area here
        signed_in.sql(
            fresh,
            "UPDATE app_user SET role='worker', area_level='street', area_code='S1' WHERE name='王规划'",
        )
        assert role("sub-wang", ["grid-lead"]) == "supervisor"
        changes = signed_in.sql(fresh, "SELECT count(*) FROM audit WHERE who = 'oidc' AND act = 'user role'")
        assert changes == 3


def test_a_provider_that_is_away_or_lies_about_itself(
    fresh: Any, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc, "PAUSE_S", 0.0)  # it is asked again at once
    with serving(settings_of(fresh, provider).with_(oidc_issuer=f"http://127.0.0.1:{free_port()}")) as (
        url,
        _,
    ):
        answer = Browser(url).begin()
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:wangge:problem:oidc-unavailable")
    for lie in (
        {"issuer": "http://evil.example"},
        {"token_endpoint": "file:///etc/passwd"},
        {"jwks_uri": None},
    ):
        oidc.provider.cache_clear()
        provider.described = lie
        with serving(settings_of(fresh, provider)) as (url, _):
            assert Browser(url).begin().status_code == 503, lie
    oidc.provider.cache_clear()
    provider.described, provider.broken = {}, True
    with serving(settings_of(fresh, provider)) as (url, _):
        assert Browser(url).begin().status_code == 503
        provider.broken = False
        assert Browser(url).begin().status_code == 303  # not remembered


def test_no_way_out_to_an_address_of_the_askers_choice(fresh: Any, url: str, provider: Provider) -> None:
    link(fresh, "李规划")
    evil = "https://evil.example/"
    for path in (f"?next={evil}", f"?redirect_uri={evil}", f"?return_to={evil}"):
        answer = httpx.get(f"{url}/api/session/oidc{path}", headers={"Host": "evil.example"})
        assert answer.status_code == 400
    began = httpx.get(
        f"{url}/api/session/oidc", headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    )
    assert "evil" not in began.headers["location"]
    browser = Browser(url)
    done = browser.client.get(
        browser.at_provider(browser.begin()) + f"&next={evil}", headers={"Referer": evil}
    )
    assert done.headers["location"] == "/"


def test_a_browser_is_sent_to_the_page_with_words_for_it(fresh: Any, url: str) -> None:
    html = {"Accept": "text/html,application/xhtml+xml"}
    answer = Browser(url, **html).client.get("/api/session/oidc/callback?error=access_denied&state=x")
    assert (answer.status_code, answer.headers["location"]) == (303, "/?signin=oidc-failed")
    unknown = Browser(url, **html).sign_in()
    assert unknown.headers["location"] == "/?signin=oidc-unknown"


PAGES = (
    "/plans/7",
    "/plans/7/compare/current?from=2026-01-01",
    "/?by=grid&zones=%E4%B8%80&lang=en",
    "/people",
    "/loads/3",
)


@pytest.mark.parametrize("page", PAGES)
def test_back_to_the_page_it_began_on(fresh: Any, url: str, page: str) -> None:
    link(fresh, "李规划")
    browser = Browser(url)
    began = browser.client.get("/api/session/oidc", params={"back": page})
    assert "plans" not in began.headers["location"]  # the provider is not told
    done = browser.client.get(browser.at_provider(began))
    assert (done.status_code, done.headers["location"]) == (303, page)
    failed = Browser(url, Accept="text/html")
    began = failed.client.get("/api/session/oidc", params={"back": page})
    answer = failed.client.get("/api/session/oidc/callback?error=access_denied&state=x")
    mark = "&" if "?" in page else "?"
    assert answer.headers["location"] == f"{page}{mark}signin=oidc-failed"


ELSEWHERE = (
    "https://evil.example/", "//evil.example/", "///evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example",
    "/\n/evil.example", "\t//evil.example", " //evil.example", "javascript:alert(1)", "data:text/html,x",
    "/plans/..//evil.example",
    "/plans//evil.example", "/.//evil.example", "/%2f/evil.example", "/@evil.example", "evil.example", "/api/session",
    "/plans/7#x", "/plans/../api/session/oidc",
    "/plans/7\r\nSet-Cookie: a=b", "/plansevil", "http:/evil.example", "/plans/\u2028x", "/计划",
)  # fmt: skip


@pytest.mark.parametrize("page", ELSEWHERE)
def test_nobody_is_sent_elsewhere(fresh: Any, url: str, page: str) -> None:
    """Neither by what is asked for, nor by a cookie that somebody wrote themselves."""
    link(fresh, "李规划")
    browser = Browser(url)
    began = browser.client.get("/api/session/oidc", params={"back": page})
    done = browser.client.get(browser.at_provider(began))
    assert (done.status_code, done.headers["location"]) == (303, "/")
    where = base64.urlsafe_b64encode(page.encode()).decode().rstrip("=")
    assert oidc.Flow(f"secret.{where}.1").back == "/"
    made_up = {"Cookie": f"wangge_oidc=secret.{where}.1", "Accept": "text/html"}
    told = httpx.get(f"{url}/api/session/oidc/callback?code=x&state=y", headers=made_up)
    assert told.headers["location"] == "/?signin=oidc-failed"


def test_a_view_that_fits_into_no_cookie(fresh: Any, url: str) -> None:
    link(fresh, "李规划")
    browser = Browser(url)
    began = browser.client.get("/api/session/oidc", params={"back": "/plans/7?x=" + "y" * 9000})
    assert len(began.headers["set-cookie"]) < 4000
    assert browser.client.get(browser.at_provider(began)).headers["location"] == "/plans/7"
    assert browser.client.get("/api/session/oidc", params={"back": "/" + "y" * 20_000}).status_code in (
        400,
        414,
    )


def test_not_set_up(fresh: Any) -> None:
    for path in ("/api/session/oidc", "/api/session/oidc/callback?code=x&state=y"):
        assert fresh.get(path).status_code == 404
    assert fresh.get("/api/session").json()["oidc"] is None


def test_guessing_is_limited(fresh: Any, url: str, provider: Provider) -> None:
    statuses = []
    for _ in range(13):
        browser = Browser(url)
        statuses.append(browser.sign_in().status_code)
    assert statuses == [403] * 10 + [429] * 3


def test_nobody_stands_in_line_for_a_provider_that_is_away(
    town: Any, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks next is told at once; after the pause it is asked again."""
    asked: list[str] = []
    found, answers = oidc.Provider(settings_of(town, provider)), oidc.Provider._get

    def away(self: oidc.Provider, address: str) -> Any:
        asked.append(address)
        raise oidc._unavailable()

    monkeypatch.setattr(oidc.Provider, "_get", away)
    for _ in range(5):
        with pytest.raises(Unavailable):
            found.describe()
    assert len(asked) == 1
    monkeypatch.setattr(oidc.Provider, "_get", answers)
    monkeypatch.setattr(oidc, "PAUSE_S", 0.0)
    assert found.describe()["issuer"] == provider.issuer

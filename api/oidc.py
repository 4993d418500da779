"""Single sign-on by OpenID Connect: the authorization code flow with PKCE, state and nonce.

Nothing about a sign-in under way is stored here. The browser keeps one random secret in a cookie of its own; state,
nonce and the PKCE verifier are hashes of it, so any worker can finish what another began, and nobody who does not hold
that cookie can. What the provider says is believed when its ID token is signed by one of its published keys with an
asymmetric algorithm, comes from the configured issuer, is meant for this client, carries our nonce and is not expired.

Sources: OpenID Connect Core 1.0 (3.1), Discovery 1.0 (4), RFC 7636 (PKCE), RFC 9207 (issuer in the answer).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import threading
import time
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from geo.errors import Forbidden, NotFound, Unauthenticated, Unavailable
from geo.settings import Settings

COOKIE = "wangge_oidc"
PATH = "/api/session/oidc"
HOME = "/"
PAGE = re.compile(
    r"/|/(plans|loads|exports|people)(/[^/]{1,200}){0,4}/?"
)  # what the web application answers to
LONGEST_BACK = 2_000  # characters; a cookie has 4 096 bytes
FLOW_S = 600  # how long somebody may take at the provider
KEPT_S = 3600  # of the provider's description and keys
RETRY_S = 60  # an unknown key is asked for at most this often
WAIT_S = 5.0
PAUSE_S = 5.0  # after a provider that gave no answer
LONGEST_BYTES = 2**20
LEEWAY_S = 30  # how far two clocks may differ
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


def own_page(address: str) -> str:
    """A page of this service, as a path with its query; the map (`/`) for everything else.

    What a browser might read as another site is none: `//host`, a backslash, a scheme, blanks and control characters (which
    browsers leave out). A query that would not fit into a cookie is left out.

    >>> own_page("/plans/7?lang=en"), own_page("//evil.example"), own_page("/\\\\evil.example"), own_page("https://evil.example")
    ('/plans/7?lang=en', '/', '/', '/')
    """
    path, _, query = address.partition("?")
    plain = all("!" <= c <= "~" and c not in '\\"<>^`{|}#' for c in address)
    if not plain or "/." in path or not PAGE.fullmatch(path):
        return HOME
    return address if query and len(address) <= LONGEST_BACK else path


@dataclass(frozen=True)
class Flow:
    """One sign-in under way, as the browser's cookie holds it."""

    cookie: str

    @classmethod
    def begin(cls, back: str = HOME, now: float | None = None) -> Flow:
        """A new one, which shall end on the page `back`."""
        where = base64.urlsafe_b64encode(own_page(back).encode()).decode().rstrip("=")
        return cls(f"{secrets.token_urlsafe(32)}.{where}.{int(time.time() if now is None else now)}")

    @property
    def back(self) -> str:
        """The page that it began on; the map where the cookie names none of ours."""
        where = self.cookie.split(".")[1] if self.cookie.count(".") == 2 else ""
        try:
            return own_page(base64.urlsafe_b64decode(where + "=" * (-len(where) % 4)).decode())
        except ValueError:
            return HOME

    @property
    def state(self) -> str:
        """What the provider gives back, and only this browser can have asked for."""
        return self._hash("state")

    @property
    def nonce(self) -> str:
        """What the ID token must carry."""
        return self._hash("nonce")

    @property
    def verifier(self) -> str:
        """The PKCE verifier: 43 characters of base64url."""
        return self._hash("verifier")

    def check(self, state: str, now: float | None = None) -> None:
        """Raises unless `state` belongs to this flow and it is not too old."""
        began = self.cookie.rpartition(".")[2]
        age_s = (time.time() if now is None else now) - (
            int(began) if began.isdecimal() and len(began) < 12 else 0
        )
        if not hmac.compare_digest(self.state.encode(), state.encode()) or not -LEEWAY_S <= age_s <= FLOW_S:
            raise failed("state")

    def _hash(self, what: str) -> str:
        made = hashlib.sha256(f"{what}\0{self.cookie}".encode()).digest()
        return base64.urlsafe_b64encode(made).decode().rstrip("=")


@dataclass(frozen=True)
class Identity:
    """Whom the provider vouches for; `role` is what the claim maps to, None when nothing matches."""

    subject: str
    name: str
    role: str | None


@dataclass
class Provider:
    """One provider: where its doors are and which keys it signs with, kept for an hour."""

    settings: Settings
    _described: tuple[float, dict[str, Any]] | None = None
    _keys: tuple[float, dict[str, Any]] | None = None
    _silent_s: float = float("-inf")  # when it last gave no answer
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def redirect_uri(self) -> str:
        """Where the provider sends the browser back to: always this address, whatever anybody asks for."""
        return f"{self.settings.public_url}{PATH}/callback"

    def address(self, flow: Flow) -> str:
        """Where the browser goes to sign in."""
        from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
        from authlib.oauth2.rfc7636 import create_s256_code_challenge

        made: str = prepare_grant_uri(
            self.describe()["authorization_endpoint"], self.settings.oidc_client_id, "code",
            redirect_uri=self.redirect_uri, scope="openid profile", state=flow.state, nonce=flow.nonce,
            code_challenge=create_s256_code_challenge(flow.verifier), code_challenge_method="S256",
        )  # fmt: skip
        return made

    def identity(self, flow: Flow, code: str) -> Identity:
        """Exchanges the code and reads the ID token. Raises Unauthenticated."""
        answer = self._exchange(flow, code)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise failed("id_token")
        claims = self._claims(token, flow.nonce, answer.get("access_token"))
        subject = claims.get("sub")
        if not isinstance(subject, str) or not 0 < len(subject) <= 255:
            raise failed("sub")
        name = claims.get("preferred_username") or claims.get("name") or ""
        return Identity(subject, str(name)[:60], self._role(claims))

    def describe(self) -> dict[str, Any]:
        """The provider's own description (`/.well-known/openid-configuration`). After one that gave no answer nobody
        waits for it for `PAUSE_S`: anybody may ask, and everybody's threads would stand in line here."""
        with self._lock:
            if self._described is None or time.monotonic() - self._described[0] > KEPT_S:
                if time.monotonic() - self._silent_s < PAUSE_S:
                    raise _unavailable()
                self._described = time.monotonic(), self._asked_description()
            return self._described[1]

    def _asked_description(self) -> dict[str, Any]:
        issuer = str(self.settings.oidc_issuer)
        try:
            found = self._get(issuer.rstrip("/") + "/.well-known/openid-configuration")
            doors = [found.get(n) for n in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
            if found.get("issuer") != issuer or not all(_safe(door, issuer) for door in doors):
                raise _unavailable()
        except Unavailable:
            self._silent_s = time.monotonic()
            raise
        return found

    def _claims(self, token: str, nonce: str, access_token: Any) -> dict[str, Any]:
        from authlib.oidc.core import CodeIDToken
        from joserfc import jwt
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        issuer, client = self.settings.oidc_issuer, self.settings.oidc_client_id
        try:
            try:
                signed = jwt.decode(token, KeySet.import_key_set(self._jwks()), algorithms=ALGORITHMS)
            except (JoseError, ValueError):  # perhaps signed with a key that is newer than ours
                signed = jwt.decode(
                    token, KeySet.import_key_set(self._jwks(fresh=True)), algorithms=ALGORITHMS
                )
            claims = CodeIDToken(
                signed.claims, signed.header,
                {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": client}},
                {"nonce": nonce, "client_id": client, "access_token": access_token},
            )  # fmt: skip
            claims.validate(now=int(time.time()), leeway=LEEWAY_S)
        except (JoseError, ValueError, TypeError, KeyError) as problem:
            raise failed("id_token") from problem
        return dict(claims)

    def _role(self, claims: dict[str, Any]) -> str | None:
        """The first pair of the setting, in the operator's order, whose value the claim holds."""
        held = claims.get(self.settings.oidc_role_claim)
        values = {str(one) for one in held} if isinstance(held, list) else {str(held)} if held else set()
        for pair in self.settings.oidc_roles:
            value, _, role = pair.rpartition("=")
            if value in values:
                return role
        return None

    def _jwks(self, fresh: bool = False) -> Any:
        address = self.describe()["jwks_uri"]
        with self._lock:
            age_s = time.monotonic() - self._keys[0] if self._keys else float("inf")
            if self._keys is None or age_s > (RETRY_S if fresh else KEPT_S):
                self._keys = time.monotonic(), self._get(address)
            return self._keys[1]

    def _exchange(self, flow: Flow, code: str) -> dict[str, Any]:
        import httpx

        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": self.redirect_uri,
            "code_verifier": flow.verifier,
        }  # fmt: skip
        who = (self.settings.oidc_client_id, self.settings.oidc_client_secret)
        try:
            answer = httpx.post(self.describe()["token_endpoint"], data=form, auth=who, timeout=WAIT_S)
        except httpx.HTTPError as problem:
            raise _unavailable() from problem
        if answer.status_code != 200:
            raise failed("code") if answer.status_code < 500 else _unavailable()
        return _object(answer)

    def _get(self, address: str) -> dict[str, Any]:
        import httpx

        try:
            answer = httpx.get(address, timeout=WAIT_S)
        except httpx.HTTPError as problem:
            raise _unavailable() from problem
        if answer.status_code != 200:
            raise _unavailable()
        return _object(answer)


@lru_cache(maxsize=4)
def provider(settings: Settings) -> Provider:
    """The provider of the settings, one per process. Raises NotFound when none is set."""
    if label(settings) is None:
        raise NotFound("没有设置单点登录。", "Single sign-on is not set up.")
    return Provider(settings)


def label(settings: Settings) -> str | None:
    """What the button says; None when single sign-on is not set up."""
    ready = settings.oidc_issuer and settings.oidc_client_id and settings.public_url
    return (settings.oidc_label or "SSO") if ready else None


def failed(what: str) -> Unauthenticated:
    """One answer for everything that does not fit; `what` goes into the log, not to the browser."""
    return Unauthenticated(
        "单点登录没有成功，请再试一次。",
        "Single sign-on did not succeed; try again.",
        code="oidc-failed",
        what=what,
    )


def refused(zh: str, en: str, code: str) -> Forbidden:
    """The provider vouches for the person, but there is no place for them here."""
    return Forbidden(zh, en, code=code)


def _unavailable() -> Unavailable:
    return Unavailable("单点登录服务没有应答。", "The provider does not answer.", code="oidc-unavailable")


def _object(answer: Any) -> dict[str, Any]:
    try:
        found = answer.json() if len(answer.content) <= LONGEST_BYTES else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise _unavailable()
    return found


def _safe(door: Any, issuer: str) -> bool:
    """Whether an address of the provider may be spoken to: https, or plain http where the issuer itself is (tests)."""
    return isinstance(door, str) and urlsplit(door).scheme in ("https", urlsplit(issuer).scheme)

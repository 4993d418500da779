"""A small OpenID Connect provider for tests: real HTTP, real keys, signed ID tokens; it can be told to lie."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

CLIENT, SECRET = "wangge-test", "client secret & more"


class Provider:
    """Signs in whoever `person` says, without asking for a password. `claims`, `sign` and `describe` may be replaced."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "k1"})
        self.person: dict[str, Any] = {"sub": "sub-li", "preferred_username": "li"}
        self.claims: Callable[[dict[str, Any]], dict[str, Any]] = lambda claims: claims
        self.header: dict[str, Any] = {"alg": "RS256", "kid": "k1"}
        self.sign_with: Any = None
        self.described: dict[str, Any] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.asked: list[str] = []
        self.broken = False
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def new_key(self) -> None:
        """The provider rolls its key over."""
        self.key = RSAKey.generate_key(2048, {"kid": "k2"})
        self.header = {"alg": "RS256", "kid": "k2"}

    def token(self, nonce: str) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": nonce,
            **self.person,
        }
        signer = self.sign_with or self.key
        return jwt.encode(self.header, self.claims(claims), signer, algorithms=["RS256", "HS256", "none"])

    def _describe(self) -> dict[str, Any]:
        doors = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/keys"}
        return {"issuer": self.issuer, **{n: self.issuer + p for n, p in doors.items()}, **self.described}

    def _authorize(self, query: dict[str, str]) -> tuple[int, Any, dict[str, str]]:
        assert (query["client_id"], query["response_type"], query["code_challenge_method"]) == (
            CLIENT,
            "code",
            "S256",
        )
        assert "openid" in query["scope"].split()
        code = secrets.token_urlsafe(8)
        self.codes[code] = query
        back = f"{query['redirect_uri']}?code={code}&state={query['state']}&session_state=whatever&iss={self.issuer}"
        return 302, {}, {"Location": back}

    def _exchange(self, form: dict[str, str], authorization: str) -> tuple[int, Any, dict[str, str]]:
        asked = self.codes.pop(form.get("code", ""), None)  # a code is good once
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        client = "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        fine = (
            asked and challenge == asked["code_challenge"] and form["redirect_uri"] == asked["redirect_uri"]
        )
        if not fine or authorization != client:
            return 400, {"error": "invalid_grant"}, {}
        assert asked is not None
        return 200, {"access_token": "at", "token_type": "Bearer", "id_token": self.token(asked["nonce"])}, {}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                provider.asked.append(parts.path)
                if provider.broken:
                    self._send(500, {}, {})
                elif parts.path == "/authorize":
                    self._send(*provider._authorize({k: v[0] for k, v in parse_qs(parts.query).items()}))
                elif parts.path == "/keys":
                    self._send(200, {"keys": [provider.key.as_dict(private=False, use="sig")]}, {})
                else:
                    self._send(200, provider._describe(), {})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                form = {k: v[0] for k, v in parse_qs(body).items()}
                self._send(*provider._exchange(form, self.headers.get("authorization", "")))

            def _send(self, status: int, found: Any, headers: dict[str, str]) -> None:
                body = json.dumps(found).encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


def shared_secret() -> OctKey:
    """A symmetric key that anybody could use."""
    return OctKey.import_key("not a secret at all, everybody knows it, long enough")

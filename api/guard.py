"""The door: every request passes here, FastAPI routes, plain ASGI routes and static files alike.

In order: size of the address, host, the policy table (404, 405), media types (406, 415), size of the body (413), who asks
(401), whether they may (403), where a state change comes from (CSRF), how often (429). Then the route
runs, a plain ASGI one directly. On the way out: security headers, a request id, one log line without personal data, metrics;
an exception becomes problem+json.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import answers, auth, limits, policy, problems
from api.dependencies import Service
from api.logs import log, log_failure
from api.metrics import Metrics
from geo.errors import Forbidden, NotFound, RefusedArgument, Unauthenticated

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
Headers = dict[bytes, bytes]
Pairs = list[tuple[bytes, bytes]]
TIANDITU = "https://*.tianditu.gov.cn"
QUIET = (
    "/api/heatmap/",
    "/tiles/",
    "/{file",
    "/healthz",
    "/readyz",
    "/metrics",
)  # counted, not told one by one


class Guard:
    """ASGI middleware around the whole application."""

    def __init__(
        self, app: ASGIApp, service: Service, plain: Mapping[str, ASGIApp], metrics: Metrics
    ) -> None:
        self.app, self.service, self.plain, self.metrics = app, service, plain, metrics
        self.security = _security_headers(tianditu=bool(service.settings.tianditu_key))
        self.allowed_hosts = service.settings.allowed_hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        visit = _Visit(scope, send, self.security)
        try:
            await self._pass(visit, scope, receive)
        except Exception as error:
            await self._fail(visit, scope, receive, error)
        finally:
            self._record(visit, scope)

    async def _pass(self, visit: _Visit, scope: Scope, receive: Receive) -> None:
        headers = visit.headers
        _check_size(scope)
        _check_host(headers, self.allowed_hosts)
        rule, found = _find_rule(scope)
        visit.route, visit.page = rule.path, rule.offers[0] in (policy.HTML, "*/*")
        _check_accept(headers, rule)
        if scope["method"] not in SAFE_METHODS:
            _check_content(headers, rule)
            receive = _limited(headers, receive, rule.body_bytes)
        who = await self._who(headers, rule)
        visit.who = who.role
        if who.role not in rule.who:
            if who.name is None:
                raise Unauthenticated("此内容需要登录。", "Sign in to see this.")
            raise Forbidden("您没有此权限。", "You may not do this.")
        if rule.named and who.name is None:
            raise Unauthenticated("请先登录。", "Sign in first.")
        if scope["method"] not in SAFE_METHODS:
            _check_origin(headers, who)
        if rule.heavy_per_minute:
            await run_in_threadpool(self._count, scope, headers, rule, who)
        scope["wangge.principal"], scope["wangge.params"] = who, found.params
        if scope["method"] == "HEAD":
            scope, visit.head = {**scope, "method": "GET"}, True
        await self.plain.get(rule.path, self.app)(scope, receive, visit.send)

    async def _who(self, headers: Headers, rule: policy.Rule) -> auth.Principal:
        if not rule.identity:
            return auth.ANONYMOUS
        bearer, cookie = _credentials(headers)
        if bearer is None and cookie is None:
            return auth.ANONYMOUS
        sha256 = auth.digest(bearer if bearer is not None else cookie or "")
        known, who = self.service.principals.kept(sha256)
        if not known:
            who = await run_in_threadpool(self.service.principals.find, sha256)
        if bearer is not None and (who is None or who.by != "bearer"):
            raise Unauthenticated("令牌无效或已过期。", "The token is not valid or has expired.")
        if bearer is None and (who is None or who.by != "cookie"):
            return auth.ANONYMOUS  # a page with an old cookie shows what the public sees
        assert who is not None
        return who

    def _count(self, scope: Scope, headers: Headers, rule: policy.Rule, who: auth.Principal) -> None:
        """Counts a heavy request against the person, or against the network of somebody who is not signed in."""
        peer = scope["client"][0] if scope.get("client") else ""
        address = limits.address(peer, headers, self.service.settings.trusted_proxies)
        asking = f"user {who.name}" if who.name else f"network {limits.network(address)}"
        with self.service.session() as session:
            limits.count_heavy(session, f"{rule.method} {rule.path}", asking, rule.heavy_per_minute)

    async def _fail(self, visit: _Visit, scope: Scope, receive: Receive, error: Exception) -> None:
        problem = problems.translate(error)
        if problem.http_status >= 500:
            log_failure(visit.id.decode(), visit.route, error)
        if not visit.started:
            await answers.problem(problem, scope)(scope, receive, visit.send)

    def _record(self, visit: _Visit, scope: Scope) -> None:
        seconds = time.perf_counter() - visit.began
        self.metrics.observe(visit.route, scope["method"], visit.status, seconds)
        if visit.status >= 400 or seconds > 1 or not visit.route.startswith(QUIET):
            log(
                "request",
                id=visit.id.decode(),
                method=scope["method"],
                route=visit.route,
                status=visit.status,
                ms=round(seconds * 1000, 2),
                bytes=visit.bytes,
                who=visit.who,
            )


class _Visit:
    """One request on its way: its headers (the last of a name), its id and what was sent."""

    __slots__ = (
        "_security",
        "_send",
        "began",
        "bytes",
        "head",
        "headers",
        "id",
        "page",
        "route",
        "started",
        "status",
        "who",
    )

    def __init__(self, scope: Scope, send: Send, security: tuple[Pairs, Pairs]) -> None:
        self.began, self.bytes, self.status, self.started, self.head = time.perf_counter(), 0, 0, False, False
        self.route, self.who, self.page = "(none)", "public", True
        self._send, self._security = send, security
        self.headers: Headers = dict(scope["headers"])
        given = self.headers.get(b"x-request-id")
        self.id = given if given and REQUEST_ID.fullmatch(given) else secrets.token_hex(8).encode()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started, self.status = True, message["status"]
            more = self._security[0 if self.page else 1]
            message = {**message, "headers": [*message["headers"], *more, (b"x-request-id", self.id)]}
        elif message["type"] == "http.response.body":
            self.bytes += len(message.get("body", b""))
            if self.head:
                message = {**message, "body": b""}
        await self._send(message)


def _find_rule(scope: Scope) -> tuple[policy.Rule, policy.Found]:
    path = scope["path"]
    if "\0" in path:
        raise NotFound("这里没有内容。", "There is nothing here.")
    found = policy.match(path)
    if found is None:
        raise NotFound("这里没有内容。", "There is nothing here.")
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    rule = found.rules.get(method)
    if rule is not None:
        return rule, found
    if "/{file:path}" in {r.path for r in found.rules.values()}:
        raise NotFound("这里没有内容。", "There is nothing here.")
    allowed = sorted({*found.rules, *({"HEAD"} if "GET" in found.rules else ())})
    raise problems.RequestProblem(
        405,
        "method-not-allowed",
        f"此处允许的方法：{'、'.join(allowed)}。",
        f"Allowed here: {', '.join(allowed)}.",
        headers={"Allow": ", ".join(allowed)},
    )


def _check_size(scope: Scope) -> None:
    query: bytes = scope["query_string"]
    if len(scope.get("raw_path") or b"") + len(query) > problems.URL_BYTES:
        raise problems.RequestProblem(
            414,
            "request-too-large",
            f"网址不得超过 {problems.URL_BYTES} 字节。",
            f"An address may have {problems.URL_BYTES} bytes.",
        )
    field = problems.first_nul(query) if b"%00" in query or b"\0" in query else None
    if field is not None:
        raise RefusedArgument(
            f"参数 {field[:80]} 含有空字符。", f"Parameter {field[:80]} holds a NUL character.", field=field
        )


def _check_host(headers: Headers, allowed: tuple[str, ...]) -> None:
    if "*" in allowed:
        return
    name = headers.get(b"host", b"").decode("latin-1").rsplit(":", 1)[0].lower()
    if not any(name == host or (host.startswith("*.") and name.endswith(host[1:])) for host in allowed):
        raise problems.RequestProblem(
            400,
            "host-unknown",
            "此主机名不在允许之列。",
            "This host name is not allowed (WANGGE_ALLOWED_HOSTS).",
        )


def _check_accept(headers: Headers, rule: policy.Rule) -> None:
    accept = headers.get(b"accept")
    if not accept or b"*/*" in accept or "*/*" in rule.offers:
        return
    wanted = {part.split(";")[0].strip() for part in accept.decode("latin-1").lower().split(",")}
    for offered in (*rule.offers, problems.MEDIA_TYPE):
        if offered in wanted or offered.split("/")[0] + "/*" in wanted:
            return
    if wanted & _RELATED.get(rule.offers[0], frozenset()):
        return
    offered_text = ", ".join(rule.offers)
    raise problems.RequestProblem(
        406,
        "not-acceptable",
        f"此处可提供：{offered_text}。",
        f"Offered here: {offered_text}.",
        field="Accept",
    )


def _check_content(headers: Headers, rule: policy.Rule) -> None:
    """A body must be of a type that this route reads, and not packed: what is counted is what is read."""
    sent = headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers
    if not sent or not rule.body_bytes:
        return
    kind, _, more = headers.get(b"content-type", b"").decode("latin-1").lower().partition(";")
    charset = re.search(r"charset\s*=\s*\"?([^\s;\"]*)", more)
    foreign = rule.takes == (policy.JSON,) and charset is not None and charset[1] not in ("utf-8", "utf8")
    packed = headers.get(b"content-encoding", b"identity").lower() != b"identity"
    if kind.strip() in rule.takes and not foreign and not packed:
        return
    taken = ", ".join(rule.takes)
    raise problems.RequestProblem(
        415,
        "content-type",
        f"此处接收 {taken}（UTF-8，不压缩）。",
        f"This route takes {taken} (UTF-8, not compressed).",
        field="Content-Encoding" if packed else "Content-Type",
    )


_RELATED: Mapping[str, frozenset[str]] = {
    policy.JSON: frozenset({"application/*+json", "text/json"}),
    policy.MVT: frozenset({"application/x-protobuf", "application/octet-stream", "application/protobuf"}),
    policy.TEXT: frozenset({"application/openmetrics-text"}),
    policy.HTML: frozenset({"application/xhtml+xml"}),
}


def _limited(headers: Headers, receive: Receive, limit: int) -> Receive:
    """`receive` that refuses a body beyond the limit, declared or streamed. A GET's body is never read."""
    too_large = problems.RequestProblem(
        413, "body-too-large", f"请求内容不得超过 {limit} 字节。", f"The body may have {limit} bytes."
    )
    declared = headers.get(b"content-length", b"0")
    if declared.isdigit() and int(declared) > limit:
        raise too_large
    seen = 0

    async def counting() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise too_large
        return message

    return counting


def _check_origin(headers: Headers, who: auth.Principal) -> None:
    """A state change must come from our own page or from a program: no other site may send it with a cookie."""
    site, origin, host = headers.get(b"sec-fetch-site"), headers.get(b"origin"), headers.get(b"host", b"")
    foreign = site is not None and site not in (b"same-origin", b"none")
    if origin is not None:
        _, told, place = origin.partition(b"://")
        foreign = foreign or not told or place != host
    if who.by == "cookie" and headers.get(auth.HEADER.encode()) != auth.HEADER_VALUE.encode():
        foreign = True
    if foreign:
        raise Forbidden(
            "请求并非来自本页面。",
            "This request did not come from this page.",
            code="cross-site",
            do_zh=f"程序请使用令牌；网页请带上 {auth.HEADER}: {auth.HEADER_VALUE}。",
            do_en=f"Programs use a bearer token; a page sends {auth.HEADER}: {auth.HEADER_VALUE}.",
        )


def _credentials(headers: Headers) -> tuple[str | None, str | None]:
    """(bearer token, session cookie). An Authorization header of another kind is a wrong token, not none."""
    bearer = cookie = None
    if b"authorization" in headers:
        kind, _, secret = headers[b"authorization"].decode("latin-1").partition(" ")
        bearer = secret.strip()[:512] if kind.lower() == "bearer" else ""
    for part in headers.get(b"cookie", b"").decode("latin-1").split(";"):
        key, _, secret = part.strip().partition("=")
        if key == auth.COOKIE:
            cookie = secret[:512]
    return bearer, cookie


def _security_headers(*, tianditu: bool) -> tuple[Pairs, Pairs]:
    """(for pages and their files, for data): what a browser must not do with them."""
    more = f" {TIANDITU}" if tianditu else ""
    csp = (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:{more}; "
        f"font-src 'self'; connect-src 'self'{more}; worker-src 'self' blob:; child-src blob:; manifest-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    )
    shared = {"x-content-type-options": "nosniff", "cross-origin-resource-policy": "same-origin"}
    page = {
        "content-security-policy": csp,
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=()",
        "x-frame-options": "DENY",
    }
    data = {"content-security-policy": "default-src 'none'; frame-ancestors 'none'"}
    return _pairs({**shared, **page}), _pairs({**shared, **data})


def _pairs(named: Mapping[str, str]) -> Pairs:
    return [(name.encode(), value.encode()) for name, value in named.items()]

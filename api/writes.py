"""Safe writes: an effect that happens once however often it is asked for, and only to what the caller has seen.

A route that changes something takes `TheWrite` and hands its effect over:

    @router.post("/{plan}/approve")
    def approve(plan: str, given: Approval, write: TheWrite) -> answers.Answer:
        def effect(session: Session) -> answers.Answer:
            row = stored.find(session, plan)
            write.check(session, row, given.revision)      # If-Match: 412, `revision`: 409, neither: 428
            return answers.json(plans.approve(session, row.id, given.from_, write.who))
        return write.once(effect)

`once` opens the transaction, runs the effect in it and commits. With an `Idempotency-Key` the answer is kept in the
same transaction: the same request under the same key gets it again (`Idempotency-Replayed: true`) and nothing happens
a second time; another request under that key is refused (422). What raised has changed nothing and is not kept.
Bodies are models on `api.schemas.Given`; what a route may receive stands in its row of `api.policy`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any

import psycopg
import sqlalchemy.exc
from fastapi import Depends, Request
from sqlalchemy import text
from sqlalchemy.orm import Session

from api import answers, auth, problems
from api.dependencies import Service, principal_of
from geo import areas
from geo.db.tables import Plan
from geo.errors import Conflict, RefusedArgument

KEY = re.compile(r"[\x21-\x7e]{1,200}")
KEPT_DAYS = 1
RETRY_S = 2


@dataclass(frozen=True)
class Write:
    """One request that changes something: who asks, under which key, for what state of the plan."""

    service: Service
    who: str
    key_sha256: bytes | None = None
    request_sha256: bytes = b""
    if_match: str | None = None

    def once(
        self, effect: Callable[[Session], answers.Answer], seen: areas.Scope = areas.NOWHERE
    ) -> answers.Answer:
        """Runs the effect in one transaction, or gives the answer that this key has had before.

        Of the rows of cases the effect sees as much as `seen` says: `areas.CITY` for what counts or moves them all.
        """
        with self.service.session(seen) as session:
            if self.key_sha256 is None:
                return effect(session)
            if not _take(session, self.key_sha256, self.request_sha256):
                return _again(session, self.key_sha256, self.request_sha256)
            answer = effect(session)
            _keep(session, self.key_sha256, answer)
            return answer

    def check(self, session: Session, plan: Plan, revision: int | None = None) -> None:
        """Refuses a change to a plan that is not as the caller saw it.

        `If-Match` (the ETag of `GET /api/plans/{plan}`) fails with 412, `revision` with 409, both naming who changed it
        and when; without either the request is refused with 428. A draft's edit locks the plan's row first, so that
        the answer still holds when it commits.
        """
        if revision is None and self.if_match is None:
            raise unseen()
        if self.if_match is not None and not matches(self.if_match, plan.revision):
            raise stale(session, plan, 412)
        if revision is not None and revision != plan.revision:
            raise stale(session, plan, 409)


async def writing(request: Request) -> Write:
    """The write of a request with a small body."""
    return of(request, await request.body())


def of(request: Request, body: bytes) -> Write:
    """The write of a request whose body (or the digest of a large one) is known."""
    principal = principal_of(request.scope)
    who, key = principal.name or principal.role, _key(request)
    found = Write(request.app.state.service, who, if_match=request.headers.get("if-match"))
    if key is None:
        return found
    route = request.scope["route"].path
    asked = (request.url.path, request.url.query, request.headers.get("content-type", ""))
    return replace(
        found,
        key_sha256=_digest("key", who, _rights(principal), request.method, route, key),
        request_sha256=_digest("request", *asked, body),
    )


TheWrite = Annotated[Write, Depends(writing)]


def _rights(principal: auth.Principal) -> str:
    """What may be seen now: with another role or area nobody is given the answers of before again."""
    area = principal.area
    return principal.role if area is None else f"{principal.role}\0{area.level}\0{area.code}"


def validator(plan: Any, *more: object) -> str:
    """The ETag of an answer about a plan (a row with `id`, `revision`, `state`): what `If-Match` compares stands first.

    >>> from types import SimpleNamespace
    >>> tag = validator(SimpleNamespace(id=4, revision=7, state="draft"))
    >>> matches(f'W/"{tag}"', 7), matches(f'W/"{tag}"', 8)
    (True, False)
    """
    return f"r{plan.revision}.{answers.etag(plan.id, plan.revision, plan.state, *more)}"


def matches(if_match: str, revision: int) -> bool:
    """Whether one of the tags belongs to this revision; what else the tag covers (dates, scores) may have changed.

    >>> matches("*", 3), matches('"r2"', 3), matches('"r2", "r3.ab"', 3)
    (True, False, True)
    """
    tags = [part.strip().removeprefix("W/").strip('"') for part in if_match.split(",")]
    return any(tag == "*" or tag.partition(".")[0] == f"r{revision}" for tag in tags)


def unseen() -> problems.RequestProblem:
    """The refusal of a change that does not say which state of the plan it is for."""
    return problems.RequestProblem(
        428, "revision-required",
        "请用 If-Match 或 revision 说明您所见的版本。",
        "Say which state you have seen: If-Match with the plan's ETag, or revision.",
        field="revision",
    )  # fmt: skip


def stale(session: Session, plan: Plan, status: int = 409) -> Conflict:
    """The refusal of a change to a plan that somebody changed meanwhile: who, when, which revision it has now."""
    last = session.execute(
        text("SELECT author, at, act FROM plan_edit WHERE plan_id = :p ORDER BY revision DESC LIMIT 1"),
        {"p": plan.id},
    ).one_or_none()
    author, at = (last.author, last.at) if last else (plan.author, plan.created_at)
    found = Conflict(
        f"方案“{plan.name}”已由 {author} 于 {at:%Y-%m-%d %H:%M:%S %Z} 修改，现为第 {plan.revision} 版。",
        f"Plan {plan.name!r} was changed by {author} at {at:%Y-%m-%d %H:%M:%S %Z}; it is at revision {plan.revision}.",
        code="stale-revision",
        field="If-Match" if status == 412 else "revision",
        do_zh="请重新读取方案后再试。",
        do_en="Read the plan again, then decide.",
        revision=plan.revision,
        author=author,
        at=at.isoformat(),
    )
    found.http_status = status  # type: ignore[misc]
    return found


def _key(request: Request) -> str | None:
    given = request.headers.getlist("idempotency-key")
    if not given:
        return None
    key = given[0].strip()
    if (
        len(key) >= 2 and key[0] == key[-1] == '"'
    ):  # a structured field string, as the draft standard writes it
        key = key[1:-1]
    if len(given) > 1 or not KEY.fullmatch(key):
        raise RefusedArgument(
            "Idempotency-Key 应为一个 1–200 个可见 ASCII 字符的值。",
            "Idempotency-Key must be one value of 1 to 200 visible ASCII characters.",
            code="idempotency-key",
            field="Idempotency-Key",
        )
    return key


def _digest(*parts: str | bytes) -> bytes:
    made = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        made.update(len(data).to_bytes(8, "big") + data)
    return made.digest()


def _take(session: Session, key: bytes, request: bytes) -> bool:
    """Whether this transaction is the first under its key; waits a moment for another that is under way."""
    session.execute(
        text(
            "DELETE FROM answered WHERE key_sha256 IN (SELECT key_sha256 FROM answered "
            "WHERE at < now() - make_interval(days => :kept) ORDER BY at LIMIT 100 FOR UPDATE SKIP LOCKED)"
        ),
        {"kept": KEPT_DAYS},
    )
    try:
        taken = session.execute(
            text(
                "INSERT INTO answered (key_sha256, request_sha256, status, body) VALUES (:k, :r, 0, '') "
                "ON CONFLICT DO NOTHING RETURNING 1"
            ),
            {"k": key, "r": request},
        ).one_or_none()
    except sqlalchemy.exc.OperationalError as problem:
        if isinstance(problem.orig, psycopg.errors.LockNotAvailable):
            raise _under_way() from problem
        raise
    return taken is not None


def _again(session: Session, key: bytes, request: bytes) -> answers.Answer:
    row = session.execute(
        text("SELECT request_sha256, status, headers, body FROM answered WHERE key_sha256 = :k"), {"k": key}
    ).one_or_none()
    if row is None:  # a day old, and removed this very moment
        raise _under_way()
    if bytes(row.request_sha256) != request:
        raise problems.RequestProblem(
            422, "idempotency-key-reused",
            "此 Idempotency-Key 已用于另一个请求。",
            "This Idempotency-Key was used for another request.",
            field="Idempotency-Key",
            do_zh="新的请求请用新的值。", do_en="A new request needs a new key.",
        )  # fmt: skip
    media_type = row.headers.pop("content-type")
    headers = {**row.headers, "idempotency-replayed": "true"}
    return answers.Answer(bytes(row.body), media_type, status=row.status, headers=headers)


def _keep(session: Session, key: bytes, answer: answers.Answer) -> None:
    headers = {"content-type": answer.media_type, **answer.kept()}
    session.execute(
        text("UPDATE answered SET status = :s, headers = CAST(:h AS jsonb), body = :b WHERE key_sha256 = :k"),
        {
            "k": key,
            "s": answer.status_code,
            "h": answers.to_json(headers).decode(),
            "b": bytes(answer.body),
        },
    )


def _under_way() -> problems.RequestProblem:
    return problems.RequestProblem(
        409, "idempotency-key-in-use",
        f"带此 Idempotency-Key 的请求正在处理，请 {RETRY_S} 秒后再试。",
        f"A request with this Idempotency-Key is under way; try again in {RETRY_S} s (Retry-After).",
        headers={"Retry-After": str(RETRY_S)},
        field="Idempotency-Key",
    )  # fmt: skip

"""Who is asking: bearer tokens for programs, a cookie made from a token for the page.

A token is 256 random bits, shown once; the database holds its SHA-256 only. A browser session is a token of its own
that points to the token it came from and dies with it. What was looked up is kept for `KEPT_S` seconds per worker,
so a revoked token stops working well within a minute.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from geo.db.tables import AppUser, Audit, Token
from geo.errors import Conflict, NotFound, RateLimited, RefusedArgument, Unauthenticated

PREFIX = "wg_"
COOKIE = "wangge_session"
HEADER = "x-requested-with"  # with the value below: what a form of another site cannot send
HEADER_VALUE = "wangge"
KEPT_S = 15.0
KEPT_TOKENS = 4096
SESSION_HOURS = 12
WINDOW_S = 60
TRIES_PER_WINDOW = 10
TRIES_OF_ALL = 300


Role = Literal["public", "worker", "supervisor", "planner", "admin"]
Sight = Literal["public", "exact"]
EXACT: frozenset[Role] = frozenset({"supervisor", "planner", "admin"})


@dataclass(frozen=True)
class Area:
    """The part of the city that a worker or a supervisor answers for: one boundary of one level."""

    level: str
    code: str


@dataclass(frozen=True)
class Principal:
    """Who is asking: `role` is the column of the policy table, `by` how it was shown, `area` what the role is bound to
    (None: the whole city)."""

    role: Role
    name: str | None = None
    token_id: int | None = None
    by: Literal["none", "bearer", "cookie"] = "none"
    expires_at: dt.datetime | None = None
    area: Area | None = None

    @property
    def sight(self) -> Sight:
        """Whether figures are shown as they are, drafts included, or as the public sees them (k >= 5).

        A worker sees the public's figures: those of a grid with one post would be a person's.

        >>> Principal("worker", "li").sight, Principal("planner", "wang").sight
        ('public', 'exact')
        """
        return "exact" if self.role in EXACT else "public"


ANONYMOUS = Principal("public")


def digest(secret: str) -> bytes:
    """What is stored of a secret.

    >>> len(digest("wg_example"))
    32
    """
    return hashlib.sha256(secret.encode()).digest()


def find(session: Session, sha256: bytes) -> Principal | None:
    """The principal of a live token: not revoked, not expired, nor its parent, nor its user disabled."""
    row = session.execute(
        text(
            "SELECT t.sha256, t.id, t.session, t.expires_at, u.name, u.role, u.area_level, u.area_code FROM token t "
            "JOIN app_user u ON u.id = t.user_id LEFT JOIN token p ON p.id = t.parent_id "
            "WHERE t.sha256 = :sha256 AND t.revoked_at IS NULL AND t.expires_at > now() AND u.disabled_at IS NULL "
            "AND (p.id IS NULL OR (p.revoked_at IS NULL AND p.expires_at > now()))"
        ),
        {"sha256": sha256},
    ).one_or_none()
    if row is None or not hmac.compare_digest(bytes(row.sha256), sha256):
        return None
    by: Literal["bearer", "cookie"] = "cookie" if row.session else "bearer"
    area = Area(row.area_level, row.area_code) if row.area_level else None
    return Principal(row.role, row.name, row.id, by, row.expires_at, area)


class Principals:
    """Looked-up tokens of this worker, each for `KEPT_S` seconds, hits and misses alike."""

    def __init__(
        self, look_up: Callable[[bytes], Principal | None], clock: Callable[[], float] = time.monotonic
    ):
        self._look_up, self._clock = look_up, clock
        self._kept: OrderedDict[bytes, tuple[float, Principal | None]] = OrderedDict()
        self._lock = threading.Lock()

    def kept(self, sha256: bytes) -> tuple[bool, Principal | None]:
        """(known, principal) without touching the database."""
        found = self._kept.get(sha256)
        if found is None or self._clock() - found[0] > KEPT_S:
            return False, None
        principal = found[1]
        if principal and principal.expires_at and principal.expires_at <= dt.datetime.now(dt.UTC):
            return True, None
        return True, principal

    def find(self, sha256: bytes) -> Principal | None:
        """The principal, asking the database when it is not kept."""
        known, principal = self.kept(sha256)
        if known:
            return principal
        principal = self._look_up(sha256)
        with self._lock:
            self._kept[sha256] = (self._clock(), principal)
            while len(self._kept) > KEPT_TOKENS:
                self._kept.popitem(last=False)
        return principal

    def forget(self, sha256: bytes) -> None:
        """Drops one entry, e.g. at sign-out."""
        with self._lock:
            self._kept.pop(sha256, None)


# -- accounts and tokens -------------------------------------------------------------------------------


def add_user(session: Session, name: str, by: str = "operator") -> AppUser:
    """A new account with the role admin. Raises Conflict when the name is taken."""
    if not name.strip() or len(name) > 100 or not name.isprintable():
        raise RefusedArgument("用户名无效。", "The user name is not valid.", field="name")
    if session.scalar(select(AppUser).where(AppUser.name == name)):
        raise Conflict(f"用户 {name} 已存在。", f"There is a user {name} already.", field="name")
    user = AppUser(name=name)
    session.add(user)
    session.flush()
    session.add(Audit(who=by, act="user add", what={"user": name}))
    return user


def disable_user(session: Session, name: str, by: str = "operator") -> None:
    """Shuts an account: its tokens and sessions stop working within `KEPT_S` seconds."""
    user = _user(session, name)
    user.disabled_at = dt.datetime.now(dt.UTC)
    session.execute(
        update(Token)
        .where(Token.user_id == user.id, Token.revoked_at.is_(None))
        .values(revoked_at=user.disabled_at)
    )
    session.add(Audit(who=by, act="user disable", what={"user": name}))


def list_users(session: Session) -> list[dict[str, object]]:
    """Every account with the number of its live tokens."""
    rows = session.execute(
        text(
            "SELECT u.name, u.role, u.created_at, u.disabled_at, count(t.id) FILTER (WHERE NOT t.session "
            "AND t.revoked_at IS NULL AND t.expires_at > now()) AS tokens, "
            "count(t.id) FILTER (WHERE t.session AND t.revoked_at IS NULL AND t.expires_at > now()) AS sessions "
            "FROM app_user u LEFT JOIN token t ON t.user_id = u.id GROUP BY u.id ORDER BY u.name"
        )
    )
    return [dict(row) for row in rows.mappings()]


def issue_token(
    session: Session, name: str, *, days: int = 90, label: str = "", by: str = "operator"
) -> tuple[str, Token]:
    """A new bearer token of an account: (the secret, shown this once; its stored row)."""
    if not 1 <= days <= 3650:
        raise RefusedArgument("有效期应为 1 至 3650 天。", "A token lives 1 to 3650 days.", field="days")
    user = _user(session, name)
    if user.disabled_at is not None:
        raise RefusedArgument(f"用户 {name} 已停用。", f"The user {name} is disabled.", field="name")
    secret = PREFIX + secrets.token_urlsafe(32)
    expires = dt.datetime.now(dt.UTC) + dt.timedelta(days=days)
    token = Token(user_id=user.id, sha256=digest(secret), label=label[:100], expires_at=expires)
    session.add(token)
    session.flush()
    session.add(Audit(who=by, act="token issue", what={"user": name, "token": token.id, "days": days}))
    return secret, token


def revoke_token(session: Session, token_id: int, *, user: str, by: str = "operator") -> None:
    """Ends a user's token and every session made from it."""
    owner = _user(session, user)
    done = session.execute(
        update(Token)
        .where(
            Token.user_id == owner.id,
            (Token.id == token_id) | (Token.parent_id == token_id),
            Token.revoked_at.is_(None),
        )
        .values(revoked_at=dt.datetime.now(dt.UTC))
        .returning(Token.id)
    ).all()
    if not done:
        raise NotFound(f"没有有效的令牌 {token_id}。", f"There is no live token {token_id}.", field="token")
    session.add(Audit(who=by, act="token revoke", what={"token": token_id}))


# -- sessions of the page -------------------------------------------------------------------------------


def sign_in(session: Session, secret: str) -> tuple[str, Principal]:
    """Exchanges a bearer token for a session: (the cookie's secret, who it is). Raises Unauthenticated."""
    principal = find(session, digest(secret))
    if principal is None or principal.by != "bearer":
        raise Unauthenticated("令牌无效或已过期。", "The token is not valid or has expired.", field="token")
    assert principal.expires_at is not None
    expires = min(principal.expires_at, dt.datetime.now(dt.UTC) + dt.timedelta(hours=SESSION_HOURS))
    made = secrets.token_urlsafe(32)
    parent = session.get_one(Token, principal.token_id)
    row = Token(
        user_id=parent.user_id, parent_id=parent.id, sha256=digest(made), session=True, expires_at=expires
    )
    session.add(row)
    session.flush()
    session.add(Audit(who=principal.name or "", act="sign in", what={"token": parent.id}))
    return made, Principal(principal.role, principal.name, row.id, "cookie", expires, principal.area)


def sign_out(session: Session, principal: Principal) -> None:
    """Ends the session that asks."""
    if principal.by == "cookie" and principal.token_id is not None:
        session.execute(
            update(Token).where(Token.id == principal.token_id).values(revoked_at=dt.datetime.now(dt.UTC))
        )
        session.add(Audit(who=principal.name or "", act="sign out", what={}))


def count_attempt(session: Session, address: str) -> None:
    """Counts one sign-in from an address before it is looked at. Raises RateLimited above the limit.

    The caller commits at once, so that a failed sign-in stays counted and parallel ones see it.
    """
    for key, limit in ((_key(address), TRIES_PER_WINDOW), (_key("*"), TRIES_OF_ALL)):
        row = session.execute(
            text(
                "INSERT INTO attempt (key, window_start, n) VALUES (:key, "
                "to_timestamp(floor(extract(epoch FROM now()) / :s) * :s), 1) "
                "ON CONFLICT (key, window_start) DO UPDATE SET n = attempt.n + 1 "
                "RETURNING n, :s - extract(epoch FROM now() - window_start) AS wait_s"
            ),
            {"key": key, "s": WINDOW_S},
        ).one()
        if row.n > limit:
            wait = max(1, int(row.wait_s) + 1)
            raise RateLimited(
                f"登录尝试过多，请 {wait} 秒后再试。",
                f"Too many sign-ins; try again in {wait} s (Retry-After).",
                retry_after_s=wait,
            )
    session.execute(text("DELETE FROM attempt WHERE window_start < now() - interval '10 minutes'"))


def forgive_attempt(session: Session, address: str) -> None:
    """A sign-in that succeeded does not count against its address."""
    for key in (_key(address), _key("*")):
        session.execute(
            text(
                "UPDATE attempt SET n = n - 1 WHERE key = :key AND n > 0 AND window_start > now() - interval '1 minute'"
            ),
            {"key": key},
        )


def _key(address: str) -> bytes:
    return hashlib.sha256(b"sign-in\0" + _network(address).encode()).digest()


def _network(address: str) -> str:
    """One IPv6 customer holds a /64: count the network, not the address."""
    return ":".join(address.split(":")[:4]) if address.count(":") > 1 else address


def _user(session: Session, name: str) -> AppUser:
    user = session.scalar(select(AppUser).where(AppUser.name == name))
    if user is None:
        raise NotFound(
            f"没有用户 {name}。",
            f"There is no user {name}.",
            field="name",
            do_zh="`wangge user list` 列出用户。",
            do_en="`wangge user list` shows them.",
        )
    return user

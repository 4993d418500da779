"""Who is asking: what a token or a session cookie stands for, looked up and kept for a moment.

A token is 256 random bits, shown once; the database holds its SHA-256 only. A session of the page is a row of the same
table with a cookie's secret of its own. It ends when it is idle, at its absolute end, when it is revoked, when its
account is shut, and with the token it was made from. What was looked up is kept for `KEPT_S` seconds per worker, so
that any of these takes effect well within a minute.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import text, update
from sqlalchemy.orm import Session

from api.policy import Role
from geo.db.tables import Token

KEPT_S = 15.0
KEPT_TOKENS = 4096
TOUCH_S = 20  # a sign of life is written at most this often; well below the shortest idle time, a minute
IDLE_MINUTES = 30  # the default of `Settings.session_idle_minutes`

Sight = Literal["public", "exact"]
EXACT: frozenset[Role] = frozenset({"supervisor", "planner", "admin"})


COARSE = frozenset({"hexagon", "hexagon:7", "hexagon:8", "hexagon:9"})  # of 0.1 km² and more


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

    def sight_by(self, by: str | None) -> Sight:
        """The same for figures by the zones of a layer: by the smallest hexagons, a building or two each, only who sees every
        case sees them exactly. With filters they are nearly the cases themselves.

        >>> Principal("planner", "wang").sight_by("hexagon:9"), Principal("planner", "wang").sight_by("hexagon:11")
        ('exact', 'public')
        >>> Principal("admin", "li").sight_by("hexagon:11"), Principal("supervisor", "zhao").sight_by(None)
        ('exact', 'exact')
        """
        fine = by is not None and by.startswith("hexagon") and by not in COARSE
        return "public" if fine and self.role != "admin" else self.sight


ANONYMOUS = Principal("public")


def digest(secret: str) -> bytes:
    """What is stored of a secret.

    >>> len(digest("wg_example"))
    32
    """
    return hashlib.sha256(secret.encode()).digest()


_LIVE = text(
    "SELECT t.sha256, t.id, t.session, t.expires_at, u.name, u.role, u.area_level, u.area_code FROM token t "
    "JOIN app_user u ON u.id = t.user_id LEFT JOIN token p ON p.id = t.parent_id "
    "WHERE t.sha256 = :sha256 AND t.revoked_at IS NULL AND t.expires_at > now() AND u.disabled_at IS NULL "
    "AND (p.id IS NULL OR (p.revoked_at IS NULL AND p.expires_at > now())) "
    "AND (NOT t.session OR coalesce(t.seen_at, t.created_at) > now() - make_interval(mins => :idle))"
)
_SEEN = text(
    "UPDATE token SET seen_at = now() WHERE id = :id "
    "AND (seen_at IS NULL OR seen_at < now() - make_interval(secs => :every_s))"
)


def find(session: Session, sha256: bytes, idle_minutes: int = IDLE_MINUTES) -> Principal | None:
    """The principal of a live token or session; None for any other."""
    row = session.execute(_LIVE, {"sha256": sha256, "idle": idle_minutes}).one_or_none()
    if row is None or not hmac.compare_digest(bytes(row.sha256), sha256):
        return None
    by: Literal["bearer", "cookie"] = "cookie" if row.session else "bearer"
    area = Area(row.area_level, row.area_code) if row.area_level else None
    return Principal(row.role, row.name, row.id, by, row.expires_at, area)


def look_up(session: Session, sha256: bytes, idle_minutes: int = IDLE_MINUTES) -> Principal | None:
    """The same for a request: notes that the token was used, at most once in `TOUCH_S`."""
    found = find(session, sha256, idle_minutes)
    if found is not None:
        session.execute(_SEEN, {"id": found.token_id, "every_s": TOUCH_S})
    return found


def end(session: Session, user_id: int, *, but: int | None = None, sessions_only: bool = False) -> int:
    """Revokes an account's tokens and sessions (or its sessions only), except the one `but`. Returns how many."""
    chosen = update(Token).where(Token.user_id == user_id, Token.revoked_at.is_(None))
    if sessions_only:
        chosen = chosen.where(Token.session)
    if but is not None:
        chosen = chosen.where(Token.id != but)
    return len(session.execute(chosen.values(revoked_at=dt.datetime.now(dt.UTC)).returning(Token.id)).all())


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

    def clear(self) -> None:
        """Drops all, after an account was changed: this worker knows at once, the others within `KEPT_S`."""
        with self._lock:
            self._kept.clear()

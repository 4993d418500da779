"""How often something may be tried: counts in the table `attempt`, shared by every worker of the service.

A count slides: the window before weighs as much as it still reaches into the last `window_s` seconds, so that nobody
gets twice the limit at the turn of a minute. A refused try is not counted: who waits as long as told is served, and
nobody can keep a door shut by knocking. Keys are digests; no address is stored.

Sign-ins are counted per address, per account name and in all. The last two would let a stranger keep an owner out, so
a browser in which the account signed in before (`Device`) is counted by itself instead. A limit of sign-ins that closes
leaves one row of the audit in each of its windows, never a row for a try: who guesses must not be able to fill the audit.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from geo.db.tables import AppUser, Audit
from geo.errors import RateLimited


@dataclass(frozen=True)
class Limit:
    """At most `n` in any `window_s` seconds."""

    n: int
    window_s: int


class Closed(RateLimited):
    """Too many requests; try again later."""

    def __init__(self, what: str, who: str, limit: Limit, zh: str, en: str, wait_s: int) -> None:
        """`what` is counted for `who` and has reached `limit`; `zh` and `en` say so."""
        self.what, self.who, self.limit = what, who, limit
        super().__init__(
            f"{zh}，请 {wait_s} 秒后再试（Retry-After）。",
            f"{en}; try again in {wait_s} s (Retry-After).",
            retry_after_s=wait_s,
        )


PER_ADDRESS = (Limit(10, 60),)
PER_NAME = (
    Limit(10, 60),
    Limit(40, 3600),
)  # 40 guesses an hour and name: hopeless against a password that is allowed
PER_DEVICE = PER_NAME
IN_ALL = (Limit(300, 60),)  # what hashing may cost this machine
REMARKS_OF_NETWORK = (Limit(20, 3600),)
REMARKS_ON_DRAFT = (Limit(300, 3600),)  # somebody has to read them
KEPT_S = 2 * 3600
SIGN_IN = "sign-in "  # with address, name, device or all: what is counted

_COUNT = text(
    "INSERT INTO attempt AS a (key, window_start, n) "
    "VALUES (:key, to_timestamp(floor(extract(epoch FROM clock_timestamp()) / :s) * :s), 1) "
    "ON CONFLICT (key, window_start) DO UPDATE SET n = a.n + 1 "
    "RETURNING n, extract(epoch FROM clock_timestamp() - window_start) AS gone_s, coalesce((SELECT b.n FROM attempt b "
    "WHERE b.key = :key AND b.window_start = a.window_start - make_interval(secs => :s)), 0) AS earlier"
)
_TAKE_BACK = text(
    "UPDATE attempt SET n = n - 1 WHERE key = :key AND n > 0 "
    "AND window_start = (SELECT max(window_start) FROM attempt WHERE key = :key)"
)
_FIRST_OF_WINDOW = text(
    "INSERT INTO attempt (key, window_start, n) "
    "VALUES (:key, to_timestamp(floor(extract(epoch FROM clock_timestamp()) / :s) * :s), 1) "
    "ON CONFLICT DO NOTHING RETURNING n"
)
_TIDY = text("DELETE FROM attempt WHERE window_start < now() - make_interval(secs => :kept_s)")


@dataclass(frozen=True)
class SignIn:
    """One try to sign in: from where, for which account (None: by token), from a known browser of it or not."""

    address: str
    name: str | None = None
    device: int | None = None

    def counts(self) -> list[tuple[str, str, tuple[Limit, ...]]]:
        """What it counts against, always in the same order: two tries wait for each other, never in a circle."""
        found: list[tuple[str, str, tuple[Limit, ...]]] = [("address", network(self.address), PER_ADDRESS)]
        if self.device is not None:
            return [*found, ("device", str(self.device), PER_DEVICE)]
        if self.name is not None:
            found.append(("name", unicodedata.normalize("NFKC", self.name).casefold(), PER_NAME))
        return [*found, ("all", "", IN_ALL)]


def count_sign_in(session: Session, attempt: SignIn) -> None:
    """Counts a try before it is looked at. Raises Closed.

    The caller commits at once, so that parallel tries see it and a failed one stays counted.
    """
    for what, who, limits in attempt.counts():
        _take(session, f"{SIGN_IN}{what}", who, limits, "登录尝试过多", "Too many sign-ins")


def note_closed(session: Session, attempt: SignIn, closed: Closed, by: str) -> None:
    """One audit row for the first sign-in that a limit refuses in its window; nothing for the next ones.

    The row names the account that was tried, if there is one: what else stands in the field may be a password. No
    address, not even a digest of it: there are few enough IPv4 addresses to try them all.
    """
    key = _key(f"{closed.what} refused", closed.who, closed.limit)
    if session.execute(_FIRST_OF_WINDOW, {"key": key, "s": closed.limit.window_s}).first() is None:
        return
    what = {
        "limit": closed.what.removeprefix(SIGN_IN),
        "user": session.scalar(select(AppUser.name).where(AppUser.name == attempt.name)),
        "tries": closed.limit.n,
        "seconds": closed.limit.window_s,
    }
    session.add(Audit(who=by, act="sign in refused", what=what))


def forgive_sign_in(session: Session, attempt: SignIn) -> None:
    """A sign-in that succeeded does not count."""
    for what, who, limits in attempt.counts():
        for limit in limits:
            session.execute(_TAKE_BACK, {"key": _key(f"{SIGN_IN}{what}", who, limit)})


def count_heavy(session: Session, route: str, who: str, per_minute: int) -> None:
    """Counts one request for something expensive. Raises Closed."""
    _take(
        session,
        f"heavy {route}",
        who,
        (Limit(per_minute, 60),),
        "此操作过于频繁",
        "Too many of these requests",
    )


def count_remark(session: Session, plan: int, address: str) -> None:
    """Counts a remark of the public, by its network and by the draft. Raises Closed."""
    for what, who, allowed in (
        ("remark network", network(address), REMARKS_OF_NETWORK),
        ("remark draft", str(plan), REMARKS_ON_DRAFT),
    ):
        _take(session, what, who, allowed, "意见提交过于频繁", "Too many remarks")


def address(peer: str, headers: Mapping[bytes, bytes], trusted: Collection[str]) -> str:
    """The caller's address: the peer's; a forwarded one only from a proxy that the operator listed.

    The last address that is not itself a listed proxy counts: what stands before it, anybody can write.

    >>> address("10.0.0.1", {b"x-forwarded-for": b"6.6.6.6, 203.0.113.9"}, ["10.0.0.1"])
    '203.0.113.9'
    >>> address("198.51.100.7", {b"x-forwarded-for": b"6.6.6.6"}, ["10.0.0.1"])
    '198.51.100.7'
    """
    if peer in trusted:
        hops = headers.get(b"x-forwarded-for", b"").decode("latin-1").split(",")
        for hop in reversed([hop.strip() for hop in hops]):
            if hop and hop not in trusted:
                return hop[:64]
    return peer


def network(address: str) -> str:
    """One IPv6 customer holds a /64: the network is counted, not the address.

    >>> network("2001:db8:1:2:3:4:5:6"), network("2001:db8::7"), network("192.0.2.4")
    ('2001:db8:1:2::', '2001:db8::', '192.0.2.4')
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:  # a proxy may write anything
        return address
    if found.version == 4:
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Address(int(found) >> 64 << 64))


def _take(session: Session, what: str, who: str, limits: Iterable[Limit], zh: str, en: str) -> None:
    for limit in limits:
        row = session.execute(_COUNT, {"key": _key(what, who, limit), "s": limit.window_s}).one()
        wait_s = waiting_s(limit, int(row.n), int(row.earlier), float(row.gone_s))
        if wait_s:
            raise Closed(what, who, limit, zh, en, wait_s)
        if row.n == 1:
            session.execute(_TIDY, {"kept_s": KEPT_S})


def waiting_s(limit: Limit, n: int, earlier: int, gone_s: float) -> int:
    """How long the n-th try of this window must wait; 0: it need not.

    `earlier` tries were counted in the window before; `gone_s` seconds of this one are gone.

    >>> waiting_s(Limit(10, 60), 10, 0, 5.0), waiting_s(Limit(10, 60), 11, 0, 5.0), waiting_s(Limit(10, 60), 1, 10, 0.0)
    (0, 61, 6)
    """
    if earlier * max(0.0, 1 - gone_s / limit.window_s) + n <= limit.n:
        return 0
    if n <= limit.n:  # the window before must weigh less
        at_s = limit.window_s * (1 - (limit.n - n) / earlier)
    else:  # this window must be the one before, and weigh less
        at_s = limit.window_s * (2 - (limit.n - 1) / (n - 1))
    return max(1, math.ceil(at_s - gone_s))


def _key(what: str, who: str, limit: Limit) -> bytes:
    return hashlib.sha256(f"{what}\0{limit.window_s}\0{who}".encode()).digest()

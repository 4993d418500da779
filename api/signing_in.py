"""Sessions of the page: made at sign-in with a secret that is new each time, ended by hand, by time or by an admin.

Whoever signs in, by password, by token or through an OIDC provider, ends here in `open_session`. A session that the
browser brought along ends with it. Beside the session the browser gets a device cookie: it says nothing but that this
account signed in here before, and keeps strangers' wrong passwords from counting against it (`api.limits`).
"""

from __future__ import annotations

import datetime as dt
import secrets
from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from api import passwords
from api.principals import Area, Principal, digest, find
from geo.db.tables import AppUser, Audit, Device, Token
from geo.errors import Forbidden, RefusedArgument, Unauthenticated

COOKIE = "wangge_session"
DEVICE_COOKIE = "wangge_device"
DEVICE_DAYS = 180
HEADER = "x-requested-with"  # with the value below: what a form of another site cannot send
HEADER_VALUE = "wangge"
SESSION_HOURS = 12  # the default of `Settings.session_hours`


@dataclass(frozen=True)
class Known:
    """What is needed to check a password outside of a transaction; the same for an unknown name."""

    name: str
    user_id: int | None = None
    password_hash: str | None = None
    device: int | None = None


@dataclass(frozen=True)
class Opened:
    """A new session: the cookies' secrets, shown this once, and whose it is."""

    secret: str
    device: str
    principal: Principal


def look_up(session: Session, name: str, device: str | None) -> Known:
    """The account of a name as far as signing in goes, and whether this browser is known to it."""
    user = session.scalar(select(AppUser).where(AppUser.name == name, AppUser.disabled_at.is_(None)))
    if user is None:
        return Known(name)
    row = (
        session.scalar(select(Device.id).where(Device.user_id == user.id, Device.sha256 == digest(device)))
        if device
        else None
    )
    return Known(name, user.id, user.password_hash, row)


def by_password(session: Session, known: Known, password: str, hours: int = SESSION_HOURS) -> Opened:
    """Opens a session for a password that was found right, unless the account changed meanwhile.

    The account's row is held until the session is there: a new password or a closing then ends it with the others.
    A hash made with yesterday's parameters is made anew here, the only moment the password is known.
    """
    user = session.scalar(
        select(AppUser)
        .where(
            AppUser.id == known.user_id,
            AppUser.password_hash == known.password_hash,
            AppUser.disabled_at.is_(None),
        )
        .with_for_update(key_share=True)
    )
    if user is None or user.password_hash is None:
        raise wrong_password()
    if passwords.outdated(user.password_hash):
        user.password_hash = passwords.hashed(password)
    return open_session(session, user, "password", hours)


def by_token(session: Session, secret: str, hours: int = SESSION_HOURS) -> Opened:
    """Exchanges a bearer token for a session that dies with it. Raises Unauthenticated."""
    principal = find(session, digest(secret))
    if principal is None or principal.by != "bearer":
        raise Unauthenticated("令牌无效或已过期。", "The token is not valid or has expired.", field="token")
    parent = session.get_one(Token, principal.token_id)
    return open_session(session, session.get_one(AppUser, parent.user_id), "token", hours, parent)


def open_session(
    session: Session, user: AppUser, way: str, hours: int = SESSION_HOURS, parent: Token | None = None
) -> Opened:
    """A session with a new secret, for `hours` at most and no longer than the token it comes from."""
    now = dt.datetime.now(dt.UTC)
    expires = now + dt.timedelta(hours=hours)
    if parent is not None:
        expires = min(expires, parent.expires_at)
    secret, device = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    row = Token(
        user_id=user.id, parent_id=parent.id if parent else None, sha256=digest(secret), session=True,
        expires_at=expires, seen_at=now,
    )  # fmt: skip
    session.add(row)
    session.execute(
        delete(Device).where(Device.user_id == user.id, Device.seen_at < now - dt.timedelta(days=DEVICE_DAYS))
    )
    session.add(Device(user_id=user.id, sha256=digest(device)))
    session.flush()
    what = {"by": way} | ({"token": parent.id} if parent else {})
    session.add(Audit(who=user.name, act="sign in", what=what))
    area = Area(user.area_level, user.area_code) if user.area_level and user.area_code else None
    return Opened(secret, device, Principal(user.role, user.name, row.id, "cookie", expires, area))  # type: ignore[arg-type]


def end_former(session: Session, secret: str | None, device: str | None) -> None:
    """Ends the session that the browser brought to a sign-in, and its former device cookie: both get new ones."""
    if secret:
        session.execute(
            update(Token)
            .where(Token.sha256 == digest(secret), Token.session, Token.revoked_at.is_(None))
            .values(revoked_at=dt.datetime.now(dt.UTC))
        )
    if device:
        session.execute(delete(Device).where(Device.sha256 == digest(device)))


def sign_out(session: Session, principal: Principal) -> None:
    """Ends the session that asks."""
    if principal.by == "cookie" and principal.token_id is not None:
        session.execute(
            update(Token).where(Token.id == principal.token_id).values(revoked_at=dt.datetime.now(dt.UTC))
        )
        session.add(Audit(who=principal.name or "", act="sign out", what={}))


def own_password(session: Session, principal: Principal) -> str:
    """The hash of the password of whoever asks. Raises when the account has none to change."""
    stored = session.scalar(select(AppUser.password_hash).where(AppUser.name == principal.name))
    if stored is None:
        raise RefusedArgument(
            "此账号没有密码。", "This account has no password.", code="password-none",
            do_zh="请管理员设置一个。", do_en="An admin can set one.",
        )  # fmt: skip
    return stored


def wrong_password() -> Unauthenticated:
    """One answer for an unknown name, a shut account and a wrong password."""
    return Unauthenticated("用户名或密码不对。", "The name or the password is wrong.", code="sign-in-failed")


def wrong_old_password() -> Forbidden:
    """Not 401: whoever asks stays signed in."""
    return Forbidden("原密码不对。", "The old password is wrong.", code="password-wrong", field="old")

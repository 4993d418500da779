"""Accounts: names, roles, areas, passwords; who may be shut out and who may not.

Every act writes its audit row in the same transaction. Nobody can shut or demote the last admin: the rows of all admins
are locked first, so that two of them cannot do it to each other at the same moment.
"""

from __future__ import annotations

import datetime as dt
import unicodedata
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from api import passwords, principals
from api.policy import PRINCIPALS, Role
from api.principals import Area
from geo.db.clock import city_today
from geo.db.tables import AppUser, Audit, Device
from geo.errors import Conflict, NotFound, RefusedArgument

BOUND: frozenset[str] = frozenset({"worker", "supervisor"})  # an account of these answers for one area
LONGEST_NAME = 100
NAMING = 0x4E414D45  # an advisory lock: who names or links an account


class LastAdmin(Conflict):
    """Without this account nobody could manage accounts any more."""

    default_code = "last-admin"


@dataclass(frozen=True)
class Change:
    """What is to be changed of an account; None leaves a thing as it is."""

    role: Role | None = None
    area: Area | None = None
    disabled: bool | None = None
    oidc_subject: str | None = None  # "" unlinks


def add_user(
    session: Session,
    name: str,
    by: str = "operator",
    *,
    role: Role = "admin",
    area: Area | None = None,
    password: str | None = None,
    oidc_subject: str | None = None,
) -> AppUser:
    """A new account. Raises Conflict when the name is taken, RefusedArgument when role and area do not go together."""
    name = check_name(name)
    check_area(session, role, area)
    _one_at_a_time(session)
    if session.scalar(select(AppUser).where(AppUser.name == name)):
        raise Conflict(f"用户 {name} 已存在。", f"There is a user {name} already.", field="name")
    level, code = (area.level, area.code) if area else (None, None)
    user = AppUser(name=name, role=role, area_level=level, area_code=code)
    session.add(user)
    session.flush()
    if oidc_subject:
        _link(session, user, oidc_subject)
    if password is not None:
        _keep(user, password)
    what = {"user": name, "role": role, "area": _told(area), "password": password is not None}
    session.add(Audit(who=by, act="user add", what=what))
    return user


def change_user(session: Session, name: str, change: Change, by: str = "operator") -> AppUser:
    """Role, area, state or link of an account. A new role holds for tokens and sessions that are out already."""
    admins = _lock_admins(session)
    user = find_user(session, name)
    if change.role is not None or change.area is not None:
        _set_role(session, user, change, by, admins)
    if change.oidc_subject is not None:
        _link(session, user, change.oidc_subject)
        session.add(Audit(who=by, act="user link", what={"user": name, "linked": bool(change.oidc_subject)}))
    if change.disabled is True and user.disabled_at is None:
        _spare_last_admin(user, admins)
        user.disabled_at = dt.datetime.now(dt.UTC)
        ended = principals.end(session, user.id)
        session.add(Audit(who=by, act="user disable", what={"user": name, "ended": ended}))
    elif change.disabled is False and user.disabled_at is not None:
        user.disabled_at = None
        session.add(Audit(who=by, act="user enable", what={"user": name}))
    return user


def disable_user(session: Session, name: str, by: str = "operator") -> None:
    """Shuts an account: its tokens and sessions end, now and for good."""
    change_user(session, name, Change(disabled=True), by)


def set_password(
    session: Session,
    name: str,
    password: str | None,
    by: str = "operator",
    *,
    keep_session: int | None = None,
) -> str:
    """Sets an account's password (None: one is made), ends its sessions but `keep_session` and forgets its browsers.

    Tokens of programs stay: they are revoked one by one. Returns the password.
    """
    user = find_user(session, name)
    chosen = passwords.make() if password is None else password
    _keep(user, chosen)
    ended = principals.end(session, user.id, but=keep_session, sessions_only=True)
    session.execute(delete(Device).where(Device.user_id == user.id))
    session.add(Audit(who=by, act="user password", what={"user": name, "ended": ended}))
    return chosen


def list_users(session: Session) -> list[dict[str, Any]]:
    """Every account with its role, area, when it was last seen, and the number of its live tokens and sessions."""
    rows = session.execute(
        text(
            "SELECT u.name, u.role, u.area_level, u.area_code, u.password_hash IS NOT NULL AS password, "
            "u.oidc_subject IS NOT NULL AS oidc, u.created_at, u.disabled_at, max(t.seen_at) AS seen_at, "
            "count(t.id) FILTER (WHERE NOT t.session AND t.revoked_at IS NULL AND t.expires_at > now()) AS tokens, "
            "count(t.id) FILTER (WHERE t.session AND t.revoked_at IS NULL AND t.expires_at > now()) AS sessions "
            "FROM app_user u LEFT JOIN token t ON t.user_id = u.id GROUP BY u.id ORDER BY u.name"
        )
    )
    return [dict(row) for row in rows.mappings()]


def find_user(session: Session, name: str) -> AppUser:
    """The account of a name. Raises NotFound."""
    user = session.scalar(select(AppUser).where(AppUser.name == name))
    if user is None:
        raise NotFound(
            f"没有用户 {name}。", f"There is no user {name}.", field="name",
            do_zh="请从用户列表中选取。",
            shell_zh="`wangge user list` 列出用户。",
            do_en="Choose one from the list of users.",
            shell_en="`wangge user list` shows them.",
        )  # fmt: skip
    return user


def plain_name(name: str) -> str:
    """One form for one name, whatever keyboard it came from."""
    return unicodedata.normalize("NFC", name)


def check_name(name: str) -> str:
    """A name as it is stored (NFC). Raises RefusedArgument for one that cannot be told, typed or put in an address.

    >>> check_name("李明")
    '李明'
    """
    plain = plain_name(name)
    fine = plain.isprintable() and plain == plain.strip() and 0 < len(plain) <= LONGEST_NAME
    if not fine or set(plain) & set("/\\?#%") or plain in (".", ".."):
        raise RefusedArgument(
            f"用户名无效：1 至 {LONGEST_NAME} 个可见字符，首尾无空格，不含 / \\ ? # %。",
            f"The user name is not valid: 1 to {LONGEST_NAME} visible characters, no blank at the ends, none of / \\ ? # %.",
            field="name",
        )
    return plain


def check_area(session: Session, role: str, area: Area | None) -> None:
    """Raises RefusedArgument unless a worker or a supervisor has an area that is loaded, and nobody else has one."""
    if role not in PRINCIPALS:
        known = "、".join(PRINCIPALS), ", ".join(PRINCIPALS)
        raise RefusedArgument(f"角色应为 {known[0]} 之一。", f"A role is one of {known[1]}.", field="role")
    if (role in BOUND) != (area is not None):
        raise RefusedArgument(
            "网格员和网格长须指定一个区域，其他角色不得指定。",
            "A worker or a supervisor needs an area, any other role has none.",
            field="area",
            do_zh="例如 street:110101001。",
            shell_zh="例如 --area street:110101001。",
            do_en="For example street:110101001.",
            shell_en="For example --area street:110101001.",
        )  # fmt: skip
    if area is not None and area_name(session, area) is None:
        raise RefusedArgument(
            f"没有 {area.level} 一级的区域 {area.code}。",
            f"There is no area {area.code} of the level {area.level} today.",
            field="area",
        )


def area_name(session: Session, area: Area) -> str | None:
    """What an area is called in the edition that holds today; None when it holds no such area."""
    found: str | None = session.scalar(
        text(
            "SELECT b.name FROM boundary b JOIN edition e ON e.id = b.edition_id JOIN level l ON l.id = e.level_id "
            "WHERE l.name = :level AND b.code = :code AND e.during @> CAST(:today AS date)"
        ),
        {"level": area.level, "code": area.code, "today": city_today(session)},
    )
    return found


def _set_role(session: Session, user: AppUser, change: Change, by: str, admins: set[int]) -> None:
    role = change.role or user.role
    kept = (
        Area(user.area_level, user.area_code)
        if user.area_level and user.area_code and role in BOUND
        else None
    )
    area = change.area or kept
    check_area(session, role, area)
    if role != "admin":
        _spare_last_admin(user, admins)
    what = {"user": user.name, "from": user.role, "to": role, "area": _told(area)}
    user.role = role
    user.area_level, user.area_code = (area.level, area.code) if area else (None, None)
    session.flush()
    session.add(Audit(who=by, act="user role", what=what))


def _lock_admins(session: Session) -> set[int]:
    return set(
        session.scalars(
            select(AppUser.id)
            .where(AppUser.role == "admin", AppUser.disabled_at.is_(None))
            .order_by(AppUser.id)
            .with_for_update()
        )
    )


def _spare_last_admin(user: AppUser, admins: set[int]) -> None:
    if admins == {user.id}:
        raise LastAdmin(
            f"{user.name} 是最后一名管理员，不能停用或改为其他角色。",
            f"{user.name} is the last admin and can neither be disabled nor given another role.",
            field="name",
            do_zh="请先新增一名管理员。", do_en="Add another admin first.",
        )  # fmt: skip


def _one_at_a_time(session: Session) -> None:
    """Names and subjects are each one account's: two that take the same at once are told so, one after the other."""
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": NAMING})


def _link(session: Session, user: AppUser, subject: str) -> None:
    if len(subject) > 255 or not subject.isprintable():
        raise RefusedArgument("OIDC 主体无效。", "The OIDC subject is not valid.", field="oidc_subject")
    _one_at_a_time(session)
    others = select(AppUser.name).where(AppUser.oidc_subject == subject, AppUser.id != user.id)
    taken = session.scalar(others) if subject else None
    if taken is not None:
        raise Conflict(
            f"该 OIDC 主体已属于用户 {taken}。",
            f"This OIDC subject belongs to the user {taken}.",
            field="oidc_subject",
        )
    user.oidc_subject = subject or None
    session.flush()


def _keep(user: AppUser, password: str) -> None:
    passwords.refuse_weak(password, user.name)
    user.password_hash, user.password_at = passwords.hashed(password), dt.datetime.now(dt.UTC)


def _told(area: Area | None) -> str | None:
    return f"{area.level}:{area.code}" if area else None

"""People of every role with a token each, and the headers they ask with."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import text

from api import auth
from geo.db import session as sessions
from geo.db.tables import AppUser, Token
from geo.settings import Settings

Headers = dict[str, str]


def token(
    settings: Settings,
    name: str,
    role: str,
    area: tuple[str, str] | None = None,
    *,
    days: float = 30,
    disabled: bool = False,
) -> Headers:
    """A person with a bearer token, written straight to the tables; the headers to ask with."""
    secret = f"wg_{name.encode().hex()}-{role}"
    level, code = area or (None, None)
    now = dt.datetime.now(dt.UTC)
    with sessions.session(settings, "owner") as session:
        user = AppUser(name=name, role=role, area_level=level, area_code=code)
        user.disabled_at = now if disabled else None
        session.add(user)
        session.flush()
        expires = now + dt.timedelta(days=days)
        session.add(Token(user_id=user.id, sha256=auth.digest(secret), label="", expires_at=expires))
    return {"Authorization": f"Bearer {secret}"}


def staff(settings: Settings) -> dict[str, Headers]:
    """One of every role; worker and supervisor answer for the community C00."""
    own = ("community", "C00")
    return {
        "worker": token(settings, "老李", "worker", own),
        "supervisor": token(settings, "王队", "supervisor", own),
        "planner": token(settings, "张规划", "planner"),
        "admin": token(settings, "管理员", "admin"),
    }


def of_area(settings: Settings, boundary: str) -> list[Any]:
    """Numbers of the cases of a community by a query that shares no code with the service: units by their place, and
    points outside all units by theirs."""
    with sessions.session(settings, "owner") as session:
        return list(
            session.scalars(
                text(
                    "SELECT c.id FROM cases c JOIN boundary b ON b.code = :b LEFT JOIN unit u ON u.id = c.unit_id "
                    "WHERE ST_Covers(b.geom, u.point) OR (u.id IS NULL AND ST_Covers(b.geom, c.geom)) "
                    "ORDER BY c.source_id DESC, c.id DESC"
                ),
                {"b": boundary},
            )
        )

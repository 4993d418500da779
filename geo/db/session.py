"""Connections, for two roles: `owner` loads, migrates and runs jobs; `app` answers the web.

Functions below the edge take a `Session` (or a psycopg connection for COPY) first and never commit; the edge
opens it here, and leaving the block commits, or rolls back when something was raised.

    with session(settings) as s:
        s.execute(text("SELECT 1"))
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Literal

import psycopg
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

from geo.db import cluster, roles
from geo.settings import Settings

Role = Literal["owner", "app"]
POOL_WAIT_S = 2


def connect(settings: Settings, role: Role = "owner", *, autocommit: bool = False) -> psycopg.Connection:
    """A raw psycopg connection: for COPY, LISTEN and server-side cursors. The caller closes and commits it."""
    connection = psycopg.connect(conninfo(settings, role), autocommit=autocommit)
    if settings.database_url is not None:
        _act_as(connection, role)
    return connection


@lru_cache(maxsize=16)
def engine(settings: Settings, role: Role = "owner") -> Engine:
    """The pooled engine of one role; one per process, settings and role.

    A connection is checked before it is lent, so a restarted server is noticed and not reported; who waits longer
    than two seconds for a free one gets `sqlalchemy.exc.TimeoutError`.
    """
    return create_engine(
        "postgresql+psycopg://",
        creator=lambda: connect(settings, role),
        pool_pre_ping=True,
        pool_timeout=POOL_WAIT_S,
        pool_size=8,
        max_overflow=4,
    )


@contextmanager
def session(settings: Settings, role: Role = "owner") -> Iterator[Session]:
    """One unit of work of the edge: commits when the block ends, rolls back when it raises."""
    with Session(engine(settings, role), expire_on_commit=False) as opened, opened.begin():
        yield opened


def raw(opened: Session) -> psycopg.Connection[Any]:
    """The psycopg connection under a session, in the same transaction: for COPY.

    with raw(s).cursor().copy("COPY t FROM STDIN") as copy: ...
    """
    connection = opened.connection().connection.driver_connection
    assert isinstance(connection, psycopg.Connection)
    return connection


def forget(settings: Settings) -> None:
    """Closes every pooled connection of this process, e.g. before the server stops."""
    for role in ("owner", "app"):
        engine(settings, role).dispose()


def conninfo(settings: Settings, role: Role) -> str:
    """The libpq connection string of one role, for PostgreSQL's own programs."""
    if settings.database_url is not None:
        return psycopg.conninfo.make_conninfo(
            settings.database_url, connect_timeout=5, application_name=f"wangge {role}"
        )
    user = roles.OWNER if role == "owner" else roles.APP
    return psycopg.conninfo.make_conninfo(cluster.dsn(settings, user), application_name=f"wangge {role}")


def _act_as(connection: psycopg.Connection, role: Role) -> None:
    """On a server of one's own, one login serves both roles: limits and rights are taken on here."""
    limits = roles.APP_LIMITS if role == "app" else roles.OWNER_LIMITS
    if role == "app":
        connection.execute(f"SET ROLE {roles.APP}")
    for name, value in limits.items():
        connection.execute("SELECT set_config(%s, %s, false)", [name, value])
    if not connection.autocommit:
        connection.commit()

"""Who may do what in the database.

`wangge_owner` owns the schema: migrations, loads and jobs run as it. `wangge_app` answers the web: it reads and
writes rows, cannot change the schema, and is stopped when a statement takes longer than five seconds.
"""

from __future__ import annotations

import psycopg
from psycopg import sql

from geo.errors import Unavailable

OWNER = "wangge_owner"
APP = "wangge_app"
EXTENSIONS = ("postgis", "btree_gist", "pg_trgm")
APP_LIMITS = {
    "statement_timeout": "5s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "30s",
}
OWNER_LIMITS = {"lock_timeout": "60s"}


class RolesError(Unavailable):
    """The database lacks a role or an extension and this user may not create it."""

    default_code = "database-rights"


def prepare(connection: psycopg.Connection) -> None:
    """Gives a server of one's own what Wangge needs; says which line its administrator must run when it may not."""
    try:
        if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [APP]).fetchone() is None:
            connection.execute(f"CREATE ROLE {APP} NOLOGIN")
        if not _may_become(connection, APP):
            connection.execute(f"GRANT {APP} TO CURRENT_USER")
        create_extensions(connection)
    except psycopg.errors.InsufficientPrivilege as problem:
        wanted = "; ".join(f"CREATE EXTENSION IF NOT EXISTS {name}" for name in EXTENSIONS)
        user = connection.info.user
        line = f"CREATE ROLE {APP} NOLOGIN; GRANT {APP} TO {user}; {wanted};"
        raise RolesError(
            f"数据库用户 {user} 权限不足。",
            f"The database user {user} may not prepare this database.",
            do_zh=f"请管理员运行：{line}",
            do_en=f"Ask its administrator to run: {line}",
        ) from problem


def create_roles(connection: psycopg.Connection) -> None:
    """Creates both login roles of the private cluster, or brings their limits up to date."""
    for role, limits in ((OWNER, OWNER_LIMITS), (APP, APP_LIMITS)):
        if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone() is None:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
        for name, value in limits.items():
            connection.execute(
                sql.SQL("ALTER ROLE {} SET {} = {}").format(
                    sql.Identifier(role), sql.SQL(name), sql.Literal(value)
                )
            )
    connection.execute(f"GRANT {APP} TO {OWNER}")


def create_extensions(connection: psycopg.Connection) -> None:
    """Creates the missing extensions in the connected database."""
    have = {name for (name,) in connection.execute("SELECT extname FROM pg_extension")}
    for name in EXTENSIONS:
        if name not in have:
            connection.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(name)))


def grants() -> list[str]:
    """The statements that let `wangge_app` work on the tables of the schema; run after every migration."""
    return [
        f"GRANT USAGE ON SCHEMA public TO {APP}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {APP}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {APP}",
        f"REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {APP}",
        f"REVOKE UPDATE, DELETE ON audit FROM {APP}",  # what was done stays written
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {APP}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {APP}",
    ]


def _may_become(connection: psycopg.Connection, role: str) -> bool:
    row = connection.execute("SELECT pg_has_role(current_user, %s, 'MEMBER')", [role]).fetchone()
    return bool(row and row[0])

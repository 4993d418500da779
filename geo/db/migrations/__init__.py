"""Migrations: how the schema of a database is brought to this version of the code.

Users never meet Alembic: `wangge up`, `wangge db migrate` and every command call `upgrade(settings)`, which costs a
few milliseconds when nothing is to do. All steps run in one transaction; a killed migration leaves nothing behind.
"""

from __future__ import annotations

from pathlib import Path

from geo.db import roles, walls
from geo.db.session import connect, engine
from geo.errors import Unavailable
from geo.settings import Settings

LOCK_KEY = 7_261_001  # advisory lock: one migrator at a time
VERSIONS = Path(__file__).parent / "versions"


class SchemaTooNew(Unavailable):
    """The database was migrated by a newer Wangge than this one."""

    default_code = "schema-too-new"


def head() -> str:
    """The revision this code needs: migrations are named `0001_…`, `0002_…` and follow one another.

    >>> head() >= "0001"
    True
    """
    return max(path.name.split("_")[0] for path in VERSIONS.glob("[0-9]*_*.py"))


def current(settings: Settings) -> str | None:
    """The revision the database stands at; None for an empty database."""
    with connect(settings, "owner") as connection:
        known = connection.execute("SELECT to_regclass('alembic_version')").fetchone()
        if known is None or known[0] is None:
            return None
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return None if row is None else str(row[0])


def upgrade(settings: Settings) -> bool:
    """Brings the schema to `head()`. Returns False when it already was there."""
    found, wanted = current(settings), head()
    if found == wanted:
        return False
    if found is not None and found > wanted:
        raise SchemaTooNew(
            f"数据库结构为 {found}，本程序只认识到 {wanted}。",
            f"The schema is at {found}; this program knows up to {wanted}.",
            do_zh="请使用较新的 Wangge。",
            do_en="Use the newer Wangge.",
        )
    _run(settings)
    return True


def _run(settings: Settings) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    with engine(settings, "owner").begin() as connection:
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (LOCK_KEY,))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        for statement in (*roles.grants(), walls.COVER):
            connection.exec_driver_sql(statement.replace("%", "%%"))

"""Migrations: how the schema of a database is brought to this version of the code.

Users never meet Alembic: `wangge up`, `wangge db migrate` and every command call `upgrade(settings)`, which costs a
few milliseconds when nothing is to do. All steps run in one transaction; a killed migration leaves nothing behind.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from geo.db import roles
from geo.db.session import engine
from geo.settings import Settings

LOCK_KEY = 7_261_001  # advisory lock: one migrator at a time


def head() -> str:
    """The revision this code needs."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None
    return revision


def current(settings: Settings) -> str | None:
    """The revision the database stands at; None for an empty database."""
    with engine(settings, "owner").connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(settings: Settings) -> bool:
    """Brings the schema to `head()`. Returns False when it already was there."""
    if current(settings) == head():
        return False
    with engine(settings, "owner").begin() as connection:
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (LOCK_KEY,))
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        for statement in roles.grants():
            connection.exec_driver_sql(statement)
    return True


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config

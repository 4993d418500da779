"""The migrated schema is the schema of `geo/db/tables.py`, with its constraints and grants."""

from __future__ import annotations

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from geoalchemy2 import alembic_helpers
from sqlalchemy import CheckConstraint, text
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Session

from geo.db import migrations
from geo.db.session import connect, engine
from geo.db.tables import metadata
from geo.settings import Settings


def test_migrated_schema_equals_the_metadata(settings: Settings) -> None:
    options = {
        "compare_type": True,
        "include_object": lambda obj, name, kind, *rest: (
            not (kind == "table" and name in ("spatial_ref_sys", "alembic_version"))
            and alembic_helpers.include_object(obj, name, kind, *rest)
        ),
    }
    with engine(settings).connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_every_check_and_exclusion_of_the_metadata_is_in_the_database(db: Session) -> None:
    wanted = {
        str(constraint.name)
        for table in metadata.tables.values()
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint | ExcludeConstraint)
    }
    have = {
        name for (name,) in db.execute(text("SELECT conname FROM pg_constraint WHERE contype IN ('c', 'x')"))
    }
    assert wanted and not wanted - have


def test_upgrade_twice_changes_nothing(settings: Settings) -> None:
    assert migrations.current(settings) == migrations.head()
    assert migrations.upgrade(settings) is False


def test_the_app_role_writes_rows_but_not_the_schema(settings: Settings) -> None:
    with connect(settings, "app") as connection:
        connection.execute("INSERT INTO city (name) VALUES ('试城')")
        assert connection.execute("SELECT count(*) FROM city").fetchone() == (1,)
        connection.execute("INSERT INTO audit (who, act) VALUES ('a', 'b')")
        connection.commit()
        for forbidden in (
            "CREATE TABLE mine (id int)",
            "ALTER TABLE city ADD COLUMN x int",
            "DROP TABLE cases",
            "DELETE FROM audit",
            "UPDATE alembic_version SET version_num = 'x'",
            "SELECT pg_read_file('/etc/passwd')",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(forbidden)
            connection.rollback()


def test_the_app_role_is_stopped_when_it_takes_too_long(settings: Settings) -> None:
    with connect(settings, "app") as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == ("5s",)
        assert connection.execute("SHOW lock_timeout").fetchone() == ("2s",)
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SET LOCAL statement_timeout = '50ms'; SELECT pg_sleep(5)")


def test_the_migrations_form_one_line_and_head_is_its_end() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations.VERSIONS.parent))
    scripts = ScriptDirectory.from_config(config)
    assert [migrations.head()] == scripts.get_heads()


def test_a_newer_schema_is_left_alone(settings: Settings) -> None:
    with connect(settings) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    with pytest.raises(migrations.SchemaTooNew, match="9999"):
        migrations.upgrade(settings)

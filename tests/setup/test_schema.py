"""The migrated schema is the schema of `geo/db/tables/`, with its constraints and grants."""

from __future__ import annotations

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from geoalchemy2 import alembic_helpers
from sqlalchemy import CheckConstraint, text
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Session

from api import principals
from geo import areas
from geo.db import migrations, roles
from geo.db import session as sessions
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


OLD = "0007"  # the schema of the release before roles
OLD_ROWS = """
INSERT INTO app_user (name) VALUES ('总管'), ('离职');
UPDATE app_user SET disabled_at = now() WHERE name = '离职';
INSERT INTO token (user_id, sha256, expires_at) SELECT id, sha256(name::bytea), now() + interval '1 day' FROM app_user;
INSERT INTO load_run (kind, source, file_name, content_sha256, started_at)
  VALUES ('cases', 'old', 'old.csv', '\\x00', now());
INSERT INTO reject (load_run_id, row, code, why_zh, why_en) VALUES (1, 1, 'x', '', '');
INSERT INTO catalogue (name) VALUES ('old');
INSERT INTO source (name, catalogue_id) VALUES ('old', 1);
INSERT INTO category (catalogue_id, code, name) VALUES (1, '01', '旧');
CREATE TABLE cases_1 PARTITION OF cases FOR VALUES IN (1);
INSERT INTO cases (source_id, source_case_id, opened_at, category_id, status, origin, row_hash, load_run_id)
  VALUES (1, 'A', now(), 1, 0, 1, '\\x00', 1);
INSERT INTO job (kind, author, params, state) VALUES ('plan.propose', '总管', '{}', 'done');
"""


def as_before_roles(settings: Settings) -> None:
    """Puts the database back to the old schema, with an account, a token, a case, a reject and a job in it."""
    with connect(settings) as connection:
        connection.execute("DROP OWNED BY CURRENT_USER CASCADE")
        connection.execute("CREATE SCHEMA IF NOT EXISTS public")
        connection.commit()
    config = Config()
    config.set_main_option("script_location", str(migrations.VERSIONS.parent))
    with engine(settings).begin() as opened:
        config.attributes["connection"] = opened
        command.upgrade(config, OLD)
        for statement in roles.grants():
            opened.exec_driver_sql(statement)
    with connect(settings) as connection:
        connection.execute(OLD_ROWS)
        connection.commit()


def test_a_database_of_before_roles_is_brought_up_with_what_is_in_it(settings: Settings) -> None:
    """Accounts stay admins, tokens hold, a shut account stays shut, and the partitions there are get behind the wall."""
    as_before_roles(settings)
    assert migrations.current(settings) == OLD
    assert migrations.upgrade(settings) is True
    with sessions.session(settings, "app") as session:
        found = principals.look_up(session, principals.digest("总管"))
        assert found is not None
        assert (found.role, found.by, found.area) == ("admin", "bearer", None)
        assert principals.look_up(session, principals.digest("离职")) is None
        assert session.scalar(text("SELECT count(*) FROM cases")) == 0
        areas.show(session, areas.CITY)
        assert session.scalar(text("SELECT count(*) FROM cases")) == 1
        assert session.scalar(text("SELECT count(*) FROM reject")) == 1
    with connect(settings, "app") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("SELECT count(*) FROM cases_1")

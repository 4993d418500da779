"""Writes migration 0001 anew from `geo.db.tables`: `python -m geo.db.migrations.regenerate`.

Only until the first release; from then on 0001 is history and changes are new migrations. What is written is the
exact DDL that PostgreSQL will run, statement by statement, so that a reader sees the schema and a later change of
`tables.py` cannot change an old migration.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import create_mock_engine

from geo.db.tables import metadata

TARGET = Path(__file__).parent / "versions" / "0001_schema.py"
HEAD = '''"""The first schema. Generated from geo/db/tables.py; see geo/db/migrations/regenerate.py."""

from alembic import op

revision = "0001"
down_revision = None

STATEMENTS = (
'''
TAIL = ''')


def upgrade() -> None:
    """Creates every table, constraint and index."""
    connection = op.get_bind()
    for statement in STATEMENTS:
        connection.exec_driver_sql(statement)
'''


def statements() -> list[str]:
    """The DDL of the whole schema, in order of dependence."""
    found: list[str] = []

    def collect(ddl: Any, *_: Any, **__: Any) -> None:
        found.append(str(ddl.compile(dialect=mock.dialect)).strip())

    mock = create_mock_engine("postgresql+psycopg://", collect)
    metadata.create_all(mock, checkfirst=False)
    return [_tidy(statement) for statement in found]


def _tidy(statement: str) -> str:
    return "\n".join(line.rstrip().replace("\t", "    ") for line in statement.splitlines() if line.strip())


def write() -> Path:
    """Writes the migration and returns where."""
    body = "".join(f'    r"""\n{statement}\n""",\n' for statement in statements())
    TARGET.write_text(HEAD + body + TAIL, encoding="utf-8")
    return TARGET


if __name__ == "__main__":
    import sys

    sys.stdout.write(f"{write()}\n")

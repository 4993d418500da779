"""The DDL of tables as PostgreSQL will run it, for a new migration: `python -m geo.db.migrations.ddl job plan_edit`.

A migration holds plain statements, so that a later change of `tables.py` cannot change an old one. Paste what this
prints into the new file; write ALTER statements by hand. A test compares the migrated schema with `tables.py`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import create_mock_engine

from geo.db.tables import metadata


def statements(*names: str) -> list[str]:
    """The DDL of the named tables (all without names), in order of dependence.

    >>> statements("city")[0].splitlines()[0]
    'CREATE TABLE city ('
    """
    found: list[str] = []

    def collect(ddl: Any, *_: Any, **__: Any) -> None:
        found.append(str(ddl.compile(dialect=mock.dialect)).strip())

    mock = create_mock_engine("postgresql+psycopg://", collect)
    wanted = [metadata.tables[name] for name in names] or None
    metadata.create_all(mock, tables=wanted, checkfirst=False)
    return [_tidy(statement) for statement in found]


def _tidy(statement: str) -> str:
    return "\n".join(line.rstrip().replace("\t", "    ") for line in statement.splitlines() if line.strip())


if __name__ == "__main__":
    import sys

    for one in statements(*sys.argv[1:]):
        sys.stdout.write(f'    r"""\n{one}\n""",\n')

"""The partition of a new source: the columns of `cases`, those of fixed width first.

PostgreSQL reads a row from its front, and finds what stands behind a text only by walking over it: with the fixed columns
in front, foreign keys, keys and counts read less of every row, and no room is lost to alignment (182 bytes a row
instead of 190). A partition may have its columns in any order.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

COLUMNS = """
SELECT string_agg(concat_ws(' ', quote_ident(a.attname), format_type(a.atttypid, a.atttypmod),
    CASE WHEN a.attcollation <> t.typcollation THEN 'COLLATE ' || quote_ident(c.collname) END,
    CASE WHEN a.attnotnull THEN 'NOT NULL' END,
    'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid)),
  ', ' ORDER BY a.attlen < 0, NOT a.attnotnull, a.attlen DESC, a.attnum)
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_collation c ON c.oid = a.attcollation
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = 'cases'::regclass AND a.attnum > 0 AND NOT a.attisdropped"""
CHECKS = """
SELECT string_agg(format('CONSTRAINT %I %s', conname, pg_get_constraintdef(oid)), ', ')
FROM pg_constraint WHERE conrelid = 'cases'::regclass AND contype = 'c'"""


def create_partition(connection: psycopg.Connection[Any], name: str, source_id: int) -> None:
    """Creates a table that can be attached to `cases` as the partition of a source; nothing is attached yet.

    Its constraint `source` says what the partition will hold, so that attaching needs no look at the rows.
    """
    row = connection.execute(f"SELECT ({COLUMNS}), ({CHECKS})").fetchone()
    assert row is not None
    columns, checks = row
    connection.execute(
        sql.SQL("CREATE TABLE {} ({}, {}, CONSTRAINT source CHECK (source_id = {}))").format(
            sql.Identifier(name), sql.SQL(columns), sql.SQL(checks), sql.Literal(source_id)
        )
    )

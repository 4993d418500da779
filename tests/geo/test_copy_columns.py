"""Binary COPY as Arrow columns: nulls, texts, instants and batches come back as they stand in the table."""

from __future__ import annotations

import numpy as np
import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.db.copy_columns import read_columns, split
from geo.db.session import raw

FIELDS = (("n", "i4"), ("word", "text"), ("at", "at"), ("yes", "b"), ("small", "i2"), ("wkb", "bytes"))
QUERY = (
    "COPY (SELECT n, CASE WHEN n % 3 > 0 THEN repeat('字', n) END, CASE WHEN n % 4 = 0 THEN 'infinity' ELSE "
    "timestamptz '1969-12-31 23:59:59.999999Z' + n * interval '1 day' END, nullif(n % 5, 4) = 1, -n::int2, "
    "'\\x00ff'::bytea FROM generate_series(0, 9) n) TO STDOUT (FORMAT binary)"
)


def read(db: Session, query: str, batch: int) -> list[dict[str, list[object]]]:
    with raw(db).cursor() as cursor:
        return [
            {name: column.to_pylist() for name, column in block.items()}
            for block in read_columns(cursor, query, FIELDS, batch)
        ]


@pytest.mark.parametrize("batch", [1, 3, 5, 10, 100])
def test_values_of_every_kind_come_back(db: Session, batch: int) -> None:
    blocks = read(db, QUERY, batch)
    whole = {name: [value for block in blocks for value in block[name]] for name, _ in FIELDS}
    assert whole["n"] == list(range(10))
    assert whole["word"] == [None if n % 3 == 0 else "字" * n for n in range(10)]
    assert whole["at"] == [None if n % 4 == 0 else n * 86_400_000_000 - 1 for n in range(10)]
    assert whole["yes"] == [None if n % 5 == 4 else n % 5 == 1 for n in range(10)]
    assert whole["small"] == [-n for n in range(10)]
    assert whole["wkb"] == [b"\x00\xff"] * 10
    assert [len(block["n"]) for block in blocks] == [batch] * (10 // batch) + [10 % batch] * (10 % batch > 0)


def test_no_row_is_no_block(db: Session) -> None:
    assert read(db, QUERY.replace("(0, 9)", "(1, 0)"), 5) == []


def test_rows_of_another_layout_are_refused(db: Session) -> None:
    for select in ("SELECT 1", "SELECT 1::int8, '', now(), true, 1::int2, ''::bytea"):
        with pytest.raises(ValueError, match="COPY sent"):
            read(db, f"COPY ({select}) TO STDOUT (FORMAT binary)", 5)
        db.execute(text("SELECT 1"))


def test_an_error_of_the_server_in_the_middle_is_raised_and_leaves_the_connection_usable(db: Session) -> None:
    query = (
        QUERY.replace("SELECT n,", "SELECT 1 / (500 - n),")
        .replace("(0, 9)", "(0, 9999)")
        .replace("-n::int2", "1::int2")
    )
    with pytest.raises(psycopg.errors.DivisionByZero):
        read(db, query, 100)
    db.rollback()
    assert db.scalar(text("SELECT 1")) == 1


def test_a_reader_that_leaves_early_leaves_the_connection_usable(db: Session) -> None:
    query = QUERY.replace("(0, 9)", "(0, 30000)").replace("repeat('字', n)", "'x'")
    with raw(db).cursor() as cursor:
        blocks = read_columns(cursor, query, FIELDS, 10)
        next(blocks)
        blocks.close()  # type: ignore[attr-defined]
    db.rollback()
    assert db.scalar(text("SELECT 1")) == 1


def test_a_cut_row_is_not_read_beyond_its_end() -> None:
    sent = np.frombuffer(b"\x00\x01\x00\x00\x00\x09abc", dtype=np.uint8)
    start, size = np.empty((2, 1, 1), dtype=np.int32)
    assert split(sent, start, size) == -1

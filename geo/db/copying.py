"""PostgreSQL's binary COPY as NumPy columns, both ways, without a Python loop over values.

Every row of fixed-width, non-null columns has the same length, so a batch of rows is one structured array: two bytes
with the number of fields, then for each field its length and its big-endian value. Words for types: i2 i4 i8 (int2,
int4, int8; timestamptz is an i8 of microseconds since 2000-01-01 UTC, infinity the largest), f8 (float8), b (boolean).

>>> row_dtype((("id", "i4"), ("x", "f8"))).itemsize
22
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import sql
from psycopg.errors import error_from_result

Fields = Sequence[tuple[str, str]]

SIGNATURE = b"PGCOPY\n\xff\r\n\x00" + bytes(8)  # no flags, no header extension
TRAILER = b"\xff\xff"
_NUMPY = {"i2": ">i2", "i4": ">i4", "i8": ">i8", "f8": ">f8", "b": "u1"}
_BYTES = {"i2": 2, "i4": 4, "i8": 8, "f8": 8, "b": 1}


def row_dtype(fields: Fields) -> np.dtype[np.void]:
    """The layout of one row: `n` fields, then `_name` (its length) and `name` (its value) for each."""
    layout: list[tuple[str, str]] = [("n", ">i2")]
    for name, kind in fields:
        layout += [("_" + name, ">i4"), (name, _NUMPY[kind])]
    return np.dtype(layout)


def read_rows(
    cursor: psycopg.Cursor[Any], statement: sql.SQL | sql.Composed, fields: Fields, batch: int = 500_000
) -> Iterator[dict[str, NDArray[Any]]]:
    """Runs `COPY (…) TO STDOUT (FORMAT binary)` and yields its rows, `batch` at a time, as columns in native order.

    Raises ValueError when a row does not have the promised layout (a NULL, another type).
    """
    dtype = row_dtype(fields)
    with cursor.copy(statement) as copy:
        for _, raw in batches(messages(copy), batch):
            rows = np.frombuffer(raw, dtype=dtype)
            if not (rows["n"] == len(fields)).all() or any(
                not (rows["_" + name] == _BYTES[kind]).all() for name, kind in fields
            ):
                raise ValueError(f"COPY sent rows of another layout than {fields}")
            yield {name: rows[name].astype(rows[name].dtype.newbyteorder("=")) for name, _ in fields}


def read_table(
    connection: psycopg.Connection[Any], select: sql.Composable, fields: Fields
) -> dict[str, NDArray[Any]]:
    """The whole answer of a SELECT as columns; its columns must be of exactly these types and never NULL."""
    statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT binary)").format(select)
    with connection.cursor() as cursor:
        parts = list(read_rows(cursor, statement, fields))
    if not parts:
        return {name: np.empty(0, np.dtype(_NUMPY[kind]).newbyteorder("=")) for name, kind in fields}
    return {name: np.concatenate([part[name] for part in parts]) for name, _ in fields}


def messages(copy: psycopg.Copy) -> Iterator[Any]:
    """What the server sends for a COPY … TO STDOUT, message by message, as `iter(copy)` does in a third of the time.

    What libpq has already received is taken from it directly; only waiting goes through psycopg.
    """
    link = copy.connection.pgconn
    take = link.get_copy_data
    while True:
        size, data = take(1)
        if size > 0:
            yield data
        elif size == 0:
            if not (waited := copy.read()):
                return
            yield waited
        else:  # the end, or an error
            break
    result = link.get_result()
    while link.get_result():
        pass
    if result is None or result.status != psycopg.pq.ExecStatus.COMMAND_OK:
        raise (
            psycopg.OperationalError(link.get_error_message())
            if result is None
            else error_from_result(result)
        )


def batches(blocks: Iterator[Any], batch: int) -> Iterator[tuple[int, bytes]]:
    """The stream without header and trailer, cut after `batch` rows: how many, and their bytes.

    The server sends one row in each message; the header stands before the first, the trailer is a message of its own.
    """
    first = next(blocks, None)
    if first is None:
        return
    held, rows = (
        bytearray(),
        0,
    )  # one buffer: a list of messages would keep the garbage collector busy (measured: 4 ×)
    for message in chain([bytes(first)[len(SIGNATURE) :]], blocks):
        if len(message) <= len(TRAILER):  # the trailer, or nothing behind the header
            continue
        held += message
        rows += 1
        if rows == batch:
            yield rows, bytes(held)
            held, rows = bytearray(), 0
    if rows:
        yield rows, bytes(held)


def write_rows(
    cursor: psycopg.Cursor[Any], statement: sql.SQL, fields: Fields, columns: Mapping[str, NDArray[Any]]
) -> None:
    """Runs `COPY table FROM STDIN (FORMAT binary)` with columns of equal length; no value may be NULL."""
    n = len(columns[fields[0][0]])
    rows = np.empty(n, dtype=row_dtype(fields))
    rows["n"] = len(fields)
    for name, kind in fields:
        rows["_" + name] = _BYTES[kind]
        rows[name] = columns[name]
    with cursor.copy(statement) as copy:
        copy.write(SIGNATURE)
        copy.write(rows.tobytes())
        copy.write(TRAILER)

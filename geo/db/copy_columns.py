"""Binary COPY out of PostgreSQL as Arrow columns, with nulls and texts, without a Python loop over values.

`geo.db.copying` reads rows that are all of one length; here rows may differ. Words for types as there, and `text`,
`bytes` (bytea, or a geometry through ST_AsBinary), `at` (timestamptz: microseconds since 1970 UTC, infinity as null).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
import psycopg
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray
from psycopg import sql

from geo.db.copying import Fields, batches, messages

U1: TypeAlias = NDArray[np.uint8]
I4: TypeAlias = NDArray[np.int32]
I8: TypeAlias = NDArray[np.int64]
EPOCH_2000_US = 946_684_800_000_000
INFINITY = np.iinfo(np.int64).max
_NUMPY = {"i2": "i2", "i4": "i4", "i8": "i8", "at": "i8", "b": "i1"}


def read_columns(
    cursor: psycopg.Cursor[Any],
    statement: sql.Composable | str,
    fields: Fields,
    batch: int,
    arguments: Mapping[str, Any] | None = None,
) -> Iterator[dict[str, pa.Array]]:
    """Runs `COPY (…) TO STDOUT (FORMAT binary)` and yields its rows, `batch` at a time, as Arrow arrays by name.

    Raises ValueError when a row does not have the promised number of fields or an integer not its width.
    """
    with cursor.copy(statement, arguments) as copy:  # type: ignore[arg-type]
        for rows, raw in batches(messages(copy), batch):
            sent = np.frombuffer(raw, dtype=np.uint8)
            start, size = np.empty((2, len(fields), rows), dtype=np.int32)
            if split(sent, start, size) != len(sent):
                raise ValueError(f"COPY sent rows of another layout than {fields}")
            yield {name: _column(sent, start[i], size[i], kind) for i, (name, kind) in enumerate(fields)}


def _column(sent: U1, start: I4, size: I4, kind: str) -> pa.Array:
    null = size < 0
    if kind in ("text", "bytes"):
        ends = np.zeros(len(size) + 1, dtype=np.int32)
        np.cumsum(np.maximum(size, 0), out=ends[1:])
        data = np.empty(int(ends[-1]), dtype=np.uint8)
        gather(sent, start, ends, data)
        whole = pa.array(~null).buffers()[1] if null.any() else None
        word = pa.string() if kind == "text" else pa.binary()
        return pa.Array.from_buffers(word, len(size), [whole, pa.py_buffer(ends), pa.py_buffer(data)])
    values = np.empty(len(size), dtype=np.int64)
    width = np.dtype(_NUMPY[kind]).itemsize
    if not integers(sent, start, size, width, values):
        raise ValueError(f"COPY sent an integer that is not {width} bytes wide")
    if kind == "at":
        null |= values == INFINITY
        return pa.array(values + np.where(null, 0, EPOCH_2000_US), pa.int64(), mask=null)
    if kind == "b":
        return pa.array(values != 0, mask=null)
    return pa.array(values.astype(_NUMPY[kind]), mask=null)


# ── Loops ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@njit(inline="always")
def _int4(sent: U1, at: int) -> int:
    return int(
        np.int32(
            (np.uint32(sent[at]) << 24)
            | (np.uint32(sent[at + 1]) << 16)
            | (np.uint32(sent[at + 2]) << 8)
            | np.uint32(sent[at + 3])
        )
    )


@njit(cache=True, nogil=True)
def split(sent: U1, start: I4, size: I4) -> int:
    """Where each field (row of `start`) of each row of the table begins, and its bytes, −1 for null.

    Returns how many bytes the rows took, −1 where a row has another number of fields or ends early.
    """
    fields, rows = start.shape
    at = 0
    for row in range(rows):
        if at + 2 > len(sent) or (sent[at] << 8 | sent[at + 1]) != fields:
            return -1
        at += 2
        for field in range(fields):
            if at + 4 > len(sent):
                return -1
            size[field, row] = _int4(sent, at)
            at += 4
            start[field, row] = at
            at += max(0, size[field, row])
            if at > len(sent):
                return -1
    return at


@njit(cache=True, nogil=True)
def integers(sent: U1, start: I4, size: I4, width: int, out: I8) -> bool:
    """Big-endian integers; 0 for null. False where one has another width."""
    for row in range(len(start)):
        out[row] = 0
        if size[row] < 0:
            continue
        if size[row] != width:
            return False
        value = np.int64(np.int8(sent[start[row]]))
        for i in range(1, width):
            value = (value << 8) | np.int64(sent[start[row] + i])
        out[row] = value
    return True


@njit(cache=True, nogil=True)
def gather(sent: U1, start: I4, ends: I4, out: U1) -> None:
    """The bytes of a field of every row, one after the other: row i fills ends[i] … ends[i + 1]."""
    for row in range(len(start)):
        shift = start[row] - ends[row]
        for i in range(ends[row], ends[row + 1]):
            out[i] = sent[i + shift]


def warm() -> None:
    """Compiles the loops (`wangge warm`)."""
    sent = np.frombuffer(b"\x00\x02\x00\x00\x00\x02\x00\x07\x00\x00\x00\x01x", dtype=np.uint8)
    start, size = np.empty((2, 2, 1), dtype=np.int32)
    split(sent, start, size)
    _column(sent, start[0], size[0], "i2")
    _column(sent, start[1], size[1], "text")

"""Rows as PostgreSQL's binary COPY stream, built column by column without a Python loop over rows.

A column is fixed (n × width bytes, big-endian) or text (Arrow offsets and bytes); null is a length of −1. `rows()` lays
them out row after row; `hashes()` gives each row 128 bits over its values, the same on every machine and run.
Source: PostgreSQL documentation, COPY, "Binary Format".
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from etl.cleaning.strings import text_buffers
from etl.cleaning.times import NOT_A_TIME

HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TAIL = b"\xff\xff"
ROWS_AT_ONCE = 4096  # rows whose bytes stay in the processor's cache while column after column is written
PG_EPOCH_US = 946_684_800_000_000  # 2000-01-01 in microseconds since 1970


@dataclass(frozen=True)
class Column:
    """One field of every row: bytes at offsets, nulls marked, `prefix` bytes in front (jsonb's version)."""

    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    null: NDArray[np.bool_]
    prefix: int = -1


def fixed(values: NDArray[np.generic], kind: str, null: NDArray[np.bool_] | None = None) -> Column:
    """A column of numbers; `kind` is a numpy type in network order: `>i2`, `>i4`, `>i8`, `u1`."""
    data = np.ascontiguousarray(values.astype(kind)).view(np.uint8)
    n, width = len(values), np.dtype(kind).itemsize
    return Column(data, np.arange(n + 1, dtype=np.int64) * width, _nulls(null, n))


def instants(us: NDArray[np.int64]) -> Column:
    """timestamptz from microseconds since 1970, NOT_A_TIME is null."""
    null = us == NOT_A_TIME
    return fixed(np.where(null, 0, us - PG_EPOCH_US), ">i8", null)


def texts(column: pa.StringArray) -> Column:
    """text from an Arrow string array."""
    offsets, data = text_buffers(column)
    return Column(data, offsets, np.asarray(column.is_null(), dtype=np.bool_))


def jsons(column: pa.StringArray) -> Column:
    """jsonb from an Arrow string array of JSON."""
    plain = texts(column)
    return Column(plain.data, plain.offsets, plain.null, prefix=1)


def blobs(column: pa.BinaryArray) -> Column:
    """bytea, or geometry from EWKB, of an Arrow binary array."""
    return texts(column)


def points(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> Column:
    """geometry(Point, 4326) from degrees; NaN is null."""
    rows = np.empty(len(lon), np.dtype([("o", "u1"), ("t", "<u4"), ("s", "<u4"), ("x", "<f8"), ("y", "<f8")]))
    rows["o"], rows["t"], rows["s"], rows["x"], rows["y"] = 1, 0x20000001, 4326, lon, lat
    return records(rows.view(np.uint8).reshape(len(lon), 25), np.isnan(lon) | np.isnan(lat))


def records(data: NDArray[np.uint8], null: NDArray[np.bool_] | None = None) -> Column:
    """A column of equally long byte strings, from an n × width array."""
    n, width = data.shape
    return Column(
        np.ascontiguousarray(data).reshape(-1), np.arange(n + 1, dtype=np.int64) * width, _nulls(null, n)
    )


def constant(value: bytes, n: int) -> Column:
    """The same bytes in every row."""
    return Column(
        np.frombuffer(value, np.uint8), np.zeros(n + 1, np.int64), _nulls(None, n), prefix=-2 - len(value)
    )


def rows(columns: list[Column], n: int) -> NDArray[np.uint8]:
    """The COPY rows of n rows (without HEAD and TAIL).

    >>> rows([fixed(np.array([7]), ">i2")], 1).tobytes()
    b'\\x00\\x01\\x00\\x00\\x00\\x02\\x00\\x07'
    """
    sizes = np.full(n, 2, np.int64)
    for column in columns:
        _add_sizes(sizes, column.offsets, column.null, column.prefix)
    at = np.concatenate(([0], np.cumsum(sizes)))
    out = np.empty(int(at[-1]), np.uint8)
    cursor = at[:-1].copy()
    _put_count(out, cursor, len(columns))
    for start in range(0, n, ROWS_AT_ONCE):
        for column in columns:
            _put(
                out,
                cursor,
                column.data,
                column.offsets,
                column.null,
                column.prefix,
                start,
                min(start + ROWS_AT_ONCE, n),
            )
    return out


def hashes(columns: list[Column], n: int) -> NDArray[np.uint64]:
    """n × 2 unsigned integers over the values of each row; null differs from empty.

    >>> a = hashes([texts(pa.array(["x", "x", "y"]))], 3)
    >>> bool((a[0] == a[1]).all()), bool((a[0] == a[2]).all())
    (True, False)
    """
    state = np.empty((n, 2), np.uint64)
    state[:, 0], state[:, 1] = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F
    for number, column in enumerate(columns):
        if not column.null.all():
            _hash(state, column.data, column.offsets, column.null, number)
    return state


def hash_bytes(state: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """The hashes as n × 16 bytes in network order."""
    return np.ascontiguousarray(state.astype(">u8")).view(np.uint8).reshape(len(state), 16)


def warm() -> None:
    """Compiles every kernel once for each shape of column (they stay cached on disk), so that no load waits for it."""
    given = [fixed(np.array([1]), ">i8"), texts(pa.array(["x"])), jsons(pa.array(["{}"])), constant(b"x", 1)]
    given += [points(np.array([1.0]), np.array([2.0])), blobs(pa.array([b"x"]))]
    for column in given:
        rows([column], 1)
        hashes([column], 1)


def _nulls(null: NDArray[np.bool_] | None, n: int) -> NDArray[np.bool_]:
    return np.zeros(n, np.bool_) if null is None else np.asarray(null, np.bool_)


@numba.njit(cache=True, nogil=True)
def _add_sizes(
    sizes: NDArray[np.int64], offsets: NDArray[np.int64], null: NDArray[np.bool_], prefix: int
) -> None:
    for i in range(len(sizes)):
        sizes[i] += 4
        if not null[i]:
            if prefix <= -2:
                sizes[i] += -2 - prefix
            else:
                sizes[i] += offsets[i + 1] - offsets[i] + (1 if prefix >= 0 else 0)


@numba.njit(cache=True, nogil=True)
def _put_count(out: NDArray[np.uint8], cursor: NDArray[np.int64], count: int) -> None:
    for i in range(len(cursor)):
        out[cursor[i]] = count >> 8
        out[cursor[i] + 1] = count & 255
        cursor[i] += 2


@numba.njit(cache=True, nogil=True)
def _put(
    out: NDArray[np.uint8],
    cursor: NDArray[np.int64],
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    null: NDArray[np.bool_],
    prefix: int,
    begin: int,
    end: int,
) -> None:
    for i in range(begin, end):
        at = cursor[i]
        if null[i]:
            for k in range(4):
                out[at + k] = 255
            cursor[i] = at + 4
            continue
        start = offsets[i]
        size = -2 - prefix if prefix <= -2 else offsets[i + 1] - start
        total = size + (1 if prefix >= 0 else 0)
        out[at] = (total >> 24) & 255
        out[at + 1] = (total >> 16) & 255
        out[at + 2] = (total >> 8) & 255
        out[at + 3] = total & 255
        at += 4
        if prefix >= 0:
            out[at] = prefix
            at += 1
        for k in range(size):
            out[at + k] = data[start + k]
        cursor[i] = at + size


@numba.njit(cache=True, nogil=True)
def _hash(
    state: NDArray[np.uint64],
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    null: NDArray[np.bool_],
    number: int,
) -> None:
    """Two lanes of multiply-xorshift over 8-byte words (constants of splitmix64, Steele, Lea and Flood 2014).

    The column's number and the value's length go in first, so that a null (nothing at all) differs from an empty value
    and a value does not slip from one column into the next.
    """
    m1, m2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
    s = np.uint64(29)
    for i in range(len(state)):
        if null[i]:
            continue
        a, b = state[i, 0], state[i, 1]
        size = offsets[i + 1] - offsets[i]
        word = np.uint64((number + 1) << 40) + np.uint64(size)
        a = (a ^ word) * m1
        a ^= a >> s
        b = (b + word) * m2
        b ^= b >> s
        at = offsets[i]
        k = np.int64(0)
        while k < size:
            word = np.uint64(0)
            for j in range(min(8, size - k)):
                word |= np.uint64(data[at + k + j]) << np.uint64(8 * j)
            a = (a ^ word) * m1
            a ^= a >> s
            b = (b + (word ^ (a >> np.uint64(32)))) * m2
            b ^= b >> s
            k += 8
        state[i, 0], state[i, 1] = a, b

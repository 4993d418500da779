"""Rows as PostgreSQL's binary COPY stream, built column by column without a Python loop over rows.

A column is fixed (n × width bytes, big-endian) or text (Arrow offsets and bytes); null is a length of −1. `rows()` lays
them out row after row; `hashes()` gives each row 128 bits over its values, the same on every machine and run.
Source: PostgreSQL documentation, COPY, "Binary Format".
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from etl import copying_kernels as kernels
from etl.cleaning.strings import text_buffers
from etl.cleaning.times import NOT_A_TIME
from etl.octets import halves, words

HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TAIL = b"\xff\xff"
ROWS_AT_ONCE = 4096  # rows whose bytes stay in the processor's cache while column after column is written
PG_EPOCH_US = 946_684_800_000_000  # 2000-01-01 in microseconds since 1970


@dataclass(frozen=True)
class Column:
    """One field of every row, nulls marked: values of `width` bytes each, or, with width −1, bytes at `offsets`;
    `prefix` is a byte in front of each value (jsonb's version), −1: none."""

    data: NDArray[np.uint8]
    null: NDArray[np.bool_]
    width: int = -1
    offsets: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    prefix: int = -1

    @property
    def empty(self) -> bool:
        """Whether no row has a value."""
        return bool(self.null.all())


def fixed(values: NDArray[np.generic], kind: str, null: NDArray[np.bool_] | None = None) -> Column:
    """A column of numbers; `kind` is a numpy type in network order: `>i2`, `>i4`, `>i8`, `u1`."""
    data = np.ascontiguousarray(values.astype(kind)).view(np.uint8)
    return Column(data, _nulls(null, len(values)), np.dtype(kind).itemsize)


def instants(us: NDArray[np.int64]) -> Column:
    """timestamptz from microseconds since 1970, NOT_A_TIME is null."""
    null = us == NOT_A_TIME
    return fixed(np.where(null, 0, us - PG_EPOCH_US), ">i8", null)


def texts(column: pa.StringArray) -> Column:
    """text from an Arrow string array."""
    offsets, data = text_buffers(column)
    null = np.asarray(column.is_null(), np.bool_) if column.null_count else np.zeros(len(column), np.bool_)
    return Column(data, null, offsets=offsets)


def jsons(column: pa.StringArray) -> Column:
    """jsonb from an Arrow string array of JSON."""
    return replace(texts(column), prefix=1)


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
    return Column(np.ascontiguousarray(data).reshape(-1), _nulls(null, n), width)


def constant(value: bytes, n: int) -> Column:
    """The same bytes in every row."""
    return records(np.broadcast_to(np.frombuffer(value, np.uint8), (n, len(value))))


def rows(columns: list[Column], n: int) -> NDArray[np.uint8]:
    """The COPY rows of n rows (without HEAD and TAIL).

    >>> rows([fixed(np.array([7]), ">i2")], 1).tobytes()
    b'\\x00\\x01\\x00\\x00\\x00\\x02\\x00\\x07'
    """
    at = np.concatenate(([0], np.cumsum(_sizes(columns, n))))
    out = np.empty(int(at[-1]), np.uint8)
    target = (out, words(out), halves(out), at[:-1].copy())
    kernels.put_count(out, target[3], len(columns))
    sources = [(column, words(column.data)) for column in columns]
    for begin in range(0, n, ROWS_AT_ONCE):
        end = min(begin + ROWS_AT_ONCE, n)
        for c, data_words in sources:
            if c.width >= 0:
                kernels.put_fixed(*target, c.data, data_words, c.width, c.null, begin, end)
            else:
                kernels.put_texts(*target, c.data, data_words, c.offsets, c.null, c.prefix, begin, end)
    return out


def _sizes(columns: list[Column], n: int) -> NDArray[np.int64]:
    """Bytes of every row."""
    sizes = np.full(n, 2, np.int64)
    for column in columns:
        if column.width >= 0:
            kernels.add_fixed_sizes(sizes, column.width, column.null)
        else:
            kernels.add_text_sizes(sizes, column.offsets, column.null, 1 if column.prefix >= 0 else 0)
    return sizes


def hashes(columns: list[Column], n: int) -> NDArray[np.uint64]:
    """n × 2 unsigned integers over the values of each row; null differs from empty.

    >>> a = hashes([texts(pa.array(["x", "x", "y"]))], 3)
    >>> bool((a[0] == a[1]).all()), bool((a[0] == a[2]).all())
    (True, False)
    """
    state = np.empty((n, 2), np.uint64)
    state[:, 0], state[:, 1] = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F
    used = [(number, c, words(c.data)) for number, c in enumerate(columns) if not c.empty]
    for begin in range(0, n, ROWS_AT_ONCE):
        end = min(begin + ROWS_AT_ONCE, n)
        for number, c, data_words in used:
            if c.width >= 0:
                kernels.hash_fixed(state, c.data, data_words, c.width, c.null, number, begin, end)
            else:
                kernels.hash_texts(state, c.data, data_words, c.offsets, c.null, number, begin, end)
    return state


def hash_bytes(state: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """The hashes as n × 16 bytes in network order."""
    return np.ascontiguousarray(state.astype(">u8")).view(np.uint8).reshape(len(state), 16)


def warm() -> None:
    """Compiles every kernel once for each shape of column (they stay cached on disk), so that no load waits for it."""
    given = [fixed(np.array([1]), ">i8"), texts(pa.array(["x"])), jsons(pa.array(["{}"])), constant(b"x", 1)]
    given += [points(np.array([1.0]), np.array([2.0])), blobs(pa.array([b"x"]))]
    rows(given, 1)
    hashes(given, 1)


def _nulls(null: NDArray[np.bool_] | None, n: int) -> NDArray[np.bool_]:
    return np.zeros(n, np.bool_) if null is None else np.asarray(null, np.bool_)

"""Compiled loops of `etl.copying`: rows laid out field after field, and hashed, without the interpreter's lock.

A column is `data` with `offsets` (n + 1) or, where every value has the same `width`, without them; `null` rows have no
value. `words` and `halves` are the overlapping views of `etl.octets`.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Longs = NDArray[np.int64]
Ints = NDArray[np.int32]
Words = NDArray[np.uint64]
Halves = NDArray[np.uint32]
Flags = NDArray[np.bool_]

NULL = np.uint32(0xFFFFFFFF)  # a length of −1
M1, M2, SHIFT = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB), np.uint64(29)
HALF, BITS, ONE = np.uint64(32), np.uint64(8), np.uint64(1)


# ── Rows ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@njit(cache=True, nogil=True)
def add_fixed_sizes(sizes: Longs, width: int, null: Flags) -> None:
    """Bytes that a column of equally long values adds to each row."""
    for i in range(len(sizes)):
        sizes[i] += 4 if null[i] else 4 + width


@njit(cache=True, nogil=True)
def add_text_sizes(sizes: Longs, offsets: Ints, null: Flags, extra: int) -> None:
    """The same for values of any length, with `extra` bytes before each."""
    for i in range(len(sizes)):
        sizes[i] += 4 if null[i] else 4 + extra + offsets[i + 1] - offsets[i]


@njit(cache=True, nogil=True)
def put_count(out: Bytes, cursor: Longs, count: int) -> None:
    """Every row begins with the number of its fields."""
    for i in range(len(cursor)):
        out[cursor[i]] = count >> 8
        out[cursor[i] + 1] = count & 255
        cursor[i] += 2


@njit(inline="always")
def _network(size: int) -> np.uint32:
    """A length in network order."""
    return np.uint32(
        ((size & 0xFF) << 24) | ((size & 0xFF00) << 8) | ((size >> 8) & 0xFF00) | ((size >> 24) & 0xFF)
    )


@njit(inline="always")
def _copy(
    out: Bytes, out_words: Words, at: int, data: Bytes, data_words: Words, start: int, size: int
) -> None:
    """`size` bytes, by words; the last word overlaps the one before, so that nothing beyond the value is written."""
    if size >= 8:
        k = 0
        while k + 8 <= size:
            out_words[np.uint64(at + k)] = data_words[np.uint64(start + k)]
            k += 8
        out_words[np.uint64(at + size - 8)] = data_words[np.uint64(start + size - 8)]
    else:
        for k in range(size):
            out[np.uint64(at + k)] = data[np.uint64(start + k)]


@njit(cache=True, nogil=True)
def put_fixed(
    out: Bytes,
    out_words: Words,
    out_halves: Halves,
    cursor: Longs,
    data: Bytes,
    data_words: Words,
    width: int,
    null: Flags,
    begin: int,
    end: int,
) -> None:
    """The values of one column into rows `begin` to `end`."""
    length = _network(width)
    for i in range(begin, end):
        at = cursor[i]
        if null[i]:
            out_halves[np.uint64(at)] = NULL
            cursor[i] = at + 4
            continue
        out_halves[np.uint64(at)] = length
        _copy(out, out_words, at + 4, data, data_words, i * width, width)
        cursor[i] = at + 4 + width


@njit(cache=True, nogil=True)
def put_texts(
    out: Bytes,
    out_words: Words,
    out_halves: Halves,
    cursor: Longs,
    data: Bytes,
    data_words: Words,
    offsets: Ints,
    null: Flags,
    prefix: int,
    begin: int,
    end: int,
) -> None:
    """The same for values of any length; a `prefix` byte (not −1) stands before each."""
    for i in range(begin, end):
        at = cursor[i]
        if null[i]:
            out_halves[np.uint64(at)] = NULL
            cursor[i] = at + 4
            continue
        size = offsets[i + 1] - offsets[i]
        if prefix >= 0:
            out_halves[np.uint64(at)] = _network(size + 1)
            out[np.uint64(at + 4)] = prefix
            at += 5
        else:
            out_halves[np.uint64(at)] = _network(size)
            at += 4
        _copy(out, out_words, at, data, data_words, offsets[i], size)
        cursor[i] = at + size


# ── Hashes ──────────────────────────────────────────────────────────────────────────────────────────────────────────
#
# Two lanes of multiply-xorshift over 8-byte words (constants of splitmix64, Steele, Lea and Flood 2014). The column's
# number and the value's length go in first, so that a null (nothing at all) differs from an empty value and a value
# does not slip from one column into the next.


@njit(inline="always")
def _last(data: Bytes, data_words: Words, at: int, size: int) -> np.uint64:
    """The last `size` < 8 bytes of a value as one word, zeros behind."""
    if at + 8 <= len(data):
        return np.uint64(data_words[np.uint64(at)] & ((ONE << (BITS * np.uint64(size))) - ONE))
    word = np.uint64(0)
    for j in range(size):
        word |= np.uint64(data[np.uint64(at + j)]) << (BITS * np.uint64(j))
    return word


@njit(inline="always")
def _mix(
    a: np.uint64, b: np.uint64, data: Bytes, data_words: Words, at: int, size: int, number: int
) -> tuple[np.uint64, np.uint64]:
    word = np.uint64((number + 1) << 40) + np.uint64(size)
    a = (a ^ word) * M1
    a ^= a >> SHIFT
    b = (b + word) * M2
    b ^= b >> SHIFT
    end = at + size
    while at < end:
        word = (
            np.uint64(data_words[np.uint64(at)]) if at + 8 <= end else _last(data, data_words, at, end - at)
        )
        a = (a ^ word) * M1
        a ^= a >> SHIFT
        b = (b + (word ^ (a >> HALF))) * M2
        b ^= b >> SHIFT
        at += 8
    return a, b


@njit(cache=True, nogil=True)
def hash_fixed(
    state: NDArray[np.uint64],
    data: Bytes,
    data_words: Words,
    width: int,
    null: Flags,
    number: int,
    begin: int,
    end: int,
) -> None:
    """Mix a column of equally long values into rows `begin` to `end` of n × 2 states."""
    for i in range(begin, end):
        if not null[i]:
            state[i, 0], state[i, 1] = _mix(
                state[i, 0], state[i, 1], data, data_words, i * width, width, number
            )


@njit(cache=True, nogil=True)
def hash_texts(
    state: NDArray[np.uint64],
    data: Bytes,
    data_words: Words,
    offsets: Ints,
    null: Flags,
    number: int,
    begin: int,
    end: int,
) -> None:
    """The same for values of any length."""
    for i in range(begin, end):
        if not null[i]:
            size = offsets[i + 1] - offsets[i]
            state[i, 0], state[i, 1] = _mix(
                state[i, 0], state[i, 1], data, data_words, offsets[i], size, number
            )

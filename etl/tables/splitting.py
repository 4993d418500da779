"""Well-formed delimited text taken apart by compiled loops: where every field begins and ends, then column by column.

`split` accepts only what cannot be read in two ways: quotes that open and close whole fields (doubled inside), carriage
returns only before line feeds, the same number of fields in every row. Anything else is left to the line parser.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numba import njit, uint64
from numpy.typing import NDArray

from etl.octets import WORD, words

LF, CR, QUOTE = 10, 13, 34
ROWS_AT_ONCE = 2048  # whose bytes stay in the processor's cache while column after column is copied
ODD = -1  # what `_scan` answers when the text is not plainly well formed

Bytes = NDArray[np.uint8]
Words = NDArray[np.uint64]
Ints = NDArray[np.int32]


class Split:
    """The rows of a block: `numbers` of their first lines (from 0), bytes `used`, and `lines` in those bytes."""

    def __init__(
        self, data: Bytes, starts: Ints, ends: Ints, numbers: NDArray[np.int64], used: int, lines: int
    ) -> None:
        self._data, self._starts, self._ends = data, starts, ends
        self.numbers, self.used, self.lines = numbers, used, lines

    def columns(self) -> list[pa.StringArray]:
        """The fields as Arrow strings, empty ones null; raises `pa.ArrowInvalid` when a text is no UTF-8."""
        columns, n = self._starts.shape
        offsets = np.empty((columns, n + 1), np.int32)
        valid = np.zeros((columns, (n + 7) // 8), np.uint8)
        nulls = np.empty(columns, np.int64)
        for at in range(columns):
            nulls[at] = _measure(self._data, self._starts[at], self._ends[at], offsets[at], valid[at])
        bases = np.concatenate(([0], np.cumsum(offsets[:, -1].astype(np.int64) + WORD)))
        out = np.empty(int(bases[-1]), np.uint8)
        for begin in range(0, n, ROWS_AT_ONCE):
            end = min(begin + ROWS_AT_ONCE, n)
            _gather(
                self._data,
                words(self._data),
                self._starts,
                self._ends,
                offsets,
                bases,
                out,
                words(out),
                begin,
                end,
            )
        plain = not _has_high(self._data[: self.used])
        found = []
        for at in range(columns):
            text = pa.py_buffer(out[bases[at] : bases[at + 1]])
            bits = pa.py_buffer(valid[at]) if nulls[at] else None
            found.append(
                pa.StringArray.from_buffers(n, pa.py_buffer(offsets[at]), text, bits, int(nulls[at]))
            )
            if not plain:
                found[-1].validate(full=True)
        return found


def split(block: Bytes, columns: int, delimiter: int, *, most_lines: int, most_bytes: int) -> Split | None:
    """The rows of a block that ends with a line feed (a row that does not is not `used`), or None when the line parser
    must look: a row of another number of fields, more than `most_lines` lines or `most_bytes` bytes, or an odd quote.

    >>> found = split(np.frombuffer(b'1,"a,""b"\\n\\n2,\\n', np.uint8), 2, ord(","), most_lines=9, most_bytes=99)
    >>> [column.to_pylist() for column in found.columns()], found.numbers.tolist()
    ([['1', '2'], ['a,"b', None]], [0, 2])
    """
    most_rows = min(
        int(np.count_nonzero(block == LF)), len(block) // columns
    )  # a row has a byte for each field
    starts, ends = np.empty((columns, most_rows), np.int32), np.empty((columns, most_rows), np.int32)
    numbers = np.empty(most_rows, np.int64)
    rows, used, lines = _scan(block, delimiter, starts, ends, numbers, most_lines, most_bytes)
    if rows == ODD:
        return None
    return Split(block, starts[:, :rows], ends[:, :rows], numbers[:rows], used, lines)


# A field's start is its first byte without the quote; a quoted field that holds doubled quotes has its end negative.


@njit(cache=True, nogil=True)
def _scan(
    data: Bytes,
    delimiter: int,
    starts: NDArray[np.int32],
    ends: NDArray[np.int32],
    numbers: NDArray[np.int64],
    most_lines: int,
    most_bytes: int,
) -> tuple[int, int, int]:
    """(rows, bytes used, lines used), or ODD."""
    size, columns = len(data), len(starts)
    row = at = used = line = used_lines = 0
    while at < size:
        begin, first_line = at, line
        if data[at] == LF or (data[at] == CR and at + 1 < size and data[at + 1] == LF):  # an empty line
            at += 1 if data[at] == LF else 2
            line += 1
            used, used_lines = at, line
            continue
        column = 0
        while True:  # one field after the other, to the end of the row
            if column == columns:
                return ODD, 0, 0
            if at < size and data[at] == QUOTE:
                at += 1
                start, doubled, closed = at, False, False
                while at < size:
                    byte = data[at]
                    if byte == QUOTE:
                        if at + 1 < size and data[at + 1] == QUOTE:
                            doubled = True
                            at += 2
                            continue
                        closed = True
                        break
                    if byte == LF:
                        line += 1
                    elif byte == CR and (at + 1 == size or data[at + 1] != LF):
                        return ODD, 0, 0
                    at += 1
                if not closed:  # the block ends inside the field
                    return _rest(row, used, used_lines, size, most_bytes)
                end = at
                at += 1
            else:
                start, doubled = at, False
                while at < size and data[at] != delimiter and data[at] != LF and data[at] != CR:
                    if data[at] == QUOTE:
                        return ODD, 0, 0
                    at += 1
                end = at
            if at == size:
                return _rest(row, used, used_lines, size, most_bytes)
            starts[column, row], ends[column, row] = start, -end if doubled else end
            column += 1
            byte = data[at]
            at += 1
            if byte == delimiter:
                continue
            if byte == CR:
                if at == size or data[at] != LF:
                    return ODD, 0, 0
                at += 1
            elif byte != LF:
                return ODD, 0, 0
            line += 1
            break
        if column != columns or line - first_line > most_lines or at - begin > most_bytes:
            return ODD, 0, 0
        numbers[row] = first_line
        row += 1
        used, used_lines = at, line
    return row, used, used_lines


@njit(inline="always")
def _rest(row: int, used: int, lines: int, size: int, most_bytes: int) -> tuple[int, int, int]:
    """What is left over belongs to the next block, unless it is too long for a row."""
    if size - used > most_bytes:
        return ODD, 0, 0
    return row, used, lines


@njit(cache=True, nogil=True)
def _measure(data: Bytes, starts: Ints, ends: Ints, offsets: Ints, valid: Bytes) -> int:
    """Fills offsets and validity bits; returns how many are empty."""
    total = nulls = 0
    for i in range(len(starts)):
        offsets[i] = total
        start, end = starts[i], ends[i]
        size = end - start
        if end < 0:  # every doubled quote is one
            size = -end - start
            k = start
            while k < -end:
                if data[k] == QUOTE:
                    size -= 1
                    k += 1
                k += 1
        if size:
            valid[i >> 3] |= 1 << (i & 7)
        else:
            nulls += 1
        total += size
    offsets[len(starts)] = total
    return nulls


@njit(cache=True, nogil=True)
def _gather(
    data: Bytes,
    data_words: Words,
    starts: NDArray[np.int32],
    ends: NDArray[np.int32],
    offsets: NDArray[np.int32],
    bases: NDArray[np.int64],
    out: Bytes,
    out_words: Words,
    begin: int,
    stop: int,
) -> None:
    """Copies the fields of some rows, column by column, behind those before; every column has a word to spare, as words
    may write past a field."""
    last_word = len(data_words)
    for column in range(len(starts)):
        for i in range(begin, stop):
            at, start, end = bases[column] + offsets[column, i], starts[column, i], ends[column, i]
            if end >= 0 and end <= last_word:
                for k in range(0, end - start, 8):
                    out_words[uint64(at + k)] = data_words[uint64(start + k)]
            elif end >= 0:
                for k in range(end - start):
                    out[at + k] = data[start + k]
            else:
                k = start
                while k < -end:
                    out[at] = data[k]
                    at += 1
                    k += 2 if data[k] == QUOTE else 1


@njit(cache=True, nogil=True)
def _has_high(data: Bytes) -> bool:
    """Whether any byte lies beyond ASCII."""
    seen = np.uint8(0)
    for i in range(len(data)):
        seen |= data[i]
    return bool(seen >= 128)


def warm() -> None:
    """Compiles the loops once (they stay cached on disk), so that no load waits for it."""
    found = split(np.frombuffer(b'1,"a"\n', np.uint8), 2, ord(","), most_lines=9, most_bytes=99)
    assert found is not None
    found.columns()

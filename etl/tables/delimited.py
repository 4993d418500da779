"""Delimited text (CSV, TSV, semicolons) as batches of Arrow string columns with physical line numbers.

Two parsers, one answer. Blocks of well-formed text are split by compiled loops (`splitting`); a block with anything odd
(stray quotes, wrong column count, bytes that are no UTF-8 …) is parsed again, strictly and line by line, so that every
bad row is named by its physical line and its neighbours survive. A record never swallows the lines after it: one that
does not close within RECORD_LINES lines is rejected by its first line and reading goes on at the next.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Generator, Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from etl.rejects import Reject
from etl.tables.splitting import split
from etl.tables.table import RawBatch
from geo.errors import RefusedFile

BLOCK_BYTES = 16 << 20
PIECE_BYTES = 128 << 10  # of a block that is not well formed
RECORD_LINES = 200
RECORD_BYTES = 8 << 20  # a record (one row) of more bytes is rejected
COLUMNS = 2000
DELIMITERS = ",\t;|"
LF = 10


def split_header(line: str, delimiter: str) -> list[str]:
    """The names in a header line.

    >>> split_header('id,"a,b", lon', ",")
    ['id', 'a,b', 'lon']
    """
    try:
        names = next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error as problem:
        raise RefusedFile(
            "表头行的引号没有闭合。", "The header line has an unclosed quote.", code="quote-unclosed"
        ) from problem
    if len(names) > COLUMNS:
        raise RefusedFile(
            f"表头有 {len(names)} 列，最多 {COLUMNS} 列。",
            f"The header has {len(names)} columns; at most {COLUMNS} columns are read.",
            code="column-count",
        )
    return [name.strip().lstrip("\ufeff") for name in names]


def sniff_delimiter(line: str) -> str:
    """The delimiter of a header line: the one that splits it most, outside quotes.

    >>> sniff_delimiter("编号;经度;纬度"), sniff_delimiter("id,lon,lat")
    (';', ',')
    """
    outside = "".join(line.split('"')[::2])
    return max(DELIMITERS, key=lambda d: (outside.count(d), -DELIMITERS.index(d)))


def blocks(chunks: Iterable[bytes]) -> Generator[tuple[bytes, bool], int | None, None]:
    """Whole lines of about BLOCK_BYTES; the second value is true for the last block. Sent-back bytes go in front.

    A generator: `send(n)` after a block says that its last n bytes belong to the next one.
    """
    held: list[bytes] = []
    size = 0
    for chunk in chunks:
        held.append(chunk)
        size += len(chunk)
        if size < BLOCK_BYTES:
            continue
        buffer = b"".join(held)
        cut = buffer.rfind(b"\n") + 1
        if cut == 0:
            if size > 4 * BLOCK_BYTES:
                raise RefusedFile(
                    "有一行超过 64 MB，不是表格文本。",
                    "One line is longer than 64 MB: this is not a table.",
                    code="file-type",
                )
            held = [buffer]
            continue
        back = (yield buffer[:cut], False) or 0
        held = [buffer[cut - back :]]
        size = len(held[0])
    yield b"".join(held), True


def batches(
    chunks: Iterable[bytes],
    header: Sequence[str],
    delimiter: str,
    *,
    first_line: int = 2,
    strict: bool = False,
) -> Iterator[RawBatch]:
    """Batches of rows from UTF-8 chunks that begin on physical line `first_line`, after the header.

    `strict` forces the line parser everywhere (the answer is the same; tests compare the two).
    """
    line = first_line
    feed = blocks(chunks)
    back: int | None = None
    while True:
        try:
            block, last = feed.send(back) if back is not None else next(feed)
        except StopIteration:
            return
        parts, used, lines = _parse(block, header, delimiter, line, last, strict)
        line += lines
        back = max(len(block) - used, 0)
        batch = _joined(parts, header)
        if len(batch.rows) or batch.rejects:
            yield batch


def _parse(
    block: bytes, header: Sequence[str], delimiter: str, line: int, last: bool, strict: bool
) -> tuple[list[RawBatch], int, int]:
    """(batches, bytes used, lines used) of a block: as a whole when it is well formed, else piece by piece, so that only
    the pieces with something odd are read line by line."""
    whole = None if strict else _parse_fast(block, header, delimiter, line, last)
    if whole is not None:
        return [whole[0]], whole[1], whole[2]
    parts: list[RawBatch] = []
    used = lines = 0
    end = 0
    while end < len(block):
        end = block.find(b"\n", max(end, used + PIECE_BYTES)) + 1 or len(block)
        piece, final = block[used:end], last and end == len(block)
        found = None if strict else _parse_fast(piece, header, delimiter, line + lines, final)
        batch, got, count = found or _parse_strict(piece, header, delimiter, line + lines, final)
        parts.append(batch)
        used, lines = used + min(got, len(piece)), lines + count
    return parts, used, lines


def _joined(parts: list[RawBatch], header: Sequence[str]) -> RawBatch:
    """The batches of one block as one."""
    if len(parts) == 1:
        return parts[0]
    table = pa.concat_tables([part.table for part in parts]) if parts else _table([], header)
    rows = np.concatenate([part.rows for part in parts]) if parts else np.empty(0, np.int64)
    return RawBatch(table.combine_chunks(), rows, [reject for part in parts for reject in part.rejects])


# ── Fast: well-formed blocks ────────────────────────────────────────────────────────────────────────────────────────


def _parse_fast(
    block: bytes, header: Sequence[str], delimiter: str, line: int, last: bool
) -> tuple[RawBatch, int, int] | None:
    """(batch, bytes used, lines used), or None when the block is not plainly well formed."""
    if not block:
        return RawBatch(_table([], header), np.empty(0, np.int64)), 0, 0
    size = len(block)
    if block[-1] != LF:
        block += b"\n"
    found = split(
        np.frombuffer(block, np.uint8),
        len(header),
        ord(delimiter),
        most_lines=RECORD_LINES,
        most_bytes=RECORD_BYTES,
    )
    if found is None or not found.used or (last and found.used < len(block)):
        return None
    try:
        table = pa.table(found.columns(), names=list(header))
    except pa.ArrowInvalid:  # a field that is no UTF-8
        return None
    return RawBatch(table, line + found.numbers), min(found.used, size), found.lines


# ── Strict: line by line ────────────────────────────────────────────────────────────────────────────────────────────


def _parse_strict(
    block: bytes, header: Sequence[str], delimiter: str, line: int, last: bool
) -> tuple[RawBatch, int, int]:
    """(batch, bytes used, lines used); an unfinished record at the end of a block that is not the last is left over."""
    physical = block.split(b"\n")
    if physical and physical[-1] == b"":
        physical.pop()
    records: list[list[str]] = []
    numbers: list[int] = []
    rejects: list[Reject] = []
    at = used = 0
    while at < len(physical):
        if not physical[at].rstrip(b"\r"):
            used += len(physical[at]) + 1
            at += 1
            continue
        found, span, reject = _record(physical, at, delimiter, line + at, last)
        if found is None and reject is None:
            break
        if found is not None and len(found) != len(header):
            reject = _wrong_count(line + at, len(header), len(found), physical[at])
        if reject is not None:
            rejects.append(reject)
            span = 1 if found is None else span
        elif found is not None:
            records.append(found)
            numbers.append(line + at)
        used += sum(len(text) + 1 for text in physical[at : at + span])
        at += span
    return RawBatch(_table(records, header), np.array(numbers, np.int64), rejects), min(used, len(block)), at


def _record(
    physical: list[bytes], at: int, delimiter: str, number: int, last: bool
) -> tuple[list[str] | None, int, Reject | None]:
    """(fields, lines, None), (None, 1, reject), or three times nothing when the block ends inside the record."""
    size = 0
    parts: list[str] = []
    for span in range(1, RECORD_LINES + 1):
        if at + span > len(physical):
            return (None, 1, _unclosed(number)) if last else (None, 0, None)
        raw = physical[at + span - 1]
        size += len(raw) + 1
        if size > RECORD_BYTES:
            return None, 1, _too_long(number)
        try:
            parts.append(raw.decode("utf-8"))
        except UnicodeDecodeError as problem:
            return None, 1, _undecodable(number, raw, problem)
        if span > 1 and b'"' not in raw:
            continue
        try:
            text = "\n".join(parts)
            fields = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
        except csv.Error as problem:
            if "unexpected end of data" not in str(problem):
                return None, 1, _unclosed(number)
        else:
            return fields, span, None
    return None, 1, _unclosed(number)


def _table(records: list[list[str]], header: Sequence[str]) -> pa.Table:
    columns = list(zip(*records, strict=True)) if records else [() for _ in header]
    arrays = [pa.array([value or None for value in column], pa.string()) for column in columns]
    return pa.table(arrays, names=list(header))


def _wrong_count(number: int, expected: int, got: int, raw: bytes) -> Reject:
    return Reject(
        number,
        "column-count",
        f"应有 {expected} 列，实际 {got} 列",
        f"expected {expected} columns, got {got}",
        value=_shown(raw) if got <= 1 else None,
        do_zh="检查这一行的分隔符与引号",
        do_en="check the delimiters and quotes of this line",
    )


def _unclosed(number: int) -> Reject:
    return Reject(
        number,
        "quote-unclosed",
        "引号没有正确闭合；后面的行不受影响",
        "a quote is not closed properly; the lines after it are read on their own",
        do_zh="把字段里的引号写成两个，或补上缺少的引号",
        do_en="double the quotes inside the field or add the missing one",
    )


def _too_long(number: int) -> Reject:
    return Reject(
        number,
        "field-too-long",
        f"一行超过 {RECORD_BYTES >> 20} MB",
        f"one row of more than {RECORD_BYTES >> 20} MB",
    )


def _undecodable(number: int, raw: bytes, problem: UnicodeDecodeError) -> Reject:
    return Reject(
        number,
        "encoding",
        f"第 {problem.start + 1} 个字节不是 UTF-8 编码",
        f"byte {problem.start + 1} of the line is no UTF-8 encoding",
        do_zh="把文件整体保存为 UTF-8",
        do_en="save the whole file as UTF-8",
    )


def _shown(raw: bytes) -> str:
    return raw[:200].decode("utf-8", "replace").replace("\ufffd", "?")[:80]

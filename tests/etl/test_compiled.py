"""Compiled loops against their clear versions: rows and hashes in plain Python, times in NumPy, text looks by value."""

from __future__ import annotations

import datetime as dt
import re
import struct
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl import copying, octets
from etl.cleaning import string_kernels, strings, times
from etl.cleaning.distinct import each_once
from etl.tables import splitting

TEXT = st.text(max_size=40) | st.text(alphabet="ab", max_size=9)
ROW = st.tuples(
    st.none() | TEXT,
    st.none() | st.integers(-(2**62), 2**62),
    st.none() | TEXT,
    st.integers(-(2**15), 2**15 - 1),
    st.none() | st.tuples(st.floats(-180, 180), st.floats(-90, 90)),
)


def as_columns(rows: list[tuple[object, ...]]) -> list[copying.Column]:
    a, us, b, small, points = zip(*rows, strict=True)
    instants = np.array([times.NOT_A_TIME if v is None else v for v in us], np.int64)
    lon, lat = (np.array([np.nan if p is None else p[i] for p in points]) for i in (0, 1))
    return [
        copying.texts(pa.array(a, pa.string())),
        copying.instants(instants),
        copying.jsons(pa.array(b, pa.string())),
        copying.fixed(np.array(small), ">i2"),
        copying.points(lon, lat),
    ]


def as_values(row: tuple[Any, ...]) -> list[tuple[bytes, bytes] | None]:
    """(value, prefix) of each field."""
    a, us, b, small, point = row
    ewkb = None if point is None else struct.pack("<BIIdd", 1, 0x20000001, 4326, *point)
    when = None if us is None else struct.pack(">q", us - copying.PG_EPOCH_US)
    values = [None if a is None else a.encode(), when, None if b is None else b.encode()]
    values += [struct.pack(">h", small), ewkb]
    return [None if v is None else (v, b"\1" if i == 2 else b"") for i, v in enumerate(values)]


def clear_row(row: tuple[object, ...]) -> bytes:
    out = struct.pack(">h", len(row))
    for field in as_values(row):
        out += (
            b"\xff" * 4
            if field is None
            else struct.pack(">i", len(field[0]) + len(field[1])) + field[1] + field[0]
        )
    return out


def clear_hash(row: tuple[object, ...]) -> tuple[int, int]:
    a, b, mask = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 2**64 - 1
    for number, field in enumerate(as_values(row)):
        if field is None:
            continue
        value = field[0]
        words = [int.from_bytes(value[i : i + 8], "little") for i in range(0, len(value), 8)]
        for at, word in enumerate([((number + 1) << 40) + len(value), *words]):
            a = ((a ^ word) * 0xBF58476D1CE4E5B9) & mask
            a ^= a >> 29
            b = ((b + (word if at == 0 else word ^ (a >> 32))) * 0x94D049BB133111EB) & mask
            b ^= b >> 29
    return a, b


@settings(max_examples=150, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=20))
def test_rows_and_hashes_equal_the_clear_version(rows: list[tuple[object, ...]]) -> None:
    columns = as_columns(rows)
    assert copying.rows(columns, len(rows)).tobytes() == b"".join(map(clear_row, rows))
    assert [tuple(map(int, pair)) for pair in copying.hashes(columns, len(rows))] == [
        clear_hash(row) for row in rows
    ]


def test_rows_longer_than_what_is_written_at_once() -> None:
    n = copying.ROWS_AT_ONCE * 2 + 3
    rows = [(f"名{i}" * (i % 7), i, None if i % 3 else "{}", i % 99, None) for i in range(n)]
    columns = as_columns(rows)
    assert copying.rows(columns, n).tobytes() == b"".join(map(clear_row, rows))
    assert copying.hashes(columns, n)[-1].tolist() == list(clear_hash(rows[-1]))


def test_a_column_of_slices_reads_its_own_part() -> None:
    column = pa.array(["one", "two", None, "three and more than eight"]).slice(1)
    assert copying.rows([copying.texts(column)], 3).tobytes()[2:9] == struct.pack(">i", 3) + b"two"


@pytest.mark.parametrize("size", range(12))
def test_words_overlap_and_end_with_the_buffer(size: int) -> None:
    data = np.arange(size, dtype=np.uint8)
    found = octets.words(data)
    assert found.tolist() == [int.from_bytes(data[i : i + 8].tobytes(), "little") for i in range(size - 7)]
    assert len(octets.halves(data)) == max(0, size - 3)


MOMENT = st.datetimes(dt.datetime(1890, 1, 1), dt.datetime(2210, 1, 1))
FORMATS = (
    "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S.%fZ", "%Y/%m/%d %H:%M", "%Y-%m-%d", "%Y年%m月%d日 %H:%M:%S",
    "%Y-%m-%d %I:%M:%S %p", "%Y-%m-%dT%H:%M:%S+08:00", "%Y-%m-%dT%H:%M:%S-05:30", "%m/%d/%Y %H:%M:%S", "%Y%m%d%H%M%S",
)  # fmt: skip


@st.composite
def clock_texts(draw: st.DrawFn) -> str | None:
    """A time as somebody wrote it, now and then with a wrong character or number."""
    text = draw(MOMENT).strftime(draw(st.sampled_from(FORMATS)))
    what = draw(st.integers(0, 9))
    if what == 0:
        return None
    if what == 1:
        at = draw(st.integers(0, len(text) - 1))
        return text[:at] + draw(st.sampled_from("0139 -:/aZ年")) + text[at + 1 :]
    if what == 2:
        return re.sub(r"(\D)0[1-9](\D)", r"\g<1>39\2", text, count=1)
    return text


@settings(max_examples=200, deadline=None)
@given(
    st.lists(clock_texts(), min_size=1, max_size=30),
    st.sampled_from(["Asia/Shanghai", "America/New_York"]),
    st.sampled_from([None, "day", "month"]),
)
def test_compiled_times_equal_the_clear_version(
    texts: list[str | None], zone: str, order: str | None
) -> None:
    column = pa.array(texts, pa.string())
    fast = times.parse(column, zone, order=order)
    compiled, times.SHAPES_COMPILED = times.SHAPES_COMPILED, 0
    try:
        clear = times.parse(column, zone, order=order)
    finally:
        times.SHAPES_COMPILED = compiled
    for name in ("us", "problem", "moved", "twice"):
        assert getattr(fast, name).tolist() == getattr(clear, name).tolist(), name
    assert fast.order == clear.order


@settings(max_examples=150, deadline=None)
@given(st.lists(st.none() | st.text(alphabet="a1.0 \t\n\x01\u3000é", max_size=6), max_size=12))
def test_looks_at_text_columns_equal_a_look_at_each_value(values: list[str | None]) -> None:
    column = pa.array(values, pa.string())
    known = [v for v in values if v is not None]
    offsets, data = strings.text_buffers(column)
    trimmed = strings.trimmed(column)
    assert trimmed.to_pylist() == [None if v is None or not v.strip() else v.strip() for v in values]
    assert strings.any_ends_with(column, b".0") == any(v.endswith(".0") for v in known)
    assert string_kernels.longest(offsets) == max((len(v.encode()) for v in known), default=0)
    assert string_kernels.has_control(data[: offsets[-1]]) == any("\x01" in v for v in known)
    few = each_once(column)
    words = few.values.to_pylist()
    assert sorted(words) == sorted(set(known)) and [None if i < 0 else words[i] for i in few.places] == values


def test_well_formed_text_is_split_without_the_line_parser() -> None:
    data = '1,"a,""b""",x\r\n\r\n2,"two\nlines",\n网,"",é\n'.encode()
    found = splitting.split(np.frombuffer(data, np.uint8), 3, ord(","), most_lines=9, most_bytes=99)
    assert found is not None and found.used == len(data) and found.lines == 5
    assert [column.to_pylist() for column in found.columns()] == [
        ["1", "2", "网"],
        ['a,"b"', "two\nlines", None],
        ["x", None, "é"],
    ]
    assert found.numbers.tolist() == [0, 2, 4]


@pytest.mark.parametrize(
    "text",
    ['a,b"c"\n', '"a"b,c\n', "a\n", "a,b,c\n", "a\rb,c\n", "a,b\r\r\n",
     '"a\rb",c\n', '"' + "a\n" * 9 + '",c\n', "x" * 99 + ",b\n"],
)  # fmt: skip
def test_what_is_odd_is_left_to_the_line_parser(text: str) -> None:
    data = np.frombuffer(text.encode(), np.uint8)
    assert splitting.split(data, 2, ord(","), most_lines=8, most_bytes=90) is None


def test_an_unfinished_row_belongs_to_the_next_block() -> None:
    data = np.frombuffer(b'1,2\n3,"4\n', np.uint8)
    found = splitting.split(data, 2, ord(","), most_lines=9, most_bytes=99)
    assert found is not None and found.used == 4 and found.numbers.tolist() == [0]


def test_bytes_that_are_no_text_are_refused_when_the_columns_are_built() -> None:
    found = splitting.split(np.frombuffer(b"1,\xff\n", np.uint8), 2, ord(","), most_lines=9, most_bytes=99)
    assert found is not None
    with pytest.raises(pa.ArrowInvalid):
        found.columns()

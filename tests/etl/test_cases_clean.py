"""Reading and cleaning: two parsers with one answer, times against Python's own, every row kept or rejected."""

from __future__ import annotations

import csv
import datetime as dt
import io
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.cases.batch import Rules
from etl.cases.clean import clean, now_us
from etl.cleaning import positions, times
from etl.cleaning.words import map_words
from etl.sources import detect
from etl.tables import RawBatch, delimited

HEADER = ["case_id", "opened_at", "lon", "lat", "description"]
CELL = st.text(alphabet=st.sampled_from(list("ab,\";\n\r\t 1é网'")), max_size=12)
LINE = st.text(alphabet=st.sampled_from(list('ab,"\r\t 1网')), max_size=30)


def parse(
    data: bytes, *, strict: bool, chunk: int = 1 << 20
) -> tuple[list[tuple[object, ...]], list[tuple[int, str]]]:
    parts = [data[i : i + chunk] for i in range(0, len(data), chunk)]
    rows: list[tuple[object, ...]] = []
    rejects: list[tuple[int, str]] = []
    for batch in delimited.batches(parts, HEADER, ",", strict=strict):
        values = zip(*(column.to_pylist() for column in batch.table.columns), strict=True)
        rows += [(int(n), *v) for n, v in zip(batch.rows, values, strict=True)]
        rejects += [(r.row, r.code) for r in batch.rejects]
    return rows, rejects


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(CELL, min_size=5, max_size=5), max_size=12), st.sampled_from(["\n", "\r\n"]))
def test_what_a_csv_writer_writes_is_read_the_same_by_both_parsers(table: list[list[str]], eol: str) -> None:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator=eol).writerows(table)
    data = buffer.getvalue().encode()
    fast, strict = parse(data, strict=False), parse(data, strict=True)
    assert fast == strict
    if not any("\r" in cell or "\n" in cell for row in table for cell in row):
        assert [row[1:] for row in fast[0]] == [tuple(cell or None for cell in row) for row in table]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(LINE, st.just('1,2,3,4,"x"'), st.just("1,2,3,4,5")), max_size=25), st.booleans())
def test_whatever_the_bytes_both_parsers_agree_and_lose_no_line(lines: list[str], ends: bool) -> None:
    data = ("\n".join(lines) + ("\n" if ends and lines else "")).encode()
    fast, strict = parse(data, strict=False), parse(data, strict=True)
    assert fast == strict
    named = {row[0] for row in fast[0]} | {row for row, _ in fast[1]}
    if '"' not in data.decode():
        physical = {i + 2 for i, line in enumerate(data.split(b"\n")) if line.rstrip(b"\r")}
        assert named == physical


def test_blocks_of_any_size_give_the_same_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f'{i},2025-03-01,1,2,"a\n{i}"' if i % 7 == 0 else f"{i},2025-03-01,1,2,b" for i in range(3000)]
    lines[1500] = 'x,"never closed'
    data = ("\n".join(lines) + "\n").encode()
    whole = parse(data, strict=True)
    assert len(whole[0]) == 2999 and len(whole[1]) == 1
    for size in (997, 4096, 20_000):
        monkeypatch.setattr(delimited, "BLOCK_BYTES", size)
        monkeypatch.setattr(delimited, "PIECE_BYTES", size // 3)
        assert parse(data, strict=False, chunk=size) == whole


MOMENTS = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2199, 12, 30)).map(
    lambda m: m.replace(microsecond=0)
)
ZONES = ("Asia/Shanghai", "America/New_York", "Asia/Kathmandu", "UTC")
FORMATS = {
    "%Y-%m-%d %H:%M:%S": None, "%Y-%m-%dT%H:%M:%S": None, "%Y/%m/%d %H:%M:%S": None, "%Y年%m月%d日 %H:%M:%S": None,
    "%d.%m.%Y %H:%M:%S": None, "%m/%d/%Y %I:%M:%S %p": "month", "%d/%m/%Y %H:%M:%S": "day", "%Y%m%d%H%M%S": None,
}  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(MOMENTS, min_size=1, max_size=8), st.sampled_from(ZONES), st.sampled_from(sorted(FORMATS)))
def test_times_equal_pythons(moments: list[dt.datetime], zone: str, pattern: str) -> None:
    texts = [m.strftime(pattern) if m.year >= 1000 else "" for m in moments]
    found = times.parse(pa.array(texts), zone, order=FORMATS[pattern])
    for moment, us, problem in zip(moments, found.us, found.problem, strict=True):
        assert problem == times.FINE
        truth = moment.replace(tzinfo=ZoneInfo(zone)).astimezone(dt.UTC)
        assert dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=int(us)) == truth


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2025-03-01T08:00:00+08:00", "2025-03-01T00:00:00"),
        ("2025-03-01T08:00:00.250Z", "2025-03-01T08:00:00.250000"),
        ("2015-01-01 03:50:33+00", "2015-01-01T03:50:33"),
        ("2025年3月1日8时5分", "2025-03-01T00:05:00"),
        ("2025-03-01", "2025-02-28T16:00:00"),
        ("2024-02-29 23:59:59", "2024-02-29T15:59:59"),
    ],
)
def test_times_in_many_dresses(text: str, utc: str) -> None:
    found = times.parse(pa.array([text]), "Asia/Shanghai")
    assert found.problem[0] == times.FINE
    assert np.datetime64(int(found.us[0]), "us") == np.datetime64(utc)


@pytest.mark.parametrize(
    "text",
    [
        "2025-02-30",
        "2023-02-29",
        "10000-01-01",
        "1899-12-31",
        "25-03-01",
        "2025-13-01",
        "2025-03-01 24:00:00",
        "44255",
        "x",
        "2025-03-01 08:60",
    ],
)
def test_what_is_no_time(text: str) -> None:
    assert times.parse(pa.array([text]), "UTC").problem[0] == times.INVALID


def test_a_skipped_hour_and_a_repeated_one_are_flagged_and_always_the_same() -> None:
    found = times.parse(
        pa.array(["1986-05-04 02:30:00", "1986-09-14 01:30:00", "1986-09-14 12:00:00"]), "Asia/Shanghai"
    )
    assert found.moved.tolist() == [True, False, False] and found.twice.tolist() == [False, True, False]
    assert np.datetime64(int(found.us[0]), "us") == np.datetime64("1986-05-03T18:30:00")
    assert np.datetime64(int(found.us[1]), "us") == np.datetime64("1986-09-13T16:30:00")


def test_the_whole_column_decides_day_and_month() -> None:
    column = pa.array(["03/04/2025", "13/04/2025", "05/05/2025"])
    alone = times.parse(column, "UTC")
    assert (
        alone.problem.tolist() == [times.AMBIGUOUS, times.FINE, times.FINE] and alone.order.decided == "day"
    )
    assert np.datetime64(int(times.parse(column, "UTC", order="day").us[0]), "us") == np.datetime64(
        "2025-04-03"
    )
    both = times.parse(pa.array(["13/04/2025", "04/13/2025", "03/04/2025"]), "UTC")
    assert both.order.decided is None and both.problem.tolist() == [0, 0, times.AMBIGUOUS]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(st.floats(-400, 400).map(str), st.text(max_size=8), st.none()), max_size=10))
def test_numbers_are_numbers_or_problems(values: list[str | None]) -> None:
    values = [None if v is None or not v.strip() or "\x00" in v else v.strip() for v in values]
    values = [v if v is None or v.isprintable() else None for v in values]
    column = pa.array(values, pa.string())
    found = positions.numbers(column, degrees=False)
    for value, number, problem in zip(values, found.values, found.problem, strict=True):
        if value is None:
            assert np.isnan(number) and problem == positions.FINE
        elif problem == positions.FINE:
            assert number == float(value)
        else:
            assert np.isnan(number)


def batch(**columns: list[str | None]) -> RawBatch:
    n = len(next(iter(columns.values())))
    table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
    return RawBatch(table, np.arange(2, n + 2))


def rules(raw: RawBatch, crs: str = "EPSG:4326") -> Rules:
    return Rules(
        detect(raw.table.column_names), "Asia/Shanghai", now_us(dt.datetime(2026, 1, 1, tzinfo=dt.UTC)), crs
    )


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.lists(
            st.one_of(
                st.none(), st.text(max_size=6), st.sampled_from(["2025-03-01", "121.4", "31.2", "0", "A1"])
            ),
            min_size=5,
            max_size=5,
        ),
        max_size=10,
    )
)
def test_every_row_is_kept_or_rejected(table: list[list[str | None]]) -> None:
    columns = {name: [row[i] or None for row in table] for i, name in enumerate(HEADER)}
    if not table:
        return
    raw = batch(**columns)
    found = clean(raw, rules(raw))
    assert len(found) + sum(found.rejected.values()) + found.seen.empty == len(table)
    assert len(found.rejects) == sum(found.rejected.values())
    with np.errstate(invalid="ignore"):
        assert not (np.abs(found.lat) > 90).any() and not (np.abs(found.lon) > 180).any()
    assert (found.opened != times.NOT_A_TIME).all() and found.id.null_count == 0


def test_words_dates_and_flags() -> None:
    raw = batch(
        工单编号=["1", "2", "3.0", "4"],
        受理时间=["2025-03-01 08:00:00"] * 4,
        办结时间=["2025-03-02 08:00:00", None, "2025-02-01 08:00:00", None],
        状态=["已办结", "处理中", "已办结", "作废"],
        满意度=["满意", "不满意", "未评价", None],
        紧急程度=["一般", "特急", None, "2"],
        问题来源=["12345热线", "网格员", "火星", None],
        经度=["121.4", "0", "121", None],
        纬度=["31.2", "0", "31", "31.2"],
    )
    found = clean(raw, rules(raw))
    assert found.id.to_pylist() == ["1", "2", "3", "4"]
    assert found.status.tolist() == [1, 0, 1, 2] and found.satisfied.tolist() == [1, 0, -1, -1]
    assert found.urgency.tolist() == [3, 1, -1, 2] and found.origin.tolist() == [1, 2, 4, 0]
    assert found.flags.tolist() == [0, 0, 1, 0] and found.closed[2] == times.NOT_A_TIME
    assert np.isnan(found.lon).tolist() == [False, True, True, True]
    assert found.seen.words["origin"] == {"火星"}


def test_shifted_and_projected_positions_become_wgs84() -> None:
    raw = batch(id=["1"], opened_at=["2025-03-01"], lon=["121.531542"], lat=["31.175304"])
    found = clean(raw, rules(raw, "gcj02"))
    assert abs(found.lon[0] - 121.5272106) < 1e-6 and abs(found.lat[0] - 31.1774276) < 1e-6
    feet = batch(id=["1", "2"], opened_at=["2025-03-01"] * 2, x=["1005536", "nan"], y=["241916", "1"])
    york = clean(feet, rules(feet, "EPSG:2263"))
    assert abs(york.lon[0] + 73.923082) < 1e-5 and abs(york.lat[0] - 40.830653) < 1e-5
    assert york.rejected == {"coordinate-not-finite": 1}


def test_a_word_is_looked_up_once() -> None:
    asked: list[str] = []

    def number(word: str) -> int:
        asked.append(word)
        return len(asked)

    map_words(pa.array(["a", "a", "b", None]), number, 0)
    assert asked == ["a", "b"]

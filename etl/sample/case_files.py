"""The case files: 热线 as UTF-8 CSV in WGS 84; 巡查 as an Excel workbook and GB18030 CSV in GCJ-02; dirty rows among the good.

Batches are written as they are drawn, so memory does not grow with the number of cases.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from etl.sample import catalogue, dirt, happenings, workbook
from etl.sample.catalogue import Catalogue
from etl.sample.city import City
from etl.sample.dirt import Account
from etl.sample.happenings import Batch
from etl.sample.sites import Sites
from geo import crs
from geo.progress import Progress, silent

SLICE_ROWS = 20_000  # dirty rows are strewn between slices of this many good ones
LATER_FILE = 50_000_000  # dirty rows of the second patrol file are numbered from here: none shares a number
TIMES = ("opened", "dispatched", "due", "closed")
SURNAMES = tuple("王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗")
URGENCY = ("一级", "二级", "三级", "四级")

HOTLINE = {
    "id": "工单编号",
    "opened": "受理时间",
    "dispatched": "派单时间",
    "due": "截止时间",
    "closed": "办结时间",
    "status": "状态",
    "top": "诉求大类",
    "sub": "诉求小类",
    "urgency": "紧急程度",
    "body": "承办单位",
    "satisfied": "满意度",
    "origin": "问题来源",
    "repeat": "重复工单编号",
    "text": "诉求内容",
    "lon": "经度",
    "lat": "纬度",
    "person": "诉求人",
    "phone": "联系电话",
    "note": "受理班次",
}
PATROL = {
    "id": "案卷编号",
    "opened": "上报时间",
    "dispatched": "派遣时间",
    "due": "处置截止时间",
    "closed": "结案时间",
    "status": "案件状态",
    "top": "大类",
    "sub": "小类",
    "urgency": "紧急程度",
    "body": "责任单位",
    "origin": "问题来源",
    "text": "问题描述",
    "lon": "经度",
    "lat": "纬度",
    "person": "上报人",
    "note": "天气",
}
WORDS = {
    "citizen": {"prefix": "RX", "origin": ("12345热线", "微信", "网络"), "note": ("早班", "中班", "晚班")},
    "patrol": {"prefix": "XC", "origin": ("网格员上报", "巡查", "视频监控"), "note": ("晴", "多云", "雨")},
}


@dataclass(frozen=True)
class CaseFile:
    """One written file: where, as what to load it, what must come out."""

    path: Path
    source: str
    crs: str
    encoding: str
    account: Account


def write(city: City, sites: dict[str, Sites], folder: Path, progress: Progress = silent) -> list[CaseFile]:
    """Every case file into `folder`."""
    wanted = happenings.per_origin(city.spec.cases)
    files = [_hotline(city, sites, folder, wanted["citizen"], progress)]
    files += _patrol(city, sites, folder, wanted["patrol"], progress)
    return [f for f in files if f.account.rows]


def _hotline(city: City, sites: dict[str, Sites], folder: Path, total: int, progress: Progress) -> CaseFile:
    path = folder / "synthetic_hotline_cases_utf8_wgs84.csv"
    account = Account()
    tables = (_table(b, HOTLINE, b.lonlat) for b in happenings.stream(city, sites, "citizen"))
    _write_csv(
        path, tables, HOTLINE, "utf-8", _dirty(city, total, "hotline"), account, _told(progress, total)
    )
    return CaseFile(path, "hotline", "EPSG:4326", "utf-8", account)


def _patrol(
    city: City, sites: dict[str, Sites], folder: Path, total: int, progress: Progress
) -> list[CaseFile]:
    """The first rows as a workbook, what does not fit as CSV in GB18030."""
    room = min(total, city.spec.workbook_rows)
    tables = (_table(b, PATROL, _gcj(b)) for b in happenings.stream(city, sites, "patrol"))
    head, rest = _divide(tables, room)
    book = CaseFile(folder / "synthetic_patrol_cases_gcj02.xlsx", "patrol", "gcj02", "xlsx", Account())
    if head:
        _write_book(
            book.path, pa.concat_tables(head), PATROL, _dirty(city, room, "patrol book"), book.account
        )
    more = CaseFile(
        folder / "synthetic_patrol_cases_gb18030_gcj02.csv", "patrol", "gcj02", "gb18030", Account()
    )
    if total > room:
        dirty = _dirty(city, total - room, "patrol")
        _write_csv(more.path, rest, PATROL, "gb18030", dirty, more.account, _told(progress, total - room))
    return [book, more]


def _divide(tables: Iterator[pa.Table], room: int) -> tuple[list[pa.Table], Iterator[pa.Table]]:
    """The first `room` rows, and an iterator over the others."""
    head: list[pa.Table] = []
    left, spare = room, None
    while left > 0 and (table := next(tables, None)) is not None:
        head.append(table.slice(0, left))
        spare = table.slice(left) if len(table) > left else None
        left -= len(head[-1])

    def rest() -> Iterator[pa.Table]:
        if spare is not None:
            yield spare
        yield from tables

    return head, rest()


def _told(progress: Progress, total: int) -> Any:
    return lambda done: progress("cases", done, total)


def _gcj(batch: Batch) -> Any:
    lon, lat = crs.wgs84_to_gcj02(batch.lonlat[:, 0], batch.lonlat[:, 1])
    return np.round(np.c_[lon, lat], 6)


# ── A batch as a table of text ──────────────────────────────────────────────────────────────────────────────────────


def _table(batch: Batch, columns: dict[str, str], lonlat: Any) -> pa.Table:
    """A batch as the file's columns; times are timestamps without zone, the rest text and numbers."""
    book, n = catalogue.read(), len(batch)
    words: dict[str, Any] = WORDS[batch.origin]
    number = np.arange(batch.first, batch.first + n)
    spread = (number * 2_654_435_761) >> 7  # a fixed scramble: the same row always reads the same
    made: dict[str, Any] = {
        "id": _ids(words["prefix"], number),
        "status": _coded(batch.status, happenings.STATUS),
        "top": _coded(batch.category, book.top),
        "sub": _coded(batch.category, book.name),
        "urgency": _coded(book.urgency[batch.category] - 1, URGENCY),
        "body": _coded(batch.category, book.body),
        "satisfied": _coded(np.where(batch.satisfied < 0, 2, batch.satisfied), ("不满意", "满意", None)),
        "origin": _coded(np.array([0, 0, 0, 1, 0, 2, 0, 1])[spread % 8], words["origin"]),
        "repeat": pc.if_else(pa.array(batch.repeat_of >= 0), _ids(words["prefix"], batch.repeat_of), None),
        "text": _texts(batch, book),
        "lon": pa.array(lonlat[:, 0]),
        "lat": pa.array(lonlat[:, 1]),
        "person": _coded(spread % 40, [f"{s}{t}" for s in SURNAMES for t in ("女士", "先生")]),
        "phone": pc.cast(pa.array(happenings.SYNTHETIC_PHONE + spread % 10_000), pa.string()),
        "note": _coded((spread >> 5) % 3, words["note"]),
    }
    for name in TIMES:
        seconds = getattr(batch, name)
        made[name] = pa.array(seconds, pa.timestamp("s"), mask=seconds < 0)
    return pa.table({header: made[role] for role, header in columns.items()})


def _ids(prefix: str, number: Any) -> pa.Array:
    digits = pc.utf8_lpad(pc.cast(pa.array(np.maximum(number, 0)), pa.string()), 9, "0")
    return pc.binary_join_element_wise(prefix, digits, "")


def _coded(index: Any, values: Any) -> pa.Array:
    return pa.array(list(values), pa.string()).take(pa.array(index))


def _texts(batch: Batch, book: Catalogue) -> pa.Array:
    """Free text: a phrase around place and sub-category, sometimes with a telephone number that must be masked."""
    phrases = book.phrases[batch.origin]
    parts = [p.replace("{what}", str(name)).split("{place}") for p in phrases for name in book.name]
    at = batch.phrase * len(book.name) + batch.category
    numbers = pc.cast(pa.array(np.maximum(batch.phone, 0)), pa.string())
    tails = [pc.binary_join_element_wise(*_around(p, "{phone}", numbers), "") for p in book.phones]
    tail = pc.if_else(pa.array(batch.phone % 2 == 0), tails[0], tails[1])
    tail = pc.if_else(pa.array(batch.phone >= 0), tail, "")
    front, back = _coded(at, [p[0] for p in parts]), _coded(at, [p[1] for p in parts])
    return pc.binary_join_element_wise(front, pa.array(batch.words, pa.string()), back, tail, "")


def _around(text: str, mark: str, values: pa.Array) -> tuple[Any, ...]:
    before, after = text.split(mark)
    return before, values, after


# ── Dirty rows ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Dirty:
    kinds: tuple[dirt.Kind, ...]
    rng: np.random.Generator
    slices: int

    def at(self, place: int) -> tuple[dirt.Kind, ...]:
        """The kinds that come after the slice with this number."""
        return self.kinds[place :: self.slices]


def _dirty(city: City, total: int, name: str) -> _Dirty:
    rng = city.spec.rng(f"dirt {name}")
    kinds = dirt.plan(round(total * city.spec.dirt) if total else 0, workbook=name.endswith("book"))
    order = rng.permutation(len(kinds))
    return _Dirty(tuple(kinds[i] for i in order), rng, max(1, min(50, -(-total // SLICE_ROWS))))


def _spoiled(
    table: pa.Table,
    kinds: tuple[dirt.Kind, ...],
    rng: np.random.Generator,
    first: int,
    columns: dict[str, str],
    account: Account,
) -> list[list[str]]:
    """Damaged copies of rows of this slice under numbers of their own."""
    lines: list[list[str]] = []
    picks = rng.integers(0, len(table), len(kinds))
    for offset, (kind, pick) in enumerate(zip(kinds, picks.tolist(), strict=True)):
        good = table.slice(pick, 1).to_pylist()[0]
        row = {role: _text(good[header]) for role, header in columns.items()}
        row["id"] = f"{row['id'][:2]}9{first + offset:08d}"
        row["text"] = row["text"].split("联系")[0].split("请联系")[0]
        lines += dirt.spoil(kind, row, rng, account)
    return lines


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:%Y-%m-%d %H:%M:%S}" if hasattr(value, "strftime") else str(value)


# ── Writing ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _write_csv(
    path: Path,
    tables: Iterator[pa.Table],
    columns: dict[str, str],
    encoding: str,
    dirty: _Dirty,
    account: Account,
    told: Any,
) -> None:
    """Slices of good rows with the dirty ones between them."""
    done = place = 0
    made = LATER_FILE if encoding == "gb18030" else 0
    with path.open("wb") as out:
        out.write((",".join(columns.values()) + "\r\n").encode(encoding))
        for table in tables:
            for start in range(0, len(table), SLICE_ROWS):
                part = table.slice(start, SLICE_ROWS)
                out.write(_encoded(part, encoding))
                _count(part, columns, account)
                kinds = dirty.at(place) if place < dirty.slices else ()
                lines = _spoiled(part, kinds, dirty.rng, made, columns, account)
                out.write(_lines(lines).encode(encoding))
                place, made, done = place + 1, made + len(kinds), done + len(part)
                told(done)


def _encoded(table: pa.Table, encoding: str) -> bytes:
    sink = pa.BufferOutputStream()
    pacsv.write_csv(table, sink, pacsv.WriteOptions(include_header=False, quoting_style="needed", eol="\r\n"))
    raw: bytes = sink.getvalue().to_pybytes()
    return raw if encoding == "utf-8" else raw.decode().encode(encoding)


def _lines(lines: list[list[str]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(lines)
    return out.getvalue()


def _count(table: pa.Table, columns: dict[str, str], account: Account) -> None:
    account.rows += len(table)
    account.masked += (
        pc.sum(pc.match_substring(table[columns["text"]], str(happenings.SYNTHETIC_PHONE)[:7])).as_py() or 0
    )


def _write_book(
    path: Path, table: pa.Table, columns: dict[str, str], dirty: _Dirty, account: Account
) -> None:
    """The workbook: dates as dates, dirty rows as text strewn in by slices."""
    dates = frozenset(i for i, role in enumerate(columns) if role in TIMES)
    rows: list[Any] = []
    made = 0
    for place, start in enumerate(range(0, len(table), SLICE_ROWS)):
        part = table.slice(start, SLICE_ROWS)
        cells = [
            [None if v is None else workbook.serial(v) for v in part.column(i).cast(pa.int64()).to_pylist()]
            if i in dates
            else part.column(i).to_pylist()
            for i in range(part.num_columns)
        ]
        rows.extend(zip(*cells, strict=True))
        _count(part, columns, account)
        kinds = dirty.at(place)
        rows.extend(_spoiled(part, kinds, dirty.rng, made, columns, account))
        made += len(kinds)
    workbook.write(path, "案卷（合成数据）", list(columns.values()), rows, dates)

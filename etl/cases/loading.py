"""`load(session, path, source=…)`: a file of cases becomes rows of the database, every one of them accounted for.

read → clean → store, streaming: batches are read and cleaned in a thread while the previous ones are copied. One
transaction per file (the caller's); whatever is raised leaves the database as it was.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from etl import copying
from etl.cases.batch import Cleaned, Rules
from etl.cases.clean import clean, now_us
from etl.cases.copies import Copying
from etl.cases.notices import tell_seen
from etl.cases.originals import originals
from etl.cases.rules import settle
from etl.cases.store import (
    SourceState,
    Writer,
    category_id,
    encode,
    lock_finish,
    lock_source,
    row_columns,
    state_of,
    write_source,
)
from etl.cleaning.distinct import each_once
from etl.cleaning.positions import looks_swapped
from etl.cleaning.problems import reject
from etl.drawn import points
from etl.rejects import KEPT_HEADERS, KEPT_REJECTS, LoadReport, Reject, reserve_run_id, store
from etl.repeats import Repeats
from etl.runs import same_again
from etl.tables.door import open_table, sha256
from etl.tables.table import Table
from etl.tables.threads import ahead
from geo import attribution
from geo.db.versions import bump
from geo.errors import RefusedArgument, RefusedFile
from geo.progress import Progress, silent


@dataclass
class Prepared:
    """A cleaned batch with its hashes and units, ready to be encoded."""

    cleaned: Cleaned
    columns: list[copying.Column]
    ids: NDArray[np.uint64]  # n × 2
    hashes: NDArray[np.uint64]  # n × 2
    units: NDArray[np.int32]


def load(
    session: Session,
    path: Path,
    *,
    source: str,
    map_file: Path | None = None,
    crs: str = "auto",
    encoding: str | None = None,
    dry_run: bool = False,
    now: dt.datetime | None = None,
    strict: bool = False,
    who: str = "operator",
    progress: Progress = silent,
) -> LoadReport:
    """Load a file of cases as `source`; returns the account of every row.

    `crs`: `auto` (longitude and latitude in EPSG:4326), `EPSG:n`, `gcj02`, `bd09`. `now` is the moment after which an
    opened time lies in the future. `strict` reads text by the line parser only. With `dry_run` nothing is written.

    Raises RefusedFile or RefusedArgument; the caller's transaction is then to be rolled back.
    """
    name = _source_name(source)
    started = dt.datetime.now(dt.UTC)
    options = {"crs": crs, "encoding": encoding, "map": _digest(map_file)}
    with ThreadPoolExecutor(1, "sha256") as pool:
        table = open_table(path, encoding=encoding, strict=strict)
        rules = settle(session, table, name, map_file=map_file, crs=crs, now=now_us(now))
        report = LoadReport(
            "cases", name, path.name, b"", started, options, rules.layout.as_dict(), rules.crs, table.encoding
        )
        report.who = who
        _begin(report, table)
        if not dry_run:
            lock_source(session, name)
        state = state_of(session, name)
        digest: Future[bytes] = pool.submit(sha256, path)
        if not state.is_new and not dry_run:
            report.content_sha256 = digest.result()
            again = same_again(session, report)
            if again is not None:
                return again
        if dry_run:
            _try(table, rules, report, progress)
        else:
            _load(session, table, rules, report, state, digest, progress)
    report.content_sha256 = report.content_sha256 or digest.result()
    report.check()
    return report


def _source_name(source: str) -> str:
    name = source.strip()
    if not 0 < len(name) <= 100 or not name.isprintable():
        raise RefusedArgument(
            "来源名须为 1 至 100 个可见字符。",
            "A source name has 1 to 100 visible characters.",
            field="source",
        )
    return name


def _digest(path: Path | None) -> str | None:
    return None if path is None or not path.is_file() else hashlib.sha256(path.read_bytes()).hexdigest()


def _begin(report: LoadReport, table: Table) -> None:
    report.details |= {"driver": table.driver, "row_word": table.word, **table.facts}
    report.details["header"] = table.header[:KEPT_HEADERS]
    for code, zh, en in table.notices:
        report.notice(code, zh, en, count=1)


# ── Reading and cleaning ────────────────────────────────────────────────────────────────────────────────────────────


def _cleaned(table: Table, rules: Rules) -> Iterator[Cleaned]:
    for batch in table.batches():
        yield clean(batch, rules)


def _account(report: LoadReport, rules: Rules, batch: Cleaned) -> None:
    """Put what a batch says about its rows into the report."""
    report.rows_in += batch.rows_in
    for code, count in batch.rejected.items():
        report.rejects_by_code[code] += count
        report.rejected += count
    report.rejects.extend(batch.rejects[: max(0, KEPT_REJECTS - len(report.rejects))])
    report.unplaced += int(np.isnan(batch.lon).sum())
    tell_seen(report, rules, batch.seen)


def _try(table: Table, rules: Rules, report: LoadReport, progress: Progress) -> None:
    """A dry run: everything but the database."""
    positions: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    repeats = Repeats()
    for batch in ahead(_cleaned(table, rules)):
        _account(report, rules, batch)
        positions.append((batch.lon, batch.lat))
        columns = row_columns(batch)
        repeats.add(
            copying.hashes([copying.texts(batch.id)], len(batch)),
            copying.hashes(columns, len(batch)),
            batch.rows,
        )
        progress("read", report.rows_in)
    _refuse_swapped(positions, rules)
    report.drawn = points(positions)
    _tell_repeats(report, table, rules, repeats)
    _fill_originals(report, table, rules)
    report.added = report.rows_in - report.rejected - report.duplicate
    report.details["dry_run"] = True
    _tell_no_rows(report)


# ── Loading ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _load(
    session: Session,
    table: Table,
    rules: Rules,
    report: LoadReport,
    state: SourceState,
    digest: Future[bytes],
    progress: Progress,
) -> None:
    run = reserve_run_id(session)
    report.run_id = run
    index = attribution.unit_index(session)
    writer = Writer(session, state, run)
    repeats = Repeats()
    positions: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    outside = 0

    def prepared() -> Iterator[Prepared]:
        for batch in _cleaned(table, rules):
            yield _prepare(batch, index)

    with Copying(writer) as copies:
        for item in ahead(prepared()):
            copies.wait()  # the connection is one: what asks it comes between two batches
            _account(report, rules, item.cleaned)
            item, categories = _categorise(session, state, item, rules, report)
            ids = writer.reserve(len(item.cleaned))
            copies.start()
            if len(item.cleaned):
                repeats.add(item.ids, item.hashes, item.cleaned.rows)
                copies.add(encode(item.cleaned, item.columns, item.hashes, categories, item.units, ids))
                positions.append((item.cleaned.lon, item.cleaned.lat))
                outside += int(((item.units < 0) & ~np.isnan(item.cleaned.lon)).sum())
            progress("copy", report.rows_in)
    _refuse_swapped(positions, rules)
    report.drawn = points(positions)
    if repeats.any():
        expected = _tell_repeats(report, table, rules, repeats)
        removed = writer.drop_repeats()
        if removed != expected:
            raise AssertionError(f"{removed} repeated rows in the database, {expected} in the file")
        writer.rows -= removed
    _fill_originals(report, table, rules)
    report.details["outside"] = outside if index is not None else None
    progress("merge", 0, 1)
    _finish(session, writer, rules, report, state, digest)
    progress("merge", 1, 1)


def _prepare(batch: Cleaned, index: tuple[Any, NDArray[np.int32]] | None) -> Prepared:
    """Hashes and units of a cleaned batch."""
    n = len(batch)
    columns = row_columns(batch)
    ids = copying.hashes([copying.texts(batch.id)], n)
    units = np.full(n, -1, np.int32)
    placed = ~np.isnan(batch.lon)
    if index is not None and placed.any():
        where = index[0].place(batch.lon[placed], batch.lat[placed])
        units[placed] = np.where(where >= 0, index[1][where], -1)
    return Prepared(batch, columns, ids, copying.hashes(columns, n), units)


def _categorise(
    session: Session, state: SourceState, item: Prepared, rules: Rules, report: LoadReport
) -> tuple[Prepared, NDArray[np.int32]]:
    """The category id of every row; each distinct pair of words is looked up once. Unknown ones in a closed
    catalogue are rejected."""
    batch = item.cleaned
    tops, subs = each_once(batch.top), each_once(batch.sub)
    top_words, sub_words = [*tops.values.to_pylist(), None], [*subs.values.to_pylist(), None]
    top = np.where(tops.places < 0, len(top_words) - 1, tops.places).astype(np.int64)
    sub = np.where(subs.places < 0, len(sub_words) - 1, subs.places)
    pairs, where = _pairs(top * len(sub_words) + sub, len(top_words) * len(sub_words))
    found = [
        category_id(session, state, top_words[p // len(sub_words)], sub_words[p % len(sub_words)])
        for p in pairs
    ]
    ids = np.array([-1 if i is None else i for i in found], np.int32)[where]
    unknown = ids < 0
    if unknown.any():
        _reject_categories(report, rules, batch, unknown)
        kept = batch.take(~unknown)
        report.unplaced -= int(np.isnan(batch.lon[unknown]).sum())
        item = Prepared(
            kept, row_columns(kept), item.ids[~unknown], item.hashes[~unknown], item.units[~unknown]
        )
    return item, ids[~unknown]


def _pairs(pairs: NDArray[np.int64], size: int) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """The distinct ones in order, and for every row its place among them; `size` is one more than the largest can be."""
    if size > 1 << 20:
        return np.unique(pairs, return_inverse=True)
    found = np.flatnonzero(np.bincount(pairs, minlength=size))
    place = np.empty(size, np.intp)
    place[found] = np.arange(len(found))
    return found, place[pairs]


def _reject_categories(report: LoadReport, rules: Rules, batch: Cleaned, unknown: NDArray[np.bool_]) -> None:
    header = rules.layout.columns.get("category", "category")
    for row in np.flatnonzero(unknown):
        words = " / ".join(w for w in (batch.top[int(row)].as_py(), batch.sub[int(row)].as_py()) if w)
        identity = {rules.layout.columns["id"]: batch.id[int(row)].as_py()}
        report.reject(
            reject(int(batch.rows[row]), "category-unknown", column=header, value=words, original=identity)
        )


def _refuse_swapped(positions: list[tuple[NDArray[np.float64], NDArray[np.float64]]], rules: Rules) -> None:
    """A whole file whose positions lie where nobody lives, and would lie in cities the other way round."""
    if not positions:
        return
    lon, lat = (np.concatenate([pair[i] for pair in positions]) for i in (0, 1))
    if looks_swapped(lon, lat):
        columns = rules.layout.columns
        raise RefusedFile(
            f"整个文件的经纬度似乎颠倒：{columns.get('lat', 'lat')} 列里是经度（纬度中位数 {np.nanmedian(lat):.2f}）。",
            f"Longitude and latitude of the whole file look swapped: column {columns.get('lat', 'lat')} holds longitudes "
            f"(median latitude {np.nanmedian(lat):.2f}).",
            code="axes-swapped",
            do_zh="用 --map 把 lon、lat 指向正确的列。",
            do_en="Point lon and lat to the right columns with --map.",
        )


def _tell_repeats(report: LoadReport, table: Table, rules: Rules, repeats: Repeats) -> int:
    """Count repeated rows: equal ones are duplicates of the first, differing ones are all rejected; rows to remove."""
    same, conflicts = repeats.find()
    if len(same):
        report.duplicate += len(same)
        zh, en = (
            "文件内重复的行（内容相同），只保留第一行",
            "rows repeated in the file (equal content); the first is kept",
        )
        report.notice("row-duplicate", zh, en, sorted(same.tolist()))
    if conflicts:
        lines = {row: group for group in conflicts for row in group}
        found = originals(table, rules, set(sorted(lines)[:KEPT_REJECTS]))
        header = rules.layout.columns["id"]
        for row in sorted(lines):
            original = found.get(row, {})
            identity = original.get(header) or "?"
            others = ", ".join(f"{rules.word} {number}" for number in lines[row][:10])
            report.reject(_conflict(row, header, identity, others, original))
    return len(same) + sum(map(len, conflicts))


def _fill_originals(report: LoadReport, table: Table, rules: Rules) -> None:
    """Rows of an unknown category as they were delivered, so that they can be corrected and loaded again; and a word
    when more rows were rejected than are kept."""
    bare = {item.row for item in report.rejects if item.code == "category-unknown"}
    if bare:
        found = originals(table, rules, bare)
        report.rejects = [
            replace(item, original=found.get(item.row, item.original)) if item.row in bare else item
            for item in report.rejects
        ]
    if report.rejected > len(report.rejects):
        report.notice(
            "rejects-cut",
            f"退回 {report.rejected} 行，只保留前 {len(report.rejects)} 行的内容",
            f"{report.rejected} rows were rejected; the first {len(report.rejects)} are kept with their content",
            count=report.rejected - len(report.rejects),
        )


def _conflict(row: int, header: str, identity: str, others: str, original: dict[str, str | None]) -> Reject:
    return reject(
        row, "row-conflict", column=header, value=identity, original=original, id=identity[:80], rows=others
    )


def _tell_no_rows(report: LoadReport) -> None:
    if report.rows_in == 0:
        report.notice(
            "no-rows",
            "文件只有表头，0 行数据；已有数据不变",
            "the file has a header and 0 rows; nothing was changed",
            count=1,
        )


def _finish(
    session: Session,
    writer: Writer,
    rules: Rules,
    report: LoadReport,
    state: SourceState,
    digest: Future[bytes],
) -> None:
    """Everything that other loads write too, last and under one lock: source, categories, run, attach or merge."""
    _tell_no_rows(report)
    lock_finish(session)
    report.added, report.updated, report.unchanged = writer.compare()
    report.content_sha256 = report.content_sha256 or digest.result()
    kept = writer.rows > 0
    if kept:
        writer.recategorise(write_source(session, state, rules.layout.timezone))
        _tell_new_categories(report, state)
    store(session, report)
    if not kept:
        writer.discard()
        return
    writer.apply()
    if report.added or report.updated:
        bump(session, "cases")


def _tell_new_categories(report: LoadReport, state: SourceState) -> None:
    if not state.new_categories:
        return
    names = [str(row["name"]) for row in state.new_categories]
    report.details["categories_new"] = names[:200]
    report.notice(
        "category-new",
        f"来源带来 {len(names)} 个新类别：{'、'.join(names[:5])} …",
        f"the source brought {len(names)} new categories: {', '.join(names[:5])} …",
        count=len(names),
    )


def count(session: Session, source: str) -> int:
    """How many cases a source has."""
    found = session.scalar(
        text("SELECT count(*) FROM cases c JOIN source s ON s.id = c.source_id WHERE s.name = :name"),
        {"name": source},
    )
    return int(found or 0)


def _strings(column: pa.StringArray) -> list[str | None]:
    return [None if value is None else str(value) for value in column.to_pylist()]

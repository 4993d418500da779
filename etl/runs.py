"""Earlier loads: what they did, their rejects as a file, and whether a file is the one that was loaded last."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from etl.rejects import LoadReport, Notice, Reject
from geo.db.tables import LoadRun
from geo.db.tables import Reject as RejectRow
from geo.errors import NotFound
from geo.exports.safety import neutralise


def same_again(session: Session, report: LoadReport) -> LoadReport | None:
    """The report of a file that is, byte for byte and with the same options, the last one loaded as its source.

    Everything is unchanged and nothing is written. A run that rejected rows of the future is no such answer: time passes.
    """
    last = session.scalars(
        select(LoadRun)
        .where(LoadRun.kind == report.kind, LoadRun.source == report.source)
        .order_by(LoadRun.id.desc())
        .limit(1)
    ).one_or_none()
    if last is None or last.content_sha256 != report.content_sha256 or last.options != report.options:
        return None
    if last.rejects_by_code.get("date-future"):
        return None
    found = of(session, last)
    found.started_at, found.file_name = report.started_at, report.file_name
    found.added, found.updated, found.unchanged = (
        0,
        0,
        last.rows_added + last.rows_updated + last.rows_unchanged,
    )
    found.details = {**found.details, "same_as_run": last.id}
    return found


def of(session: Session, run: LoadRun) -> LoadReport:
    """The report of a stored run, with its rejects."""
    report = LoadReport(
        run.kind,
        run.source,
        run.file_name,
        run.content_sha256,
        run.started_at,
        run.options,
        run.layout,
        run.crs,
        run.encoding,
    )
    report.rows_in, report.added, report.updated = run.rows_in, run.rows_added, run.rows_updated
    report.unchanged, report.duplicate, report.rejected = (
        run.rows_unchanged,
        run.rows_duplicate,
        run.rows_rejected,
    )
    report.unplaced, report.run_id = run.rows_unplaced, run.id
    report.rejects_by_code = Counter(run.rejects_by_code)
    report.notices = {
        f"{at}:{w['code']}": Notice(w["code"], w["zh"], w["en"], w["count"], w["rows"])
        for at, w in enumerate(run.warnings)
    }
    report.personal_columns, report.details = dict(run.personal_columns), dict(run.report)
    report.rejects = rejects(session, run.id)
    return report


def rejects(session: Session, run_id: int) -> list[Reject]:
    """The rejects of a run in the order of the file."""
    return list(each_reject(session, run_id))


def each_reject(session: Session, run_id: int) -> Iterator[Reject]:
    """The same, one after another, some thousands in memory."""
    rows = session.execute(
        select(
            RejectRow.row,
            RejectRow.code,
            RejectRow.why_zh,
            RejectRow.why_en,
            RejectRow.column,
            RejectRow.value,
            RejectRow.do_zh,
            RejectRow.do_en,
            RejectRow.original,
        )
        .where(RejectRow.load_run_id == run_id)
        .order_by(RejectRow.row, RejectRow.id)
        .execution_options(yield_per=REJECTS_AT_ONCE)
    )
    for row in rows:
        row_, code, why_zh, why_en, column, value, do_zh, do_en, original = row
        yield Reject(row_, code, why_zh, why_en, column, value, do_zh, do_en, dict(original))


def find(session: Session, run_id: int) -> LoadRun:
    """A run by its number."""
    run = session.get(LoadRun, run_id)
    if run is None:
        raise NotFound(
            f"没有装载 {run_id}。",
            f"There is no run {run_id}.",
            do_en="Choose one from the list of loads.",
            shell_en="`wangge runs` lists them.",
            do_zh="请从装载列表中选取。",
            shell_zh="`wangge runs` 列出全部。",
        )
    return run


def listing(session: Session, limit: int = 50) -> list[dict[str, Any]]:
    """The last runs, newest first."""
    rows = session.execute(
        text(
            "SELECT id, kind, source, file_name, rows_in, rows_added, rows_updated, rows_unchanged, rows_duplicate, "
            "rows_rejected, rows_unplaced, finished_at FROM load_run ORDER BY id DESC LIMIT :limit"
        ),
        {"limit": limit},
    )
    return [dict(row._mapping) for row in rows]


REJECTS_AT_ONCE = 2_000
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")
REJECT_COLUMNS = ("reject_row", "reject_column", "reject_value", "reject_code", "reject_why", "reject_do")


def write_rejects(report: LoadReport, path: Path) -> int:
    """Write the rejected rows as CSV (UTF-8 with BOM): the row as delivered, then where and why; returns how many.

    Corrected, it loads again: the columns keep their names and the `reject_…` ones are left out at load. Text that a
    spreadsheet would run as a formula carries an apostrophe, which the load takes away again.
    """
    target = path.with_name(path.name + ".part")
    with target.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerows(reject_lines(report.rejects, reject_headers(report.rejects, report.details)))
    target.replace(path)
    return len(report.rejects)


def reject_headers(items: Iterable[Reject], details: Mapping[str, Any]) -> list[str]:
    """The columns that rejected rows have, in the order of the file where it is known."""
    have = dict.fromkeys(name for item in items for name in item.original)
    known = [name for name in details.get("header", ()) if name in have]
    return [*known, *(name for name in have if name not in known)]


def reject_lines(items: Iterable[Reject], headers: list[str]) -> Iterator[list[str]]:
    """The lines of the file of rejects: its header, then row after row."""
    yield [*map(neutralise, headers), *REJECT_COLUMNS]
    for item in items:
        row = [item.original.get(name) or "" for name in headers]
        why, do = f"{item.why_zh} / {item.why_en}", f"{item.do_zh} / {item.do_en}"
        about = [str(item.row), item.column or "", item.value or "", item.code, why, do]
        yield [_safe(value) for value in (*row, *about)]


def _safe(value: str) -> str:
    """Neutralised, but for plain numbers: -71.05 is a number in every spreadsheet and stays one."""
    return value if _NUMBER.fullmatch(value) else neutralise(value)

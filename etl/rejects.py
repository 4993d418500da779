"""What became of every row: rejects, notices and the report of one load.

rows in = added + updated + unchanged + duplicate + rejected (`LoadReport.check` raises when that does not hold).
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from geo.db.tables import Audit, LoadRun
from geo.db.tables import Reject as RejectRow

KEPT_REJECTS = 100_000
KEPT_HEADERS = 300
VALUE_CHARACTERS = 80


@dataclass(frozen=True)
class Reject:
    """A row that was not loaded: where it stands, what was wrong, what to do.

    `row` is the physical line in a text file (the header is line 1) or the feature number from 1 elsewhere.
    `original` maps column to text without personal columns, so that the row can be corrected and loaded again.
    """

    row: int
    code: str
    why_zh: str
    why_en: str
    column: str | None = None
    value: str | None = None
    do_zh: str = ""
    do_en: str = ""
    original: dict[str, Any] = field(default_factory=dict)


@dataclass
class Notice:
    """Something worth knowing that rejected nothing (a warning or a repair): counted, with the first rows."""

    code: str
    zh: str
    en: str
    count: int = 0
    rows: list[int] = field(default_factory=list)

    def add(self, rows: list[int]) -> None:
        """Count more rows; the first 20 are kept by number."""
        self.count += len(rows)
        self.rows.extend(rows[: 20 - len(self.rows)])

    def as_dict(self) -> dict[str, Any]:
        """For the load run and `--json`."""
        return {"code": self.code, "count": self.count, "rows": self.rows, "zh": self.zh, "en": self.en}


@dataclass
class LoadReport:
    """The account of one load, printed, stored and returned by `--json`."""

    kind: str
    source: str
    file_name: str
    content_sha256: bytes
    started_at: dt.datetime
    options: dict[str, Any] = field(default_factory=dict)
    layout: dict[str, Any] = field(default_factory=dict)
    crs: str | None = None
    encoding: str | None = None
    rows_in: int = 0
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    duplicate: int = 0
    rejected: int = 0
    unplaced: int = 0
    rejects: list[Reject] = field(default_factory=list)
    rejects_by_code: Counter[str] = field(default_factory=Counter)
    notices: dict[str, Notice] = field(default_factory=dict)
    personal_columns: dict[str, int] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    run_id: int | None = None
    who: str = "operator"  # who loads: stands in the audit and in the stored run
    drawn: Any = None  # a sample of what was read (shapely, EPSG:4326) for a small map; never stored

    def reject(self, reject: Reject, rows: int = 1) -> None:
        """Count a rejected row and keep it while fewer than KEPT_REJECTS are kept."""
        self.rejected += rows
        self.rejects_by_code[reject.code] += rows
        if len(self.rejects) < KEPT_REJECTS:
            self.rejects.append(reject)

    def notice(self, code: str, zh: str, en: str, rows: list[int] | None = None, count: int = 0) -> None:
        """Count a warning or repair; the words of the first one with this code stay."""
        item = self.notices.setdefault(code, Notice(code, zh, en))
        item.count += count
        item.add(rows or [])

    def check(self) -> None:
        """Raise AssertionError when the row law does not hold: a bug of ours, never of the file."""
        parts = self.added + self.updated + self.unchanged + self.duplicate + self.rejected
        if parts != self.rows_in:
            raise AssertionError(f"row law broken: {self.rows_in} in, {parts} accounted for")

    @property
    def exit_code(self) -> int:
        """0 loaded whole, 3 loaded with rejects."""
        return 3 if self.rejected else 0

    def as_dict(self) -> dict[str, Any]:
        """For `--json` and the API; at most the first 1 000 rejects."""
        return {
            "run": self.run_id,
            "kind": self.kind,
            "source": self.source,
            "file": self.file_name,
            "sha256": self.content_sha256.hex(),
            "crs": self.crs,
            "encoding": self.encoding,
            "layout": self.layout,
            "rows_in": self.rows_in,
            "added": self.added,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "duplicate": self.duplicate,
            "rejected": self.rejected,
            "unplaced": self.unplaced,
            "rejects_by_code": dict(self.rejects_by_code),
            "rejects": [
                {
                    "row": r.row,
                    "column": r.column,
                    "value": (r.value or "")[:VALUE_CHARACTERS] or None,
                    "code": r.code,
                    "why": {"zh": r.why_zh, "en": r.why_en},
                    "do": {"zh": r.do_zh, "en": r.do_en},
                }
                for r in self.rejects[:1000]
            ],
            "warnings": [n.as_dict() for n in self.notices.values()],
            "personal_columns": self.personal_columns,
            "details": self.details,
        }


def store(session: Session, report: LoadReport) -> int:
    """Write the load run and its rejects in the caller's transaction; returns (and sets) the run's id."""
    report.check()
    run = LoadRun(
        kind=report.kind,
        source=report.source,
        file_name=report.file_name,
        content_sha256=report.content_sha256,
        options=report.options,
        layout=report.layout,
        crs=report.crs,
        encoding=report.encoding,
        rows_in=report.rows_in,
        rows_added=report.added,
        rows_updated=report.updated,
        rows_unchanged=report.unchanged,
        rows_duplicate=report.duplicate,
        rows_rejected=report.rejected,
        rows_unplaced=report.unplaced,
        rejects_by_code=dict(report.rejects_by_code),
        warnings=[n.as_dict() for n in report.notices.values()],
        personal_columns=report.personal_columns,
        report={**report.details, "by": report.who},
        started_at=report.started_at,
    )
    if report.run_id is not None:
        run.id = report.run_id
    session.add(run)
    session.flush()
    report.run_id = run.id
    session.add(Audit(who=report.who, act=f"load {report.kind}", what=_told(report)))
    rows = [_row(run.id, r) for r in report.rejects]
    for start in range(0, len(rows), 5000):
        session.execute(insert(RejectRow), rows[start : start + 5000])
    return run.id


def reserve_run_id(session: Session) -> int:
    """The id the run will have, for rows that must name it before the run is stored (their foreign key is checked at
    commit time or after `store`)."""
    return int(session.scalar(text("SELECT nextval(pg_get_serial_sequence('load_run', 'id'))")) or 0)


def _told(report: LoadReport) -> dict[str, Any]:
    """What the audit remembers of a load: which file became which rows."""
    return {
        "run": report.run_id,
        "source": report.source,
        "file": report.file_name,
        "sha256": report.content_sha256.hex(),
        "added": report.added,
        "updated": report.updated,
        "rejected": report.rejected,
    }


def _row(run_id: int, r: Reject) -> dict[str, Any]:
    return {
        "load_run_id": run_id,
        "row": r.row,
        "column": r.column,
        "value": None if r.value is None else r.value[:VALUE_CHARACTERS],
        "code": r.code,
        "why_zh": r.why_zh,
        "why_en": r.why_en,
        "do_zh": r.do_zh,
        "do_en": r.do_en,
        "original": r.original,
    }

"""A file of nothing but bad rows is accounted for to the last row, however many there are."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.orm import Session

from etl import cases
from etl.rejects import KEPT_REJECTS

ROWS = 120_000


def test_every_bad_row_is_counted(db: Session, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    lines = ["source_id,category,opened_at,lon,lat"]
    lines += [f"A{i},road,someday,121.4,31.2" for i in range(ROWS)]
    lines += ["B1,road,2025-03-01T08:00:00+08:00,121.4,31.2"]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    report = cases.load(db, path, source="hotline")
    assert (report.rows_in, report.added, report.rejected) == (ROWS + 1, 1, ROWS)
    assert report.rejects_by_code == {"date-invalid": ROWS}
    assert len(report.rejects) == KEPT_REJECTS
    assert report.notices["rejects-cut"].count == ROWS - KEPT_REJECTS
    assert report.exit_code == 3


def test_conflicting_rows_keep_what_was_delivered(db: Session, tmp_path: Path) -> None:
    path = tmp_path / "twice.csv"
    lines = ["source_id,category,opened_at,lon,lat,description"]
    for i in range(1500):
        lines += [f"C{i},road,2025-03-01T08:00:00+08:00,121.4,31.2,{word}" for word in ("one", "two")]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    report = cases.load(db, path, source="hotline")
    assert report.rejects_by_code == {"row-conflict": 3000}
    assert all(item.original["source_id"] == f"C{(item.row - 2) // 2}" for item in report.rejects)

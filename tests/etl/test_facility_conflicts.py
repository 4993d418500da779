"""Facilities of one identifier that differ: rejected with the whole row as it was delivered, personal columns apart."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.orm import Session

from etl import facilities


def test_a_conflicting_row_keeps_what_was_delivered(db: Session, tmp_path: Path) -> None:
    path = tmp_path / "parks.csv"
    path.write_text(
        "id,name,lon,lat,capacity,opening,联系人电话\n"
        "P1,East,121.4,31.2,10,08:00,13800138000\n"
        "P1,East,121.5,31.2,10,09:00,13800138001\n"
        "P2,West,121.6,31.2,5,,\n",
        encoding="utf-8",
    )
    report = facilities.load(db, path, kind="park")
    assert (report.added, report.rejected) == (1, 2)
    assert [item.code for item in report.rejects] == ["row-conflict"] * 2
    assert [item.original for item in report.rejects] == [
        {"id": "P1", "name": "East", "lon": lon, "lat": "31.2", "capacity": "10", "opening": opening}
        for lon, opening in (("121.4", "08:00"), ("121.5", "09:00"))
    ]

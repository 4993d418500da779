"""How cases are stored: what COPY leaves out is filled in, ids never meet, a point is in the world or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from etl import cases
from etl.cases.copies import Copying
from etl.cases.store import Encoded
from geo.db import session as sessions
from geo.settings import Settings

PLAIN = "case_id,opened_at,lon,lat\n"
FULL = "case_id,opened_at,lon,lat,closed_at,due_at,origin,urgency,satisfied,status,description,extra\n"
FIELDS = (
    "source_case_id, closed_at IS NULL AS c, due_at IS NULL AS d, origin, urgency, satisfied, flags, status, description, "
    "attributes, geom IS NULL AS g, load_run_id"
)


def write(path: Path, text_: str) -> Path:
    path.write_text(text_)
    return path


def stored(session: Session) -> list[tuple[object, ...]]:
    return [
        tuple(row) for row in session.execute(text(f"SELECT {FIELDS} FROM cases ORDER BY source_case_id"))
    ]


def test_columns_without_values_are_null_or_their_default(db: Session, tmp_path: Path) -> None:
    one = write(tmp_path / "one.csv", PLAIN + "A,2025-03-01 08:00:00,121.4,31.2\nB,2025-03-01 08:00:00,,\n")
    report = cases.load(db, one, source="s")
    assert stored(db) == [
        ("A", True, True, 0, None, None, 0, 0, None, None, False, report.run_id),
        ("B", True, True, 0, None, None, 0, 0, None, None, True, report.run_id),
    ]
    row = "2025-03-01 08:00:00,121.4,31.2,2025-02-01 08:00:00,2025-04-01,citizen,2,yes,void,hole,x\n"
    full = write(tmp_path / "full.csv", FULL + "A," + row + "B,2025-03-01 08:00:00,,,,,,,,,,\n")
    again = cases.load(db, full, source="s")
    assert (again.updated, again.unchanged) == (1, 1)
    assert stored(db) == [
        ("A", True, False, 1, 2, True, 1, 2, "hole", {"extra": "x"}, False, again.run_id),
        ("B", True, True, 0, None, None, 0, 0, None, None, True, report.run_id),
    ]


def test_the_partition_keeps_no_default_of_its_own(db: Session, tmp_path: Path) -> None:
    cases.load(db, write(tmp_path / "a.csv", PLAIN + "A,2025-03-01 08:00:00,121.4,31.2\n"), source="s")
    kept = db.scalars(
        text(
            "SELECT a.attname FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum "
            "JOIN pg_class c ON c.oid = d.adrelid WHERE c.relname ~ '^cases_[0-9]+$' ORDER BY 1"
        )
    ).all()
    assert kept == ["flags", "origin"]


def test_a_partition_has_its_fixed_columns_first_and_every_rule_of_the_parent(
    db: Session, tmp_path: Path
) -> None:
    cases.load(db, write(tmp_path / "a.csv", PLAIN + "A,2025-03-01 08:00:00,121.4,31.2\n"), source="s")
    name = db.scalar(
        text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'cases'::regclass")
    )
    columns = text(
        "SELECT attname, format_type(atttypid, atttypmod), attnotnull, attcollation, attlen FROM pg_attribute "
        "WHERE attrelid = CAST(:name AS regclass) AND attnum > 0 ORDER BY attnum"
    )
    rules = text(
        "SELECT contype, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = CAST(:name AS regclass)"
    )
    own = db.execute(columns, {"name": name}).all()
    assert {row[:4] for row in own} == {row[:4] for row in db.execute(columns, {"name": "cases"})}
    assert [row.attlen < 0 for row in own] == sorted(row.attlen < 0 for row in own)
    assert sorted(db.execute(rules, {"name": name}).all()) == sorted(
        db.execute(rules, {"name": "cases"}).all()
    )


def test_a_copy_that_fails_is_told_at_the_next_wait_and_nothing_follows_it() -> None:
    first, second = (Encoded((), np.empty(0, np.uint8), n) for n in (1, 2))

    class Full:
        asked: list[Encoded] = []  # noqa: RUF012

        def write(self, encoded: Encoded) -> None:
            self.asked.append(encoded)
            raise OSError("no room")

    with pytest.raises(OSError, match="no room"), Copying(Full()) as copies:
        copies.add(first)
        copies.start()
        copies.add(second)
        copies.wait()
    assert Full.asked == [first]
    with pytest.raises(OSError, match="no room"), Copying(Full()) as copies:
        copies.add(second)
    assert Full.asked == [first, second]


def test_ids_of_loads_side_by_side_never_meet(settings: Settings, tmp_path: Path) -> None:
    rows = "".join(f"A{i},2025-03-01 08:00:00,121.4,31.2\n" for i in range(2_500))
    with sessions.session(settings) as first, sessions.session(settings) as second:
        cases.load(first, write(tmp_path / "a.csv", PLAIN + rows[: len(rows) // 2]), source="one")
        cases.load(first, write(tmp_path / "b.csv", PLAIN + rows), source="one")  # some are merged
        first.commit()
        cases.load(second, write(tmp_path / "c.csv", PLAIN + rows), source="two")
    with sessions.session(settings) as session:
        found = session.execute(text("SELECT count(*), count(DISTINCT id), min(id) FROM cases")).one()
        assert found[0] == found[1] == 5_000
        ids = session.scalars(
            text("SELECT c.id FROM cases c JOIN source s ON s.id = c.source_id WHERE s.name = 'two'")
        )
        blocks = {value // 1_000 for value in ids.all()}
        assert len(blocks) <= 4, "2 500 rows take three blocks, which may begin anywhere"


@pytest.mark.parametrize(
    "point", ["POINT EMPTY", "POINT(180.0000001 0)", "POINT(0 -90.0000001)", "POINT(1e300 0)"]
)  # fmt: skip
def test_a_point_outside_the_world_is_refused(db: Session, tmp_path: Path, point: str) -> None:
    refused(db, tmp_path, f"ST_GeomFromText('{point}', 4326)")


@pytest.mark.parametrize("x, y", [("NaN", "1"), ("1", "NaN"), ("Infinity", "1"), ("1", "-Infinity")])
def test_a_point_that_is_not_finite_is_refused(db: Session, tmp_path: Path, x: str, y: str) -> None:
    refused(db, tmp_path, f"ST_SetSRID(ST_MakePoint('{x}'::float8, '{y}'::float8), 4326)")


def refused(db: Session, tmp_path: Path, point: str) -> None:
    cases.load(db, write(tmp_path / "a.csv", PLAIN + "A,2025-03-01 08:00:00,180,-90\n"), source="s")
    connection = sessions.raw(db)
    connection.execute("UPDATE cases SET geom = ST_SetSRID(ST_MakePoint(-180, 89.5), 4326)")
    with pytest.raises(psycopg.errors.CheckViolation, match="geometry"):
        connection.execute(f"UPDATE cases SET geom = {point}")

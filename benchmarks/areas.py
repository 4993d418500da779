"""What the second wall costs: pages of `/api/cases` with and without row-level security, in turns, on one city.

    python -P benchmarks/areas.py --rows 1000000

The same questions as the application role that sees everything (an administrator), with the policies on and off, and
within one community (no peer: without the wall there was no such view).
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from sqlalchemy import text

from benchmarks.serving import fill
from geo import areas
from geo.areas import CITY, Scope
from geo.case_list import Wanted, case, cases
from geo.cases import CaseFilter
from geo.db import cluster
from geo.db import session as sessions
from geo.settings import Settings

ROUNDS = 15
MAPPED = """
INSERT INTO unit_area (edition_id, unit_id, boundary_id) SELECT b.edition_id, u.id, b.id FROM unit u
JOIN boundary b ON ST_Contains(b.geom, u.point) ON CONFLICT DO NOTHING"""


def questions(last: int) -> dict[str, Wanted]:
    """First page, pages deep inside, filters."""
    return {
        "first page": Wanted(limit=101),
        "page in the middle": Wanted(limit=101, after=(1, last // 2)),
        "last page": Wanted(limit=101, after=(1, 102)),
        "open cases of a category": Wanted(CaseFilter(categories=("01",), statuses=("open",)), limit=101),
        "thousand rows": Wanted(limit=1001),
    }


def timed(settings: Settings, seen: Scope, wanted: Wanted | None) -> float:
    """Milliseconds of one question in a transaction of its own."""
    began = time.perf_counter()
    with sessions.session(settings, "app") as session:
        areas.show(session, seen)
        if wanted is None:
            case(session, 999_999_999, seen)
        else:
            cases(session, replace(wanted, seen=seen))
    return (time.perf_counter() - began) * 1000


def wall(settings: Settings, on: bool) -> None:
    with sessions.connect(settings, autocommit=True) as connection:
        connection.execute(f"ALTER TABLE cases {'ENABLE' if on else 'DISABLE'} ROW LEVEL SECURITY")


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--data", type=Path)
    given = parser.parse_args()
    home = given.data or Path(tempfile.mkdtemp(prefix="wangge-bench-"))
    home.chmod(0o755)
    settings = Settings(home=home, fsync=False)
    fill(settings, given.rows)
    with sessions.session(settings, "owner") as session:
        session.execute(text(MAPPED))
        last = int(session.scalar(text("SELECT max(id) FROM cases")) or 0)
        middle = session.execute(text("SELECT id, code FROM boundary WHERE code = 'C808'")).one()
    sys.stdout.write(f"{given.rows:,} cases; milliseconds, median of {ROUNDS}, in turns\n")
    sys.stdout.write("| question | wall off | wall on | × | one community |\n|---|---:|---:|---:|---:|\n")
    area = Scope(str(middle.id), "community", middle.code)
    for name, wanted in questions(last).items():
        took: dict[str, list[float]] = {"off": [], "on": [], "area": []}
        for _ in range(ROUNDS):
            for on in (False, True):
                wall(settings, on)
                timed(settings, CITY, wanted)
                took["on" if on else "off"].append(min(timed(settings, CITY, wanted) for _ in range(2)))
            took["area"].append(timed(settings, area, wanted))
        off, on_, own = (statistics.median(took[key]) for key in ("off", "on", "area"))
        sys.stdout.write(f"| {name} | {off:.2f} | {on_:.2f} | {on_ / off:.2f} | {own:.2f} |\n")
        sys.stdout.flush()
    sessions.forget(settings)
    if given.data is None:
        cluster.stop(settings)


if __name__ == "__main__":
    main()

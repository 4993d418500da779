"""The figures of the supervisor from 10 million cases: strip, matrix, ranks with ranges, repeats, a report.

    python -P benchmarks/figures.py [--cases 10000000] [--units 400]

The city is that of `benchmarks/heatmap.py`: 160 000 units, 20 000 grids, column files written directly. What is measured
is the first answer to a question; a kept answer costs what a kept heat map costs. Beside it the same by NumPy over the
same columns in memory (masks and bincounts), for the strip and the matrix of the whole city.
"""

from __future__ import annotations

import argparse
import datetime as dt
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from api.view_data import View, gather
from api.view_report import view_report
from api.view_sheets import view_sheets
from benchmarks.heatmap import DAYS, FIRST, cases, ground
from benchmarks.table import Report, Row, best_of
from geo.analysis.indicators import indicators
from geo.analysis.matrix import matrix
from geo.analysis.repeats import repeats
from geo.analysis.summary import summary
from geo.cases import CaseFilter
from geo.columns import Columns, ColumnStore
from geo.db import cluster, migrations
from geo.db import session as sessions
from geo.settings import Settings
from maps.reports import view_html, view_pdf, workbook

ALL = CaseFilter()
MONTH = CaseFilter(FIRST + dt.timedelta(days=400), FIRST + dt.timedelta(days=430))
YEAR = CaseFilter(FIRST + dt.timedelta(days=DAYS - 365), FIRST + dt.timedelta(days=DAYS))


def measure(report: Report, settings: Settings) -> None:
    store = ColumnStore(settings)
    columns = store.current()

    def factory() -> Any:
        return sessions.session(settings, "app")

    def told(way: str, run: Any, times: int = 5, against: str = "") -> None:
        run()
        seconds, cpu = best_of(run, times)
        report.add(Row(way, seconds, cpu_s=cpu, against=against))

    zones = indicators(factory, store, plan="now").heat.codes
    some = tuple(str(code) for code in zones[:50])
    for name, where in (("a month", MONTH), ("a year", YEAR), ("all", ALL)):
        told(f"summary, {name}", lambda w=where: summary(factory, store, where=w))
        told(
            f"summary of 50 grids, {name}",
            lambda w=where: summary(factory, store, where=w, by="grid", codes=some),
        )
        told(f"matrix, {name}", lambda w=where: matrix(factory, store, where=w))
    for one in ("cases", "per_km2", "overdue", "satisfied_share", "median_days_to_close"):
        told(
            f"indicators, {one}, all, {len(zones):,} grids",
            lambda m=one: indicators(factory, store, measure=m),
            3,
        )
    told("repeats, a month", lambda: repeats(factory, store, where=MONTH), 3)
    told("repeats, all", lambda: repeats(factory, store), 3)
    told("matrix by NumPy, all", lambda: numpy_matrix(columns), 2, "matrix, all")
    told("summary by NumPy, all", lambda: numpy_summary(columns), 2, "summary, all")
    assert numpy_matrix(columns).tolist() == matrix(factory, store).values.tolist()
    reports(told, factory, store, len(zones))
    store.close()


def reports(told: Any, factory: Any, store: ColumnStore, grids: int) -> None:
    """A report of a month over all grids, gathered and set."""
    with factory() as session:
        gathered = gather(session, factory, store, View(where=MONTH, plan="now"), FIRST, "en")
        now = dt.datetime.now(dt.UTC)
        told(
            f"report gathered, {grids:,} grids",
            lambda: gather(session, factory, store, View(where=MONTH, plan="now"), FIRST, "en"),
            2,
        )
    told("report drawn as HTML", lambda: view_html(view_report(gathered, "en", "b", now)), 2)
    made = view_report(gathered, "en", "b", now)
    told("report set as PDF", lambda: view_pdf(made), 1)
    told("report as workbook", lambda: workbook(view_sheets(gathered, "en", "b", now)), 1)
    print(f"  HTML {len(view_html(made)):,} bytes")


def numpy_matrix(columns: Columns) -> np.ndarray:
    """Weekday × hour with whole-array operations, at a fixed offset of eight hours."""
    hour = (columns.base_s + columns.opened.astype(np.int64) + 8 * 3600) // 3600
    return np.bincount((hour // 24 + 3) % 7 * 24 + hour % 24, minlength=168).reshape(7, 24)


def numpy_summary(columns: Columns) -> tuple[int, int, int, float, int]:
    """Cases, open, overdue, the median, satisfied, with masks."""
    assert columns.last_instant is not None
    asof = columns.tick(columns.last_instant)
    begun = (columns.facts & 3 != 2) & (columns.opened <= asof)
    still = begun & (columns.closed > asof)
    late = still & (columns.due < asof)
    done = (columns.facts & 3 != 2) & (columns.closed <= asof)
    days = np.median((columns.closed - columns.opened)[done])
    return columns.n, int(still.sum()), int(late.sum()), float(days), int((columns.facts >> 5 == 2).sum())


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--cases", type=int, default=10_000_000)
    asked.add_argument("--units", type=int, default=400, help="units on a side of the city")
    given = asked.parse_args()
    home = Path(tempfile.mkdtemp(prefix="wangge-bench-"))
    home.chmod(0o755)
    settings = Settings(home=home, fsync=False)
    cluster.start(settings)
    try:
        migrations.upgrade(settings)
        ground(settings, given.units)
        cases(settings, given.cases, given.units)
        report = Report(
            "Figures of the supervisor", "cases", "a first answer within 200 ms for a month of 10 M cases"
        )
        measure(report, settings)
        report.show()
    finally:
        sessions.forget(settings)
        cluster.stop(settings)
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()

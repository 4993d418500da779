"""When it happens: cases by weekday and hour of opening, on the city's clock.

The cells add up to the total, unplaced cases and those outside included (when a case was opened does not depend on
where). Sources that know only the day put every case at midnight: `midnight` counts the cases opened at 0:00:00 sharp,
so that a page can say it. Where the cases of a city span more than 130 years the columns hold minutes, not seconds,
and a case near the full hour may stand one hour off.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from geo.analysis import figure_kernels as kernels
from geo.analysis.chosen import Chosen, choose
from geo.analysis.clocks import clock
from geo.analysis.counts import EVERYTHING, ground_version, period_of
from geo.analysis.layers import SessionFactory
from geo.analysis.measures import ROWS_PER_THREAD, shares_of
from geo.analysis.selection import Selection, select
from geo.cases import CaseFilter
from geo.columns import Columns, ColumnStore
from geo.disclosure import hidden_counts
from geo.placement import THREADS

DAYS, HOURS = 7, 24
Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Matrix:
    """Cases by weekday (row 0: Monday) and hour; `days`: how often each weekday stands in the period.

    `unplaced` and `outside` (of every unit) are of which. Hidden cells are 0 and marked in `suppressed`.
    """

    values: Counts
    days: Counts
    total: int
    unplaced: int
    outside: int
    midnight: int
    period: tuple[dt.date | None, dt.date | None]
    timezone: str
    version: str
    k: int = 0
    suppressed_total: int = 0
    suppressed: NDArray[np.bool_] = field(default_factory=lambda: np.zeros((DAYS, HOURS), dtype=bool))


def matrix(
    factory: SessionFactory,
    store: ColumnStore,
    *,
    where: CaseFilter = EVERYTHING,
    by: str | None = None,
    codes: Sequence[str] = (),
    plan: str = "current",
) -> Matrix:
    """The matrix of the city or of some zones. Raises as `geo.analysis.chosen.choose`."""
    columns = store.current()
    chosen = choose(factory, store, columns, by, codes, plan)
    cells, beside = _count(columns, chosen, select(columns, where))
    period = period_of(columns, where)
    return Matrix(
        values=cells.reshape(DAYS, HOURS),
        days=weekdays_in(*period),
        total=int(cells.sum()),
        unplaced=int(beside[0]),
        outside=int(beside[1]),
        midnight=int(beside[2]),
        period=period,
        timezone=columns.timezone,
        version=f"{columns.version}/{chosen.version}/{ground_version(store)}",
    )


def weekdays_in(first: dt.date | None, stop: dt.date | None) -> Counts:
    """How often each weekday, from Monday, stands in first ≤ day < stop.

    >>> weekdays_in(dt.date(2024, 1, 1), dt.date(2024, 1, 10)).tolist()  # nine days from a Monday on
    [2, 2, 1, 1, 1, 1, 1]
    """
    if first is None or stop is None:
        return np.zeros(DAYS, dtype=np.int64)
    whole, rest = divmod((stop - first).days, DAYS)
    days = np.full(DAYS, whole, dtype=np.int64)
    days[(first.weekday() + np.arange(rest)) % DAYS] += 1
    return days


def protect_matrix(found: Matrix, k: int) -> Matrix:
    """The matrix of the whole city as the public may see it.

    The counts of a weekday are published by day (`/api/series`), so each row is protected as a list with a known sum,
    and the rows among themselves as well.
    """
    rows = hidden_counts(found.values.sum(axis=1), k)
    hidden = np.array([hidden_counts(row, k) | gone for row, gone in zip(found.values, rows, strict=True)])
    return Matrix(
        values=np.where(hidden, 0, found.values),
        days=found.days,
        total=found.total,
        unplaced=0,
        outside=0,
        midnight=0,
        period=found.period,
        timezone=found.timezone,
        version=found.version,
        k=k,
        suppressed_total=int(found.values[hidden].sum()),
        suppressed=hidden,
    )


def _count(columns: Columns, chosen: Chosen, selection: Selection) -> tuple[Counts, Counts]:
    steps = _clock(columns)

    def run(rows: tuple[Counts, Counts]) -> tuple[Counts, Counts]:
        cells, beside = np.zeros(DAYS * HOURS, dtype=np.int64), np.zeros(3, dtype=np.int64)
        kernels.count_hours(
            chosen.slots, chosen.wanted, chosen.every, columns.unit, columns.facts, selection.keep_table,
            columns.day, columns.opened, columns.base_s, columns.tick_s, *steps, *rows, cells, beside,
        )  # fmt: skip
        return cells, beside

    tasks = min(THREADS, selection.rows // ROWS_PER_THREAD + 1)
    if tasks == 1:
        return run((selection.starts, selection.ends))
    with ThreadPoolExecutor(tasks) as pool:
        found = list(pool.map(run, shares_of(selection, tasks)))
    return np.sum([part[0] for part in found], axis=0), np.sum([part[1] for part in found], axis=0)


def _clock(columns: Columns) -> tuple[Counts, Counts]:
    if columns.first_opened is None or columns.last_opened is None:
        return np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
    first, last = int(columns.first_opened.timestamp()), int(columns.last_opened.timestamp()) + 1
    found = clock(columns.timezone, first, last)
    return found.since_s, found.offset_s

"""The strip above the map: how many, how late, how fast, how satisfied; each with n, an interval, and what it was before.

| key | value | n |
|---|---|---|
| cases | all cases, void ones too | the same |
| open | begun by asof, not void, not closed then | the same |
| overdue | open then and `due_at < asof` | the same |
| overdue_share | late ÷ decided | decided: not void, with a due time, closed with its time or past due |
| median_days_to_close | median of `closed_at - opened_at`; not void, `closed_at <= asof` | these |
| satisfied_share | satisfied ÷ answers | answers |
| service_share | citizen ÷ (citizen + patrol): service against enforcement, by who reported | both |

The comparison is with the period of the same length before, or the same days a year before. Its instant (`asof`) lies
as long before, so that the cases of both periods had the same time to be closed. Where the data do not reach back the
comparison is None with a reason, never 0. Intervals: `geo.analysis.chances`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from geo.analysis import chances
from geo.analysis import figure_kernels as kernels
from geo.analysis.chosen import Chosen, choose
from geo.analysis.counts import EVERYTHING, ground_version, instant_of, period_of, unknown_word
from geo.analysis.layers import SessionFactory
from geo.analysis.measures import ROWS_PER_THREAD, SECONDS_PER_DAY, shares_of
from geo.analysis.selection import Selection, category_ordinals, select
from geo.cases import CaseFilter
from geo.column_build import LAST_TICK
from geo.columns import Columns, ColumnStore
from geo.placement import THREADS

Period = tuple[dt.date, dt.date]
Counts = NDArray[np.int64]
Rows = tuple[Counts, Counts]
Part = tuple[Counts, Counts, NDArray[np.uint32]]
VERSUS = ("previous", "last-year")
UNITS = {
    "cases": "cases",
    "open": "cases",
    "overdue": "cases",
    "overdue_share": "share",
    "median_days_to_close": "days",
    "satisfied_share": "share",
    "service_share": "share",
}
NEEDS = {
    "overdue": "due",
    "overdue_share": "due",
    "median_days_to_close": "closed",
    "satisfied_share": "satisfied",
}
SHARES = ("overdue_share", "satisfied_share", "service_share")
COUNTS = ("cases", "open", "overdue")
CITIZEN, PATROL, SATISFIED, ANSWERED = (  # which of the 256 facts
    (np.arange(256) >> 2 & 7) == 1,
    (np.arange(256) >> 2 & 7) == 2,
    np.arange(256) >> 5 == 2,
    np.arange(256) >> 5 > 0,
)


@dataclass(frozen=True)
class Value:
    """A figure in one period. `reason` says why there is no value: no-data, outside-data, not-in-data (no case has such
    a time or answer), no-cases (n is 0), hidden."""

    value: float | int | None
    n: int
    low: float | None = None
    high: float | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Figure:
    """One figure now and before; `differs`: by more than chance (5 %), None where that cannot be said."""

    key: str
    unit: str
    now: Value
    before: Value
    differs: bool | None


@dataclass(frozen=True)
class Summary:
    """All figures of a choice of cases. `unplaced` and `outside` (of every unit) are of which, never beside.

    previous_reason: before-data or after-data where there is no comparison. caveats: period-incomplete (it goes on
    after the last case), source-begins-later (a source has no case yet when the comparison begins).
    """

    period: tuple[dt.date | None, dt.date | None]
    previous: Period | None
    previous_reason: str | None
    versus: str
    asof: dt.datetime | None
    previous_asof: dt.datetime | None
    total: int
    unplaced: int
    outside: int
    figures: tuple[Figure, ...]
    caveats: tuple[str, ...]
    version: str
    k: int = 0


@dataclass(frozen=True, eq=False)
class Walked:
    """What one walk over the cases of a period found: cases by their facts, sums named by `figure_kernels`; n, median,
    low, high of the days to close."""

    kinds: Counts
    sums: Counts
    days: NDArray[np.float64]

    @property
    def total(self) -> int:
        """All cases."""
        return int(self.kinds.sum())

    def of(self, facts: NDArray[np.bool_]) -> int:
        """The cases with some facts."""
        return int(self.kinds[facts].sum())


def summary(
    factory: SessionFactory,
    store: ColumnStore,
    *,
    where: CaseFilter = EVERYTHING,
    by: str | None = None,
    codes: Sequence[str] = (),
    plan: str = "current",
    asof: dt.datetime | None = None,
    versus: str = "previous",
) -> Summary:
    """The figures of the city or of some zones in the period of `where` (without one: all there is).

    Raises RefusedArgument (field versus, category, code) and NotFound (plan, level, zone).
    """
    if versus not in VERSUS:
        raise unknown_word("versus", versus, VERSUS)
    columns = store.current()
    chosen = choose(factory, store, columns, by, codes, plan)
    period, instant = period_of(columns, where), instant_of(columns, asof)
    previous, reason = comparison(columns, where, period, versus)
    now = _walk(columns, chosen, where, instant)
    before, instant_before = None, None
    if previous is not None and reason is None and instant is not None and period[0] is not None:
        instant_before = instant - (period[0] - previous[0])
        before = _walk(
            columns, chosen, replace(where, from_date=previous[0], to_date=previous[1]), instant_before
        )
    missing = _outside(columns, period)
    figures = tuple(
        _figure(key, columns, (now, missing), (before, reason), _days(period), _days(previous))
        for key in UNITS
    )
    return Summary(
        period=period,
        previous=previous,
        previous_reason=reason,
        versus=versus,
        asof=instant,
        previous_asof=instant_before,
        total=now.total,
        unplaced=int(now.sums[kernels.LOST]),
        outside=int(now.sums[kernels.AWAY]),
        figures=figures,
        caveats=_caveats(columns, where, period, previous if reason is None else None),
        version=f"{columns.version}/{chosen.version}/{ground_version(store)}",
    )


def comparison(
    columns: Columns, where: CaseFilter, period: tuple[dt.date | None, dt.date | None], versus: str
) -> tuple[Period | None, str | None]:
    """(the days compared with, why they cannot be): None without a period, `before-data`, `after-data`."""
    first, stop = period
    if first is None or stop is None or first >= stop:
        return None, "no-data"
    if versus == "last-year":
        found = _year_before(first), _year_before(stop)
    else:
        found = first - (stop - first), first
    begins = _beginnings(columns, where)
    if not begins or found[0] < min(begins):
        return found, "before-data"
    last = period_of(columns, EVERYTHING)[1]
    return found, "after-data" if last is not None and found[0] >= last else None


# ── Helpers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _year_before(date: dt.date) -> dt.date:
    """The same date a year before; 29 February becomes the 28th."""
    try:
        return date.replace(year=date.year - 1)
    except ValueError:
        return date.replace(year=date.year - 1, day=28)


def _beginnings(columns: Columns, where: CaseFilter) -> list[dt.date]:
    """The day of the first case of each catalogue (a source's) that the filter asks about."""
    wanted = {columns.categories[i].catalogue for i in category_ordinals(columns, where.categories).tolist()}
    first: dict[str, int] = {}
    for i, category in enumerate(columns.categories):
        start, end = columns.category_ptr[i], columns.category_ptr[i + 1]
        if category.catalogue in wanted and start < end:
            day = int(columns.day[start])
            first[category.catalogue] = min(day, first.get(category.catalogue, day))
    return [dt.date(1970, 1, 1) + dt.timedelta(days=day) for day in first.values()]


def _caveats(
    columns: Columns,
    where: CaseFilter,
    period: tuple[dt.date | None, dt.date | None],
    previous: Period | None,
) -> tuple[str, ...]:
    found = []
    last = period_of(columns, EVERYTHING)[1]
    if period[1] is not None and last is not None and period[1] > last:
        found.append("period-incomplete")
    if previous is not None and any(first > previous[0] for first in _beginnings(columns, where)):
        found.append("source-begins-later")
    return tuple(found)


def _outside(columns: Columns, period: tuple[dt.date | None, dt.date | None]) -> str | None:
    """Why the period itself says nothing: the data hold no case, or none of its days."""
    first, stop = period_of(columns, EVERYTHING)
    if first is None or stop is None:
        return "no-data"
    apart = (period[1] is not None and period[1] <= first) or (period[0] is not None and period[0] >= stop)
    return "outside-data" if apart else None


def _days(period: tuple[dt.date | None, dt.date | None] | None) -> int:
    if period is None or period[0] is None or period[1] is None:
        return 0
    return (period[1] - period[0]).days


def _walk(columns: Columns, chosen: Chosen, where: CaseFilter, instant: dt.datetime | None) -> Walked:
    """One pass over the wanted cases, in threads where there are many."""
    selection = select(columns, where)
    asof = min(columns.tick(instant), LAST_TICK) if instant else 0

    def run(rows: Rows) -> Part:
        kinds, sums = np.zeros(256, dtype=np.int64), np.zeros(kernels.SUMS, dtype=np.int64)
        ticks = np.empty(int((rows[1] - rows[0]).sum()) + 1, dtype=np.uint32)
        m = kernels.walk(
            chosen.slots, chosen.wanted, chosen.every, columns.unit, columns.facts, selection.keep_table,
            columns.opened, columns.closed, columns.due, asof, *rows, kinds, sums, ticks,
        )  # fmt: skip
        return kinds, sums, ticks[:m]

    found = _in_threads(selection, run)
    ticks = found[0][2] if len(found) == 1 else np.concatenate([part[2] for part in found])
    kinds, sums = (np.sum([part[k] for part in found], axis=0) for k in (0, 1))
    return Walked(kinds, sums, _middle_days(ticks, columns.tick_s))


def _in_threads(selection: Selection, run: Callable[[Rows], Part]) -> list[Part]:
    tasks = min(THREADS, selection.rows // ROWS_PER_THREAD + 1)
    if tasks == 1:
        return [run((selection.starts, selection.ends))]
    with ThreadPoolExecutor(tasks) as pool:
        return list(pool.map(run, shares_of(selection, tasks)))


def _middle_days(ticks: NDArray[np.uint32], tick_s: int) -> NDArray[np.float64]:
    """(n, median, low, high) of the times to close, in days; NaN where there are none or too few. Reorders the ticks.

    One place is sought at a time: NumPy looks for several at once twenty times as slowly.
    """
    n = len(ticks)
    if not n:
        return np.array([0, np.nan, np.nan, np.nan])
    half = n // 2
    ticks.partition(half)
    below = int(ticks[:half].max()) if n % 2 == 0 else int(ticks[half])
    middle = (below + int(ticks[half])) / 2
    low, high = (int(place) for place in chances.ranks_of_median(n))
    ends = [np.nan, np.nan]
    if low:
        ticks[:half].partition(low - 1)
        ticks[half:].partition(high - 1 - half)
        ends = [float(ticks[low - 1]), float(ticks[high - 1])]
    return np.array([n, *(v * tick_s / SECONDS_PER_DAY for v in (middle, *ends))])


def _figure(
    key: str,
    columns: Columns,
    now: tuple[Walked, str | None],
    before: tuple[Walked | None, str | None],
    days: int,
    days_before: int,
) -> Figure:
    known = key not in NEEDS or columns.known[NEEDS[key]] > 0
    missing = None if known else "not-in-data"
    value = _value(key, now[0], now[1] or missing)
    earlier = _value(key, before[0], before[1] or missing)
    differs = None
    if before[0] is not None and value.value is not None and earlier.value is not None:
        differs = _differs(key, value, earlier, now[0], before[0], (days, days_before))
    return Figure(key, UNITS[key], value, earlier, differs)


def _value(key: str, walked: Walked | None, reason: str | None) -> Value:
    if reason is not None or walked is None:
        return Value(None, 0, reason=reason or "no-data")
    if key in COUNTS:
        n = _count(key, walked)
        low, high = chances.of_count(n)
        return Value(n, n, float(low), float(high))
    if key == "median_days_to_close":
        return _median(walked)
    part, whole = parts_of(key, walked)
    if not whole:
        return Value(None, 0, reason="no-cases")
    low, high = chances.of_share(part, whole)
    return Value(part / whole, whole, float(low), float(high))


def _median(walked: Walked) -> Value:
    n, middle, low, high = walked.days.tolist()
    if not n:
        return Value(None, 0, reason="no-cases")
    ends = (None, None) if np.isnan(low) else (low, high)
    return Value(middle, int(n), *ends)


def _count(key: str, walked: Walked) -> int:
    if key == "cases":
        return walked.total
    return int(walked.sums[kernels.OPEN if key == "open" else kernels.OVERDUE])


def parts_of(key: str, walked: Walked) -> tuple[int, int]:
    """(part, whole) of a share."""
    if key == "overdue_share":
        late = walked.sums[kernels.LATE_CLOSED] + walked.sums[kernels.OVERDUE]
        return int(late), int(walked.sums[kernels.DECIDED])
    if key == "satisfied_share":
        return walked.of(SATISFIED), walked.of(ANSWERED)
    return walked.of(CITIZEN), walked.of(CITIZEN | PATROL)


def _differs(
    key: str, now: Value, before: Value, walked: Walked, walked_before: Walked, days: tuple[int, int]
) -> bool | None:
    if key in COUNTS:
        return chances.counts_differ(now.n, before.n, *days)
    if key in SHARES:
        return chances.shares_differ(*parts_of(key, walked), *parts_of(key, walked_before))
    if now.low is None or now.high is None or before.low is None or before.high is None:
        return None
    return now.low > before.high or before.low > now.high

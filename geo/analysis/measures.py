"""What each measure counts, slot by slot. `asof` is an instant; every rule is the SQL beside it, to the second.

| measure | value | n |
|---|---|---|
| cases | all cases, void ones too | the same |
| open | `status <> void AND opened_at <= asof AND coalesce(closed_at > asof, status <> closed)` | the same |
| overdue | open and `due_at < asof` | the same |
| per_km2 | cases ÷ area in km² | cases |
| per_1000_households | cases ÷ households × 1000 | cases |
| median_days_to_close | median of `closed_at - opened_at` in days; not void, `closed_at <= asof` | these |
| response_share | dispatched by asof ÷ begun by asof (not void, `opened_at <= asof`) | begun |
| resolved_share | begun and no longer open ÷ begun | begun |
| satisfied_share | `satisfied` ÷ `satisfied IS NOT NULL` | answers |

Limits per urgency tier and working-hour clocks belong to the indicators; `response_share` only asks whether.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from geo.analysis import kernels
from geo.analysis.layers import LayerOfCases
from geo.analysis.selection import Selection, all_categories, keeping, other_categories, within
from geo.column_build import SATISFIED_YES
from geo.columns import Columns
from geo.placement import THREADS

Counts = NDArray[np.int32]
Rows = NDArray[np.int64]
Floats = NDArray[np.float64]
Loop = Callable[[Selection, Rows, Rows, Counts], None]

ROWS_PER_THREAD = 2_000_000
SLOTS_FROM_ROWS = 500_000  # below this, the label of each case is looked up
WEEKLY_FROM_ROWS = 250_000  # below this, walking the cases is as fast
SECONDS_PER_DAY = 86_400.0


@dataclass(frozen=True, eq=False)
class Tally:
    """One measure per slot (see `geo.analysis.kernels`): the value (NaN: no data) and the cases behind it."""

    values: Floats
    n: NDArray[np.int64]


def tally(columns: Columns, layer: LayerOfCases, selection: Selection, measure: str, asof: int) -> Tally:
    """The measure of every slot: 0 left open, 1 unplaced, 2 outside, 3 … the zones. `asof` in ticks."""
    if measure in ("cases", "per_km2", "per_1000_households"):
        n = count(columns, layer, selection)
        return _tally(n if measure == "cases" else _rate(layer, measure, n), n)
    if measure in ("open", "resolved_share"):
        begun, still = _begun_and_open(columns, layer, selection, asof)
        return _tally(still, still) if measure == "open" else _share(begun - still, begun)
    if measure == "overdue":
        late = _overdue(columns, layer, selection, asof)
        return _tally(late, late)
    if measure == "response_share":
        begun, responded = _responded(columns, layer, selection, asof)
        known = columns.known["dispatched"] > 0
        return _share(responded, begun) if known else _tally(np.full(len(begun), np.nan), begun)
    if measure == "satisfied_share":
        answered = count(columns, layer, keeping(selection, np.arange(256) >> 5 > 0))
        satisfied = count(columns, layer, keeping(selection, np.arange(256) >> 5 == SATISFIED_YES >> 5))
        return _share(satisfied, answered)
    return _median_days(columns, layer, selection, asof)


def _tally(values: Counts | Floats, n: Counts) -> Tally:
    return Tally(values.astype(np.float64), n.astype(np.int64))


def count(columns: Columns, layer: LayerOfCases, selection: Selection) -> Counts:
    """Wanted cases per slot; of nearly all cases by weekly sums, less the few that were not asked for."""
    if selection.keep is None and layer.labels is columns.unit and selection.rows > WEEKLY_FROM_ROWS:
        rest = other_categories(columns, selection)
        if len(columns.weekly) and rest.rows < selection.rows:
            return _count_everything(columns, layer, selection) - _count_rows(columns, layer, rest)
    return _count_rows(columns, layer, selection)


def _count_rows(columns: Columns, layer: LayerOfCases, selection: Selection) -> Counts:
    if selection.rows < SLOTS_FROM_ROWS:
        return _count_labels(columns, layer, selection)
    slots = layer.slots()

    def loop(part: Selection, starts: Rows, ends: Rows, out: Counts) -> None:
        if part.keep is None:
            kernels.count_all(slots, starts, ends, out[0])
        else:
            kernels.count_kept(slots, columns.facts, part.keep, starts, ends, out[0])

    only: Counts = _add_up(layer, selection, loop)[0]
    return only


def _count_labels(columns: Columns, layer: LayerOfCases, selection: Selection) -> Counts:
    """So few that it is not worth making slots: label by label, fold by fold."""
    total = _zeros(layer)
    for fold in layer.folds:
        whole = len(layer.folds) == 1
        part = selection if whole else within(columns, selection, fold.first_day, fold.stop_day)
        rows = (part.starts, part.ends, total)
        if part.keep is None:
            kernels.count_labels(layer.labels, fold.table, *rows)
        else:
            kernels.count_labels_kept(layer.labels, fold.table, columns.facts, part.keep, *rows)
    return total


def _count_everything(columns: Columns, layer: LayerOfCases, selection: Selection) -> Counts:
    """All categories in the days of a selection: whole weeks by their sums, the days at both ends case by case."""
    total = _zeros(layer)
    every = all_categories(columns, selection)
    weeks, begin = len(columns.weekly) - 1, columns.first_day
    for fold in layer.folds:
        first, stop = max(fold.first_day, every.first_day), min(fold.stop_day, every.stop_day)
        low, high = max(0, -((begin - first) // 7)), min(weeks, (stop - begin) // 7)
        alone = replace(layer, folds=(fold,))
        if low >= high:
            total += _count_rows(columns, alone, within(columns, every, first, stop))
            continue
        kernels.fold_between(columns.weekly[low], columns.weekly[high], fold.table, total)
        total += _count_rows(columns, alone, within(columns, every, first, begin + 7 * low))
        total += _count_rows(columns, alone, within(columns, every, begin + 7 * high, stop))
    return total


def _begun_and_open(
    columns: Columns, layer: LayerOfCases, selection: Selection, asof: int
) -> tuple[Counts, Counts]:
    slots, keep = layer.slots(), selection.keep_table

    def loop(part: Selection, starts: Rows, ends: Rows, out: Counts) -> None:
        times = (columns.opened, columns.closed, asof)
        kernels.count_open(slots, columns.facts, keep, *times, starts, ends, out[0], out[1])

    begun, still = _add_up(layer, selection, loop, 2)
    return begun, still


def _overdue(columns: Columns, layer: LayerOfCases, selection: Selection, asof: int) -> Counts:
    slots, keep = layer.slots(), selection.keep_table

    def loop(part: Selection, starts: Rows, ends: Rows, out: Counts) -> None:
        times = (columns.opened, columns.closed, columns.due, asof)
        kernels.count_overdue(slots, columns.facts, keep, *times, starts, ends, out[0])

    only: Counts = _add_up(layer, selection, loop)[0]
    return only


def _responded(
    columns: Columns, layer: LayerOfCases, selection: Selection, asof: int
) -> tuple[Counts, Counts]:
    slots, keep = layer.slots(), selection.keep_table

    def loop(part: Selection, starts: Rows, ends: Rows, out: Counts) -> None:
        times = (columns.opened, columns.dispatched, asof)
        kernels.count_responded(slots, columns.facts, keep, *times, starts, ends, out[0], out[1])

    begun, responded = _add_up(layer, selection, loop, 2)
    return begun, responded


def _median_days(columns: Columns, layer: LayerOfCases, selection: Selection, asof: int) -> Tally:
    slot, ticks = np.empty(selection.rows, dtype=np.uint32), np.empty(selection.rows, dtype=np.uint32)
    rows = (columns.opened, columns.closed, asof, selection.starts, selection.ends, slot, ticks)
    m = kernels.gather_durations(layer.slots(), columns.facts, selection.keep_table, *rows)
    size = len(layer.zones) + kernels.SLOTS
    n, middle = np.zeros(size, dtype=np.int64), np.empty(size)
    kernels.medians(slot[:m], ticks[:m], n, middle)
    return Tally(middle * (columns.tick_s / SECONDS_PER_DAY), n)


def _share(part: Counts, whole: Counts) -> Tally:
    with np.errstate(invalid="ignore", divide="ignore"):
        return _tally(np.where(whole > 0, part / whole, np.nan), whole)


def _rate(layer: LayerOfCases, measure: str, n: Counts) -> Floats:
    values = n.astype(np.float64)
    size = layer.zones.area_m2 / 1e6
    if measure == "per_1000_households":
        counted = layer.zones.households
        size = np.full(len(layer.zones), np.nan) if counted is None else counted / 1000
    values[: kernels.SLOTS] = np.nan
    with np.errstate(invalid="ignore", divide="ignore"):
        values[kernels.SLOTS :] = np.where(size > 0, n[kernels.SLOTS :] / size, np.nan)
    return values


def _zeros(layer: LayerOfCases) -> Counts:
    return np.zeros(len(layer.zones) + kernels.SLOTS, dtype=np.int32)


def _add_up(layer: LayerOfCases, selection: Selection, loop: Loop, width: int = 1) -> Counts:
    """Runs a loop over the selection, in threads where it is large; sums per slot, `width` rows."""
    tasks = min(THREADS, selection.rows // ROWS_PER_THREAD + 1)

    def run(rows: tuple[Rows, Rows]) -> Counts:
        out = np.zeros((width, len(layer.zones) + kernels.SLOTS), dtype=np.int32)
        loop(selection, *rows, out)
        return out

    if tasks == 1:
        return run((selection.starts, selection.ends))
    with ThreadPoolExecutor(tasks) as pool:
        first, *others = pool.map(run, shares_of(selection, tasks))
    for other in others:
        first += other
    return first


def shares_of(part: Selection, tasks: int) -> list[tuple[Rows, Rows]]:
    """The slices cut into `tasks` lots of about the same number of rows."""
    before = np.r_[0, np.cumsum(part.ends - part.starts)]
    lots = []
    for t in range(tasks):
        low, high = part.rows * t // tasks, part.rows * (t + 1) // tasks
        starts = part.starts + np.clip(low - before[:-1], 0, part.ends - part.starts)
        ends = part.starts + np.clip(high - before[:-1], 0, part.ends - part.starts)
        lots.append((starts, ends))
    return lots

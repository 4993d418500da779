"""Compiled loops for the summary, the matrix and rank ranges: one walk over the cases, everything counted on the way.

`every` true: all cases, whatever their zone (`slots` is not looked at); else those whose slot `wanted` says 1 for.
Slots, facts and keep tables are those of `geo.analysis.kernels`. All loops release the interpreter's lock.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from geo.analysis.kernels import CLOSED, I4, I8, NONE, STATUS_MASK, U1, U4, VOID, Slots, _select

F8 = NDArray[np.float64]
BEGUN, OPEN, OVERDUE, DECIDED, LOST, AWAY, LATE_CLOSED = range(7)
SUMS = 7
HOURS = 7 * 24
WEEKS_BEFORE = 7 * 10_000 + 3  # 1970-01-01 was a Thursday; unsigned division is several times as fast


@njit(cache=True, nogil=True)
def walk(
    slots: Slots,
    wanted: U1,
    every: bool,
    unit: I4,
    facts: U1,
    keep: U1,
    opened: U4,
    closed: U4,
    due: U4,
    asof: int,
    starts: I8,
    ends: I8,
    kinds: I8,
    sums: I8,
    ticks: U4,
) -> int:
    """Fills `kinds` (cases by their facts), `sums` (named by the constants above) and `ticks` (opening to closing of
    cases closed by `asof`, at most the last tick); returns how many ticks. LOST: unplaced, AWAY: outside every unit.

    Without branches: on real cases a processor guesses half of them wrong, which took six times as long.
    """
    m = begun = open_ = overdue = decided = late = lost = away = np.int64(0)
    for s in range(len(starts)):
        for i in range(starts[s], ends[s]):
            fact = facts[i]
            asked = np.int64(keep[fact])
            if not every:
                asked &= np.int64(wanted[slots[i]])
            kinds[fact] += asked
            lost += asked & np.int64(unit[i] == -2)
            away += asked & np.int64(unit[i] == -1)
            status, done, until = fact & STATUS_MASK, closed[i], due[i]
            live = asked & np.int64(status != VOID)
            by_then = live & np.int64(done <= asof)
            ticks[m] = done - opened[i]
            m += by_then
            started = live & np.int64(opened[i] <= asof)
            still = started & np.int64(done > asof) & np.int64((done != NONE) | (status != CLOSED))
            passed = np.int64(until < asof)
            begun += started
            open_ += still
            overdue += still & passed
            decided += (by_then & np.int64(until != NONE)) | (still & passed)
            late += by_then & np.int64(until < done)
    sums[BEGUN] += begun
    sums[OPEN] += open_
    sums[OVERDUE] += overdue
    sums[DECIDED] += decided
    sums[LATE_CLOSED] += late
    sums[LOST] += lost
    sums[AWAY] += away
    return int(m)


@njit(cache=True, nogil=True)
def count_hours(
    slots: Slots,
    wanted: U1,
    every: bool,
    unit: I4,
    facts: U1,
    keep: U1,
    day: I4,
    opened: U4,
    base_s: int,
    tick_s: int,
    since_s: I8,
    offset_s: I8,
    starts: I8,
    ends: I8,
    cells: I8,
    beside: I8,
) -> None:
    """Cases per weekday (from Monday) and hour in `cells`; `beside`: unplaced, outside every unit, opened at 0:00:00."""
    last = len(since_s) - 1
    for s in range(len(starts)):
        for i in range(starts[s], ends[s]):
            if not keep[facts[i]] or not (every or wanted[slots[i]]):
                continue
            second = base_s + np.int64(opened[i]) * tick_s
            low, high = 0, last
            while low < high:
                middle = (low + high + 1) // 2
                if since_s[middle] <= second:
                    low = middle
                else:
                    high = middle - 1
            within = np.uint32(min(max(second + offset_s[low] - np.int64(day[i]) * 86_400, 0), 86_399))
            weekday = np.uint32(day[i] + WEEKS_BEFORE) % np.uint32(7)
            cells[weekday * np.uint32(24) + within // np.uint32(3600)] += 1
            if unit[i] == -2:
                beside[0] += 1
            elif unit[i] == -1:
                beside[1] += 1
            if within == 0:
                beside[2] += 1


@njit(cache=True, nogil=True)
def order_statistics(slots: U4, ticks: U4, n: I8, low: I8, high: I8, out: F8) -> None:
    """Of every slot the median in out[0], and the values at the places `low` and `high` (from 1) of its sorted ticks in
    out[1] and out[2]; NaN where there is no tick, or low is 0. `n`: how many ticks each slot has."""
    at = np.zeros(len(n) + 1, dtype=np.int64)
    for slot in range(len(n)):
        at[slot + 1] = at[slot] + n[slot]
    place = at[:-1].copy()
    laid = np.empty(len(slots), dtype=np.uint32)
    for i in range(len(slots)):
        laid[place[slots[i]]] = ticks[i]
        place[slots[i]] += 1
    for slot in range(len(n)):
        out[:, slot] = np.nan
        k = n[slot]
        if k == 0:
            continue
        group = laid[at[slot] : at[slot + 1]]
        upper = _select(group, k // 2)
        lower = upper if k % 2 else _select(group[: k // 2], k // 2 - 1)
        out[0, slot] = (np.float64(lower) + np.float64(upper)) / 2.0
        if low[slot] > 0:  # what lies below the middle is looked for below it, and so above
            out[1, slot] = _select(group[: k // 2], low[slot] - 1)
            out[2, slot] = _select(group[k // 2 :], high[slot] - 1 - k // 2)


@njit(cache=True, nogil=True)
def count_apart(y: F8, variance: F8, factor: float, first: I8, stop: I8, above: I8, below: I8) -> None:
    """Adds to above[i] (below[j]) how many j (i) with first[i] ≤ j < stop[i] have y[j] − y[i] > factor × the standard
    deviation of their difference. `y` ascends."""
    for i in range(len(y)):
        mine, spread, found = y[i], variance[i], np.int64(0)
        for j in range(first[i], stop[i]):
            gap = y[j] - mine
            apart = np.int64(gap * gap > factor * factor * (spread + variance[j]))
            found += apart
            below[j] += apart
        above[i] += found

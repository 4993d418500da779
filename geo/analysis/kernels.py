"""Compiled loops over cases. Where a case counts is its slot.

Slots of an answer: 0 open (left so by a draft), 1 unplaced, 2 outside, 3 … the zones. `slots` holds the slot of every
case under one layer (`fill_slots`), two bytes each where they suffice: asked for once, then every count reads memory
in order. A `table` says the slot of each label from −2 on, for counts too small to make slots for. A keep table says
for each of the 256 values of `facts` whether such a case is wanted. All loops release the interpreter's lock.

Indices are unsigned where they come from the data: numba then needs no test for negative ones, and counting 10 M cases
takes 7 ms instead of 55.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

SLOTS = 3
UNPLACED_SLOT, OUTSIDE_SLOT = 1, 2
STATUS_MASK, CLOSED, VOID = 3, 1, 2
NONE = 2**32 - 1

I8: TypeAlias = NDArray[np.int64]
I4: TypeAlias = NDArray[np.int32]
U4: TypeAlias = NDArray[np.uint32]
U1: TypeAlias = NDArray[np.uint8]
Slots: TypeAlias = NDArray[np.uint16] | NDArray[np.uint32]


def slot_table(zone_of: I4) -> Slots:
    """The slot of every label from −2 on, from the zone of every label from 0 on (−1 outside, −3 left open).

    >>> slot_table(np.array([0, -1, 1, -3], dtype=np.int32)).tolist()
    [1, 2, 3, 2, 4, 0]
    """
    kind = np.uint16 if zone_of.max(initial=0) + SLOTS < 2**16 else np.uint32
    table: Slots = np.r_[np.array([UNPLACED_SLOT, OUTSIDE_SLOT]), zone_of + SLOTS].astype(kind)
    return table


@njit(inline="always")
def _slot(label: int, table: Slots) -> int:
    return int(table[np.uint64(label + 2)])


@njit(cache=True, nogil=True)
def fill_slots(labels: I4, table: Slots, out: Slots) -> None:
    """The slot of every case."""
    for i in range(len(labels)):
        out[i] = table[np.uint64(labels[i] + 2)]


@njit(cache=True, nogil=True)
def fill_slots_between(labels: I4, table: Slots, day: I4, first: int, stop: int, out: Slots) -> None:
    """The slot of every case opened on days first ≤ day < stop."""
    for i in range(len(labels)):
        if first <= day[i] < stop:
            out[i] = table[np.uint64(labels[i] + 2)]


@njit(inline="always")
def _first_not_before(day: I4, start: int, stop: int, wanted: int) -> int:
    while start < stop:
        middle = (start + stop) // 2
        if day[middle] < wanted:
            start = middle + 1
        else:
            stop = middle
    return start


@njit(cache=True, nogil=True)
def find_slices(day: I4, ptr: I8, categories: I4, first: int, stop: int, starts: I8, ends: I8) -> None:
    """The rows of each wanted category with first ≤ day < stop: they stand beside each other."""
    for i in range(len(categories)):
        low, high = ptr[categories[i]], ptr[categories[i] + 1]
        starts[i] = _first_not_before(day, low, high, first)
        ends[i] = _first_not_before(day, starts[i], high, stop)


@njit(cache=True, nogil=True)
def count_all(slots: Slots, starts: I8, ends: I8, out: I4) -> None:
    """Cases per slot."""
    for s in range(len(starts)):
        for i in range(starts[s], ends[s]):
            out[slots[i]] += 1


@njit(cache=True, nogil=True)
def count_kept(slots: Slots, facts: U1, keep: U1, starts: I8, ends: I8, out: I4) -> None:
    """Cases per slot that the keep table wants."""
    for s in range(len(starts)):
        for i in range(starts[s], ends[s]):
            out[slots[i]] += keep[facts[i]]


@njit(cache=True, nogil=True)
def count_labels(labels: I4, table: Slots, starts: I8, ends: I8, out: I4) -> None:
    """Cases per slot, by their labels."""
    for s in range(len(starts)):
        for i in range(starts[s], ends[s]):
            out[table[np.uint64(labels[i] + 2)]] += 1


@njit(cache=True, nogil=True)
def count_labels_kept(labels: I4, table: Slots, facts: U1, keep: U1, starts: I8, ends: I8, out: I4) -> None:
    """Cases per slot that the keep table wants, by their labels."""
    for s in range(len(starts)):
        for i in range(starts[s], ends[s]):
            out[table[np.uint64(labels[i] + 2)]] += keep[facts[i]]


@njit(cache=True, nogil=True)
def fold_between(before: U4, after: U4, table: Slots, out: I4) -> None:
    """Adds after − before, counts per label from −2 on, to the slots of the labels."""
    for i in range(len(before)):
        out[table[i]] += np.int32(after[i] - before[i])


@njit(inline="always")
def _begun(fact: int, opened: int, asof: int) -> bool:
    return opened <= asof and (fact & STATUS_MASK) != VOID


@njit(inline="always")
def _still_open(fact: int, closed: int, asof: int) -> bool:
    """Not closed by then; a case called closed without a closing time is closed."""
    if closed == NONE:
        return (fact & STATUS_MASK) != CLOSED
    return closed > asof


@njit(cache=True, nogil=True)
def count_open(
    slots: Slots,
    facts: U1,
    keep: U1,
    opened: U4,
    closed: U4,
    asof: int,
    starts: I8,
    ends: I8,
    begun: I4,
    still: I4,
) -> None:
    """Per slot: cases begun by an instant (void ones apart), and those of them still open then."""
    for s in range(len(starts)):
        for i in range(starts[s], ends[s]):
            fact = facts[i]
            if keep[fact] and _begun(fact, opened[i], asof):
                slot = slots[i]
                begun[slot] += 1
                if _still_open(fact, closed[i], asof):
                    still[slot] += 1


@njit(cache=True, nogil=True)
def count_overdue(
    slots: Slots,
    facts: U1,
    keep: U1,
    opened: U4,
    closed: U4,
    due: U4,
    asof: int,
    starts: I8,
    ends: I8,
    out: I4,
) -> None:
    """Per slot: cases open at an instant whose due time had passed."""
    for s in range(len(starts)):
        for i in range(starts[s], ends[s]):
            fact = facts[i]
            late = keep[fact] and due[i] < asof and _begun(fact, opened[i], asof)
            if late and _still_open(fact, closed[i], asof):
                out[slots[i]] += 1


@njit(cache=True, nogil=True)
def count_responded(
    slots: Slots,
    facts: U1,
    keep: U1,
    opened: U4,
    dispatched: U4,
    asof: int,
    starts: I8,
    ends: I8,
    begun: I4,
    out: I4,
) -> None:
    """Per slot: cases begun by an instant (void ones apart), and those of them dispatched by then."""
    for s in range(len(starts)):
        for i in range(starts[s], ends[s]):
            fact = facts[i]
            if keep[fact] and _begun(fact, opened[i], asof):
                slot = slots[i]
                begun[slot] += 1
                if dispatched[i] != NONE and dispatched[i] <= asof:
                    out[slot] += 1


@njit(cache=True, nogil=True)
def gather_durations(
    slots: Slots,
    facts: U1,
    keep: U1,
    opened: U4,
    closed: U4,
    asof: int,
    starts: I8,
    ends: I8,
    slot: U4,
    ticks: U4,
) -> int:
    """Slot and ticks from opening to closing of every wanted case closed by an instant; returns how many."""
    m = 0
    for s in range(len(starts)):
        for i in range(starts[s], ends[s]):
            fact = facts[i]
            if keep[fact] and closed[i] != NONE and closed[i] <= asof and (fact & STATUS_MASK) != VOID:
                slot[m] = slots[i]
                ticks[m] = closed[i] - opened[i]
                m += 1
    return m


@njit(inline="always")
def _select(values: U4, k: int) -> int:
    """The k-th smallest; afterwards nothing before k is larger, nothing behind is smaller (Hoare's FIND, 1961)."""
    low, high = 0, len(values) - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if k <= j:
            high = j
        elif k >= i:
            low = i
        else:
            break
    return int(values[k])


@njit(cache=True, nogil=True)
def medians(slots: U4, ticks: U4, n: I8, out: NDArray[np.float64]) -> None:
    """The median of the ticks of every slot, NaN where there are none; `n` is set to how many there are."""
    for i in range(len(slots)):
        n[slots[i]] += 1
    at = np.zeros(len(n) + 1, dtype=np.int64)
    for slot in range(len(n)):
        at[slot + 1] = at[slot] + n[slot]
    place = at[:-1].copy()
    laid = np.empty(len(slots), dtype=np.uint32)
    for i in range(len(slots)):
        laid[place[slots[i]]] = ticks[i]
        place[slots[i]] += 1
    for slot in range(len(n)):
        k = n[slot]
        if k == 0:
            out[slot] = np.nan
            continue
        group = laid[at[slot] : at[slot + 1]]
        upper = _select(group, k // 2)
        lower = upper
        if (
            k % 2 == 0
        ):  # everything before the upper one is at most as large: the lower one is the largest of it
            lower = group[0]
            for i in range(1, k // 2):
                lower = max(lower, group[i])
        out[slot] = (np.float64(lower) + np.float64(upper)) / 2.0


@njit(cache=True, nogil=True)
def count_days(
    labels: I4,
    table: Slots,
    slot: int,
    day: I4,
    facts: U1,
    keep: U1,
    starts: I8,
    ends: I8,
    first: int,
    out: I8,
) -> None:
    """Cases per day from `first` on; only those of one slot when `slot` ≥ 0."""
    for s in range(len(starts)):
        for i in range(starts[s], ends[s]):
            if keep[facts[i]] and (slot < 0 or _slot(labels[i], table) == slot):
                out[day[i] - first] += 1


@njit(cache=True, nogil=True)
def count_slices(
    labels: I4,
    table: Slots,
    slot: int,
    facts: U1,
    keep: U1,
    starts: I8,
    ends: I8,
    out: I8,
) -> None:
    """Cases per slice (a category each); only those of one slot when `slot` ≥ 0."""
    for s in range(len(starts)):
        for i in range(starts[s], ends[s]):
            if keep[facts[i]] and (slot < 0 or _slot(labels[i], table) == slot):
                out[s] += 1

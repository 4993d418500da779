"""Compiled loops over cases. A case's slot is `zone_of[label] + SLOTS` of its label, or a fixed one when it has none.

Slots of an answer: 0 open (left so by a draft), 1 unplaced, 2 outside, 3 … the zones. A keep table says for each of
the 256 values of `facts` whether such a case is wanted. All loops release the interpreter's lock.
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


@njit(inline="always")
def _slot(label: int, zone_of: I4) -> int:
    if label >= 0:
        return int(zone_of[label]) + SLOTS
    return OUTSIDE_SLOT if label == -1 else UNPLACED_SLOT


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
def count_all(labels: I4, zone_of: I4, starts: I8, ends: I8, out: I8) -> None:
    """Cases per slot."""
    for s in range(len(starts)):
        for i in range(starts[s], ends[s]):
            out[_slot(labels[i], zone_of)] += 1


@njit(cache=True, nogil=True)
def count_kept(labels: I4, zone_of: I4, facts: U1, keep: U1, starts: I8, ends: I8, out: I8) -> None:
    """Cases per slot that the keep table wants."""
    for s in range(len(starts)):
        for i in range(starts[s], ends[s]):
            out[_slot(labels[i], zone_of)] += keep[facts[i]]


@njit(cache=True, nogil=True)
def fold_between(before: U4, after: U4, zone_of: I4, out: I8) -> None:
    """Adds after − before, counts per label from −2 on, to the slots of the labels."""
    for i in range(len(before)):
        out[_slot(i - 2, zone_of)] += np.int64(after[i]) - np.int64(before[i])


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
    labels: I4,
    zone_of: I4,
    facts: U1,
    keep: U1,
    opened: U4,
    closed: U4,
    asof: int,
    starts: I8,
    ends: I8,
    begun: I8,
    still: I8,
) -> None:
    """Per slot: cases begun by an instant (void ones apart), and those of them still open then."""
    for s in range(len(starts)):
        for i in range(starts[s], ends[s]):
            fact = facts[i]
            if keep[fact] and _begun(fact, opened[i], asof):
                slot = _slot(labels[i], zone_of)
                begun[slot] += 1
                if _still_open(fact, closed[i], asof):
                    still[slot] += 1


@njit(cache=True, nogil=True)
def count_overdue(
    labels: I4,
    zone_of: I4,
    facts: U1,
    keep: U1,
    opened: U4,
    closed: U4,
    due: U4,
    asof: int,
    starts: I8,
    ends: I8,
    out: I8,
) -> None:
    """Per slot: cases open at an instant whose due time had passed."""
    for s in range(len(starts)):
        for i in range(starts[s], ends[s]):
            fact = facts[i]
            late = keep[fact] and due[i] < asof and _begun(fact, opened[i], asof)
            if late and _still_open(fact, closed[i], asof):
                out[_slot(labels[i], zone_of)] += 1


@njit(cache=True, nogil=True)
def count_responded(
    labels: I4,
    zone_of: I4,
    facts: U1,
    keep: U1,
    opened: U4,
    dispatched: U4,
    asof: int,
    starts: I8,
    ends: I8,
    begun: I8,
    out: I8,
) -> None:
    """Per slot: cases begun by an instant (void ones apart), and those of them dispatched by then."""
    for s in range(len(starts)):
        for i in range(starts[s], ends[s]):
            fact = facts[i]
            if keep[fact] and _begun(fact, opened[i], asof):
                slot = _slot(labels[i], zone_of)
                begun[slot] += 1
                if dispatched[i] != NONE and dispatched[i] <= asof:
                    out[slot] += 1


@njit(cache=True, nogil=True)
def gather_durations(
    labels: I4,
    zone_of: I4,
    facts: U1,
    keep: U1,
    opened: U4,
    closed: U4,
    asof: int,
    starts: I8,
    ends: I8,
    slots: I4,
    ticks: U4,
) -> int:
    """Slot and ticks from opening to closing of every wanted case closed by an instant; returns how many."""
    m = 0
    for s in range(len(starts)):
        for i in range(starts[s], ends[s]):
            fact = facts[i]
            if keep[fact] and closed[i] != NONE and closed[i] <= asof and (fact & STATUS_MASK) != VOID:
                slots[m] = _slot(labels[i], zone_of)
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
def medians(slots: I4, ticks: U4, n: I8, out: NDArray[np.float64]) -> None:
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
    zone_of: I4,
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
            if keep[facts[i]] and (slot < 0 or _slot(labels[i], zone_of) == slot):
                out[day[i] - first] += 1


@njit(cache=True, nogil=True)
def count_slices(
    labels: I4,
    zone_of: I4,
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
            if keep[facts[i]] and (slot < 0 or _slot(labels[i], zone_of) == slot):
                out[s] += 1

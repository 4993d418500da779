"""Compiles the counting loops by running each once on three cases, as memory-mapped (read-only) columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo.analysis import figure_kernels, kernels


def run_once() -> None:
    """Runs every loop of both files of kernels on arrays of the types it is given in earnest."""
    for kind in (np.uint16, np.uint32):
        _by_slots(np.zeros(3, dtype=kind))
        _figures(_frozen(np.zeros(3, dtype=kind)))


def _by_slots(slots: NDArray[Any]) -> None:
    table = np.array([1, 2, 3], dtype=slots.dtype)
    labels, day = _frozen(np.array([0, -1, -2], dtype=np.int32)), _frozen(np.zeros(3, np.int32))
    facts, keep = _frozen(np.zeros(3, np.uint8)), np.ones(256, np.uint8)
    opened, closed = _frozen(np.zeros(3, np.uint32)), _frozen(np.ones(3, np.uint32))
    rows = (np.zeros(1, np.int64), np.zeros(1, np.int64))
    ptr, sums = _frozen(np.array([0, 3], np.int64)), _frozen(np.zeros((2, 3), np.uint32))
    out, two = np.zeros(4, np.int32), np.zeros((2, 4), np.int32)
    kernels.find_slices(day, ptr, np.zeros(1, np.int32), -1, 1, *rows)
    kernels.fill_slots(labels, table, slots)
    kernels.fill_slots_between(labels, table, day, 0, 1, slots)
    kernels.count_all(slots, *rows, out)
    kernels.count_kept(slots, facts, keep, *rows, out)
    kernels.count_labels(labels, table, *rows, out)
    kernels.count_labels_kept(labels, table, facts, keep, *rows, out)
    kernels.fold_between(sums[0], sums[1], table, out)
    kernels.count_open(slots, facts, keep, opened, closed, 0, *rows, two[0], two[1])
    kernels.count_overdue(slots, facts, keep, opened, closed, closed, 0, *rows, out)
    kernels.count_responded(slots, facts, keep, opened, closed, 0, *rows, two[0], two[1])
    slot, ticks = np.empty(3, np.uint32), np.empty(3, np.uint32)
    kernels.gather_durations(slots, facts, keep, opened, closed, 2, *rows, slot, ticks)
    kernels.medians(slot, ticks, np.zeros(4, np.int64), np.empty(4))
    kernels.count_days(labels, table, -1, day, facts, keep, *rows, 0, np.zeros(1, np.int64))
    kernels.count_slices(labels, table, -1, facts, keep, *rows, np.zeros(1, np.int64))


def _figures(slots: NDArray[Any]) -> None:
    wanted, whole = np.ones(4, np.uint8), _frozen(np.zeros(3, np.int32))
    facts, keep = _frozen(np.zeros(3, np.uint8)), np.ones(256, np.uint8)
    opened, closed = _frozen(np.zeros(3, np.uint32)), _frozen(np.ones(3, np.uint32))
    rows, step = (np.zeros(1, np.int64), np.zeros(1, np.int64)), np.zeros(1, np.int64)
    asked = (slots, wanted, True, whole, facts, keep)
    ticks = np.empty(3, np.uint32)
    figure_kernels.walk(
        *asked,
        opened,
        closed,
        closed,
        2,
        *rows,
        np.zeros(256, np.int64),
        np.zeros(figure_kernels.SUMS, np.int64),
        ticks,
    )
    cells = np.zeros(figure_kernels.HOURS, np.int64)
    figure_kernels.count_hours(*asked, whole, opened, 0, 1, step, step, *rows, cells, np.zeros(3, np.int64))
    n = np.zeros(4, np.int64)
    figure_kernels.order_statistics(np.zeros(0, np.uint32), ticks[:0], n, n, n, np.empty((3, 4)))
    one = np.ones(1)
    figure_kernels.count_apart(one, one, 1.0, *rows, step.copy(), step.copy())


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.setflags(write=False)
    return array

"""Compiles the counting loops by running each once on three cases, as memory-mapped (read-only) columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo.analysis import kernels


def run_once() -> None:
    """Runs every loop of `geo.analysis.kernels` on arrays of the types it is given in earnest."""
    labels = _frozen(np.array([0, -1, -2], dtype=np.int32))
    day, facts = _frozen(np.zeros(3, np.int32)), _frozen(np.zeros(3, np.uint8))
    opened, closed = _frozen(np.zeros(3, np.uint32)), _frozen(np.ones(3, np.uint32))
    zone_of, keep = np.zeros(1, np.int32), np.ones(256, np.uint8)
    starts, ends = np.zeros(1, np.int64), np.zeros(1, np.int64)
    ptr = _frozen(np.array([0, 3], np.int64))
    kernels.find_slices(day, ptr, np.zeros(1, np.int32), -1, 1, starts, ends)
    out, two = np.zeros(4, np.int64), np.zeros((2, 4), np.int64)
    rows = (starts, ends)
    kernels.count_all(labels, zone_of, *rows, out)
    kernels.count_kept(labels, zone_of, facts, keep, *rows, out)
    sums = _frozen(np.zeros((2, 3), np.uint32))
    kernels.fold_between(sums[0], sums[1], zone_of, out)
    kernels.count_open(labels, zone_of, facts, keep, opened, closed, 0, *rows, two[0], two[1])
    kernels.count_overdue(labels, zone_of, facts, keep, opened, closed, closed, 0, *rows, out)
    kernels.count_responded(labels, zone_of, facts, keep, opened, closed, 0, *rows, two[0], two[1])
    slots, ticks = np.empty(3, np.int32), np.empty(3, np.uint32)
    kernels.gather_durations(labels, zone_of, facts, keep, opened, closed, 2, *rows, slots, ticks)
    kernels.medians(slots, ticks, np.zeros(4, np.int64), np.empty(4))
    kernels.count_days(labels, zone_of, -1, day, facts, keep, *rows, 0, np.zeros(1, np.int64))
    kernels.count_slices(labels, zone_of, -1, facts, keep, *rows, np.zeros(1, np.int64))


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.setflags(write=False)
    return array

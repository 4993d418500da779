"""Compiled loops over the unit graph: keeping parts in one piece and moving border units. Cached on disk."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@njit(cache=True)
def stays_whole(
    u: int, indptr: Ints, indices: Ints, open_: Bools, label: Ints, seen: Ints, queue: Ints, stamp: int
) -> bool:
    """Whether the part of unit u stays in one piece without u. `seen` is scratch space; `stamp` two new numbers."""
    part = label[u]
    needed = 0
    first = -1
    for e in range(indptr[u], indptr[u + 1]):
        v = indices[e]
        if open_[e] and label[v] == part:
            needed += 1
            seen[v] = stamp
            first = v
    if needed == 0:
        return False
    if needed == 1:
        return True
    visited = stamp + 1
    seen[u] = visited
    seen[first] = visited
    queue[0] = first
    head, tail, found = 0, 1, 1
    while head < tail:
        x = queue[head]
        head += 1
        for e in range(indptr[x], indptr[x + 1]):
            v = indices[e]
            if not open_[e] or label[v] != part or seen[v] == visited:
                continue
            if seen[v] == stamp:
                found += 1
                if found == needed:
                    return True
            seen[v] = visited
            queue[tail] = v
            tail += 1
    return False


@njit(cache=True)
def _energy(load: float, target: float, perimeter: float, area: float, roundness: float) -> float:
    off = load / target - 1.0
    return off * off + roundness * perimeter / (2.0 * math.sqrt(math.pi * area))


@njit(cache=True)
def settle(
    indptr: Ints, indices: Ints, open_: Bools, length: Floats, weight: Floats, area: Floats, perimeter: Floats,
    label: Ints, target: Floats, order: Ints, roundness: float,
) -> int:  # fmt: skip
    """One pass over the units in `order`: a border unit changes sides when that makes both parts better.

    Better = nearer to the target load and rounder (weight `roundness`); parts stay in one piece. Returns the moves.
    """
    n, k = len(label), len(target)
    loads, areas, rims, counts = np.zeros(k), np.zeros(k), np.zeros(k), np.zeros(k, np.int64)
    for u in range(n):
        g = label[u]
        loads[g] += weight[u]
        areas[g] += area[u]
        rims[g] += perimeter[u]
        counts[g] += 1
        for e in range(indptr[u], indptr[u + 1]):
            if label[indices[e]] == g:
                rims[g] -= length[e]
    seen = np.full(n, -1, np.int64)
    queue = np.empty(n, np.int64)
    stamp, moves = 0, 0
    for u in order:
        a = label[u]
        if counts[a] <= 1:
            continue
        to_a = 0.0
        for e in range(indptr[u], indptr[u + 1]):
            if label[indices[e]] == a:
                to_a += length[e]
        best, chosen, chosen_rim = -1e-9, -1, 0.0
        rim_a = rims[a] - perimeter[u] + 2 * to_a
        for e in range(indptr[u], indptr[u + 1]):
            b = label[indices[e]]
            if b == a or not open_[e]:
                continue
            to_b = 0.0
            for f in range(indptr[u], indptr[u + 1]):
                if label[indices[f]] == b:
                    to_b += length[f]
            rim_b = rims[b] + perimeter[u] - 2 * to_b
            change = (
                _energy(loads[a] - weight[u], target[a], rim_a, areas[a] - area[u], roundness)
                + _energy(loads[b] + weight[u], target[b], rim_b, areas[b] + area[u], roundness)
                - _energy(loads[a], target[a], rims[a], areas[a], roundness)
                - _energy(loads[b], target[b], rims[b], areas[b], roundness)
            )
            if change < best:
                best, chosen, chosen_rim = change, b, rim_b
        if chosen < 0:
            continue
        stamp += 2
        if not stays_whole(u, indptr, indices, open_, label, seen, queue, stamp):
            continue
        loads[a] -= weight[u]
        areas[a] -= area[u]
        rims[a] = rim_a
        counts[a] -= 1
        loads[chosen] += weight[u]
        areas[chosen] += area[u]
        rims[chosen] = chosen_rim
        counts[chosen] += 1
        label[u] = chosen
        moves += 1
    return moves


def warm() -> None:
    """Compiles every kernel once (they stay cached on disk), so that nobody waits for it later."""
    indptr, indices = np.array([0, 1, 3, 4]), np.array([1, 0, 2, 1])
    open_, ones = np.ones(4, bool), np.ones(3)
    label = np.array([0, 0, 1])
    settle(
        indptr, indices, open_, np.ones(4), ones, ones, 4 * ones, label, np.full(2, 1.5), np.arange(3), 0.1
    )

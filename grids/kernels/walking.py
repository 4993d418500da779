"""The longest shortest walk inside every grid: Dijkstra (1959) from each unit, inside its own grid only."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

I8: TypeAlias = NDArray[np.int64]
F8: TypeAlias = NDArray[np.float64]
B1: TypeAlias = NDArray[np.bool_]


@njit(cache=True, nogil=True)
def spans(
    indptr: I8, indices: I8, walkable: B1, x: F8, y: F8, grid: I8, units: I8, starts: I8
) -> F8:  # pragma: no cover - compiled
    """Per grid the longest of all shortest walks; `units[starts[g]:starts[g+1]]` are its units."""
    k = len(starts) - 1
    found = np.zeros(k)
    far = np.full(len(grid), np.inf)
    heap_d = np.empty(len(indices) + 1)
    heap_u = np.empty(len(indices) + 1, np.int64)
    for g in range(k):
        for i in range(starts[g], starts[g + 1]):
            for j in range(starts[g], starts[g + 1]):
                far[units[j]] = np.inf
            longest = _reach(units[i], indptr, indices, walkable, x, y, grid, far, heap_d, heap_u)
            found[g] = max(found[g], longest)
    return found


@njit(cache=True, nogil=True)
def _reach(
    source: int,
    indptr: I8,
    indices: I8,
    walkable: B1,
    x: F8,
    y: F8,
    grid: I8,
    far: F8,
    heap_d: F8,
    heap_u: I8,
) -> float:  # pragma: no cover - compiled
    """The walk to the farthest unit of the source's grid."""
    far[source] = 0.0
    heap_d[0], heap_u[0] = 0.0, source
    size, longest = 1, 0.0
    while size > 0:
        d, u = heap_d[0], heap_u[0]
        size -= 1
        _sink(heap_d, heap_u, size)
        if d > far[u]:
            continue
        longest = max(longest, d)
        for e in range(indptr[u], indptr[u + 1]):
            v = indices[e]
            if walkable[e] and grid[v] == grid[source]:
                there = d + np.hypot(x[u] - x[v], y[u] - y[v])
                if there < far[v]:
                    far[v] = there
                    _rise(heap_d, heap_u, size, there, v)
                    size += 1
    return longest


@njit(inline="always")
def _rise(heap_d: F8, heap_u: I8, at: int, d: float, u: int) -> None:
    while at > 0 and heap_d[(at - 1) // 2] > d:
        heap_d[at], heap_u[at] = heap_d[(at - 1) // 2], heap_u[(at - 1) // 2]
        at = (at - 1) // 2
    heap_d[at], heap_u[at] = d, u


@njit(inline="always")
def _sink(heap_d: F8, heap_u: I8, size: int) -> None:
    """Takes the top away: the last entry (at `size`) finds its place from there."""
    d, u, at = heap_d[size], heap_u[size], 0
    while 2 * at + 1 < size:
        child = 2 * at + 1
        if child + 1 < size and heap_d[child + 1] < heap_d[child]:
            child += 1
        if heap_d[child] >= d:
            break
        heap_d[at], heap_u[at] = heap_d[child], heap_u[child]
        at = child
    heap_d[at], heap_u[at] = d, u


def warm() -> None:
    """Compiles the kernel once."""
    two, one = np.array([0, 1, 2]), np.array([1, 0])
    ground = np.zeros(2)
    spans(
        two,
        one,
        np.ones(2, np.bool_),
        ground,
        ground,
        np.zeros(2, np.int64),
        np.array([0, 1]),
        np.array([0, 2]),
    )

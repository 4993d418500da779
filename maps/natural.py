"""Natural classes, exactly: where to cut numbers on a line so that the classes hold together best.

Exact one-dimensional k-means by dynamic programming (Fisher 1958; Wang & Song 2011, R Journal 3/2), each layer by divide
and conquer over the monotone split points. Compiled: a heat map asks for it at every answer.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DEPTH = 64  # halves that wait on the way down: more than log2 of any number of values


def natural_starts(axis: Floats, weight: Floats, classes: int) -> Ints:
    """Index of the first element of each class with the least within-class sum of squares.

    `axis` rises strictly, `weight` > 0. O(classes · n log n): the best split point never moves left as the end moves
    right, so a layer is solved from its middle outwards.

    >>> natural_starts(np.array([1., 2., 10., 11., 50.]), np.ones(5), 3).tolist()
    [0, 2, 4]
    """
    centred = axis - (axis * weight).sum() / weight.sum()
    w, s, q = np.zeros((3, len(axis) + 1))
    np.cumsum(weight, out=w[1:])
    np.cumsum(weight * centred, out=s[1:])
    np.cumsum(weight * centred * centred, out=q[1:])
    return np.asarray(_solve(w, s, q, min(classes, len(axis))))


@njit(inline="always")
def _cost(w: Floats, s: Floats, q: Floats, i: int, j: int) -> float:
    """Sum of squares of elements i … j−1 around their mean."""
    mass = w[j] - w[i]
    moment = s[j] - s[i]
    return float(q[j] - q[i] - moment * moment / (mass if mass > 0 else 1.0))


@njit(cache=True, nogil=True)
def _layer(w: Floats, s: Floats, q: Floats, best: Floats, layer: int, split: Ints) -> None:
    """For every end the split that adds one class most cheaply, the first of equals."""
    jobs = np.empty((DEPTH, 4), np.int64)  # ends from–to, splits from–to
    n = len(best) - 1
    jobs[0, 0], jobs[0, 1], jobs[0, 2], jobs[0, 3] = layer + 1, n, layer, n - 1
    waiting = 1
    while waiting:
        waiting -= 1
        a, b, low, high = jobs[waiting]
        if a > b:
            continue
        mid = (a + b) // 2
        chosen, least = low, np.inf
        for i in range(low, min(mid - 1, high) + 1):
            total = best[i] + _cost(w, s, q, i, mid)
            if total < least:
                chosen, least = i, total
        split[mid] = chosen
        jobs[waiting, 0], jobs[waiting, 1], jobs[waiting, 2], jobs[waiting, 3] = a, mid - 1, low, chosen
        waiting += 1
        jobs[waiting, 0], jobs[waiting, 1], jobs[waiting, 2], jobs[waiting, 3] = mid + 1, b, chosen, high
        waiting += 1


@njit(cache=True, nogil=True)
def _solve(w: Floats, s: Floats, q: Floats, classes: int) -> Ints:
    n = len(w) - 1
    best = np.empty(n + 1)
    for end in range(n + 1):
        best[end] = _cost(w, s, q, 0, end)
    splits = np.empty((classes, n + 1), np.int64)
    for layer in range(1, classes):
        split = splits[layer]
        split[:] = layer
        _layer(w, s, q, best, layer, split)
        more = np.full(n + 1, np.inf)
        for end in range(layer + 1, n + 1):
            more[end] = best[split[end]] + _cost(w, s, q, split[end], end)
        best = more
    starts = np.zeros(classes, np.int64)
    end = n
    for layer in range(classes - 1, 0, -1):
        end = splits[layer][end]
        starts[layer] = end
    return starts


@njit(cache=True, nogil=True)
def tally_whole(values: Floats, counts: Ints) -> int:
    """Adds how often each whole number stands in `values`, NaN left out; the largest, −1 when there is none.

    −2 where a value is no whole number from 0 to `len(counts) − 1`; `counts` then means nothing.
    """
    largest = -1
    for value in values:
        if np.isnan(value):
            continue
        if not 0 <= value < len(counts):
            return -2
        whole = int(value)
        if whole != value:
            return -2
        counts[whole] += 1
        largest = max(largest, whole)
    return largest


def warm() -> None:
    """Compiles the loops (`wangge warm`)."""
    natural_starts(np.arange(5.0), np.ones(5), 3)
    tally_whole(np.zeros(1), np.zeros(1, np.int64))

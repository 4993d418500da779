"""Does a grid stay in one piece without a unit? Asked millions of times, so it looks no further than it must."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from grids.kernels.energy import Ground

Ints = NDArray[np.int64]

REACH = 4_096  # units looked at before a way round counts as none; only grids of more units can be judged too strictly


@njit(cache=True, nogil=True)
def stays_whole(ground: Ground, label: Ints, u: int, seen: Ints, queue: Ints, stamp: int) -> bool:
    """Whether the units of u's label stay connected (over open borders) without u; False when u is alone.

    `seen` (n, any earlier stamps) and `queue` (n) are scratch space; `stamp` and `stamp + 1` must be new numbers.
    From one neighbour the label's units are walked until all other neighbours of u were met, which on compact grids
    is a handful of steps.
    """
    part = label[u]
    wanted = 0
    first = -1
    for e in range(ground.indptr[u], ground.indptr[u + 1]):
        v = ground.indices[e]
        if ground.open_[e] and label[v] == part and seen[v] != stamp:
            wanted += 1
            seen[v] = stamp
            first = v
    if wanted <= 1:
        return wanted == 1
    visited = stamp + 1
    seen[u] = visited
    seen[first] = visited
    queue[0] = first
    head, tail, found = 0, 1, 1
    while head < tail and tail < REACH:
        x = queue[head]
        head += 1
        for e in range(ground.indptr[x], ground.indptr[x + 1]):
            v = ground.indices[e]
            if not ground.open_[e] or label[v] != part or seen[v] == visited:
                continue
            if seen[v] == stamp:
                found += 1
                if found == wanted:
                    return True
            seen[v] = visited
            queue[tail] = v
            tail += 1
    return False


def warm() -> None:
    """Compiled with the kernels that call it."""

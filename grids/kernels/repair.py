"""Every grid in one piece and none empty, whatever the labels were before."""

from __future__ import annotations

import numpy as np
from numba import njit

from grids.kernels.energy import Bools, Floats, Ground, Ints, strip

IDLE = 1e-9  # a piece where nothing weighs anything still counts by its units


@njit(cache=True, nogil=True)
def mend(ground: Ground, label: Ints, held: Bools, target: Floats) -> int:
    """Leaves each label one connected piece; other pieces go to the grid beside them that has least of its target.

    The piece kept is the one with held units, else the heaviest. Labels below 0 are open and given away too. Held
    units never change. Works in place; returns how many units nobody could reach (left at −1).
    """
    load, left = _keep_best(ground, label, held, target)
    moved = 1
    while left > 0 and moved > 0:
        moved = 0
        for u in range(len(label)):
            if label[u] >= 0:
                continue
            chosen = -1
            for e in range(ground.indptr[u], ground.indptr[u + 1]):
                g = label[ground.indices[e]]
                if ground.open_[e] and g >= 0 and (chosen < 0 or load[g] < load[chosen]):
                    chosen = g
            if chosen >= 0:
                label[u] = chosen
                load[chosen] += (ground.weight[u, 0] + IDLE) / target[chosen]
                moved += 1
                left -= 1
    return left


@njit(cache=True, nogil=True)
def _keep_best(ground: Ground, label: Ints, held: Bools, target: Floats) -> tuple[Floats, int]:
    """Opens all but the best piece of each label; the shares of the target that are left, and the units opened."""
    n, k = len(label), len(target)
    piece = np.full(n, -1, np.int64)
    worth = np.zeros(n)
    best = np.full(k, -1, np.int64)
    queue = np.empty(n, np.int64)
    pieces = 0
    for root in range(n):
        if piece[root] >= 0 or label[root] < 0:
            continue
        _walk(ground, label, held, root, pieces, piece, worth, queue)
        g = label[root]
        if best[g] < 0 or worth[pieces] > worth[best[g]]:
            best[g] = pieces
        pieces += 1
    load = np.zeros(k)
    left = 0
    for u in range(n):
        g = label[u]
        if g >= 0 and (best[g] == piece[u] or held[u]):
            load[g] += (ground.weight[u, 0] + IDLE) / target[g]
        else:
            label[u] = -1
            left += 1
    return load, left


@njit(cache=True, nogil=True)
def _walk(
    ground: Ground, label: Ints, held: Bools, root: int, number: int, piece: Ints, worth: Floats, queue: Ints
) -> None:
    """Numbers the piece of `root` and adds up what it is worth; held units count above everything."""
    piece[root] = number
    queue[0] = root
    head, tail = 0, 1
    while head < tail:
        u = queue[head]
        head += 1
        worth[number] += ground.weight[u, 0] + IDLE + (1e30 if held[u] else 0.0)
        for e in range(ground.indptr[u], ground.indptr[u + 1]):
            v = ground.indices[e]
            if ground.open_[e] and piece[v] < 0 and label[v] == label[root]:
                piece[v] = number
                queue[tail] = v
                tail += 1


@njit(cache=True, nogil=True)
def fill(ground: Ground, label: Ints, held: Bools, closed: Bools, target: Floats, home: Ints) -> int:
    """Gives every empty grid a unit of a full one on its own piece of ground; returns how many stayed empty.

    `home[g]` is the piece of ground of grid g. The grid there with most of its target gives the unit that a walk
    through it meets last, so that it stays in one piece; the moves afterwards let the new grid grow.
    """
    n, k = len(label), len(target)
    count = np.zeros(k, np.int64)
    load = np.zeros(k)
    for u in range(n):
        count[label[u]] += 1
        load[label[u]] += (ground.weight[u, 0] + IDLE) / target[label[u]]
    seen = np.full(n, -1, np.int64)
    queue = np.empty(n, np.int64)
    missing = 0
    for g in range(k):
        if count[g] > 0:
            continue
        given = -1
        tried = np.zeros(k, np.bool_)
        while given < 0:
            donor = -1
            for d in range(k):
                fit = not tried[d] and not closed[d] and home[d] == home[g] and count[d] > 1
                if fit and (donor < 0 or load[d] > load[donor]):
                    donor = d
            if donor < 0:
                break
            tried[donor] = True
            given = _last_met(ground, label, held, donor, seen, queue, g)
        if given < 0:
            missing += 1
            continue
        donor = label[given]
        label[given] = g
        count[donor] -= 1
        count[g] += 1
        part = ground.weight[given, 0] + IDLE
        load[donor] -= part / target[donor]
        load[g] += part / target[g]
    return missing


@njit(cache=True, nogil=True)
def _last_met(ground: Ground, label: Ints, held: Bools, g: int, seen: Ints, queue: Ints, stamp: int) -> int:
    """A unit of grid g that is met last on a walk through it, so that the rest stays connected; −1 when it is held."""
    root = -1
    for u in range(len(label)):
        if label[u] == g and (root < 0 or held[u]):
            root = u
    seen[root] = stamp
    queue[0] = root
    head, tail = 0, 1
    while head < tail:
        u = queue[head]
        head += 1
        for e in range(ground.indptr[u], ground.indptr[u + 1]):
            v = ground.indices[e]
            if ground.open_[e] and label[v] == g and seen[v] != stamp:
                seen[v] = stamp
                queue[tail] = v
                tail += 1
    last = queue[tail - 1]
    return -1 if held[last] or tail < 2 else last


def warm() -> None:
    """Compiles every kernel once (they stay cached on disk), so that nobody waits for it later."""
    ground, book = strip()
    mend(ground, book.label, book.held, book.target[:, 0])
    fill(ground, book.label, book.held, book.closed, book.target[:, 0], np.zeros(2, np.int64))

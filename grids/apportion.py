"""How many grids each piece of ground gets: the share that keeps the worst deviation least."""

from __future__ import annotations

import numpy as np

from grids.units import Floats, Ints

HALVINGS = 60


def apportion(load: Floats, target: float, k: int, least: Ints, most: Ints) -> tuple[Ints, float]:
    """k grids shared out to pieces with these loads, each between `least` and `most`, and the worst deviation then.

    A piece of load W and c grids cannot do better than |W/(c·target) − 1|; the largest of these over all pieces is
    made as small as possible, so it is also the bound that no nested plan can beat. Found by bisection: a deviation d
    is possible when every piece has a number from ⌈W/(target(1+d))⌉ to ⌊W/(target(1−d))⌋ and these can add up to k.
    The callers see to it that Σ least ≤ k ≤ Σ most.

    >>> apportion(np.array([1.0, 5.0]), 1.5, 4, np.array([1, 1]), np.array([9, 9]))[0].tolist()
    [1, 3]
    """
    low, high = 0.0, max(1.0, float(load.max() / target))
    best = _numbers(load, target, high, least, most)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        few, many = _numbers(load, target, middle, least, most)
        if (few <= many).all() and few.sum() <= k <= many.sum():
            best, high = (few, many), middle
        else:
            low = middle
    found = _filled(load, k, *best)
    return found, float(np.abs(load / (found * target) - 1).max())


def share_posts(load: Floats, count: Ints, posts: Floats, home: Ints) -> Ints:
    """Which piece each grid belongs to: `count[p]` grids on piece p, large posts where most is left to do.

    `home[g]` ≥ 0 is a grid that lies on a piece already.
    """
    home = home.copy()
    left = load / load.sum() * posts.sum() if load.sum() > 0 else load.astype(np.float64)
    slots = count - np.bincount(home[home >= 0], minlength=len(count))
    left = left - np.bincount(home[home >= 0], weights=posts[home >= 0], minlength=len(count))
    waiting = np.flatnonzero(home < 0)
    if len(waiting) and np.ptp(posts[waiting]) == 0:
        home[waiting] = np.repeat(np.arange(len(count)), slots)
        return home
    for g in waiting[np.argsort(-posts[waiting], kind="stable")]:
        p = int(np.argmax(np.where(slots > 0, left / np.maximum(slots, 1), -np.inf)))
        home[g] = p
        slots[p] -= 1
        left[p] -= posts[g]
    return home


def _numbers(load: Floats, target: float, deviation: float, least: Ints, most: Ints) -> tuple[Ints, Ints]:
    few = np.ceil(load / (target * (1 + deviation)) - 1e-9)
    many = np.floor(load / (target * max(1 - deviation, 1e-12)) + 1e-9) if deviation < 1 else most
    return np.maximum(few, least).astype(np.int64), np.minimum(many, most).astype(np.int64)


def _filled(load: Floats, k: int, few: Ints, many: Ints) -> Ints:
    """From the fewest up to k: each further grid where most weighs on one, which keeps the worst deviation."""
    found, many = few.copy(), np.maximum(few, many)
    for _ in range(k - int(found.sum())):
        found[int(np.argmax(np.where(found < many, load / np.maximum(found, 1), -1.0)))] += 1
    return found

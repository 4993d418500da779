"""What two plans say differently, unit by unit, when both began as the same plan.

Grids are the same when they have the same code in the plan both began as; a code that is new in one of them is that
plan's own, whatever another calls a new grid.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grids.stored import Stored

FRESH = "\0"  # marks the code of a grid that the plan both began as does not have
Words = NDArray[np.object_]
Bools = NDArray[np.bool_]


def words(held: Stored, known: frozenset[str] | None = None) -> Words:
    """The grid code of every unit, "" where open; with `known`, codes that are not in it are marked as this plan's own."""
    codes = [code if known is None or code in known else f"{FRESH}{code}" for code in held.codes]
    return np.asarray(np.array([*codes, ""], dtype=object)[held.partition.grid], dtype=object)


def changed(old: Stored, new: Stored) -> Bools:
    """Units that `new` gives to another grid than `old`."""
    return np.asarray(words(old) != words(new, frozenset(old.codes)), dtype=bool)


def same_wish(old: Stored, own: Stored, new: Stored) -> Bools:
    """Where both give a unit to the same grid of the plan they began as, or both leave it open."""
    codes = frozenset(old.codes)
    wish = words(own, codes)
    known = np.array([not word.startswith(FRESH) for word in wish], bool)
    return np.asarray(known & (wish == words(new, codes)), dtype=bool)


def undone(old: Stored, own: Stored, new: Stored) -> list[str]:
    """Codes of units that `new` changed and that `own`, made from `old`, would give back: what approval would undo."""
    lost = changed(old, new) & ~same_wish(old, own, new)
    return [own.partition.graph.codes[u] for u in np.flatnonzero(lost).tolist()]

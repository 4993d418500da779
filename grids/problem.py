"""What is asked of the engine: so many grids, of so much of something each, on this ground, under these rules."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from grids import fair
from grids.units import Floats, Ints, UnitGraph

Nesting = Literal["strict", "soft", "free"]


@dataclass(frozen=True)
class Problem:
    """A partition that is wanted.

    `weight[u]` is what grids should share fairly (cases, households, minutes, m²); a grid's fair load is in proportion
    to its `posts` (k numbers above 0, mean 1 when given as None). `tolerance` is the deviation from the fair load still
    called even (0.1 = ten percent). `nesting`: strict (a grid lies in one area), soft (crossing costs), free.

    `start[u]` is the grid of each unit to begin with (−1: open); units with `locked[u]` keep it whatever happens. A
    grid all of whose starting units are locked is closed: nothing enters it either. Without them the engine starts
    from nothing. The same problem and `seed` give the same answer.

    `uncut[u]` is what units weigh in full where `weight` counts them as one grid's worth at most (`counted`).
    """

    graph: UnitGraph
    weight: Floats
    k: int
    tolerance: float = 0.10
    nesting: Nesting = "strict"
    posts: Floats | None = None
    start: Ints | None = None
    locked: NDArray[np.bool_] | None = None
    seed: int = 0
    extra: dict[str, Floats] = field(default_factory=dict)  # further weights to keep even as far as that goes
    uncut: Floats | None = None

    @property
    def targets(self) -> Floats:
        """The fair load of every grid, in the weight's own unit; they add up to the whole weight."""
        share = np.ones(self.k) if self.posts is None else self.posts
        found = self.weight.sum() * share / share.sum()
        return np.asarray(found, dtype=np.float64)

    @property
    def whole_weight(self) -> Floats:
        """What the units weigh in full."""
        return self.weight if self.uncut is None else self.uncut

    def counted(self) -> Problem:
        """The same with units too heavy for any grid counted as one full grid, so that the others share what is left."""
        posts = np.ones(self.k) if self.posts is None else self.posts
        extra = {name: fair.counted(weight, posts) for name, weight in self.extra.items()}
        return replace(self, weight=fair.counted(self.weight, posts), extra=extra, uncut=self.whole_weight)

    def rng(self) -> np.random.Generator:
        """A fresh generator of this problem's seed."""
        return np.random.default_rng(self.seed)

"""The fair load: what a post would have if all posts had the same, units too heavy for any grid being set apart.

A unit is not cut, so one that weighs more than a whole grid's worth (a town hall to whose address everything unplaced
is written) makes one grid too heavy whatever anybody does. Counted in full it would also make every other grid look
too light. It counts as one full grid here; the others share what is left.
"""

from __future__ import annotations

import numpy as np

from grids.units import Floats

LEAST_LEFT = 0.5  # of the posts: so many share what units too heavy leave


def load_per_post(weight: Floats, posts: Floats) -> float:
    """The load F of one post, in the weight's own unit: Σ min(w, F · largest posts) = F · Σ posts; 0 without posts.

    Without a unit heavier than a grid's worth it is Σ w / Σ posts. Where such units would take more than half of the
    posts they are no exception any more, and no more of them are set apart.

    >>> load_per_post(np.array([1.0, 1.0, 2.0]), np.ones(2)), load_per_post(np.array([1.0, 1.0, 1.0, 97.0]), np.ones(2))
    (2.0, 3.0)
    """
    all_posts, largest = float(posts.sum()), float(posts.max(initial=0.0))
    if all_posts <= 0:
        return 0.0
    found = float(weight.sum()) / all_posts
    while True:
        heavy = weight > found * largest
        left = all_posts - largest * int(np.count_nonzero(heavy))
        if left < all_posts * LEAST_LEFT:
            return found
        lower = float(weight[~heavy].sum()) / left  # not by subtraction: a light rest would drown in rounding
        if not 0 < lower < found:
            return found
        found = lower


def loads(weight: Floats, posts: Floats) -> Floats:
    """The fair load of every grid, for its posts."""
    return np.asarray(load_per_post(weight, posts) * posts, np.float64)


def counted(weight: Floats, posts: Floats) -> Floats:
    """What every unit counts for when ground is shared out: no more than the largest grid's fair load."""
    return np.asarray(np.minimum(weight, load_per_post(weight, posts) * posts.max(initial=0.0)), np.float64)

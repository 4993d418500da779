"""What a grid has to serve: households within the usual band, posts against residents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grids.partition import Partition
from grids.units import Floats

PER = 10_000


def in_band(partition: Partition, weight: Floats, least: float, most: float) -> float | None:
    """Share of grids (0–1) that hold between `least` and `most` of a weight, both included; None without grids."""
    held = partition.unit_counts > 0
    loads = partition.loads(weight)[held]
    return float(((loads >= least) & (loads <= most)).mean()) if held.any() else None


@dataclass(frozen=True)
class Staffing:
    """Posts of a plan beside the norm: `needed` is what the norm asks, `share` = posts ÷ needed, `short` the share of
    grids (0–1) whose own posts are fewer than their residents ask for."""

    residents: float
    posts: float
    needed: float
    share: float | None
    short: float | None


def staffing(partition: Partition, residents: Floats, posts: Floats, per_10000: float) -> Staffing:
    """Posts against `per_10000` posts for 10 000 residents; `residents` per unit, `posts` per grid."""
    held = partition.unit_counts > 0
    people = partition.loads(residents)[held]
    needed = people * per_10000 / PER
    own = np.asarray(posts, float)[held]
    total = float(needed.sum())
    return Staffing(
        residents=float(people.sum()),
        posts=float(own.sum()),
        needed=total,
        share=float(own.sum()) / total if total > 0 else None,
        short=float((own < needed - 1e-9).mean()) if held.any() and total > 0 else None,
    )

"""A line somebody draws across a grid: which units lie on which side of it."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import ArrayLike

from geo.errors import RefusedArgument
from grids.excerpts import Ground, ground
from grids.units import Floats, Ints, UnitGraph, connected

SMALL_SHARE = 0.05  # a scrap below this share of the ground joins what lies beside it
MOST_POINTS = 10_000


def sides(graph: UnitGraph, line: ArrayLike) -> Ints:
    """The side (0 …) of every unit: what one can reach without crossing the line, largest ground first.

    `line` is m × 2 metres in the graph's x and y, m ≥ 2. Units belong where their middles lie. A line that ends inside
    is lengthened straight on. Raises RefusedArgument `line` (not a line) or `line-cuts-nothing`.
    """
    points = _points(line)
    land = ground(graph)
    pieces = int(connected(graph.n, land.a, land.b).max())
    for one in (points, _lengthened(points, float(np.hypot(np.ptp(graph.x), np.ptp(graph.y))))):
        side = _apart(graph, land, one)
        if side.max() > pieces:
            return side
    raise RefusedArgument(
        "所画的线没有把网格分开。",
        "The drawn line does not part the grid.",
        code="line-cuts-nothing",
        field="line",
        do_zh="请从网格外画到网格外，穿过单元的中心之间。",
        do_en="Draw it from outside to outside, passing between the middles of units.",
    )


def _points(line: ArrayLike) -> Floats:
    """The line's points; anything else is refused."""
    try:
        points = np.asarray(line, dtype=np.float64)
    except (TypeError, ValueError):
        points = np.empty((0, 0))
    shaped = points.ndim == 2 and points.shape[1:] == (2,) and 2 <= len(points) <= MOST_POINTS
    if not shaped or not np.isfinite(points).all() or (points == points[0]).all():
        raise RefusedArgument(
            f"线要有 2 到 {MOST_POINTS} 个不同的点，每点两个数。",
            f"A line needs 2 to {MOST_POINTS} different points of two numbers each.",
            code="line",
            field="line",
            do_zh="请重画。",
            do_en="Draw it again.",
        )
    return points


def _apart(graph: UnitGraph, land: Ground, points: Floats) -> Ints:
    """Pieces of the ground when nobody may cross the line; scraps join the side they touch most."""
    drawn = shapely.linestrings(points)
    shapely.prepare(drawn)
    ends = np.stack([graph.x, graph.y], axis=1)
    crossed = shapely.intersects(drawn, shapely.linestrings(np.stack([ends[land.a], ends[land.b]], axis=1)))
    side = connected(graph.n, land.a[~crossed], land.b[~crossed])
    return _numbered(graph, _without_scraps(graph, land, side))


def _without_scraps(graph: UnitGraph, land: Ground, side: Ints) -> Ints:
    """Scraps, smallest first, join the side beside them with the most common borders."""
    side, least_m2 = side.copy(), SMALL_SHARE * float(graph.area_m2.sum())
    alone: set[int] = set()  # scraps that nobody can walk to anyway
    while True:
        ground_m2 = np.bincount(side, weights=graph.area_m2)
        small = [
            s for s in np.flatnonzero((ground_m2 > 0) & (ground_m2 < least_m2)).tolist() if s not in alone
        ]
        if not small:
            return side
        scrap = min(small, key=lambda s: float(ground_m2[s]))
        beside = side[land.b[(side[land.a] == scrap) & (side[land.b] != scrap)]]
        if len(beside):
            side[side == scrap] = int(np.argmax(np.bincount(beside)))
        else:
            alone.add(scrap)


def _numbered(graph: UnitGraph, side: Ints) -> Ints:
    names, number = np.unique(side, return_inverse=True)
    order = np.argsort(-np.bincount(number, weights=graph.area_m2), kind="stable")
    place = np.empty(len(names), np.int64)
    place[order] = np.arange(len(names))
    return place[number]


def _lengthened(points: Floats, by_m: float) -> Floats:
    """The line with both ends drawn straight on."""
    moving = points[np.concatenate([[True], (np.diff(points, axis=0) != 0).any(axis=1)])]
    first, last = moving[0] - moving[1], moving[-1] - moving[-2]
    return np.concatenate(
        [[moving[0] + first / np.hypot(*first) * by_m], moving, [moving[-1] + last / np.hypot(*last) * by_m]]
    )

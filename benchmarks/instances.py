"""Synthetic cities for the re-gridding benchmarks: a pure function of kind, size and seed, so never stored.

    city = make("hexagons", 20_000, seed=7)      # or "blocks"
    city.graph, city.weight, city.k              # what a `Problem` needs

A city has a non-convex outline, lakes, two rivers that cut adjacency but for bridges, a heavy-tailed workload with
nearly half of its units empty and a few towers heavier than a whole grid's worth, and connected communities of about
five grids each. `drifted` gives the workload of a later year for the rebalance benchmarks.

    python benchmarks/instances.py --units 20000 --seed 7      # prints what a city looks like
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import Voronoi, cKDTree

from grids.units import Floats, Ints, UnitGraph, connected, csr

UNIT_M2 = 10_000.0
UNITS_PER_GRID = 40
GRIDS_PER_AREA = 5
TOWER_SHARE = 0.0008
HEAVIEST = 1.12  # of a grid's fair load
EMPTY = (0.35, 0.62)  # share of empty units: downtown, outskirts
BRIDGE_M = 1_500.0

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Instance:
    """A city to be divided: its units, what they weigh and how many grids are wanted."""

    name: str
    graph: UnitGraph
    weight: Floats
    k: int

    @property
    def target(self) -> float:
        """The fair load of a grid."""
        return float(self.weight.sum() / self.k)

    def weighing(self, weight: Floats) -> Instance:
        """The same city with another workload."""
        return replace(self, weight=weight)


@dataclass(frozen=True)
class _Ground:
    """Cells before they are a city: middles, sizes and borders given once (a < b)."""

    xy: Floats
    area_m2: Floats
    perimeter_m: Floats
    a: Ints
    b: Ints
    length_m: Floats


def make(kind: str = "hexagons", units: int = 20_000, seed: int = 7, k: int | None = None) -> Instance:
    """A city of about `units` units (within a few per cent), `hexagons` or irregular `blocks`."""
    rng = np.random.default_rng([seed, units, kind == "blocks"])
    outline = _Outline(rng, units * UNIT_M2)
    ground = _hexagons(outline) if kind == "hexagons" else _blocks(outline, units, rng)
    walkable = _walkable(ground, outline, rng)
    ground, walkable = _largest(ground, walkable)
    n = len(ground.xy)
    k = k or n // UNITS_PER_GRID
    weight = _workload(ground, k, rng)
    area = _communities(ground, walkable, weight, min(200, max(10, k // GRIDS_PER_AREA)), rng)
    return Instance(f"{kind}-{units}-{seed}", _graph(ground, walkable, area), weight, k)


def drifted(city: Instance, seed: int = 1, spread: float = 0.25, districts: int = 4) -> Instance:
    """The same city later: noise everywhere, some districts grown or shrunk, a few empty units filled."""
    rng = np.random.default_rng(seed)
    graph, n = city.graph, city.graph.n
    factor = rng.lognormal(0, spread, n)
    reach = float(np.hypot(graph.x, graph.y).max())
    for _ in range(districts):
        c, size = rng.integers(n), reach * rng.uniform(0.05, 0.12)
        near = np.exp(-((graph.x - graph.x[c]) ** 2 + (graph.y - graph.y[c]) ** 2) / (2 * size**2))
        factor *= 1 + rng.uniform(-0.35, 0.8) * near
    new = (rng.random(n) < 0.01) * rng.poisson(city.weight.mean(), n)
    return city.weighing(rng.poisson((city.weight + new) * factor).astype(np.float64))


class _Outline:
    """Where the city is: a wavy round with lakes, and the rivers through it."""

    def __init__(self, rng: np.random.Generator, area_m2: float) -> None:
        f = np.arange(2, 9)
        self._waves = (f, rng.normal(0, 0.34 / f), rng.uniform(0, 2 * np.pi, len(f)))
        angle, far = rng.uniform(0, 2 * np.pi, 5), rng.uniform(0.25, 0.7, 5)
        wide = rng.uniform(0.05, 0.11, 5)
        self._lakes = np.stack(
            [far * np.cos(angle), far * np.sin(angle), wide, wide * rng.uniform(0.5, 1.6, 5)], axis=1
        )
        self.radius_m = 1.0
        probe = rng.uniform(-2.5, 2.5, (200_000, 2))
        self.radius_m = float(np.sqrt(area_m2 / (25.0 * self.holds(probe).mean())))

    def holds(self, xy: Floats) -> Bools:
        """Which points (metres) are city ground."""
        x, y = xy[:, 0] / self.radius_m, xy[:, 1] / self.radius_m
        f, height, phase = self._waves
        angle = np.arctan2(y, x)
        edge = 1 + (height * np.cos(f * angle[:, None] + phase)).sum(axis=1)
        found = np.hypot(x, y) <= np.maximum(edge, 0.45)
        for cx, cy, a, b in self._lakes:
            found &= ((x - cx) / a) ** 2 + ((y - cy) / b) ** 2 > 1
        return found

    @property
    def reach_m(self) -> float:
        """Half the side of a square that holds the city."""
        return 2.3 * self.radius_m


def _hexagons(outline: _Outline) -> _Ground:
    side = float(np.sqrt(UNIT_M2 / (1.5 * np.sqrt(3))))
    rows, columns = int(2 * outline.reach_m / (1.5 * side)), int(2 * outline.reach_m / (np.sqrt(3) * side))
    row, column = np.divmod(np.arange(rows * columns), columns)
    xy = np.stack([np.sqrt(3) * side * (column + 0.5 * (row % 2)), 1.5 * side * row], axis=1)
    xy -= xy.mean(axis=0)
    inside = outline.holds(xy)
    number = np.where(inside, np.cumsum(inside) - 1, -1)
    pairs = []
    for down, across in ((0, 1), (1, -1), (1, 0)):
        c = column + across + (row % 2 if down else 0)
        ok = inside & (row + down < rows) & (c >= 0) & (c < columns)
        here = np.flatnonzero(ok)
        there = (row[here] + down) * columns + c[here]
        here, there = here[inside[there]], there[inside[there]]
        pairs.append(np.stack([number[here], number[there]]))
    a, b = np.concatenate(pairs, axis=1)
    n = int(inside.sum())
    return _Ground(
        xy[inside], np.full(n, UNIT_M2), np.full(n, 6 * side), np.minimum(a, b), np.maximum(a, b),
        np.full(len(a), side),
    )  # fmt: skip


def _blocks(outline: _Outline, units: int, rng: np.random.Generator) -> _Ground:
    """Voronoi cells of points that crowd round six hubs; cells that reach over the outline are left out."""
    reach, points = outline.reach_m, np.empty((0, 2))
    hubs = rng.normal(0, 0.35 * outline.radius_m, (6, 2))
    wanted = int(1.03 * units)
    while len(points) < wanted:
        wide = rng.uniform(-reach, reach, (units, 2))
        crowded = hubs[rng.integers(0, 6, units)] + rng.normal(0, outline.radius_m / 5, (units, 2))
        more = np.concatenate([wide, crowded])[rng.permutation(2 * units)]
        points = np.concatenate([points, more[outline.holds(more)]])
    points = points[:wanted]
    cells = Voronoi(points)
    corner_ok = outline.holds(cells.vertices)
    regions = [cells.regions[r] for r in cells.point_region]
    keep = np.array([-1 not in r and len(r) > 2 and bool(corner_ok[r].all()) for r in regions])
    number = np.where(keep, np.cumsum(keep) - 1, -1)
    ends = np.array(cells.ridge_vertices)
    ok = keep[cells.ridge_points].all(axis=1) & (ends >= 0).all(axis=1)
    across = cells.vertices[ends[:, 0]] - cells.vertices[ends[:, 1]]
    length = np.hypot(across[:, 0], across[:, 1])
    one_sided = (ends >= 0).all(axis=1)
    perimeter = np.bincount(
        cells.ridge_points[one_sided].ravel(), weights=np.repeat(length[one_sided], 2), minlength=len(points)
    )
    ok &= length > 1.0
    pair = np.sort(number[cells.ridge_points[ok]], axis=1)
    area = np.array([_area(cells.vertices[r]) if k else 0.0 for r, k in zip(regions, keep, strict=True)])
    return _Ground(points[keep], area[keep], perimeter[keep], pair[:, 0], pair[:, 1], length[ok])


def _area(corners: Floats) -> float:
    """Of a convex polygon with its corners in any direction round."""
    x, y = corners.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def _walkable(ground: _Ground, outline: _Outline, rng: np.random.Generator) -> Bools:
    """Which borders can be walked across: rivers close them, bridges open some again."""
    found = np.ones(len(ground.a), bool)
    middle = (ground.xy[ground.a] + ground.xy[ground.b]) / 2
    for _ in range(2):
        turn, off, phase = rng.uniform(0, np.pi), rng.uniform(-0.35, 0.35), rng.uniform(0, 2 * np.pi)
        spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        u, v = (ground.xy @ spin / outline.radius_m).T
        bank = v > off + 0.16 * np.sin(2.1 * u + phase)
        wet = bank[ground.a] != bank[ground.b]
        count = max(4, int(2 * outline.radius_m / BRIDGE_M))
        at = (np.arange(-count, count) + 0.5) * (1.0 / count)
        along = (middle[wet] @ spin / outline.radius_m)[:, 0]
        near = np.abs(along[:, None] - at).min(axis=1) * outline.radius_m < 2.2 * np.sqrt(UNIT_M2)
        found[np.flatnonzero(wet)[~near]] = False
    return found


def _largest(ground: _Ground, walkable: Bools) -> tuple[_Ground, Bools]:
    """The largest part that can be walked through."""
    part = connected(len(ground.xy), ground.a[walkable], ground.b[walkable])
    keep = part == np.bincount(part).argmax()
    number, ok = np.cumsum(keep) - 1, keep[ground.a] & keep[ground.b]
    kept = _Ground(
        ground.xy[keep], ground.area_m2[keep], ground.perimeter_m[keep],
        number[ground.a[ok]], number[ground.b[ok]], ground.length_m[ok],
    )  # fmt: skip
    return kept, walkable[ok]


def _workload(ground: _Ground, k: int, rng: np.random.Generator) -> Floats:
    n, xy = len(ground.xy), ground.xy
    reach = float(np.hypot(*xy.T).max())
    density = np.full(n, 0.10)
    for _ in range(9):
        c, size = xy[rng.integers(n)], reach * rng.uniform(0.05, 0.22)
        density += rng.uniform(0.4, 1.6) * np.exp(-((xy - c) ** 2).sum(axis=1) / (2 * size**2))
    mean = 9 * density * rng.lognormal(0, 0.85, n) * (ground.area_m2 / ground.area_m2.mean()) ** 0.4
    mean[rng.random(n) < np.clip(EMPTY[1] - 0.35 * density, *EMPTY)] = 0
    tower = rng.random(n) < TOWER_SHARE
    mean[tower] *= rng.uniform(2.5, 5, int(tower.sum()))
    return rng.poisson(np.minimum(mean, HEAVIEST * mean.sum() / k)).astype(np.float64)


def _communities(
    ground: _Ground, walkable: Bools, weight: Floats, count: int, rng: np.random.Generator
) -> Ints:
    """Connected communities of comparable, not equal, workload: nearest of spread middles with a head start each."""
    n = len(weight)
    ease = weight + 0.5 * weight.mean()
    ease /= ease.mean()
    cost = (1 + 0.7 * ease) * rng.uniform(0.7, 1.3, n)
    a, b = ground.a[walkable], ground.b[walkable]
    drawn = ground.xy[rng.choice(n, 100 * count, p=ease / ease.sum())]
    spread = kmeans2(drawn, count, minit="++", rng=rng)[0]
    middles = cKDTree(ground.xy).query(spread)[1].astype(np.int64)
    start, wanted = np.full(count, 1.0), rng.lognormal(0, 0.25, count)
    for turn in range(16):
        rows = np.concatenate([a, np.full(count, n)])
        columns = np.concatenate([b, middles])
        toll = np.concatenate([(cost[a] + cost[b]) / 2, start - start.min() + 1e-6])
        _, before = dijkstra(
            coo_matrix((toll, (rows, columns)), shape=(n + 1, n + 1)).tocsr(), directed=False, indices=n,
            return_predecessors=True,
        )  # fmt: skip
        label = _rooted(before, middles, n)
        load = np.bincount(label, weights=ease, minlength=count)
        over = np.log(np.maximum(load / load.sum(), 1e-9) / (wanted / wanted.sum()))
        start = np.where(load > 0, start + np.clip(over, -1, 1) * 0.2 * np.sqrt(n / count), start.min())
        if turn < 4:
            middles = np.where(load > 0, _hearts(ground.xy, label, ease, count), middles)
    return np.unique(label, return_inverse=True)[1].astype(np.int64)


def _hearts(xy: Floats, label: Ints, ease: Floats, count: int) -> Ints:
    """The unit nearest to the weighted middle of each label; any unit for a label nobody has."""
    load = np.maximum(np.bincount(label, weights=ease, minlength=count), 1e-9)
    heart = np.stack([np.bincount(label, weights=ease * c, minlength=count) / load for c in xy.T], axis=1)
    off = ((xy - heart[label]) ** 2).sum(axis=1)
    order = np.lexsort((off, label))
    return order[np.minimum(np.searchsorted(label[order], np.arange(count)), len(order) - 1)]


def _rooted(before: Ints, middles: Ints, root: int) -> Ints:
    """The number of the middle each unit's shortest path starts at."""
    up = before[:root].astype(np.int64)
    up[up == root] = np.flatnonzero(up == root)
    while (up != up[up]).any():
        up = up[up]
    number = np.full(root, -1, np.int64)
    number[middles] = np.arange(len(middles))
    return number[up]


def _graph(ground: _Ground, walkable: Bools, area: Ints) -> UnitGraph:
    n, areas = len(area), int(area.max()) + 1
    indptr, indices, length, walk = csr(n, ground.a, ground.b, ground.length_m, walkable)
    return UnitGraph(
        ids=np.arange(1, n + 1),
        codes=tuple(f"u{u}" for u in range(1, n + 1)),
        area=area,
        area_codes=tuple(f"420106{1 + c // 900:03d}{1 + c % 900:03d}" for c in range(areas)),
        area_names=tuple(f"社区{c + 1}" for c in range(areas)),
        x=ground.xy[:, 0].copy(),
        y=ground.xy[:, 1].copy(),
        area_m2=ground.area_m2,
        perimeter_m=ground.perimeter_m,
        indptr=indptr,
        indices=indices,
        length_m=length,
        walkable=walk,
    )


def main() -> None:
    """Describes one city."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--kind", choices=["hexagons", "blocks"], default="hexagons")
    ask.add_argument("--units", type=int, default=20_000)
    ask.add_argument("--seed", type=int, default=7)
    told = ask.parse_args()
    city = make(told.kind, told.units, told.seed)
    graph, weight = city.graph, city.weight
    print(f"{city.name}: {graph.n} units, {city.k} grids, {len(graph.area_codes)} communities")
    print(f"{(~graph.walkable).sum() // 2} of {len(graph.indices) // 2} borders cannot be walked across")
    print(f"{(weight == 0).mean():.0%} empty, heaviest {weight.max() / city.target:.2f} of the target")
    loads = np.bincount(graph.area, weights=weight) / city.target
    print(f"communities hold {loads.min():.1f} to {loads.max():.1f} grids' worth")


if __name__ == "__main__":
    main()

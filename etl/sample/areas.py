"""Communities, streets and districts as exact coverages: no gap, no overlap, every shared border vertex shared.

The ground is first cut along river, rail and main roads; inside each piece, community centres spread by the density of
people (centroidal Voronoi, Lloyd 1982). The Voronoi borders are roughened edge by edge, once for both neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from shapely import LineString, MultiPoint
from shapely.ops import linemerge, polygonize

from etl.sample.lines import Floats, Lines
from etl.sample.spec import SampleSpec

Ints = NDArray[np.int64]
Shape = Any  # a geometry: shapely's stubs know the exact class in too few places
GRID_M = 0.01
SAMPLES_PER_COMMUNITY = 250


@dataclass(frozen=True)
class Areas:
    """The tree of areas in flat metres. `street_of` and `district_of` point one level up; order is west to east."""

    communities: NDArray[np.object_]
    street_of: Ints  # per community
    district_of: Ints  # per street
    rural: NDArray[np.bool_]  # per community: a village
    people: Floats  # per community
    density: Floats  # people per m², per community

    @property
    def streets(self) -> NDArray[np.object_]:
        """Union of each street's communities."""
        return _unions(self.communities, self.street_of)

    @property
    def districts(self) -> NDArray[np.object_]:
        """Union of each district's communities."""
        return _unions(self.communities, self.district_of[self.street_of])


def density(points: Floats, radius_m: float) -> Floats:
    """Relative density of people at flat points: a centre, two sub-centres, thinning to fields."""
    p = points / radius_m
    r = np.hypot(p[:, 0] - 0.02, p[:, 1] - 0.06)
    value = np.exp(-((r / 0.42) ** 2)) + 0.55 * np.exp(-r / 0.33)
    for x, y, spread, height in (
        (-0.52, -0.38, 0.17, 0.55),
        (0.55, 0.24, 0.15, 0.6),
        (0.30, -0.52, 0.12, 0.4),
    ):
        value += height * np.exp(-((p[:, 0] - x) ** 2 + (p[:, 1] - y) ** 2) / (2 * spread**2))
    return np.asarray(value + 0.012)


def draw(spec: SampleSpec, lines: Lines) -> Areas:
    """Cut the city: `spec.communities` communities in streets in districts, all contiguous, none across the river."""
    rng = spec.rng("areas")
    samples = _samples(spec, lines, rng)
    blocks = _blocks(lines)
    cells = _cells(spec, lines, blocks, samples, rng)
    faces = _roughen(cells, lines, rng)
    order = np.argsort([shapely.get_x(shapely.centroid(f)) for f in faces], kind="stable")
    communities = np.array(faces, dtype=object)[order]
    weight = _mass(communities, samples, lines.radius_m)
    neighbours = _neighbours(communities, lines)
    centres = shapely.get_coordinates(shapely.centroid(communities))
    street_of = _group(centres, weight**0.75, neighbours, spec.streets, rng)
    street_mass: Floats = np.bincount(street_of, weights=weight, minlength=spec.streets).astype(float)
    street_centres = np.c_[
        np.bincount(street_of, weights=weight * centres[:, 0]) / street_mass,
        np.bincount(street_of, weights=weight * centres[:, 1]) / street_mass,
    ]
    street_neighbours = {
        (int(street_of[a]), int(street_of[b])) for a, b in neighbours if street_of[a] != street_of[b]
    }
    district_of = _group(street_centres, street_mass, street_neighbours, spec.districts, rng)
    people = spec.people * weight / weight.sum()
    per_m2 = people / shapely.area(communities)
    return Areas(communities, street_of, district_of, per_m2 < np.quantile(per_m2, 0.20), people, per_m2)


def _samples(spec: SampleSpec, lines: Lines, rng: np.random.Generator) -> Floats:
    """Evenly spread points inside the limit; density weighs them."""
    low_x, low_y, high_x, high_y = lines.limit.bounds
    n = SAMPLES_PER_COMMUNITY * spec.communities
    points = np.c_[rng.uniform(low_x, high_x, n), rng.uniform(low_y, high_y, n)]
    return np.asarray(points[shapely.contains_xy(lines.limit, points[:, 0], points[:, 1])])


def _blocks(lines: Lines) -> list[Shape]:
    """The pieces of ground between river, rail and main roads."""
    work = shapely.union_all(
        [lines.limit.exterior, *(shapely.intersection(cut, lines.limit) for cut in lines.cuts)],
        grid_size=GRID_M,
    )
    return list(polygonize(work))


def _cells(
    spec: SampleSpec, lines: Lines, blocks: list[Shape], samples: Floats, rng: np.random.Generator
) -> list[Shape]:
    """All border lines: of the blocks, and of the Voronoi cells inside each block."""
    weight = density(samples, lines.radius_m) ** 0.72
    block_of = np.full(len(samples), -1)
    for index, block in enumerate(blocks):
        block_of[shapely.contains_xy(block, samples[:, 0], samples[:, 1])] = index
    inside = block_of >= 0
    mass: Floats = np.bincount(block_of[inside], weights=weight[inside], minlength=len(blocks)).astype(float)
    counts = _apportion(mass, spec.communities)
    blocks, members, counts = _absorb(blocks, block_of, counts, shapely.buffer(lines.river, 2.0))
    borders: list[Shape] = [block.exterior for block in blocks]
    for block, member, count in zip(blocks, members, counts, strict=True):
        if count > 1:
            centres = _lloyd(samples[member], weight[member], int(count), rng)
            parts = shapely.voronoi_polygons(MultiPoint(centres), extend_to=block, only_edges=True)
            borders.append(shapely.intersection(parts, block))
    return borders


def _apportion(mass: Floats, total: int) -> Ints:
    """Whole numbers in proportion to mass with the given sum (largest remainder, Hamilton 1792)."""
    exact = mass / mass.sum() * total
    whole = np.floor(exact).astype(np.int64)
    rest = np.argsort(-(exact - whole), kind="stable")[: total - int(whole.sum())]
    whole[rest] += 1
    return np.asarray(whole)


def _absorb(
    blocks: list[Shape], block_of: Ints, counts: Ints, river: Shape
) -> tuple[list[Shape], list[Ints], Ints]:
    """Join every block without a community to the neighbour with the longest common border on land."""
    parts: dict[int, list[int]] = {i: [i] for i in range(len(blocks))}
    shapes = dict(enumerate(blocks))
    for index in sorted(np.flatnonzero(counts == 0).tolist(), key=lambda i: float(blocks[i].area)):
        others = [j for j in shapes if j != index]
        into = others[_dry_neighbour(shapes[index], [shapes[j] for j in others], river)]
        joined: Shape = shapely.union(shapes[into], shapes[index], grid_size=GRID_M)
        if joined.geom_type != "Polygon" or joined.interiors:
            counts[index] = 1
            counts[int(np.argmax(counts))] -= 1
            continue
        shapes[into] = joined
        parts[into] += parts.pop(index)
        del shapes[index]
    kept = sorted(shapes)
    members = [np.flatnonzero(np.isin(block_of, parts[i])) for i in kept]
    return [shapes[i] for i in kept], members, np.maximum(counts[kept], 1)


def _lloyd(points: Floats, weight: Floats, count: int, rng: np.random.Generator) -> Floats:
    centres = points[rng.choice(len(points), count, replace=False, p=weight / weight.sum())]
    for _ in range(6):
        nearest = cKDTree(centres).query(points)[1]
        mass = np.bincount(nearest, weights=weight, minlength=count)
        for axis in (0, 1):
            moved = np.bincount(nearest, weights=weight * points[:, axis], minlength=count)
            centres[:, axis] = np.where(mass > 0, moved / np.maximum(mass, 1e-12), centres[:, axis])
    return np.round(centres, 2)


def _roughen(borders: list[Shape], lines: Lines, rng: np.random.Generator) -> list[Shape]:
    """Close the borders to polygons after bending every Voronoi edge, once for both sides."""
    union: Shape = shapely.union_all(borders, grid_size=GRID_M)
    merged = linemerge(union)
    chains = sorted(shapely.get_parts(merged), key=lambda c: c.coords[0] + c.coords[-1])
    fixed = shapely.buffer(shapely.union_all([*lines.cuts, lines.limit.exterior]), 1.0)
    shapely.prepare(fixed)
    seeds = rng.integers(0, 2**32, len(chains))
    expected = len(list(polygonize(chains)))
    for strength in (0.075, 0.05, 0.03, 0.0):
        bent = [
            chain if shapely.contains(fixed, chain) else _bend(chain, strength, int(seed))
            for chain, seed in zip(chains, seeds, strict=True)
        ]
        closed = list(polygonize(bent))
        faces = _whole(closed, shapely.buffer(lines.river, 2.0))
        if len(closed) == expected and shapely.coverage_is_valid(faces):
            return faces
    raise AssertionError("straight Voronoi borders must form a coverage")


def _bend(chain: LineString, strength: float, seed: int) -> LineString:
    """Midpoint displacement (Fournier, Fussell & Carpenter 1982) of one border; its ends stay."""
    rng = np.random.default_rng(seed)
    points = shapely.get_coordinates(chain)
    length = chain.length * strength
    while len(points) < 600 and np.hypot(*np.diff(points, axis=0).T).max() > 70:
        step = np.diff(points, axis=0)
        normal = np.c_[-step[:, 1], step[:, 0]] / np.maximum(np.hypot(step[:, 0], step[:, 1]), 1e-9)[:, None]
        middle = (points[:-1] + points[1:]) / 2 + normal * np.clip(rng.normal(0, length, len(step)), -60, 60)[
            :, None
        ]
        joined = np.empty((len(points) + len(middle), 2))
        joined[0::2], joined[1::2] = points, middle
        points, length = joined, length * 0.5
    return LineString(np.round(points, 2))


def _dry_neighbour(one: Shape, others: list[Shape], river: Shape) -> int:
    """Index of the neighbour with the longest common border on land."""
    common = shapely.intersection(one.exterior, [other.exterior for other in others])
    return int(np.argmax(shapely.length(shapely.difference(common, river))))


def _whole(faces: list[Shape], river: Shape) -> list[Shape]:
    """Small faces (a Voronoi cell cut in two by a bend of its block) join the neighbour with the longest border."""
    floor = 0.12 * float(np.median([f.area for f in faces]))
    kept = sorted((f for f in faces if f.area >= floor), key=lambda f: f.bounds)
    for crumb in sorted((f for f in faces if f.area < floor), key=lambda f: f.bounds):
        into = _dry_neighbour(crumb, kept, river)
        joined: Shape = shapely.coverage_union(kept[into], crumb)
        kept[into] = (
            joined.geoms[0] if joined.geom_type == "MultiPolygon" and len(joined.geoms) == 1 else joined
        )
    return [shapely.normalize(f) for f in kept]


def _mass(areas: NDArray[np.object_], samples: Floats, radius_m: float) -> Floats:
    """People of each area, relative: density integrated over it."""
    tree = shapely.STRtree(np.asarray(shapely.points(samples), dtype=object))
    area, point = tree.query(areas, predicate="contains")
    value = density(samples, radius_m)
    return np.asarray(np.bincount(area, weights=value[point], minlength=len(areas)) + value.min())


def _neighbours(areas: NDArray[np.object_], lines: Lines) -> set[tuple[int, int]]:
    """Pairs with a common border that the river does not separate, both ways."""
    left, right = shapely.STRtree(areas).query(areas, predicate="intersects")
    keep = left < right
    left, right = left[keep], right[keep]
    common = shapely.intersection(shapely.boundary(areas[left]), shapely.boundary(areas[right]))
    dry = shapely.difference(common, shapely.buffer(lines.river, 2.0))
    pairs = [(int(a), int(b)) for a, b, m in zip(left, right, shapely.length(dry), strict=True) if m > 30]
    return {*pairs, *((b, a) for a, b in pairs)}


def _group(
    centres: Floats, mass: Floats, neighbours: set[tuple[int, int]], count: int, rng: np.random.Generator
) -> Ints:
    """Contiguous groups of similar mass: the lightest group takes its nearest free neighbour until none is free."""
    n = len(centres)
    near: list[list[int]] = [sorted(b for a, b in neighbours if a == i) for i in range(n)]
    tree = _lloyd(centres, mass, count, rng)
    group = np.full(n, -1)
    for g in range(count):
        free = np.flatnonzero(group < 0)
        group[free[np.argmin(np.hypot(*(centres[free] - tree[g]).T))]] = g
    while (group < 0).any():
        total = np.bincount(group[group >= 0], weights=mass[group >= 0], minlength=count)
        for g in np.argsort(total, kind="stable"):
            edge = sorted({j for i in np.flatnonzero(group == g) for j in near[int(i)] if group[j] < 0})
            if edge:
                group[edge[int(np.argmin(np.hypot(*(centres[edge] - tree[g]).T)))]] = g
                break
        else:  # an island: it joins the group of its nearest grouped neighbour across the water
            loose, held = np.flatnonzero(group < 0), np.flatnonzero(group >= 0)
            distance, at = cKDTree(centres[held]).query(centres[loose])
            group[loose[int(np.argmin(distance))]] = group[held[at[int(np.argmin(distance))]]]
    return group


def _unions(areas: NDArray[np.object_], group: Ints) -> NDArray[np.object_]:
    whole = [shapely.coverage_union_all(areas[group == g]) for g in range(int(group.max()) + 1)]
    return np.array([shapely.normalize(w) for w in whole], dtype=object)

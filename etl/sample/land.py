"""What the ground is used for: lakes, parks, industrial estates, the built core of each village, building sites."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon

from etl.sample.areas import Areas, Shape
from etl.sample.lines import Floats, Lines, river_bed
from etl.sample.spec import SampleSpec


@dataclass(frozen=True)
class Land:
    """Flat polygons; `cores` is where people live, `closed` where nobody builds."""

    river: Shape
    lakes: NDArray[np.object_]
    parks: NDArray[np.object_]
    industrial: NDArray[np.bool_]  # per community
    cores: NDArray[np.object_]  # per community: where houses stand
    closed: Shape  # water, parks, rail: where nobody builds
    works: Floats  # (n, 2) building sites


def draw(spec: SampleSpec, lines: Lines, areas: Areas) -> Land:
    """Choose communities for lakes, parks and estates and leave the rest to houses."""
    rng = spec.rng("land")
    n = len(areas.communities)
    urban = np.flatnonzero(~areas.rural)
    by_density = urban[np.argsort(-areas.density[urban], kind="stable")]
    few = max(1, round(n / 60))
    thin = by_density[len(by_density) // 2 :]
    industrial = np.zeros(n, dtype=bool)
    industrial[rng.choice(thin, min(2 * few, len(thin)), replace=False)] = True
    rest = by_density[~industrial[by_density]]
    parks = _blobs(areas, rng.choice(rest, min(3 * few, len(rest)), replace=False), 0.34, rng)
    lake_places = np.r_[rng.choice(rest, few, replace=False), rng.choice(np.flatnonzero(areas.rural), 1)]
    lakes = _blobs(areas, lake_places, 0.22, rng)
    parks = np.array(
        [p for p in shapely.difference(parks, shapely.union_all(lakes)) if _solid(p)], dtype=object
    )
    river = shapely.intersection(river_bed(lines), lines.limit)
    closed = shapely.union_all([river, *lakes, *parks, shapely.buffer(lines.rail, 25)])
    cores = np.array([_core(areas, i, rng) for i in range(n)], dtype=object)
    dry = shapely.difference(cores, closed)
    cores = np.where(shapely.area(dry) > 2_000, dry, cores)  # a community all park: its people live in it
    works = shapely.get_coordinates(
        shapely.point_on_surface(areas.communities[rng.choice(urban, 3 * few + 2)])
    )
    return Land(river, lakes, parks, industrial, cores, closed, works)


def _solid(geometry: Polygon) -> bool:
    return bool(geometry.geom_type == "Polygon" and geometry.area > 3_000)


def _blobs(
    areas: Areas, places: NDArray[np.int64], share: float, rng: np.random.Generator
) -> NDArray[np.object_]:
    """A rounded irregular polygon inside each community, holding about that share of it."""
    blobs = []
    for place in places:
        home = areas.communities[int(place)]
        centre = shapely.get_coordinates(shapely.point_on_surface(home))[0]
        angle = np.linspace(0, 2 * np.pi, 41)[:-1]
        r = np.sqrt(min(home.area, 1.2e6) * share / np.pi)
        wave = 1 + 0.22 * np.sin(2 * angle + rng.uniform(0, 6)) + 0.12 * np.sin(3 * angle + rng.uniform(0, 6))
        blob = Polygon(np.round(centre + (r * wave)[:, None] * np.c_[np.cos(angle), np.sin(angle)], 2))
        inside = shapely.intersection(blob, shapely.buffer(home, -25))
        inside = max(shapely.get_parts(inside), key=lambda g: g.area, default=None)
        if inside is not None and _solid(inside):
            blobs.append(shapely.set_precision(inside, 0.01))
    return np.array(blobs, dtype=object)


def _core(areas: Areas, index: int, rng: np.random.Generator) -> Shape:
    """Where people live: all of an urban community, a round settlement in a village."""
    whole = areas.communities[index]
    if not areas.rural[index]:
        return shapely.buffer(whole, -14)
    x, y = shapely.get_coordinates(shapely.point_on_surface(whole))[0]
    radius = 60 + 5.2 * np.sqrt(areas.people[index]) * rng.uniform(0.8, 1.2)
    return shapely.intersection(shapely.Point(x, y).buffer(radius), shapely.buffer(whole, -20))

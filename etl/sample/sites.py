"""Where cases can happen: weighted sites per kind of place, each with its words for the free text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from etl.sample import roads
from etl.sample.areas import Ints, density
from etl.sample.city import City
from etl.sample.lines import Floats

KEEP_OFF_LIMIT_M = 70.0  # jitter stays below 50 m, so no case leaves the city by chance


@dataclass(frozen=True)
class Sites:
    """The sites of one kind of place: WGS 84 degrees, running sum of chance (last is 1), community, words."""

    lonlat: Floats
    chance: Floats
    community: Ints
    words: NDArray[np.object_]

    def draw(self, count: int, rng: np.random.Generator) -> Ints:
        """`count` sites by chance."""
        return np.minimum(np.searchsorted(self.chance, rng.random(count), side="right"), len(self.chance) - 1)


def draw(city: City) -> dict[str, Sites]:
    """Sites by kind of place: home, road, core, park, water, works, industry."""
    rng = city.spec.rng("sites")
    scale = city.spec.communities
    spread = {
        "home": (city.buildings.xy, city.buildings.people.astype(np.float64)),
        "road": _on_roads(city, ("trunk", "primary", "secondary", "residential"), 60 * scale, 0.6, rng),
        "core": _on_roads(city, ("primary", "secondary", "residential"), 50 * scale, 1.8, rng),
        "park": _on_roads(city, ("footway",), 6 * scale, 0.4, rng),
        "water": _by_water(city, 6 * scale, rng),
        "works": (
            np.repeat(city.land.works, 30, axis=0) + rng.normal(0, 35, (30 * len(city.land.works), 2)),
            None,
        ),
        "industry": _industry(city, 6 * scale, rng),
    }
    return {kind: _sites(city, xy, weight, rng) for kind, (xy, weight) in spread.items()}


def _on_roads(
    city: City, kinds: tuple[str, ...], count: int, power: float, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    xy, _ = roads.along(city.network, kinds, count, rng)
    return xy, density(xy, city.lines.radius_m) ** power


def _by_water(city: City, count: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    banks = [shapely.boundary(city.land.river), *shapely.boundary(city.land.lakes)]
    length = shapely.length(banks)
    pick = rng.choice(len(banks), count, p=length / length.sum())
    xy = shapely.get_coordinates(
        shapely.line_interpolate_point(
            np.array(banks, dtype=object)[pick], rng.random(count), normalized=True
        )
    )
    return xy, density(xy, city.lines.radius_m) ** 0.8


def _industry(city: City, count: int, rng: np.random.Generator) -> tuple[Floats, None]:
    estates = np.flatnonzero(city.land.industrial)
    at = rng.choice(estates, count)
    centre = shapely.get_coordinates(shapely.point_on_surface(city.areas.communities[at]))
    return centre + rng.normal(0, 150, centre.shape), None


def _sites(city: City, xy: Floats, weight: Floats | None, rng: np.random.Generator) -> Sites:
    """Keep what lies well inside the city; heavy-tailed chances make some sites hot."""
    inner = shapely.buffer(city.lines.limit, -KEEP_OFF_LIMIT_M)
    shapely.prepare(inner)
    keep = shapely.contains_xy(inner, xy[:, 0], xy[:, 1])
    xy = xy[keep]
    chance = rng.lognormal(0, 1.15, len(xy)) * (1.0 if weight is None else weight[keep])
    point, area = shapely.STRtree(city.areas.communities).query(shapely.points(xy), predicate="intersects")
    community = np.zeros(len(xy), dtype=np.int64)
    community[point[::-1]] = area[::-1]
    return Sites(
        city.lonlat(xy), np.cumsum(chance) / chance.sum(), community, _words(city, xy, community, rng)
    )


def _words(city: City, xy: Floats, community: Ints, rng: np.random.Generator) -> NDArray[np.object_]:
    """`翠林社区锦溪路128号附近`: community, nearest named road, a house number."""
    named = city.network.lines_of("trunk", "primary", "secondary", "residential", "track")
    nearest = np.asarray(shapely.STRtree(city.network.geometry[named]).nearest(shapely.points(xy)))
    number = rng.integers(1, 399, len(xy))
    names = city.names.communities
    return np.array(
        [
            f"{names[c]}{city.network.name[named[r]]}{n}号附近"
            for c, r, n in zip(community.tolist(), nearest.tolist(), number.tolist(), strict=True)
        ],
        dtype=np.object_,
    )

"""Where people live and what serves them: buildings with households (numbers only) and facilities of ten kinds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from etl.sample.areas import Areas, Ints
from etl.sample.land import Land
from etl.sample.lines import Floats
from etl.sample.naming import Names, words
from etl.sample.spec import SampleSpec

PEOPLE_PER_HOUSEHOLD = 2.6
HOUSEHOLDS_PER_BUILDING = 34.0
HOUSEHOLDS_PER_FARM = 3.0


@dataclass(frozen=True)
class Buildings:
    """One row per residential building: flat point, its community, households and people (whole numbers)."""

    xy: Floats
    community: Ints
    households: Ints
    people: Ints


@dataclass(frozen=True)
class Facilities:
    """The facilities of one kind: flat points, names, capacities, communities."""

    kind: str
    zh: str
    file_format: str
    xy: Floats
    name: list[str]
    capacity: Ints
    community: Ints


def houses(spec: SampleSpec, areas: Areas, land: Land) -> Buildings:
    """Buildings in the built core of every community; towers where many live, farmhouses in villages."""
    rng = spec.rng("houses")
    xy, community, households = [], [], []
    for index, core in enumerate(land.cores):
        total = areas.people[index] / PEOPLE_PER_HOUSEHOLD
        size = HOUSEHOLDS_PER_FARM if areas.rural[index] else HOUSEHOLDS_PER_BUILDING
        count = max(3, int(total / size))
        share = rng.lognormal(0, 0.55, count)
        xy.append(_inside(core, count, rng))
        community.append(np.full(count, index))
        households.append(np.maximum(1, np.round(total * share / share.sum())))
    held = np.concatenate(households).astype(np.int64)
    people = np.maximum(held, rng.poisson(held * PEOPLE_PER_HOUSEHOLD))
    return Buildings(np.vstack(xy), np.concatenate(community), held, people.astype(np.int64))


def serve(spec: SampleSpec, areas: Areas, land: Land, names: Names, buildings: Buildings) -> list[Facilities]:
    """Facilities near people: each is put beside a building drawn by its people, parks in the parks."""
    every = []
    for entry in words()["facility"]:
        rng = spec.rng(f"facility {entry['kind']}")
        count = max(2, round(entry["per_100k"] * spec.people / 100_000))
        if entry["kind"] == "park":
            xy = shapely.get_coordinates(shapely.point_on_surface(land.parks))
            community = _community_of(xy, areas)
        else:
            chance = buildings.people**0.8
            at = rng.choice(len(buildings.xy), count, p=chance / chance.sum())
            xy = _beside(buildings.xy[at], land, buildings.community[at], rng)
            community = buildings.community[at]
        capacity = np.maximum(1, np.round(entry["capacity"] * rng.lognormal(-0.1, 0.45, len(xy)))).astype(
            np.int64
        )
        every.append(
            Facilities(
                kind=entry["kind"],
                zh=entry["zh"],
                file_format=entry["format"],
                xy=xy,
                name=_names(entry, names, community),
                capacity=capacity,
                community=community,
            )
        )
    return every


def _inside(area: Any, count: int, rng: np.random.Generator) -> Floats:
    """Points spread at random inside a polygon (rejection from its box)."""
    low_x, low_y, high_x, high_y = area.bounds
    shapely.prepare(area)
    kept = np.empty((0, 2))
    while len(kept) < count:
        tries = np.c_[rng.uniform(low_x, high_x, 3 * count + 8), rng.uniform(low_y, high_y, 3 * count + 8)]
        kept = np.r_[kept, tries[shapely.contains_xy(area, tries[:, 0], tries[:, 1])]]
    return np.round(kept[:count], 1)


def _beside(xy: Floats, land: Land, community: Ints, rng: np.random.Generator) -> Floats:
    """A place some tens of metres away, in the same community; else the place itself."""
    moved = np.round(xy + rng.normal(0, 40, xy.shape), 1)
    good = shapely.contains_xy(land.cores[community], moved[:, 0], moved[:, 1])
    return np.where(good[:, None], moved, xy)


def _community_of(xy: Floats, areas: Areas) -> Ints:
    point, area = shapely.STRtree(areas.communities).query(shapely.points(xy), predicate="intersects")
    found = np.zeros(len(xy), dtype=np.int64)
    found[point[::-1]] = area[::-1]
    return found


def _names(entry: dict[str, Any], names: Names, community: Ints) -> list[str]:
    """Named after the community, numbered where a community has several; parks have names of their own."""
    if entry["kind"] == "park":
        own = words()["parks"]
        return [
            own[i % len(own)] + ("" if i < len(own) else str(i // len(own) + 1))
            for i in range(len(community))
        ]
    seen: dict[int, int] = {}
    given = []
    for index in community.tolist():
        seen[index] = seen.get(index, 0) + 1
        stem = names.communities[index].removesuffix("社区").removesuffix("村")
        given.append(f"{stem}{entry['zh']}" if seen[index] == 1 else f"{stem}第{seen[index]}{entry['zh']}")
    return given

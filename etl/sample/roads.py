"""The network: rings, avenues with bridges, rail, embankments, streets on community borders, a street lattice, paths.

All roads are noded together, so that two ways meet in a vertex that both have; that is what walking needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import LineString, MultiLineString

from etl.sample.areas import GRID_M, Areas
from etl.sample.land import Land
from etl.sample.lines import RIVER_HALF_WIDTH_M, Floats, Lines
from etl.sample.naming import words
from etl.sample.spec import SampleSpec

KIND_ORDER = ("bridge", "trunk", "primary", "secondary", "residential", "track", "footway")
CLASS_OF = {"bridge": "bridge", "footway": "path"}


@dataclass(frozen=True)
class Network:
    """Ways as parallel arrays; geometry in flat metres (lines; water as polygons)."""

    geometry: NDArray[np.object_]
    way_class: list[str]
    kind: list[str]
    name: list[str]

    def lines_of(self, *kinds: str) -> NDArray[np.int64]:
        """Positions of the ways of these kinds."""
        return np.array([i for i, k in enumerate(self.kind) if k in kinds], dtype=np.int64)


def draw(spec: SampleSpec, lines: Lines, areas: Areas, land: Land) -> Network:
    """Every way of the city, west to east within its kind."""
    rng, lists = spec.rng("roads"), words()
    raw: list[tuple[Any, str, str]] = []
    _main(lines, areas, land, lists, raw)
    _borders(lines, areas, land, raw, rng, lists)
    _lattices(areas, land, raw, rng, lists)
    _village_links(areas, land, raw)
    _park_paths(land, raw)
    geometry, kind, name = _node(raw)
    ways = sorted(
        zip(geometry, kind, name, strict=True),
        key=lambda w: (KIND_ORDER.index(w[1]), shapely.get_coordinates(w[0])[0].tolist()),
    )
    rail = [
        (part, "rail", "rail", lists["rail"])
        for part in _parts(shapely.intersection(lines.rail, lines.limit))
    ]
    water = [(land.river, "water", "river", lists["river"])]
    water += [(lake, "water", "lake", n) for lake, n in zip(land.lakes, lists["lakes"] * 9, strict=False)]
    every = [(g, CLASS_OF.get(k, "road"), k, n) for g, k, n in ways] + rail + water
    return Network(
        np.array([e[0] for e in every], dtype=object),
        [e[1] for e in every],
        [e[2] for e in every],
        [e[3] for e in every],
    )


def _parts(geometry: Any) -> list[LineString]:
    return [p for p in shapely.get_parts(geometry) if p.geom_type == "LineString" and p.length > 1]


def _main(
    lines: Lines, areas: Areas, land: Land, lists: dict[str, Any], raw: list[tuple[Any, str, str]]
) -> None:
    """Rings and avenues, as bridges over the river; embankments where the town is."""
    named = [
        *zip(lines.rings, lists["rings"], ["trunk"] * 9, strict=False),
        *zip(lines.along, lists["avenues_along"], ["primary"] * 9, strict=False),
        *zip(lines.across, lists["avenues_across"], ["primary"] * 9, strict=False),
    ]
    for line, name, kind in named:
        inside = shapely.intersection(line, lines.limit)
        raw.extend((part, kind, name) for part in _parts(shapely.difference(inside, land.river)))
        raw.extend(
            (part, "bridge", name + "大桥") for part in _parts(shapely.intersection(inside, land.river))
        )
    town = shapely.union_all(areas.communities[~areas.rural])
    for side, name in zip((1, -1), lists["embankments"], strict=True):
        bank = shapely.offset_curve(lines.river, side * (RIVER_HALF_WIDTH_M + 30))
        raw.extend((part, "secondary", name) for part in _parts(shapely.intersection(bank, town)))
        walk = shapely.offset_curve(lines.river, side * (RIVER_HALF_WIDTH_M + 12))
        raw.extend((part, "footway", name + "步道") for part in _parts(shapely.intersection(walk, town)))


def _borders(
    lines: Lines,
    areas: Areas,
    land: Land,
    raw: list[tuple[Any, str, str]],
    rng: np.random.Generator,
    lists: Any,
) -> None:
    """Streets on the borders of urban communities, away from river, rail, water and the city limit."""
    rims = shapely.boundary(areas.communities[~areas.rural])
    cuts: Any = shapely.buffer([*lines.main_roads, lines.rail, lines.limit.exterior], 8)
    wet: Any = shapely.buffer(np.r_[land.lakes, land.parks], 5)
    keep_off = shapely.union_all([shapely.buffer(land.river, 20), *cuts, *wet])
    common = shapely.line_merge(shapely.difference(shapely.union_all(rims, grid_size=GRID_M), keep_off))
    for part in sorted(_parts(common), key=lambda p: p.bounds):
        raw.append((_reach(part, 9.0), "secondary", _street_name(rng, lists, ("路", "大街"))))


def _reach(line: LineString, metres: float) -> LineString:
    """Both ends drawn out straight, so that they meet the road they stopped short of."""
    xy = shapely.get_coordinates(line)
    first, last = xy[0] - xy[1], xy[-1] - xy[-2]
    first, last = first / max(np.hypot(*first), 1e-9), last / max(np.hypot(*last), 1e-9)
    return LineString(np.round(np.r_[[xy[0] + metres * first], xy, [xy[-1] + metres * last]], 2))


def _street_name(rng: np.random.Generator, lists: dict[str, Any], ends: tuple[str, ...]) -> str:
    first, second = rng.choice(lists["street_first"]), rng.choice(lists["street_second"])
    return f"{first}{second}{ends[int(rng.integers(len(ends)))]}"


def _lattices(
    areas: Areas, land: Land, raw: list[tuple[Any, str, str]], rng: np.random.Generator, lists: dict[str, Any]
) -> None:
    """Two families of parallel streets in every community, closer where more people live."""
    median = float(np.median(areas.density[~areas.rural]))
    for index, whole in enumerate(areas.communities):
        built = land.cores[index] if areas.rural[index] else whole
        ground = shapely.difference(built, shapely.buffer(land.closed, 4))
        crowd = np.clip(areas.density[index] / median, 0.35, 2.5)
        gap = np.clip(150 / crowd**0.35, 92, 190) * (1.9 if land.industrial[index] else 1.0)
        kind = "track" if areas.rural[index] else "residential"
        for line in _family(whole, gap, rng):
            for part in _parts(shapely.intersection(line, ground)):
                if part.length > 45:
                    raw.append(
                        (_reach(part, 2.0), kind, _street_name(rng, lists, tuple(lists["street_third"])))
                    )


def _family(whole: Any, gap: float, rng: np.random.Generator) -> list[LineString]:
    """Parallel lines both ways along the community's own direction, spacing jittered by a fifth."""
    box = shapely.get_coordinates(shapely.minimum_rotated_rectangle(whole))
    centre, side = box[:4].mean(axis=0), box[1] - box[0]
    along = side / np.hypot(*side)
    across = np.array([-along[1], along[0]])
    reach = float(np.hypot(*(box[2] - box[0])))
    lines = []
    for forward, sideways, step in ((along, across, gap), (across, along, gap * rng.uniform(1.05, 1.45))):
        offsets = np.cumsum(
            np.full(max(int(reach / step), 1), step) * rng.uniform(0.8, 1.2, max(int(reach / step), 1))
        )
        for offset in offsets - offsets.mean():
            middle = centre + sideways * offset
            lines.append(LineString(np.round([middle - forward * reach, middle + forward * reach], 2)))
    return lines


def _village_links(areas: Areas, land: Land, raw: list[tuple[Any, str, str]]) -> None:
    """A country road from each village to the nearest main or secondary road that is not across the river."""
    roads = [g for g, kind, _ in raw if kind in ("trunk", "primary", "secondary")]
    tree = shapely.STRtree(roads)
    for index in np.flatnonzero(areas.rural):
        place = shapely.point_on_surface(areas.communities[index])
        near = tree.query_nearest(place)
        link = shapely.shortest_line(place, roads[int(near[0])])
        inside = shapely.difference(link, land.river)
        raw.extend((_reach(part, 2.0), "track", "乡村路") for part in _parts(inside))


def _park_paths(land: Land, raw: list[tuple[Any, str, str]]) -> None:
    """A round path and two crossings in every park."""
    for park in land.parks:
        inner = shapely.buffer(park, -18)
        if inner.is_empty or inner.geom_type != "Polygon":
            continue
        x0, y0, x1, y1 = park.bounds
        cross = MultiLineString([[(x0, y0), (x1, y1)], [(x0, y1), (x1, y0)]])
        raw.append((shapely.simplify(inner.exterior, 2), "footway", "园路"))
        raw.extend(
            (part, "footway", "园路")
            for part in _parts(shapely.intersection(cross, shapely.buffer(park, 10)))
        )


def _node(raw: list[tuple[Any, str, str]]) -> tuple[list[LineString], list[str], list[str]]:
    """Cut all ways where they meet; every piece takes kind and name of the highest way it lies on."""
    sources = [g for g, _, _ in raw]
    pieces = np.array(_parts(shapely.union_all(sources, grid_size=GRID_M)), dtype=object)
    middle = shapely.line_interpolate_point(pieces, 0.5, normalized=True)
    piece, source = shapely.STRtree(sources).query(middle, predicate="dwithin", distance=0.05)
    rank = np.array([KIND_ORDER.index(k) for _, k, _ in raw])
    best = np.full(len(pieces), -1)
    for p, s in zip(piece.tolist(), source.tolist(), strict=True):
        if best[p] < 0 or (rank[s], s) < (rank[best[p]], best[p]):
            best[p] = s
    held = np.flatnonzero(best >= 0)
    return list(pieces[held]), [raw[best[p]][1] for p in held], [raw[best[p]][2] for p in held]


def along(
    network: Network, kinds: tuple[str, ...], count: int, rng: np.random.Generator
) -> tuple[Floats, NDArray[np.int64]]:
    """`count` points spread evenly by length along ways of these kinds, and the way each lies on."""
    which = network.lines_of(*kinds)
    length = shapely.length(network.geometry[which])
    pick = rng.choice(len(which), count, p=length / length.sum())
    points = shapely.line_interpolate_point(network.geometry[which[pick]], rng.random(count), normalized=True)
    return shapely.get_coordinates(points), which[pick]

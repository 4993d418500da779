"""Areas, barriers and what happens where become units: the whole of the geometry, without a database.

1. cut        borders of the areas + roads, rails, waters → faces; slivers join a neighbour of their area
2. split      what is larger than the target: equal straight cuts, or lattice cells where no barrier runs
3. merge      small pieces join again, empty ground grows up to `empty_area_m2`
4. measure    back to EPSG:4326, areas and lengths in the measuring CRS, borders and who can walk across
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import shapely
from numpy.typing import NDArray

from etl.units import borders as sharing
from etl.units import cells, mesh, split
from etl.units.borders import Borders
from etl.units.plane import Geometries, Plane
from geo import crs
from geo.errors import RefusedArgument
from geo.progress import Progress, silent

LARGEST_SHARE = 2.0  # no unit exceeds this × target; pieces aim below it
CAP_SHARE = 1.95
SPLIT_SHARE = 1.5  # a face above this share of the target is split
LEAST_SHARE = 0.2  # a piece below this share joins a neighbour
THIN_M = 5.0  # a piece narrower than this (2 × area / perimeter) joins a neighbour
HARD_SNAP_M = 0.05  # a side this near a barrier line lies on it
BESIDE_M = 1.0  # ground this near a street or an event is not empty
EMPTY_COUNTS = 0.15  # … of which empty ground counts this much, and water nothing
POCKET_SHARE = 3.0  # ground below this × target that nobody can reach gets one open border

Cells = Literal["auto", "square", "hexagon"]
NONE: Geometries = np.empty(0, dtype=object)


@dataclass(frozen=True)
class Obstacles:
    """What cuts ground, all EPSG:4326: lines that divide units, what stops walkers, what leads across, open water."""

    cuts: Geometries = field(default_factory=lambda: NONE)
    barriers: Geometries = field(default_factory=lambda: NONE)
    passages: Geometries = field(default_factory=lambda: NONE)
    water: Geometries = field(default_factory=lambda: NONE)


@dataclass(frozen=True)
class Wish:
    """How large units should be, in m²; `empty_area_m2` allows more where nothing happens."""

    target_area_m2: float = 10_000.0
    empty_area_m2: float | None = None
    cells: Cells = "auto"


@dataclass(frozen=True)
class Ground:
    """Units in the order of their codes: geometry (EPSG:4326), index of their area, m², m, and who lies beside whom."""

    geometry: Geometries
    point: Geometries
    area: NDArray[np.int64]
    area_m2: NDArray[np.float64]
    perimeter_m: NDArray[np.float64]
    built_up: NDArray[np.bool_]
    borders: Borders
    pockets: int
    dropped_m2: float  # ground of the areas that fell into no unit (overlaps counted once); rounding only


def divide(
    areas: Geometries,
    measuring_crs: str,
    wish: Wish,
    obstacles: Obstacles | None = None,
    events: Geometries = NONE,
    progress: Progress = silent,
) -> Ground:
    """Units for `areas` (EPSG:4326 polygons sorted by code; where two overlap the first gets the ground).

    `events` are points where something happens (cases, facilities …): ground with none of them and no passage is
    empty. Without any event and passage everywhere all ground counts as built up. Deterministic.
    """
    things = obstacles or Obstacles()
    plane = Plane.around(areas)
    flat = plane.put(areas)
    scale = float(shapely.area(crs.project(areas, measuring_crs)).sum() / shapely.area(flat).sum())
    work = _Work(plane, flat, things, plane.put(events), wish, scale)
    progress("cut", 0, 3)
    faces = work.cut()
    progress("cut", 1, 3)
    faces = work.split(faces)
    progress("cut", 2, 3)
    units, area, kind = work.merge(faces)
    progress("cut", 3, 3)
    return _finish(work, units, area, kind, areas, measuring_crs, progress)


class _Work:
    """The inputs in the plane, and the first three steps."""

    def __init__(
        self, plane: Plane, areas: Geometries, things: Obstacles, events: Geometries, wish: Wish, scale: float
    ) -> None:
        self.plane, self.areas, self.wish, self.events = plane, areas, wish, events
        self.target = wish.target_area_m2 / scale
        self.empty = (wish.empty_area_m2 or 0.0) / scale
        self.cuts = plane.put(things.cuts)
        self.barriers = plane.put(things.barriers)
        self.passages = plane.put(things.passages)
        self.water = plane.put(things.water)
        self.evident = len(events) > 0 or len(self.passages) > 0

    def cut(self) -> mesh.Faces:
        """Faces between the areas' borders and the barriers, slivers merged away (without an upper limit)."""
        lines = self.cuts
        if len(self.water) and len(lines):  # a street over a river does not divide the river
            lines = shapely.difference(lines, shapely.union_all(self.water))
            lines = lines[~shapely.is_empty(lines)]
        lines = np.concatenate([lines, shapely.boundary(self.water)]) if len(self.water) else lines
        faces = mesh.faces_of(lines, self.areas)
        size = shapely.area(faces.polygons)
        return self._merged(faces, np.full(len(size), np.inf), np.full(len(size), LEAST_SHARE * self.target))

    def split(self, faces: mesh.Faces) -> mesh.Faces:
        """Everything above the target divided: equal cuts, or lattice cells in areas that no barrier crosses."""
        size = shapely.area(faces.polygons)
        aim = self.aim(faces.polygons)
        large = size > SPLIT_SHARE * aim
        whole = large & (np.bincount(faces.area, minlength=len(self.areas))[faces.area] == 1)
        whole &= aim == self.target
        pieces = np.maximum(2, np.ceil(size / (1.2 * aim))).astype(np.int64)
        lines = [shapely.boundary(faces.polygons), split.cuts(*_only(faces.polygons, pieces, large & ~whole))]
        if whole.any():
            lines.append(self._lattice(faces.polygons[whole]))
        found = mesh.faces_of(np.concatenate(lines), self.areas)
        return self._split_rest(found)

    def merge(self, faces: mesh.Faces) -> tuple[Geometries, NDArray[np.int64], NDArray[np.int64]]:
        """Units: small pieces joined within their area, never above the limit; empty ground joined to larger pieces."""
        kind = self.kind(faces.polygons)
        cap = np.full(len(kind), CAP_SHARE * self.target)
        least = np.full(len(kind), LEAST_SHARE * self.target)
        if self.empty > self.target:
            cap[kind > 0], least[kind > 0] = CAP_SHARE * self.empty, 0.5 * self.empty
        merged = self._merged(faces, cap, least)
        return merged.polygons, merged.area, self.kind(merged.polygons)

    def aim(self, polygons: Geometries) -> NDArray[np.float64]:
        """The target of every face: larger where nothing happens, when that was asked."""
        if self.empty <= self.target:
            return np.full(len(polygons), self.target)
        return np.where(self.kind(polygons) > 0, self.empty, self.target)

    def kind(self, polygons: Geometries) -> NDArray[np.int64]:
        """0 ground where something happens, 1 empty ground, 2 water."""
        kind = np.zeros(len(polygons), np.int64)
        if self.evident:
            kind[:] = 1
            tree = shapely.STRtree(polygons)
            for things in (self.events, self.passages):
                if len(things):
                    kind[np.unique(tree.query(things, predicate="dwithin", distance=BESIDE_M)[1])] = 0
        if len(self.water):
            wet = mesh.inside(shapely.point_on_surface(polygons), self.water) >= 0
            kind[wet] = 2
        return kind

    def hard(self, sides: mesh.Sides) -> NDArray[np.bool_]:
        """Which sides lie on a barrier."""
        found = np.zeros(len(sides.a), bool)
        if len(self.barriers):
            outline = np.where(
                shapely.get_dimensions(self.barriers) == 2, shapely.boundary(self.barriers), self.barriers
            )
            middles = shapely.points((sides.start + sides.end) / 2)
            near = shapely.STRtree(outline).query(middles, predicate="dwithin", distance=HARD_SNAP_M)[0]
            found[near] = True
        return found

    def _merged(self, faces: mesh.Faces, cap: NDArray[np.float64], least: NDArray[np.float64]) -> mesh.Faces:
        size = shapely.area(faces.polygons)
        sides = mesh.sides_of(faces.polygons)
        thin = 2 * size < THIN_M * shapely.length(faces.polygons)
        sliver = LEAST_SHARE * self.target
        rules = mesh.Rules(least, cap, sliver, self.kind(faces.polygons))
        group = mesh.merge_small(faces.area, size, (size < least) | thin, rules, sides, self.hard(sides))
        group = mesh.join_islands(group, faces.polygons, faces.area, size, sliver)
        polygons, first = mesh.dissolve(faces.polygons, group)
        return mesh.Faces(polygons, faces.area[first])

    def _split_rest(self, faces: mesh.Faces) -> mesh.Faces:
        """Concave leftovers and odd cells that are still too large are cut once more, until none is."""
        for _ in range(4):
            size = shapely.area(faces.polygons)
            aim = self.aim(faces.polygons)
            large = size > (CAP_SHARE - 2 * LEAST_SHARE) * aim
            if not large.any():
                break
            pieces = np.maximum(2, np.ceil(size / (1.2 * aim))).astype(np.int64)
            again = split.cuts(*_only(faces.polygons, pieces, large))
            faces = mesh.faces_of(np.concatenate([shapely.boundary(faces.polygons), again]), self.areas)
        return faces

    def _lattice(self, whole: Geometries) -> Geometries:
        """The lines of square or hexagonal cells of the target size inside the given faces."""
        resolution = cells.hexagon_resolution(self.wish.target_area_m2)
        if self.wish.cells == "hexagon" and resolution is None:
            raise RefusedArgument(
                f"H3 六边形没有约 {self.wish.target_area_m2:g} m² 的一级。",
                f"H3 has no hexagons of about {self.wish.target_area_m2:g} m².",
                code="no-such-hexagon",
                field="target-area-m2",
                do_zh="请用方格（--cells square），或 2150、15000、105000 m² 左右的目标。",
                do_en="Use squares (--cells square), or a target near 2150, 15000 or 105000 m².",
            )
        if resolution is None or self.wish.cells == "square":
            side = float(np.sqrt(self.target))
            found = [shapely.intersection(cells.squares(face, side), face) for face in whole]
            clipped = np.concatenate([NONE, *found])
        else:
            lines = cells.hexagons(self.plane.take(whole), self.plane, resolution)
            which, face = shapely.STRtree(whole).query(lines, predicate="intersects")
            clipped = shapely.intersection(lines[which], whole[face])
        return np.asarray(clipped[shapely.get_dimensions(clipped) == 1], dtype=object)


def _finish(
    work: _Work,
    units: Geometries,
    area: NDArray[np.int64],
    kind: NDArray[np.int64],
    areas: Geometries,
    measuring_crs: str,
    progress: Progress,
) -> Ground:
    progress("measure", 0, 2)
    lonlat = _sound(work.plane, units, shapely.get_coordinates(areas))
    measured = crs.project(lonlat, measuring_crs)
    sides = mesh.sides_of(units)
    lengths = _lengths(work.plane, sides, measuring_crs)
    progress("measure", 1, 2)
    pairs, lines = sharing.pairs_of(sides, lengths)
    walkable = sharing.open_borders(lines, work.barriers, work.passages)
    pairs = Borders(pairs.a, pairs.b, pairs.length_m, walkable)
    area_m2 = shapely.area(measured)
    solid_m2 = area_m2 * np.array([1.0, EMPTY_COUNTS, 0.0])[kind]
    least_m2 = POCKET_SHARE * work.wish.target_area_m2
    pairs, pockets = sharing.reach_pockets(pairs, area, solid_m2, least_m2)
    progress("measure", 2, 2)
    covered = shapely.union_all(areas) if _overlapping(areas) else None
    whole = (
        crs.project(np.array([covered], dtype=object), measuring_crs)
        if covered is not None
        else crs.project(areas, measuring_crs)
    )
    return Ground(
        geometry=lonlat,
        point=np.asarray(shapely.point_on_surface(lonlat), dtype=object),
        area=area,
        area_m2=area_m2,
        perimeter_m=np.asarray(shapely.length(measured)),
        built_up=kind == 0,
        borders=pairs,
        pockets=pockets,
        dropped_m2=float(shapely.area(whole).sum() - area_m2.sum()),
    )


def _sound(plane: Plane, units: Geometries, originals: NDArray[np.float64]) -> Geometries:
    """Back to degrees, on the areas' own vertices where that keeps the coverage valid (it does unless two vertices
    of an area lie within 0.1 mm)."""
    for corners in (originals, None):
        lonlat = plane.take(units, corners)
        if shapely.is_valid(lonlat).all() and shapely.coverage_is_valid(lonlat):
            return lonlat
    raise AssertionError("units are not a valid coverage: a bug of ours, never of the file")


def _lengths(plane: Plane, sides: mesh.Sides, measuring_crs: str) -> NDArray[np.float64]:
    ends = plane.backward(np.stack([sides.start, sides.end], axis=1).reshape(-1, 2)).reshape(-1, 2, 2)
    return np.asarray(
        shapely.length(
            crs.project(np.atleast_1d(np.asarray(shapely.linestrings(ends), dtype=object)), measuring_crs)
        )
    )


def _overlapping(areas: Geometries) -> bool:
    return not shapely.coverage_is_valid(areas)


def _only(
    polygons: Geometries, pieces: NDArray[np.int64], chosen: NDArray[np.bool_]
) -> tuple[Geometries, NDArray[np.int64]]:
    return polygons[chosen], pieces[chosen]

"""The lines the city grew along: its limit, river, rail, rings and avenues, and the warp that makes them organic.

Everything is laid out in flat metres around the centre (x east, y north) and warped by one smooth map at the end, so
that whatever shares a vertex before shares it afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import LineString, Polygon

from etl.sample.spec import SampleSpec

Floats = NDArray[np.float64]
RIVER_HALF_WIDTH_M = 75.0
STEP_M = 50.0


@dataclass(frozen=True)
class Lines:
    """Flat lines of one city: `limit` is the city's outline; the others are clipped to nothing yet."""

    radius_m: float
    limit: Polygon
    river: LineString
    rail: LineString
    rings: tuple[LineString, ...]
    along: tuple[LineString, ...]  # avenues west to east
    across: tuple[LineString, ...]  # avenues south to north
    waves: Floats  # (k, 5): amplitude, wave vector x and y, phase of x, phase of y

    @property
    def main_roads(self) -> tuple[LineString, ...]:
        """Rings and avenues."""
        return (*self.rings, *self.along, *self.across)

    @property
    def cuts(self) -> tuple[LineString, ...]:
        """The lines that communities never cross: river, rail, main roads."""
        return (self.river, self.rail, *self.main_roads)


def draw(spec: SampleSpec) -> Lines:
    """The lines of a city of this size."""
    rng = spec.rng("lines")
    radius = spec.radius_m
    small = spec.communities < 80
    rings = (0.30,) if small else (0.27, 0.56)
    along = (0.16,) if small else (0.12, 0.42, -0.50)
    across = (-0.08,) if small else (-0.42, -0.09, 0.38)
    return Lines(
        radius_m=radius,
        limit=_fine(_limit(radius, rng)),
        river=_fine(_river(radius, rng)),
        rail=_fine(_rail(radius, rng)),
        rings=tuple(_fine(_ring(radius * share, rng)) for share in rings),
        along=tuple(_fine(line) for line in _avenues(radius, along, rng)),
        across=tuple(_fine(line) for line in _avenues(radius, across, rng, flip=True)),
        waves=_waves(radius, rng),
    )


def warp(points: Floats, waves: Floats) -> Floats:
    """A smooth bend of the plane, (n, 2) metres to (n, 2) metres: neighbours stay neighbours, straight lines do not."""
    moved = points.copy()
    for amplitude, kx, ky, phase_x, phase_y in waves:
        along = points[:, 0] * kx + points[:, 1] * ky
        moved[:, 0] += amplitude * np.sin(along + phase_x)
        moved[:, 1] += amplitude * np.sin(along + phase_y)
    return moved


def bend(geometries: NDArray[np.object_], lines: Lines, *, cut: bool = False) -> NDArray[np.object_]:
    """The same geometries after the warp. `cut`: edges are first cut to STEP_M so that long ones bend too; never for
    coverages, where the two sides of a border would be cut at points that differ in the last bit."""
    fine = shapely.segmentize(geometries, STEP_M) if cut else geometries
    return np.asarray(shapely.transform(fine, lambda xy: warp(xy, lines.waves)), dtype=object)


def _fine(geometry: Any) -> Any:
    """With a vertex at least every STEP_M, on whole centimetres."""
    return shapely.transform(shapely.segmentize(geometry, STEP_M), lambda xy: np.round(xy, 2))


def _limit(radius: float, rng: np.random.Generator) -> Polygon:
    angle = np.linspace(0, 2 * np.pi, 361)[:-1]
    r = np.ones_like(angle)
    for k in (*range(2, 9), *range(11, 60, 4)):
        r += rng.normal(0, 0.16 / k) * np.cos(k * angle + rng.uniform(0, 2 * np.pi))
    r = np.clip(r, 0.72, 1.32) * radius
    return Polygon(np.round(np.c_[r * np.cos(angle) * 1.08, r * np.sin(angle) * 0.95], 2))


def _river(radius: float, rng: np.random.Generator) -> LineString:
    x = np.linspace(-1.7, 1.7, 121)
    phase = rng.uniform(0, 2 * np.pi)
    y = -0.20 + 0.09 * np.sin(2.6 * x + phase) + 0.035 * np.sin(6.1 * x + 1.7 * phase)
    return LineString(np.round(np.c_[x, y] * radius, 2))


def _rail(radius: float, rng: np.random.Generator) -> LineString:
    t = np.linspace(-1.7, 1.7, 61)
    bend = rng.uniform(0.05, 0.11)
    return LineString(np.round(np.c_[t * 0.72 + 0.36, -t * 0.80 + 0.30 + bend * np.cos(1.6 * t)] * radius, 2))


def _ring(radius: float, rng: np.random.Generator) -> LineString:
    angle = np.linspace(0, 2 * np.pi, 97)
    square = (np.abs(np.cos(angle)) ** 3.2 + np.abs(np.sin(angle)) ** 3.2) ** (
        -1 / 3.2
    )  # between circle and square
    r = radius * square * (1 + 0.03 * np.cos(2 * angle + rng.uniform(0, 6)))
    return LineString(np.round(np.c_[r * np.cos(angle), r * np.sin(angle)], 2))


def _avenues(
    radius: float, offsets: tuple[float, ...], rng: np.random.Generator, flip: bool = False
) -> tuple[LineString, ...]:
    lines = []
    for offset in offsets:
        t = np.linspace(-1.5, 1.5, 41)
        tilt, phase = rng.normal(0, 0.03), rng.uniform(0, 2 * np.pi)
        side = offset + tilt * t + 0.018 * np.sin(3 * t + phase)
        xy = np.c_[side, t] if flip else np.c_[t, side]
        lines.append(LineString(np.round(xy * radius, 2)))
    return tuple(lines)


def _waves(radius: float, rng: np.random.Generator) -> Floats:
    rows = []
    for length, share in ((0.95, 0.012), (0.55, 0.006), (0.30, 0.0022)):
        angle = rng.uniform(0, 2 * np.pi)
        k = 2 * np.pi / (length * radius)
        rows.append([share * radius, k * np.cos(angle), k * np.sin(angle), *rng.uniform(0, 2 * np.pi, 2)])
    return np.array(rows)


def river_bed(lines: Lines) -> Polygon:
    """The water surface of the river, flat metres, not clipped."""
    return shapely.buffer(lines.river, RIVER_HALF_WIDTH_M, quad_segs=4)

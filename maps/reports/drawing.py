"""A small map as SVG without text: outline, water, lines, and areas in the colours of their class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import shapely
from numpy.typing import NDArray

from maps.compact import simplified

Shapes = NDArray[np.object_]
WIDTH, MARGIN = 1000.0, 6.0
METRES_PER_DEGREE = 111_320.0
NONE: Shapes = np.empty(0, dtype=object)


@dataclass(frozen=True, eq=False)
class Scene:
    """What is drawn, EPSG:4326: `areas[i]` in `colours[i]`, over the outline and water, under thin `lines`."""

    areas: Shapes
    colours: Sequence[str]
    limit: shapely.Geometry | None = None
    water: Shapes = field(default_factory=lambda: NONE)
    lines: Shapes = field(default_factory=lambda: NONE)
    borders: Shapes = field(default_factory=lambda: NONE)


def draw(scene: Scene, detail_m: float = 15.0) -> tuple[str, float]:
    """The SVG and the length of its scale bar in metres."""
    every = [scene.limit] if scene.limit is not None else [*scene.areas, *scene.lines]
    if not every:
        return '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1000 400"/>', 0.0
    west, south, east, north = shapely.total_bounds(every).tolist()
    stretch = float(np.cos(np.radians((south + north) / 2)))
    scale = (WIDTH - 2 * MARGIN) / max((east - west) * stretch, north - south, 1e-9)
    height = (north - south) * scale + 2 * MARGIN
    width = (east - west) * stretch * scale + 2 * MARGIN

    def place(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(
            [(xy[:, 0] - west) * stretch * scale + MARGIN, (north - xy[:, 1]) * scale + MARGIN]
        )

    def path(shapes: Shapes | list[shapely.Geometry], style: str) -> str:
        d = "".join(_path(shapely.transform(shape, place)) for shape in shapes if shape is not None)
        return f'<path d="{d}" {style}/>' if d else ""

    limit = [] if scene.limit is None else [shapely.simplify(scene.limit, detail_m / METRES_PER_DEGREE)]
    thin = _thin(scene.lines, detail_m)
    parts = [path(limit, 'fill="#ffffff" stroke="none"')]
    parts += [
        path([a], f'fill="{c}" stroke="none"')
        for a, c in zip(_areas(scene.areas, detail_m), scene.colours, strict=True)
    ]
    parts += [
        path(simplified(scene.water, detail_m), 'fill="#9cc7e4" fill-opacity="0.75" stroke="none"'),
        path(thin, 'fill="none" stroke="#9aa5b1" stroke-width="0.6"'),
        path(_thin(scene.borders, detail_m), 'fill="none" stroke="#1f2933" stroke-width="2"'),
        path([shapely.boundary(limit[0])] if limit else [], 'fill="none" stroke="#1f2933" stroke-width="2.2"'),
    ]  # fmt: skip
    bar_m, bar = _scale_bar(width, height, METRES_PER_DEGREE / scale)
    box = f"0 0 {width:.0f} {height:.0f}"
    size = f'width="{width:.0f}" height="{height:.0f}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="{box}">{"".join(parts)}{bar}</svg>',
        bar_m,
    )


def _thin(lines: Shapes, detail_m: float) -> Shapes:
    return (
        np.asarray(shapely.simplify(lines, detail_m / METRES_PER_DEGREE), dtype=object)
        if len(lines)
        else NONE
    )


def _areas(areas: Shapes, detail_m: float) -> Shapes:
    return simplified(areas, detail_m) if len(areas) else areas


def _path(geometry: shapely.Geometry) -> str:
    """One geometry in drawing units as path commands."""
    out = []
    for part in shapely.get_parts(geometry):
        rings = [part.exterior, *part.interiors] if part.geom_type == "Polygon" else [part]
        for ring in rings:
            xy = np.round(shapely.get_coordinates(ring), 1)
            if len(xy) >= 2:
                steps = "L".join(f"{x:g} {y:g}" for x, y in xy.tolist())
                out.append(f"M{steps}" + ("Z" if part.geom_type == "Polygon" else ""))
    return "".join(out)


def _scale_bar(width: float, height: float, metres_per_step: float) -> tuple[float, str]:
    """A black bar of a round length, at most a fifth of the width, bottom left."""
    most = width / 5 * metres_per_step
    power = 10.0 ** np.floor(np.log10(max(most, 1.0)))
    length = float(max(n for n in (1, 2, 5) if n * power <= most or n == 1) * power)
    x, y = MARGIN + 2, height - MARGIN - 2
    reach = length / metres_per_step
    line = f"M{x:.1f} {y - 8:.1f}V{y:.1f}H{x + reach:.1f}V{y - 8:.1f}"
    return length, f'<path d="{line}" fill="none" stroke="#111" stroke-width="3"/>'

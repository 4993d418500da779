"""Square and hexagonal cells, for ground that no barrier cuts, as lines in the plane."""

from __future__ import annotations

import h3
import numpy as np
import shapely

from etl.units.plane import Geometries, Plane

HEXAGON_SHARES = (0.6, 1.6)  # an H3 size is used when its cells are within these shares of the target


def hexagon_resolution(target_area_m2: float) -> int | None:
    """The H3 resolution whose average cell comes near the target; None when no size does (they step by seven).

    >>> hexagon_resolution(10_000), hexagon_resolution(40_000)
    (10, None)
    """
    low, high = HEXAGON_SHARES
    near = [r for r in range(5, 15) if low <= h3.average_hexagon_area(r, unit="m^2") / target_area_m2 <= high]
    return near[0] if near else None


def hexagons(areas: Geometries, plane: Plane, resolution: int) -> Geometries:
    """The borders of all H3 cells that touch the areas (EPSG:4326), as lines in the plane, each cell once."""
    cells: set[str] = set()
    for part in shapely.get_parts(areas):
        cells.update(h3.h3shape_to_cells_experimental(h3.geo_to_h3shape(part), resolution, contain="overlap"))
    # boundaries come as (lat, lon); neighbours compute a shared vertex to the same bits only after rounding
    rings = [[(lon, lat) for lat, lon in h3.cell_to_boundary(cell)] for cell in sorted(cells)]
    lines = np.array([shapely.LinearRing(ring) for ring in rings], dtype=object)
    return np.asarray(shapely.set_precision(plane.put(lines), 1e-4), dtype=object)


def squares(areas: Geometries, side_m: float) -> Geometries:
    """The lines of a square lattice over the areas (plane metres), anchored at the plane's origin."""
    west, south, east, north = shapely.total_bounds(areas)
    xs = np.arange(np.floor(west / side_m), np.ceil(east / side_m) + 1) * side_m
    ys = np.arange(np.floor(south / side_m), np.ceil(north / side_m) + 1) * side_m
    upright = shapely.linestrings([[(x, ys[0]), (x, ys[-1])] for x in xs])
    level = shapely.linestrings([[(xs[0], y), (xs[-1], y)] for y in ys])
    return np.concatenate([upright, level])

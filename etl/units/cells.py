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


def squares(face: shapely.Geometry, side_m: float) -> Geometries:
    """The lines of a lattice of about square cells that fits a face's extent (plane metres)."""
    west, south, east, north = shapely.bounds(face).tolist()
    xs = np.linspace(west, east, max(1, round((east - west) / side_m)) + 1)[1:-1]
    ys = np.linspace(south, north, max(1, round((north - south) / side_m)) + 1)[1:-1]
    upright = [shapely.LineString([(x, south), (x, north)]) for x in xs]
    level = [shapely.LineString([(west, y), (east, y)]) for y in ys]
    return np.array(upright + level, dtype=object)

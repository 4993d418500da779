"""The plane in which ground is cut: degrees scaled to metres, nothing bent.

Straight borders in longitude and latitude stay straight here (a map projection bends them: 1 cm on 1 km, 1 m on
10 km), so pieces cut here still fit their area's border exactly when they go back. Lengths are right to a few
tenths of a percent inside one city; what is stored as m² and m is measured in the measuring CRS instead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

GRID_M = 1e-4  # every vertex is rounded to 0.1 mm before lines are cut with each other
METRES_PER_DEGREE = 111_320.0

Geometries = NDArray[np.object_]
Coordinates = NDArray[np.float64]


@dataclass(frozen=True)
class Plane:
    """An affine map between EPSG:4326 and metres around one city.

    >>> plane = Plane.around(np.array([shapely.box(114.0, 30.0, 114.2, 30.2)], dtype=object))
    >>> bool(np.allclose(plane.backward(plane.forward(np.array([[114.1, 30.1]]))), [[114.1, 30.1]], atol=1e-12))
    True
    """

    lon_deg: float
    lat_deg: float
    metres_per_lon: float
    metres_per_lat: float = METRES_PER_DEGREE

    @classmethod
    def around(cls, geometries: Geometries) -> Plane:
        """The plane whose origin is the middle of the geometries' extent (EPSG:4326)."""
        west, south, east, north = shapely.total_bounds(geometries)
        lat = (south + north) / 2
        return cls((west + east) / 2, lat, METRES_PER_DEGREE * float(np.cos(np.radians(lat))))

    def forward(self, lonlat: Coordinates) -> Coordinates:
        """Degrees (n, 2) to metres (n, 2)."""
        return (lonlat - (self.lon_deg, self.lat_deg)) * (self.metres_per_lon, self.metres_per_lat)

    def backward(self, xy: Coordinates) -> Coordinates:
        """Metres (n, 2) to degrees (n, 2)."""
        return xy / (self.metres_per_lon, self.metres_per_lat) + (self.lon_deg, self.lat_deg)

    def put(self, geometries: Geometries) -> Geometries:
        """Geometries from EPSG:4326 into the plane."""
        return np.asarray(shapely.transform(geometries, self.forward), dtype=object)

    def take(self, geometries: Geometries, originals: Coordinates | None = None) -> Geometries:
        """Geometries back to EPSG:4326; a vertex that came from one of `originals` (n, 2 degrees) returns to exactly it."""
        if originals is None or len(originals) == 0:
            return np.asarray(shapely.transform(geometries, self.backward), dtype=object)
        keys, first = np.unique(_keys(self.forward(originals)), return_index=True)

        def back(xy: Coordinates) -> Coordinates:
            lonlat = self.backward(xy)
            wanted = _keys(xy)
            place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
            known = keys[place] == wanted
            lonlat[known] = originals[first[place[known]]]
            return lonlat

        return np.asarray(shapely.transform(geometries, back), dtype=object)


def _keys(xy: Coordinates) -> NDArray[np.int64]:
    """One integer per vertex of the rounding grid (±214 km fit in 32 bits each)."""
    steps = np.round(xy / GRID_M).astype(np.int64)
    return (steps[:, 0] << 32) + steps[:, 1]

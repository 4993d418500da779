"""The walking network: ways as a graph, and how far everybody is from the nearest of some places.

Two ways meet where they share a vertex, as OpenStreetMap and noded city networks have it; a bridge over a road shares
none and joins nothing. Long straight pieces are divided so that people step onto the network near where they are.
Lengths are geodesic metres on WGS 84 (Karney 2013, by pyproj). Pure values, no database.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Geod
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STEP_M = 20.0  # no piece of a way is longer, so a place is at most 10 m beside its nearest point along it
STEP_DEG = STEP_M / 111_320.0
LARGEST_APPROACH_M = 500.0  # who lives farther from any way cannot be reached on foot
SAME_PLACE_DEG = 1e-7  # about a centimetre: vertices of two ways that are one crossing
EARTH_M = 6_371_008.8
NOT_WALKED = frozenset({"motorway", "motorway_link", "trunk_link", "construction"})
WALKED = ("road", "path", "bridge")
GEOD = Geod(ellps="WGS84")


@dataclass(frozen=True)
class WalkingNetwork:
    """Crossings and points on ways (lon, lat, EPSG:4326) and the metres between neighbours, symmetric."""

    lon: Floats
    lat: Floats
    metres: csr_matrix
    tree: cKDTree

    def approach(self, lon: Floats, lat: Floats) -> tuple[Ints, Floats]:
        """The nearest point of the network for each place and the metres to it; inf beyond 500 m."""
        chord, node = self.tree.query(_on_sphere(lon, lat))
        metres = 2 * EARTH_M * np.arcsin(np.clip(chord / 2, 0, 1))
        return node.astype(np.int64), np.where(metres <= LARGEST_APPROACH_M, metres, np.inf)


def network(lines: NDArray[np.object_]) -> WalkingNetwork | None:
    """The network of LineStrings in EPSG:4326; None when there is nothing to walk on.

    >>> one = network(shapely.from_wkt(["LINESTRING (0 0, 0.001 0)", "LINESTRING (0.001 0, 0.001 0.001)"]))
    >>> round(float(one.metres.sum()) / 2)
    222
    """
    parts = shapely.get_parts(lines[~shapely.is_empty(lines)])
    parts = shapely.segmentize(parts[shapely.get_type_id(parts) == shapely.GeometryType.LINESTRING], STEP_DEG)
    if not len(parts):
        return None
    points, way = shapely.get_coordinates(parts, return_index=True)
    key = np.round(points / SAME_PLACE_DEG).astype(np.int64)
    _, first, node = np.unique(key, axis=0, return_index=True, return_inverse=True)
    node = node.reshape(-1)
    lon, lat = points[first, 0], points[first, 1]
    follows = (way[1:] == way[:-1]) & (node[1:] != node[:-1])
    ends = np.stack([node[:-1][follows], node[1:][follows]])
    ends = np.unique(np.sort(ends, axis=0), axis=1)
    _, _, metres = GEOD.inv(lon[ends[0]], lat[ends[0]], lon[ends[1]], lat[ends[1]])
    size = len(lon)
    graph = csr_matrix((np.maximum(metres, 1e-6), (ends[0], ends[1])), shape=(size, size))
    return WalkingNetwork(lon, lat, graph + graph.T, cKDTree(_on_sphere(lon, lat)))


def metres_to_nearest(
    ways: WalkingNetwork, of_lon: Floats, of_lat: Floats, to_lon: Floats, to_lat: Floats, limit_m: float
) -> Floats:
    """Metres on foot from each place (of) to the nearest target (to), steps off the network included; inf beyond the limit.

    One shortest-path tree over all targets at once (Dijkstra 1959); a target's own way to the network is an edge from
    it, so that a near target far from a path does not win over a farther one beside it.
    """
    size = len(ways.lon)
    node, off_m = ways.approach(to_lon, to_lat)
    known = np.isfinite(off_m)
    if not known.any() or not len(of_lon):
        return np.full(len(of_lon), np.inf)
    best = np.full(size, np.inf)
    np.minimum.at(best, node[known], off_m[known])
    doors = np.flatnonzero(np.isfinite(best))
    from_door = csr_matrix(
        (np.maximum(best[doors], 1e-6), (np.full(len(doors), size), doors)), shape=(size + 1, size + 1)
    )
    grown = ways.metres.copy()
    grown.resize((size + 1, size + 1))
    reached = dijkstra(grown + from_door, directed=True, indices=size, limit=limit_m)
    start, step_m = ways.approach(of_lon, of_lat)
    total = reached[start] + step_m
    return np.where(total <= limit_m, total, np.inf)


def walked(class_: str, kind: str | None) -> bool:
    """Whether people walk on a way of this class and kind.

    >>> walked("path", "footway"), walked("road", "motorway"), walked("rail", "rail")
    (True, False, False)
    """
    return class_ in WALKED and kind not in NOT_WALKED


def _on_sphere(lon: Floats, lat: Floats) -> Floats:
    """Unit vectors, in which straight distance orders as distance on the ground does."""
    a, b = np.radians(lon), np.radians(lat)
    return np.stack([np.cos(b) * np.cos(a), np.cos(b) * np.sin(a), np.sin(b)], axis=-1)

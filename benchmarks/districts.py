"""Published redistricting instances as cities to be divided: Iowa's counties, Arkansas' block groups; four districts.

    python benchmarks/districts.py FOLDER        # the folder with iowa.gpkg and 05_bg_census_consolidated.json.gz

Iowa (of the R package redist) has 99 counties with polygons; Arkansas (of GerryChain's tests) is a graph of 2 294 block
groups with areas and interior points: the lengths of its borders are not published, half the distance between the
points stands for them.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import geopandas
import numpy as np
import shapely
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.instances import Instance
from grids.units import Floats, Ints, UnitGraph, csr

DISTRICTS = 4
TOLERANCE = 0.01  # of the mean population; counties of Iowa allow no less with ease
METRES = (91_000, 111_000)  # of a degree of longitude and latitude in Arkansas


def graph_of(shapes: NDArray[np.object_], pairs: Ints) -> UnitGraph:
    """A unit graph of polygons in a projected system and the pairs of them that border on each other."""
    a, b = pairs.T
    middle = shapely.centroid(shapes)
    length = shapely.length(shapely.intersection(shapely.boundary(shapes[a]), shapely.boundary(shapes[b])))
    xy = np.stack([shapely.get_x(middle), shapely.get_y(middle)], axis=1)
    return plain_graph(xy, pairs, np.maximum(length, 1.0), shapely.area(shapes), shapely.length(shapes))


def plain_graph(xy: Floats, pairs: Ints, length_m: Floats, area_m2: Floats, perimeter_m: Floats) -> UnitGraph:
    """A unit graph without communities where every border can be walked across."""
    n, (a, b) = len(xy), pairs.T
    indptr, indices, length, walkable = csr(n, a, b, length_m, np.ones(len(pairs), bool))
    return UnitGraph(
        np.arange(n), tuple(map(str, range(n))), np.full(n, -1), (), (), xy[:, 0].copy(), xy[:, 1].copy(), area_m2,
        perimeter_m, indptr, indices, length, walkable,
    )  # fmt: skip


def iowa(folder: Path) -> Instance:
    """99 counties; two border on each other where they share more than a metre."""
    frame = geopandas.read_file(folder / "iowa.gpkg")
    shapes = frame.geometry.to_numpy()
    a, b = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    shared = shapely.length(shapely.intersection(shapes[a], shapes[b]))
    pairs = np.stack([a, b], axis=1)[(a < b) & (shared > 1)]
    return Instance("iowa", graph_of(shapes, pairs), frame["pop"].to_numpy(float), DISTRICTS)


def arkansas(folder: Path) -> Instance:
    """2 294 block groups with the population of the 2020 census."""
    with gzip.open(folder / "05_bg_census_consolidated.json.gz", "rt") as file:
        told = json.load(file)
    nodes, number = told["nodes"], {node["id"]: u for u, node in enumerate(told["nodes"])}
    pairs = np.array(
        sorted({tuple(sorted((u, number[v["id"]]))) for u, vs in enumerate(told["adjacency"]) for v in vs})
    )
    xy = np.stack(
        [np.array([float(node[key]) for node in nodes]) * m
         for key, m in zip(("INTPTLON20", "INTPTLAT20"), METRES, strict=True)], axis=1,
    )  # fmt: skip
    length = np.hypot(*(xy[pairs[:, 0]] - xy[pairs[:, 1]]).T) / 2
    around = np.bincount(pairs.ravel(), weights=np.repeat(length, 2), minlength=len(nodes))
    area = np.array([float(node["ALAND20"] + node["AWATER20"]) for node in nodes])
    weight = np.array([float(node["tot_pop_20"]) for node in nodes])
    return Instance("arkansas", plain_graph(xy, pairs, length, area, around), weight, DISTRICTS)


STATES = {"iowa": iowa, "arkansas": arkansas}

if __name__ == "__main__":
    for state in STATES.values():
        city = state(Path(sys.argv[1]))
        print(
            f"{city.name}: {city.graph.n} units, {len(city.graph.indices) // 2} borders, {city.weight.sum():,.0f} people"
        )

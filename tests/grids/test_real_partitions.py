"""The engine on published instances: a complete enumeration, Iowa's counties, Arkansas' block groups."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import geopandas
import networkx as nx
import numpy as np
import pytest
import shapely

from grids import search
from grids.partition import Partition
from grids.problem import Problem
from grids.units import Floats, UnitGraph, csr


def graph_of(shapes: np.ndarray, pairs: np.ndarray) -> UnitGraph:
    """A unit graph of polygons in a projected system and the pairs of them that border on each other."""
    a, b = pairs.T
    middle = shapely.centroid(shapes)
    length = shapely.length(shapely.intersection(shapely.boundary(shapes[a]), shapely.boundary(shapes[b])))
    return plain_graph(
        np.stack([shapely.get_x(middle), shapely.get_y(middle)], axis=1), pairs, np.maximum(length, 1.0),
        shapely.area(shapes), shapely.length(shapes),
    )  # fmt: skip


def plain_graph(
    xy: np.ndarray, pairs: np.ndarray, length: Floats, area_m2: Floats, perimeter_m: Floats
) -> UnitGraph:
    n = len(xy)
    a, b = pairs.T
    indptr, indices, length_m, walkable = csr(n, a, b, length, np.ones(len(pairs), bool))
    return UnitGraph(
        np.arange(n), tuple(map(str, range(n))), np.full(n, -1), (), (), xy[:, 0].copy(), xy[:, 1].copy(), area_m2,
        perimeter_m, indptr, indices, length_m, walkable,
    )  # fmt: skip


def assert_valid(partition: Partition, pairs: np.ndarray, weight: Floats, tolerance: float) -> None:
    graph = nx.Graph(map(tuple, pairs.tolist()))
    for g in range(partition.k):
        assert nx.is_connected(graph.subgraph(np.flatnonzero(partition.grid == g).tolist()))
    loads = np.bincount(partition.grid, weights=weight, minlength=partition.k)
    assert np.abs(loads / loads.mean() - 1).max() <= tolerance


def test_the_best_of_all_plans_is_found(shared_data: Path) -> None:
    """25 precincts, 3 districts: all 117 688 contiguous plans are known; the most even is off by 0.72 %."""
    folder = shared_data / "data/redistricting"
    frame = geopandas.read_file(folder / "fl25.gpkg")
    beside = json.loads((folder / "fl25_adj_zero_based.json").read_text())
    pairs = np.array(sorted({(min(u, v), max(u, v)) for u, others in enumerate(beside) for v in others}))
    known = np.load(folder / "fl25_enum.npz")
    weight = frame["pop"].to_numpy(float)
    problem = Problem(graph_of(frame.geometry.to_numpy(), pairs), weight, 3, tolerance=0.0, nesting="free")
    found = search.propose(problem)[0]
    optimum = float(known["pop_dev"].min())
    assert found.deviation == pytest.approx(optimum, abs=1e-9)
    assert_valid(found.partition, pairs, weight, optimum + 1e-9)


def test_iowa_in_four_districts(shared_data: Path) -> None:
    frame = geopandas.read_file(shared_data / "data/redistricting/iowa.gpkg")
    shapes = frame.geometry.to_numpy()
    a, b = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    shared = shapely.length(shapely.intersection(shapes[a], shapes[b]))
    pairs = np.stack([a, b], axis=1)[(a < b) & (shared > 1)]
    weight = frame["pop"].to_numpy(float)
    problem = Problem(graph_of(shapes, pairs), weight, 4, tolerance=0.01, nesting="free")
    found = search.propose(problem)[0]
    assert_valid(found.partition, pairs, weight, 0.01)
    assert found.compactness > 0.25


def test_arkansas_block_groups(shared_data: Path) -> None:
    with gzip.open(shared_data / "data/redistricting/05_bg_census_consolidated.json.gz", "rt") as file:
        told = json.load(file)
    nodes, number = told["nodes"], {node["id"]: u for u, node in enumerate(told["nodes"])}
    pairs = np.array(
        sorted({tuple(sorted((u, number[v["id"]]))) for u, vs in enumerate(told["adjacency"]) for v in vs})
    )
    weight = np.array([float(node["tot_pop_20"]) for node in nodes])
    lon, lat = (np.array([float(node[key]) for node in nodes]) for key in ("INTPTLON20", "INTPTLAT20"))
    xy = np.stack([lon * 91_000, lat * 111_000], axis=1)
    area = np.array([float(node["ALAND20"] + node["AWATER20"]) for node in nodes])
    length = np.hypot(*(xy[pairs[:, 0]] - xy[pairs[:, 1]]).T) / 2
    around = np.bincount(pairs.ravel(), weights=np.repeat(length, 2), minlength=len(nodes))
    graph = plain_graph(xy, pairs, length, area, around)
    found = search.propose(Problem(graph, weight, 4, tolerance=0.01, nesting="free"))[0]
    assert_valid(found.partition, pairs, weight, 0.01)

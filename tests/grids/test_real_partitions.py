"""The engine on published instances: a complete enumeration, Iowa's counties, Arkansas' block groups."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas
import networkx as nx
import numpy as np
import pytest

from benchmarks import districts
from grids import search
from grids.partition import Partition
from grids.problem import Problem
from grids.units import Floats, UnitGraph


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
    problem = Problem(
        districts.graph_of(frame.geometry.to_numpy(), pairs), weight, 3, tolerance=0.0, nesting="free"
    )
    found = search.propose(problem)[0]
    optimum = float(known["pop_dev"].min())
    assert found.deviation == pytest.approx(optimum, abs=1e-9)
    assert_valid(found.partition, pairs, weight, optimum + 1e-9)


def test_iowa_in_four_districts(shared_data: Path) -> None:
    state = districts.iowa(shared_data / "data/redistricting")
    problem = Problem(state.graph, state.weight, state.k, tolerance=districts.TOLERANCE, nesting="free")
    found = search.propose(problem)[0]
    assert_valid(found.partition, borders(state.graph), state.weight, districts.TOLERANCE)
    assert found.compactness > 0.25


def test_arkansas_block_groups(shared_data: Path) -> None:
    state = districts.arkansas(shared_data / "data/redistricting")
    problem = Problem(state.graph, state.weight, state.k, tolerance=districts.TOLERANCE, nesting="free")
    found = search.propose(problem)[0]
    assert_valid(found.partition, borders(state.graph), state.weight, districts.TOLERANCE)


def borders(graph: UnitGraph) -> np.ndarray:
    """Pairs of neighbours, each once."""
    rows = np.repeat(np.arange(graph.n), np.diff(graph.indptr))
    return np.stack([rows, graph.indices], axis=1)[rows < graph.indices]

"""The engine's proposals on hand-made and random ground: complete, contiguous, nested, locked, the same every time."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import Cancelled, RefusedArgument
from grids import measures, search
from grids.partition import Partition
from grids.problem import Problem
from tests.grids.lattices import lattice


def assert_contiguous(partition: Partition) -> None:
    """By networkx, on what can be walked; each island of a grid by itself."""
    graph = partition.graph
    walk, land = nx.Graph(), nx.Graph()
    walk.add_nodes_from(range(graph.n))
    land.add_nodes_from(range(graph.n))
    for u in range(graph.n):
        for e in range(graph.indptr[u], graph.indptr[u + 1]):
            land.add_edge(u, int(graph.indices[e]))
            if graph.walkable[e]:
                walk.add_edge(u, int(graph.indices[e]))
    for island in nx.connected_components(land):
        for g in range(partition.k):
            members = [u for u in island if partition.grid[u] == g]
            assert not members or nx.is_connected(walk.subgraph(members)), g


@settings(max_examples=12, deadline=None)
@given(
    st.integers(2, 9), st.integers(2, 9), st.integers(1, 3), st.integers(1, 12), st.integers(0, 2**32 - 1),
    st.sampled_from(["strict", "soft", "free"]), st.booleans(),
)  # fmt: skip
def test_proposals_are_complete_contiguous_and_nested(
    columns: int, rows: int, areas: int, k: int, seed: int, nest: str, island: bool
) -> None:
    rng = np.random.default_rng(seed)
    closed = {(u, u + 1) for u in range(columns * rows - 1) if rng.random() < 0.25}
    graph = lattice(columns, rows, closed, areas, ridge=columns // 2 - 1 if island else None)
    weight = rng.integers(0, 9, graph.n).astype(float)
    problem = Problem(graph, weight, k, nesting=nest, seed=seed)  # type: ignore[arg-type]
    try:
        found = search.propose(problem, choices=2)
    except RefusedArgument as refused:
        assert refused.code in ("too-few-grids", "too-many-grids")
        assert (k < refused.facts["allowed"]) == (refused.code == "too-few-grids")
        if refused.code == "too-few-grids":
            assert search.fewest(problem) == refused.facts["allowed"]
        return
    for choice in found:
        partition = choice.partition
        assert (partition.grid >= 0).all() and (partition.unit_counts > 0).all() and partition.k == k
        assert (partition.parts() == 1).all()
        assert_contiguous(partition)
        if nest == "strict":
            assert measures.crossing(partition) == 0
    again = search.propose(problem, choices=2)
    assert all((a.partition.grid == b.partition.grid).all() for a, b in zip(found, again, strict=True))


@settings(max_examples=8, deadline=None)
@given(st.integers(3, 9), st.integers(3, 9), st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_locked_grids_keep_their_ground(columns: int, rows: int, k: int, seed: int) -> None:
    graph = lattice(columns, rows)
    weight = np.random.default_rng(seed).integers(0, 9, graph.n).astype(float)
    before = search.propose(Problem(graph, weight, k, nesting="free", seed=seed))[0].partition
    locked = before.grid == 0
    problem = Problem(
        graph, weight[::-1].copy(), k, nesting="free", start=before.grid, locked=locked, seed=seed
    )
    try:
        after = search.propose(problem)[0].partition
    except RefusedArgument as refused:
        assert (
            refused.code == "too-few-grids"
        )  # the locked grid cuts the rest into more pieces than there are grids
        return
    assert ((after.grid == 0) == locked).all()
    assert (after.parts() == 1).all() and (after.unit_counts > 0).all()


def test_balance_and_compactness_on_even_ground() -> None:
    graph = lattice(40, 40)
    partition = search.propose(Problem(graph, np.ones(1600), 40, nesting="free", tolerance=0.05))[0].partition
    off = np.abs(measures.deviation(partition, np.ones(1600)))
    assert off.max() <= 0.05 and measures.polsby_popper(partition).mean() > 0.6


def test_posts_make_fair_loads() -> None:
    graph, posts = lattice(30, 30), np.array([1.0, 1.0, 2.0, 3.0, 1.0, 2.0])
    problem = Problem(graph, np.ones(900), 6, nesting="free", posts=posts, tolerance=0.05)
    loads = search.propose(problem)[0].partition.loads(np.ones(900))
    assert loads == pytest.approx(problem.targets, rel=0.05)


def test_cancelling_stops_between_rounds() -> None:
    problem = Problem(lattice(10, 10), np.ones(100), 5)
    with pytest.raises(Cancelled):
        search.propose(problem, cancel=lambda: True)

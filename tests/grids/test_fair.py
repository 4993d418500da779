"""The fair load where single units are heavier than whole grids: the definition, and that everybody uses it."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from grids import fair, search
from grids.measures import balance
from grids.problem import Problem
from tests.grids.lattices import lattice


@given(arrays(float, st.integers(2, 40), elements=st.floats(0, 1e6)), st.integers(1, 12))
def test_it_is_what_is_left_when_heavy_units_count_as_full_grids(weight: np.ndarray, k: int) -> None:
    posts = np.ones(k)
    found = fair.load_per_post(weight, posts)
    assert 0 <= found <= weight.sum() / k * (1 + 1e-12)
    heavy = weight > found * (1 + 1e-9)
    if heavy.sum() <= k / 2 and weight[~heavy].sum() > 0:
        assert weight[~heavy].sum() == pytest.approx(found * (k - heavy.sum()), rel=1e-9)
    if weight.max() <= weight.sum() / k:
        assert found == weight.sum() / k
    assert fair.counted(weight, posts).max() <= found + 1e-300


def test_posts_share_it() -> None:
    weight, posts = np.array([1.0] * 30 + [500.0]), np.array([1.0, 2.0, 2.0])
    found = fair.load_per_post(
        weight, posts
    )  # the heavy unit takes a grid of two posts; 30 are left for three
    assert found == 10.0 and fair.loads(weight, posts).tolist() == [10.0, 20.0, 20.0]


def test_the_other_grids_are_even_and_said_to_be() -> None:
    graph, weight = lattice(20, 20), np.ones(400)
    weight[205] = 4_000.0
    problem = Problem(graph, weight, 10, tolerance=0.05, nesting="free", seed=1).counted()
    choice = search.propose(problem)[0]
    each = 399 / 9  # beside the unit's own grid
    loads = choice.partition.loads(weight)
    others = np.delete(loads, int(choice.partition.grid[205]))
    assert np.abs(others / each - 1).max() <= 0.05 + 1e-9 and choice.deviation <= 0.05 + 1e-9
    found = balance.of(choice.partition, weight, 0.05)
    assert (found.forgiven, found.within) == (1, 0.9)
    assert found.largest_forgiven == pytest.approx(np.abs(others / each - 1).max())
    assert found.largest == pytest.approx(loads.max() / each - 1)
    graph_nx = nx.grid_2d_graph(20, 20)
    for g in range(10):
        cells = [divmod(int(u), 20) for u in np.flatnonzero(choice.partition.grid == g)]
        assert nx.is_connected(graph_nx.subgraph(cells))

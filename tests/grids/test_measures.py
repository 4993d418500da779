"""The figures of the scorecard against plain formulas, networkx and shapely, on hand-made lattices."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from grids.measures import balance, barriers, near_line, nesting, service, shape, stability, walking
from grids.measures.catalogue import FAMILIES, FIGURES
from grids.partition import Partition
from grids.units import UnitGraph, csr

SEEDS = st.integers(0, 2**32 - 1)
Shapes = np.ndarray[Any, np.dtype[np.object_]]


def lattice(columns: int, rows: int, rng: np.random.Generator | None = None, areas: int = 1) -> UnitGraph:
    """Unit squares of 10 m; with `rng` a fifth of the borders cannot be walked across."""
    n = columns * rows
    x, y = np.arange(n) % columns, np.arange(n) // columns
    edges = [(u, u + 1) for u in range(n) if x[u] < columns - 1] + [
        (u, u + columns) for u in range(n - columns)
    ]
    a, b = np.array(edges, np.int64).reshape(-1, 2).T
    open_ = np.ones(len(a), bool) if rng is None else rng.random(len(a)) > 0.2
    indptr, indices, length, walkable = csr(n, a, b, np.full(len(a), 10.0), open_)
    return UnitGraph(
        ids=np.arange(1, n + 1), codes=tuple(f"u{i}" for i in range(n)), area=(x * areas // columns).astype(np.int64),
        area_codes=tuple(f"a{i}" for i in range(areas)), area_names=tuple(f"a{i}" for i in range(areas)),
        x=x * 10.0, y=y * 10.0, area_m2=np.full(n, 100.0), perimeter_m=np.full(n, 40.0),
        indptr=indptr, indices=indices, length_m=length, walkable=walkable,
    )  # fmt: skip


def squares(graph: UnitGraph) -> Shapes:
    return np.asarray(shapely.box(graph.x, graph.y, graph.x + 10, graph.y + 10), dtype=object)


def some(
    columns: int, rows: int, k: int, seed: int, least: int = -1
) -> tuple[Partition, np.random.Generator]:
    rng = np.random.default_rng(seed)
    graph = lattice(columns, rows, rng, areas=min(3, columns))
    return Partition(graph, rng.integers(least, k, graph.n), k), rng


@given(st.lists(st.integers(0, 50), min_size=1, max_size=30))
def test_gini_is_half_the_mean_difference_over_the_mean(values: list[int]) -> None:
    x = np.array(values, float)
    plain = None if x.sum() == 0 else np.abs(x[:, None] - x[None, :]).mean() / (2 * x.mean())
    assert balance.gini(x) == (plain if plain is None else pytest.approx(plain, abs=1e-12))


def test_balance_by_hand() -> None:
    partition = Partition(lattice(4, 1), np.array([0, 0, 1, 2]), 4)  # the fourth grid has no unit
    found = balance.of(partition, np.array([1.0, 1.0, 1.0, 9.0]), 0.5)
    assert (found.total, found.mean_load) == (12.0, 4.0)
    # the heavy unit counts as a full grid: the other two share 3, 1.5 each
    assert found.largest == pytest.approx(5.0) and found.mean == pytest.approx((1 / 3 + 1 / 3 + 5) / 3)
    assert found.within == pytest.approx(2 / 3)
    assert (found.forgiven, found.largest_forgiven) == (1, pytest.approx(1 / 3))


def test_a_grid_with_two_posts_owes_twice_as_much() -> None:
    partition = Partition(lattice(3, 1), np.array([0, 0, 1]), 2)
    found = balance.of(partition, np.ones(3), posts=np.array([2.0, 1.0]))
    assert (found.largest, found.gini) == (pytest.approx(0.0), pytest.approx(0.0))
    assert balance.deviation(partition, np.ones(3), np.array([2.0, 1.0])) == pytest.approx([0, 0])


def test_what_weighs_nothing_has_no_balance() -> None:
    found = balance.of(Partition(lattice(2, 1), np.array([0, 1]), 2), np.zeros(2))
    assert (found.largest, found.mean, found.gini, found.within, found.largest_forgiven) == (None,) * 5


@settings(max_examples=40)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 5), SEEDS)
def test_reock_is_area_over_the_bounding_circle(columns: int, rows: int, k: int, seed: int) -> None:
    partition, rng = some(columns, rows, k, seed)
    shapes = shapely.transform(squares(partition.graph), lambda xy: xy * [1.0, 1.0 + rng.random()])
    found = shape.reock(partition, shapes)
    for g in range(k):
        union = shapely.union_all(shapes[partition.grid == g])
        if shapely.is_empty(union):
            assert np.isnan(found[g])
        else:
            circle = np.pi * shapely.minimum_bounding_radius(union) ** 2
            assert found[g] == pytest.approx(union.area / circle)


def test_reock_and_polsby_popper_of_a_square() -> None:
    one = Partition(lattice(2, 2), np.zeros(4, np.int64), 1)
    assert shape.reock(one, squares(one.graph)) == pytest.approx([2 / np.pi])
    assert shape.polsby_popper(one) == pytest.approx([np.pi / 4])


@settings(max_examples=40)
@given(st.integers(1, 6), st.integers(2, 6), st.integers(1, 5), SEEDS)
def test_cut_edges_closed_borders_and_walks_as_networkx_sees_them(
    columns: int, rows: int, k: int, seed: int
) -> None:
    partition, _ = some(columns, rows, k, seed)
    graph, grid = partition.graph, partition.grid
    net = nx.Graph()
    net.add_nodes_from(range(graph.n))
    for u in range(graph.n):
        for e in range(graph.indptr[u], graph.indptr[u + 1]):
            net.add_edge(u, int(graph.indices[e]), walk=bool(graph.walkable[e]))
    across = [(u, v) for u, v in net.edges if grid[u] != grid[v] and min(grid[u], grid[v]) >= 0]
    found = shape.cut(partition)
    assert (found.edges, found.length_m) == (len(across), 10.0 * len(across))
    closed = [grid[u] for u, v, walk in net.edges(data="walk") if grid[u] == grid[v] >= 0 and not walk]
    barred = barriers.barred(partition)
    assert barred.total_m == 10.0 * len(closed) and barred.grids == len(set(closed))
    spans = walking.span(partition)
    walk = nx.Graph([(u, v) for u, v, open_ in net.edges(data="walk") if open_ and grid[u] == grid[v] >= 0])
    walk.add_nodes_from(range(graph.n))
    for g in range(k):
        members = np.flatnonzero(grid == g).tolist()
        lengths = [max(d.values()) for _, d in nx.all_pairs_shortest_path_length(walk.subgraph(members))]
        assert np.isnan(spans[g]) if not members else spans[g] == pytest.approx(10.0 * max(lengths))


def test_nesting() -> None:
    partition = Partition(lattice(6, 1, areas=3), np.array([0, 0, 0, 1, 2, 2]), 3)
    assert (nesting.crossing(partition), nesting.broken(partition)) == (1, 2)


def test_band_and_staffing() -> None:
    partition = Partition(lattice(4, 1), np.array([0, 0, 1, 2]), 3)
    households = np.array([200.0, 200.0, 299.0, 501.0])
    assert service.in_band(partition, households, 300, 500) == pytest.approx(1 / 3)
    found = service.staffing(partition, households * 2.5, np.ones(3), 18)
    assert found.needed == pytest.approx(1200 * 2.5 * 18 / 10_000)
    assert found.share == pytest.approx(3 / found.needed)
    assert found.short == pytest.approx(1.0)  # 1.8, 1.35 and 2.25 posts are asked for, each grid has one
    assert service.staffing(partition, np.zeros(4), np.ones(3), 18).share is None


@settings(max_examples=40)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 4), SEEDS)
def test_what_stays_is_the_best_matching(columns: int, rows: int, k: int, seed: int) -> None:
    before, rng = some(columns, rows, k, seed)
    after = Partition(before.graph, rng.integers(-1, k, before.graph.n), k)
    weight = rng.integers(0, 5, before.graph.n).astype(float)
    stays = stability.staying(before, after, stability.matched(before, after, weight))
    best = max(
        sum(weight[(before.grid == a) & (after.grid == b)].sum() for a, b in enumerate(names))
        for names in itertools.permutations(range(k))
    )
    assert weight[stays].sum() == pytest.approx(best)
    same = stability.staying(before, before, stability.matched(before, before, np.ones(before.graph.n)))
    assert (same == (before.grid >= 0)).all()


@settings(max_examples=40)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 4), SEEDS, st.sampled_from([0.0, 1.0, 3.0, 12.0]))
def test_near_a_line_is_the_distance_to_another_grids_ground(
    columns: int, rows: int, k: int, seed: int, near_m: float
) -> None:
    partition, rng = some(columns, rows, k, seed)
    shapes = squares(partition.graph)
    unit = rng.integers(0, partition.graph.n, 60)
    x, y = partition.graph.x[unit] + rng.random(60) * 10, partition.graph.y[unit] + rng.random(60) * 10
    found = near_line.near(near_line.beside(partition, shapes, near_m), unit, x, y, near_m)
    for i in range(60):
        own = partition.grid[unit[i]]
        others = shapes[(partition.grid >= 0) & (partition.grid != own)]
        far = shapely.distance(others, shapely.Point(x[i], y[i])).min(initial=np.inf)
        assert found[i] == (own >= 0 and far <= near_m)


@settings(max_examples=40)
@given(st.integers(2, 6), st.integers(2, 6), st.integers(1, 5), SEEDS)
def test_no_figure_depends_on_how_grids_are_named(columns: int, rows: int, k: int, seed: int) -> None:
    partition, rng = some(columns, rows, k, seed, least=0)
    other = Partition(partition.graph, rng.permutation(k)[partition.grid], k)
    weight, shapes = rng.random(partition.graph.n), squares(partition.graph)

    def figures(p: Partition) -> list[float]:
        b, c, barred = balance.of(p, weight), shape.cut(p), barriers.barred(p)
        return [
            *(v for v in (b.largest, b.mean, b.gini, b.within) if v is not None), c.edges, c.length_m,
            barred.grids, nesting.crossing(p), nesting.broken(p), np.nansum(shape.reock(p, shapes)),
            np.nanmax(walking.span(p)), np.nansum(walking.span(p)),
        ]  # fmt: skip

    assert figures(partition) == pytest.approx(figures(other))


def test_every_figure_is_defined_in_the_documents() -> None:
    told = (Path(__file__).parents[2] / "docs/scores.md").read_text("utf-8")
    of_plans = told.partition("## 网格长的数字")[0]
    assert set(re.findall(r"^\| `([a-z_0-9]+)` \|", of_plans, flags=re.MULTILINE)) == set(FIGURES)
    assert {figure.family for figure in FIGURES.values()} == set(FAMILIES)

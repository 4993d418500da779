"""Splitting, merging and putting right single grids: nothing else moves, everything stays in one piece."""

from __future__ import annotations

from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import Refused, RefusedArgument
from grids import editing, search
from grids.partition import Partition
from grids.problem import Problem
from grids.units import UnitGraph
from tests.grids.lattices import lattice


def walks(graph: UnitGraph) -> nx.Graph:
    """What can be walked, in networkx."""
    found = nx.Graph()
    found.add_nodes_from(range(graph.n))
    for u in range(graph.n):
        for e in range(graph.indptr[u], graph.indptr[u + 1]):
            if graph.walkable[e]:
                found.add_edge(u, int(graph.indices[e]))
    return found


def pieces(partition: Partition, g: int) -> int:
    """Connected pieces of a grid by networkx."""
    members = np.flatnonzero(partition.grid == g).tolist()
    return nx.number_connected_components(walks(partition.graph).subgraph(members)) if members else 0


def town(columns: int, rows: int, k: int, seed: int, closed: float = 0.15) -> tuple[Partition, np.ndarray]:
    """A lattice with some closed borders, random weights (many zeros) and a contiguous partition."""
    rng = np.random.default_rng(seed)
    shut = {(u, u + 1) for u in range(columns * rows - 1) if rng.random() < closed}
    graph = lattice(columns, rows, shut)
    weight = rng.integers(0, 9, graph.n) * (rng.random(graph.n) < 0.7) + 0.0
    problem = Problem(graph, weight, k, nesting="free", seed=seed)
    wanted = replace(problem, k=search.fewest(problem))
    return search.propose(wanted)[0].partition, weight


@settings(max_examples=25, deadline=None)
@given(st.integers(3, 9), st.integers(3, 9), st.integers(1, 4), st.integers(2, 6), st.integers(0, 2**32 - 1))
def test_split_makes_whole_parts_and_touches_nothing_else(
    columns: int, rows: int, k: int, parts: int, seed: int
) -> None:
    before, weight = town(columns, rows, k, seed)
    g = seed % before.k
    units = np.flatnonzero(before.grid == g)
    if parts > len(units):
        with pytest.raises(RefusedArgument) as refused:
            editing.split(before, g, weight, parts)
        assert refused.value.code == "parts" and refused.value.facts["allowed"][1] == len(units)
        return
    after = editing.split(before, g, weight, parts, np.random.default_rng(seed))
    assert after.k == before.k + parts - 1
    new = [g, *range(before.k, after.k)]
    assert set(np.unique(after.grid[units]).tolist()) == set(new)
    assert all(pieces(after, part) == 1 for part in new)
    others = before.grid != g
    assert (after.grid[others] == before.grid[others]).all() and (before.grid[units] == g).all()
    assert after.loads(weight)[new].sum() == pytest.approx(before.loads(weight)[g])
    again = editing.split(before, g, weight, parts, np.random.default_rng(seed))
    assert (again.grid == after.grid).all()


def test_split_is_even_or_in_proportion_to_posts() -> None:
    graph = lattice(20, 20)
    whole = Partition(graph, np.zeros(400, np.int64), 1)
    even = editing.split(whole, 0, np.ones(400), 4).loads(np.ones(400))
    assert np.abs(even / 100 - 1).max() <= 0.03
    posts = editing.split(whole, 0, np.ones(400), 3, posts=[1, 2, 1]).loads(np.ones(400))
    assert np.abs(posts / [100, 200, 100] - 1).max() <= 0.05
    idle = editing.split(whole, 0, np.zeros(400), 2).unit_counts
    assert abs(int(idle[0]) - 200) <= 8


def test_a_star_can_be_split_though_no_half_is_whole() -> None:
    """A hub with arms: every part but one is a single unit."""
    graph = lattice(3, 3, {(u, u + d) for u in range(9) for d in (1, 3) if 4 not in (u, u + d)})
    star = Partition(graph, np.where(np.isin(np.arange(9), [1, 3, 4, 5, 7]), 0, -1), 1)
    after = editing.split(star, 0, np.ones(9), 4)
    assert sorted(after.unit_counts.tolist()) == [1, 1, 1, 2]
    assert all(pieces(after, g) == 1 for g in range(4))


def test_broken_grids_split_where_they_are_broken() -> None:
    graph = lattice(6, 1, {(2, 3)})
    broken = Partition(graph, np.zeros(6, np.int64), 1)
    after = editing.split(broken, 0, np.array([1.0, 1, 1, 5, 5, 5]), 2)
    assert after.grid.tolist() == [1, 1, 1, 0, 0, 0]
    three = Partition(lattice(6, 1, {(1, 2), (3, 4)}), np.zeros(6, np.int64), 1)
    with pytest.raises(RefusedArgument) as refused:
        editing.split(three, 0, np.ones(6), 2)
    assert refused.value.code == "parts" and refused.value.facts["allowed"] == [3, 6]


@pytest.mark.parametrize(
    ("parts", "posts", "code"),
    [
        (1, None, "parts"),
        (-3, None, "parts"),
        (2, [1], "posts"),
        (2, [1, 0], "posts"),
        (2, [1, np.nan], "posts"),
    ],
)
def test_bad_splits_are_refused(parts: int, posts: list[float] | None, code: str) -> None:
    whole = Partition(lattice(4, 1), np.zeros(4, np.int64), 1)
    with pytest.raises(RefusedArgument) as refused:
        editing.split(whole, 0, np.ones(4), parts, posts=posts)
    assert refused.value.code == code


@pytest.mark.parametrize("g", [-1, 2, 7])
def test_grids_that_are_not_there(g: int) -> None:
    some = Partition(lattice(4, 1), np.array([0, 0, 1, 1]), 3)
    for act in (
        lambda: editing.split(some, g, np.ones(4)),
        lambda: editing.merge(some, 0, g),
        lambda: editing.split_by_line(some, g, [[0, 0], [1, 1]]),
        lambda: editing.fix(Problem(some.graph, np.ones(4), 3, start=some.grid), g),
    ):
        with pytest.raises(RefusedArgument) as refused:
            act()
        assert refused.value.code == "no-such-grid"


# ── By a drawn line ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_line_parts_a_grid() -> None:
    whole = Partition(lattice(6, 4), np.zeros(24, np.int64), 1)
    after = editing.split_by_line(whole, 0, [[15, -20], [15, 60]])
    assert after.k == 2 and (after.grid.reshape(4, 6) == [1, 1, 0, 0, 0, 0]).all()
    inside = editing.split_by_line(whole, 0, [[15, 5], [15, 25]])  # drawn straight on to both ends
    assert (inside.grid == after.grid).all()
    bent = editing.split_by_line(whole, 0, [[35, -20], [35, 15], [80, 15]])
    assert (bent.grid.reshape(4, 6)[:2, 4:] == 1).all() and (bent.grid == 1).sum() == 4


def test_a_line_across_a_bent_grid_makes_whole_parts() -> None:
    shape = np.array([[0, -1, 0], [0, -1, 0], [0, -1, 0], [0, 0, 0]]).ravel()
    after = editing.split_by_line(Partition(lattice(3, 4), shape, 1), 0, [[-9, 15], [99, 15]])
    assert after.k == 3 and all(pieces(after, g) == 1 for g in range(3))


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ([[200, 0], [200, 50]], "line-cuts-nothing"),
        ([[0, 0]], "line"),
        ([[0, 0], [0, 0]], "line"),
        ([[0, np.inf], [1, 1]], "line"),
        ("abc", "line"),
        ([[0, 1, 2], [3, 4, 5]], "line"),
    ],
)
def test_lines_that_cut_nothing_or_are_none(line: object, code: str) -> None:
    with pytest.raises(RefusedArgument) as refused:
        editing.split_by_line(Partition(lattice(3, 3), np.zeros(9, np.int64), 1), 0, line)  # type: ignore[arg-type]
    assert refused.value.code == code


def test_a_scrap_joins_what_lies_beside_it() -> None:
    whole = Partition(lattice(10, 10), np.zeros(100, np.int64), 1)
    after = editing.split_by_line(whole, 0, [[45, -99], [45, 45], [55, 52], [45, 58], [45, 199]])
    assert after.k == 2 and all(pieces(after, g) == 1 for g in range(2))


# ── Merging ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=40, deadline=None)
@given(st.integers(3, 8), st.integers(3, 8), st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_merge_and_split_keep_units(columns: int, rows: int, k: int, seed: int) -> None:
    before, weight = town(columns, rows, k, seed)
    for a in range(before.k):
        for b in range(before.k):
            walked = nx.number_connected_components(
                walks(before.graph).subgraph(np.flatnonzero(np.isin(before.grid, [a, b])).tolist())
            )
            if a == b or walked > 1:
                with pytest.raises(Refused) as refused:
                    editing.merge(before, a, b)
                assert refused.value.code in ("same-grid", "not-neighbours", "not-walkable")
                continue
            after = editing.merge(before, a, b)
            assert after.k == before.k and after.unit_counts[b] == 0 and pieces(after, a) == 1
            assert after.loads(weight)[a] == pytest.approx(before.loads(weight)[[a, b]].sum())
            packed, number = editing.without_empty(after)
            assert packed.k == before.k - 1 and number[b] == -1
            assert (packed.grid == number[after.grid]).all() and (packed.unit_counts > 0).all()


def test_a_river_stands_between() -> None:
    graph = lattice(2, 1, {(0, 1)})
    with pytest.raises(Refused) as refused:
        editing.merge(Partition(graph, np.array([0, 1]), 2), 0, 1)
    assert refused.value.code == "not-walkable" and "10 m" in refused.value.en
    apart = Partition(lattice(3, 1), np.array([0, 1, 2]), 3)
    with pytest.raises(Refused) as far:
        editing.merge(apart, 0, 2)
    assert far.value.code == "not-neighbours"


# ── Putting right ───────────────────────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=40, deadline=None)
@given(st.integers(4, 9), st.integers(4, 9), st.integers(2, 6), st.integers(0, 2**32 - 1))
def test_fix_touches_only_neighbours_and_no_lock(columns: int, rows: int, k: int, seed: int) -> None:
    before, weight = town(columns, rows, k, seed)
    rng = np.random.default_rng(seed)
    weight = weight * rng.lognormal(0, 0.6, len(weight))
    g = int(rng.integers(before.k))
    locked = rng.random(len(weight)) < 0.2
    problem = Problem(
        before.graph, weight, before.k, nesting="free", start=before.grid, locked=locked, seed=seed % 99
    )
    after = editing.fix(problem, g)
    rows_ = np.repeat(np.arange(before.graph.n), np.diff(before.graph.indptr))
    beside = np.unique(before.grid[before.graph.indices[before.grid[rows_] == g]])
    moved = after.grid != before.grid
    assert not moved[locked].any()
    assert set(before.grid[moved].tolist()) | set(after.grid[moved].tolist()) <= {g, *beside.tolist()}
    assert all(pieces(after, one) == 1 for one in range(before.k))
    target = problem.targets
    high = np.maximum(target * 1.1, 0)
    was, now = (
        (np.maximum(p.loads(weight) - high, 0) + np.maximum(target * 0.9 - p.loads(weight), 0)) / target
        for p in (before, after)
    )
    assert (now**2 + 0.01 * now).sum() <= (was**2 + 0.01 * was).sum() + 0.01
    assert (editing.fix(problem, g).grid == after.grid).all()


def test_fix_joins_loose_pieces_and_brings_the_load_into_the_band() -> None:
    graph = lattice(12, 12)
    x, y = np.arange(144) % 12, np.arange(144) // 12
    grid = (x // 4 + 3 * (y // 4)).astype(np.int64)
    grid[[11, 143]] = 4  # loose corners
    grid[(grid == 3) & (x == 3)] = 4  # and too much ground
    problem = Problem(graph, np.ones(144), 9, nesting="free", start=grid, seed=3)
    after = editing.fix(problem, 4)
    assert pieces(after, 4) == 1 and abs(after.loads(np.ones(144))[4] / 16 - 1) <= 0.1 + 1e-9
    assert all(pieces(after, g) == 1 for g in range(9))


def test_fix_leaves_what_is_right_and_locked_pieces() -> None:
    graph = lattice(8, 4)
    grid = np.where(np.arange(32) % 8 < 4, 0, 1)
    right = Problem(graph, np.ones(32), 2, nesting="free", start=grid)
    assert (editing.fix(right, 0).grid == grid).all()
    loose = grid.copy()
    loose[7] = 0
    locked = np.arange(32) == 7
    assert editing.fix(replace(right, start=loose, locked=locked), 0).grid[7] == 0
    with pytest.raises(RefusedArgument) as refused:
        editing.fix(replace(right, start=None), 0)
    assert refused.value.code == "no-start"


def test_fix_keeps_strict_nesting() -> None:
    graph = lattice(12, 6, areas=2)
    x = np.arange(72) % 12
    grid = np.select([x < 2, x < 6, x < 7], [0, 1, 2], 3)
    after = editing.fix(Problem(graph, np.ones(72), 4, nesting="strict", start=grid), 1)
    assert set(after.grid[x < 6].tolist()) == {0, 1} and set(after.grid[x >= 6].tolist()) == {2, 3}


def test_pieces_that_others_lie_between_are_split_there() -> None:
    graph = lattice(7, 1)
    broken = Partition(graph, np.array([0, 0, 0, 1, 0, 0, 0]), 2)
    after = editing.split(broken, 0, np.array([1.0, 1, 1, 9, 5, 5, 5]), 2)
    assert after.grid.tolist() == [2, 2, 2, 1, 0, 0, 0]


def test_a_locked_grid_neither_gives_nor_takes() -> None:
    graph = lattice(9, 3)
    x = np.arange(27) % 9
    grid = np.select([x < 1, x < 6], [0, 1], 2)
    problem = Problem(graph, np.ones(27), 3, nesting="free", start=grid, locked=grid == 2)
    after = editing.fix(problem, 1)
    assert ((after.grid == 2) == (grid == 2)).all() and after.unit_counts[0] > 3

"""Rebalancing: inside the tolerance, little moved, in one piece, locks kept; the flow bound by hand and by networkx."""

from __future__ import annotations

from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.errors import Cancelled, RefusedArgument
from grids import flows, search
from grids.flows import Band
from grids.partition import Partition
from grids.problem import Problem
from grids.rebalance import rebalance
from tests.grids.lattices import lattice
from tests.grids.test_editing import pieces, town


def drifted(columns: int, rows: int, k: int, seed: int, **more: object) -> Problem:
    """A town whose weights changed since its grids were drawn."""
    before, weight = town(columns, rows, k, seed)
    rng = np.random.default_rng(seed)
    later = rng.poisson(weight * rng.lognormal(0, 0.5, len(weight))) + (rng.random(len(weight)) < 0.1)
    return Problem(
        before.graph, later + 0.0, before.k, start=before.grid, seed=seed % 97, nesting="free", **more
    )  # type: ignore[arg-type]


def city(side: int, k: int, seed: int, tilt: float = 0.5) -> Problem:
    """Even ground whose west grew heavier since its grids were drawn: everything must shift a little."""
    graph = lattice(side, side)
    rng = np.random.default_rng(seed)
    before = search.propose(Problem(graph, np.ones(graph.n), k, nesting="free", seed=seed))[0].partition
    weight = 10 + tilt * 10 * (graph.x < graph.x.mean()) + rng.random(graph.n)
    return Problem(graph, weight, k, start=before.grid, nesting="free", seed=seed)


@settings(max_examples=12, deadline=None)
@given(st.integers(4, 8), st.integers(4, 8), st.integers(1, 5), st.integers(0, 2**32 - 1), st.floats(0, 0.4))
def test_whole_locked_and_never_below_what_must_move(
    columns: int, rows: int, k: int, seed: int, locked_share: float
) -> None:
    problem = drifted(columns, rows, k, seed)
    locked = np.random.default_rng(seed).random(problem.graph.n) < locked_share
    problem = replace(problem, locked=locked)
    start = problem.start
    assert start is not None
    found = rebalance(problem)
    after = found.partition
    moved = after.grid != start
    assert not moved[locked].any() and (after.grid >= 0).all() and after.k == problem.k
    assert all(pieces(after, g) == 1 for g in range(problem.k))
    assert (
        found.moved_weight == pytest.approx(problem.weight[moved].sum()) and found.moved_units == moved.sum()
    )
    off = np.abs(after.loads(problem.weight) / problem.targets - 1)
    assert found.deviation == pytest.approx(off.max())
    outside = set(np.flatnonzero(off > problem.tolerance + 1e-9).tolist())
    assert {one.grid for one in found.stuck} == outside
    assert found.within_tolerance == pytest.approx(1 - len(outside) / problem.k)
    if not outside:
        over = np.maximum(
            Partition(problem.graph, start, k).loads(problem.weight)[: problem.k] - 1.1 * problem.targets, 0
        )
        assert found.moved_weight >= over.sum() - 1e-9
        assert found.moved_share >= found.certain_share - 1e-9
    assert found.certain_share <= found.least_share + 1e-9
    assert (rebalance(problem).partition.grid == after.grid).all()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_whole_district_sheds_load_within_twice_the_least(seed: int) -> None:
    problem = city(40, 40, seed)
    found = rebalance(problem)
    assert found.within_tolerance == 1 and found.stuck == []
    assert found.least_share <= found.moved_share <= 2 * found.least_share
    assert all(pieces(found.partition, g) == 1 for g in range(40))


def test_nothing_moves_where_all_is_well() -> None:
    problem = city(20, 8, 1, tilt=0.0)
    found = rebalance(problem)
    assert found.moved_units == 0 and found.least_share == 0 and found.changed_grids == 0


def test_a_worker_leaves() -> None:
    problem = city(30, 20, 3, tilt=0.1)
    found = rebalance(problem, more=-1)
    start, after = problem.start, found.partition
    assert start is not None
    gone = np.flatnonzero(after.unit_counts == 0)
    assert len(gone) == 1 and after.k == 20
    assert found.within_tolerance == 1 and found.moved_weight >= problem.weight[start == gone[0]].sum()
    assert found.least_share <= found.moved_share <= 2 * found.least_share
    assert all(pieces(after, g) == 1 for g in range(20) if g != gone[0])
    named = rebalance(problem, more=-1, leaving=5)
    assert named.partition.unit_counts[5] == 0 and named.least_share >= found.least_share - 1e-9


def test_a_worker_joins() -> None:
    problem = city(30, 20, 4, tilt=0.6)
    found = rebalance(problem, more=1)
    after = found.partition
    assert after.k == 21 and after.unit_counts[20] > 0 and found.within_tolerance == 1
    west = problem.graph.x[after.grid == 20].mean() < problem.graph.x.mean()
    assert west and found.least_share <= found.moved_share <= 2.5 * found.least_share
    assert all(pieces(after, g) == 1 for g in range(21))
    named = rebalance(problem, more=1, joining=7)
    assert named.partition.unit_counts[20] > 0


def test_posts_decide_what_is_fair() -> None:
    graph = lattice(20, 20)
    before = search.propose(Problem(graph, np.ones(400), 4, nesting="free"))[0].partition
    posts = np.array([1.0, 2.0, 1.0, 1.0])
    found = rebalance(Problem(graph, np.ones(400), 4, start=before.grid, posts=posts, nesting="free"))
    assert np.abs(found.partition.loads(np.ones(400)) / (80 * posts) - 1).max() <= 0.1 + 1e-9


def test_strict_nesting_is_kept_and_explained() -> None:
    """Two communities of unequal work: no tolerance is reached across the line, each is shared evenly."""
    graph = lattice(20, 10, areas=2)
    x, y = np.arange(200) % 20, np.arange(200) // 20
    start = (2 * (x >= 10) + (y >= 4)).astype(np.int64)
    weight = np.where(x < 10, 1.0, 3.0)
    found = rebalance(Problem(graph, weight, 4, start=start, nesting="strict"))
    after = found.partition
    assert set(after.grid[x < 10].tolist()) == {0, 1} and set(after.grid[x >= 10].tolist()) == {2, 3}
    assert {one.code for one in found.stuck} == {"district"} and len(found.stuck) == 4
    loads = after.loads(weight)
    assert abs(loads[0] / 50 - 1) <= 0.1 + 1e-9 and abs(loads[2] / 150 - 1) <= 0.1 + 1e-9
    soft = rebalance(Problem(graph, weight, 4, start=start, nesting="soft"))
    assert soft.within_tolerance == 1


def test_why_a_grid_cannot() -> None:
    graph = lattice(6, 1)
    tower = Problem(
        graph, np.array([9.0, 1, 1, 1, 1, 1]), 2, start=np.array([0, 0, 0, 1, 1, 1]), nesting="free"
    )
    found = rebalance(tower)
    assert found.partition.grid.tolist() == [0, 1, 1, 1, 1, 1]
    assert {one.grid: one.code for one in found.stuck}[0] == "heavy-units"
    assert "1.29" in found.stuck[0].en and found.stuck[0].allowed == 0.10
    shut = rebalance(replace(tower, locked=tower.start == 0))
    assert (shut.partition.grid == tower.start).all()
    assert {one.grid: one.code for one in shut.stuck}[0] == "closed"


def test_empty_grids_keep_their_numbers() -> None:
    graph = lattice(10, 10)
    start = np.where(np.arange(100) % 10 < 3, 0, 2)
    found = rebalance(Problem(graph, np.ones(100), 3, start=start, nesting="free"))
    assert found.partition.k == 3 and found.partition.unit_counts.tolist()[1] == 0
    assert found.within_tolerance == 1


@pytest.mark.parametrize(
    ("start", "options", "code"),
    [
        (None, {}, "no-start"),
        ([-1] * 9, {}, "no-start"),
        ([0] * 9, {"more": 2}, "grids-change"),
        ([0] * 9, {"more": -1}, "cannot-dissolve"),
        ([0] * 9, {"more": -1, "leaving": 4}, "no-such-grid"),
        ([0] * 8 + [1], {"more": 1, "joining": 1}, "grid-locked"),
        ([0] * 9, {"more": 1, "joining": -1}, "no-such-grid"),
    ],
)
def test_refusals(start: list[int] | None, options: dict[str, int], code: str) -> None:
    given_ = None if start is None else np.array(start)
    k = 1 if start is None else max(start) + 1 if max(start) >= 0 else 1
    with pytest.raises(RefusedArgument) as refused:
        rebalance(Problem(lattice(3, 3), np.ones(9), k, start=given_, nesting="free"), **options)  # type: ignore[arg-type]
    assert refused.value.code == code


def test_locked_grids_do_not_go() -> None:
    problem = city(12, 4, 5)
    assert problem.start is not None
    locked = replace(problem, locked=problem.start == 2)
    with pytest.raises(RefusedArgument) as refused:
        rebalance(locked, more=-1, leaving=2)
    assert refused.value.code == "grid-locked"
    found = rebalance(locked, more=-1)
    assert ((found.partition.grid == 2) == (problem.start == 2)).all()


def test_progress_is_told_and_cancel_is_heard() -> None:
    problem, told = city(20, 10, 6), []
    rebalance(problem, progress=lambda stage, done, total=None: told.append((stage, done, total)))
    assert told[-1] == ("rebalance", 10, 10) and all(stage == "rebalance" for stage, _, _ in told)
    with pytest.raises(Cancelled):
        rebalance(problem, cancel=lambda: True)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 9), st.integers(0, 2**32 - 1))
def test_least_flow_against_network_simplex(k: int, seed: int) -> None:
    """The linear program finds what networkx' network simplex finds on the same ring with chords."""
    rng = np.random.default_rng(seed)
    loads = rng.integers(0, 40, k) + 0.0
    pairs = {(g, (g + 1) % k) for g in range(k) if k > 1} | {
        tuple(rng.integers(0, k, 2).tolist()) for _ in range(k)
    }
    both = np.array(sorted({(a, b) for a, b in pairs if a != b} | {(b, a) for a, b in pairs if a != b}))
    mean = int(loads.mean())
    low, high = np.full(k, mean - 3.0), np.full(k, mean + 4.0)
    flow = flows.least(loads, Band(low, high, np.full(k, max(mean, 1.0))), both)
    graph = nx.DiGraph()
    graph.add_node("rest", demand=int(-loads.sum() + mean * k - 3 * k) * -1)
    for g in range(k):
        graph.add_node(g, demand=int(low[g] - loads[g]))
        graph.add_edge(g, "rest", weight=0, capacity=7)
    for a, b in both.tolist():
        graph.add_edge(a, b, weight=1)
    expected = nx.min_cost_flow_cost(graph)
    assert flow.total == pytest.approx(expected, abs=1e-6)
    after = loads.copy()
    np.subtract.at(after, flow.givers, flow.amounts)
    np.add.at(after, flow.takers, flow.amounts)
    assert (after >= low - 1e-6).all() and (after <= high + 1e-6).all()


def test_flow_on_ground_that_cannot_be_even_goes_as_far_as_it_can() -> None:
    flow = flows.least(
        np.array([30.0, 0.0]), Band(np.full(2, 9.0), np.full(2, 11.0), np.full(2, 10.0)), np.array([[0, 1]])
    )
    assert flow.total == pytest.approx(11, abs=3) and flow.amounts[0] >= 9

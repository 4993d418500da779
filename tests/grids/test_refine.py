"""The ways a plan is made better: books stay exact, grids stay whole, load flows where it is wanted, tries can be undone."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from grids import search, terrain
from grids.kernels import energy
from grids.kernels.energy import Rates
from grids.problem import Problem
from grids.refine import Refiner, rings
from grids.units import Floats, UnitGraph
from tests.grids.lattices import lattice


def stripes(graph: UnitGraph, weight: Floats, k: int, *, crossing: bool = False) -> Refiner:
    """A plan of k vertical stripes on a lattice."""
    wide = np.unique(graph.x, return_inverse=True)[1]
    label = (wide * k // (wide.max() + 1)).astype(np.int64)
    problem = Problem(graph, weight, k, nesting="soft" if crossing else "free")
    ground = terrain.survey(problem, within_area=False)
    book = energy.open_book(ground.ground, label, problem.targets[:, None].copy(), crossing=crossing)
    return Refiner(ground.ground, book, 5)


def assert_books(plan: Refiner, graph: UnitGraph, weight: Floats) -> None:
    """Sums by plain counting, wholeness by networkx."""
    label, book = plan.book.label, plan.book
    assert book.load[:, 0] == pytest.approx(np.bincount(label, weights=weight, minlength=plan.k))
    assert book.area == pytest.approx(np.bincount(label, weights=graph.area_m2, minlength=plan.k))
    assert (book.units == np.bincount(label, minlength=plan.k)).all()
    rows = np.repeat(np.arange(graph.n), np.diff(graph.indptr))
    same = label[rows] == label[graph.indices]
    inner = np.bincount(label[rows[same]], weights=graph.length_m[same], minlength=plan.k)
    outline = np.bincount(label, weights=graph.perimeter_m, minlength=plan.k) - inner
    assert book.perimeter == pytest.approx(outline)
    if len(book.shared):
        touched = np.zeros(book.shared.shape, int)
        np.add.at(touched, (label, graph.area), 1)
        assert (book.shared == touched).all()
    walk = nx.Graph()
    walk.add_nodes_from(range(graph.n))
    joined = same & graph.walkable
    walk.add_edges_from(zip(rows[joined].tolist(), graph.indices[joined].tolist(), strict=True))
    assert nx.number_connected_components(walk) == plan.k


@pytest.mark.parametrize("crossing", [False, True])
def test_every_step_keeps_exact_books(crossing: bool) -> None:
    graph = lattice(24, 12, areas=3)
    weight = np.random.default_rng(3).integers(0, 9, graph.n).astype(float)
    plan = stripes(graph, weight, 8, crossing=crossing)
    rates = Rates(0.04, crossing=0.5 if crossing else 0.0)
    fair = plan.book.target[:, 0].copy()
    for step in (
        lambda: plan.recut(rates), lambda: plan.level(rates._replace(band=0.0, pull=20.0), fair, 0.03),
        lambda: plan.branch_out(rates), lambda: plan.anneal(rates, 20, 0.2, 0.005),
        lambda: plan.shake(rates._replace(hinge=4_000.0), fair, 0.01, 1, 0.4, 0.004, 40),
    ):  # fmt: skip
        step()
        assert_books(plan, graph, weight)
    assert (plan.book.target[:, 0] == fair).all()


def test_load_flows_along_a_row_of_grids() -> None:
    """All surplus lies at one end; every grid between must pass it on."""
    graph = lattice(40, 8)
    weight = np.where(graph.x < 40, 3.0, 1.0)  # the first of ten stripes weighs three times as much
    plan = stripes(graph, weight, 10)
    fair = plan.book.target[:, 0].copy()
    assert plan.excess(fair).max() > 1
    flowed = plan.level(Rates(0.0, pull=20.0), fair, 0.02)
    assert flowed > 2 * fair[0]  # over several borders
    assert plan.excess(fair).max() < 0.15
    assert_books(plan, graph, weight)


def test_a_shaking_that_does_not_help_is_taken_back() -> None:
    """Shaken to pieces at great heat and never cooled, nothing gets better: the plan is as it was."""
    graph = lattice(30, 10)
    rng = np.random.default_rng(8)
    weight = rng.integers(1, 9, graph.n).astype(float)
    plan = stripes(graph, weight, 10)
    fair = plan.book.target[:, 0].copy()
    before = np.maximum(plan.excess(fair) - 0.01, 0).sum()
    for turn in range(6):
        plan.shake(Rates(0.01, pull=0.0, hinge=0.0), fair, 0.01, 1 + turn % 3, 50.0, 49.0, 30)
        after = np.maximum(plan.excess(fair) - 0.01, 0).sum()
        assert after <= before + 1e-9
        before = after
        assert_books(plan, graph, weight)


def test_shaking_touches_only_what_is_near() -> None:
    graph = lattice(60, 6)
    weight = np.ones(graph.n)
    weight[graph.x < 60] = 1.5  # the first stripe of ten
    plan = stripes(graph, weight, 10)
    fair = plan.book.target[:, 0].copy()
    first = np.arange(10) == 0
    old, near = plan.book.label.copy(), rings(first, 2, plan.neighbours())
    assert near.tolist() == [True] * 3 + [False] * 7
    assert (plan.excess(fair) > 0.4).nonzero()[0].tolist() == [0]
    plan.shake(Rates(0.03, hinge=4_000.0), fair, 0.4, 2, 0.4, 0.004, 60)
    assert (plan.book.label[~near[old]] == old[~near[old]]).all()
    assert (plan.book.label != old).any() and plan.excess(fair)[0] < 0.4


def test_a_pocket_behind_a_bridge_shares_across_it() -> None:
    """A peninsula holds work for 4.5 grids and is left only across one unit's border: the flow has to use it."""
    wall = {(u, u + 1) for u in range(20 * 60) if u % 60 == 29 and u // 60 != 10}
    graph = lattice(60, 20, wall)
    weight = np.where(graph.x < 300, 1.0, 11 / 9)  # 4.5 of 10 grids lie west of the wall
    for seed in (1, 2, 3):
        problem = Problem(graph, weight, 10, nesting="free", tolerance=0.05, seed=seed)
        found = search.propose(problem)[0].partition
        loads = np.bincount(found.grid, weights=weight)
        assert np.abs(loads / loads.mean() - 1).max() <= 0.05
        assert (found.parts() == 1).all()


def test_heavy_units_are_packed_within_the_tolerance() -> None:
    """Grids of three or four heavy units each: no single move helps, only the right set of units does."""
    graph = lattice(30, 30)
    rng = np.random.default_rng(1)
    weight = np.where(rng.random(graph.n) < 0.14, rng.uniform(5, 40, graph.n), rng.uniform(0, 0.6, graph.n))
    problem = Problem(graph, weight, 40, nesting="free", tolerance=0.05, seed=1)
    found = search.propose(problem)[0].partition
    assert weight.max() < 0.7 * problem.targets[0]
    loads = np.bincount(found.grid, weights=weight)
    assert np.abs(loads / loads.mean() - 1).max() <= 0.05

"""The random walk over plans against exact enumeration, its diagnostics against known series, and ranking."""

from __future__ import annotations

import itertools
import json
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from scipy.stats import chisquare

from geo.errors import Cancelled, RefusedArgument
from grids import ensemble, mixing, search, terrain
from grids.kernels import trees
from grids.partition import Partition
from grids.problem import Problem
from grids.units import Floats, Ints, UnitGraph, csr
from tests.grids.lattices import lattice
from tests.grids.test_editing import pieces, walks

SHARED = Path(os.environ.get("WANGGE_TEST_DATA", Path(__file__).parents[3] / "shared")) / "data/redistricting"


def spanning_trees(graph: nx.Graph) -> int:
    """How many trees span a graph (Kirchhoff 1847)."""
    if graph.number_of_nodes() == 1:
        return 1
    return round(np.linalg.det(nx.laplacian_matrix(graph).toarray()[1:, 1:].astype(float)))


def name(label: Ints) -> tuple[int, ...]:
    """A labelling whatever its grids are called."""
    seen: dict[int, int] = {}
    return tuple(seen.setdefault(int(g), len(seen)) for g in label)


def walked(problem: Problem, start: Ints, steps: int, every: int = 1) -> Counter[tuple[int, ...]]:
    """The plans a walk passes."""
    assert problem.start is None
    ground = terrain.survey(problem, within_area=False)
    rows = np.repeat(np.arange(problem.graph.n), np.diff(ground.ground.indptr))
    once = ground.ground.open_ & (rows < ground.ground.indices)
    target = problem.targets
    low, high = target * (1 - problem.tolerance) - 1e-9, target * (1 + problem.tolerance) + 1e-9
    walk, space = trees.chain(ground.ground, start, low, high, 0 * high, ground.held, problem.seed)
    found: Counter[tuple[int, ...]] = Counter()
    for _ in range(steps):
        trees.wander(ground.ground, walk, space, rows[once], ground.ground.indices[once], every)
        found[name(walk.label)] += 1
    return found


def bipartitions(graph: nx.Graph, size: int) -> dict[frozenset[int], float]:
    """Every cut of a connected graph into two connected sides of `size` and the rest, with its trees × borders."""
    nodes = sorted(graph)
    found = {}
    for rest in itertools.combinations(nodes[1:], size - 1):
        side = frozenset((nodes[0], *rest))
        other = graph.subgraph(set(nodes) - side)
        if nx.is_connected(graph.subgraph(side)) and nx.is_connected(other):
            borders = len(list(nx.edge_boundary(graph, side)))
            found[side] = spanning_trees(graph.subgraph(side)) * spanning_trees(other) * borders
    return found


def test_two_halves_come_as_often_as_trees_say() -> None:
    """With two grids every step is a fresh draw: sides A, B come in proportion to τ(A) τ(B) |∂(A, B)|, exactly."""
    graph = lattice(4, 3)
    problem = Problem(graph, np.ones(12), 2, tolerance=0.0, nesting="free", seed=5)
    start = (np.arange(12) % 4 >= 2).astype(np.int64)
    found = walked(problem, start, 8_000)
    exact = bipartitions(walks(graph), 6)
    assert len(exact) > 10
    share = np.array(list(exact.values())) / sum(exact.values())
    seen = np.array([found[name(np.array([u not in side for u in range(12)]))] for side in exact])
    assert seen.sum() == 8_000 and chisquare(seen, share * 8_000).pvalue > 1e-4


def test_three_grids_walk_as_the_exact_chain_does() -> None:
    """3 × 3 in three trominoes: 10 plans; the chain's transitions written down, its stationary law by linear algebra."""
    graph = lattice(3, 3)
    walk = walks(graph)
    plans = _plans(walk, 3, 3)
    assert len(plans) == 10
    number = {plan: i for i, plan in enumerate(plans)}
    chain = np.zeros((10, 10))
    for plan, i in number.items():
        borders = [(plan[a], plan[b]) for a, b in walk.edges if plan[a] != plan[b]]
        for a, b in borders:
            both = walk.subgraph([u for u in range(9) if plan[u] in (a, b)])
            cuts = bipartitions(both, 3)
            for side, trees_ in cuts.items():
                after = [plan[u] if plan[u] not in (a, b) else (a if u in side else b) for u in range(9)]
                chain[i, number[name(np.array(after))]] += trees_ / sum(cuts.values()) / len(borders)
    assert np.allclose(chain.sum(axis=1), 1)
    law = np.linalg.matrix_power(chain, 500)[0]
    problem = Problem(graph, np.ones(9), 3, tolerance=0.0, nesting="free", seed=2)
    found = walked(problem, np.repeat(np.arange(3), 3), 6_000, every=6)
    seen = np.array([found[plan] for plan in plans])
    assert seen.sum() == 6_000 and chisquare(seen, law / law.sum() * 6_000).pvalue > 1e-4
    by_trees = np.array([_tree_weight(walk, plan) for plan in plans])
    assert np.abs(law - by_trees / by_trees.sum()).sum() / 2 < 0.15  # near the law of tree counts, not on it


def _tree_weight(graph: nx.Graph, plan: tuple[int, ...]) -> float:
    """The product over grids of how many trees span them."""
    grids = [[u for u in range(len(plan)) if plan[u] == g] for g in set(plan)]
    return float(np.prod([float(spanning_trees(graph.subgraph(grid))) for grid in grids]))


def _plans(graph: nx.Graph, k: int, size: int) -> list[tuple[int, ...]]:
    """Every plan of k connected grids of `size` units."""
    if k == 1:
        return [tuple(0 for _ in graph)] if nx.is_connected(graph) else []
    nodes, found = sorted(graph), []
    for rest in itertools.combinations(nodes[1:], size - 1):
        side = {nodes[0], *rest}
        others = [u for u in nodes if u not in side]
        if nx.is_connected(graph.subgraph(side)):
            for plan in _plans(graph.subgraph(others), k - 1, size):
                inner = dict(zip(others, plan, strict=True))
                found.append(name(np.array([0 if u in side else 1 + inner[u] for u in nodes])))
    return found


# ── Valid plans only ────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_plan_passed_is_valid() -> None:
    graph = lattice(12, 12, {(u, u + 1) for u in range(0, 140, 7)}, areas=2)
    rng = np.random.default_rng(1)
    weight = rng.integers(0, 9, 144) + 0.0
    problem = Problem(graph, weight, 8, tolerance=0.25, nesting="strict", seed=3)
    start = search.propose(problem)[0].partition.grid
    locked = np.zeros(144, bool)
    locked[np.flatnonzero(start == 2)[:4]] = True
    problem = replace(problem, start=start, locked=locked)
    ground = terrain.survey(problem, within_area=True)
    rows = np.repeat(np.arange(144), np.diff(ground.ground.indptr))
    once = ground.ground.open_ & (rows < ground.ground.indices)
    low, high = problem.targets * 0.75, problem.targets * 1.25
    walk, space = trees.chain(ground.ground, start, low, high, high - problem.targets, ground.held, 7)
    changed = 0
    for _ in range(60):
        changed += trees.wander(ground.ground, walk, space, rows[once], ground.ground.indices[once], 5)
        plan = Partition(graph, walk.label, 8)
        assert all(pieces(plan, g) == 1 for g in range(8)) and (walk.label[locked] == 2).all()
        assert all(len(areas) == 1 for areas in plan.areas_of())
        assert np.allclose(walk.load, plan.loads(weight)) and (walk.units == plan.unit_counts).all()
    assert changed > 60


def test_sample_and_rank() -> None:
    graph = lattice(14, 14, areas=2)
    problem = Problem(graph, np.ones(196), 9, tolerance=0.2, nesting="free", seed=4)
    told: list[tuple[str, int, int | None]] = []
    found = ensemble.sample(problem, plans=203, chains=3, progress=lambda *at: told.append(at))  # type: ignore[arg-type]
    assert found.plans == 204 and found.measures["cut_edges"].shape == (3, 68)
    assert told[-1] == ("ensemble", 204, 204) and 0.5 < found.changed_share <= 1
    assert (found.measures["largest_deviation"] <= 0.2 + 1e-9).all()
    again = ensemble.sample(problem, plans=203, chains=3)
    assert all((found.measures[m] == again.measures[m]).all() for m in ensemble.MEASURES)
    assert not (found.measures["cut_edges"][0] == found.measures["cut_edges"][1]).all()
    good = search.propose(replace(problem, tolerance=0.05))[0].partition
    ranks = {one.measure: one for one in ensemble.rank(found, good)}
    for one in ranks.values():
        assert one.better_share + one.equal_share + one.worse_share == pytest.approx(1)
        assert one.rank_first == round(one.better_share * 204) + 1 and one.of == 205
    assert ranks["compactness"].rank_last <= 20 and ranks["cut_edges"].rank_last <= 20
    by_hand = Partition(graph, good.grid, 9)
    rows = np.repeat(np.arange(196), np.diff(graph.indptr))
    assert ranks["cut_edges"].value == (good.grid[rows] != good.grid[graph.indices]).sum() / 2
    assert ranks["compactness"].value == pytest.approx(
        (4 * np.pi * by_hand.area_m2 / by_hand.perimeter_m**2).mean()
    )
    assert ranks["crossing"].value == sum(len(areas) > 1 for areas in by_hand.areas_of())
    with pytest.raises(Cancelled):
        ensemble.sample(problem, plans=10, chains=1, cancel=lambda: True)


def test_ties_share_their_places() -> None:
    problem = Problem(lattice(4, 1), np.ones(4), 2, tolerance=0.1, nesting="free")
    found = ensemble.sample(problem, plans=8, chains=2)
    ranks = ensemble.rank(found, Partition(problem.graph, np.array([0, 0, 1, 1]), 2))
    assert all((one.rank_first, one.rank_last, one.equal_share) == (1, 9, 1.0) for one in ranks)
    with pytest.raises(RefusedArgument) as refused:
        ensemble.rank(found, Partition(problem.graph, np.array([0, 0, 1, -1]), 2))
    assert refused.value.code == "incomplete"


@pytest.mark.parametrize(
    "wrong", [{"plans": 0}, {"chains": 0}, {"chains": 999}, {"thinning": 0}, {"plans": 10**9}]
)
def test_numbers_that_cannot_be(wrong: dict[str, int]) -> None:
    with pytest.raises(RefusedArgument) as refused:
        ensemble.sample(Problem(lattice(4, 1), np.ones(4), 2), **wrong)
    assert refused.value.code in wrong


def test_an_island_goes_with_the_shore() -> None:
    """Nobody walks to an island: the walk over plans still ends, and carries it along."""
    graph = lattice(5, 4)
    keep = np.flatnonzero(np.arange(20) % 5 != 3)
    from grids.units import within

    island = replace(within(graph, keep), land=None)
    problem = Problem(island, np.ones(16), 2, tolerance=0.3, nesting="free", seed=1)
    found = ensemble.sample(problem, plans=20, chains=1)
    assert found.plans == 20


# ── Mixing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def autoregressive(phi: float, chains: int, draws: int, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(chains, draws + 500))
    found = np.zeros_like(noise)
    for i in range(1, draws + 500):
        found[:, i] = phi * found[:, i - 1] + noise[:, i]
    return found[:, 500:]


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
def test_effective_sample_size_of_a_known_series(phi: float) -> None:
    draws = autoregressive(phi, 4, 5_000, 1)
    assert mixing.ess(draws) == pytest.approx(20_000 * (1 - phi) / (1 + phi), rel=0.2)
    assert mixing.rhat(draws) < 1.02


def test_rhat_sees_chains_that_disagree_in_place_or_spread() -> None:
    draws = autoregressive(0.0, 4, 1_000, 2)
    assert not mixing.mixed(mixing.rhat(draws + np.arange(4)[:, None]), 1e9, 4)
    assert mixing.rhat(draws * np.array([1, 1, 1, 5])[:, None]) > 1.05
    assert mixing.rhat(draws + np.linspace(0, 3, 1_000)) > 1.2  # one that drifts disagrees with its own half
    assert mixing.mixed(mixing.rhat(draws), mixing.ess(draws), 4)
    assert mixing.rhat(np.full((2, 10), 3.0)) == 1.0 and mixing.ess(np.full((2, 10), 3.0)) == 20
    assert np.isnan(mixing.rhat(np.zeros((1, 3)))) and np.isnan(mixing.ess(np.zeros((1, 3))))
    assert mixing.rhat(np.repeat([[0.0], [1.0]], 8, axis=1)) == float("inf")


# ── Real ground ─────────────────────────────────────────────────────────────────────────────────────────────────────


def florida() -> tuple[UnitGraph, Floats, nx.Graph]:
    """25 precincts of Florida with every contiguous plan of three districts (alarm-redist/redist)."""
    import geopandas as gpd

    frame = gpd.read_file(SHARED / "fl25.gpkg")
    beside = json.loads((SHARED / "fl25_adj_zero_based.json").read_text())
    graph = nx.Graph()
    graph.add_nodes_from(range(25))
    pairs = beside.items() if isinstance(beside, dict) else enumerate(beside)
    graph.add_edges_from((int(u), int(v)) for u, others in pairs for v in others)
    a, b = np.array(sorted((min(e), max(e)) for e in graph.edges)).T
    indptr, indices, length, walkable = csr(25, a, b, np.ones(len(a)), np.ones(len(a), bool))
    units = UnitGraph(
        np.arange(25), tuple(map(str, range(25))), np.zeros(25, np.int64), ("a",), ("a",), np.zeros(25), np.zeros(25),
        np.ones(25), np.full(25, 9.0), indptr, indices, length, walkable,
    )  # fmt: skip
    return units, frame["pop"].to_numpy(float), graph


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.skipif(not SHARED.exists(), reason="no test data")
def test_cut_edges_of_florida_against_every_plan_there_is() -> None:
    """Of all 927 plans within 10 %, weighed by their spanning trees, the walk finds nearly the same cut edges."""
    units, people, graph = florida()
    every = np.load(SHARED / "fl25_enum.npz")
    plans = every["plans"][:, every["pop_dev"] <= 0.10].T
    assert len(plans) == 927 and graph.number_of_edges() == 51
    edges = np.array(graph.edges)
    cut = (plans[:, edges[:, 0]] != plans[:, edges[:, 1]]).sum(axis=1)
    weight = np.array([_tree_weight(graph, tuple(plan.tolist())) for plan in plans])
    exact = np.bincount(cut, weights=weight, minlength=52) / weight.sum()
    problem = Problem(units, people, 3, tolerance=0.10, nesting="free", seed=11)
    found = walked(problem, np.unique(plans[0], return_inverse=True)[1], 8_000, every=3)
    assert set(found) <= {name(plan) for plan in plans}
    sampled = np.zeros(52)
    for plan, times in found.items():
        label = np.array(plan)
        sampled[(label[edges[:, 0]] != label[edges[:, 1]]).sum()] += times
    apart = np.abs(sampled / sampled.sum() - exact).sum() / 2
    assert apart < 0.12
    even = np.bincount(cut, minlength=52) / len(cut)
    assert apart < np.abs(sampled / sampled.sum() - even).sum() / 2 / 2  # not the uniform law

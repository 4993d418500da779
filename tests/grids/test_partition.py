"""Partitions, measures, rules and seeds on hand-made graphs, checked by networkx and shapely."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import networkx as nx
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.codes import free_sequences, generate, parse, reading_order
from grids import codes, constraints, measures
from grids.partition import Partition
from grids.units import UnitGraph, csr
from tests.grids.lattices import lattice


def squares(graph: UnitGraph) -> np.ndarray[Any, np.dtype[np.object_]]:
    return np.asarray(shapely.box(graph.x, graph.y, graph.x + 10, graph.y + 10), dtype=object)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 7), st.integers(2, 7), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_areas_perimeters_and_parts(columns: int, rows: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pairs = {(u, u + 1) for u in range(columns * rows - 1) if rng.random() < 0.2}
    graph = lattice(columns, rows, pairs)
    partition = Partition(graph, rng.integers(-1, k, graph.n), k)
    walk = nx.Graph()
    walk.add_nodes_from(range(graph.n))
    for u in range(graph.n):
        for e in range(graph.indptr[u], graph.indptr[u + 1]):
            if graph.walkable[e]:
                walk.add_edge(u, int(graph.indices[e]))
    shapes = squares(graph)
    for g in range(k):
        members = np.flatnonzero(partition.grid == g)
        union = shapely.union_all(shapes[members])
        assert partition.area_m2[g] == pytest.approx(union.area)
        assert partition.perimeter_m[g] == pytest.approx(union.length)
        expected = nx.number_connected_components(walk.subgraph(members.tolist())) if len(members) else 0
        assert partition.parts()[g] == expected


def test_an_island_is_not_held_against_its_grid() -> None:
    graph = lattice(3, 1)
    alone = UnitGraph(**{**graph.__dict__, **dict(zip(("indptr", "indices", "length_m", "walkable"),
                      csr(3, np.array([0]), np.array([1]), np.array([10.0]), np.array([True])), strict=True))})  # fmt: skip
    assert Partition(alone, np.zeros(3, np.int64), 1).parts().tolist() == [1]
    assert Partition(graph, np.array([0, 1, 0]), 2).parts().tolist() == [2, 1]


def test_flip_leaves_the_old_partition_as_it_was() -> None:
    before = Partition(lattice(2, 1), np.array([0, 1]), 2)
    after = before.flip(np.array([1]), 0)
    assert before.grid.tolist() == [0, 1] and after.grid.tolist() == [0, 0]


def test_measures() -> None:
    partition = Partition(lattice(4, 2, areas=2), np.array([0, 0, 1, 1, 0, 0, 1, 1]), 2)
    assert measures.polsby_popper(partition) == pytest.approx(np.pi / 4)
    weight = np.array([3.0, 0, 1, 0, 0, 0, 0, 0])
    assert measures.deviation(partition, weight).tolist() == [
        2.0,
        0.0,
    ]  # one unit is a grid of its own: 1 is left
    assert np.isnan(measures.deviation(partition, np.zeros(8))).all()
    assert measures.crossing(partition) == 0
    assert measures.crossing(Partition(partition.graph, np.zeros(8, np.int64), 1)) == 1
    card = measures.score(partition, weight)
    assert (card.largest_deviation, card.within_tolerance, card.open_units) == (2.0, 0.5, 0)


def test_every_broken_rule_is_named() -> None:
    graph = lattice(4, 2, areas=2)
    partition = Partition(graph, np.array([0, 1, 0, 2, 3, 3, 3, -1]), 5)
    names = ("420106001001001", "420106001001001", "420106001001002", "旧-1", "x")
    found = {(v.code, v.grid) for v in constraints.violations(partition, names, "strict", "beijing-15")}
    assert found == {
        ("incomplete", None),
        ("empty", "x"),
        ("not-contiguous", "420106001001001"),
        ("not-nested", "420106001001001"),
        ("not-nested", "旧-1"),
        ("code-twice", "420106001001001"),
        ("code-prefix", "420106001001002"),
        ("code-prefix", "旧-1"),
    }
    free = {v.code for v in constraints.violations(partition, names, "free", "beijing-15")}
    assert "not-nested" not in free and "not-contiguous" in free


# ── Codes ───────────────────────────────────────────────────────────────────────────────────────────────────────────

AREA = "420106001001"


@given(
    st.integers(1, 2000),
    st.sampled_from(["beijing-15", "national-14"]),
    st.sampled_from([AREA, "Back Bay", "3-7", "X"]),
)
def test_codes_parse_back(sequence: int, template: str, area: str) -> None:
    code = generate(area, sequence, template)
    found = parse(code, template)
    assert found is not None and (found.area, found.sequence) == (area, sequence)


def test_codes_of_an_area_are_unique_even_beyond_the_digits() -> None:
    made = {generate(AREA, i, "national-14", largest=150) for i in range(1, 151)}
    assert len(made) == 150 and all(code.startswith(f"{AREA}-") for code in made)
    assert {len(generate(AREA, i, "national-14", largest=99)) for i in range(1, 100)} == {14}


def test_codes_are_never_reused_and_kept_where_ground_stays() -> None:
    graph = lattice(6, 2, areas=1)
    before = Partition(graph, np.array([0, 0, 0, 1, 1, 1] * 2), 2)
    names = [named.code for named in codes.assign(before, "beijing-15")]
    assert names == [f"{AREA}001", f"{AREA}002"]
    after = Partition(graph, np.array([0, 0, 0, 1, 1, 2] * 2), 3)
    keeps = codes.kept(after, before, names)
    assert keeps == {0: f"{AREA}001", 1: f"{AREA}002"}
    named = codes.assign(after, "beijing-15", {AREA: {1, 2, 3}}, keeps)
    assert [n.code for n in named] == [f"{AREA}001", f"{AREA}002", f"{AREA}004"]


@given(st.integers(0, 20), st.sets(st.integers(1, 30)))
def test_free_sequences(count: int, used: set[int]) -> None:
    found = free_sequences(count, used)
    assert len(set(found)) == count and not set(found) & used and all(a < b for a, b in pairwise(found))
    assert not found or set(range(1, found[-1] + 1)) - used == set(found)


def test_reading_order_of_a_lattice() -> None:
    x, y = np.meshgrid(np.arange(5.0), np.arange(4.0))
    order = reading_order(x.ravel(), y.ravel())
    assert [(x.ravel()[i], y.ravel()[i]) for i in order] == [(c, r) for r in (3, 2, 1, 0) for c in range(5)]

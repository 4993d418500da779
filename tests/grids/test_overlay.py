"""Several departments' grids become one: hand-made layers with a known answer, and laws for any layers."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grids.overlay import Layer, atoms, overlay, translate
from grids.units import UnitGraph, csr


def lattice(columns: int, rows: int, closed: set[tuple[int, int]] | None = None) -> UnitGraph:
    n = columns * rows
    x, y = np.arange(n) % columns, np.arange(n) // columns
    edges = [(u, u + 1) for u in range(n) if x[u] < columns - 1] + [
        (u, u + columns) for u in range(n - columns)
    ]
    a, b = np.array(edges, np.int64).reshape(-1, 2).T
    walk = np.array([(int(i), int(j)) not in (closed or set()) for i, j in zip(a, b, strict=True)], bool)
    indptr, indices, length, walkable = csr(n, a, b, np.full(len(a), 10.0), walk)
    return UnitGraph(
        ids=np.arange(1, n + 1), codes=tuple(f"u{i}" for i in range(n)), area=np.zeros(n, np.int64),
        area_codes=("a",), area_names=("a",), x=x * 10.0, y=y * 10.0, area_m2=np.full(n, 100.0),
        perimeter_m=np.full(n, 40.0), indptr=indptr, indices=indices, length_m=length, walkable=walkable,
    )  # fmt: skip


def layer(name: str, weight: float, label: list[int]) -> Layer:
    values = np.array(label, np.int64)
    return Layer(name, weight, values, tuple(f"{name}{i}" for i in range(int(values.max(initial=-1)) + 1)))


def groups(label: np.ndarray) -> set[frozenset[int]]:  # type: ignore[type-arg]
    return {frozenset(np.flatnonzero(label == g).tolist()) for g in np.unique(label)}


SIX = lattice(6, 1)


def test_two_against_one() -> None:
    """城管 and 公安 cut in the middle, 环保 after the second unit: the majority cuts in the middle."""
    same = [0, 0, 0, 1, 1, 1]
    found = overlay(
        SIX, [layer("城管", 1, same), layer("公安", 1, same), layer("环保", 1, [0, 0, 1, 1, 1, 1])]
    )
    assert groups(found.merged.grid) == {frozenset({0, 1, 2}), frozenset({3, 4, 5})}
    assert groups(found.atoms) == {frozenset({0, 1}), frozenset({2}), frozenset({3, 4, 5})}
    by = {d.name: d for d in found.disputes}
    assert (by["环保"].drawn_m, by["环保"].agreed_m, by["环保"].disputed_m, by["环保"].missing_m) == (
        10,
        0,
        10,
        10,
    )
    assert (by["城管"].drawn_m, by["城管"].disputed_m, by["城管"].missing_m) == (10, 10, 10)
    assert found.agreed_share == pytest.approx(3 / 5)


def test_weight_decides() -> None:
    two = [layer("城管", 2, [0, 0, 1, 1, 1, 1]), layer("公安", 1, [0, 0, 0, 0, 1, 1])]
    assert groups(overlay(SIX, two).merged.grid) == {frozenset({0, 1}), frozenset({2, 3, 4, 5})}


def test_translation_tables() -> None:
    found = overlay(SIX, [layer("城管", 2, [0, 0, 1, 1, 1, 1]), layer("公安", 1, [0, 0, 0, 0, 1, 1])])
    rows = [
        (t.grid, t.merged, t.units, t.share_of_grid, t.share_of_merged)
        for t in found.translations
        if t.layer == "公安"
    ]
    assert rows == [("公安0", 0, 2, 0.5, 1.0), ("公安0", 1, 2, 0.5, 0.5), ("公安1", 1, 2, 1.0, 0.5)]


def test_a_fragment_of_a_tie_joins_a_neighbour() -> None:
    """Equal weights: unit 2 is disputed and most of nobody's grid."""
    found = overlay(SIX, [layer("城管", 1, [0, 0, 0, 1, 1, 1]), layer("公安", 1, [0, 0, 1, 1, 1, 1])])
    assert len(groups(found.merged.grid)) == 2 and found.joined_fragments == 1


def test_ground_that_no_department_has_joins_somebody() -> None:
    found = overlay(SIX, [layer("城管", 1, [0, 0, -1, -1, 1, 1]), layer("公安", 1, [0, 0, 0, -1, 1, 1])])
    assert (found.merged.grid >= 0).all() and found.merged.k == 2


def test_nobody_joins_across_a_river() -> None:
    river = lattice(6, 1, {(2, 3)})
    found = overlay(river, [layer("城管", 1, [0] * 6)])
    assert groups(found.merged.grid) == {frozenset({0, 1, 2}), frozenset({3, 4, 5})}


def test_weights_are_above_zero() -> None:
    for layers in ([], [layer("a", 0, [0] * 6)], [layer("a", float("nan"), [0] * 6)]):
        with pytest.raises(ValueError, match="above 0"):
            overlay(SIX, layers)


@settings(max_examples=60)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_laws(columns: int, rows: int, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    closed = {(u, u + 1) for u in range(columns * rows) if rng.random() < 0.1}
    graph = lattice(columns, rows, closed)
    layers = [
        layer(f"L{i}", float(rng.integers(1, 4)), rng.integers(-1, 4, graph.n).tolist()) for i in range(count)
    ]
    found = overlay(graph, layers)
    label = found.merged.grid
    assert (label >= 0).all() and len(np.unique(label)) == found.merged.k
    walk = nx.Graph()
    walk.add_nodes_from(range(graph.n))
    for u in range(graph.n):
        for e in range(graph.indptr[u], graph.indptr[u + 1]):
            if graph.walkable[e]:
                walk.add_edge(u, int(graph.indices[e]))
    assert all(nx.is_connected(walk.subgraph(members)) for members in groups(label))
    assert groups(atoms(graph, layers)) == groups(found.atoms)
    for atom in groups(found.atoms):  # what all agree on is never torn
        assert len({int(label[u]) for u in atom}) == 1
    for one in layers:
        table = translate(found.merged, one)
        for code in {t.grid for t in table}:
            assert sum(t.share_of_grid for t in table if t.grid == code) == pytest.approx(1.0)
        assert sum(t.units for t in table) == (one.label >= 0).sum()
    for d in found.disputes:
        assert d.drawn_m == pytest.approx(d.agreed_m + d.disputed_m)
    order = rng.permutation(4)
    renamed = [
        Layer(o.name, o.weight, np.where(o.label >= 0, order[o.label], -1), ("a", "b", "c", "d"))
        for o in layers
    ]
    assert groups(overlay(graph, renamed).merged.grid) == groups(label)


@settings(max_examples=30)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_departments_that_agree_get_their_own_grids(columns: int, rows: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = lattice(columns, rows)
    one = layer("a", 1, rng.integers(0, 3, graph.n).tolist())
    whole = Layer("a", 1, atoms(graph, [one]), tuple(str(i) for i in range(graph.n)))  # connected grids
    found = overlay(graph, [whole, Layer("b", 2, whole.label, whole.codes)])
    assert groups(found.merged.grid) == groups(whole.label) and found.joined_fragments == 0
    assert found.agreed_share in (1.0, None) and all(d.disputed_m == d.missing_m == 0 for d in found.disputes)

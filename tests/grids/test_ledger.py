"""Books kept over any flips equal books made afresh, to the last bit, and what the partition itself says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grids import measures
from grids.ledger import Ledger, Measured, changed_grids, part_of
from grids.partition import Flip, Partition
from grids.units import UnitGraph, csr, within


def town(rng: np.random.Generator, columns: int, rows: int) -> UnitGraph:
    """Squares with some closed and some missing borders, in three areas and some in none."""
    n = columns * rows
    x, y = np.arange(n) % columns, np.arange(n) // columns
    edges = [(u, u + 1) for u in range(n) if x[u] < columns - 1] + [
        (u, u + columns) for u in range(n - columns)
    ]
    kept = [edge for edge in edges if rng.random() > 0.1]
    a, b = np.array(kept, np.int64).reshape(-1, 2).T
    borders = csr(n, a, b, rng.random(len(a)) * 30, rng.random(len(a)) > 0.2)
    return UnitGraph(
        np.arange(n), tuple(map(str, range(n))), rng.integers(-1, 3, n), ("A", "B", "C"), ("甲", "乙", "丙"),
        x * 10.0, y * 10.0, rng.random(n) * 1e4 + 1, rng.random(n) * 400 + 120, *borders,
    )  # fmt: skip


def same(one: Ledger, other: Ledger) -> None:
    for name in ("sums", "units", "cuts", "pieces", "areas", "main_area"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    assert np.array_equal(one.partition.grid, other.partition.grid) and one.partition.k == other.partition.k


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 7), st.integers(1, 6), st.integers(1, 6), st.integers(1, 8))
def test_books_after_flips_equal_books_made_afresh(
    seed: int, columns: int, rows: int, k: int, flips: int
) -> None:
    rng = np.random.default_rng(seed)
    graph = town(rng, columns, rows)
    weights = {"cases": rng.integers(0, 90, graph.n).astype(float), "minutes": rng.random(graph.n) * 1e5}
    measured = Measured.of(graph, weights)
    first = book = Ledger.of(measured, Partition(graph, rng.integers(-1, k, graph.n), k))
    back: list[Flip] = []
    for _ in range(flips):
        units = rng.choice(graph.n, rng.integers(1, min(graph.n, 5) + 1), replace=False)
        to = rng.integers(-1, book.partition.k + 1, len(units))
        back.append(Flip(units, book.partition.grid[units]))
        book = book.flip(Flip(units, to))
        same(book, Ledger.of(measured, book.partition))
    for flip in reversed(back):
        book = book.flip(flip)
    same(book.take(np.arange(k)), first)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_books_say_what_the_partition_says(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    graph = town(rng, 6, 5)
    weight = rng.random(graph.n) * 50
    partition = Partition(graph, rng.integers(-1, k, graph.n), k)
    book = Ledger.of(Measured.of(graph, {"w": weight}), partition)
    assert book.loads[0] == pytest.approx(partition.loads(weight), rel=1e-9, abs=1e-9)
    assert book.area_m2 == pytest.approx(partition.area_m2)
    assert book.perimeter_m == pytest.approx(partition.perimeter_m)
    assert book.compactness == pytest.approx(measures.polsby_popper(partition))
    assert (book.areas > 1).sum() == measures.crossing(partition)
    grids = np.unique(rng.integers(0, k, 3))
    part = part_of(partition, grids)
    assert np.array_equal(part.parts(), partition.parts()[grids])
    assert part.perimeter_m == pytest.approx(partition.perimeter_m[grids])


def test_a_large_flip_is_counted_by_whole_grids() -> None:
    rng = np.random.default_rng(4)
    graph = town(rng, 20, 20)
    measured = Measured.of(graph, {"w": rng.random(graph.n)})
    book = Ledger.of(measured, Partition(graph, rng.integers(0, 5, graph.n), 5))
    flip = Flip(np.arange(200), rng.integers(-1, 7, 200))
    same(book.flip(flip), Ledger.of(measured, book.flip(flip).partition))
    assert changed_grids(np.array([0, 2, -1]), np.array([1, 2, -1]), np.array([0, 2])).tolist() == [0, 1]


def test_a_part_of_a_graph_keeps_its_borders() -> None:
    rng = np.random.default_rng(2)
    graph = town(rng, 5, 5)
    part = within(graph, np.array([0, 1, 2, 5, 6, 7]))
    assert part.codes == ("0", "1", "2", "5", "6", "7")
    for u, name in enumerate(part.codes):
        near = {part.codes[v] for v in part.indices[part.indptr[u] : part.indptr[u + 1]]}
        of_all = {
            graph.codes[v] for v in graph.indices[graph.indptr[int(name)] : graph.indptr[int(name) + 1]]
        }
        assert near == of_all & set(part.codes)

"""Barriers of one proposal: which borders they close, which a way across keeps open, and what a plan makes of them."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from grids import search
from grids.barriers import BESIDE_M, closed
from grids.problem import Problem
from grids.units import METRES_PER_DEGREE, UnitGraph
from tests.grids.lattices import lattice

COLUMNS, ROWS = 6, 5
STEP = 0.002  # degrees between the points of neighbours: far more than a way may be off
AT = st.integers(-97, 582).map(lambda i: i / 97)  # in steps
ENDS = st.tuples(AT, AT, AT, AT).filter(lambda e: e[:2] != e[2:])


def where(graph: UnitGraph) -> tuple[Any, Any]:
    """Longitude and latitude of the units' points, near the equator."""
    return graph.x / 10.0 * STEP, graph.y / 10.0 * STEP


def lines(*ends: Any) -> Any:
    return np.array([shapely.LineString(e) for e in ends], dtype=object)


def river(column: float, top: float = ROWS) -> Any:
    """A line from south to north between two columns."""
    return [(column * STEP, -STEP), (column * STEP, top * STEP)]


def shut(graph: UnitGraph) -> set[tuple[int, int]]:
    """Pairs of neighbours that one cannot walk between; every border is told the same from both sides."""
    rows = np.repeat(np.arange(graph.n), np.diff(graph.indptr))
    found = {
        (int(u), int(v)) for u, v in zip(rows[~graph.walkable], graph.indices[~graph.walkable], strict=True)
    }
    assert found == {(v, u) for u, v in found}
    return {(u, v) for u, v in found if u < v}


def test_a_river_closes_the_borders_it_runs_between_and_no_other() -> None:
    graph = lattice(COLUMNS, ROWS)
    found = closed(graph, *where(graph), lines(river(2.5)), lines())
    assert shut(found) == {(r * COLUMNS + 2, r * COLUMNS + 3) for r in range(ROWS)}
    assert (graph.walkable).all(), "the graph given is not changed"
    half = closed(graph, *where(graph), lines(river(2.5, 1.5)), lines())
    assert shut(half) == {(2, 3), (COLUMNS + 2, COLUMNS + 3)}


def test_a_bridge_opens_its_own_border_only() -> None:
    graph, lon, lat = lattice(COLUMNS, ROWS), *where(lattice(COLUMNS, ROWS))
    near = BESIDE_M / METRES_PER_DEGREE
    for off, row in ((0.0, 2), (0.9 * near, 2), (1.5 * near, None)):
        y = 2 * STEP + off
        bridge = lines([(2.1 * STEP, y), (2.9 * STEP, y)])
        left = {r * COLUMNS + 2 for r in range(ROWS) if r != row}
        assert {u for u, _ in shut(closed(graph, lon, lat, lines(river(2.5)), bridge))} == left, off


def test_sixty_metres_are_sixty_metres_in_the_north() -> None:
    """At 60° N a degree of longitude is half as long: a bridge 50 m to the east is near, one 70 m away is not."""
    graph = lattice(COLUMNS, ROWS)
    lon, lat = where(graph)
    west_east = [(-STEP, 60 + 1.5 * STEP), (2 * COLUMNS * STEP, 60 + 1.5 * STEP)]
    for away_m, opened in ((50, 1), (70, 0)):
        x = 4 * STEP + away_m / (METRES_PER_DEGREE / 2)
        bridge = lines([(x, 60 + 1.2 * STEP), (x, 60 + 1.8 * STEP)])
        found = closed(graph, 2 * lon, lat + 60, lines(west_east), bridge)
        assert len(shut(found)) == COLUMNS - opened, away_m


def test_a_way_that_ends_at_the_bank_crosses_nothing() -> None:
    graph = lattice(COLUMNS, ROWS)
    quay = lines(
        [(2.1 * STEP, 2 * STEP), (2.4 * STEP, 2 * STEP)], [(2.6 * STEP, 0), (2.6 * STEP, ROWS * STEP)]
    )
    assert len(shut(closed(graph, *where(graph), lines(river(2.5)), quay))) == ROWS


def test_what_was_closed_stays_closed_and_nothing_given_changes_nothing() -> None:
    graph = lattice(COLUMNS, ROWS, closed={(2, 3)})
    bridge = lines([(2.1 * STEP, 0), (2.9 * STEP, 0)])
    assert (2, 3) in shut(closed(graph, *where(graph), lines(river(2.5)), bridge))
    assert closed(graph, *where(graph), lines(), bridge) is graph


@settings(max_examples=50)
@given(st.lists(ENDS, max_size=4), st.lists(ENDS, max_size=3))
def test_as_a_naive_reading_of_the_rule(walls: list[Any], ways: list[Any]) -> None:
    """Pair by pair: closed where a barrier meets the line between the points, but for a crossing within 60 m of it."""
    graph = lattice(4, 4)
    lon, lat = where(graph)
    barriers, passages = (
        lines(*[[(a * STEP, b * STEP), (c * STEP, d * STEP)] for a, b, c, d in given])
        for given in (walls, ways)
    )
    crossings = [shapely.centroid(p) for w in passages for b in barriers if w.crosses(b)
                 for p in shapely.get_parts(w.intersection(b))]  # fmt: skip
    expected = set()
    for u in range(graph.n):
        for v in graph.indices[graph.indptr[u] : graph.indptr[u + 1]].tolist():
            line = shapely.LineString([(lon[u], lat[u]), (lon[v], lat[v])])
            open_ = any(line.distance(c) <= BESIDE_M / METRES_PER_DEGREE for c in crossings)
            if u < v and any(line.intersects(b) for b in barriers) and not open_:
                expected.add((u, v))
    assert shut(closed(graph, lon, lat, barriers, passages)) == expected


@pytest.mark.parametrize("nesting", ["strict", "free"])
def test_no_proposed_grid_reaches_over_the_river(nesting: Any) -> None:
    graph = lattice(COLUMNS, ROWS)
    apart = closed(graph, *where(graph), lines(river(2.5)), lines())
    weight = np.ones(graph.n)
    found = search.propose(Problem(apart, weight, 6, tolerance=0.05, nesting=nesting))[0]
    walk = nx.Graph(
        (u, v) for u in range(graph.n) for v in graph.indices[graph.indptr[u] : graph.indptr[u + 1]].tolist()
    )
    walk.remove_edges_from(shut(apart))
    for g in range(6):
        units = np.flatnonzero(found.partition.grid == g)
        assert nx.is_connected(walk.subgraph(units.tolist()))
        assert len({bool(u % COLUMNS < 3) for u in units.tolist()}) == 1
    assert (np.bincount(found.partition.grid, minlength=6) == 5).all()

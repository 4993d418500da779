"""The walking network against networkx, and the share of households within a walk against plain Dijkstra."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import shapely
from pyproj import Geod

from geo import walking

GEOD = Geod(ellps="WGS84")


def streets(rng: np.random.Generator, size: int, kept: float) -> tuple[np.ndarray, nx.Graph]:
    """A street lattice with gaps, once as ways and once as networkx's own graph of crossings."""
    lines, graph = [], nx.Graph()
    xy = {
        (i, j): (116.3 + 0.002 * i + rng.uniform(-4e-4, 4e-4), 39.9 + 0.002 * j + rng.uniform(-4e-4, 4e-4))
        for i in range(size)
        for j in range(size)
    }
    for (i, j), a in xy.items():
        for other in ((i + 1, j), (i, j + 1)):
            if other in xy and rng.random() < kept:
                b = xy[other]
                lines.append(shapely.LineString([a, b]))
                graph.add_edge((i, j), other, weight=GEOD.inv(*a, *b)[2])
    graph.add_nodes_from(xy)
    nx.set_node_attributes(graph, xy, "xy")
    return np.array(lines, dtype=object), graph


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_metres_equal_those_of_networkx(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lines, graph = streets(rng, 9, 0.8)
    nodes = list(graph)
    targets = [nodes[int(i)] for i in rng.choice(len(nodes), 3, replace=False)]
    targets = [t for t in targets if graph.degree[t]]
    ways = walking.network(lines)
    assert ways is not None
    place = np.array([graph.nodes[n]["xy"] for n in nodes if graph.degree[n]])
    to = np.array([graph.nodes[t]["xy"] for t in targets])
    found = walking.metres_to_nearest(ways, place[:, 0], place[:, 1], to[:, 0], to[:, 1], 3000)
    plain = nx.multi_source_dijkstra_path_length(graph, set(targets))
    wanted = np.array([plain.get(n, np.inf) for n in nodes if graph.degree[n]])
    wanted[wanted > 3000] = np.inf
    # segmentize divides in degrees, so the pieces of a slanted street bend by micrometres
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-3)


def test_the_steps_to_the_network_count_and_far_places_are_not_reached() -> None:
    line = np.array([shapely.LineString([(0, 0), (0.01, 0)])], dtype=object)
    ways = walking.network(line)
    assert ways is not None
    lon, lat = np.array([0.002, 0.002, 0.002]), np.array([0.0, 0.001, 0.02])
    found = walking.metres_to_nearest(ways, lon, lat, np.array([0.006]), np.array([0.002]), 2000)
    along, up, over = (
        GEOD.inv(*pair)[2] for pair in ((0.002, 0, 0.006, 0), (0, 0, 0, 0.001), (0, 0, 0, 0.002))
    )
    assert found[0] == pytest.approx(along + over, abs=25)
    assert found[1] == pytest.approx(along + up + over, abs=25)
    assert np.isinf(found[2])  # two kilometres from any way


def test_a_near_target_off_the_path_does_not_hide_a_nearer_way() -> None:
    line = np.array([shapely.LineString([(0, 0), (0.01, 0)])], dtype=object)
    ways = walking.network(line)
    assert ways is not None
    origin = (np.array([0.0]), np.array([0.0]))
    one = walking.metres_to_nearest(ways, *origin, np.array([0.001]), np.array([0.004]), 5000)
    both = walking.metres_to_nearest(ways, *origin, np.array([0.001, 0.003]), np.array([0.004, 0.0]), 5000)
    assert both[0] < one[0]
    assert both[0] == pytest.approx(GEOD.inv(0, 0, 0.003, 0)[2], abs=25)


def test_ways_that_cross_without_a_common_vertex_do_not_meet() -> None:
    cross = shapely.from_wkt(["LINESTRING (0 0, 0.002 0)", "LINESTRING (0.001 -0.001, 0.001 0.0010001)"])
    ways = walking.network(np.asarray(cross, dtype=object))
    assert ways is not None
    far = walking.metres_to_nearest(
        ways, np.array([0.0]), np.array([0.0]), np.array([0.001]), np.array([0.001]), 900
    )
    assert np.isinf(far[0])


def test_nothing_to_walk_on() -> None:
    assert walking.network(np.array([shapely.Point(0, 0)], dtype=object)) is None
    assert walking.network(np.array([], dtype=object)) is None

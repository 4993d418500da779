"""Tiles: decoded by somebody else's reader; neighbours share their border; small enough; right ids; cached rightly."""

from __future__ import annotations

import math
from typing import Any

import mapbox_vector_tile
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.case_tiles import interleave, separate
from geo.tiles import MAX_BYTES, TileId

LON, LAT = 116.31, 39.91


def at(z: int, lon: float = LON, lat: float = LAT) -> str:
    """z/x/y of the tile that holds a position."""
    n = 1 << z
    y = (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2
    return f"{z}/{int((lon + 180) / 360 * n)}/{int(y * n)}"


def decoded(content: bytes, layer: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = mapbox_vector_tile.decode(content)[layer]["features"]
    return found


def rings(feature: dict[str, Any]) -> list[list[tuple[int, int]]]:
    shape = feature["geometry"]
    many = shape["coordinates"] if shape["type"] == "MultiPolygon" else [shape["coordinates"]]
    return [[tuple(p) for p in ring] for polygon in many for ring in polygon]


@pytest.mark.parametrize(
    ("path", "layer", "keys"),
    [
        ("grids", "grids", {"code", "name"}),
        ("plans/1/grids", "grids", {"code", "name"}),
        ("units", "units", {"code", "name"}),
        ("boundaries", "boundaries", {"code", "name"}),
        ("ways", "ways", {"class", "kind", "name"}),
        ("facilities", "facilities", {"kind", "name"}),
        ("hexagons", "hexagons", {"h3"}),
    ],
)
def test_layers(town: Any, path: str, layer: str, keys: set[str]) -> None:
    query = "?level=community" if layer == "boundaries" else ""
    drawn = 0
    for z in (12, 13):
        answer = town.get(f"/tiles/{path}/{at(z)}.mvt{query}")
        assert answer.status_code in (200, 204), answer.text
        if answer.status_code == 200:
            assert answer.headers["content-type"] == "application/vnd.mapbox-vector-tile"
            assert answer.num_bytes_downloaded <= MAX_BYTES
            features = decoded(answer.content, layer)
            assert all(isinstance(f["id"], int) for f in features)
            assert len({f["id"] for f in features}) == len(features)
            assert all(keys <= set(f["properties"]) for f in features)
            assert all("geom" not in f["properties"] for f in features)
            drawn += len(features)
    assert drawn
    described = town.get(f"/tiles/{path}{query}").json()
    assert described["tilejson"] == "3.0.0"
    assert described["vector_layers"][0]["id"] == layer
    assert described["tiles"][0].startswith(f"/tiles/{path}/")


@pytest.mark.parametrize("z", [10, 12, 13, 14, 16])
@pytest.mark.parametrize("layer", ["grids", "units"])
def test_neighbours_share_their_border(town: Any, layer: str, z: int) -> None:
    """Inside the tile every edge of a grid is the edge of exactly one neighbour, or the town's outer line: no gap, no
    overlap. Counted on the vertices of the reader, cut into unit steps so that T-junctions do not matter."""
    answer = town.get(f"/tiles/{layer}/{at(z)}.mvt")
    features = decoded(answer.content, layer)
    areas = 0.0
    edges: dict[tuple[int, int, int, int], int] = {}
    for feature in features:
        for ring in rings(feature):
            areas += area(ring)
            for (x0, y0), (x1, y1) in zip(ring, ring[1:] + ring[:1], strict=True):
                steps = max(abs(x1 - x0), abs(y1 - y0))
                for k in range(steps):
                    a = (x0 + (x1 - x0) * k // steps, y0 + (y1 - y0) * k // steps)
                    b = (x0 + (x1 - x0) * (k + 1) // steps, y0 + (y1 - y0) * (k + 1) // steps)
                    edges[min(a, b) + max(a, b)] = edges.get(min(a, b) + max(a, b), 0) + 1
    assert max(edges.values()) == 2
    xs = [p[0] for f in features for r in rings(f) for p in r]
    ys = [p[1] for f in features for r in rings(f) for p in r]
    hull = (max(xs) - min(xs)) * (max(ys) - min(ys))
    assert areas == hull  # the town is a rectangle: its grids fill it without gap and overlap
    assert sum(n == 1 for n in edges.values()) == 2 * (max(xs) - min(xs)) + 2 * (max(ys) - min(ys))


def area(ring: list[tuple[int, int]]) -> float:
    x, y = np.array(ring, dtype=float).T
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2


def test_every_zoom_answers(town: Any) -> None:
    for z in range(23):
        for layer in ("grids", "units", "ways", "facilities", "hexagons"):
            answer = town.get(f"/tiles/{layer}/{at(z)}.mvt")
            assert answer.status_code in (200, 204)
            assert answer.num_bytes_downloaded <= MAX_BYTES
        answer = town.staff(f"/tiles/cases/{at(z)}.mvt")
        assert answer.status_code in (200, 204)


def test_cases_are_all_there(town: Any) -> None:
    placed = town.staff("/api/city").json()
    features = decoded(town.staff(f"/tiles/cases/{at(0)}.mvt").content, "cases")
    drawn = sum(f["properties"].get("n", 1) for f in features)
    assert drawn == placed["cases"] - placed["unplaced"]
    assert town.get(f"/tiles/cases/{at(0)}.mvt").status_code == 401


def test_hexagons_hold_every_cell_of_the_heat(town: Any) -> None:
    codes = set(town.staff("/api/heatmap/hexagons?resolution=9&bbox=116.3,39.9,116.32,39.92").json()["codes"])
    drawn: set[str] = set()
    n = 1 << 14
    for lon in np.arange(116.29, 116.335, 360 / n / 2):
        for lat in np.arange(39.89, 39.935, 0.008):
            answer = town.get(f"/tiles/hexagons/{at(14, float(lon), float(lat))}.mvt?resolution=9")
            if answer.content:
                drawn |= {f["properties"]["h3"] for f in decoded(answer.content, "hexagons")}
    assert codes <= drawn


def test_cache_rules(town: Any) -> None:
    current = town.get("/api/city").json()["current_plan"]
    plan = town.get(f"/tiles/plans/{current}/grids/{at(12)}.mvt")
    assert "immutable" in plan.headers["cache-control"]
    draft = next(p["id"] for p in town.staff("/api/plans").json()["plans"] if p["state"] == "draft")
    for path in (f"/tiles/plans/{draft}/grids/{at(12)}.mvt", f"/tiles/grids/{at(12)}.mvt?plan={draft}"):
        answer = town.staff(path)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "private, no-cache"  # staff only: no shared cache keeps it
    assert town.get(f"/tiles/grids/{at(12)}.mvt").headers["cache-control"].startswith("public, max-age=")
    assert "immutable" not in town.get(f"/tiles/grids/{at(12)}.mvt").headers["cache-control"]
    assert town.staff(f"/tiles/cases/{at(12)}.mvt").headers["cache-control"].startswith("private")
    tag = plan.headers["etag"]
    again = town.get(f"/tiles/plans/{current}/grids/{at(12)}.mvt", headers={"If-None-Match": tag})
    assert again.status_code == 304


@given(st.integers(0, 22), st.data())
def test_bounds_tile_the_world(z: int, data: Any) -> None:
    x, y = (data.draw(st.integers(0, (1 << z) - 1)) for _ in "xy")
    west, south, east, north = TileId(z, x, y).bounds()
    assert west < east
    assert south < north
    if x + 1 < 1 << z:
        assert TileId(z, x + 1, y).bounds()[0] == east
    if y + 1 < 1 << z:
        assert TileId(z, x, y + 1).bounds()[3] == south


@given(st.integers(0, 2**30 - 1), st.integers(0, 2**30 - 1))
def test_morton_numbers_come_back(x: int, y: int) -> None:
    found = separate(interleave(np.array([x], np.uint64), np.array([y], np.uint64)))
    assert [int(v[0]) for v in found] == [x, y]

"""Areas, overlaps, cracks and holes on shapes whose answers are known by hand."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo import geometry

SQUARE = shapely.box(0, 0, 100, 100)


def tiles(n: int, size: float = 100.0) -> np.ndarray:
    return np.array(
        [shapely.box(i * size, j * size, (i + 1) * size, (j + 1) * size) for i in range(n) for j in range(n)]
    )


def test_tiles_fit() -> None:
    assert geometry.is_coverage(tiles(5))
    assert geometry.overlaps(tiles(5)) == []
    assert geometry.gaps(tiles(5)) == []


def test_an_overlap_is_measured_against_the_smaller() -> None:
    found = geometry.overlaps(
        np.array([SQUARE, shapely.box(90, 0, 1090, 100), shapely.box(200, 200, 300, 300)])
    )
    assert [(o.a, o.b) for o in found] == [(0, 1)]
    assert found[0].area_m2 == pytest.approx(1000) and found[0].share == pytest.approx(0.1)


def test_one_inside_the_other() -> None:
    found = geometry.overlaps(np.array([SQUARE, shapely.box(10, 10, 20, 20)]))
    assert found[0].share == pytest.approx(1.0)


def test_a_crack_two_centimetres_wide() -> None:
    found = geometry.gaps(np.array([SQUARE, shapely.box(100.02, 0, 200, 100)]))
    assert [(g.kind, g.neighbours) for g in found] == [("crack", (0, 1))]
    assert found[0].area_m2 == pytest.approx(2.0, rel=0.05)


def test_areas_apart_are_no_gap() -> None:
    assert geometry.gaps(np.array([SQUARE, shapely.box(150, 0, 250, 100)])) == []


def test_a_hole_is_named_with_its_neighbours() -> None:
    ring = np.delete(tiles(3), 4)
    found = geometry.gaps(ring)
    assert len(found) == 1 and found[0].kind == "hole"
    assert found[0].area_m2 == pytest.approx(10_000) and set(found[0].neighbours) == set(range(8))


def test_largest_overlap() -> None:
    children = np.array(
        [shapely.box(10, 10, 20, 20), shapely.box(90, 0, 120, 10), shapely.box(900, 900, 910, 910)]
    )
    best, share = geometry.largest_overlap(children, np.array([SQUARE, shapely.box(100, 0, 200, 100)]))
    assert best.tolist() == [0, 1, -1]
    assert share.tolist() == pytest.approx([1.0, 2 / 3, 0.0])


def test_points_lie_inside_even_a_horseshoe() -> None:
    shoe = shapely.difference(SQUARE, shapely.box(40, 0, 60, 95))
    assert shapely.contains(shoe, geometry.points_inside(np.array([shoe]))[0])


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 5), st.floats(0.5, 49.0), st.integers(0, 1_000_000))
def test_moving_one_tile_makes_exactly_the_overlap_it_must(n: int, by: float, seed: int) -> None:
    ground = tiles(n)
    inner = int(np.random.default_rng(seed).integers(0, n * n))
    ground[inner] = shapely.transform(ground[inner], lambda p: p + np.array([by, 0.0]))
    found = sum(o.area_m2 for o in geometry.overlaps(ground))
    expected = 0.0 if inner >= n * (n - 1) else by * 100
    assert found == pytest.approx(expected, abs=1e-6)


def test_iou() -> None:
    assert geometry.iou(SQUARE, shapely.box(50, 0, 150, 100)) == pytest.approx(1 / 3)

"""Packed outlines unpack to what they were, and neighbours stay neighbours when simplified."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from etl.sample import SampleSpec, city
from maps import compact


def unpack(parts: compact.Packed) -> shapely.MultiPolygon:
    polygons = []
    for part in parts:
        rings = [np.cumsum(np.array(ring).reshape(-1, 2), axis=0) * compact.STEP_DEGREES for ring in part]
        polygons.append(shapely.Polygon(rings[0], rings[1:]))
    return shapely.multipolygons(polygons)


@given(
    st.floats(-179, 178),
    st.floats(-84, 83),
    st.floats(1e-3, 1.0),
    st.integers(3, 40),
    st.integers(0, 2**32 - 1),
)
def test_a_packed_polygon_is_the_polygon_to_a_metre(
    x: float, y: float, size: float, n: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    angle = np.sort(rng.uniform(0, 2 * np.pi, n))
    ring = np.c_[x + size * np.cos(angle), y + size * np.sin(angle)]
    polygon = shapely.Polygon(ring)
    again = unpack(compact.pack(polygon))
    assert (
        shapely.hausdorff_distance(polygon.exterior, again.geoms[0].exterior)
        <= 0.75 * compact.STEP_DEGREES * 2**0.5
    )


def test_holes_and_parts_survive() -> None:
    ring = shapely.box(110, 33, 111, 34).difference(shapely.box(110.4, 33.4, 110.6, 33.6))
    both = shapely.union(ring, shapely.box(112, 33, 112.5, 34))
    again = unpack(compact.pack(both))
    assert shapely.symmetric_difference(both, again).area < 1e-6
    assert sorted(len(p.interiors) for p in again.geoms) == [0, 1]


def test_what_shrinks_to_nothing_is_left_out() -> None:
    assert compact.pack(shapely.box(110, 33, 110.000001, 33.000001)) == []
    assert compact.pack(shapely.LineString([(110, 33), (110.000001, 33)])) == []
    assert compact.pack(shapely.Polygon()) == []


@pytest.mark.parametrize("tolerance_m", [5.0, 40.0])
def test_simplified_neighbours_have_no_gap_and_no_overlap(tolerance_m: float) -> None:
    built = city.build(SampleSpec(seed=3, communities=24))
    shapes = built.on_earth(built.areas.communities)
    thin = compact.simplified(shapes, tolerance_m)
    assert shapely.coverage_is_valid(thin)
    assert shapely.get_num_coordinates(thin).sum() < shapely.get_num_coordinates(shapes).sum()
    assert np.allclose(shapely.area(thin), shapely.area(shapes), rtol=0.08)


def test_overlapping_shapes_are_simplified_one_by_one() -> None:
    angle = np.linspace(0, 2 * np.pi, 400)[:-1]
    circles = np.array(
        [shapely.Polygon(np.c_[x + 0.01 * np.cos(angle), 33 + 0.01 * np.sin(angle)]) for x in (110.0, 110.01)]
    )
    thin = compact.simplified(circles, 30.0)
    assert (shapely.get_num_coordinates(thin) < 200).all() and shapely.is_valid(thin).all()
    assert np.allclose(shapely.area(thin), shapely.area(circles), rtol=0.02)


def test_lines_are_joined_before_they_are_simplified() -> None:
    pieces = np.array(
        [shapely.LineString([(110 + i / 1000, 33), (110 + (i + 1) / 1000, 33)]) for i in range(50)]
    )
    assert compact.merged_lines(pieces, 5.0) == [[[11000000, 3300000, 5000, 0]]]
    assert compact.merged_lines(pieces[:0], 5.0) == []

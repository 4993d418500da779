"""The raster index answers as GEOS does, for every point: property tests, and PostGIS asked as well."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from shapely.affinity import rotate, scale, translate
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.placement import PointIndex


def oracle(
    polygons: NDArray[np.object_], x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.int32]:
    """Lowest index of the polygons that GEOS says intersect each point."""
    out = np.full(len(x), -1, dtype=np.int32)
    finite = np.isfinite(x) & np.isfinite(y)
    for i in range(len(polygons) - 1, -1, -1):
        if polygons[i] is not None:
            out[finite & shapely.intersects_xy(polygons[i], x, y)] = i
    return out


def probes(
    polygons: NDArray[np.object_], rng: np.random.Generator, n: int = 400
) -> tuple[NDArray[np.float64], ...]:
    """Random points, all vertices, points on edges, and points that share a coordinate with vertices."""
    xy = shapely.get_coordinates(polygons)
    if len(xy) == 0:
        xy = np.zeros((1, 2))
    low, high = xy.min(axis=0) - 0.1, xy.max(axis=0) + 0.1
    free = rng.uniform(low, high, (n, 2))
    some = xy[rng.integers(0, len(xy), n)]
    other = xy[(rng.integers(0, len(xy), n))]
    crossed = np.column_stack([some[:, 0], other[:, 1]])
    between = some + (other - some) * rng.choice([0.0, 0.25, 0.5, 0.75], (n, 1))
    nudged = np.nextafter(some, other)
    strange = np.array([[np.nan, 0], [0, np.nan], [np.inf, 0], [0, -np.inf], [1e300, 1e300]])
    every = np.vstack([free, some, crossed, between, nudged, strange])
    return every[:, 0].copy(), every[:, 1].copy()


def check(
    polygons: list[shapely.Geometry | None], rng: np.random.Generator, cells: int | None = None
) -> None:
    array = np.array(polygons, dtype=object)
    x, y = probes(array, rng)
    found = PointIndex(array, cells).place(x, y)
    wanted = oracle(array, x, y)
    wrong = np.flatnonzero(found != wanted)
    assert not len(wrong), [(x[i], y[i], int(found[i]), int(wanted[i])) for i in wrong[:5]]


coordinate = st.integers(-8, 8)
corner = st.tuples(coordinate, coordinate)


@st.composite
def shapes(draw: st.DrawFn) -> shapely.Geometry:
    """A polygon on a small integer lattice: boxes, triangles, holes, slivers, two parts; often with shared borders."""
    kind = draw(st.sampled_from(["box", "triangle", "ring", "sliver", "two", "star"]))
    x, y = draw(corner)
    w, h = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    if kind == "box":
        return shapely.box(x, y, x + w, y + h)
    if kind == "triangle":
        made = shapely.Polygon([(x, y), (x + w, y), (x, y + h)])
        return rotate(made, draw(st.sampled_from([0, 90, 33])), origin=(x, y))
    if kind == "ring":
        return shapely.box(x, y, x + w + 2, y + h + 2).difference(
            shapely.box(x + 1, y + 1, x + 1 + w, y + 1 + h)
        )
    if kind == "sliver":
        return shapely.Polygon([(x, y), (x + 9, y + 1e-9), (x + 9, y + 2e-9)])
    if kind == "two":
        return shapely.MultiPolygon(
            [shapely.box(x, y, x + 1, y + 1), shapely.box(x + 1, y + 1, x + 1 + w, y + 1 + h)]
        )
    return shapely.Point(x, y).buffer(w, quad_segs=3)


@given(
    st.lists(shapes(), min_size=1, max_size=9),
    st.integers(0, 2**32 - 1),
    st.sampled_from([None, 1, 2, 7, 16, 64]),
)
@settings(max_examples=150, deadline=None)
def test_equals_geos_on_overlapping_lattice_shapes(
    polygons: list[shapely.Geometry], seed: int, cells: int | None
) -> None:
    check(list(polygons), np.random.default_rng(seed), cells)


@given(st.lists(st.lists(corner, min_size=3, max_size=8), min_size=1, max_size=4), st.integers(0, 99))
@settings(max_examples=150, deadline=None)
def test_equals_geos_on_invalid_rings(rings: list[list[tuple[int, int]]], seed: int) -> None:
    """Bow ties, spikes, rings of no area: whatever GEOS says of them."""
    check([shapely.Polygon(ring) for ring in rings], np.random.default_rng(seed))


@given(
    st.integers(0, 2**32 - 1), st.sampled_from([(121.47, 31.23), (-71.06, 42.36), (500_000.0, 4_600_000.0)])
)
@settings(max_examples=25, deadline=None)
def test_equals_geos_on_a_coverage_of_small_far_cells(seed: int, at: tuple[float, float]) -> None:
    """Voronoi cells of some metres, in degrees and in metres, where float64 has few digits left."""
    rng = np.random.default_rng(seed)
    size = 1e-3 if at[0] < 1000 else 100.0
    seeds = shapely.multipoints(rng.uniform(0, 1, (60, 2)).round(rng.integers(1, 9)))
    cells = shapely.get_parts(shapely.voronoi_polygons(seeds, extend_to=shapely.box(0, 0, 1, 1)))
    placed = [translate(scale(c, size, size, origin=(0, 0)), *at) for c in cells if c.geom_type == "Polygon"]
    check(placed, rng)


@pytest.mark.parametrize("cells", [1, 3, 8, 100])
def test_points_aligned_with_the_raster(cells: int) -> None:
    """Square polygons whose borders run along cell borders and through reference points."""
    k = np.arange(8) / 8
    boxes = np.array([shapely.box(x, y, x + 0.125, y + 0.125) for x in k for y in k], dtype=object)
    steps = np.linspace(-0.0625, 1.0625, 289)
    x, y = (a.ravel() for a in np.meshgrid(steps, steps))
    assert (PointIndex(boxes, cells).place(x, y) == oracle(boxes, x, y)).all()


def test_borders_belong_and_the_lowest_index_wins() -> None:
    boxes = np.array(
        [shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1), shapely.box(0, 0, 2, 2)], dtype=object
    )
    x = np.array([1.0, 1.0, 2.0, 0.5, 1.5, 2.0000001])
    y = np.array([0.5, 1.0, 1.0, 1.5, 2.0, 1.0])
    assert PointIndex(boxes).place(x, y).tolist() == [0, 0, 1, 2, 2, -1]


def test_none_empty_and_nothing() -> None:
    polygons = np.array([None, shapely.Polygon(), shapely.box(0, 0, 1, 1)], dtype=object)
    assert PointIndex(polygons).place(np.array([0.5, 5.0]), np.array([0.5, 5.0])).tolist() == [2, -1]
    assert PointIndex(np.array([], dtype=object)).place(np.array([0.5]), np.array([0.5])).tolist() == [-1]
    assert PointIndex(polygons).place(np.array([]), np.array([])).tolist() == []


def test_refuses_lines_and_coordinates_that_are_not_finite() -> None:
    with pytest.raises(TypeError, match="Polygons and MultiPolygons"):
        PointIndex(np.array([shapely.LineString([(0, 0), (1, 1)])], dtype=object))
    with pytest.raises(ValueError, match="not finite"):
        PointIndex(np.array([shapely.Polygon([(0, 0), (np.inf, 0), (1, 1)])], dtype=object))
    with pytest.raises(ValueError, match="equally long"):
        PointIndex(np.array([shapely.box(0, 0, 1, 1)], dtype=object)).place(np.zeros(2), np.zeros(3))


def test_many_threads_and_many_slices_agree() -> None:
    rng = np.random.default_rng(5)
    polygons = np.array([shapely.Point(*rng.uniform(0, 1, 2)).buffer(0.05) for _ in range(200)], dtype=object)
    x, y = rng.uniform(0, 1, 300_000), rng.uniform(0, 1, 300_000)
    index = PointIndex(polygons)
    assert (index.place(x, y, threads=4) == index.place(x, y, threads=1)).all()
    assert (index.place(x, y) == oracle(polygons, x, y)).all()


def test_equals_postgis(db: Session) -> None:
    """The lowest index among polygons with ST_Intersects, asked of the database for the same points."""
    rng = np.random.default_rng(11)
    polygons = np.array(
        [shapely.box(x, y, x + w, y + w) for x, y, w in rng.integers(0, 9, (30, 3)) if w]
        + [shapely.Point(*rng.integers(0, 9, 2)).buffer(2, quad_segs=2) for _ in range(10)],
        dtype=object,
    )
    x, y = probes(polygons, rng)
    x, y = x[np.isfinite(x) & np.isfinite(y)], y[np.isfinite(x) & np.isfinite(y)]
    db.execute(text("CREATE TEMP TABLE zone (i int, geom geometry)"))
    db.execute(text("CREATE TEMP TABLE point (i int, geom geometry)"))
    db.execute(
        text("INSERT INTO zone SELECT i - 1, ST_GeomFromWKB(w) FROM unnest(:w) WITH ORDINALITY AS z(w, i)"),
        {"w": [shapely.to_wkb(p) for p in polygons]},
    )
    db.execute(
        text("INSERT INTO point SELECT i, ST_Point(x, y) FROM unnest(:x, :y) WITH ORDINALITY AS p(x, y, i)"),
        {"x": x.tolist(), "y": y.tolist()},
    )
    asked = (
        "SELECT coalesce(min(z.i), -1) FROM point p LEFT JOIN zone z ON ST_Intersects(z.geom, p.geom) "
        "GROUP BY p.i ORDER BY p.i"
    )
    wanted = np.array(db.execute(text(asked)).scalars().all())
    assert (PointIndex(polygons).place(x, y) == wanted).all()

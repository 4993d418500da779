"""Units are a coverage of their areas, whatever runs through them: checked with shapely alone."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

import etl.units
from etl.units.ground import Ground, Obstacles, Wish, divide
from geo.crs import project
from geo.errors import RefusedArgument

CRS = "EPSG:4547"
Insert = Callable[..., int]
LON, LAT = 114.3, 30.5
PER_M = np.array([1 / 95_900.0, 1 / 110_850.0])  # degrees per metre near Wuhan


def at(*points: tuple[float, float]) -> list[tuple[float, float]]:
    """Points given in metres from a corner, as longitude and latitude."""
    return [(LON + x * PER_M[0], LAT + y * PER_M[1]) for x, y in points]


def array(*geometries: Any) -> np.ndarray[Any, np.dtype[np.object_]]:
    found = np.empty(len(geometries), dtype=object)
    found[:] = geometries
    return found


def square(west: float, south: float, east: float, north: float) -> Any:
    return shapely.Polygon(at((west, south), (east, south), (east, north), (west, north)))


def line(*points: tuple[float, float]) -> Any:
    return shapely.LineString(at(*points))


def assert_covers(ground: Ground, areas: np.ndarray[Any, np.dtype[np.object_]], target_m2: float) -> None:
    """No gap, no overlap, every unit in its own area, the areas' borders kept, nothing too large."""
    assert shapely.is_valid(ground.geometry).all()
    assert shapely.coverage_is_valid(ground.geometry)
    taken: Any = shapely.Polygon()
    for i, area in enumerate(areas):
        mine = ground.geometry[ground.area == i]
        wanted = shapely.difference(area, taken)
        if len(mine):
            union = shapely.union_all(mine)
            off = shapely.symmetric_difference(union, wanted).area / (PER_M[0] * PER_M[1])
            assert off < 1e-4 * wanted.length / PER_M.min()  # 0.1 mm along the border
            assert union.hausdorff_distance(wanted) < 1e-8
        else:
            assert shapely.area(project(array(wanted), CRS))[0] < 1.0
        taken = shapely.union(taken, area)
    assert (ground.area_m2 <= 2 * target_m2 + 1e-6).all()
    assert np.allclose(ground.area_m2, shapely.area(project(ground.geometry, CRS)))


def assert_borders(ground: Ground) -> None:
    """Borders are exactly the pairs that share a line, with its length."""
    flat = project(ground.geometry, CRS)
    a, b = shapely.STRtree(flat).query(flat, predicate="intersects")
    a, b = a[a < b], b[a < b]
    shared = shapely.length(shapely.intersection(ground.geometry[a], ground.geometry[b])) > 1e-12
    assert set(zip(a[shared].tolist(), b[shared].tolist(), strict=True)) == set(
        zip(ground.borders.a.tolist(), ground.borders.b.tolist(), strict=True)
    )
    rim = ground.perimeter_m.sum() - 2 * ground.borders.length_m.sum()
    outline = shapely.length(project(array(shapely.union_all(ground.geometry)), CRS))[0]
    assert np.isclose(rim, outline, rtol=1e-4)


coordinate = st.floats(-100, 1300, allow_nan=False).map(lambda v: round(v, 3))
ways = st.lists(st.lists(st.tuples(coordinate, coordinate), min_size=2, max_size=6), max_size=8)
splits = st.lists(st.floats(50, 1150).map(lambda v: round(v, 2)), min_size=0, max_size=3, unique=True)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    ways=ways,
    columns=splits,
    slant=st.floats(-200, 200),
    target=st.sampled_from([5_000.0, 12_000.0, 60_000.0]),
)
def test_random_areas_and_barriers_are_covered(
    ways: list[list[tuple[float, float]]], columns: list[float], slant: float, target: float
) -> None:
    xs = [0.0, *sorted(columns), 1200.0]
    areas = array(
        *(
            shapely.Polygon(
                at(
                    (w, 0),
                    (e, 0),
                    (e + (slant if e < 1200 else 0) * 0.2, 1000),
                    (w + (slant if w > 0 else 0) * 0.2, 1000),
                )
            )
            for w, e in pairwise(xs)
            if e - w > 1
        )
    )
    lines = array(*(line(*way) for way in ways if len(set(way)) > 1))
    lines = lines[shapely.length(lines) > 0] if len(lines) else lines
    ground = divide(areas, CRS, Wish(target), Obstacles(cuts=lines, barriers=lines[::2]))
    assert_covers(ground, areas, target)
    assert_borders(ground)


def test_streets_become_borders() -> None:
    """Streets every 100 m over a square kilometre leave the 100 blocks between them."""
    streets = array(
        *(line((x, -20), (x, 1020)) for x in range(100, 1000, 100)),
        *(line((-20, y), (1020, y)) for y in range(100, 1000, 100)),
    )
    ground = divide(
        array(square(0, 0, 1000, 1000)), CRS, Wish(10_000), Obstacles(cuts=streets, passages=streets)
    )
    assert len(ground.geometry) == 100
    assert np.allclose(ground.area_m2, 10_000, rtol=0.01)
    assert ground.borders.walkable.all() and ground.built_up.all()


def test_a_double_carriageway_leaves_no_strip() -> None:
    lanes = array(line((-10, 500), (1010, 500)), line((-10, 506), (1010, 506)))
    ground = divide(array(square(0, 0, 1000, 1000)), CRS, Wish(50_000), Obstacles(cuts=lanes, barriers=lanes))
    assert_covers(ground, array(square(0, 0, 1000, 1000)), 50_000)
    assert (2 * ground.area_m2 / ground.perimeter_m > 20).all()


def rail_and_bridge(bridges: tuple[Any, ...]) -> Ground:
    rail = array(line((-10, 500), (1010, 500)))
    return divide(
        array(square(0, 0, 1000, 1000)),
        CRS,
        Wish(20_000),
        Obstacles(cuts=rail, barriers=rail, passages=array(*bridges)),
    )


def crossings(ground: Ground) -> int:
    """Walkable borders between the north and the south half."""
    north = shapely.get_y(ground.point) > LAT + 500 * PER_M[1]
    return int((ground.borders.walkable & (north[ground.borders.a] != north[ground.borders.b])).sum())


def test_rail_stops_walkers_but_for_a_bridge() -> None:
    assert crossings(rail_and_bridge(())) == 0
    assert crossings(rail_and_bridge((line((310, 400), (310, 600)),))) == 1
    dead_end = line((310, 400), (310, 500))
    assert crossings(rail_and_bridge((dead_end,))) == 0
    in_two_pieces = (line((310, 400), (310, 500)), line((310, 500), (310, 600)))
    assert crossings(rail_and_bridge(in_two_pieces)) == 1


def test_a_river_belongs_to_one_bank_and_joins_none() -> None:
    water = array(shapely.Polygon(at((-10, 460), (1010, 460), (1010, 540), (-10, 540))))
    area = array(square(0, 0, 1000, 1000))
    ground = divide(area, CRS, Wish(20_000), Obstacles(barriers=water, water=water))
    assert_covers(ground, area, 20_000)
    wet = ~ground.built_up
    y = (shapely.get_y(ground.point) - LAT) / PER_M[1]
    assert wet.any() and ((y[wet] > 450) & (y[wet] < 550)).all()
    import networkx as nx

    graph = nx.Graph(
        list(
            zip(
                ground.borders.a[ground.borders.walkable],
                ground.borders.b[ground.borders.walkable],
                strict=True,
            )
        )
    )
    assert nx.number_connected_components(graph) == 2
    assert len(graph) == len(ground.geometry)
    bridge = array(line((310, 400), (310, 600)))
    joined = divide(area, CRS, Wish(20_000), Obstacles(barriers=water, water=water, passages=bridge))
    graph = nx.Graph(
        list(
            zip(
                joined.borders.a[joined.borders.walkable],
                joined.borders.b[joined.borders.walkable],
                strict=True,
            )
        )
    )
    assert nx.number_connected_components(graph) == 1


def test_empty_ground_may_be_larger() -> None:
    area = array(square(0, 0, 1000, 1000))
    events = shapely.points(at(*((x, y) for x in range(20, 400, 40) for y in range(20, 400, 40))))
    wish = Wish(10_000, 100_000, "square")
    ground = divide(area, CRS, wish, None, np.asarray(events, dtype=object))
    assert ground.area_m2.max() > 40_000 and ground.area_m2.max() <= 200_000
    busy = ground.area_m2[ground.built_up]
    assert busy.max() <= 20_000 and 10 <= len(busy) <= 40
    assert len(ground.geometry) < 40


def test_cells_are_hexagons_or_squares_of_the_target_size() -> None:
    area = array(square(0, 0, 2000, 2000))
    hexagons = divide(area, CRS, Wish(15_000))
    squares = divide(area, CRS, Wish(40_000))
    inner = hexagons.perimeter_m**2 / hexagons.area_m2
    assert np.isclose(np.median(inner), 24 / np.sqrt(3), rtol=0.02)  # P²/A of a regular hexagon
    assert np.isclose(np.median(squares.perimeter_m**2 / squares.area_m2), 16, rtol=0.02)
    with pytest.raises(RefusedArgument, match="hexagons"):
        divide(area, CRS, Wish(40_000, cells="hexagon"))


def test_overlap_goes_to_the_lower_code_and_gaps_stay_out() -> None:
    areas = array(square(0, 0, 520, 1000), square(500, 0, 1000, 1000), square(1010, 0, 1500, 1000))
    ground = divide(areas, CRS, Wish(20_000))
    assert_covers(ground, areas, 20_000)
    assert shapely.get_x(ground.point).max() < LON + 1500 * PER_M[0]


def test_a_tiny_exclave_joins_a_unit_of_its_area() -> None:
    area = array(shapely.MultiPolygon([square(0, 0, 500, 500), square(600, 600, 610, 610)]))
    ground = divide(area, CRS, Wish(20_000))
    assert_covers(ground, area, 20_000)
    assert (ground.area_m2 > 1_000).all()


def test_the_same_ground_twice_is_the_same_to_the_bit(db: Session, insert_areas: Insert) -> None:
    insert_areas(db, "community", {"420106001001": square(0, 0, 800, 700), "x": square(800, 0, 1500, 700)})

    def units() -> list[Any]:
        rows = db.execute(text("SELECT id, code, ST_AsBinary(geom), area_m2 FROM unit ORDER BY id")).all()
        return [(i, c, bytes(g), a) for i, c, g, a in rows]

    etl.units.build(db)
    first = units()
    report = etl.units.build(db)
    assert units() == first and report.details["replaced"] == len(first)
    assert first[0][:2] == (1, "420106001001001") and first[-1][1].startswith("x-")


def test_codes_run_west_to_east_then_north_to_south(db: Session, insert_areas: Insert) -> None:
    insert_areas(db, "community", {"420106001001": square(0, 0, 600, 400)})
    etl.units.build(db, target_area_m2=40_000)
    rows = db.execute(text("SELECT ST_X(point), ST_Y(point) FROM unit ORDER BY code")).all()
    x, y = np.array(rows).T
    assert len(rows) == 6
    assert (np.diff(x[:3]) > 0).all() and (np.diff(x[3:]) > 0).all() and y[:3].min() > y[3:].max()


def test_refusals_leave_everything_as_it_was(db: Session, insert_areas: Insert) -> None:
    with pytest.raises(RefusedArgument, match="load boundaries FILE --level community"):
        etl.units.build(db)
    insert_areas(db, "district", {"420106": square(0, 0, 600, 400)})
    with pytest.raises(RefusedArgument, match="--within district"):
        etl.units.build(db)
    for wrong in (0, -5, float("nan"), float("inf")):
        with pytest.raises(RefusedArgument):
            etl.units.build(db, within="district", target_area_m2=wrong)
    with pytest.raises(RefusedArgument):
        etl.units.build(db, within="district", target_area_m2=10_000, empty_area_m2=5_000)
    assert etl.units.build(db, within="district").details["units"] > 10


def test_units_in_a_plan_are_never_rebuilt(db: Session, insert_areas: Insert) -> None:
    insert_areas(db, "community", {"420106001001": square(0, 0, 600, 400)})
    etl.units.build(db)
    db.execute(text("INSERT INTO plan (name) VALUES ('p')"))
    db.execute(text("INSERT INTO plan_unit (plan_id, unit_id) SELECT p.id, 1 FROM plan p"))
    with pytest.raises(RefusedArgument) as refused:
        etl.units.build(db)
    assert refused.value.code == "units-in-use"


@pytest.mark.slow
def test_boston_neighbourhoods_with_real_shapes(shared_data: Path) -> None:
    frame = geopandas.read_file(
        shared_data / "data/boston_311/boundaries/Boston_Neighborhoods.geojson"
    ).to_crs(4326)
    frame = frame.sort_values("Name")
    areas = np.array([shapely.make_valid(g) for g in frame.geometry], dtype=object)
    ground = divide(areas, "EPSG:32619", Wish(100_000))
    assert shapely.coverage_is_valid(ground.geometry) and ground.area_m2.max() <= 200_000
    union = shapely.union_all(areas)
    off = shapely.symmetric_difference(shapely.union_all(ground.geometry), union)
    assert off.area * 111_000 * 82_000 < 1e-4 * union.length * 100_000  # 0.1 mm along the border
    own = shapely.contains_properly(shapely.buffer(areas, 1e-9)[ground.area], ground.geometry)
    assert own.all()

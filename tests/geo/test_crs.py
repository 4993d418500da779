"""Coordinates: the Chinese shifts against known pairs, exact inverses, the measuring CRS of a place."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo import crs
from geo.errors import RefusedArgument

INSIDE = {
    "乌鲁木齐": (87.6, 43.8),
    "喀什": (75.99, 39.47),
    "拉萨": (91.1, 29.65),
    "瑞丽": (97.85, 24.01),
    "三亚": (109.5, 18.25),
    "香港": (114.17, 22.3),
    "舟山": (122.1, 30.0),
    "丹东": (124.39, 40.12),
    "漠河": (122.5, 53.48),
    "抚远": (134.3, 48.36),
    "二连浩特": (111.98, 43.65),
    "霍尔果斯": (80.42, 44.2),
    "珲春": (130.36, 42.86),
    "河口": (103.95, 22.5),
    "亚东": (88.9, 27.48),
    "满洲里": (117.4, 49.6),
}
OUTSIDE = {
    "Seoul": (127.0, 37.55),
    "Pyongyang": (125.75, 39.03),
    "Tokyo": (139.7, 35.7),
    "Vladivostok": (131.9, 43.1),
    "Hanoi": (105.85, 21.03),
    "Delhi": (77.2, 28.6),
    "Kathmandu": (85.32, 27.7),
    "Almaty": (76.9, 43.24),
    "Ulaanbaatar": (106.9, 47.9),
    "Manila": (121.0, 14.6),
    "Boston": (-71.06, 42.36),
}
degrees = st.tuples(st.floats(74, 134), st.floats(18, 53))


def pairs(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("place", INSIDE)
def test_inside_china(place: str) -> None:
    assert crs.in_china(*INSIDE[place])[0]


@pytest.mark.parametrize("place", OUTSIDE)
def test_outside_china_nothing_moves(place: str) -> None:
    lon, lat = OUTSIDE[place]
    for move in (crs.wgs84_to_gcj02, crs.gcj02_to_wgs84, crs.wgs84_to_bd09, crs.bd09_to_wgs84):
        assert [float(v[0]) for v in move(lon, lat)] == [lon, lat]


def test_gcj02_reference_pairs(shared_data: Path) -> None:
    for pair in pairs(shared_data / "data" / "china_shanghai" / "gcj02_reference_pairs.csv"):
        lon, lat = crs.wgs84_to_gcj02(float(pair["wgs_lon"]), float(pair["wgs_lat"]))
        assert lon[0] == pytest.approx(float(pair["gcj_lon"]), abs=1e-12)
        assert lat[0] == pytest.approx(float(pair["gcj_lat"]), abs=1e-12)


def test_bd09_as_baidu_documents_it() -> None:
    """The example in Baidu's own conversion service: 114.21892734521, 29.575429778924 → these."""
    lon, lat = crs.wgs84_to_bd09(114.21892734521, 29.575429778924)
    assert lon[0] == pytest.approx(114.23074752691, abs=5e-6)
    assert lat[0] == pytest.approx(29.57908262908, abs=5e-6)


def test_bd09_reference_pairs(shared_data: Path) -> None:
    """These pairs stem from a variant of the formula (sin(πy) for sin(3000πy/180)) that errs by up to 40 m against Baidu."""
    for pair in pairs(shared_data / "data" / "china_shanghai" / "bd09_reference_pairs.csv"):
        lon, lat = crs.bd09_to_wgs84(float(pair["bd_lon"]), float(pair["bd_lat"]))
        assert lon[0] == pytest.approx(float(pair["wgs_lon"]), abs=2e-4)
        assert lat[0] == pytest.approx(float(pair["wgs_lat"]), abs=4e-4)


@settings(max_examples=200, deadline=None)
@given(degrees)
def test_inverse_is_exact_wherever_the_point_lies(point: tuple[float, float]) -> None:
    lon, lat = point
    for there, back in (
        (crs.wgs84_to_gcj02, crs.gcj02_to_wgs84),
        (crs.wgs84_to_bd09, crs.bd09_to_wgs84),
    ):
        again = back(*there(lon, lat))
        if crs.in_china(lon, lat)[0]:
            assert abs(again[0][0] - lon) < 1e-9 and abs(again[1][0] - lat) < 1e-9


@settings(max_examples=100, deadline=None)
@given(degrees)
def test_the_shift_is_some_hundred_metres(point: tuple[float, float]) -> None:
    lon, lat = point
    if crs.in_china(lon, lat)[0]:
        moved = crs.wgs84_to_gcj02(lon, lat)
        metres = np.hypot(
            (moved[0][0] - lon) * 111_320 * np.cos(np.radians(lat)), (moved[1][0] - lat) * 110_574
        )
        assert 20 < metres < 1_500


def test_a_million_points_in_seconds() -> None:
    rng = np.random.default_rng(7)
    lon, lat = rng.uniform(100, 120, 200_000), rng.uniform(25, 40, 200_000)
    back = crs.gcj02_to_wgs84(*crs.wgs84_to_gcj02(lon, lat))
    assert np.abs(back[0] - lon).max() < 1e-9 and np.abs(back[1] - lat).max() < 1e-9


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ((121.0, 30.7, 122.0, 31.8), "EPSG:4549"),  # Shanghai, 120° E
        ((116.0, 39.6, 116.8, 40.2), "EPSG:4548"),  # Beijing, 117° E
        ((87.2, 43.6, 87.9, 44.0), "EPSG:4538"),  # Ürümqi, 87° E
        ((121.4, 24.9, 121.7, 25.3), "EPSG:3826"),  # Taipei
        ((-71.2, 42.2, -70.9, 42.4), "EPSG:32619"),  # Boston
        ((151.0, -34.0, 151.3, -33.7), "EPSG:32756"),  # Sydney
        ((73.0, 18.0, 135.0, 54.0), "EPSG:6933"),  # wider than any zone
    ],
)
def test_measuring_crs(bounds: tuple[float, float, float, float], expected: str) -> None:
    assert crs.measuring_crs(bounds) == expected


@pytest.mark.parametrize(
    "bounds", [(121.4, 31.2, 121.5, 31.3), (-71.1, 42.3, -71.0, 42.4), (116.3, 39.9, 116.4, 40.0)]
)
def test_areas_in_the_measuring_crs_agree_with_the_ellipsoid(
    bounds: tuple[float, float, float, float],
) -> None:
    from pyproj import Geod

    box = shapely.segmentize(shapely.box(*bounds), 0.001)
    true_m2 = abs(Geod(ellps="GRS80").geometry_area_perimeter(box)[0])
    measured = shapely.area(crs.project(np.array([box], dtype=object), crs.measuring_crs(bounds)))[0]
    assert measured == pytest.approx(true_m2, rel=1e-3)


def test_projected_both_ways() -> None:
    lon, lat = crs.to_wgs84([771204.9], [2967614.9], "EPSG:2249")
    assert lon[0] == pytest.approx(-71.07, abs=0.01) and lat[0] == pytest.approx(42.39, abs=0.01)
    x, y = crs.from_wgs84(lon, lat, "EPSG:2249")
    assert x[0] == pytest.approx(771204.9, abs=0.01) and y[0] == pytest.approx(2967614.9, abs=0.01)


def test_axis_order_is_east_north_even_where_the_authority_says_otherwise() -> None:
    x, y = crs.from_wgs84([121.47], [31.23], "EPSG:4549")
    assert 600_000 < x[0] < 700_000 and 3_400_000 < y[0] < 3_500_000


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("EPSG:4326", "EPSG:4326"),
        ("urn:ogc:def:crs:OGC:1.3:CRS84", "EPSG:4326"),
        ("OGC:CRS84", "EPSG:4326"),
        ("urn:ogc:def:crs:EPSG::3857", "EPSG:3857"),
        ("GCJ02", "gcj02"),
        ("bd09", "bd09"),
        ('GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137.0,298.257223563]],'
         'PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]]', "EPSG:4326"),
        ('LOCAL_CS["plan",UNIT["metre",1]]', None),
        ("nonsense", None),
        (None, None),
    ],
)  # fmt: skip
def test_canonical_names(name: str | None, expected: str | None) -> None:
    assert crs.canonical(name) == expected


def test_unknown_crs_is_refused_with_help() -> None:
    with pytest.raises(RefusedArgument) as refused:
        crs.crs_of("EPSG:999999")
    assert refused.value.code == "crs-unknown" and "EPSG:n" in refused.value.text("en")

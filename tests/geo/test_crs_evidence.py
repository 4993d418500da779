"""Files lie about coordinates in known ways; each is caught and the truth is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from etl.reading import read_vector
from geo import crs, geometry
from geo.crs_evidence import datum_evidence, diagnose, outline_evidence, suggest, unknown

BOSTON_FEET = ([739_826.9, 804_052.5], [2_908_285.1, 2_970_073.1])
BOSTON = (-71.19, 42.23, -70.92, 42.4)


def test_the_three_degree_zone_of_today_comes_before_the_wider_and_the_older() -> None:
    beijing = (116.2, 39.8, 116.6, 40.1)
    found = suggest((430_000.0, 4_410_000.0, 470_000.0, 4_440_000.0), beijing, chinese=True)
    assert [c.crs for c in found] == ["EPSG:4548", "EPSG:2436"]


def test_feet_that_call_themselves_degrees_with_nothing_else_known() -> None:
    problem = diagnose(*BOSTON_FEET, "EPSG:4326")
    assert problem is not None and problem.code == "coordinate-range"
    assert problem.candidates[0].crs == "EPSG:2249"
    assert "--crs EPSG:2249" in problem.refuse().text("en") and "--crs EPSG:2249" in problem.refuse().text(
        "zh"
    )


def test_the_same_near_a_known_city_names_that_grid_alone() -> None:
    assert [c.crs for c in suggest((739_826.9, 2_908_285.1, 804_052.5, 2_970_073.1), BOSTON)] == ["EPSG:2249"]


def test_new_york_feet() -> None:
    assert diagnose([980_000, 1_060_000], [140_000, 270_000], "EPSG:4326").candidates[0].crs == "EPSG:2263"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("x", "y", "declared", "code", "first"),
    [
        ([121.4, 121.5], [31.2, 31.3], "EPSG:4326", None, None),
        ([121.4, 121.5], [31.2, 31.3], "gcj02", None, None),
        ([31.2, 31.3], [121.4, 121.5], "EPSG:4326", "axes-swapped", None),
        ([42.2, 42.4], [-71.2, -70.9], "EPSG:4326", "axes-swapped", None),
        ([600_000, 610_000], [3_450_000, 3_460_000], "EPSG:4549", None, None),
        ([3_450_000, 3_460_000], [600_000, 610_000], "EPSG:4549", "axes-swapped", None),
        ([40_600_000, 40_610_000], [3_450_000, 3_460_000], "EPSG:4549", "zone-prefix", "EPSG:4528"),
        ([600_000, 610_000], [3_450_000, 3_460_000], "EPSG:4528", "zone-prefix", "EPSG:4549"),
        ([40_600_000, 40_610_000], [3_450_000, 3_460_000], "EPSG:4528", None, None),
        ([121.4, 121.5], [31.2, 31.3], "EPSG:4549", "coordinate-range", None),
    ],
)
def test_declared_against_numbers(
    x: list[float], y: list[float], declared: str, code: str | None, first: str | None
) -> None:
    problem = diagnose(x, y, declared)
    assert (problem.code if problem else None) == code
    if problem and first:
        assert problem.candidates[0].crs == first


def test_chinese_text_brings_chinese_grids_first() -> None:
    found = diagnose([40_500_000, 40_510_000], [3_450_000, 3_460_000], "EPSG:4326", chinese=True)
    assert found is not None and found.candidates[0].crs == "EPSG:4528"


def test_swapped_axes_of_a_southern_looking_layer_near_the_city() -> None:
    near = (120.8, 30.6, 122.0, 31.9)
    assert diagnose([31.1, 31.3], [80.0, 81.0], "EPSG:4326", near) is None
    assert diagnose([31.1, 31.3], [121.2, 121.4], "EPSG:4326", near).code == "axes-swapped"  # type: ignore[union-attr]


def test_no_crs_at_all() -> None:
    assert unknown([121.4, 121.5], [31.2, 31.3])[0].crs == "EPSG:4326"
    assert unknown(*BOSTON_FEET)[0].crs == "EPSG:2249"


def test_points_tell_their_datum(shared_data: Path) -> None:
    """Shanghai's points of interest, drawn from a GCJ-02 map, are WGS 84: 99.8 % in the district they name, else 95.4 %."""
    folder = shared_data / "data" / "china_shanghai"
    districts = read_vector(folder / "boundaries" / "datav_310000_gcj02.geojson").frame
    areas = crs.project(np.asarray(districts.geometry.array, dtype=object), crs.WGS84, source="gcj02")
    points = pd.concat([pd.read_csv(f) for f in sorted((folder / "poi").glob("*.csv.gz"))])
    points = points.dropna(subset=["lon", "lat", "adname"])
    shares = datum_evidence(points.lon, points.lat, points.adname.tolist(), areas, districts["name"].tolist())
    assert shares["EPSG:4326"] == pytest.approx(0.9985, abs=0.001)
    assert shares["gcj02"] == pytest.approx(0.9535, abs=0.001)
    assert shares["bd09"] < shares["gcj02"]


def test_community_points_are_gcj02(shared_data: Path) -> None:
    folder = shared_data / "data" / "china_shanghai"
    districts = read_vector(folder / "boundaries" / "datav_310000_gcj02.geojson").frame
    areas = crs.project(np.asarray(districts.geometry.array, dtype=object), crs.WGS84, source="gcj02")
    points = pd.read_csv(folder / "communities_5level_2016_gcj02.csv.gz").dropna(
        subset=["longitude", "latitude", "village"]
    )
    shares = datum_evidence(
        points.longitude,
        points.latitude,
        points.county.tolist(),
        areas,
        districts["name"].tolist(),
        ("EPSG:4326", "gcj02"),
    )
    assert shares["gcj02"] > 0.995 > shares["EPSG:4326"]


def test_outlines_tell_their_datum(shared_data: Path) -> None:
    """Nanjing's streets against the district's GCJ-02 outline: 0.975 as WGS 84, 0.926 as GCJ-02."""
    folder = shared_data / "data" / "china_nanjing_jiangning"
    streets = read_vector(folder / "jiedao_320115_utf8.geojson").frame
    outline = read_vector(folder / "datav_320115_gcj02.geojson").frame
    reference = crs.project(np.asarray(outline.geometry.array, dtype=object), crs.WGS84, source="gcj02")[0]
    fit = outline_evidence(geometry.union(np.asarray(streets.geometry.array, dtype=object)), reference)
    assert fit["EPSG:4326"] == pytest.approx(0.975, abs=0.002)
    assert fit["gcj02"] == pytest.approx(0.926, abs=0.002)

"""Weights keep their totals however they come: by code, by point, by polygon."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

import etl.units
import etl.weights
from etl.weights.spread import by_polygon
from geo.errors import RefusedArgument, RefusedFile

CODES = ("420106001001", "420106001002")


@pytest.fixture
def city(db: Session, insert_areas: Callable[..., int]) -> Session:
    areas = {
        c: shapely.box(114.30 + i * 0.005, 30.5, 114.305 + i * 0.005, 30.504) for i, c in enumerate(CODES)
    }
    insert_areas(db, "district", {"420106": shapely.box(114.29, 30.49, 114.32, 30.51)}, rank=2)
    insert_areas(db, "community", areas, rank=4)
    etl.units.build(db, target_area_m2=20_000)
    return db


def stored(db: Session, column: str = "households") -> dict[str, float]:
    """The total per community."""
    rows = db.execute(
        text(
            "SELECT b.code, sum(w.value) FROM weight w JOIN unit_area a USING (unit_id) JOIN boundary b ON b.id = a.boundary_id "
            'WHERE w."column" = :c GROUP BY b.code'
        ),
        {"c": column},
    ).all()
    return {row[0]: row[1] for row in rows}


def test_by_code_of_areas(city: Session, tmp_path: Path) -> None:
    file = tmp_path / "户数.csv"
    file.write_text(
        f"区划代码,名称,户数\n{CODES[0]},甲,451\n{CODES[1]},乙,735\n999,丙,5\n{CODES[0]},甲,451\n{CODES[0]},甲,1\n,丁,3\n{CODES[1]},乙,-2\n",
        "gb18030",
    )
    report = etl.weights.load(city, file, column="households")
    assert (report.rows_in, report.added, report.duplicate, report.rejected) == (7, 2, 1, 4)
    assert dict(report.rejects_by_code) == {"code-unknown": 2, "row-conflict": 1, "value-negative": 1}
    assert stored(city) == pytest.approx({CODES[0]: 451.0, CODES[1]: 735.0}, abs=1e-9)
    assert report.layout["level"] == "community" and report.layout["code"] == "区划代码"
    again = etl.weights.load(city, file, column="households")
    assert (again.unchanged, again.added, again.updated) == (2, 0, 0)


def test_empty_ground_gets_nothing_while_there_is_built_up_ground(city: Session, tmp_path: Path) -> None:
    city.execute(text("UPDATE unit SET built_up = (id % 2 = 0)"))
    file = tmp_path / "w.csv"
    file.write_text(f"code,households\n{CODES[0]},100\n")
    etl.weights.load(city, file, column="households")
    rows = city.execute(
        text("SELECT u.built_up, sum(w.value) FROM weight w JOIN unit u ON u.id = w.unit_id GROUP BY 1")
    ).all()
    assert {row[0]: row[1] for row in rows} == pytest.approx({True: 100.0, False: 0.0})


def test_by_code_of_a_district_and_of_units(city: Session, tmp_path: Path) -> None:
    file = tmp_path / "d.csv"
    file.write_text("code,people\n420106,1000\n")
    report = etl.weights.load(city, file, column="people")
    assert report.layout["level"] == "district" and sum(stored(city, "people").values()) == pytest.approx(
        1000, abs=1e-9
    )
    units = city.scalars(text("SELECT code FROM unit ORDER BY code")).all()
    file.write_text("单元,people\n" + "".join(f"{code},{i}\n" for i, code in enumerate(units)))
    report = etl.weights.load(city, file, column="people")
    assert report.layout["level"] == "unit" and report.updated == len(units)
    values = city.scalars(text("SELECT value FROM weight ORDER BY unit_id")).all()
    assert sorted(values) == [float(i) for i in range(len(units))]


def test_by_point(city: Session, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    lon, lat = rng.uniform(114.3001, 114.3099, 200), rng.uniform(30.5001, 30.5039, 200)
    value = rng.integers(1, 30, 200)
    file = tmp_path / "p.csv"
    lines = [f"{x},{y},{v}" for x, y, v in zip(lon, lat, value, strict=True)]
    file.write_text("经度,纬度,households\n" + "\n".join(lines) + "\n110.0,20.0,7\n,,4\n")
    report = etl.weights.load(city, file, column="households")
    assert (report.added, report.rejected) == (200, 2) and dict(report.rejects_by_code) == {
        "outside-units": 2
    }
    west = int(value[lon < 114.305].sum())
    assert stored(city) == {CODES[0]: west, CODES[1]: int(value.sum()) - west}


def test_by_polygon(city: Session, tmp_path: Path) -> None:
    file = tmp_path / "w.gpkg"
    whole = shapely.box(114.30, 30.5, 114.31, 30.504)
    geopandas.GeoDataFrame(
        {"households": [600.0, 5.0]}, geometry=[whole, shapely.box(0, 0, 1, 1)], crs=4326
    ).to_file(file)
    report = etl.weights.load(city, file, column="households")
    assert (report.added, report.rejected) == (1, 1)
    assert stored(city) == pytest.approx({CODES[0]: 300.0, CODES[1]: 300.0}, rel=1e-3)
    assert report.details["stored_total"] == pytest.approx(600, abs=1e-9)


@given(
    st.lists(
        st.tuples(st.floats(0, 9), st.floats(0, 9), st.floats(0.1, 5), st.floats(0, 1e6)),
        min_size=1,
        max_size=12,
    ),
    st.integers(0, 2**32 - 1),
)
def test_apportionment_keeps_every_total(rows: list[tuple[float, float, float, float]], seed: int) -> None:
    units = np.array([shapely.box(x, y, x + 1, y + 1) for x in range(10) for y in range(10)], dtype=object)
    built = np.random.default_rng(seed).random(100) < 0.3
    polygons = np.array([shapely.box(x, y, x + s, y + s) for x, y, s, _ in rows], dtype=object)
    values = np.array([v for *_, v in rows])
    shares = by_polygon(polygons, units, built)
    assert set(shares.row.tolist()) == set(range(len(rows)))
    assert np.allclose(np.bincount(shares.row, weights=shares.share), 1.0, rtol=0, atol=1e-12)
    assert shares.total(values, 100).sum() == pytest.approx(values.sum(), rel=1e-9, abs=1e-9)


def test_refusals(city: Session, tmp_path: Path) -> None:
    file = tmp_path / "w.csv"
    file.write_text("a,b,c\n1,2,3\n")
    for column in ("cases", "area", "", "手机号", "x" * 50):
        with pytest.raises(RefusedArgument):
            etl.weights.load(city, file, column=column)
    with pytest.raises(RefusedArgument, match="value-field"):
        etl.weights.load(city, file, column="households")
    with pytest.raises(RefusedFile, match="No column holds codes"):
        etl.weights.load(city, file, column="households", value_field="a")


def test_without_units(db: Session, tmp_path: Path) -> None:
    with pytest.raises(RefusedArgument, match="units build"):
        etl.weights.load(db, tmp_path / "w.csv", column="households")

"""Every format, reopened by pyogrio and by GDAL's own `ogrinfo`, says what the database says."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pyogrio
import pytest
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.db import session as sessions
from geo.errors import RefusedArgument, Unavailable
from geo.exports import case_layer, layers
from geo.exports.layers import Layer
from geo.exports.writers import WRITERS, ending_of, write
from geo.settings import Settings

NAMES = ["解放路社区", "=cmd|'/C calc'!A0", "西苑“新”村，二期"]
CODES = ["320115001001", "320115001002", "320115001003"]
ENDINGS = list(WRITERS)
SPATIAL = [e for e in ENDINGS if e not in (".csv", ".xlsx")]


@pytest.fixture(scope="module")
def city(module_settings: Settings) -> Iterator[Session]:
    """Three communities in a row, two sources with cases (one unplaced), two facilities."""
    with Session(sessions.engine(module_settings, "owner")) as session:
        _fill(session)
        session.commit()
        yield session


def _fill(session: Session) -> None:
    run = session.scalar(
        text(
            "INSERT INTO load_run (kind, source, file_name, content_sha256, started_at) "
            "VALUES ('cases', 't', 't', '\\x00', now()) RETURNING id"
        )
    )
    level = session.scalar(text("INSERT INTO level (name, rank) VALUES ('community', 4) RETURNING id"))
    edition = session.scalar(
        text(
            "INSERT INTO edition (level_id, during, measuring_crs) VALUES (:l, '(,)', 'EPSG:4549') RETURNING id"
        ),
        {"l": level},
    )
    for i, (code, name) in enumerate(zip(CODES, NAMES, strict=True)):
        box = shapely.box(118.8 + i * 0.01, 31.9, 118.81 + i * 0.01, 31.91)
        session.execute(
            text(
                "INSERT INTO boundary (edition_id, code, name, geom, area_m2) "
                "VALUES (:e, :c, :n, ST_Multi(ST_GeomFromWKB(:g, 4326)), 1000000.5)"
            ),
            {"e": edition, "c": code, "n": name, "g": shapely.to_wkb(box)},
        )
    catalogue = session.scalar(text("INSERT INTO catalogue (name) VALUES ('t') RETURNING id"))
    top = session.scalar(
        text("INSERT INTO category (catalogue_id, code, name) VALUES (:c, '01', '市容环境') RETURNING id"),
        {"c": catalogue},
    )
    sub = session.scalar(
        text(
            "INSERT INTO category (catalogue_id, parent_id, code, name) VALUES (:c, :p, '0102', '暴露垃圾') RETURNING id"
        ),
        {"c": catalogue, "p": top},
    )
    source = session.scalar(
        text("INSERT INTO source (name, catalogue_id) VALUES ('热线', :c) RETURNING id"), {"c": catalogue}
    )
    session.execute(
        text(f"CREATE TABLE cases_{int(source or 0)} PARTITION OF cases FOR VALUES IN ({int(source or 0)})")
    )
    for i in range(5):
        session.execute(
            text(
                "INSERT INTO cases (source_id, source_case_id, opened_at, closed_at, category_id, status, origin, satisfied, "
                "responsible_body, description, row_hash, geom, load_run_id) VALUES (:s, :id, :o, :cl, :cat, :st, 1, :sat, :b, "
                "'电话 13800000000', '\\x00', ST_SetSRID(ST_MakePoint(:x, 31.905), 4326), :run)"
            ),
            {
                "s": source,
                "id": f"H{i}",
                "o": dt.datetime(2025, 3, 1 + i, 0, 30, tzinfo=dt.UTC),
                "cl": dt.datetime(2025, 3, 2 + i, tzinfo=dt.UTC) if i % 2 else None,
                "cat": sub if i else top,
                "st": i % 2,
                "sat": None if i < 2 else bool(i % 2),
                "b": "+街道办，一科" if i == 3 else "城管",
                "x": None if i == 4 else 118.805 + i * 0.005,
                "run": run,
            },
        )
    for i, kind in enumerate(["医院", "图书馆"]):
        session.execute(
            text(
                "INSERT INTO facility (load_run_id, source, source_facility_id, kind, name, capacity, row_hash, point) "
                "VALUES (:r, 'f', :id, :k, :n, :cap, '\\x00', ST_SetSRID(ST_MakePoint(118.803, 31.902), 4326))"
            ),
            {"r": run, "id": f"F{i}", "k": kind, "n": "第一" + kind, "cap": 10.5 if i else None},
        )


def _boundaries(city: Session) -> Layer:
    return layers.boundaries(city, "community", dt.date(2026, 1, 1))


def _cases(city: Session, **period: Any) -> Layer:
    return case_layer.cases(city, "Asia/Shanghai", **period)


def _reopened(path: Path) -> gpd.GeoDataFrame:
    if path.suffix == ".parquet":
        return gpd.read_parquet(path)
    return pyogrio.read_dataframe(f"/vsizip/{path}" if path.name.endswith(".shp.zip") else path)


def _ogr(ogrinfo: str, path: Path) -> str:
    target = f"/vsizip/{path}" if path.name.endswith(".shp.zip") else str(path)
    return subprocess.run([ogrinfo, "-al", "-ro", target], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("ending", SPATIAL)
@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:4490", "EPSG:4549", "EPSG:3857"])
def test_polygons_come_back(city: Session, tmp_path: Path, ending: str, crs: str) -> None:
    path = tmp_path / f"社区{ending}"
    written = write(_boundaries(city), path, crs=crs)
    assert written.rows == 3
    found = _reopened(path)
    expected = gpd.GeoSeries(
        [shapely.box(118.8 + i * 0.01, 31.9, 118.81 + i * 0.01, 31.91) for i in range(3)], crs=4326
    )
    assert found.crs.to_epsg() == (4326 if ending == ".kml" else int(crs[5:]))
    names = found["Name"] if "Name" in found.columns and "name" not in found.columns else found["name"]
    assert sorted(names) == sorted(NAMES)
    back = found.set_geometry(found.geometry).to_crs(4326).geometry
    order = np.argsort(shapely.get_x(shapely.centroid(back.to_numpy())))
    for got, want in zip(back.to_numpy()[order], expected, strict=True):
        assert shapely.symmetric_difference(got, want).area < 1e-9
    assert not list(tmp_path.glob(".export-*"))


@pytest.mark.gdal
@pytest.mark.parametrize("ending", [e for e in SPATIAL if e != ".parquet"])
def test_ogrinfo_reads_it(city: Session, tmp_path: Path, ogrinfo: str, ending: str) -> None:
    path = tmp_path / f"layer{ending}"
    write(_boundaries(city), path)
    said = _ogr(ogrinfo, path)
    assert "Feature Count: 3" in said
    assert all(name in said for name in NAMES) and all(code in said for code in CODES)


@pytest.mark.parametrize("encoding", ["utf-8", "gbk"])
def test_shapefile_speaks_its_encoding(city: Session, tmp_path: Path, ogrinfo: str, encoding: str) -> None:
    path = tmp_path / "社区.shp.zip"
    written = write(_boundaries(city), path, encoding=encoding)
    with zipfile.ZipFile(path) as zipped:
        names = zipped.namelist()
        assert {n.rpartition(".")[2] for n in names} >= {"shp", "shx", "dbf", "prj", "cpg", "qml", "csv"}
        dbf = zipped.read("社区.dbf")
        assert zipped.read("社区.cpg").decode() == ("GBK" if encoding == "gbk" else "UTF-8")
        mapping = zipped.read("社区.fields.csv").decode("utf-8-sig")
    assert "解放路社区".encode(encoding) in dbf
    assert "parent,parent_code" in mapping and written.short_names["parent_code"] == "parent"
    assert list(_reopened(path)["name"]) == NAMES
    assert "解放路社区" in _ogr(ogrinfo, path)


@pytest.mark.parametrize("ending", ENDINGS)
def test_cases_leave_without_text_or_attributes(city: Session, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"cases{ending}"
    assert write(_cases(city), path).rows == 5
    assert b"13800000000" not in path.read_bytes()
    frame = _table(path)
    assert len(frame) == 5
    assert not {"attributes", "row_hash"} & set(frame.columns)
    assert "description" not in frame.columns or frame["description"].isna().all()  # KML always has one


def _table(path: Path) -> pd.DataFrame:
    if path.suffix == ".csv":
        return pd.read_csv(path, dtype={"source_case_id": str}, encoding="utf-8-sig")
    if path.suffix == ".xlsx":
        rows = list(openpyxl.load_workbook(path, read_only=True).active.iter_rows(values_only=True))
        return pd.DataFrame(rows[1:], columns=rows[0])
    return _reopened(path)


def test_csv_has_bom_local_time_and_no_formula(city: Session, tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    write(_cases(city), path)
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    frame = pd.read_csv(path, dtype=str).sort_values("source_case_id")
    assert next(iter(frame["opened_at"])) == "2025-03-01T08:30:00+08:00"
    assert list(frame["responsible_body"])[3] == "'+街道办，一科"
    assert frame["lon"].isna().tolist() == [False] * 4 + [True]
    assert list(frame["category_sub"])[1:] == ["0102"] * 4


def test_excel_has_no_formula_cell(city: Session, tmp_path: Path) -> None:
    path = tmp_path / "c.xlsx"
    write(_boundaries(city), path)
    sheet = openpyxl.load_workbook(path).active
    assert sheet is not None
    cells = [cell for row in sheet.iter_rows() for cell in row]
    assert all(cell.data_type != "f" for cell in cells)
    assert any(cell.value == "'" + NAMES[1] for cell in cells)


def test_unplaced_cases_keep_their_row(city: Session, tmp_path: Path) -> None:
    path = tmp_path / "c.gpkg"
    write(_cases(city), path)
    frame = pyogrio.read_dataframe(path).sort_values("source_case_id")
    assert frame.geometry.isna().tolist() == [False] * 4 + [True]
    assert frame.geometry.iloc[1].coords[0] == (118.81, 31.905)
    assert pd.Timestamp(frame["opened_at"].iloc[0]) == pd.Timestamp("2025-03-01T00:30:00Z")
    assert frame["status"].tolist() == ["open", "closed"] * 2 + ["open"]


def test_period_and_category_filter(city: Session, tmp_path: Path) -> None:
    start = dt.datetime(2025, 3, 2, tzinfo=dt.UTC)
    path = tmp_path / "c.csv"
    assert write(_cases(city, opened_from=start), path).rows == 4
    assert write(_cases(city, opened_to=start), path).rows == 1
    assert write(_cases(city, category_ids=[]), path).rows == 0
    assert path.read_text("utf-8-sig").splitlines()[0].startswith('"source"') or "source" in path.read_text(
        "utf-8-sig"
    )


def test_empty_layer_is_a_readable_file(city: Session, tmp_path: Path) -> None:
    for ending in ENDINGS:
        path = tmp_path / f"empty{ending}"
        assert write(layers.boundaries(city, "no such level", dt.date(2026, 1, 1)), path).rows == 0
        assert len(_table(path)) == 0


def test_style_colours_by_value(city: Session, tmp_path: Path) -> None:
    frame = pyogrio.read_dataframe(_gpkg(city, tmp_path)).assign(value=[1.0, 2.0, 9.0])[
        ["code", "value", "geometry"]
    ]
    layer = layers.from_frame("heatmap", frame, "MultiPolygon", "value", (0.0, 5.0, 10.0))
    write(layer, tmp_path / "heat.gpkg")
    style = (tmp_path / "heat.qml").read_text("utf-8")
    assert 'attr="value"' in style and style.count("<range ") == 2


def _gpkg(city: Session, tmp_path: Path) -> Path:
    path = tmp_path / "b.gpkg"
    write(_boundaries(city), path)
    return path


def test_what_is_refused(city: Session, tmp_path: Path) -> None:
    with pytest.raises(RefusedArgument, match="names no format"):
        ending_of(Path("x.docx"))
    with pytest.raises(RefusedArgument, match="Unknown CRS"):
        write(_boundaries(city), tmp_path / "x.gpkg", crs="EPSG:999999")
    with pytest.raises(RefusedArgument, match="Encoding"):
        write(_boundaries(city), tmp_path / "x.shp.zip", encoding="latin-1")
    assert not list(tmp_path.iterdir())


def test_full_disk_leaves_nothing(city: Session, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no right to mount a small file system here")
    try:
        many = (batch for _ in range(400) for batch in _cases(city).batches)
        first = _cases(city)
        with pytest.raises(Unavailable, match="disk is full"):
            write(Layer("cases", first.schema, "Point", many), small / "c.csv")
        assert not list(small.iterdir())
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_geojson_in_wgs84_follows_the_rfc(city: Session, tmp_path: Path) -> None:
    write(_boundaries(city), tmp_path / "b.geojson")
    document = json.loads((tmp_path / "b.geojson").read_text("utf-8"))
    assert "crs" not in document and len(document["features"]) == 3

"""Ways from real extracts and from small files of every kind; the row law; nothing changes the second time."""

from __future__ import annotations

from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

import etl.network
from etl.network import graphml
from geo.errors import RefusedArgument, RefusedFile


def test_helsinki_extract(db: Session, shared_data: Path) -> None:
    file = shared_data / "data/osm_and_access/helsinki.osm.pbf"
    report = etl.network.load(db, file)
    assert report.rows_in == report.added == 2649
    assert report.details["classes"] == {"road": 958, "path": 1345, "rail": 318, "water": 23, "bridge": 5}
    stored = db.execute(text("SELECT class, count(*) FROM way GROUP BY class")).all()
    assert {row[0]: row[1] for row in stored} == report.details["classes"]
    again = etl.network.load(db, file)
    assert (again.unchanged, again.added, again.updated) == (2649, 0, 0)


def test_main_roads_rail_and_water_are_barriers(db: Session, shared_data: Path) -> None:
    etl.network.load(db, shared_data / "data/osm_and_access/helsinki.osm.pbf")
    rows = db.execute(text("SELECT DISTINCT class, kind FROM way WHERE barrier ORDER BY 1, 2")).all()
    found = {(c, k) for c, k in rows}
    assert {("road", "primary"), ("road", "secondary"), ("rail", "rail")} <= found
    assert not {c for c, _ in found} & {"bridge", "path"}
    assert ("rail", "tram") not in found and ("road", "residential") not in found


def test_graphml_of_osmnx(db: Session, shared_data: Path) -> None:
    file = shared_data / "data/osm_and_access/transbigdata_G.graphml"
    graph = graphml.read(file)
    report = etl.network.load(db, file)
    assert report.added + report.rejected == report.rows_in
    assert report.rows_in + report.details["not_ways"] == len(graph.edges)
    assert report.crs == "EPSG:4326" and report.details["classes"]["road"] > 2000
    west, south, east, north = db.execute(
        text(
            "SELECT ST_XMin(e), ST_YMin(e), ST_XMax(e), ST_YMax(e) FROM (SELECT ST_Extent(geom) AS e FROM way) q"
        )
    ).one()
    assert 113.9 < west < east < 114.2 and 22.4 < south < north < 22.7


def test_graphml_with_a_proj_string(db: Session, shared_data: Path) -> None:
    report = etl.network.load(db, shared_data / "data/osm_and_access/momepy_nyc_graph.graphml")
    assert report.crs == "EPSG:32618" and report.added > 50
    lon = db.scalar(text("SELECT ST_X(ST_StartPoint(geom)) FROM way LIMIT 1"))
    assert -74.1 < lon < -73.8


def test_layer_without_a_class_column_is_roads_with_a_notice(db: Session, shared_data: Path) -> None:
    file = shared_data / "data/osm_and_access/momepy_bubenec.gpkg"
    report = etl.network.load(db, file, layer="streets")
    assert report.added == 35 and "class-assumed" in report.notices
    with pytest.raises(RefusedFile, match="buildings"):
        etl.network.load(db, file)


@pytest.fixture
def chinese_layer(tmp_path: Path) -> Path:
    file = tmp_path / "路网.gpkg"
    lines = [shapely.LineString([(114.3 + i * 0.001, 30.5), (114.3 + i * 0.001, 30.51)]) for i in range(5)]
    frame = geopandas.GeoDataFrame(
        {
            "编号": ["a1", "a2", "a3", "a4", "a5"],
            "类别": ["主干路", "铁路", "河流", "围墙", "桥"],
            "名称": ["一", "二", "三", "四", None],
        },
        geometry=[*lines[:4], shapely.Point(114.3, 30.5)],
        crs=4326,
    )
    frame.to_file(file)
    return file


def test_row_law_rejects_and_update(db: Session, chinese_layer: Path) -> None:
    report = etl.network.load(db, chinese_layer)
    assert (report.rows_in, report.added, report.rejected) == (5, 3, 2)
    assert report.rejects_by_code == {"class-unknown": 1, "geometry-type": 1}
    assert [r.row for r in report.rejects] == [4, 5]
    frame = geopandas.read_file(chinese_layer)
    frame.loc[1, "类别"] = "支路"
    frame.iloc[:3].to_file(chinese_layer)
    again = etl.network.load(db, chinese_layer)
    assert (again.rows_in, again.updated, again.unchanged) == (3, 1, 2)
    assert db.scalar(text("SELECT class || kind FROM way WHERE source_way_id = 'a2'")) == "roadtertiary"


def test_one_id_twice_is_a_duplicate_or_a_reject(db: Session, tmp_path: Path) -> None:
    line, other = shapely.LineString([(114, 30), (114.1, 30)]), shapely.LineString([(114, 30), (114.2, 30)])
    edges = "".join(
        f'<edge source="a" target="b" id="0"><data key="h">residential</data><data key="g">{g.wkt}</data></edge>'
        for g in (line, line, other)
    )
    file = tmp_path / "g.graphml"
    file.write_text(
        '<?xml version="1.0"?><graphml xmlns="http://graphml.graphdrawing.org/xmlns"><key id="h" attr.name="highway"/>'
        '<key id="g" attr.name="geometry"/><key id="c" attr.name="crs"/><graph><data key="c">epsg:4326</data>'
        f"{edges}</graph></graphml>"
    )
    report = etl.network.load(db, file)
    assert (report.rows_in, report.added, report.duplicate, report.rejected) == (3, 1, 1, 1)
    assert report.rejects[0].code == "row-conflict"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ('<?xml version="1.0"?><!DOCTYPE g [<!ENTITY a "b">]><graphml>&a;</graphml>', "xml-doctype"),
        ('<?xml version="1.0"?><graphml><graph><edge', "file-damaged"),
        ('<?xml version="1.0"?><html></html>', "file-type"),
    ],
)
def test_graphml_that_is_refused(db: Session, tmp_path: Path, content: str, code: str) -> None:
    file = tmp_path / "g.graphml"
    file.write_text(content)
    with pytest.raises(RefusedFile) as refused:
        etl.network.load(db, file)
    assert refused.value.code == code
    assert db.scalar(text("SELECT count(*) FROM way")) == 0


def test_missing_crs_is_refused(db: Session, tmp_path: Path) -> None:
    file = tmp_path / "w.gpkg"
    geopandas.GeoDataFrame({"class": ["road"]}, geometry=[shapely.LineString([(0, 0), (1, 1)])]).to_file(file)
    with pytest.raises(RefusedFile) as refused:
        etl.network.load(db, file)
    assert refused.value.code == "crs-missing"


def test_unknown_class_option(db: Session, chinese_layer: Path) -> None:
    with pytest.raises(RefusedArgument):
        etl.network.load(db, chinese_layer, class_="fence")


def test_water_surface_is_repaired(db: Session, tmp_path: Path) -> None:
    bow = shapely.Polygon([(114, 30), (114.1, 30.1), (114.1, 30), (114, 30.1)])
    file = tmp_path / "water.gpkg"
    geopandas.GeoDataFrame({"class": ["湖"]}, geometry=[bow], crs=4326).to_file(file)
    report = etl.network.load(db, file)
    assert report.added == 1
    shape = shapely.from_wkb(db.scalar(text("SELECT ST_AsBinary(geom) FROM way")))
    assert shape.is_valid and np.isclose(shape.area, 0.005)

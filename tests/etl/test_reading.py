"""Every format in, nothing else; a child that misbehaves is a refusal and leaves nothing running."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely

from etl import process, reading
from etl.reading import DRIVERS, NETWORK_DRIVERS, Limits, read_vector
from geo.errors import FileTooLarge, FileTypeUnknown, RefusedFile

AREAS = geopandas.GeoDataFrame(
    {"code": ["B1", "B2"], "name": ["浦东新区", "黄浦区"], "n": [1.0, 2.0]},
    geometry=[shapely.box(121.5, 31.2, 121.6, 31.3), shapely.box(121.4, 31.2, 121.5, 31.3)],
    crs="EPSG:4326",
)
KML = (
    '<?xml version="1.0" encoding="UTF-8"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document><Placemark>'
    "<name>浦东新区</name><Polygon><outerBoundaryIs><LinearRing><coordinates>121.4,31.2,7 121.5,31.2,7 121.5,31.3,7 "
    "121.4,31.2,7</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark></Document></kml>"
)
TOPOLOGY = {
    "type": "Topology",
    "arcs": [[[121.4, 31.2], [121.5, 31.2], [121.5, 31.3], [121.4, 31.2]]],
    "objects": {
        "areas": {
            "type": "GeometryCollection",
            "geometries": [
                {"type": "Polygon", "arcs": [[0]], "properties": {"code": "B1", "name": "浦东新区"}}
            ],
        }
    },
}


def write(path: Path, **options: Any) -> Path:
    if path.suffix == ".parquet":
        AREAS.to_parquet(path)
    else:
        AREAS.to_file(path, engine="pyogrio", **options)
    return path


def zipped(path: Path, *files: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, file.name)
    return path


@pytest.mark.parametrize(
    ("name", "driver"),
    [
        ("a.geojson", "GeoJSON"),
        ("a.geojsonl", "GeoJSONSeq"),
        ("a.gpkg", "GPKG"),
        ("a.shp", "ESRI Shapefile"),
        ("a.fgb", "FlatGeobuf"),
        ("a.parquet", "Parquet"),
    ],
)
def test_formats_we_can_write(tmp_path: Path, name: str, driver: str) -> None:
    options = {"encoding": "utf-8"} if name.endswith(".shp") else {}
    file = read_vector(write(tmp_path / name, **options))
    assert file.driver == driver and file.crs == "EPSG:4326" and file.layer == "a"
    assert sorted(file.frame["name"]) == ["浦东新区", "黄浦区"]
    assert file.rows.tolist() == [1, 2]
    assert shapely.area(file.frame.geometry.array).sum() == pytest.approx(0.02)


def test_kml_and_topojson(tmp_path: Path) -> None:
    kml, topology = tmp_path / "a.kml", tmp_path / "a.topojson"
    kml.write_text(KML, encoding="utf-8")
    topology.write_text(json.dumps(TOPOLOGY), encoding="utf-8")
    placed = read_vector(kml)
    assert placed.driver == "KML" and placed.frame["Name"].tolist() == ["浦东新区"]
    assert not shapely.has_z(placed.frame.geometry.iloc[0])
    assert read_vector(topology).frame["name"].tolist() == ["浦东新区"]


def test_content_counts_not_the_name(tmp_path: Path) -> None:
    made = write(tmp_path / "a.gpkg")
    file = read_vector(made.rename(tmp_path / "a.geojson"))
    assert file.driver == "GPKG"


@pytest.mark.parametrize(
    "name", ["!x.geojson", "zip+http:x.geojson", "a b'\"$(id).geojson", "图层 (1).geojson"]
)
def test_odd_names_are_only_names(tmp_path: Path, name: str) -> None:
    plain = write(tmp_path / "plain.geojson")
    assert len(read_vector(plain.rename(tmp_path / name)).frame) == 2


def test_gzip_zip_and_kmz(tmp_path: Path) -> None:
    plain = write(tmp_path / "a.geojson")
    packed = tmp_path / "a.geojson.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    kml = tmp_path / "doc.kml"
    kml.write_text(KML, encoding="utf-8")
    assert read_vector(packed).driver == "GeoJSON"
    assert read_vector(zipped(tmp_path / "b.zip", plain)).layer == "a"
    assert read_vector(zipped(tmp_path / "a.kmz", kml)).driver == "KML"


def test_geojson_in_gbk_and_utf16(tmp_path: Path) -> None:
    text = write(tmp_path / "a.geojson").read_text(encoding="utf-8")
    for encoding in ("gb18030", "utf-16", "utf-8-sig"):
        path = tmp_path / f"{encoding}.geojson"
        path.write_bytes(text.encode(encoding))
        file = read_vector(path)
        assert sorted(file.frame["name"]) == ["浦东新区", "黄浦区"] and file.encoding == encoding


@pytest.mark.parametrize("cpg", [None, "GBK", "UTF-8", "no such thing"])
def test_gbk_shapefile_whatever_its_cpg_says(tmp_path: Path, cpg: str | None) -> None:
    shp = write(tmp_path / "a.shp", encoding="gbk")
    shp.with_suffix(".cpg").unlink(missing_ok=True)
    if cpg:
        shp.with_suffix(".cpg").write_text(cpg)
    file = read_vector(shp)
    assert sorted(file.frame["name"]) == ["浦东新区", "黄浦区"] and file.encoding == "gb18030"


@pytest.mark.parametrize("ending", [".shx", ".dbf"])
def test_a_shapefile_without_its_parts_is_refused_by_name(tmp_path: Path, ending: str) -> None:
    shp = write(tmp_path / "a.shp")
    shp.with_suffix(ending).unlink()
    with pytest.raises(RefusedFile) as refused:
        read_vector(shp)
    assert refused.value.code == "shapefile-part-missing" and ending in refused.value.text("zh")


def test_without_prj_there_is_no_crs(tmp_path: Path) -> None:
    shp = write(tmp_path / "a.shp")
    shp.with_suffix(".prj").unlink()
    file = read_vector(shp)
    assert file.crs is None and "prj-missing" in file.notices


def test_several_layers_are_named(tmp_path: Path) -> None:
    path = tmp_path / "two.gpkg"
    AREAS.to_file(path, layer="街道", engine="pyogrio")
    AREAS.to_file(path, layer="社区", engine="pyogrio")
    with pytest.raises(RefusedFile) as refused:
        read_vector(path)
    assert refused.value.code == "layer-choice" and "街道" in refused.value.text("en")
    assert read_vector(path, layer="社区").layer == "社区"


@pytest.mark.parametrize(
    "content",
    [
        b'<OGRVRTDataSource><OGRVRTLayer name="x"><SrcDataSource>/etc/passwd</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>',
        b"<wfs:WFS_Capabilities/>",
        b"id,geom\n1,POINT(1 1)\n",
        b"%PDF-1.4",
        b"",
        b"\x00" * 1000,
        b"PK\x05\x06" + b"\0" * 18,
    ],
)
def test_other_content_is_no_layer(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.geojson"
    path.write_bytes(content)
    with pytest.raises(RefusedFile) as refused:
        read_vector(path)
    assert refused.value.code in ("file-type", "archive-damaged", "json-syntax")
    assert str(tmp_path) not in refused.value.text("en")


def test_the_allow_list_is_per_command(tmp_path: Path) -> None:
    with pytest.raises(FileTypeUnknown):
        read_vector(write(tmp_path / "a.gpkg"), drivers=frozenset({"GeoJSON"}))


def test_limits(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg")
    for limits in (Limits(file_bytes=10), Limits(rows=1), Limits(vertices=4)):
        with pytest.raises(FileTooLarge):
            read_vector(path, limits=limits)
    few = read_vector(path, limits=Limits(feature_vertices=4))
    assert few.notices["geometry-too-complex"] == [1, 2] and few.frame.geometry.isna().all()


def test_coordinates_that_are_no_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    odd = shapely.from_wkb(shapely.to_wkb(shapely.box(0, 0, 1, 1)))
    odd = shapely.transform(odd, lambda p: np.where(p == 1.0, np.inf, p))
    geopandas.GeoDataFrame({"code": ["a", "b"]}, geometry=[odd, shapely.box(0, 0, 1, 1)], crs=4326).to_file(
        path
    )
    file = read_vector(path)
    assert file.notices["coordinates-not-finite"] == [1] and file.frame.geometry.notna().tolist() == [
        False,
        True,
    ]


# ── The child ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_child_has_no_network_where_the_system_allows_it() -> None:
    off = reading.warm()
    if os.geteuid() == 0:
        assert off or not Path("/proc/self/ns/net").exists()


def test_processor_seconds_are_a_hard_limit(tmp_path: Path) -> None:
    star = shapely.Polygon(np.random.default_rng(3).random((1_500, 2)))
    begun = time.monotonic()
    with pytest.raises(FileTooLarge) as refused:
        reading.repair(np.array([star], dtype=object), Limits(cpu_s=1, wall_s=20, crossings=10**9))
    assert refused.value.code == "geometry-too-complex"
    assert time.monotonic() - begun < 25


def test_wall_clock_is_a_hard_limit_and_the_next_job_works(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg")
    with pytest.raises(FileTooLarge):
        read_vector(path, limits=Limits(wall_s=0))
    assert len(read_vector(path).frame) == 2


def test_memory_is_a_hard_limit(tmp_path: Path) -> None:
    path = tmp_path / "big.geojson"
    ring = [[121 + i * 1e-7, 31.0] for i in range(150_000)]
    path.write_text(json.dumps({"type": "Polygon", "coordinates": [[*ring, [121, 32], ring[0]]]}))
    with pytest.raises(RefusedFile):
        read_vector(path, limits=Limits(memory_bytes=10_000_000))
    assert len(read_vector(path).frame) == 1


def test_a_killed_child_is_replaced(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg")
    read_vector(path)
    assert process._known is not None
    os.kill(process._known.process.pid, signal.SIGKILL)
    process._known.process.wait()
    assert len(read_vector(path).frame) == 2


def test_the_child_dies_with_its_parent(tmp_path: Path) -> None:
    """A parent that is killed in the middle of a job leaves neither the child nor its fork behind."""
    program = (
        "import numpy as np, shapely\nfrom etl import process, reading\nreading.warm()\n"
        "print(process._known.process.pid, flush=True)\n"
        "star = shapely.Polygon(np.random.default_rng(3).random((3000, 2)))\n"
        "reading.repair(np.array([star], dtype=object), reading.Limits(crossings=10**9))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=process.ROOT)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    wait_until(lambda: len(children(child)) == 1)
    worker = children(child)[0]
    parent.kill()
    parent.wait()
    wait_until(lambda: not alive(child) and not alive(worker))


def children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in path.read_text().split()] if path.exists() else []


def alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(true: Any, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


# ── Repair ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_repair_says_what_became_of_each() -> None:
    bow_tie = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
    sliver = shapely.Polygon([(0, 0), (1, 1), (0, 0)])
    scribble = shapely.Polygon(np.random.default_rng(1).random((3_000, 2)))
    done = reading.repair(np.array([shapely.box(0, 0, 1, 1), bow_tie, sliver, scribble], dtype=object))
    assert done.changed.tolist() == [1] and done.emptied.tolist() == [2] and done.crossed.tolist() == [3]
    assert done.geoms[1].is_valid and done.geoms[1].area == pytest.approx(0.5)
    assert "Self-intersection" in done.reasons[0]


def test_valid_polygons_are_not_touched() -> None:
    ground = np.array([shapely.box(i, 0, i + 1, 1) for i in range(50)], dtype=object)
    done = reading.repair(ground)
    assert len(done.changed) == 0 and all(a is b for a, b in zip(done.geoms, ground, strict=True))


def test_entangled_shapes_are_given_up_not_waited_for() -> None:
    """Two valid zigzags whose edges cross everywhere: comparing them would take minutes."""
    teeth = np.arange(3_000)
    up = np.column_stack([teeth * 1.0 + 3_000 * (teeth % 2 == 1), 3_000.0 * (teeth % 2 == 1)])
    band = shapely.LineString(up).buffer(0.001, join_style="mitre")
    across = shapely.transform(band, lambda p: p[:, ::-1])
    begun = time.monotonic()
    with pytest.raises(FileTooLarge) as refused:
        reading.measure(
            "siblings",
            np.array([band, across], dtype=object),
            with_gaps=True,
            limits=Limits(cpu_s=2, wall_s=30),
        )
    assert refused.value.code == "geometry-too-complex" and time.monotonic() - begun < 40


# ── Real files ──────────────────────────────────────────────────────────────────────────────────────────────────────

REAL = {  # file -> rows, or the code of its refusal
    "boston_311/boundaries/blockgroups.json": 558,
    "boston_311/resources/Open_Space.parquet": 1_011,
    "china_nanjing_jiangning/gbk_shp/江宁街道.shp": 18,
    "china_shanghai/boundaries/shanghai_shp/区县界_area.shp": 17,
    "messy/fiona/!test.geojson": 1,
    "messy/fiona/coutwildrnp.zip": 67,
    "messy/fiona/gre.shp": 1,
    "messy/fiona/issue627.geojson": 3,
    "messy/fiona/trio.geojson": 3,
    "messy/fiona/trio.seq": 3,
    "messy/fiona/testopenfilegdb.gdb.zip": "layer-choice",
    "messy/fiona/curves_line.csv": "file-type",
    "messy/orphan_shp_no_shx_dbf/nta.shp": "shapefile-part-missing",
    "messy/pyogrio/curve.gpkg": 1,
    "messy/pyogrio/curvepolygon.gpkg": 1,
    "messy/pyogrio/line_zm.gpkg": 1,
    "messy/pyogrio/multisurface.gpkg": 1,
    "messy/pyogrio/test_gpkg_nulls.gpkg": 4,
    "messy/pyogrio/list_field_values_file.parquet": "geometry-missing",
    "messy/pyogrio/list_nested_struct_file.parquet": "geometry-missing",
    "messy/pyogrio/sample.osm.pbf": "layer-choice",
    "nyc_311/boundaries/nyczipfile.topojson": 262,
    "nyc_311/buzzfeed_complaints_by_tract.parquet": 2_099,
    "redistricting/IA_counties.zip": 99,
    "redistricting/gerrymandria.json": "geojson-type",
    "reference_stats/sids2.zip": "layer-choice",
}


@pytest.mark.parametrize("name", REAL)
def test_real_file(name: str, shared_data: Path) -> None:
    expected = REAL[name]
    try:
        found: int | str = len(read_vector(shared_data / "data" / name, drivers=NETWORK_DRIVERS).frame)
    except RefusedFile as refused:
        found = refused.code
    assert found == expected


def test_one_layer_of_a_file_geodatabase(shared_data: Path) -> None:
    path = shared_data / "data" / "messy" / "fiona" / "testopenfilegdb.gdb.zip"
    file = read_vector(path, layer="several_polygons")
    assert file.driver == "OpenFileGDB" and len(file.frame) > 0


def test_osm_only_where_ways_are_read(shared_data: Path) -> None:
    path = shared_data / "data" / "messy" / "pyogrio" / "sample.osm.pbf"
    with pytest.raises(FileTypeUnknown):
        read_vector(path, drivers=DRIVERS)
    assert read_vector(path, drivers=NETWORK_DRIVERS, layer="lines").driver == "OSM"


def test_chinese_names_come_out_whole(shared_data: Path) -> None:
    frame = read_vector(shared_data / "data" / "china_nanjing_jiangning" / "gbk_shp" / "江宁街道.shp").frame
    assert list(frame.columns[:2]) == ["街道代码", "街道名称"] and frame["街道名称"].iloc[0] == "东山街道"

"""Boundaries from file to editions: columns, parents, dates, siblings, CRS; on real layers and on small made ones."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

from etl import boundaries
from etl.boundaries.layout import choose, text_of
from etl.boundaries.levels import level_name
from etl.reading import read_vector
from etl.rejects import LoadReport
from geo.errors import Refused, RefusedArgument, RefusedFile

SPANS = (
    "SELECT b.attributes->>'edition', lower(e.during), upper(e.during) FROM boundary b "
    "JOIN edition e ON e.id = b.edition_id ORDER BY 1"
)


def square(i: int, j: int = 0, size: float = 0.01) -> shapely.Polygon:
    return shapely.box(121.4 + i * size, 31.2 + j * size, 121.4 + (i + 1) * size, 31.2 + (j + 1) * size)


def layer(path: Path, rows: list[dict[str, Any]], geoms: list[Any]) -> Path:
    """A GeoJSON layer written by hand, so that nothing is corrected on the way."""
    features = [
        {
            "type": "Feature",
            "properties": row,
            "geometry": json.loads(shapely.to_geojson(g)) if g is not None else None,
        }
        for row, g in zip(rows, geoms, strict=True)
    ]
    path.write_text(
        json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False), encoding="utf-8"
    )
    return path


def row_of(n: int, **more: Any) -> dict[str, Any]:
    return {"code": f"B{n}", "name": f"区{n}", **more}


def held(session: Session, level: str) -> list[tuple[Any, ...]]:
    return [
        tuple(r)
        for r in session.execute(
            text(
                "SELECT b.code, b.name, b.parent_code, lower(e.during), upper(e.during) FROM boundary b "
                "JOIN edition e ON e.id = b.edition_id JOIN level l ON l.id = e.level_id WHERE l.name = :level "
                "ORDER BY lower(e.during) NULLS FIRST, b.code"
            ),
            {"level": level},
        )
    ]


def refused(session: Session, path: Path, **options: Any) -> Refused:
    with pytest.raises(Refused) as caught, session.begin_nested():
        boundaries.load(session, path, **options)
    return caught.value


def counts(report: LoadReport) -> tuple[int, int, int, int, int]:
    return report.added, report.updated, report.unchanged, report.duplicate, report.rejected


# ── Columns ─────────────────────────────────────────────────────────────────────────────────────────────────────────

CHOSEN = [
    ("boston_311/boundaries/Wards.geojson", "ward", ("WARD", None, None)),
    ("boston_311/boundaries/Precincts.geojson", "precinct", ("WARD_PRECINCT", None, None)),
    ("boston_311/boundaries/Police_Districts.geojson", "police_district", ("DISTRICT", None, None)),
    ("boston_311/boundaries/Boston_Neighborhoods.geojson", "neighborhood", ("Neighborhood_ID", "Name", None)),
    ("boston_311/boundaries/City_of_Boston_Boundary.geojson", "city", (None, None, None)),
    ("boston_311/boundaries/blockgroups.json", "blockgroup", ("id", None, None)),
    ("nyc_311/boundaries/nyczipcodes.geojson", "zip", ("postalCode", "PO_NAME", None)),
    ("nyc_311/boundaries/community_districts.geojson", "community_district", ("boro_cd", None, None)),
    ("nyc_311/boundaries/nyc-police-precincts.geojson", "precinct", ("precinct", None, None)),
    ("taiwan_taipei/villages.geojson", "community", ("VILLCODE", "VILLNAME", "TOWNCODE")),
    ("taiwan_taipei/towns.geojson", "district", ("TOWNCODE", "TOWNNAME", None)),
    ("china_shanghai/boundaries/datav_310000_gcj02.geojson", "district", ("adcode", "name", "parent")),
    ("china_shanghai/boundaries/shanghai_shp/区县界_area.shp", "district", ("ADMINCODE", "NAME", None)),
    ("china_nanjing_jiangning/gbk_shp/江宁街道.shp", "街道", ("街道代码", "街道名称", None)),
    ("china_nanjing_jiangning/jiedao_320115_utf8.geojson", "street", ("GEOCODE", "NAME", None)),
    ("redistricting/IA_counties.zip", "district", ("GEOID10", "NAME10", None)),
]


@pytest.mark.parametrize(("name", "level", "expected"), CHOSEN)
def test_columns_of_real_layers(
    name: str, level: str, expected: tuple[str | None, ...], shared_data: Path
) -> None:
    frame = read_vector(shared_data / "data" / name).frame
    layout = choose(frame, *level_name(level), None, None, None)
    assert (layout.code, layout.name, layout.parent) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1.0, "1"), ("1.0", "1"), ("01", "01"), (" A7 ", "A7"), (None, ""), (float("nan"), ""), (310101, "310101"),
     ("310101000000.0", "310101000000"), (1.5, "1.5"), ('{"adcode": 310000}', "310000"), ("{broken", "{broken")],
)  # fmt: skip
def test_codes_as_text(value: Any, expected: str) -> None:
    assert text_of(value) == expected


def test_a_float_column_makes_whole_codes(db: Session, tmp_path: Path) -> None:
    path = layer(tmp_path / "a.geojson", [{"WARD": 1.0}, {"WARD": 2.0}], [square(0), square(1)])
    boundaries.load(db, path, level="ward")
    assert [row[0] for row in held(db, "ward")] == ["1", "2"]


def test_no_code_the_name_is_the_code(db: Session, tmp_path: Path) -> None:
    rows = [{"OBJECTID": 7, "名称": "东", "面积": 3.5}, {"OBJECTID": 9, "名称": "西", "面积": 4.5}]
    report = boundaries.load(db, layer(tmp_path / "a.geojson", rows, [square(0), square(1)]), level="片区")
    assert [row[:2] for row in held(db, "片区")] == [("东", "东"), ("西", "西")]
    assert report.layout == {"code": None, "name": "名称", "parent": None}


def test_asked_columns_must_exist(db: Session, tmp_path: Path) -> None:
    path = layer(tmp_path / "a.geojson", [row_of(1)], [square(0)])
    problem = refused(db, path, level="ward", code_field="kode")
    assert problem.code == "column-missing" and "code, name" in problem.text("en")


@pytest.mark.parametrize("name", ["grid", "hexagon", "a@2024", "", "x" * 80, "a;drop table"])
def test_names_a_level_cannot_have(name: str) -> None:
    with pytest.raises(RefusedArgument):
        level_name(name)


def test_personal_columns_are_not_kept(db: Session, tmp_path: Path) -> None:
    rows = [
        row_of(1, 负责人="张三", 联系电话="13800001111", 备注="好"),
        row_of(2, 负责人="李四", 联系电话="1", 备注=""),
    ]
    report = boundaries.load(db, layer(tmp_path / "a.geojson", rows, [square(0), square(1)]), level="片区")
    kept = db.scalars(text("SELECT attributes FROM boundary ORDER BY code")).all()
    assert kept == [{"备注": "好"}, {}]
    assert set(report.personal_columns) == {"负责人", "联系电话"}


# ── Editions ────────────────────────────────────────────────────────────────────────────────────────────────────────


def three(path: Path, last: str = "区3") -> Path:
    return layer(
        path, [row_of(1), row_of(2), {"code": "B3", "name": last}], [square(0), square(1), square(2)]
    )


def test_the_first_edition_holds_since_ever(db: Session, tmp_path: Path) -> None:
    report = boundaries.load(db, three(tmp_path / "a.geojson"), level="district")
    assert counts(report) == (3, 0, 0, 0, 0) and report.exit_code == 0
    assert [row[3:] for row in held(db, "district")] == [(None, None)] * 3
    assert db.scalar(text("SELECT rank FROM level")) == 2
    assert db.scalar(text("SELECT version FROM data_version WHERE part = 'boundaries'")) == 1


def test_the_same_file_again_changes_nothing(db: Session, tmp_path: Path) -> None:
    path = three(tmp_path / "a.geojson")
    first = boundaries.load(db, path, level="district")
    again = boundaries.load(db, path, level="district")
    assert counts(again) == (0, 0, 3, 0, 0) and again.run_id == first.run_id
    assert db.scalar(text("SELECT count(*) FROM load_run")) == 1
    assert db.scalar(text("SELECT version FROM data_version WHERE part = 'boundaries'")) == 1


def test_a_later_edition_needs_a_date_and_closes_the_former(db: Session, tmp_path: Path) -> None:
    boundaries.load(db, three(tmp_path / "a.geojson"), level="district")
    later = layer(tmp_path / "b.geojson", [row_of(1), row_of(2)], [square(0), square(1)])
    problem = refused(db, later, level="district")
    assert problem.code == "edition-date" and "--from" in problem.text("zh")
    boundaries.load(db, later, level="district", valid_from=dt.date(2024, 1, 1))
    spans = [(row[0], row[3], row[4]) for row in held(db, "district")]
    day = dt.date(2024, 1, 1)
    assert spans == [
        ("B1", None, day),
        ("B2", None, day),
        ("B3", None, day),
        ("B1", day, None),
        ("B2", day, None),
    ]
    again = boundaries.load(db, later, level="district", valid_from=day)
    assert counts(again) == (0, 0, 2, 0, 0)


def test_an_edition_between_two_others(db: Session, tmp_path: Path) -> None:
    for name, day in (("a", None), ("c", dt.date(2024, 1, 1)), ("b", dt.date(2022, 1, 1))):
        path = layer(tmp_path / f"{name}.geojson", [row_of(1, edition=name)], [square(0)])
        boundaries.load(db, path, level="district", valid_from=day)
    spans = db.execute(text(SPANS)).all()
    assert [tuple(s) for s in spans] == [
        ("a", None, dt.date(2022, 1, 1)),
        ("b", dt.date(2022, 1, 1), dt.date(2024, 1, 1)),
        ("c", dt.date(2024, 1, 1), None),
    ]


def test_an_older_edition_than_the_dated_first_one(db: Session, tmp_path: Path) -> None:
    """The first was loaded with a date and holds since ever; an older one takes over the time before that date."""
    for name, day in (("new", dt.date(2024, 1, 1)), ("old", dt.date(2020, 1, 1))):
        path = layer(tmp_path / f"{name}.geojson", [row_of(1, edition=name)], [square(0)])
        boundaries.load(db, path, level="district", valid_from=day)
    spans = db.execute(text(SPANS)).all()
    assert [tuple(s) for s in spans] == [
        ("new", dt.date(2024, 1, 1), None),
        ("old", None, dt.date(2024, 1, 1)),
    ]


def test_a_corrected_file_updates_in_place(db: Session, tmp_path: Path) -> None:
    boundaries.load(db, three(tmp_path / "a.geojson"), level="district")
    ids = dict(db.execute(text("SELECT code, id FROM boundary")).all())  # type: ignore[arg-type]
    report = boundaries.load(db, three(tmp_path / "b.geojson", "新区"), level="district", replace=True)
    assert counts(report) == (0, 1, 2, 0, 0)
    assert dict(db.execute(text("SELECT code, id FROM boundary")).all()) == ids  # type: ignore[arg-type]
    assert held(db, "district")[2][1] == "新区"
    less = layer(tmp_path / "c.geojson", [row_of(1)], [square(0)])
    gone = boundaries.load(db, less, level="district", replace=True)
    assert counts(gone) == (0, 0, 1, 0, 0) and gone.details["removed"] == ["B2", "B3"]


def test_the_same_date_again_is_a_correction(db: Session, tmp_path: Path) -> None:
    day = dt.date(2024, 5, 1)
    boundaries.load(db, three(tmp_path / "a.geojson"), level="district")
    boundaries.load(db, three(tmp_path / "b.geojson", "甲"), level="district", valid_from=day)
    report = boundaries.load(db, three(tmp_path / "c.geojson", "乙"), level="district", valid_from=day)
    assert counts(report) == (0, 1, 2, 0, 0)
    assert db.scalar(text("SELECT count(*) FROM edition")) == 2


def test_going_back_to_an_earlier_file_is_a_change(db: Session, tmp_path: Path) -> None:
    first, second = three(tmp_path / "a.geojson"), three(tmp_path / "b.geojson", "乙")
    boundaries.load(db, first, level="district")
    boundaries.load(db, second, level="district", replace=True)
    back = boundaries.load(db, first, level="district", replace=True)
    assert counts(back) == (0, 1, 2, 0, 0)
    assert held(db, "district")[2][1] == "区3"


def test_a_dry_run_writes_nothing(db: Session, tmp_path: Path) -> None:
    report = boundaries.load(db, three(tmp_path / "a.geojson"), level="district", dry_run=True)
    assert counts(report) == (3, 0, 0, 0, 0) and report.details["dry_run"]
    assert db.scalar(text("SELECT count(*) FROM level")) == 0
    assert db.scalar(text("SELECT count(*) FROM load_run")) == 0


# ── Rows ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_bad_features_are_rejects_the_others_load(db: Session, tmp_path: Path) -> None:
    scribble = shapely.Polygon(np.random.default_rng(1).random((3_000, 2)) * 0.01 + [121.4, 31.3])
    rows = [row_of(1), row_of(2), row_of(3), {"code": None, "name": "x"}, row_of(5)]
    geoms = [square(0), None, shapely.Point(121.4, 31.2), square(3), scribble]
    report = boundaries.load(db, layer(tmp_path / "a.geojson", rows, geoms), level="ward")
    assert counts(report) == (1, 0, 0, 0, 4) and report.rows_in == 5 and report.exit_code == 3
    assert {(r.row, r.code) for r in report.rejects} == {
        (2, "geometry-missing"),
        (3, "geometry-type"),
        (4, "code-missing"),
        (5, "geometry-invalid"),
    }
    assert (
        db.scalar(text("SELECT count(*) FROM reject WHERE load_run_id = :run"), {"run": report.run_id}) == 4
    )


def test_same_code_twice_is_refused_or_joined(db: Session, tmp_path: Path) -> None:
    path = layer(tmp_path / "a.geojson", [row_of(1), row_of(1), row_of(2)], [square(0), square(5), square(2)])
    problem = refused(db, path, level="ward")
    assert problem.code == "boundary-duplicate" and "--dissolve" in problem.text("en")
    report = boundaries.load(db, path, level="ward", dissolve=True)
    assert counts(report) == (2, 0, 0, 1, 0)
    assert db.scalar(text("SELECT ST_NumGeometries(geom) FROM boundary WHERE code = 'B1'")) == 2


def test_few_parts_of_an_overlay_are_joined_never_of_an_administrative_level(
    db: Session, tmp_path: Path
) -> None:
    rows = [row_of(1 if n == 9 else n) for n in range(10)]
    path = layer(tmp_path / "a.geojson", rows, [square(2 * n) for n in range(10)])
    assert refused(db, path, level="street").code == "boundary-duplicate"
    report = boundaries.load(db, path, level="zip")
    assert counts(report) == (9, 0, 0, 1, 0) and "boundary-dissolved" in report.notices


def test_a_chinese_word_for_a_rank_is_an_overlay_and_told_so(db: Session, tmp_path: Path) -> None:
    report = boundaries.load(db, layer(tmp_path / "a.geojson", [row_of(1)], [square(0)]), level="街道")
    assert "--level street" in report.notices["level-overlay"].zh
    assert db.scalar(text("SELECT rank FROM level WHERE name = '街道'")) is None


def test_repair_reports_code_and_area(db: Session, tmp_path: Path) -> None:
    tie = shapely.Polygon([(121.4, 31.2), (121.5, 31.3), (121.5, 31.2), (121.4, 31.3)])
    report = boundaries.load(db, layer(tmp_path / "a.geojson", [row_of(1)], [tie]), level="ward")
    assert report.exit_code == 0 and report.details["repairs"][0]["code"] == "B1"
    assert report.details["repairs"][0]["is_m2"] == pytest.approx(52.8e6, rel=0.01)
    assert db.scalar(text("SELECT bool_and(ST_IsValid(geom)) FROM boundary"))


def test_areas_are_square_metres(db: Session, tmp_path: Path) -> None:
    boundaries.load(db, layer(tmp_path / "a.geojson", [row_of(1)], [square(0)]), level="ward")
    area, crs, sphere = db.execute(
        text(
            "SELECT b.area_m2, e.measuring_crs, ST_Area(b.geom::geography) FROM boundary b JOIN edition e ON e.id = b.edition_id"
        )
    ).one()
    assert crs == "EPSG:4549" and area == pytest.approx(sphere, rel=1e-3)


# ── Siblings ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_overlap_refused_for_administrative_areas_warned_for_overlays(db: Session, tmp_path: Path) -> None:
    path = layer(
        tmp_path / "a.geojson",
        [row_of(1), row_of(2)],
        [square(0), shapely.transform(square(1), lambda p: p - np.array([0.0005, 0]))],
    )
    problem = refused(db, path, level="community")
    assert problem.code == "boundary-overlap" and "B1" in problem.text("zh") and "m²" in problem.text("zh")
    report = boundaries.load(db, path, level="ward")
    assert report.notices["boundary-overlap"].count == 1
    assert report.details["overlaps"][0]["share_of_smaller"] == pytest.approx(0.05, rel=1e-3)


def test_small_overlaps_of_administrative_areas_are_warned(db: Session, tmp_path: Path) -> None:
    nearly = shapely.transform(square(1), lambda p: p - np.array([0.00005, 0]))
    path = layer(tmp_path / "a.geojson", [row_of(1), row_of(2)], [square(0), nearly])
    assert "boundary-overlap" in boundaries.load(db, path, level="community").notices


def test_parents_in_a_circle(db: Session, tmp_path: Path) -> None:
    rows = [row_of(1, parent="B2"), row_of(2, parent="B3"), row_of(3, parent="B1")]
    problem = refused(
        db, layer(tmp_path / "a.geojson", rows, [square(0), square(1), square(2)]), level="district"
    )
    assert problem.code == "boundary-cycle" and "B1 → B2 → B3 → B1" in problem.text("en")


# ── Parents ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_parents_by_code_by_overlap_and_later(db: Session, tmp_path: Path) -> None:
    children = [
        {"code": "320115001", "name": "a"},
        {"code": "320116009", "name": "b"},
        {"code": "x7", "name": "c"},
    ]
    boundaries.load(
        db, layer(tmp_path / "s.geojson", children, [square(0), square(2), square(3)]), level="street"
    )
    assert [row[2] for row in held(db, "street")] == [None, None, None]
    above = [{"code": "320115", "name": "江宁"}, {"code": "320116", "name": "六合"}]
    wide = [shapely.union_all([square(0), square(1)]), shapely.union_all([square(2), square(3)])]
    report = boundaries.load(db, layer(tmp_path / "d.geojson", above, wide), level="district")
    assert report.details["relinked"] == 3
    assert [row[2] for row in held(db, "street")] == ["320115", "320116", "320116"]
    more = [{"code": "320115001001", "name": "m"}, {"code": "n", "name": "n"}]
    report = boundaries.load(
        db, layer(tmp_path / "c.geojson", more, [square(0, size=0.005), square(2)]), level="community"
    )
    assert [row[2] for row in held(db, "community")] == ["320115001", "320116009"]
    assert report.details["parents"] == {"level": "street", "field": 0, "code": 1, "overlap": 1, "none": 0}


def test_taipei_is_a_tree(db: Session, shared_data: Path) -> None:
    """456 villages in 12 towns: parents from TOWNCODE, whether asked for or found."""
    folder = shared_data / "data" / "taiwan_taipei"
    boundaries.load(db, folder / "towns.geojson", level="district")
    report = boundaries.load(db, folder / "villages.geojson", level="community", parent_field="TOWNCODE")
    assert report.added == 456 and "geometry-repaired" in report.notices
    found = dict(
        db.execute(  # type: ignore[arg-type]
            text(
                "SELECT t.name, count(*) FROM boundary v JOIN edition e ON e.id = v.edition_id JOIN level l ON l.id = e.level_id "
                "JOIN boundary t ON t.code = v.parent_code JOIN edition te ON te.id = t.edition_id "
                "JOIN level tl ON tl.id = te.level_id "
                "WHERE l.name = 'community' AND tl.name = 'district' GROUP BY 1"
            )
        ).all()
    )
    expected = (folder / "expected" / "villages_per_town.csv").read_text(encoding="utf-8").split()[1:]
    assert found == {line.split(",")[0]: int(line.split(",")[1]) for line in expected}


# ── CRS ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_boston_feet_are_refused_and_load_when_named(db: Session, shared_data: Path) -> None:
    folder = shared_data / "data" / "boston_311" / "boundaries"
    problem = refused(db, folder / "Police_Districts.geojson", level="police_district")
    assert problem.code == "coordinate-range" and "EPSG:2249" in problem.text("zh")
    report = boundaries.load(db, folder / "Police_Districts.geojson", level="feet", crs="EPSG:2249")
    boundaries.load(db, folder / "Police_Districts_wgs84.geojson", level="degrees")
    assert report.added == 12
    worst = db.scalar(
        text(
            "SELECT max(ST_Area(ST_SymDifference(a.geom, b.geom)::geography) / a.area_m2) FROM boundary a "
            "JOIN boundary b USING (code) JOIN edition ea ON ea.id = a.edition_id JOIN edition eb ON eb.id = b.edition_id "
            "WHERE ea.id < eb.id"
        )
    )
    assert worst is not None and worst < 0.01  # a metre of datum, along long borders


@pytest.mark.parametrize("crs", ["gcj02", "bd09"])
def test_chinese_datums_are_undone(crs: str, db: Session, tmp_path: Path) -> None:
    from geo import crs as coordinates

    true = square(0)
    shifted = coordinates.project(np.array([true], dtype=object), crs)[0]
    boundaries.load(db, layer(tmp_path / "a.geojson", [row_of(1)], [shifted]), level="ward", crs=crs)
    stored = shapely.from_wkb(bytes(db.scalar(text("SELECT ST_AsBinary(geom) FROM boundary")) or b""))
    assert shapely.hausdorff_distance(stored, true) < 1e-9
    assert shapely.hausdorff_distance(shifted, true) > 1e-3


def test_a_datum_that_fits_better_is_warned(db: Session, shared_data: Path) -> None:
    folder = shared_data / "data" / "china_nanjing_jiangning"
    boundaries.load(db, folder / "datav_320115_gcj02.geojson", level="district", crs="gcj02")
    wrong = boundaries.load(db, folder / "jiedao_320115_utf8.geojson", level="street", crs="gcj02")
    assert "datum-fit" in wrong.notices and "EPSG:4326" in wrong.notices["datum-fit"].en
    right = boundaries.load(db, folder / "jiedao_320115_utf8.geojson", level="street", replace=True)
    assert "datum-fit" not in right.notices
    assert right.details["datum"]["EPSG:4326"] == pytest.approx(0.975, abs=0.002)


def test_no_crs_at_all_is_refused_with_a_hint(db: Session, tmp_path: Path) -> None:
    frame = geopandas.GeoDataFrame({"code": ["a"]}, geometry=[square(0)])
    frame.to_file(tmp_path / "a.gpkg")
    problem = refused(db, tmp_path / "a.gpkg", level="ward")
    assert problem.code == "crs-unknown" and "EPSG:4326" in problem.text("en")
    assert boundaries.load(db, tmp_path / "a.gpkg", level="ward", crs="EPSG:4326").added == 1


def test_shanghai_gbk_shapefile(db: Session, shared_data: Path) -> None:
    path = shared_data / "data" / "china_shanghai" / "boundaries" / "shanghai_shp" / "区县界_area.shp"
    report = boundaries.load(db, path, level="district")
    assert report.added == 17 and report.encoding == "gb18030" and report.exit_code == 0
    names = [row[1] for row in held(db, "district")]
    assert "浦东新区" in names and all("�" not in name for name in names)
    assert report.details["area_m2"] == pytest.approx(6.85e9, rel=0.01)


@pytest.mark.parametrize(
    ("name", "level", "options", "expected"),
    [
        ("boston_311/boundaries/City_of_Boston_Boundary.geojson", "city", {}, (1, 1)),
        ("boston_311/boundaries/Wards.geojson", "ward", {}, (22, 3)),
        ("boston_311/boundaries/Precincts.geojson", "precinct", {"crs": "EPSG:2249"}, (255, 2)),
        ("boston_311/boundaries/Boston_Neighborhoods.geojson", "neighborhood", {}, (26, 1)),
        ("boston_311/boundaries/blockgroups.json", "blockgroup", {}, (558, 0)),
        ("nyc_311/boundaries/nyc-police-precincts.geojson", "precinct", {}, (77, 2)),
        ("nyc_311/boundaries/nyczipfile.topojson", "zip", {}, (247, 7)),
        ("nyc_311/boundaries/community_districts.geojson", "cd", {}, (71, 0)),
        ("redistricting/IA_counties.zip", "district", {}, (99, 0)),
    ],
)
def test_real_layers(
    name: str, level: str, options: dict[str, Any], expected: tuple[int, int], db: Session, shared_data: Path
) -> None:
    report = boundaries.load(db, shared_data / "data" / name, level=level, **options)
    repaired = report.notices["geometry-repaired"].count if "geometry-repaired" in report.notices else 0
    assert (report.added, repaired) == expected


# ── Danger ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_hostile_polygons_never_reach_the_database(db: Session, tmp_path: Path) -> None:
    """Scribbles of many sizes: refused or repaired outside, and PostgreSQL never so much as restarts."""
    up_since = db.scalar(text("SELECT pg_postmaster_start_time()"))
    random = np.random.default_rng(11)
    rows, geoms = [], []
    for n in range(30):
        points = random.random((int(random.integers(4, 600)), 2)) * 0.01 + [121.4 + n * 0.011, 31.2]
        rows.append(row_of(n))
        geoms.append(shapely.Polygon(points))
    report = boundaries.load(db, layer(tmp_path / "a.geojson", rows, geoms), level="ward")
    report.check()
    assert report.added + report.rejected == 30 and report.rejected > 0
    assert db.scalar(text("SELECT bool_and(ST_IsValid(geom)) FROM boundary"))
    assert db.scalar(text("SELECT pg_postmaster_start_time()")) == up_since


def test_a_missing_file(db: Session, tmp_path: Path) -> None:
    with pytest.raises(RefusedFile) as caught:
        boundaries.load(db, tmp_path / "nothing.geojson", level="ward")
    assert caught.value.code == "file-missing"

"""Cases and facilities of real cities: known numbers, whole files, and files that were broken for the purpose."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

from etl import cases, facilities
from geo.errors import RefusedFile


@pytest.fixture
def data(shared_data: Path) -> Path:
    return shared_data / "data"


def checksum(session: Session, source: str) -> str:
    """Everything a source holds but the numbers the database hands out."""
    return str(
        session.scalar(
            text(
                "SELECT md5(string_agg(concat_ws('|', source_case_id, opened_at AT TIME ZONE 'UTC',"
                " closed_at AT TIME ZONE 'UTC', "
                "due_at AT TIME ZONE 'UTC', status, origin, urgency, satisfied, flags, "
                "responsible_body, description, attributes, "
                "ST_AsEWKB(geom), row_hash, k.code, p.code), ',' ORDER BY source_case_id)) FROM cases c "
                "JOIN source s ON s.id = c.source_id JOIN category k ON k.id = c.category_id "
                "LEFT JOIN category p ON p.id = k.parent_id WHERE s.name = :source"
            ),
            {"source": source},
        )
    )


def test_boston_every_row_is_accounted_for(data: Path, db: Session) -> None:
    path = data / "boston_311" / "boston_311_2015.csv.gz"
    report = cases.load(db, path, source="boston")
    assert (report.rows_in, report.added, report.rejected, report.duplicate) == (121_145, 121_145, 0, 0)
    assert report.layout["layout"] == "boston_311" and report.unplaced == 0
    assert next(n for n in report.notices.values() if n.code == "date-order").count == 197
    before = checksum(db, "boston")
    again = cases.load(db, path, source="boston")
    assert (again.added, again.updated, again.unchanged) == (0, 0, 121_145) and again.run_id == report.run_id
    assert checksum(db, "boston") == before
    frame = pd.read_csv(path, dtype=str)
    local = pd.to_datetime(frame["OPEN_DT"], format="%m/%d/%Y %I:%M:%S %p").dt.tz_localize(
        "America/New_York", ambiguous=np.ones(len(frame), bool)
    )
    opened = local.dt.tz_convert("UTC")  # Python never calls times of a repeated hour equal across zones
    stored = dict(db.execute(text("SELECT source_case_id, opened_at FROM cases")).all())
    wrong = [
        (i, stored[i], t) for i, t in zip(frame["CASE_ENQUIRY_ID"], opened, strict=True) if stored[i] != t
    ]
    assert not wrong


def test_boston_counts_by_month_and_reason_equal_the_published_ones(data: Path, db: Session) -> None:
    cases.load(db, data / "boston_311" / "boston_311_2015.csv.gz", source="boston")
    months = pd.read_csv(data / "boston_311" / "expected" / "opened_by_month.csv")
    found = dict(
        db.execute(
            text(
                "SELECT to_char(opened_at AT TIME ZONE 'America/New_York', 'YYYY-MM'), count(*) FROM cases GROUP BY 1"
            )
        ).all()
    )
    assert found == dict(zip(months.iloc[:, 0], months.iloc[:, 1], strict=True))


def test_a_corrected_file_updates_only_what_differs(data: Path, db: Session, tmp_path: Path) -> None:
    source = data / "boston_311" / "boston_311_2015_sample5k.csv.gz"
    assert cases.load(db, source, source="boston").added == 5000
    lines = gzip.decompress(source.read_bytes()).decode().splitlines()
    assert ",Open," in lines[1]
    lines[1] = lines[1].replace(",Open,", ",Closed,")
    corrected = tmp_path / "corrected.csv"
    corrected.write_text("\n".join([*lines, lines[1].replace("101001240900", "999")]) + "\n")
    report = cases.load(db, corrected, source="boston")
    assert (report.added, report.updated, report.unchanged) == (1, 1, 4999)
    assert db.scalar(text("SELECT count(*) FROM cases WHERE load_run_id = :run"), {"run": report.run_id}) == 2


def test_rows_in_another_order_change_nothing(data: Path, db: Session, tmp_path: Path) -> None:
    source = data / "boston_311" / "boston_311_2015_sample5k.csv.gz"
    cases.load(db, source, source="boston")
    before = checksum(db, "boston")
    lines = gzip.decompress(source.read_bytes()).decode().splitlines()
    shuffled = tmp_path / "shuffled.csv"
    shuffled.write_text("\n".join([lines[0], *reversed(lines[1:])]) + "\n")
    report = cases.load(db, shuffled, source="boston")
    assert (report.added, report.updated, report.unchanged) == (0, 0, 5000)
    assert checksum(db, "boston") == before


@pytest.mark.parametrize(
    ("name", "layout", "rows", "unplaced"),
    [
        ("nyc311_2022-05-01_portal_layout.csv.gz", "nyc_311_portal", 924, 11),
        ("nyc311_2024-04_api_layout.csv.gz", "nyc_311_api", 1000, 23),
        ("nyc311_2026-06_10k.csv.gz", "nyc_311_short", 10_000, 114),
    ],
)
def test_new_york_layouts_need_no_mapping(
    data: Path, db: Session, name: str, layout: str, rows: int, unplaced: int
) -> None:
    report = cases.load(db, data / "nyc_311" / name, source="nyc")
    assert report.layout["layout"] == layout and report.layout["timezone"] == "America/New_York"
    assert (report.rows_in, report.added, report.unplaced) == (rows, rows, unplaced)


def test_a_whole_file_with_swapped_axes_is_refused(data: Path, db: Session, tmp_path: Path) -> None:
    real = data / "messy" / "syracuse_potholes_latlon_swapped.csv"
    with pytest.raises(RefusedFile) as refused:
        cases.load(db, real, source="syracuse")
    assert refused.value.code == "column-missing"  # it has no identifier either
    numbered = tmp_path / "numbered.csv"
    rows = list(csv.reader(real.open()))
    with numbered.open("w", newline="") as file:
        csv.writer(file).writerows(
            [["case_id", *rows[0]], *([str(i), *row] for i, row in enumerate(rows[1:]))]
        )
    with pytest.raises(RefusedFile) as refused:
        cases.load(db, numbered, source="syracuse")
    assert refused.value.code == "axes-swapped" and "Latitude" in str(refused.value)


POI = {
    "shanghai_hospital": 7513, "shanghai_school": 6151, "shanghai_bus": 10_186, "幼儿园": 2284, "小学": 931, "中学": 983,
    "大学": 1872, "shanghai_Theatr_Cinema": 753, "shanghai_urban": 449,
}  # fmt: skip


def test_all_places_of_shanghai_load(data: Path, db: Session) -> None:
    for name, rows in POI.items():
        report = facilities.load(db, data / "china_shanghai" / "poi" / f"{name}.csv.gz", kind=name)
        assert (report.rows_in, report.added, report.rejected) == (rows, rows, 0)
        again = facilities.load(db, data / "china_shanghai" / "poi" / f"{name}.csv.gz", kind=name)
        assert (again.added, again.unchanged) == (0, rows)
    assert db.scalar(text("SELECT count(*) FROM facility")) == 31_122


@pytest.mark.parametrize(
    ("name", "tolerance_deg"),
    [
        ("shanghai_hospitals_中文表头.xlsx", 1e-9),
        ("shanghai_hospitals_gb18030.csv", 1e-9),
        ("shanghai_hospitals_dms_utf8bom.csv", 3e-6),
    ],
)
def test_the_same_hospitals_in_three_disguises(
    data: Path, db: Session, name: str, tolerance_deg: float
) -> None:
    path = data / "messy" / name
    report = facilities.load(db, path, kind="hospital")
    assert report.rejected == 0 and report.added + report.duplicate == report.rows_in >= 60
    with gzip.open(data / "china_shanghai" / "poi" / "shanghai_hospital.csv.gz", "rt") as file:
        truth: dict[str, list[tuple[float, float]]] = {}
        for row in csv.DictReader(file):
            truth.setdefault(row["name"], []).append((float(row["lon"]), float(row["lat"])))
    stored = db.execute(text("SELECT name, ST_X(point), ST_Y(point) FROM facility")).all()
    for title, lon, lat in stored:
        assert min(max(abs(lon - x), abs(lat - y)) for x, y in truth[title]) <= tolerance_deg, title


def test_areas_as_facilities(data: Path, db: Session) -> None:
    report = facilities.load(db, data / "boston_311" / "resources" / "Open_Space.parquet", kind="open_space")
    assert (
        report.rows_in == 1011
        and report.added + report.duplicate + report.rejected == 1011
        and report.added > 900
    )
    inside = db.scalar(
        text("SELECT bool_and(ST_Intersects(geom, point)) FROM facility WHERE geom IS NOT NULL")
    )
    assert inside is True


def test_points_that_name_their_district_tell_the_datum(data: Path, db: Session, insert_areas) -> None:  # type: ignore[no-untyped-def]
    import geopandas

    from geo import crs

    file = data / "china_shanghai" / "boundaries" / "datav_310000_gcj02.geojson"
    fences = geopandas.read_file(file)
    polygons = np.asarray(fences.geometry.values, dtype=object)
    polygons = shapely.make_valid(crs.project(polygons, "EPSG:4326", source="gcj02"))
    insert_areas(db, "district", dict(zip(fences["name"], polygons, strict=True)), rank=2)
    db.execute(text("UPDATE boundary SET name = code"))
    path = data / "china_shanghai" / "poi" / "shanghai_school.csv.gz"
    report = facilities.load(db, path, kind="school")
    assert report.details["datum"]["EPSG:4326"] > 0.99 > report.details["datum"]["gcj02"]
    with pytest.raises(RefusedFile) as refused:
        from etl.facilities import datum

        datum.weigh(report.details["datum"], "gcj02", asked=False)
    assert refused.value.code == "datum-doubtful"
    wrong = facilities.load(db, path, kind="school2", crs="gcj02")
    assert any(n.code == "datum-doubtful" for n in wrong.notices.values())

"""One set of cases in every format, and a reject list that comes back corrected."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import geopandas
import openpyxl
import pandas as pd
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from etl import cases
from etl.tables.door import open_table
from geo.errors import Refused, RefusedArgument, RefusedFile

ROWS = [
    {"service_request_id": f"R{i}", "requested_datetime": f"2025-03-0{i}T08:00:00+08:00", "status": "open",
     "service_name": "road",
     "description": f"text {i}", "lat": 31.2 + i / 100, "long": 121.4 + i / 100}
    for i in range(1, 5)
]  # fmt: skip


def as_csv(folder: Path) -> Path:
    pd.DataFrame(ROWS).to_csv(folder / "a.csv", index=False)
    return folder / "a.csv"


def as_tsv_gb18030(folder: Path) -> Path:
    pd.DataFrame(ROWS).to_csv(folder / "a.tsv", index=False, sep="\t", encoding="gb18030")
    return folder / "a.tsv"


def as_xlsx(folder: Path) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["三月工单"])
    sheet.append([])
    frame = pd.DataFrame(ROWS)
    frame["requested_datetime"] = pd.to_datetime(frame["requested_datetime"]).dt.tz_localize(None)
    sheet.append(list(frame.columns))
    for row in frame.itertuples(index=False):
        sheet.append([v.to_pydatetime() if isinstance(v, pd.Timestamp) else v for v in row])
    book.save(folder / "a.xlsx")
    return folder / "a.xlsx"


def as_json(folder: Path) -> Path:
    (folder / "a.json").write_text(json.dumps(ROWS))
    return folder / "a.json"


def as_xml(folder: Path) -> Path:
    fields = ["".join(f"<{k}>{v}</{k}>" for k, v in row.items()) for row in ROWS]
    inner = "".join(f"<request>{field}</request>" for field in fields)
    (folder / "a.xml").write_text(f'<?xml version="1.0"?><service_requests>{inner}</service_requests>')
    return folder / "a.xml"


def as_parquet(folder: Path) -> Path:
    pd.DataFrame(ROWS).to_parquet(folder / "a.parquet")
    return folder / "a.parquet"


def layer() -> geopandas.GeoDataFrame:
    frame = pd.DataFrame(ROWS)
    points = geopandas.points_from_xy(frame["long"], frame["lat"])
    return geopandas.GeoDataFrame(frame.drop(columns=["long", "lat"]), geometry=points, crs=4326)


def as_geojson(folder: Path) -> Path:
    layer().to_file(folder / "a.geojson")
    return folder / "a.geojson"


def as_gpkg(folder: Path) -> Path:
    layer().to_crs(4549).to_file(folder / "a.gpkg")
    return folder / "a.gpkg"


def as_geoparquet(folder: Path) -> Path:
    layer().to_parquet(folder / "g.parquet")
    return folder / "g.parquet"


FORMATS = (as_csv, as_tsv_gb18030, as_xlsx, as_json, as_xml, as_parquet, as_geojson, as_gpkg, as_geoparquet)


@pytest.mark.parametrize("make", FORMATS, ids=[f.__name__[3:] for f in FORMATS])
def test_every_format_gives_the_same_cases(make, db: Session, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    report = cases.load(db, make(tmp_path), source="x")
    assert (report.added, report.rejected, report.unplaced) == (4, 0, 0)
    assert report.layout["layout"] == "open311_bulk"
    found = db.execute(
        text(
            "SELECT source_case_id, opened_at AT TIME ZONE 'UTC' AS opened, description, "
            "ST_X(geom) x, ST_Y(geom) y FROM cases ORDER BY 1"
        )
    ).all()
    for row, truth in zip(found, ROWS, strict=True):
        assert (row[0], row[2]) == (truth["service_request_id"], truth["description"])
        assert row.opened == pd.Timestamp(str(truth["requested_datetime"])).tz_convert("UTC").tz_localize(
            None
        )
        assert abs(row.x - float(str(truth["long"]))) < 1e-7 and abs(row.y - float(str(truth["lat"]))) < 1e-7


def test_open311_xml_with_a_doctype_is_refused(db: Session, tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text(
        '<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/passwd">]><r><request><a>&e;</a></request></r>'
    )
    with pytest.raises(Refused) as refused:
        cases.load(db, path, source="x")
    assert refused.value.code == "xml-dtd"


def test_a_mapping_file_names_columns_formats_and_clock(db: Session, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("nr,wann,rechts,hoch\n1,03/04/2025 08:00,121.4,31.2\n")
    (tmp_path / "layout.toml").write_text(
        'timezone = "Europe/Berlin"\n[fields]\nid = "nr"\nopened_at = "wann"\nlon = "rechts"\nlat = "hoch"\n'
        '[formats]\nopened_at = "%d/%m/%Y %H:%M"\n'
    )
    with pytest.raises(Refused) as refused:
        cases.load(db, tmp_path / "a.csv", source="x")
    assert refused.value.code == "column-missing"
    assert cases.load(db, tmp_path / "a.csv", source="x", map_file=tmp_path / "layout.toml").added == 1
    assert str(db.scalar(text("SELECT opened_at AT TIME ZONE 'UTC' FROM cases"))) == "2025-04-03 06:00:00"


def test_projected_columns_need_a_crs(db: Session, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,opened_at,x,y\n1,2022-05-01,1005536,241916\n")
    with pytest.raises(Refused) as refused:
        cases.load(db, tmp_path / "a.csv", source="x")
    assert refused.value.code == "crs-missing"
    assert cases.load(db, tmp_path / "a.csv", source="x", crs="EPSG:2263").added == 1
    assert abs(float(db.scalar(text("SELECT ST_X(geom) FROM cases")) or 0) + 73.923082) < 1e-5


def test_a_closed_catalogue_rejects_unknown_words(db: Session, tmp_path: Path) -> None:
    db.execute(text("INSERT INTO catalogue (id, name, open) VALUES (77, 'x', false)"))
    db.execute(text("INSERT INTO category (catalogue_id, code, name) VALUES (77, 'road', 'road')"))
    (tmp_path / "a.csv").write_text(
        "id,opened_at,category,lon,lat\n1,2025-03-01,road,121.4,31.2\n2,2025-03-01,moon,121.4,31.2\n"
    )
    report = cases.load(db, tmp_path / "a.csv", source="x")
    assert (report.added, report.rejects_by_code) == (1, {"category-unknown": 1})
    assert [(r.row, r.value) for r in report.rejects] == [(3, "moon")]


def wangge(environment: dict[str, str], *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "api", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stdout


def test_rejects_come_back_corrected(environment: dict[str, str], tmp_path: Path) -> None:
    """The command line from file to reject list to corrected file, exit codes included."""
    path, out = tmp_path / "a.csv", tmp_path / "out.csv"
    path.write_text(
        "case_id,opened_at,category,lon,lat,description\nA1,2025-03-01,road,121.4,31.2,fine\n"
        "A2,2025-02-30,road,121.4,-31.2,=1+1\nA3,2025-03-01,road,121.4,931.2,-5 degrees\n"
    )
    tried = json.loads(
        wangge(environment, "load", "cases", str(path), "--source", "x", "--dry-run", "--json", code=3)
    )
    assert tried["rejected"] == 2 and tried["run"] is None
    loaded = json.loads(wangge(environment, "load", "cases", str(path), "--source", "x", "--json", code=3))
    assert (loaded["added"], loaded["rejects_by_code"]) == (1, {"date-invalid": 1, "coordinate-range": 1})
    wangge(environment, "runs", "show", str(loaded["run"]), "--rejects", str(out))
    rows = list(csv.DictReader(out.open(encoding="utf-8-sig")))
    assert [r["reject_row"] for r in rows] == ["3", "4"] and [r["description"] for r in rows] == [
        "'=1+1",
        "'-5 degrees",
    ]
    assert rows[0]["lat"] == "-31.2"  # a number is no formula
    rows[0]["opened_at"], rows[1]["lat"] = "2025-02-28", "31.2"
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    again = json.loads(wangge(environment, "load", "cases", str(out), "--source", "x", "--json"))
    assert (again["added"], again["rejected"]) == (2, 0)
    listed = json.loads(wangge(environment, "runs", "--json"))
    assert [(r["rows_added"], r["rows_rejected"]) for r in listed] == [(2, 0), (1, 2)]
    assert wangge(environment, "load", "cases", str(tmp_path / "none.csv"), "--source", "x", code=2) == ""


@pytest.mark.parametrize(
    "word",
    [
        "zzz",
        "hex",
        "base64",
        "zlib",
        "rot13",
        "undefined",
        "unicode_escape",
        "utf-7",
        "idna",
        "utf-16",
        "utf-32",
    ],
)
def test_an_encoding_that_the_file_is_not_in(tmp_path: Path, word: str) -> None:
    """Refused with words, whatever the codec does: some pack bytes, some need a mark, some make no text at all."""
    file = tmp_path / "a.csv"
    file.write_text("工单编号,受理时间\nA\\ud800,2025-03-01 08:00:00\n", encoding="utf-8")
    with pytest.raises((RefusedArgument, RefusedFile)) as refused:
        open_table(file, encoding=word)
    assert word in refused.value.en

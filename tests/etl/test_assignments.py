"""A table unit → grid: headers in two languages, GBK, every row accounted for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from api import plan_files, plan_imports
from etl import assignments
from geo.errors import RefusedArgument, RefusedFile
from grids import plans
from tests.grids.small_plans import COMMUNITIES, copy, plan, strips, town

A, B = COMMUNITIES


@pytest.fixture
def ids(db: Session) -> dict[str, int]:
    return town(db)


def write(path: Path, lines: list[str], encoding: str = "utf-8") -> Path:
    path.write_bytes("\n".join(lines).encode(encoding))
    return path


def test_chinese_headers_in_gbk(db: Session, ids: dict[str, int], tmp_path: Path) -> None:
    rows = [
        f"{code},{'东片' if code.startswith(B) else '西片'},{'东' if code.startswith(B) else '西'}网格,2"
        for code in ids
    ]
    file = write(tmp_path / "归属.csv", ["单元编码,网格编码,网格名称,岗位数", *rows], "gbk")
    report, done = plan_imports.load_table(db, file, name="现状")
    assert (report.rows_in, report.added, report.rejected, done.grids, done.open_units) == (24, 24, 0, 2, 0)
    assert report.encoding is not None and report.encoding.lower().startswith("gb")
    found = db.execute(text("SELECT code, name, posts FROM grid ORDER BY code")).all()
    assert [tuple(row) for row in found] == [("东片", "东网格", 2.0), ("西片", "西网格", 2.0)]
    assert plans.check(db, "现状") == [] and done.nesting == "strict"
    kept = db.execute(text("SELECT p.load_run_id = r.id, r.kind, r.rows_added FROM plan p, load_run r")).one()
    assert tuple(kept) == (True, "plan", 24)


def test_every_row_is_accounted_for(db: Session, ids: dict[str, int], tmp_path: Path) -> None:
    codes = sorted(ids)
    lines = ["unit,grid,posts", f"{codes[0]},G1,1", f"{codes[0]},G1,1", f"{codes[1]},G1,x", ",G1,", "nobody,G1,",
             f"{codes[2]},G1,", f"{codes[2]},G2,", f"{codes[3]},,", f"{codes[4]},{'x' * 81},", f"{codes[5]},G2,"]  # fmt: skip
    report, done = plan_imports.load_table(db, write(tmp_path / "a.csv", lines), name="p")
    assert report.rows_in == 10 and (report.added, report.duplicate, report.rejected) == (3, 1, 6)
    assert dict(report.rejects_by_code) == {
        "posts-invalid": 1, "unit-missing": 1, "unit-unknown": 1, "row-conflict": 2, "grid-code": 1,
    }  # fmt: skip
    assert {r.row for r in report.rejects} == {4, 5, 6, 7, 8, 10} and report.exit_code == 3
    assert (done.grids, done.open_units) == (2, 22)
    assert report.rejects[0].original[report.layout["unit"]] == codes[1]


def test_a_cut_unit_stands_for_its_parts(db: Session, ids: dict[str, int], tmp_path: Path) -> None:
    old, own = sorted(ids)[:2]
    db.execute(
        text(
            "INSERT INTO unit (code, parent_id, geom, point, area_m2, perimeter_m) SELECT code || '-' || n, id, geom, point, "
            "5000, 300 FROM unit, generate_series(1, 2) n WHERE code = :c"
        ),
        {"c": old},
    )
    lines = ["unit,grid", f"{old}-2,G2", f"{old},G1", f"{own},G1"]
    found = assignments.read(db, write(tmp_path / "a.csv", lines), name="p")
    assert found.grid_of == {f"{old}-1": "G1", f"{old}-2": "G2", own: "G1"}


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (["a,b", "1,2"], "column-missing"),
        (["unit,b", "1,2"], "column-missing"),
        (["unit,grid"], "no-assignments"),
        ([""], "file-empty"),
    ],
)
def test_refusals(db: Session, ids: dict[str, int], tmp_path: Path, lines: list[str], code: str) -> None:
    with pytest.raises(RefusedFile) as refused:
        plan_imports.load_table(db, write(tmp_path / "a.csv", lines), name="p")
    assert refused.value.code == code


def test_the_round_trip_is_the_same_plan(db: Session, ids: dict[str, int], tmp_path: Path) -> None:
    given = strips(ids, 6, 3)
    del given[f"{A}001"]  # an open unit stays open
    made = plan(db, "p", given, nesting="free")
    db.execute(
        text("UPDATE grid SET posts = 2.5, locked = true, name = '=1+1' WHERE plan_id = :p AND code = :c"),
        {"p": made, "c": f"{B}001"},
    )
    copy(db, "p", "other")
    out = tmp_path / "p.csv"
    plan_files.export(db, "p", out)
    assert "'=1+1" in out.read_text(encoding="utf-8-sig")
    plan_imports.load_table(db, out, name="back", nest="free")
    assert plans.assignment(db, "back") == plans.assignment(db, "p")
    with pytest.raises(RefusedArgument, match="already a plan"):
        plan_imports.load_table(db, out, name="back")


def test_columns_named_by_hand(db: Session, ids: dict[str, int], tmp_path: Path) -> None:
    lines = ["街区,片,名", *(f"{code},P1,片一" for code in ids)]
    fields: Any = {"unit_field": "街区", "code_field": "片", "name_field": "名"}
    _, done = plan_imports.load_table(db, write(tmp_path / "a.csv", lines), name="p", **fields)
    assert done.grids == 1 and db.scalar(text("SELECT name FROM grid")) == "片一"
    with pytest.raises(RefusedFile) as refused:
        plan_imports.load_table(db, tmp_path / "a.csv", name="q", unit_field="没有")
    assert refused.value.code == "column-missing"

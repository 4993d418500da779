"""`wangge sample` on a real database: every dirty row is accounted for, twice changes nothing, other data is left alone."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from api.cli import sample_city
from etl.sample import SampleSpec
from geo.db import session as sessions
from geo.errors import Conflict
from geo.progress import silent
from geo.settings import Settings

SPEC = SampleSpec(seed=7, cases=2_400, communities=12, workbook_rows=700)
Loaded = tuple[Settings, sample_city.Made, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def loaded(module_settings: Settings) -> Loaded:
    made = sample_city.make(module_settings, SPEC, None, silent)
    manifest = json.loads((Path(made.folder) / "synthetic_manifest.json").read_text(encoding="utf-8"))
    return module_settings, made, manifest["cases"]


def one(settings: Settings, sql: str) -> Any:
    with sessions.session(settings, "owner") as session:
        return session.execute(text(sql)).scalar_one()


def test_the_report_of_every_case_file_equals_the_account_of_its_maker(loaded: Loaded) -> None:
    _, made, files = loaded
    reports = {r.file_name: r for r in made.reports if r.kind == "cases"}
    assert {f["file"] for f in files} == set(reports) and len(files) == 3
    for file in files:
        report, expected = reports[file["file"]], file["expected"]
        assert dict(report.rejects_by_code) == expected["rejects_by_code"], file["file"]
        got = {
            "rows": report.rows_in,
            "added": report.added,
            "duplicate": report.duplicate,
            "unplaced": report.unplaced,
        }
        assert got == {k: expected[k] for k in got}, file["file"]
        notices = {code: n.count for code, n in report.notices.items()}
        assert notices.get("date-order", 0) == expected["notices"]["date-order"]
        assert notices.get("row-duplicate", 0) == expected["duplicate"]
        assert notices.get("unplaced", 0) == expected["unplaced"]
        masked = sum(n for code, n in notices.items() if code.split(":")[0] == "personal-data")
        assert masked == expected["masked"]
    assert made.exit_code == 3


def test_what_stands_in_the_database_adds_up(loaded: Loaded) -> None:
    settings, _, files = loaded
    added = sum(f["expected"]["added"] for f in files)
    unplaced = sum(f["expected"]["unplaced"] for f in files)
    outside = sum(f["expected"]["outside"] for f in files)
    assert one(settings, "SELECT count(*) FROM cases") == added
    assert one(settings, "SELECT count(*) FROM cases WHERE geom IS NULL") == unplaced
    assert one(settings, "SELECT count(*) FROM cases WHERE geom IS NOT NULL AND unit_id IS NULL") == outside
    assert one(settings, "SELECT synthetic FROM city") is True
    assert one(settings, "SELECT count(*) FROM facility WHERE unit_id IS NULL") == 0
    assert one(settings, "SELECT count(DISTINCT kind) FROM facility") == 10
    assert one(settings, "SELECT count(*) FROM category WHERE name_en IS NULL") == 0


def test_nothing_personal_is_stored(loaded: Loaded) -> None:
    settings, _, _ = loaded
    assert one(settings, "SELECT count(*) FROM cases WHERE description ~ '1300000[0-9]{4}'") == 0
    assert one(settings, "SELECT count(*) FROM cases WHERE attributes::text ~ '女士|先生|1300000'") == 0
    assert one(settings, "SELECT count(*) FROM reject WHERE original::text ~ '女士|先生|1300000[0-9]'") == 0


def test_gcj02_cases_land_in_the_community_their_text_names(loaded: Loaded) -> None:
    """The free text names the community: a datum mistake of 500 m would break most of them."""
    settings, _, _ = loaded
    share = one(
        settings,
        "SELECT avg((position(b.name IN c.description) > 0)::int) FROM cases c JOIN source s ON s.id = c.source_id "
        "JOIN boundary b ON ST_Covers(b.geom, c.geom) JOIN edition e ON e.id = b.edition_id "
        "JOIN level l ON l.id = e.level_id AND l.name = 'community' "
        "WHERE s.name = 'patrol' AND c.description ~ '(社区|村)'",
    )
    assert share > 0.93


def test_units_cover_the_city_and_the_plan_holds_from_the_first_case(loaded: Loaded) -> None:
    settings, made, _ = loaded
    unit, area = (
        one(settings, "SELECT sum(area_m2) FROM unit"),
        one(
            settings,
            "SELECT sum(area_m2) FROM boundary b JOIN edition e ON e.id = b.edition_id JOIN level l ON l.id = e.level_id "
            "WHERE l.name = 'community'",
        ),
    )
    assert unit == pytest.approx(area, rel=1e-6)
    assert made.units == one(settings, "SELECT count(*) FROM unit") > 300
    assert one(settings, "SELECT lower(during) FROM plan WHERE state = 'approved'") == SPEC.first_day
    first = one(settings, "SELECT min(opened_at) FROM cases")
    assert first.astimezone(dt.timezone(dt.timedelta(hours=8))).date() >= SPEC.first_day
    assert made.grids == one(settings, "SELECT count(*) FROM grid") > 10


def test_again_changes_nothing(loaded: Loaded) -> None:
    settings, made, _ = loaded
    before = one(
        settings, "SELECT md5(string_agg(c::text, '' ORDER BY source_id, source_case_id)) FROM cases c"
    )
    again = sample_city.make(settings, SPEC, None, silent)
    after = one(
        settings, "SELECT md5(string_agg(c::text, '' ORDER BY source_id, source_case_id)) FROM cases c"
    )
    assert before == after
    assert (again.units, again.grids) == (made.units, made.grids)
    assert all(r.added == r.updated == 0 for r in again.reports)
    assert one(settings, "SELECT count(*) FROM plan") == 1


def test_another_city_is_refused(loaded: Loaded) -> None:
    with pytest.raises(Conflict) as refused:
        sample_city.make(loaded[0], SampleSpec(seed=8, cases=100, communities=12), None, silent)
    assert refused.value.code == "not-empty"


def test_a_database_with_other_data_is_left_alone(settings: Settings) -> None:
    with sessions.session(settings, "owner") as session:
        add_city(session)
    with pytest.raises(Conflict):
        sample_city.make(settings, SPEC, None, silent)
    assert one(settings, "SELECT name FROM city") == "真实城市"


def add_city(session: Session) -> None:
    session.execute(text("INSERT INTO city (id, name) VALUES (1, '真实城市')"))


def test_the_command_writes_files_only_without_a_database(tmp_path: Path) -> None:
    environment = {**os.environ, "WANGGE_HOME": str(tmp_path / "home"), "WANGGE_LANG": "en"}
    asked = [
        "sample",
        "--cases",
        "200",
        "--communities",
        "8",
        "--files-only",
        str(tmp_path / "out"),
        "--json",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "api", *asked], env=environment, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert Path(json.loads(done.stdout)["manifest"]).is_file()
    assert not (tmp_path / "home" / "pg").exists()

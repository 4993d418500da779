"""A unit build beside other loads: cases are loaded while the ground is divided, and a changed ground is divided again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import shapely
from sqlalchemy import text

import etl.units
from etl import cases, locks
from geo.db import session as sessions
from geo.db.versions import bump
from geo.errors import RefusedArgument
from geo.settings import Settings

Insert = Callable[..., int]
WEST, SOUTH = 114.3, 30.5
AREA, BESIDE = (shapely.box(WEST + i * 0.005, SOUTH, WEST + (i + 1) * 0.005, SOUTH + 0.004) for i in (0, 1))


def test_cases_load_while_the_ground_is_divided(
    settings: Settings, insert_areas: Insert, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "WAIT_S", 5)
    monkeypatch.setattr("geo.attribution.PLACEMENT_WAIT_S", 5)
    path = tmp_path / "a.csv"
    path.write_text(
        f"case_id,opened_at,category,lon,lat\nA1,2025-03-01 08:00:00,road,{WEST + 0.001},{SOUTH + 0.001}\n"
    )
    loaded: list[int] = []

    def load_once(stage: str, done: int, total: int | None = None) -> None:
        if stage == "cut" and not loaded:
            with sessions.session(settings) as other:
                loaded.append(cases.load(other, path, source="one").added)

    with sessions.session(settings) as session:
        insert_areas(session, "community", {"420106001001": AREA})
    with sessions.session(settings) as session:
        report = etl.units.build(session, progress=load_once)
    assert loaded == [1] and report.details["cases_placed"] == 1
    with sessions.session(settings) as session:
        assert session.scalar(text("SELECT count(*) FROM cases WHERE unit_id IS NOT NULL")) == 1


def test_ground_that_changed_meanwhile_is_divided_again(settings: Settings, insert_areas: Insert) -> None:
    changed: list[bool] = []

    def change_once(stage: str, done: int, total: int | None = None) -> None:
        if stage == "cut" and not changed:
            changed.append(True)
            with sessions.session(settings) as other:
                insert_areas(other, "later", {"x": AREA})
                other.execute(
                    text(
                        "INSERT INTO boundary (edition_id, code, name, geom, area_m2) SELECT e.id, '420106001002', 'b', "
                        "ST_Multi(ST_GeomFromWKB(:g, 4326)), 1 FROM edition e JOIN level l ON l.id = e.level_id "
                        "WHERE l.name = 'community'"
                    ),
                    {"g": shapely.to_wkb(BESIDE)},
                )
                bump(other, "boundaries")

    with sessions.session(settings) as session:
        insert_areas(session, "community", {"420106001001": AREA})
    with sessions.session(settings) as session:
        etl.units.build(session, progress=change_once)
    with sessions.session(settings) as session:
        areas = session.scalars(text("SELECT DISTINCT left(code, 12) FROM unit ORDER BY 1")).all()
    assert changed and areas == ["420106001001", "420106001002"]


def test_two_builds_take_turns(
    settings: Settings, insert_areas: Insert, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "WAIT_S", 1)
    with sessions.session(settings) as session:
        insert_areas(session, "community", {"420106001001": AREA})
    with sessions.session(settings) as first:
        etl.units.build(first)
        with pytest.raises(RefusedArgument) as refused, sessions.session(settings) as second:
            etl.units.build(second)
    assert refused.value.code == "source-busy"

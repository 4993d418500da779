"""The second wall: the application role sees cases as far as its transaction was told, whatever a query forgets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from api import exports, layers
from etl import cases
from geo import areas, case_list
from geo.areas import CITY, NOWHERE, Scope
from geo.case_list import Wanted
from geo.cutting import finish
from geo.db import backup, walls
from geo.db import session as sessions
from geo.db.roles import APP
from geo.db.session import connect
from geo.settings import Settings
from grids import ground, weights
from tests.api import people
from tests.api.conftest import found_town

COUNT = text("SELECT count(*) FROM cases")
FILE = "case_id,opened_at,lon,lat\nA,2025-03-01 08:00:00,116.301,39.901\nB,2025-03-01 08:00:00,,\n"


@pytest.fixture(scope="module")
def town(module_settings: Settings) -> Settings:
    with sessions.session(module_settings, "owner") as session:
        found_town(session, cases=1500)
        session.execute(
            text("INSERT INTO reject (load_run_id, row, code, why_zh, why_en) VALUES (1, 1, 'x', '', '')")
        )
    return module_settings


def of(session: Session, level: str, code: str) -> Scope:
    return areas.scope(session, areas_place(level, code))


def areas_place(level: str, code: str) -> Any:
    from api.auth import Area

    return Area(level, code)


@pytest.mark.parametrize("code", ["C00", "C01", "C10", "C11"])
def test_a_query_that_forgets_its_condition_sees_the_area(town: Settings, code: str) -> None:
    with sessions.session(town, "app") as session:
        assert session.scalar(COUNT) == 0
        areas.show(session, of(session, "community", code))
        seen = session.scalars(text("SELECT id FROM cases ORDER BY source_id DESC, id DESC")).all()
        assert list(seen) == people.of_area(town, code) != []
        assert session.scalar(text("SELECT count(*) FROM reject")) == 0


def test_the_list_without_its_own_check_is_still_the_area(
    town: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(case_list, "_seen", lambda seen: ([], {}))  # the first wall is gone
    other = people.of_area(town, "C11")
    with sessions.session(town, "app") as session:
        areas.show(session, of(session, "community", "C00"))
        found = case_list.cases(session, Wanted(limit=10_000))
        assert [row["id"] for row in found] == people.of_area(town, "C00")
        assert case_list.case(session, other[0]) is None
        areas.show(session, NOWHERE)
        assert case_list.cases(session, Wanted(limit=10)) == []


def test_the_list_without_the_second_wall_is_still_the_area(town: Settings) -> None:
    with sessions.session(town, "owner") as session:  # whom row-level security does not bind
        seen = of(session, "community", "C00")
        found = case_list.cases(session, Wanted(limit=10_000, seen=seen))
        assert [row["id"] for row in found] == people.of_area(town, "C00")
        assert case_list.case(session, people.of_area(town, "C11")[0], seen) is None
        assert case_list.cases(session, Wanted(seen=NOWHERE)) == []


def test_a_job_without_its_own_check_exports_the_area(
    town: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = layers.export
    monkeypatch.setattr(layers, "export", lambda *given, seen, **more: real(*given, seen=CITY, **more))
    area = {"level": "community", "code": "C00"}
    asked = {"layer": "cases", "format": "csv", "place": "wall", "lang": "zh", "area": area}
    with sessions.session(town, "owner") as session:  # as the worker of jobs runs
        written = exports.make(session, town, asked, who="chief")
        assert session.scalar(text("SELECT current_user")) != APP
        assert session.scalar(COUNT) == 1500
    assert written["rows"] == len(people.of_area(town, "C00")) > 0


def test_a_web_connection_of_a_server_of_ones_own_stays_what_it_is(town: Settings) -> None:
    with sessions.engine(town, "owner").connect() as connection:  # one login serves both roles there
        connection.execute(text(f"SET ROLE {APP}"))
        connection.commit()
        with Session(connection) as session:
            with walls.bound(session):
                assert session.scalar(text("SELECT current_user")) == APP
            assert session.scalar(text("SELECT current_user")) == APP
            session.commit()
        assert connection.scalar(text("SELECT current_user")) == APP
        connection.execute(text("RESET ROLE"))
        connection.commit()


def test_what_a_transaction_was_told_ends_with_it(town: Settings) -> None:
    engine = sessions.engine(town, "app")
    with engine.connect() as connection:  # one connection of the pool, three transactions
        with connection.begin():
            assert connection.scalar(COUNT) == 0
        with connection.begin(), Session(connection) as session:
            areas.show(session, CITY)
            assert session.scalar(COUNT) == 1500
            assert session.scalar(text("SELECT count(*) FROM reject")) == 1
        with connection.begin():
            assert connection.scalar(COUNT) == 0


@pytest.mark.parametrize(
    "word", ["", "x", "-1", "0", "9999999", "1; DROP TABLE cases", "**", "99999999999999999999"]
)
def test_a_word_that_is_none_shows_nothing(town: Settings, word: str) -> None:
    with sessions.session(town, "app") as session:
        walls.tell(session, word)
        assert session.scalar(COUNT) == 0


def test_a_change_reaches_no_further_than_the_view(town: Settings) -> None:
    mine = people.of_area(town, "C00")
    with sessions.session(town, "app") as session:
        areas.show(session, of(session, "community", "C00"))
        changed = session.execute(text("UPDATE cases SET urgency = 1"))
        assert changed.rowcount == len(mine)  # type: ignore[attr-defined]
        assert session.execute(text("DELETE FROM cases WHERE urgency IS NULL")).rowcount == 0  # type: ignore[attr-defined]
        with pytest.raises(ProgrammingError, match="row-level security"), session.begin_nested():
            session.execute(text("UPDATE cases SET unit_id = (SELECT max(id) FROM unit)"))
        session.rollback()


def test_an_edition_without_a_mapping_has_the_units_whose_point_it_holds(town: Settings) -> None:
    with sessions.session(town, "owner") as session:
        session.execute(text("DELETE FROM unit_area WHERE edition_id = (SELECT min(id) FROM edition)"))
        street = of(session, "street", "S1")
        both = sorted({*people.of_area(town, "C00"), *people.of_area(town, "C10")}, reverse=True)
        found = case_list.cases(session, Wanted(limit=10_000, seen=street))
        assert sorted((row["id"] for row in found), reverse=True) == both
        session.rollback()


def test_figures_of_all_cases_are_never_made_of_some(town: Settings) -> None:
    with sessions.session(town, "app") as session:
        for half_blind in (NOWHERE, of(session, "community", "C00")):
            areas.show(session, half_blind)
            for ask in (
                lambda: weights.read(session, None, "cases"),  # type: ignore[arg-type]
                lambda: ground.cases(session, None),  # type: ignore[arg-type]
                lambda: ground.places(session, None, ""),  # type: ignore[arg-type]
                lambda: finish(session, []),
            ):
                with pytest.raises(walls.Unscoped):
                    ask()


def closed(settings: Settings) -> list[str]:
    """The partitions there are; every one refuses the application role, and the parent shows it nothing by default."""
    with connect(settings) as connection:
        found = [
            name
            for (name,) in connection.execute(
                "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'cases'::regclass"
            )
        ]
    with connect(settings, "app") as connection:
        assert connection.execute("SELECT count(*) FROM cases").fetchone() == (0,)
        for name in found:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"SELECT * FROM {name}")
            connection.rollback()
    with connect(settings) as connection:
        for name in found:  # and if somebody grants it after all, its own row-level security shows nothing
            connection.execute(f"GRANT SELECT ON {name} TO wangge_app; SET ROLE wangge_app")
            assert connection.execute(f"SELECT count(*) FROM {name}").fetchone() == (0,)
            connection.execute("RESET ROLE")
        connection.rollback()
    return found


def test_a_new_source_is_behind_the_wall_also_after_a_restore(
    settings: Settings, make_database: Callable[[], Settings], tmp_path: Path
) -> None:
    file = tmp_path / "one.csv"
    file.write_text(FILE)
    with sessions.session(settings) as session:
        cases.load(session, file, source="first")
    assert closed(settings) == ["cases_1"]
    dump = tmp_path / "a.dump"
    backup.write(settings, dump)
    other = make_database()
    backup.restore(other, dump)
    assert closed(other) == ["cases_1"]
    with sessions.session(other) as session:
        cases.load(session, file, source="second")
        assert session.scalar(COUNT) == 4
    assert closed(other) == ["cases_1", "cases_2"]
    with sessions.session(other, "app") as session:
        areas.show(session, CITY)
        assert session.scalar(COUNT) == 4

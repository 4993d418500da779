"""Two loaders at once: of one source they take turns, of two sources they do not disturb each other."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from etl import cases, locks
from geo.db import session as sessions
from geo.errors import RefusedArgument
from geo.settings import Settings

HEADER = "case_id,opened_at,category,lon,lat,description"


def write(path: Path, rows: int, prefix: str = "A") -> Path:
    lines = [
        f"{prefix}{i},2025-03-01 08:00:{i % 60:02d},road,{121.4 + i / 1e5:.5f},31.23,text {i}"
        for i in range(rows)
    ]
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path


def run(settings: Settings, path: Path, source: str, out: list[object]) -> None:
    try:
        with sessions.session(settings) as session:
            out.append(cases.load(session, path, source=source))
    except Exception as problem:
        out.append(problem)


def together(settings: Settings, jobs: list[tuple[Path, str]]) -> list[object]:
    out: list[object] = []
    threads = [threading.Thread(target=run, args=(settings, path, source, out)) for path, source in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not [item for item in out if isinstance(item, Exception)], out
    return out


def test_one_file_by_two_loaders_is_one_load(settings: Settings, tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 5000)
    first, second = together(settings, [(path, "one"), (path, "one")])
    assert sorted(r.added for r in (first, second)) == [0, 5000]  # type: ignore[attr-defined]
    with sessions.session(settings) as session:
        assert session.scalar(text("SELECT count(*) FROM cases")) == 5000
        assert session.scalar(text("SELECT count(*) FROM load_run")) == 1


def test_first_loads_of_many_sources_do_not_deadlock(settings: Settings, tmp_path: Path) -> None:
    jobs = [(write(tmp_path / f"{i}.csv", 2000, prefix=f"S{i}-"), f"source {i}") for i in range(4)]
    together(settings, jobs)
    with sessions.session(settings) as session:
        found = dict(
            session.execute(
                text("SELECT s.name, count(*) FROM cases c JOIN source s ON s.id = c.source_id GROUP BY 1")
            ).all()
        )
        ids = session.scalar(text("SELECT count(DISTINCT id) FROM cases"))
    assert found == {f"source {i}": 2000 for i in range(4)} and ids == 8000


def test_two_sources_of_one_catalogue_bring_the_same_new_category(settings: Settings, tmp_path: Path) -> None:
    """The second has counted on ids of its own; it takes those that the first wrote, for 大类 and 小类."""
    header = "case_id,opened_at,category,subcategory,lon,lat"
    for source, subs in (("one", "a"), ("two", "ab")):
        rows = [f"{source}{s},2025-03-01 08:00:00,road,{s},121.4,31.23" for s in subs]
        (tmp_path / f"{source}.csv").write_text("\n".join([header, *rows]) + "\n")
    with sessions.session(settings) as session:
        session.execute(text("INSERT INTO catalogue (name, open) VALUES ('both', true)"))
        session.execute(
            text(
                "INSERT INTO source (name, catalogue_id) SELECT n, id FROM catalogue, unnest(CAST(:names AS text[])) n"
            ),
            {"names": ["one", "two"]},
        )
    out: list[object] = []
    second = threading.Thread(target=run, args=(settings, tmp_path / "two.csv", "two", out))
    with sessions.session(settings) as session:
        cases.load(session, tmp_path / "one.csv", source="one")
        second.start()
        wait_until_one_waits(settings)
    second.join()
    assert not isinstance(out[0], Exception), out
    assert out[0].details["categories_new"] == ["b"]  # type: ignore[attr-defined]
    with sessions.session(settings) as session:
        found = session.execute(
            text(
                "SELECT s.source_case_id, p.code, k.code FROM cases s JOIN category k ON k.id = s.category_id "
                "JOIN category p ON p.id = k.parent_id ORDER BY 1"
            )
        ).all()
        assert [tuple(row) for row in found] == [
            ("onea", "road", "a"),
            ("twoa", "road", "a"),
            ("twob", "road", "b"),
        ]
        assert session.scalar(text("SELECT count(*) FROM category")) == 3


def wait_until_one_waits(settings: Settings) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with sessions.session(settings) as session:
            if session.scalar(
                text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            ):
                return
        time.sleep(0.05)
    raise AssertionError("the second load never came to wait")


def test_the_second_is_refused_when_the_first_takes_too_long(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "WAIT_S", 1)
    path = write(tmp_path / "a.csv", 10)
    with sessions.session(settings) as first:
        cases.load(first, path, source="one")
        with pytest.raises(RefusedArgument) as refused, sessions.session(settings) as second:
            cases.load(second, path, source="one")
    assert refused.value.code == "source-busy" and refused.value.exit_code == 2


def test_a_refused_file_leaves_no_trace(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "late.csv"
    lines = [f"A{i},2025-03-01 08:00:00,road,31.2,{-76 - i / 1e5}" for i in range(1000)]
    path.write_text("\n".join(["case_id,opened_at,category,lon,lat", *lines]) + "\n")
    with pytest.raises(Exception, match="swapped"), sessions.session(settings) as session:
        cases.load(session, path, source="one")
    with sessions.session(settings) as session:
        for table in ("source", "category", "catalogue", "load_run", "reject", "cases"):
            assert session.scalar(text(f"SELECT count(*) FROM {table}")) == 0
        assert (
            session.scalar(
                text("SELECT count(*) FROM pg_class WHERE relname LIKE 'cases\\_%' AND relkind = 'r'")
            )
            == 0
        )


def test_a_dry_run_writes_nothing_and_says_the_same(settings: Settings, tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 100)
    path.write_text(
        path.read_text()
        + "B1,not a time,road,121.4,31.2,x\nA5,2025-03-01 08:00:05,road,121.40005,31.23,text 5\n"
    )
    with sessions.session(settings) as session:
        tried = cases.load(session, path, source="one", dry_run=True)
    with sessions.session(settings) as session:
        assert session.scalar(text("SELECT count(*) FROM load_run")) == 0
        loaded = cases.load(session, path, source="one")
    for name in ("rows_in", "added", "duplicate", "rejected", "unplaced", "rejects_by_code", "layout"):
        assert getattr(tried, name) == getattr(loaded, name), name
    assert (loaded.added, loaded.duplicate, loaded.rejected) == (100, 1, 1)

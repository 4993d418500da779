"""Columns are fresh, whole and built once: staleness, damage, two builders, readers during a rebuild, odd clocks."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo import column_files as files
from geo.analysis import counts
from geo.attribution import place_again
from geo.cases import CaseFilter
from geo.column_build import local_days
from geo.columns import Columns, ColumnStore
from geo.db import session as sessions
from geo.db import versions
from geo.errors import Unavailable
from geo.settings import Settings
from tests.geo import small_city


@pytest.fixture
def loaded(settings: Settings) -> Settings:
    add_cases(settings, 500)
    return settings


def add_cases(settings: Settings, n: int, first: int = 0) -> None:
    with sessions.session(settings) as db:
        if first == 0:
            small_city.city(db)
            small_city.source(db)
        rng = np.random.default_rng(first)
        rows = small_city.random_cases(rng, n, small_city.category_ids(db, 1))
        small_city.cases(db, 1, rows, first)


def checksum(columns: Columns) -> tuple[int, ...]:
    parts = (columns.unit, columns.day, columns.opened, columns.closed, columns.due, columns.facts)
    return tuple(int(part.astype(np.int64).sum()) for part in parts)


def test_an_empty_database_has_empty_columns(settings: Settings) -> None:
    store = ColumnStore(settings, watch=False)
    columns = store.current()
    assert (columns.n, columns.first_opened, columns.last_instant, columns.unplaced) == (0, None, None, 0)
    assert ColumnStore(settings, watch=False).current().version == columns.version


def test_columns_hold_what_the_database_holds(loaded: Settings) -> None:
    columns = ColumnStore(loaded, watch=False).current()
    with sessions.session(loaded) as db:
        rows = db.execute(
            text(
                "SELECT (opened_at AT TIME ZONE 'Asia/Shanghai')::date - date '1970-01-01' AS day, "
                "extract(epoch FROM opened_at)::bigint AS opened, extract(epoch FROM closed_at)::bigint AS closed, "
                "status, origin, satisfied, ST_X(geom) AS lon FROM cases"
            )
        ).all()
    wanted = sorted(
        (
            r.day,
            r.opened,
            r.closed or -1,
            r.status,
            r.origin,
            str(r.satisfied),
            -1.0 if r.lon is None else r.lon,
        )
        for r in rows
    )
    satisfied = {0: "None", 1: "False", 2: "True"}
    opened = columns.opened.astype(np.int64) + columns.base_s
    closed = np.where(columns.closed == 2**32 - 1, -1, columns.closed.astype(np.int64) + columns.base_s)
    found = sorted(
        zip(
            columns.day.tolist(),
            opened.tolist(),
            closed.tolist(),
            (columns.facts & 3).tolist(),
            (columns.facts >> 2 & 7).tolist(),
            [satisfied[f] for f in (columns.facts >> 5).tolist()],
            np.nan_to_num(columns.lon, nan=-1.0).tolist(),
            strict=True,
        )
    )
    assert found == wanted
    assert columns.unplaced == sum(r.lon is None for r in rows) > 0
    assert columns.first_opened == dt.datetime.fromtimestamp(min(r.opened for r in rows), dt.UTC)


def test_a_commit_makes_columns_stale_and_a_rollback_does_not(loaded: Settings) -> None:
    store = ColumnStore(loaded, watch=False)
    before = store.current()
    with Session(sessions.engine(loaded)) as db:
        versions.bump(db, "cases")
        db.rollback()
    assert store.current() is before
    add_cases(loaded, 10, first=500)
    after = store.current()
    assert (before.n, after.n) == (500, 510)
    assert before.unit.sum() == before.unit.sum()  # the old mapping stays readable
    with sessions.session(loaded) as db:
        versions.bump(db, "plans")  # plans are not in the columns
    assert store.current() is after


def test_a_watching_store_hears_of_a_commit(loaded: Settings) -> None:
    store = ColumnStore(loaded)
    try:
        assert store.current().n == 500
        add_cases(loaded, 7, first=500)
        until = time.monotonic() + 10
        while store.current().n != 507 and time.monotonic() < until:
            time.sleep(0.02)
        assert store.current().n == 507
        assert store.versions["cases"] == 2
    finally:
        store.close()


def test_what_was_built_is_opened_not_built_again(loaded: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    built = ColumnStore(loaded, watch=False).current()
    monkeypatch.setattr("geo.columns.build", lambda *_: pytest.fail("built again"))
    assert checksum(ColumnStore(loaded, watch=False).current()) == checksum(built)


def damage(path: Path, how: str) -> None:
    if how == "missing":
        path.unlink()
    elif how == "short":
        path.write_bytes(path.read_bytes()[:-3])
    elif how == "bit":
        data = bytearray(path.read_bytes())
        data[-5] ^= 1
        path.write_bytes(bytes(data))
    else:
        path.write_bytes(b"")


@pytest.mark.parametrize("how", ["missing", "short", "bit", "empty"])
@pytest.mark.parametrize("name", ["unit.npy", "lon.npy", "category_ptr.npy"])
def test_damaged_files_are_rebuilt(loaded: Settings, how: str, name: str) -> None:
    built = ColumnStore(loaded, watch=False).current()
    damage(built.folder / name, how)
    again = ColumnStore(loaded, watch=False).current()
    assert again.folder != built.folder
    assert again.n == 500
    assert ColumnStore(loaded, watch=False).current().folder == again.folder


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[1]", b'{"format": 0}', b"\xff\xfe", b'{"format": 1, "key": "x"}']
)
def test_a_damaged_manifest_is_rebuilt(loaded: Settings, content: bytes) -> None:
    ColumnStore(loaded, watch=False).current()
    (loaded.columns_dir / files.MANIFEST).write_bytes(content)
    assert ColumnStore(loaded, watch=False).current().n == 500


def test_a_damaged_layer_is_rebuilt(loaded: Settings) -> None:
    columns = ColumnStore(loaded, watch=False).current()
    labels = columns.hexagons(9)["labels"].copy()
    damage(columns.folder / "hexagon-9.labels.npy", "bit")
    assert (columns.hexagons(9)["labels"] == labels).all()


def test_files_of_another_database_state_are_not_used(loaded: Settings) -> None:
    """The same version numbers with another time of change are other data (a restored backup)."""
    before = ColumnStore(loaded, watch=False).current()
    with sessions.session(loaded) as db:
        db.execute(text("UPDATE data_version SET changed_at = changed_at + interval '1 second'"))
    assert ColumnStore(loaded, watch=False).current().version != before.version


def _open(settings: Settings, start: object, answers: object) -> None:
    start.wait()  # type: ignore[attr-defined]
    columns = ColumnStore(settings, watch=False).current()
    answers.put((columns.folder.name, columns.n))  # type: ignore[attr-defined]


def test_many_workers_build_once(loaded: Settings) -> None:
    context = multiprocessing.get_context("spawn")
    start, answers = context.Event(), context.Queue()
    workers = [context.Process(target=_open, args=(loaded, start, answers)) for _ in range(2)]
    for worker in workers:
        worker.start()
    start.set()
    seen = {answers.get(timeout=120) for _ in workers}
    for worker in workers:
        worker.join(timeout=30)
    assert len(seen) == 1
    assert len([folder for folder in loaded.columns_dir.iterdir() if folder.is_dir()]) == 1


def test_readers_go_on_while_columns_are_rebuilt(loaded: Settings) -> None:
    """Every answer during five loads is of one state: 500, 520 … cases, with totals that add up."""
    store = ColumnStore(loaded)
    store.current()
    stop, seen, wrong = threading.Event(), set(), []

    def read() -> None:
        while not stop.is_set():
            try:
                heat = counts.heat(lambda: sessions.session(loaded, "app"), store, by="hexagon:9")
                assert int(heat.n.sum()) + heat.unplaced + heat.outside == heat.total
                seen.add(heat.total)
            except Exception as problem:
                wrong.append(problem)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for i in range(5):
        add_cases(loaded, 20, first=500 + 20 * i)
        time.sleep(0.3)
    until = time.monotonic() + 10
    while 600 not in seen and time.monotonic() < until:
        time.sleep(0.05)
    stop.set()
    for reader in readers:
        reader.join()
    store.close()
    assert not wrong
    assert 600 in seen
    assert seen <= {500, 520, 540, 560, 580, 600}


def test_old_folders_are_swept(loaded: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "KEEP_OLD_S", -1.0)
    store = ColumnStore(loaded, watch=False)
    old = store.current()
    old.hexagons(9)
    add_cases(loaded, 1, first=500)
    new = store.current()
    assert not old.folder.exists()
    assert old.unit.sum() is not None  # the mapping outlives the name
    assert len(old.hexagons(8)["labels"]) == 500  # and layers are answered from memory
    assert new.folder.exists()


def test_no_database_is_said_so(loaded: Settings) -> None:
    away = Settings(home=loaded.home, database_url="postgresql://nobody@/none?host=/nonexistent")
    with pytest.raises(Unavailable, match="does not answer"):
        ColumnStore(away, watch=False).current()


def test_folders_are_private(loaded: Settings) -> None:
    columns = ColumnStore(loaded, watch=False).current()
    assert columns.folder.stat().st_mode & 0o077 == 0
    assert loaded.columns_dir.stat().st_mode & 0o077 == 0


def test_extreme_instants(settings: Settings) -> None:
    """Cases from 1900 and 2199, due in 9999: counted on the right day, never overdue by overflow."""
    with sessions.session(settings) as db:
        small_city.city(db)
        source = small_city.source(db)
        category = small_city.category_ids(db, source)[0]
        rows = [
            {"opened_at": dt.datetime(year, 6, 1, tzinfo=dt.UTC), "category_id": category, "due_at": due}
            for year, due in ((1900, "1850-01-01Z"), (2024, "9999-01-01Z"), (2199, None))
        ]
        small_city.cases(db, source, rows)
    store = ColumnStore(settings, watch=False)

    def ask(measure: str, year: int) -> int:
        asof = dt.datetime(year, 7, 1, tzinfo=dt.UTC)
        return counts.heat(
            lambda: sessions.session(settings), store, by="hexagon:9", measure=measure, asof=asof
        ).total

    assert store.current().tick_s == 60
    assert [ask("open", year) for year in (1899, 1900, 2024, 2199)] == [0, 1, 2, 3]
    assert [ask("overdue", year) for year in (1900, 2024, 2199)] == [1, 1, 1]
    where = CaseFilter(dt.date(2024, 6, 1), dt.date(2024, 6, 2))
    assert counts.heat(lambda: sessions.session(settings), store, by="hexagon:9", where=where).unplaced == 1


def test_cases_loaded_before_the_ground_move_when_it_arrives(loaded: Settings) -> None:
    store = ColumnStore(loaded, watch=False)
    assert (store.current().unit >= 0).sum() == 0
    with sessions.session(loaded) as db:
        ids = small_city.units(db, {f"u{x}{y}": small_city.square(x, y) for x in range(5) for y in range(5)})
        small_city.plan(db, "all", dict.fromkeys(ids.values(), "g"), during="[2024-01-01,)")
        place_again(db)
        versions.bump(db, "cases")
    heat = counts.heat(lambda: sessions.session(loaded, "app"), store)
    assert heat.n[0] > 200
    assert int(heat.n.sum()) + heat.unplaced + heat.outside == 500


@given(
    st.lists(st.integers(-2_208_988_800, 7_258_118_400), max_size=30),
    st.sampled_from(["Asia/Shanghai", "America/New_York"]),
)
def test_local_days_equal_the_calendar(instants: list[int], zone: str) -> None:
    from zoneinfo import ZoneInfo

    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    wanted = [
        ((epoch + dt.timedelta(seconds=s)).astimezone(ZoneInfo(zone)).date() - dt.date(1970, 1, 1)).days
        for s in instants
    ]
    assert local_days(np.array(instants, dtype=np.int64), zone).tolist() == wanted

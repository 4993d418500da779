"""A backup brings everything back, in one transaction or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from geo.db import backup, migrations
from geo.db.session import connect
from geo.errors import Conflict, RefusedFile
from geo.settings import Settings
from tests.grids.typed import typed

FILL = """
INSERT INTO city (name, timezone) VALUES ('备份城', 'Asia/Shanghai');
INSERT INTO load_run (kind, source, file_name, content_sha256, started_at) VALUES ('cases', 's', 'a.csv', '\\x00', now());
INSERT INTO catalogue (name) VALUES ('c');
INSERT INTO category (catalogue_id, code, name) SELECT id, 'a', 'A' FROM catalogue;
INSERT INTO source (name, catalogue_id) SELECT 's', id FROM catalogue;
CREATE TABLE cases_1 PARTITION OF cases FOR VALUES IN (1);
INSERT INTO cases (source_id, source_case_id, opened_at, category_id, status, row_hash, geom, load_run_id)
SELECT 1, n::text, '2026-01-01Z'::timestamptz + n * interval '1 minute', (SELECT min(id) FROM category), 0, '\\x01',
       ST_Point(116 + n / 1e5, 39.9, 4326), (SELECT max(id) FROM load_run) FROM generate_series(1, 5000) AS n;
INSERT INTO data_version (part, version) VALUES ('cases', 7);
"""
SUM = "SELECT count(*), md5(string_agg(c::text, '|' ORDER BY source_case_id)) FROM cases AS c"


def fill(settings: Settings) -> None:
    with connect(settings) as connection:
        connection.execute(FILL)


def ask(settings: Settings, question: str) -> tuple[object, ...]:
    with connect(settings) as connection:
        row = connection.execute(question).fetchone()
        assert row is not None
        return tuple(row)


def test_a_round_trip_into_an_empty_database(
    settings: Settings, make_database: Callable[[], Settings], tmp_path: Path
) -> None:
    fill(settings)
    file = tmp_path / "备份.dump"
    assert backup.write(settings, file) == file.stat().st_size > 10_000
    other = make_database()
    backup.refuse_when_filled(other)
    backup.restore(other, file)
    assert ask(other, SUM) == ask(settings, SUM)
    assert ask(other, "SELECT name FROM city") == ("备份城",)
    assert migrations.current(other) == migrations.head()
    assert ask(other, "SELECT version FROM data_version WHERE part = 'cases'") > (7,)
    with connect(other, "app") as connection:  # rights are back too
        connection.execute(
            "SET LOCAL wangge.area = '*'; UPDATE cases SET status = 1 WHERE source_case_id = '1'"
        )


def test_a_restore_over_data_needs_force_and_replaces_all(settings: Settings, tmp_path: Path) -> None:
    fill(settings)
    file = tmp_path / "a.dump"
    backup.write(settings, file)
    before = ask(settings, SUM)
    with connect(settings) as connection:
        connection.execute("DELETE FROM cases; UPDATE data_version SET version = 99")
    with pytest.raises(Conflict):
        backup.refuse_when_filled(settings)
    backup.restore(settings, file)
    assert ask(settings, SUM) == before
    assert ask(settings, "SELECT version FROM data_version WHERE part = 'cases'") == (100,)


def test_a_restore_that_fails_changes_nothing(settings: Settings, tmp_path: Path) -> None:
    fill(settings)
    file = tmp_path / "a.dump"
    backup.write(settings, file)
    half = tmp_path / "half.dump"
    half.write_bytes(file.read_bytes()[: file.stat().st_size * 2 // 3])
    before = ask(settings, SUM)
    with pytest.raises((backup.BackupFailed, RefusedFile)):
        backup.restore(settings, half)
    assert ask(settings, SUM) == before


@pytest.mark.parametrize("content", [b"", b"hello", b"PGDMP garbage"])
def test_what_is_no_backup_is_refused(settings: Settings, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "no.dump"
    file.write_bytes(content)
    with pytest.raises(RefusedFile, match="not a backup"):
        backup.restore(settings, file)


def test_a_backup_that_cannot_be_written_leaves_no_file(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(RefusedFile):
        backup.write(settings, tmp_path / "missing" / "a.dump")
    with connect(settings) as connection:
        connection.execute("LOCK TABLE city")  # pg_dump waits for it, until it gives up
        connection.execute("SET statement_timeout = 0")
        with pytest.raises(backup.BackupFailed):
            backup.write(settings, tmp_path / "b.dump", lock_wait_s=1)
    assert list(tmp_path.iterdir()) == []


def test_the_commands(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(settings)
    file = str(tmp_path / "c.dump")
    wangge = typed(settings, monkeypatch, capsys)
    assert wangge("db", "backup", file)[0] == 0
    code, _, err = wangge("db", "backup", file)
    assert (code, "exists already" in err) == (2, True)
    code, _, err = wangge("db", "restore", file)
    assert (code, "--force" in err) == (2, True)
    code, _, err = wangge("db", "restore", file, "--force")
    assert code == 0, err
    assert ask(settings, "SELECT count(*) FROM cases") == (5000,)
    code, _, err = wangge("db", "restore", str(tmp_path / "none.dump"), "--force")
    assert (code, "Traceback" in err) == (2, False)

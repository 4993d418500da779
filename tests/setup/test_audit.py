"""The audit chain names the first row that is not as it was written, whatever was done to it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psycopg
import pytest

from geo.db import audit, backup
from geo.db.session import connect, session
from geo.settings import Settings

ROWS = 60


@pytest.fixture
def written(settings: Settings) -> Settings:
    """Sixty acts of three people, in single and in common transactions, sealed twice."""
    with connect(settings, "app") as connection:
        for n in range(ROWS):
            connection.execute(
                "INSERT INTO audit (who, act, what) VALUES (%s, %s, %s)",
                ["甲乙丙"[n % 3], "plan.approve", json.dumps({"plan": n, "原因": "调整" * (n % 4)})],
            )
            if n % 4 == 0:
                connection.commit()
            if n == ROWS // 2:
                connection.commit()
                with session(settings) as opened:
                    assert audit.seal(opened, settings) is not None
        connection.commit()
    with session(settings) as opened:
        sealed = audit.seal(opened, settings)
        assert sealed is not None and sealed.seq == ROWS
        assert audit.seal(opened, settings) is None  # nothing new
    return settings


def check(settings: Settings) -> audit.Verified:
    with session(settings) as opened:
        return audit.verify(opened, settings)


def test_an_untouched_chain_is_whole(written: Settings) -> None:
    found = check(written)
    assert (found.rows, found.seals, found.first_bad) == (ROWS, 2, None)


def test_the_application_may_add_rows_but_not_touch_them(written: Settings) -> None:
    for forbidden in ("UPDATE audit SET who = 'x'", "DELETE FROM audit", "TRUNCATE audit"):
        with connect(written, "app") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(forbidden)
    with connect(written, "app") as connection:  # and what it claims of the chain is put right at commit
        connection.execute("INSERT INTO audit (who, act, seq, sha256) VALUES ('x', 'y', 7000, '\\x00')")
    assert check(written).rows == ROWS + 1


MUTATIONS = ("edit", "edit-time", "delete", "insert", "swap", "cut")


@pytest.mark.parametrize("seed", range(len(MUTATIONS)))
def test_each_of_many_mutations_by_the_owner_is_named(written: Settings, seed: int) -> None:
    """Forty random places for each kind of mutation: 240 in all, each undone before the next."""
    rng, kind = np.random.default_rng(seed), MUTATIONS[seed]
    with connect(written) as connection:
        for _ in range(40):
            at = int(rng.integers(1, ROWS + 1))
            first = mutate(connection, kind, at, rng)
            connection.commit()
            bad = check(written).first_bad
            assert bad is not None and bad.seq == first, (kind, at, bad)
            connection.execute("ALTER TABLE audit DISABLE TRIGGER USER")
            connection.execute("DELETE FROM audit; INSERT INTO audit SELECT * FROM kept; DROP TABLE kept")
            connection.execute("ALTER TABLE audit ENABLE TRIGGER USER")
            connection.commit()
        assert check(written).first_bad is None


def mutate(connection: psycopg.Connection, kind: str, at: int, rng: np.random.Generator) -> int:
    """Changes the table as its owner past the trigger; returns the number that must be named."""
    connection.execute("CREATE TABLE kept AS SELECT * FROM audit")
    connection.execute("ALTER TABLE audit DISABLE TRIGGER USER")
    where = {"n": at}
    if kind == "edit":
        column = ("who = who || ' '", "act = 'plan.withdraw'", "what = what || '{\"plan\": -1}'")[
            rng.integers(3)
        ]
        connection.execute(f"UPDATE audit SET {column} WHERE seq = %(n)s", where)
        named = at
    elif kind == "edit-time":
        connection.execute("UPDATE audit SET at = at + interval '1 microsecond' WHERE seq = %(n)s", where)
        named = at
    elif kind == "delete":
        connection.execute("DELETE FROM audit WHERE seq = %(n)s", where)
        named = at
    elif kind == "insert":
        connection.execute("INSERT INTO audit (who, act) VALUES ('丁', 'plan.approve')")
        named = 1  # a row outside the chain is told before anything else
    elif kind == "swap":
        other = at % ROWS + 1
        connection.execute("UPDATE audit SET seq = -seq WHERE seq IN (%s, %s)", [at, other])
        connection.execute(
            "UPDATE audit SET seq = CASE -seq WHEN %s THEN %s ELSE %s END WHERE seq < 0", [at, other, at]
        )
        named = min(at, other)
    else:
        connection.execute("DELETE FROM audit WHERE seq >= %(n)s", where)
        named = at
    connection.execute("ALTER TABLE audit ENABLE TRIGGER USER")
    return named


def test_a_chain_written_anew_from_a_forged_row_on_disagrees_with_the_seals(written: Settings) -> None:
    """Whoever owns the table can hash everything again; the sealed heads outside the database give it away."""
    with connect(written) as connection:
        connection.execute("CREATE TEMP TABLE kept AS SELECT * FROM audit ORDER BY seq")
        connection.execute("DELETE FROM audit")
        connection.execute("UPDATE kept SET who = '冒名' WHERE seq = 5")
        connection.execute(
            "INSERT INTO audit (at, who, act, what) SELECT at, who, act, what FROM kept ORDER BY seq"
        )
    bad = check(written).first_bad
    assert bad is not None and bad.kind == "altered" and 5 <= bad.seq <= ROWS // 2 + 1


def test_a_forged_seal_is_named(written: Settings) -> None:
    file = written.home / "audit" / "seals.jsonl"
    lines = file.read_text().splitlines()
    fields = json.loads(lines[-1])
    file.write_text(
        "\n".join([*lines[:-1], json.dumps({**fields, "at": "2020-01-01T00:00:00+00:00"})]) + "\n"
    )
    bad = check(written).first_bad
    assert bad is not None and bad.kind == "seal-forged"
    assert (written.home / "audit" / "key").stat().st_mode & 0o077 == 0


def test_writers_at_once_make_one_chain(settings: Settings) -> None:
    def write(name: str) -> None:
        for n in range(25):
            with connect(settings, "app") as connection:
                connection.execute("INSERT INTO audit (who, act) VALUES (%s, %s)", [name, f"act {n}"])

    threads = [threading.Thread(target=write, args=(name,)) for name in "甲乙丙丁"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = check(settings)
    assert (found.rows, found.first_bad) == (100, None)


def test_a_rolled_back_change_leaves_no_row_and_no_gap(settings: Settings) -> None:
    for n in range(6):
        with connect(settings, "app") as connection:
            connection.execute("INSERT INTO audit (who, act) VALUES ('甲', %s)", [f"act {n}"])
            if n % 2:
                connection.rollback()
    found = check(settings)
    assert (found.rows, found.first_bad) == (3, None)


def test_after_a_restore_the_chain_begins_again_and_the_seals_say_so(
    written: Settings, make_database: Callable[[], Settings], tmp_path: Path
) -> None:
    backup.write(written, tmp_path / "a.dump")
    with connect(written) as connection:
        connection.execute("INSERT INTO audit (who, act) VALUES ('甲', 'after the backup')")
    with session(written) as opened:
        audit.seal(opened, written)
    backup.restore(written, tmp_path / "a.dump")
    found = check(written)
    assert (found.rows, found.first_bad) == (ROWS, None)
    with connect(written) as connection:  # the trigger came back with the schema
        connection.execute("INSERT INTO audit (who, act) VALUES ('甲', 'after the restore')")
    assert check(written).rows == ROWS + 1

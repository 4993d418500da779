"""The demo proves itself: the service's numbers against plain SQL, also after it was killed half way."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from api import passwords
from api.cli.demo import people, sign_in_token, welcome
from api.cli.selfcheck import compare
from geo.db import cluster
from geo.db.session import connect, session
from geo.settings import Settings

pytestmark = pytest.mark.slow
SMALL = ("sample", "--communities", "12", "--cases", "2400")


@pytest.fixture
def own() -> Iterator[Settings]:
    home = Path(tempfile.mkdtemp(prefix="wangge-demo-"))
    home.chmod(0o755)
    settings = Settings(home=home, port=0, workers=1, fsync=False)
    yield settings
    cluster.stop(settings)
    shutil.rmtree(home)


def wangge(settings: Settings, *words: str) -> subprocess.Popen[str]:
    environment = {**os.environ, **settings.to_environment(), "WANGGE_LANG": "en"}
    return subprocess.Popen(
        [sys.executable, "-m", "api", *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_check_says_yes_and_leaves_nothing_running(own: Settings) -> None:
    small = wangge(own, *SMALL)
    said = small.communicate(timeout=300)[0]
    assert small.returncode in (0, 3), said
    check = wangge(own, "demo", "--check")
    said = check.communicate(timeout=300)[0]
    assert check.returncode == 0, said
    assert re.search(r"^OK http://127\.0\.0\.1:\d+$", said, flags=re.MULTILINE)
    assert "✗" not in said and "✓ grids one by one" in said
    assert not cluster.status(own).running


def test_the_comparison_notices_one_case_too_many(own: Settings) -> None:
    small = wangge(own, *SMALL)
    assert small.wait(300) in (0, 3)
    service = wangge(own, "serve")
    try:
        assert service.stdout is not None
        url = next(line.strip() for line in service.stdout if line.startswith("http://"))
        token = sign_in_token(own)
        assert [found.name for found in compare(own, url, token) if not found.fine] == []
        with connect(own) as connection:  # behind the service's back: no data version is raised
            connection.execute(
                "INSERT INTO cases (source_id, source_case_id, opened_at, category_id, status, row_hash, geom, unit_id, "
                "load_run_id) SELECT source_id, 'one too many', opened_at, category_id, status, row_hash, geom, unit_id, "
                "load_run_id FROM cases WHERE unit_id IS NOT NULL LIMIT 1"
            )
        wrong = {found.name for found in compare(own, url, token) if not found.fine}
        assert {"grids", "grids one by one", "hexagons"} <= wrong
    finally:
        service.terminate()
        service.wait(30)


def test_a_demo_killed_half_way_finishes_the_next_time(own: Settings) -> None:
    first = wangge(own, "demo", "--check")
    deadline = time.monotonic() + 300
    while loads(own) < 4:
        assert first.poll() is None and time.monotonic() < deadline
        time.sleep(0.2)
    first.send_signal(signal.SIGKILL)
    first.wait()
    again = wangge(own, "demo", "--check")
    said = again.communicate(timeout=600)[0]
    assert again.returncode == 0, said


def test_an_account_for_each_role_whose_password_is_told_once(
    own: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not at a check; new at the first start; kept at later ones, which say how to set another."""
    small = wangge(own, *SMALL)
    assert small.wait(300) in (0, 3)
    check = wangge(own, "demo", "--check")
    said = check.communicate(timeout=300)[0]
    assert check.returncode == 0, said
    cluster.start(own)
    with session(own) as opened:
        assert set(opened.scalars(text("SELECT name FROM app_user"))) == {"demo"}
    first, again = people(own), people(own)
    assert [p.name for p in first] == ["worker", "supervisor", "planner", "admin", "public"]
    assert len({p.password for p in first}) == 5
    assert all(p.password is None for p in again)
    with session(own) as opened:
        for person in first:
            row = opened.execute(
                text("SELECT role, area_level, area_code, password_hash FROM app_user WHERE name = :n"),
                {"n": person.name},
            ).one()
            assert row.role == person.name
            assert passwords.right(row.password_hash, person.password or "")
            bound = person.name in ("worker", "supervisor")
            assert (row.area_level == "street") == bound
            area = opened.scalar(text("SELECT name FROM boundary WHERE code = :c"), {"c": row.area_code})
            assert person.area == area
            assert (area is not None) == bound
    welcome("http://127.0.0.1:1", "wg_token", first)
    told = capsys.readouterr()
    assert all((p.password or "?") in told.out for p in first)
    assert "shown this once" in told.err or "只显示这一次" in told.err
    welcome("http://127.0.0.1:1", "wg_token", again)
    told = capsys.readouterr()
    assert not any((p.password or "?") in told.out for p in first)
    assert "wangge user password" in told.err


def loads(settings: Settings) -> int:
    try:
        with connect(settings) as connection:
            row = connection.execute("SELECT count(*) FROM load_run").fetchone()
            return int(row[0]) if row else 0
    except psycopg.Error:
        return 0

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

from api.cli.demo import sign_in_token
from api.cli.selfcheck import compare
from geo.db import cluster
from geo.db.session import connect
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


def loads(settings: Settings) -> int:
    try:
        with connect(settings) as connection:
            row = connection.execute("SELECT count(*) FROM load_run").fetchone()
            return int(row[0]) if row else 0
    except psycopg.Error:
        return 0

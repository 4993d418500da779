"""Two loads at once, and a load that is killed: one wins, the other sees it; nothing is left half done."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import geopandas
import numpy as np
import shapely
from sqlalchemy import text

from etl import boundaries
from etl.rejects import LoadReport
from geo.db.session import session as open_session
from geo.settings import Settings


def write(path: Path, n: int, jitter: float = 0.0) -> Path:
    random = np.random.default_rng(5)
    cells = [
        shapely.box(121 + i / 100, 31 + j / 100, 121 + (i + 1) / 100, 31 + (j + 1) / 100)
        for i in range(n)
        for j in range(n)
    ]
    if jitter:
        cells = [shapely.segmentize(c, 0.0002) for c in cells]
    frame = geopandas.GeoDataFrame(
        {"code": [f"B{i:04d}" for i in range(n * n)], "r": random.random(n * n)}, geometry=cells, crs=4326
    )
    frame.to_file(path)
    return path


def test_two_loads_of_one_level_at_once(settings: Settings, tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg", 8)
    reports: list[LoadReport] = []
    start = threading.Barrier(2)

    def load() -> None:
        start.wait()
        with open_session(settings) as session:
            reports.append(boundaries.load(session, path, level="ward"))

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted((r.added, r.unchanged) for r in reports) == [(0, 64), (64, 0)]
    with open_session(settings) as session:
        assert session.scalar(text("SELECT count(*) FROM boundary")) == 64
        assert session.scalar(text("SELECT count(*) FROM load_run")) == 1


def test_a_killed_load_leaves_nothing(
    settings: Settings, environment: dict[str, str], tmp_path: Path
) -> None:
    """Killed at each stage it reports; then the same command does the whole."""
    path = write(tmp_path / "a.gpkg", 30, jitter=1.0)
    command = [sys.executable, "-m", "api", "load", "boundaries", str(path), "--level", "ward"]
    hits = 0
    for stage in ("read", "areas", "siblings", "write"):
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith(f"{stage}: 0"):
                process.send_signal(signal.SIGKILL)
                hits += 1
                break
        process.wait()
        wait_for_backends(settings)
        with open_session(settings) as session:
            assert session.scalar(text("SELECT count(*) FROM boundary")) == 0
            assert session.scalar(text("SELECT count(*) FROM level")) == 0
            assert session.scalar(text("SELECT count(*) FROM load_run")) == 0
    assert hits == 4
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with open_session(settings) as session:
        assert session.scalar(text("SELECT count(*) FROM boundary")) == 900


def wait_for_backends(settings: Settings) -> None:
    deadline = time.monotonic() + 30
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
        "AND backend_type = 'client backend' AND state <> 'idle'"
    )
    while True:
        with open_session(settings) as session:
            if session.scalar(text(query)) == 0:
                return
        assert time.monotonic() < deadline, "the server still works for a load that was killed"
        time.sleep(0.1)

"""`wangge up` keeps the service alive, stops cleanly, leaves nothing behind, and starts again after `kill -9` of anything."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from geo.db import cluster
from geo.db.session import connect
from geo.settings import Settings

pytestmark = pytest.mark.slow


@dataclass
class Running:
    """A `wangge up` of its own: its process, its address, its data folder."""

    process: subprocess.Popen[str]
    url: str
    settings: Settings
    log: Path

    def workers(self) -> list[psutil.Process]:
        children = psutil.Process(self.process.pid).children()
        return [child for child in children if alive(child) and "api.cli.worker" in command_of(child)]

    def family(self) -> list[psutil.Process]:
        return [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="wangge-up-"))
    folder.chmod(0o755)
    yield folder
    cluster.stop(Settings(home=folder, fsync=False))
    shutil.rmtree(folder)


@pytest.fixture
def up(home: Path) -> Iterator[Callable[..., Running]]:
    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> Running:
        settings = Settings(home=home, port=free_port(), workers=2, fsync=False)
        environment = {**os.environ, **settings.to_environment(), "WANGGE_LANG": "en"}
        log = home / f"up-{len(started)}.log"
        with log.open("w") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "api", *(words or ("up",))],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        started.append(process)
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url), log.read_text()
        return Running(process, url, settings, log)

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_it_answers_and_stops_cleanly_on_each_signal(up: Callable[..., Running]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        running = up()
        assert status(running.url) == 200
        family = running.family()
        assert len(running.workers()) == 2 and any("postgres" in member.name() for member in family)
        running.process.send_signal(number)
        assert running.process.wait(30) == 0
        assert [member for member in family if alive(member)] == []
        log = (running.settings.cluster_dir / "server.log").read_text()
        assert log.rstrip().endswith("database system is shut down")


def test_kill_9_of_a_worker(up: Callable[..., Running]) -> None:
    running = up()
    for _ in range(3):
        victims = running.workers()
        for victim in victims:
            victim.kill()
        wait_until(
            lambda gone={v.pid for v in victims}: len({w.pid for w in running.workers()} - gone) == 2  # type: ignore[misc]
        )
        wait_until(lambda: status(running.url) == 200)
    assert running.process.poll() is None


def test_kill_9_of_the_postmaster(up: Callable[..., Running]) -> None:
    running = up()
    for _ in range(2):
        before = cluster.status(running.settings).pid
        assert before is not None
        os.kill(before, signal.SIGKILL)
        wait_until(lambda old=before: cluster.status(running.settings).pid not in (None, old))  # type: ignore[misc]
    assert running.process.poll() is None
    wait_until(lambda: status(running.url + "/api/city") == 200)


def test_kill_9_of_the_supervisor(up: Callable[..., Running]) -> None:
    running = up()
    family = running.family()
    running.process.kill()
    running.process.wait()
    again = up()
    assert status(again.url) == 200
    wait_until(lambda: not any(alive(member) for member in family))


def test_kill_9_of_everything_at_once(up: Callable[..., Running]) -> None:
    running = up()
    for member in running.family():
        member.kill()
    running.process.wait()
    assert status(up().url) == 200


def test_a_second_service_on_the_same_folder_is_refused(up: Callable[..., Running]) -> None:
    running = up()
    second = subprocess.run(
        [sys.executable, "-m", "api", "up", "--port", "0"],
        env={**os.environ, **running.settings.to_environment(), "WANGGE_LANG": "en"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (second.returncode, "already runs" in second.stderr) == (2, True)
    assert status(running.url) == 200


def test_a_taken_port_is_refused(up: Callable[..., Running], home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "api", "up", "--port", port, "--data", str(home), "--lang", "en"],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert (done.returncode, "--port" in done.stderr) == (2, True)
    assert not (home / "pg").exists()


def test_serve_leaves_the_database_running(up: Callable[..., Running]) -> None:
    running = up("serve")
    assert status(running.url) == 200
    running.process.terminate()
    assert running.process.wait(30) == 0
    assert cluster.status(running.settings).running


def test_a_server_of_ones_own_is_used_and_left_running(
    settings: Settings, environment: dict[str, str]
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "api", "up", "--port", "0", "--workers", "1"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    assert status(url + "/api/city") == 200
    process.terminate()
    assert process.wait(60) == 0
    assert not (settings.home / "pg").exists()
    with connect(settings) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url if "/api" in url else f"{url}/healthz", timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as problem:
        return problem.code
    except OSError:
        return 0


def command_of(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:  # it ended just now
        return []


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def wait_until(true: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.1)

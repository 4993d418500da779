"""`wangge up` keeps the service alive, stops cleanly, leaves nothing behind, and starts again after `kill -9` of anything."""

from __future__ import annotations

import json
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

from api import auth
from api.jobs import queue
from geo.db import cluster
from geo.db import session as sessions
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


def test_the_worker_of_jobs(up: Callable[..., Running]) -> None:
    """It is there, comes back after kill -9, takes over what it left, and goes with the service."""
    running = up()
    wait_until(lambda: job_workers(running) != [])
    with connect(running.settings, autocommit=True) as connection:
        wait_until(lambda: lives(running.settings))
        connection.execute(  # as if the worker that is about to die had been at it, once and for the second time
            "INSERT INTO job (kind, author, state, tries, started_at, seen_at) VALUES "
            "('plan.propose', 'a', 'running', 1, now(), now()), ('plan.propose', 'a', 'running', 2, now(), now())"
        )
        (old,) = job_workers(running)
        old.kill()
        wait_until(lambda: {w.pid for w in job_workers(running)} - {old.pid} != set())
        wait_until(
            lambda: connection.execute("SELECT count(*) FROM job WHERE state = 'failed'").fetchone() == (2,)
        )
        found = connection.execute("SELECT problem->>'code', tries FROM job ORDER BY id").fetchall()
    assert found == [
        ("internal", 2),
        ("job-abandoned", 2),
    ]  # the first was done again: its parameters are none
    family = running.family()
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(30) == 0
    assert [member for member in family if alive(member)] == []


def test_serve_has_no_worker_of_jobs_and_says_so(up: Callable[..., Running]) -> None:
    running = up("serve")
    token = made_token(running.settings)
    body = b'{"name": "x", "grids": 3}'
    asked = urllib.request.Request(
        f"{running.url}/api/plans/propose",
        body,
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(asked, timeout=20) as answer:
        found = json.load(answer)
    assert (answer.status, found["state"], found["notice"]["code"]) == (202, "queued", "no-worker")
    done = subprocess.run(
        [sys.executable, "-m", "api", "doctor", "--json"],
        env={**os.environ, **running.settings.to_environment()},
        capture_output=True,
        text=True,
        check=False,
    )
    states = {f["what"]: f["state"] for f in json.loads(done.stdout)}
    assert states["jobs 作业"] == "warning"


def job_workers(running: Running) -> list[psutil.Process]:
    children = psutil.Process(running.process.pid).children()
    return [child for child in children if alive(child) and "api.jobs.worker" in command_of(child)]


def lives(settings: Settings) -> bool:
    with sessions.session(settings) as session:
        return queue.worker_lives(session)


def made_token(settings: Settings) -> str:
    with sessions.session(settings) as session:
        auth.add_user(session, "tester")
        return auth.issue_token(session, "tester")[0]


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

"""The service is killed between an effect's commit and its answer; the same key again gives one effect, one audit row."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from geo.db import session as sessions
from geo.settings import Settings
from tests.api.conftest import admin_token, found_town, free_port

SLOW_COMMIT = (  # as a slow disk does it: the commit takes its time, and goes on when its client is gone
    "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.05); RETURN NULL; END'",
    "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON job DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
    "EXECUTE FUNCTION slow()",
)
IN_COMMIT = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
MORTAL = Path(__file__).with_name("mortal_service.py")


class Mortal:
    """A service that comes back whenever it is killed."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.port = settings, free_port()
        environment = {**os.environ, **settings.to_environment(), "PYTHONPATH": str(MORTAL.parents[2])}
        self.process = subprocess.Popen(
            [sys.executable, str(MORTAL), str(self.port)], env=environment, stdout=subprocess.PIPE, text=True,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.pid = self._next()
        threading.Thread(target=self._follow, daemon=True).start()

    def _next(self) -> int:
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())

    def _follow(self) -> None:
        while line := self.process.stdout.readline():  # type: ignore[union-attr]
            self.pid = int(line)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def mortal(module_settings: Settings) -> Iterator[Mortal]:
    with sessions.session(module_settings, "owner") as session:
        found_town(session, cases=50)
        for statement in SLOW_COMMIT:
            session.execute(text(statement))
    service = Mortal(module_settings)
    yield service
    service.stop()


def test_a_few_kills(mortal: Mortal) -> None:
    assert kills(mortal, 6, random.Random(1)) >= 1


@pytest.mark.slow
def test_fifty_kills(mortal: Mortal) -> None:
    assert kills(mortal, 50, random.Random(2)) >= 10


def kills(mortal: Mortal, rounds: int, rng: random.Random) -> int:
    """Kills in so many rounds; how often the effect was there although the answer was not."""
    headers = {"Authorization": f"Bearer {token_of(mortal)}"}
    url = f"http://127.0.0.1:{mortal.port}/api/plans/propose"
    with httpx.Client(timeout=30, trust_env=False) as client:
        took_s = measure(client, url, headers, rng)
        struck = lost = 0
        for i in range(rounds):
            unlimited(mortal)
            body = {"name": f"方案 {rng.random()}", "grids": 4}
            key = {**headers, "Idempotency-Key": f"{rng.random()}"}
            killed = strike(mortal, rng.uniform(0.2, 1.1) * took_s, in_commit=i % 2 == 0)
            try:
                first = client.post(url, json=body, headers=key)
            except httpx.HTTPError:
                first = None
            killed.join()
            struck += first is None
            lost += first is None and effects(mortal, str(body["name"])) == 1
            answer = again(client, url, body, key)
            assert answer.status_code == 202, answer.text
            assert first is None or first.content == answer.content
            assert effects(mortal, str(body["name"])) == 1
    print(f"{rounds} kills, {struck} before the answer, {lost} of them after the commit")
    return lost


def strike(mortal: Mortal, after_s: float, *, in_commit: bool) -> threading.Thread:
    """Kills the service at its commit, or after some time."""
    victim = mortal.pid

    def run() -> None:
        if in_commit:
            deadline = time.monotonic() + 10
            with sessions.connect(mortal.settings, autocommit=True) as connection:
                while not connection.execute(IN_COMMIT).fetchone() and time.monotonic() < deadline:
                    time.sleep(0.002)
        else:
            time.sleep(after_s)
        os.kill(victim, signal.SIGKILL)
        while mortal.pid == victim:
            time.sleep(0.005)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def measure(client: httpx.Client, url: str, headers: dict[str, str], rng: random.Random) -> float:
    """How long one request takes when nobody dies."""
    again(client, url, {"name": f"方案 {rng.random()}", "grids": 4}, headers)
    began = time.monotonic()
    again(client, url, {"name": f"方案 {rng.random()}", "grids": 4}, headers)
    return time.monotonic() - began


def again(client: httpx.Client, url: str, body: dict[str, Any], headers: dict[str, str]) -> httpx.Response:
    """The request until it is answered and not told to wait."""
    for _ in range(200):
        try:
            answer = client.post(url, json=body, headers=headers)
        except httpx.HTTPError:
            time.sleep(0.05)
            continue
        if answer.status_code not in (409, 503):
            return answer
        time.sleep(0.1)
    raise AssertionError("never answered")


def unlimited(mortal: Mortal) -> None:
    """A quick machine asks more often in a minute than one person may: what was counted is forgotten."""
    with sessions.session(mortal.settings, "owner") as session:
        session.execute(text("DELETE FROM attempt"))


def token_of(mortal: Mortal) -> str:
    with sessions.session(mortal.settings) as session:
        session.execute(text("DELETE FROM job"))  # the queue is bounded, and nobody works here
        session.execute(text("DELETE FROM app_user WHERE name = 'tester'"))
    return admin_token(mortal.settings)


def effects(mortal: Mortal, name: str) -> int:
    """Jobs of this name; each with exactly one audit row."""
    with sessions.session(mortal.settings) as session:
        rows = session.execute(
            text(
                "SELECT j.id, (SELECT count(*) FROM audit a WHERE a.act = 'job.ask' AND a.what->>'job' = j.id::text) "
                "FROM job j WHERE j.params->>'name' = :n"
            ),
            {"n": name},
        ).all()
    assert all(n == 1 for _, n in rows)
    return len(rows)

"""A worker of jobs beside a test, and waiting for what it does."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from api.jobs import queue
from geo.db import session as sessions
from geo.settings import Settings

ODD = Path(__file__).with_name("odd_worker.py")


@contextmanager
def working(settings: Settings, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker process on a database."""
    environment = {**os.environ, **settings.to_environment(), "PYTHONPATH": str(ODD.parents[2]), **more}
    process = subprocess.Popen([sys.executable, str(ODD)], env=environment)
    try:
        until(settings, queue.worker_lives, lambda lives: lives, 180)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until(
    settings: Settings, ask: Callable[[Any], Any], good: Callable[[Any], bool], seconds: float = 60
) -> Any:
    deadline = time.monotonic() + seconds
    while True:
        with sessions.session(settings) as session:
            found = ask(session)
        if good(found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def begin(settings: Settings, kind: str, **params: Any) -> int:
    with sessions.session(settings, "app") as session:
        return queue.ask(session, f"odd.{kind}", params, "张工")


def state_of(settings: Settings, job: int, *states: str) -> dict[str, Any]:
    found: dict[str, Any] = until(
        settings,
        lambda session: queue.show(session, job),
        lambda job: job["state"] in (states or queue.ENDED),
    )
    return found

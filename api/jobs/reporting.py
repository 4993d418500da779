"""Progress, and the wish to stop: on a connection of their own, a few times a second at most."""

from __future__ import annotations

import contextlib
import time
from types import TracebackType

import psycopg

from api.jobs.queue import Asked
from geo.db import session as sessions
from geo.settings import Settings

EVERY_S = 0.3


class Reporter:
    """`progress` and `cancel` of one job.

    Both look into the database at most every `EVERY_S` seconds. While the database is away they keep silent; a job that is no
    longer on this try is told to stop.
    """

    def __init__(self, settings: Settings, asked: Asked) -> None:
        self._settings, self._asked = settings, asked
        self._connection: psycopg.Connection | None = None
        self._told: tuple[str, int, int | None] | None = None
        self._at_s, self._stop = float("-inf"), False

    def __enter__(self) -> Reporter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.close()

    def progress(self, stage: str, done: int, total: int | None = None) -> None:
        """Remembers how far the work is and stores it when the time has come."""
        self._told = (stage[:80], int(done), None if total is None else int(total))
        self._look()

    def cancel(self) -> bool:
        """Whether somebody wants the job to end."""
        self._look()
        return self._stop

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._at_s < EVERY_S:
            return
        self._at_s = now
        with contextlib.suppress(psycopg.OperationalError, psycopg.InterfaceError):
            self._exchange()

    def _exchange(self) -> None:
        if self._connection is None or self._connection.closed:
            self._connection = sessions.connect(self._settings, autocommit=True)
        stage, done, total = self._told or ("", 0, None)
        row = self._connection.execute(
            "UPDATE job SET seen_at = now(), stage = %s, done = %s, total = %s WHERE id = %s AND tries = %s "
            "AND state = 'running' RETURNING cancel_asked_at IS NOT NULL",
            [stage, done, total, self._asked.id, self._asked.tries],
        ).fetchone()
        self._stop = row is None or bool(row[0])

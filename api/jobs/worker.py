"""The worker: takes one job after another, each in a process of its own. `python -m api.jobs.worker`

It listens for new jobs, gives signs of life for the one that runs, ends it when it holds too much memory or does not
heed a cancellation, and takes over what another worker left. It survives restarts of the database.
"""

from __future__ import annotations

import contextlib
import gc
import signal
import time
from collections.abc import Iterator
from types import FrameType

import psycopg
import sqlalchemy.exc

from api import problems, uploads
from api.jobs import keeping, kinds, queue, running
from api.jobs.child import Child, memory_limit_bytes
from api.jobs.queue import Asked
from api.logs import log
from geo.db import session as sessions
from geo.errors import Unavailable, WanggeError
from geo.settings import Settings

LOOK_S = 1.0  # how often it looks without being called
WATCH_S = 0.5
HEED_S = 10.0  # a cancelled job that goes on longer than this is ended
TIDY_S = 300.0
AWAY = (psycopg.OperationalError, psycopg.InterfaceError, sqlalchemy.exc.DBAPIError, Unavailable)


class Worker:
    """The loop; `stop` ends it within a second."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.stopping = settings, False
        self._limit_bytes = memory_limit_bytes(settings.job_memory_mb)
        self._tidied_s = float("-inf")
        self._loaded = False

    def run(self) -> None:
        """Works until it is told to stop."""
        while not self.stopping:
            try:
                with self._present() as ears:
                    self._load()
                    log("jobs ready")
                    while not self.stopping:
                        if not self._next():
                            for _ in ears.notifies(timeout=LOOK_S, stop_after=1):
                                pass
            except AWAY as error:
                log("jobs wait for the database", kind=type(error).__name__)
                time.sleep(LOOK_S)

    def stop(self, number: int = 0, frame: FrameType | None = None) -> None:
        """Asks it to end; the job that runs goes back to the queue."""
        self.stopping = True

    @contextlib.contextmanager
    def _present(self) -> Iterator[psycopg.Connection]:
        """A connection that hears of new jobs and shows, as long as it stands, that a worker lives."""
        with contextlib.closing(sessions.connect(self.settings, autocommit=True)) as ears:
            ears.execute("SELECT pg_advisory_lock_shared(%s)", [queue.PRESENCE])
            ears.execute(f"LISTEN {queue.CHANNEL}")
            yield ears

    def _load(self) -> None:
        """Imports what jobs need, once, so that a job's process, forked from this one, starts at once."""
        if not self._loaded:
            kinds.preload()
            gc.collect()
            gc.freeze()
            self._loaded = True

    def _next(self) -> bool:
        """Does one job if there is one."""
        with sessions.session(self.settings, "owner") as session:
            for job in queue.take_over(session):
                log("job taken over", job=job)
            if time.monotonic() - self._tidied_s > TIDY_S:
                queue.tidy(session)
                uploads.tidy(self.settings, queue.wanted_uploads(session))
                keeping.tidy(session, self.settings)
                self._tidied_s = time.monotonic()
            asked = queue.claim(session)
        if asked is not None:
            self._do(asked)
        return asked is not None

    def _do(self, asked: Asked) -> None:
        started = time.monotonic()
        child = Child.start(lambda: _in_child(self.settings, asked))
        try:
            why = self._watch(asked, child)
        finally:
            child.kill()
        self._settle(asked, child, why)
        self._clear(asked)
        log(
            "job ended",
            job=asked.id,
            kind=asked.kind,
            status=child.status,
            s=round(time.monotonic() - started, 2),
        )

    def _watch(self, asked: Asked, child: Child) -> str:
        """Waits for the child; says why it was ended, or nothing when it ended by itself."""
        beaten_s = float("-inf")
        while not child.ended(WATCH_S):
            if self.stopping:
                return "stopping"
            if child.memory_bytes() > self._limit_bytes:
                return "memory"
            if time.monotonic() - beaten_s >= queue.BEAT_S:
                beaten_s = time.monotonic()
                wished_s = self._beat(asked)
                if wished_s is None:
                    return "overtaken"
                if wished_s > HEED_S:
                    return "cancelled"
        return ""

    def _beat(self, asked: Asked) -> float | None:
        try:
            with sessions.session(self.settings, "owner") as session:
                return queue.beat(session, asked)
        except AWAY:
            return 0.0  # the child notices by itself

    def _settle(self, asked: Asked, child: Child, why: str) -> None:
        """Writes what became of a job whose process could not write it itself; waits for the database if need be."""
        if why == "overtaken" or (not why and child.status == running.TOLD):
            return
        while True:
            try:
                with sessions.session(self.settings, "owner") as session:
                    if why == "stopping":
                        queue.give_back(session, asked)
                    elif why == "cancelled":
                        queue.end(session, asked, "cancelled")
                    elif why == "memory":
                        queue.end(session, asked, "failed", problem=too_large(self._limit_bytes))
                    elif child.status == running.LOST:
                        queue.take_over(session, only=asked)
                    else:
                        queue.end(session, asked, "failed", problem=crashed(child.status))
                return
            except AWAY:
                if self.stopping:
                    return  # the next worker takes it over
                time.sleep(LOOK_S)

    def _clear(self, asked: Asked) -> None:
        """Removes the upload of a job that has ended."""
        if "upload" in asked.params:
            with contextlib.suppress(*AWAY), sessions.session(self.settings, "owner") as session:
                if asked.params["upload"] not in queue.wanted_uploads(session):
                    uploads.remove(self.settings, asked.params["upload"])


def too_large(limit_bytes: int) -> WanggeError:
    """Why a job was ended that held too much memory."""
    allowed = limit_bytes // 2**20
    return problems.RequestProblem(
        422, "job-memory",
        f"作业所需内存超过 {allowed} MB，已终止；没有留下任何更改。",
        f"The job needed more than {allowed} MB of memory and was ended; nothing was changed.",
        allowed=allowed, do_zh="请缩小范围，或调高 WANGGE_JOB_MEMORY_MB。",
        do_en="Ask for less, or raise WANGGE_JOB_MEMORY_MB.",
    )  # fmt: skip


def crashed(status: int | None) -> WanggeError:
    """Why a job failed whose process ended without a word."""
    name = signal.Signals(-status).name if status is not None and status < 0 else f"exit {status}"
    memory = status == -signal.SIGKILL
    return problems.Broken(
        f"作业进程意外终止（{name}）" + ("，可能因内存不足" if memory else "") + "；没有留下任何更改。",
        f"The job's process ended unexpectedly ({name})"
        + (", perhaps for want of memory" if memory else "")
        + "; nothing was changed.",
        code="job-crashed", signal=name, do_zh="请查看日志；缩小范围后再试。",
        do_en="Look into the log; ask for less and try again.",
    )  # fmt: skip


def _in_child(settings: Settings, asked: Asked) -> int:
    for role in ("owner", "app"):
        sessions.engine(settings, role).dispose(close=False)  # the parent's connections stay the parent's
    return running.perform(settings, asked)


def main(settings: Settings | None = None) -> None:
    """Runs the worker of this data folder until SIGTERM or SIGINT."""
    worker = Worker(settings or Settings.from_environment())
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, worker.stop)
    worker.run()
    sessions.forget(worker.settings)


if __name__ == "__main__":
    main()

"""One process that keeps the service alive: the private database, N workers on one port, and the worker of long jobs.

The supervisor binds the port, so a worker may die without the port going away. Every child dies with it: workers by
SIGKILL from the kernel (they hold no state), the postmaster by a fast, clean shutdown. Without the database
(`wangge serve`) there is no worker of jobs either: it comes with `wangge up` or `wangge jobs work`. A dead child is
started again, at once the first time, then with growing pauses.

    with Supervisor(settings, database=True) as running:
        running.watch()      # until SIGINT, SIGTERM or SIGHUP
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO

from sqlalchemy.exc import SQLAlchemyError

from api.cli import edge, output
from geo.db import audit, cluster, migrations
from geo.db import session as sessions
from geo.db.postgres import tail
from geo.errors import Conflict, RefusedArgument, Unavailable, WanggeError
from geo.settings import Settings

JOBS = "jobs"
POLL_S = 0.2
GRACE_S = 10.0
READY_S = 120.0
PAUSES_S = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)
SEAL_EVERY_S = 3600.0
SETTLED_S = 20.0  # a child that lived this long starts with a clean slate
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class NotStarted(Unavailable):
    """The service did not come up."""

    default_code = "service-not-started"


@dataclass
class Child:
    """A worker process that is wanted alive."""

    name: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    started_at_s: float = 0.0
    deaths: int = 0
    not_before_s: float = 0.0

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None


@dataclass
class Supervisor:
    """The service of one data folder; `database` says whether it keeps the private cluster too.

    What the workers say goes to `log`, or to standard error.
    """

    settings: Settings
    database: bool = True
    log: Path | None = None
    socket: socket.socket = field(init=False)
    children: list[Child] = field(default_factory=list)
    postmaster: subprocess.Popen[bytes] | None = None
    stopping: bool = False
    _lock: IO[str] | None = None
    _looked_at_s: float = 0.0
    _seal_at_s: float = 0.0

    # -- life ------------------------------------------------------------------------------------------

    def __enter__(self) -> Supervisor:
        for number in STOP_SIGNALS:
            signal.signal(number, self._on_signal)
        self._lock = self._only_one() if self.database else None
        self.socket = listen(self.settings.host, self.settings.port)
        try:
            self._start_database()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def serve(self) -> None:
        """Starts the workers and returns when one of them answers."""
        for number in range(self.settings.workers):
            command = [sys.executable, "-m", "api.cli.worker", "--fd", str(self.socket.fileno())]
            self.children.append(Child(f"worker {number + 1}", command))
        if self.database:
            self.children.append(Child(JOBS, [sys.executable, "-m", "api.jobs.worker"]))
        for child in self.children:
            self._spawn(child)
        self._await_answer()

    def watch(self) -> None:
        """Keeps everything alive until somebody asks to stop."""
        while not self.stopping:
            self._tend()
            self._seal()
            time.sleep(POLL_S)

    def stop(self) -> None:
        """Ends workers first, then the database; nothing is left behind."""
        self.stopping = True
        for child in self.children:
            if child.process is not None and child.alive():
                child.process.terminate()
        deadline = time.monotonic() + GRACE_S
        for child in self.children:
            if child.process is not None:
                _end(child.process, deadline - time.monotonic())
        if hasattr(self, "socket"):
            self.socket.close()
        self._stop_database()
        if self._lock is not None:
            self._lock.close()

    def _seal(self) -> None:
        """Every hour: the head of the audit chain into a file outside the database. A database that is away is tried later."""
        if time.monotonic() < self._seal_at_s:
            return
        self._seal_at_s = time.monotonic() + SEAL_EVERY_S
        with (
            contextlib.suppress(WanggeError, SQLAlchemyError, OSError),
            sessions.session(self.settings) as opened,
        ):
            audit.seal(opened, self.settings)

    def asked_to_stop(self) -> bool:
        """Whether a signal to stop has arrived."""
        return self.stopping

    @property
    def url(self) -> str:
        """Where the service answers."""
        host, port = self.socket.getsockname()[:2]
        shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
        return f"http://{shown}:{port}"

    # -- tending ---------------------------------------------------------------------------------------

    def _tend(self) -> None:
        self._tend_database()
        for child in self.children:
            if child.alive():
                continue
            if child.process is not None:
                self._bury(child)
            if time.monotonic() >= child.not_before_s and not self.stopping:
                self._spawn(child)

    def _spawn(self, child: Child) -> None:
        with self.log.open("ab") if self.log else contextlib.nullcontext() as log:
            child.process = subprocess.Popen(
                child.command,
                env={**os.environ, **self.settings.to_environment()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[self.socket.fileno()],
                start_new_session=True,  # Ctrl-C reaches the supervisor alone, which stops things in order
                preexec_fn=die_with_parent(signal.SIGKILL),
            )
        child.started_at_s = time.monotonic()

    def _bury(self, child: Child) -> None:
        assert child.process is not None
        lived_s = time.monotonic() - child.started_at_s
        child.deaths = 0 if lived_s > SETTLED_S else child.deaths + 1
        pause_s = PAUSES_S[min(child.deaths, len(PAUSES_S) - 1)]
        code = child.process.returncode
        output.say(
            f"{child.name} 已退出（{code}），将重新启动。", f"{child.name} ended ({code}); starting it again."
        )
        child.not_before_s, child.process = time.monotonic() + pause_s, None

    def _await_answer(self) -> None:
        deadline = time.monotonic() + READY_S
        while not self.stopping:
            if answers(self.url):
                return
            self._tend()
            if time.monotonic() > deadline or all(
                child.deaths >= 3 for child in self.children if child.name != JOBS
            ):
                said = f"\n{tail(self.log)}" if self.log else ""
                raise NotStarted(
                    f"服务未能启动，原因见日志。{said}", f"The service did not start; its log says why.{said}"
                )
            time.sleep(POLL_S / 2)

    # -- the database ----------------------------------------------------------------------------------

    def _start_database(self) -> None:
        if not self.database:
            with contextlib.suppress(WanggeError):
                edge.database()
            return
        if self.settings.database_url is None:
            self.postmaster = cluster.start_attached(self.settings)
        else:
            self._await_server()
        migrations.upgrade(self.settings)
        sessions.forget(self.settings)

    def _await_server(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                return cluster.ensure(self.settings)
            except cluster.Unreachable:
                if time.monotonic() > deadline or self.stopping:
                    raise
                time.sleep(1)

    def _tend_database(self) -> None:
        if not self.database or self.settings.database_url is not None:
            return
        ended = self.postmaster is not None and self.postmaster.poll() is not None
        if not ended and (self.postmaster is not None or time.monotonic() - self._looked_at_s < 2):
            return
        self._looked_at_s = time.monotonic()
        if not ended and cluster.status(self.settings).running:
            return
        output.say("数据库已停止，将重新启动。", "The database ended; starting it again.")
        try:
            self.postmaster = cluster.start_attached(self.settings)
        except WanggeError as problem:
            output.report_error(problem)
            time.sleep(1)

    def _stop_database(self) -> None:
        if not self.database or self.settings.database_url is not None:
            return
        with contextlib.suppress(WanggeError):
            cluster.stop(self.settings)
        if self.postmaster is not None:
            _end(self.postmaster, GRACE_S)

    # -- small things ----------------------------------------------------------------------------------

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True

    def _only_one(self) -> IO[str]:
        cluster.make_home(self.settings)
        handle = (self.settings.home / "up.lock").open("a")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.close()
            home = self.settings.home
            raise Conflict(
                f"{home} 已有服务在运行。",
                f"A service already runs on {home}.",
                code="already-running",
                do_zh="请先停止它，或用 --data 另选文件夹。",
                do_en="Stop it first, or choose another folder with --data.",
            ) from None
        return handle


def listen(host: str, port: int) -> socket.socket:
    """The port, taken but not listened on: each worker listens for itself, so that the kernel shares the connections
    out evenly, and a dead worker's share goes to the others. Port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((host, port))
    except OSError as problem:
        opened.close()
        raise RefusedArgument(
            f"无法在 {host}:{port} 监听（{problem.strerror}）。",
            f"Cannot listen on {host}:{port} ({problem.strerror}).",
            code="port-taken",
            field="port",
            do_zh="请用 --port 另选端口。",
            do_en="Choose another port with --port.",
        ) from problem
    opened.setsockopt(
        socket.SOL_SOCKET, socket.SO_REUSEPORT, 1
    )  # after the bind: a stranger's port is still refused
    return opened


def answers(url: str, path: str = "/healthz", timeout_s: float = 2.0) -> bool:
    """Whether the service says 200 there."""
    host = url.removeprefix("http://")
    try:
        connection = http.client.HTTPConnection(host, timeout=timeout_s)
        connection.request("GET", path, headers={"Connection": "close"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False


def die_with_parent(number: int) -> Callable[[], None]:
    """A `preexec_fn`: the kernel sends the child this signal when its parent is gone."""
    libc, parent = ctypes.CDLL(None, use_errno=True), os.getpid()

    def arrange() -> None:
        libc.prctl(1, number)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(1)

    return arrange


def _end(process: subprocess.Popen[bytes], wait_s: float) -> None:
    try:
        process.wait(max(0.1, wait_s))
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

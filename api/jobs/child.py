"""The process of one job: forked from the worker, which has everything loaded, and gone with its memory when it ends.

It dies with the worker, gives way to the web (nice), is the first to go when the machine runs out of memory, and leads a
process group of its own, so that what it starts ends with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

NICE = 5
FIRST_TO_GO = b"700"  # of -1000 to 1000


@dataclass
class Child:
    """A job's process; `status` is None while it runs, then its exit code, or minus the signal that ended it."""

    pid: int
    _watch: int
    status: int | None = None

    @classmethod
    def start(cls, work: Callable[[], int]) -> Child:
        """Forks; the child runs `work` and ends with the code it returns."""
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            _become(work, parent)
        return cls(pid, os.pidfd_open(pid))

    def ended(self, wait_s: float) -> bool:
        """Whether it has ended, waiting that long for it."""
        if self.status is None and select.select([self._watch], [], [], wait_s)[0]:
            _, status = os.waitpid(self.pid, 0)
            self.status = os.waitstatus_to_exitcode(status)
            os.close(self._watch)
        return self.status is not None

    def kill(self) -> None:
        """Ends it and what it started, at once."""
        if self.status is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError):  # it had no time yet to lead a group
                os.kill(self.pid, signal.SIGKILL)
            self.ended(60)

    def memory_bytes(self) -> int:
        """What it and its children hold in memory, files that are mapped not counted."""
        total = 0
        with contextlib.suppress(psutil.Error):
            own = psutil.Process(self.pid)
            for process in (own, *own.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    held = process.memory_info()
                    total += held.rss - held.shared
        return total


def memory_limit_bytes(wish_mb: int) -> int:
    """What a job may hold: what was set, else three quarters of the machine or container."""
    if wish_mb:
        return wish_mb * 2**20
    found = psutil.virtual_memory().total
    with contextlib.suppress(OSError, ValueError):
        found = min(found, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return int(found * 0.75)


def _become(work: Callable[[], int], parent: int) -> None:
    """The child's life; never returns."""
    code = 70
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        os.setsid()
        if os.getppid() != parent:
            os._exit(code)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.nice(NICE)
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_bytes(FIRST_TO_GO)
        code = work()
    finally:
        sys.stderr.flush()
        os._exit(code)

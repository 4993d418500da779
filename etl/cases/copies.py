"""Batches copied in a thread of their own: the server takes one while the next is encoded."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Protocol

from etl.cases.store import Encoded


class Writes(Protocol):
    """Whoever copies a batch: `etl.cases.store.Writer`."""

    def write(self, encoded: Encoded) -> None: ...


class Copying:
    """At most one batch waits and one is copied. At the end the last ones are copied; after an error none that waits.

    with Copying(writer) as copies:
        for batch in batches:
            copies.wait()        # from here on the connection is free, to look up categories and reserve ids
            ids = writer.reserve(len(batch))
            copies.start()       # from here on it copies the batch added before
            copies.add(encoded(batch, ids))

    Raises what a copy raised at the next `wait`, or at the end.
    """

    def __init__(self, writer: Writes) -> None:
        self._writer = writer
        self._pool = ThreadPoolExecutor(1, "copy")
        self._ready: Encoded | None = None
        self._running: Future[None] | None = None

    def __enter__(self) -> Copying:
        return self

    def wait(self) -> None:
        """Until nothing is being copied."""
        running, self._running = self._running, None
        if running is not None:
            running.result()

    def start(self) -> None:
        """Begins to copy the batch that was added last, when there is one."""
        self.wait()
        if self._ready is not None:
            self._running = self._pool.submit(self._writer.write, self._ready)
            self._ready = None

    def add(self, encoded: Encoded) -> None:
        """The batch to be copied at the next `start`, or at the end."""
        self._ready = encoded

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._pool:  # whatever happened: the connection is free afterwards
            if problem is None:
                self.start()
                self.wait()

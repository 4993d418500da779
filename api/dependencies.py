"""What every route shares: settings, sessions, the cases as columns, the data's versions, caches, the principal.

One `Service` per process, made by `api.app.create_app` and kept at `app.state.service`.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import psycopg
from fastapi import Depends, Request
from sqlalchemy import text
from sqlalchemy.orm import Session
from starlette.types import Scope

from api import auth
from api.answers import AnswerCache, etag
from geo.db import session as sessions
from geo.db.tables import PARTS
from geo.db.versions import CHANNEL
from geo.settings import Settings

CHECK_EVERY_S = 2.0
ANSWERS_BYTES = 96 * 2**20
TILES_BYTES = 64 * 2**20


class Versions:
    """The data's versions as this worker knows them: told by NOTIFY, and looked up every two seconds.

    While the database is away the last known ones stay, so that answers from memory go on.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.parts: dict[str, int] = dict.fromkeys(PARTS, 0)
        self.stamp = ""
        self.on_change: list[Callable[[], None]] = []
        self._looked_at = float("-inf")
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begins to listen, on a thread of its own."""
        self._thread = threading.Thread(target=self._listen, name="wangge-versions", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def current(self) -> str:
        """A short word that changes whenever any data changes; asks the database only when nobody listens."""
        if self._thread is None and time.monotonic() - self._looked_at > CHECK_EVERY_S / 4:
            with sessions.session(self.settings, "app") as s:
                self._take(
                    {
                        row.part: row.version
                        for row in s.execute(text("SELECT part, version FROM data_version"))
                    }
                )
        return self.stamp

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                with sessions.connect(self.settings, "app", autocommit=True) as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    while not self._stop.is_set():
                        self._take(
                            dict(connection.execute("SELECT part, version FROM data_version").fetchall())
                        )
                        for _ in connection.notifies(timeout=CHECK_EVERY_S, stop_after=1):
                            pass
            except psycopg.Error:
                self._stop.wait(0.5)

    def _take(self, found: dict[str, Any]) -> None:
        with self._lock:
            self._looked_at = time.monotonic()
            parts = {part: int(found.get(part, 0)) for part in PARTS}
            stamp = etag(release(), *parts.values(), dt.datetime.now(dt.UTC).date())
            if stamp == self.stamp:
                return
            self.parts, self.stamp = parts, stamp
        for act in self.on_change:
            with contextlib.suppress(Exception):  # a listener's trouble must not end the listening
                act()


@dataclass
class Service:
    """Everything a route needs; built once, shared by all requests of a process."""

    settings: Settings
    store: Any
    versions: Versions
    principals: auth.Principals
    answers: AnswerCache = field(default_factory=lambda: AnswerCache(ANSWERS_BYTES))
    tiles: AnswerCache = field(default_factory=lambda: AnswerCache(TILES_BYTES))

    @classmethod
    def build(cls, settings: Settings) -> Service:
        """Opens nothing yet: the database may come up later."""
        versions = Versions(settings)

        def look_up(sha256: bytes) -> auth.Principal | None:
            with sessions.session(settings, "app") as s:
                return auth.find(s, sha256)

        made = cls(settings, _store(settings), versions, auth.Principals(look_up))
        versions.on_change += [made.answers.clear, made.tiles.clear]
        return made

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        """One unit of work as the application role."""
        with sessions.session(self.settings, "app") as opened:
            yield opened

    def today(self, session: Session) -> dt.date:
        """The date in the city's zone."""
        zone = session.scalar(text("SELECT timezone FROM city"))
        return dt.datetime.now(ZoneInfo(zone or "Asia/Shanghai")).date()


def _store(settings: Settings) -> Any:
    try:
        from geo.columns import ColumnStore
    except ImportError:
        return None
    return ColumnStore(settings)


def release() -> str:
    """The version of this program."""
    try:
        return version("wangge")
    except PackageNotFoundError:
        return "0"


def service(request: Request) -> Service:
    """The process's service."""
    found: Service = request.app.state.service
    return found


def principal(request: Request) -> auth.Principal:
    """Who asks, as the guard found out."""
    return principal_of(request.scope)


def principal_of(scope: Scope) -> auth.Principal:
    """The same for a plain ASGI route; nobody in particular where the guard did not look."""
    found: auth.Principal = scope.get("wangge.principal", auth.ANONYMOUS)
    return found


TheService = Annotated[Service, Depends(service)]
ThePrincipal = Annotated[auth.Principal, Depends(principal)]

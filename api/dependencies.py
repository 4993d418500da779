"""What every route shares: settings, sessions, the cases as columns, the data's versions, caches, the principal.

One `Service` per process, made by `api.app.create_app` and kept at `app.state.service`.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

from fastapi import Depends, Request
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.types import Scope

from api import auth
from api.answers import AnswerCache, etag
from api.logs import log
from geo import areas
from geo.analysis.counts import heat
from geo.columns import ColumnStore
from geo.db import session as sessions
from geo.db.clock import city_today
from geo.errors import WanggeError
from geo.settings import Settings
from geo.zones import settled_plan
from grids.drafts import Desk

NAMED_PLAN = re.compile(rb"(?:^|&)plan=(?!(?:current|as-was)(?:&|$)|as-of)")
ASK_EVERY_S = 0.5
RETRY_S = 1.0
QUARTER_S = 900  # `current` is a question about today: a kept answer is asked again four times an hour
ANSWERS_BYTES = 96 * 2**20
TILES_BYTES = 64 * 2**20
GROUND_BYTES = 256 * 2**20  # room for the answer of 200 000 units, 14 MB: an eighth, counted twice


class Freshness:
    """What every kept answer depends on, as one word: the versions of the data, the state of the columns, the hour.

    Edits of drafts are left out: a planner's stroke must not throw away the maps that everybody looks at. What may show
    a draft adds their version (`Service.word`, `Service.stamp`).

    The column store listens for changes and looks every two seconds; while the database is away its last word stays,
    so that answers from memory go on. Until the store has something to answer from, the database is asked.
    """

    def __init__(
        self,
        store: ColumnStore,
        first_answer: Callable[[], object],
        then: Callable[[], object] = lambda: None,
    ) -> None:
        self.store, self._first_answer, self._then = store, first_answer, then
        self.ready = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._seen: tuple[Any, Any, int] = (None, None, 0)
        self._word = ""
        self._asked_at = float("-inf")

    def start(self) -> None:
        """Opens (or builds) the columns on a thread of its own, again and again until it succeeds; one answer is made
        before the service calls itself ready, so that nobody waits for kernels and zones."""
        self._thread = threading.Thread(target=self._open, name="wangge-opening", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the threads."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
        self.store.close()

    def known(self) -> str | None:
        """The word, without waiting for anything; None while nobody listens yet."""
        if not self.ready.is_set():
            return None
        seen = (self.store.versions, self.store.current(), int(time.time()) // QUARTER_S)
        if seen[0] is not self._seen[0] or seen[1] is not self._seen[1] or seen[2] != self._seen[2]:
            self._word = etag(release(), *_settled(seen[0]), seen[1].version, seen[2])
            self._seen = seen
        return self._word

    def word(self) -> str:
        """The same, asking the database when nobody listens yet."""
        found = self.known()
        if found is not None:
            return found
        if time.monotonic() - self._asked_at > ASK_EVERY_S:
            self.store.poll()
            self._asked_at = time.monotonic()
        return etag(release(), *_settled(self.store.versions))

    def of(self, *parts: str) -> tuple[int, ...]:
        """The versions of some parts, as last seen."""
        return tuple(self.store.versions[part] for part in parts)

    def _open(self) -> None:
        while not self._stop.is_set():
            try:
                self.store.current()
                with contextlib.suppress(WanggeError):  # no plan, no cases yet
                    self._first_answer()
            except Exception as problem:  # whatever is wrong, the service waits for it to be put right
                log("columns not ready", kind=type(problem).__name__)
                self._stop.wait(RETRY_S)
            else:
                self.ready.set()
                self._prepare()
                return

    def _prepare(self) -> None:
        """What somebody will ask for soon, made while nobody waits for it."""
        try:
            self._then()
        except Exception as problem:  # then it is made when it is asked for
            log("nothing prepared", kind=type(problem).__name__)


def _settled(versions: dict[str, int]) -> list[tuple[str, int]]:
    return sorted((part, version) for part, version in versions.items() if part != "drafts")


@dataclass
class Service:
    """Everything a route needs; built once, shared by all requests of a process."""

    settings: Settings
    store: ColumnStore
    fresh: Freshness
    principals: auth.Principals
    answers: AnswerCache = field(default_factory=lambda: AnswerCache(ANSWERS_BYTES))
    tiles: AnswerCache = field(default_factory=lambda: AnswerCache(TILES_BYTES))
    grounds: AnswerCache = field(default_factory=lambda: AnswerCache(GROUND_BYTES))
    desk: Desk = field(default_factory=Desk)

    @classmethod
    def build(cls, settings: Settings) -> Service:
        """Opens nothing yet: the database may come up later."""
        store = ColumnStore(settings)

        def look_up(sha256: bytes) -> auth.Principal | None:
            with sessions.session(settings, "app") as s:
                return auth.look_up(s, sha256, settings.session_idle_minutes)

        def app_session() -> contextlib.AbstractContextManager[Session]:
            return sessions.session(settings, "app")

        fresh = Freshness(store, lambda: heat(app_session, store), lambda: made.open_latest_draft())
        made = cls(settings, store, fresh, auth.Principals(look_up))
        return made

    def open_latest_draft(self) -> None:
        """Puts the draft that was edited last on the desk, if there is one: its planner goes on with it, and the units of
        the whole city are read then (200 000: three seconds)."""
        with self.session(areas.CITY) as opened:
            plan = opened.scalar(text(_LATEST_DRAFT))
            if plan is not None:
                self.desk.open(opened, int(plan))

    @contextlib.contextmanager
    def session(self, seen: areas.Scope = areas.NOWHERE) -> Iterator[Session]:
        """One unit of work as the application role. It sees rows of cases as far as `seen` reaches: none by default,
        `areas.CITY` where figures are made of all cases."""
        with sessions.session(self.settings, "app") as opened:
            if seen.word:
                areas.show(opened, seen)
            yield opened

    @contextlib.contextmanager
    def session_of(self, who: auth.Principal) -> Iterator[tuple[Session, areas.Scope]]:
        """The same for what shows single cases: (a session that sees the cases of who asks, how far that is)."""
        with self.session() as opened:
            seen = areas.CITY if who.role == "admin" else areas.NOWHERE
            if who.role in ("worker", "supervisor"):
                seen = areas.scope(opened, who.area)
            if seen.word:
                areas.show(opened, seen)
            yield opened, seen

    def word(self, sight: str, plan: str | None = None) -> str:
        """What a kept answer depends on; with the edits of drafts when staff asks for a plan that may be one."""
        word = self.fresh.word()
        return f"{word}.{self._drafts()}" if sight == "exact" and plan and not settled_plan(plan) else word

    async def stamp(self, scope: Scope, sight: str) -> str:
        """The same for a plain ASGI route, from its address."""
        known = self.fresh.known()
        word = known if known is not None else await run_in_threadpool(self.fresh.word)
        if sight == "exact" and (
            scope["path"].startswith("/tiles/plans/") or NAMED_PLAN.search(scope["query_string"])
        ):
            word = f"{word}.{await run_in_threadpool(self._drafts)}"
        return word

    def _drafts(self) -> int:
        """How many edits there have been, asked now: another worker may have made the latest."""
        try:
            with self.session() as opened:
                return int(opened.scalar(text("SELECT version FROM data_version WHERE part = 'drafts'")) or 0)
        except (SQLAlchemyError, WanggeError):  # away: answers from memory go on
            return self.store.versions["drafts"]

    def today(self, session: Session) -> dt.date:
        """The date in the city's zone."""
        return city_today(session)


_LATEST_DRAFT = """
SELECT p.id FROM plan p LEFT JOIN (SELECT plan_id, max(at) AS at FROM plan_edit GROUP BY plan_id) e ON e.plan_id = p.id
WHERE p.state = 'draft' ORDER BY greatest(e.at, p.created_at) DESC LIMIT 1"""


@lru_cache(maxsize=1)
def release() -> str:
    """The version of this program, read once: the package's metadata takes longer to read than a heat map."""
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

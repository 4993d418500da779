"""Cases as memory-mapped columns beside PostGIS: what every count is made from, shared by all workers.

PostGIS keeps the truth. The columns are a copy arranged for counting (see `geo.column_build` for what they hold and
`geo.column_files` for how they are kept and trusted): rebuilt whenever the versions in `data_version` say that cases,
units or the city changed, by one builder at a time (an advisory lock), while everybody else goes on reading the old
mapping. Damaged or missing files are rebuilt, never trusted.

    store = ColumnStore(settings)
    columns = store.current()          # at most two seconds behind a commit; costs nothing
    columns.version                    # changes whenever a count could change because of the cases
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import psycopg
from numpy.typing import NDArray

from geo import column_files as files
from geo import column_layers as layers
from geo.column_build import CategoryInfo, build, data_key
from geo.db.session import connect
from geo.db.tables import PARTS
from geo.db.versions import CHANNEL
from geo.errors import Unavailable
from geo.memory import Memory
from geo.progress import Progress, silent
from geo.settings import Settings

log = logging.getLogger(__name__)
T = TypeVar("T")

BUILD_LOCK = 0x77616E67_0002
POLL_S = 2.0
REMEMBERED, REMEMBERED_LONG = 256, 4


@dataclass(frozen=True, eq=False)
class Columns:
    """One state of the cases; its arrays never change. Names, units and types: `geo.column_build`."""

    version: str
    folder: Path
    timezone: str
    first_day: int  # days since 1970, the day of the oldest case and of the first week in `weekly`
    base_s: int
    tick_s: int
    first_opened: dt.datetime | None
    last_opened: dt.datetime | None
    last_instant: dt.datetime | None
    unplaced: int
    known: dict[str, int]  # how many cases have a closed, due, dispatched time, a satisfied answer
    categories: tuple[CategoryInfo, ...]
    unit: NDArray[np.int32]
    day: NDArray[np.int32]
    opened: NDArray[np.uint32]
    closed: NDArray[np.uint32]
    due: NDArray[np.uint32]
    dispatched: NDArray[np.uint32]
    facts: NDArray[np.uint8]
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    unit_ids: NDArray[np.int32]
    unit_parents: NDArray[np.int32]
    category_ptr: NDArray[np.int64]
    weekly: NDArray[np.uint32]

    @property
    def n(self) -> int:
        """How many cases there are."""
        return len(self.unit)

    @cached_property
    def ordinals(self) -> dict[str, tuple[int, ...]]:
        """Positions in `categories` of what each key names: a category, a 大类 with all its 小类."""
        found: dict[str, list[int]] = {}
        for i, category in enumerate(self.categories):
            for key in {category.key, category.top}:
                found.setdefault(key, []).append(i)
        return {key: tuple(positions) for key, positions in found.items()}

    def tick(self, instant: dt.datetime) -> int:
        """An instant in the ticks of `opened`, `closed`, `due` and `dispatched`; may be negative or beyond them."""
        return int((int(instant.timestamp()) - self.base_s) // self.tick_s)

    def unit_ordinals(self, ids: NDArray[np.int32]) -> NDArray[np.int64]:
        """Positions of unit ids in the columns' units, −1 for a unit made after the columns were."""
        if not len(self.unit_ids):
            return np.full(len(ids), -1, dtype=np.int64)
        at = np.searchsorted(self.unit_ids, ids).clip(max=len(self.unit_ids) - 1)
        return np.where(self.unit_ids[at] == ids, at, -1)

    def hexagons(self, resolution: int) -> layers.Layer:
        """`labels` (ordinal of the H3 cell of each case, −2 unplaced) and `cells` (uint64), built on first use."""
        name = f"hexagon-{resolution}"
        return layers.layer(
            self.folder, name, self.version, lambda: layers.hexagons(self.lon, self.lat, resolution)
        )

    def boundaries(self, edition: int, key: str, polygons: Callable[[], NDArray[np.object_]]) -> layers.Layer:
        """`labels` (ordinal of the polygon of each case, −1 outside, −2 unplaced) and `overlaps`, built on first use.

        `key` names the state of the edition; `polygons` fetches its geometries in order of code when they are needed.
        """
        return layers.layer(
            self.folder,
            f"edition-{edition}",
            f"{self.version}/{key}",
            lambda: layers.boundaries(self.lon, self.lat, polygons()),
        )


class ColumnStore:
    """Keeps the newest columns at hand; safe to share between threads, one per process.

    `watch`: start a daemon thread at the first `current()` that listens for changes (and looks every two seconds when
    nothing was heard), rebuilds in the background and swaps. Without it (the command line) `current()` looks itself.
    """

    def __init__(self, settings: Settings, watch: bool = True) -> None:
        self.settings = settings
        self.versions: dict[str, int] = dict.fromkeys(PARTS, 0)
        self._watch = watch
        self._columns: Columns | None = None
        self._lock = threading.Lock()
        self._watcher: threading.Thread | None = None
        self._closed = threading.Event()
        self._memory, self._long_memory = Memory(REMEMBERED), Memory(REMEMBERED_LONG)

    def current(self) -> Columns:
        """The columns to answer from. The first call opens (or builds) them; later ones return at once.

        Raises Unavailable when there are no columns yet and the database does not answer.
        """
        if self._columns is None or not self._watch:
            self.refresh()
        if self._watch and self._watcher is None:
            self._start_watching()
        assert self._columns is not None
        return self._columns

    def refresh(self, progress: Progress = silent) -> Columns:
        """Looks at the database now and builds what is stale before it returns."""
        with self._lock:
            try:
                with self._connection() as connection:
                    return self._bring_up_to_date(connection, progress)
            except psycopg.OperationalError as problem:
                raise Unavailable(
                    "数据库没有应答。", "The database does not answer.", code="database-away"
                ) from problem

    def poll(self) -> dict[str, int]:
        """Reads the versions of all parts now (after a write of one's own) and returns them."""
        with self._connection() as connection:
            self._read_versions(connection)
        return self.versions

    def remember(self, key: Hashable, make: Callable[[], T], state: Hashable = None) -> T:
        """The value made for `key` before, or made now; the last 256 are kept. Keys must name the versions used, unless
        `state` does: then a key has one value, made again when the state is another."""
        return self._memory.remember(key, make, state)

    def remember_long(self, key: Hashable, make: Callable[[], T], state: Hashable = None) -> T:
        """The same for arrays as long as the cases; the last 4 are kept."""
        return self._long_memory.remember(key, make, state)

    def close(self) -> None:
        """Stops the watcher; the mapping stays readable."""
        self._closed.set()
        if self._watcher is not None:
            self._watcher.join(timeout=POLL_S + 1)
            self._watcher = None

    # ── bringing up to date ─────────────────────────────────────────────────────────────────────────────────────────

    def _connection(self) -> psycopg.Connection[Any]:
        return connect(self.settings, "owner")

    def _read_versions(self, connection: psycopg.Connection[Any]) -> str:
        """Reads all versions and the key that columns built now would have."""
        rows = connection.execute("SELECT part, version FROM data_version").fetchall()
        self.versions = dict.fromkeys(PARTS, 0) | {part: int(version) for part, version in rows}
        key = data_key(connection)
        connection.rollback()
        return key

    def _bring_up_to_date(self, connection: psycopg.Connection[Any], progress: Progress) -> Columns:
        key = self._read_versions(connection)
        if self._columns is not None and self._columns.version == key and self._columns.folder.exists():
            return self._columns
        root = self.settings.columns_dir
        found = _read(root, key)
        if found is None:
            found = self._build(connection, progress)
        before, self._columns = self._columns, found
        if before is not None:
            self._carry_over(before, found)
        return found

    def _carry_over(self, before: Columns, after: Columns) -> None:
        """Hexagons that were in use are ready again before anybody asks; what was remembered of before is dropped."""
        self._memory.clear()
        self._long_memory.clear()
        for resolution in layers.RESOLUTIONS:
            if self._watch and (before.folder / f"hexagon-{resolution}.json").exists():
                after.hexagons(resolution)

    def _build(self, connection: psycopg.Connection[Any], progress: Progress) -> Columns:
        """Builds under the advisory lock; whoever waited for another builder takes what that one made."""
        root = self.settings.columns_dir
        connection.execute("SET lock_timeout = 0")
        connection.execute("SELECT pg_advisory_lock(%s)", [BUILD_LOCK])
        connection.commit()
        try:
            found = _read(root, self._read_versions(connection))
            if found is not None:
                return found
            built = build(connection, progress)
            files.write(root, built.key, built.arrays, built.facts)
            return _columns(files.read(root, verify=False))
        finally:
            with contextlib.suppress(psycopg.Error):
                connection.rollback()
                connection.execute("SELECT pg_advisory_unlock(%s)", [BUILD_LOCK])
                connection.commit()

    # ── watching ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _start_watching(self) -> None:
        with self._lock:
            if self._watcher is None:
                self._watcher = threading.Thread(target=self._watch_changes, name="columns", daemon=True)
                self._watcher.start()

    def _watch_changes(self) -> None:
        while not self._closed.is_set():
            try:
                with connect(self.settings, "owner", autocommit=True) as ear:
                    ear.execute(f"LISTEN {CHANNEL}")
                    self._listen(ear)
            except (
                Exception
            ) as problem:  # the database is away, the disk full: what we have goes on being served
                log.warning("columns are not watched for a moment: %s", problem)
                self._closed.wait(POLL_S)

    def _listen(self, ear: psycopg.Connection[Any]) -> None:
        while not self._closed.is_set():
            with self._connection() as connection:
                key = self._read_versions(connection)
                if self._columns is None or self._columns.version != key:
                    with self._lock:
                        self._bring_up_to_date(connection, silent)
            until = time.monotonic() + POLL_S
            while not self._closed.is_set() and time.monotonic() < until:
                if any(True for _ in ear.notifies(timeout=0.25, stop_after=1)):
                    break


def _read(root: Path, key: str) -> Columns | None:
    """The columns on disk when they are whole and built for `key`."""
    if files.current_key(root) != key:
        return None
    try:
        return _columns(files.read(root))
    except (files.Untrusted, KeyError, TypeError):
        return None


def _columns(folder: files.Folder) -> Columns:
    facts = folder.facts
    return Columns(
        version=folder.key,
        folder=folder.path,
        timezone=facts["timezone"],
        first_day=facts["first_day"],
        base_s=facts["base_s"],
        tick_s=facts["tick_s"],
        first_opened=_instant(facts["first_opened_s"]),
        last_opened=_instant(facts["last_opened_s"]),
        last_instant=_instant(facts["last_instant_s"]),
        unplaced=facts["unplaced"],
        known=facts["known"],
        categories=tuple(CategoryInfo(**c) for c in facts["categories"]),
        **folder.arrays,
    )


def _instant(epoch_s: int | None) -> dt.datetime | None:
    return None if epoch_s is None else dt.datetime.fromtimestamp(epoch_s, dt.UTC)

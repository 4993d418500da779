"""What every test may ask for: a real PostGIS, a fresh database, the real test data, a browser.

One throwaway cluster per test run, shared by the pytest-xdist workers; one migrated template database; every test
that asks for `settings` or `db` gets its own copy of it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import psycopg
import pytest
import shapely
from psycopg import sql
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from geo.crs import project
from geo.db import cluster, migrations, roles
from geo.db import session as sessions
from geo.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
PREFIX = "wangge-test-"
TEMPLATE = "wangge_template"
NO_SHARED = "the real test data is not on this machine (WANGGE_TEST_DATA, default ../shared)"


# -- options and skips -----------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--strict-skips", action="store_true", help="a skip is a failure (used by CI)")


def pytest_configure(config: pytest.Config) -> None:
    # a busy machine is no failure: no test here is timed
    hypothesis.settings.register_profile("wangge", deadline=None, print_blob=True)
    hypothesis.settings.load_profile("wangge")
    if not hasattr(config, "workerinput"):  # the controller, or the only process
        sweep()
        home = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
        home.chmod(0o755)
        os.environ["WANGGE_TEST_CLUSTER"] = str(home)


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        remove(Path(os.environ.pop("WANGGE_TEST_CLUSTER")))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    outcome: Any = yield
    report = outcome.get_result()
    if report.skipped and isinstance(report.longrepr, tuple) and _lacks_shared(report.longrepr[2]):
        report.longrepr = (
            __file__,
            1,
            f"Skipped: {NO_SHARED}",
        )  # one place, so that one line is printed for all
    if report.skipped and not hasattr(report, "wasxfail") and item.config.getoption("--strict-skips"):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if NO_SHARED not in reason or os.environ.get("CI"):
            report.outcome = "failed"
            report.longrepr = f"skipped under --strict: {reason}"


def _lacks_shared(reason: str) -> bool:
    """Whether a test skipped for want of the real test data: it said so, or its cases would have come from there."""
    return NO_SHARED in reason or ("empty parameter set" in reason and not _shared_folder().is_dir())


def _shared_folder() -> Path:
    return Path(os.environ.get("WANGGE_TEST_DATA") or ROOT.parent / "shared") / "data"


def sweep() -> None:
    """Removes what a killed test run left behind: its name holds the process that owned it."""
    for home in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        owner = home.name.removeprefix(PREFIX).split("-")[0]
        if owner.isdecimal() and not Path(f"/proc/{owner}").exists():
            remove(home)


def remove(home: Path) -> None:
    if (home / "pg").exists():
        cluster.stop(test_settings(home))
    shutil.rmtree(home, ignore_errors=True)


# -- the database ------------------------------------------------------------------------------------------


def test_settings(home: Path) -> Settings:
    return Settings(home=home, fsync=False)


test_settings.__test__ = False  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def test_cluster() -> Settings:
    """The throwaway cluster of this run, with the migrated template."""
    settings = test_settings(Path(os.environ["WANGGE_TEST_CLUSTER"]))
    with (settings.home / "template.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cluster.start(settings)
        with superuser(settings) as connection:
            made = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [TEMPLATE]).fetchone()
        if not made:
            migrations.upgrade(settings)
            sessions.forget(settings)
            with superuser(settings) as connection:
                connection.execute(f"ALTER DATABASE {cluster.DATABASE} RENAME TO {TEMPLATE}")
    return settings


@contextmanager
def superuser(settings: Settings) -> Iterator[psycopg.Connection]:
    with psycopg.connect(cluster.dsn(settings, cluster.SUPERUSER, "postgres"), autocommit=True) as connection:
        yield connection


@contextmanager
def fresh_database(base: Settings) -> Iterator[Settings]:
    """A database of its own, copied from the template, with a data folder of its own."""
    name = f"t_{uuid.uuid4().hex[:12]}"
    home = Path(tempfile.mkdtemp(prefix="data-", dir=base.home))
    home.chmod(0o755)
    with superuser(base) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {} STRATEGY FILE_COPY").format(  # half the time
                sql.Identifier(name), sql.Identifier(TEMPLATE), sql.Identifier(roles.OWNER)
            )
        )
    url = f"postgresql://{roles.OWNER}@/{name}?host={base.socket_dir}"
    settings = Settings(home=home, database_url=url)
    try:
        yield settings
    finally:
        sessions.forget(settings)
        with superuser(base) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def settings(test_cluster: Settings) -> Iterator[Settings]:
    """Settings of a fresh, migrated, empty database and an empty data folder, for one test."""
    with fresh_database(test_cluster) as fresh:
        yield fresh


@pytest.fixture(scope="module")
def module_settings(test_cluster: Settings) -> Iterator[Settings]:
    """The same, shared by the tests of one module."""
    with fresh_database(test_cluster) as fresh:
        yield fresh


@pytest.fixture
def make_database(test_cluster: Settings) -> Iterator[Callable[[], Settings]]:
    """Makes as many further fresh databases as a test wants."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(fresh_database(test_cluster))


@pytest.fixture
def db(request: pytest.FixtureRequest) -> Iterator[Session]:
    """An open session of the owner on the database of `settings`; what is not committed is rolled back.

    A test that asks for nothing else of the database borrows one that others before it left empty.
    """
    own = "settings" in request.fixturenames
    lender: Lender | None = None if own else request.getfixturevalue("lender")
    lent = request.getfixturevalue("settings") if lender is None else lender.lend()
    with Session(sessions.engine(lent, "owner"), expire_on_commit=False) as opened:
        yield opened
        opened.rollback()
    if lender is not None:
        lender.take_back()


@pytest.fixture(scope="session")
def lender(test_cluster: Settings) -> Iterator[Lender]:
    """Lends the database of tests that roll back what they did; copying one for each would take most of their time."""
    found = Lender(test_cluster)
    yield found
    found.drop()


class Lender:
    """One empty database, lent again and again; a new one after a commit, after anything left in it, or 25 tests."""

    MOST = 25  # rows that were rolled back still lie in the files

    def __init__(self, base: Settings) -> None:
        self.base, self.stack = base, ExitStack()
        self.settings: Settings | None = None
        self.committed, self.lent, self.empty = False, 0, ""

    def lend(self) -> Settings:
        if self.settings is None:
            self.settings = self.stack.enter_context(fresh_database(self.base))
            self.committed, self.lent = False, 0
            engine = sessions.engine(self.settings, "owner")
            event.listen(engine, "commit", self._note)
            with engine.connect() as connection:
                tables = connection.scalars(text(TABLES)).all()
                self.empty = " AND ".join(
                    f"NOT EXISTS (SELECT FROM {table})"
                    for table in tables
                    if not connection.scalar(text(f"SELECT EXISTS (SELECT FROM {table})"))
                )
        self.lent += 1
        return self.settings

    def take_back(self) -> None:
        assert self.settings is not None
        if self.committed or self.lent >= self.MOST or not self._clean():
            self.drop()

    def _clean(self) -> bool:
        """Whether nothing was left; numbers start at one again for the next."""
        assert self.settings is not None
        with sessions.engine(self.settings, "owner").connect() as connection:
            if not connection.scalar(text(f"SELECT {self.empty}")):
                return False
            connection.execute(text(START_AGAIN))
        return True

    def drop(self) -> None:
        self.stack.close()
        self.settings = None

    def _note(self, _: Any) -> None:
        self.committed = True


TABLES = """SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"""
START_AGAIN = """SELECT pg_advisory_unlock_all(), setval(seqrelid::regclass, seqstart, false)
FROM pg_sequence WHERE pg_get_userbyid((SELECT relowner FROM pg_class c WHERE c.oid = seqrelid)) = current_user"""


@pytest.fixture
def environment(settings: Settings) -> dict[str, str]:
    """The variables that make a `wangge` child process work on the database of `settings`."""
    return {**os.environ, **settings.to_environment(), "WANGGE_LANG": "en"}


@pytest.fixture(scope="session")
def insert_areas() -> Callable[..., int]:
    """`insert_areas(session, level, {code: polygon}, crs="EPSG:4547", rank=4)` puts a boundary layer in place without
    a file; returns the edition's id. Polygons in EPSG:4326."""

    def insert(
        session: Session, level: str, areas: dict[str, Any], crs: str = "EPSG:4547", rank: int | None = None
    ) -> int:
        return _insert_areas(session, level, areas, crs, rank)

    return insert


def _insert_areas(session: Session, level: str, areas: dict[str, Any], crs: str, rank: int | None) -> int:
    measured = shapely.area(project(np.array(list(areas.values()), dtype=object), crs))
    level_id = session.scalar(
        text(
            "INSERT INTO level (name, rank) VALUES (:n, :r) ON CONFLICT (name) DO UPDATE SET rank = :r RETURNING id"
        ),
        {"n": level, "r": rank},
    )
    edition = session.scalar(
        text("INSERT INTO edition (level_id, during, measuring_crs) VALUES (:l, '(,)', :c) RETURNING id"),
        {"l": level_id, "c": crs},
    )
    for (code, geometry), area_m2 in zip(areas.items(), measured, strict=True):
        session.execute(
            text(
                "INSERT INTO boundary (edition_id, code, name, geom, area_m2) "
                "VALUES (:e, :c, :c || '社区', ST_Multi(ST_GeomFromWKB(:g, 4326)), :a)"
            ),
            {"e": edition, "c": code, "g": shapely.to_wkb(geometry), "a": float(area_m2)},
        )
    session.flush()
    assert edition is not None
    return int(edition)


# -- what a machine may lack ---------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real test data (it holds `data/`, `corpus/` …); skips when it is absent."""
    folder = _shared_folder()
    if not folder.is_dir():
        pytest.skip(NO_SHARED)
    return folder.parent.resolve()


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium or Chrome for browser tests; skips when there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path and subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0:
            return path
    pytest.skip("no Chromium on this machine (apt-get install chromium fonts-noto-cjk)")


@pytest.fixture(scope="session")
def ogrinfo() -> str:
    """The path of GDAL's `ogrinfo`; skips when there is none."""
    path = shutil.which("ogrinfo")
    if path is None:
        pytest.skip("no ogrinfo on this machine (apt-get install gdal-bin)")
    return path

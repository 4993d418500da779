"""The private cluster starts, stops, and comes back after whatever was done to it."""

from __future__ import annotations

import multiprocessing
import os
import pwd
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from geo.db import cluster, migrations, postgres
from geo.db.session import connect
from geo.settings import SOCKET_NAME, Settings

FORK = multiprocessing.get_context("fork")


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A data folder whose cluster the tests of this module share, each leaving it usable."""
    folder = Path(tempfile.mkdtemp(prefix="wangge-cluster-"))
    folder.chmod(0o755)
    yield folder
    cluster.stop(Settings(home=folder, fsync=False))
    shutil.rmtree(folder)


@pytest.fixture
def own(home: Path) -> Settings:
    return Settings(home=home, fsync=False)


def ask(settings: Settings, question: str = "SELECT 1") -> object:
    with connect(settings) as connection:
        row = connection.execute(question).fetchone()
        return row[0] if row else None


def postmaster(settings: Settings) -> int:
    pid = cluster.status(settings).pid
    assert pid is not None
    return pid


def test_start_stop_status(own: Settings) -> None:
    assert cluster.start(own) is True
    assert cluster.start(own) is False
    status = cluster.status(own)
    assert status.running and status.pid and status.version
    assert ask(own, "SHOW data_checksums") == "on"
    assert ask(own, "SHOW server_encoding") == "UTF8"
    assert cluster.stop(own) is True
    assert cluster.stop(own) is False
    assert not cluster.status(own).running


def test_it_listens_on_a_private_unix_socket_only(own: Settings) -> None:
    cluster.start(own)
    assert ask(own, "SHOW listen_addresses") == ""
    assert own.socket_dir.stat().st_mode & 0o777 == 0o700
    assert (own.socket_dir / SOCKET_NAME).exists()


def test_the_extensions_are_there(own: Settings) -> None:
    cluster.start(own)
    assert "postgis" in str(ask(own, "SELECT string_agg(extname, ',') FROM pg_extension"))
    assert str(ask(own, "SELECT ST_AsText(ST_Point(1, 2))")) == "POINT(1 2)"


def test_kill_9_of_the_postmaster(own: Settings) -> None:
    cluster.start(own)
    with connect(own) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
        connection.execute("INSERT INTO kept VALUES (1)")
        connection.commit()
        os.kill(postmaster(own), signal.SIGKILL)
    assert cluster.start(own) is True
    assert ask(own, "SELECT count(*) FROM kept") == 1
    with connect(own) as connection:
        connection.execute("DROP TABLE kept")


def test_a_pid_file_that_names_a_living_stranger(own: Settings) -> None:
    cluster.start(own)
    lines = (own.cluster_dir / "postmaster.pid").read_text().splitlines()
    cluster.stop(own)
    lines[0] = str(os.getpid())
    (own.cluster_dir / "postmaster.pid").write_text("\n".join(lines) + "\n")
    assert cluster.start(own) is True
    assert ask(own) == 1


def test_a_half_made_cluster_is_made_again() -> None:
    home = Path(tempfile.mkdtemp(prefix="wangge-half-"))
    home.chmod(0o755)
    half = Settings(home=home, fsync=False)
    half.cluster_dir.mkdir()
    (half.cluster_dir / "base").mkdir()
    try:
        assert cluster.start(half) is True
        assert ask(half) == 1
    finally:
        cluster.stop(half)
        shutil.rmtree(home)


def start_and_report(settings: Settings, queue: object) -> None:
    queue.put(cluster.start(settings))  # type: ignore[attr-defined]


def test_four_starters_at_once(own: Settings) -> None:
    cluster.stop(own)
    queue = FORK.Queue()
    starters = [FORK.Process(target=start_and_report, args=(own, queue)) for _ in range(4)]
    for starter in starters:
        starter.start()
    answers = [queue.get(timeout=60) for _ in starters]
    for starter in starters:
        starter.join()
    assert sorted(answers) == [False, False, False, True]
    assert ask(own) == 1


@pytest.mark.parametrize("name", ["很长的文件夹" * 6, 'it\'s, "odd" \\ name'])
def test_a_path_that_no_socket_can_have_gets_a_short_one(name: str) -> None:
    base = Path(tempfile.mkdtemp(prefix="wangge-long-"))
    base.chmod(0o755)
    long = Settings(home=base / name / "data", fsync=False)
    assert len(os.fsencode(long.socket_dir / SOCKET_NAME)) <= 100
    assert long.socket_dir.parent == Path(tempfile.gettempdir())
    long.home.parent.mkdir()
    try:
        cluster.start(long)
        assert ask(long) == 1
    finally:
        cluster.stop(long)
        shutil.rmtree(base)
        shutil.rmtree(long.socket_dir, ignore_errors=True)


def test_a_socket_folder_of_somebody_else_is_refused() -> None:
    if os.geteuid() != 0:
        home = Path("/proc/1/cwd")  # cannot be written by an ordinary user
        with pytest.raises(postgres.ClusterError):
            cluster.start(Settings(home=home))
        return
    home = Path(tempfile.mkdtemp(prefix="wangge-alien-"))
    home.chmod(0o755)
    alien = Settings(home=home, fsync=False)
    alien.socket_dir.mkdir()
    os.chown(alien.socket_dir, 12345, 12345)
    with pytest.raises(postgres.ClusterError, match="12345"):
        cluster.start(alien)
    shutil.rmtree(home)


def attached(settings: Settings, ready: object) -> None:
    child = cluster.start_attached(settings)
    ready.put(child is not None)  # type: ignore[attr-defined]
    time.sleep(60)


def test_an_attached_cluster_ends_cleanly_with_its_parent(own: Settings) -> None:
    cluster.stop(own)
    queue = FORK.Queue()
    parent = FORK.Process(target=attached, args=(own, queue))
    parent.start()
    assert queue.get(timeout=60) is True
    pid = postmaster(own)
    parent.kill()
    parent.join()
    wait_until(lambda: not Path(f"/proc/{pid}").exists())
    assert "database system is shut down" in (own.cluster_dir / "server.log").read_text()
    assert cluster.start(own) is True


def as_nobody(home: Path, queue: object) -> None:
    nobody = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)
    settings = Settings(home=home, fsync=False)
    try:
        cluster.ensure(settings)
        owner = settings.cluster_dir.stat().st_uid
        answer = (ask(settings, "SELECT ST_AsText(ST_Point(1, 2))"), owner == nobody.pw_uid)
        cluster.stop(settings)
        queue.put(answer)  # type: ignore[attr-defined]
    except BaseException as problem:
        queue.put(repr(problem))  # type: ignore[attr-defined]


def test_an_ordinary_user_needs_no_root() -> None:
    if os.geteuid() != 0:
        assert postgres.as_server_user().keys() == {"cwd", "env"}  # then every test here runs that way
        return
    base = Path(tempfile.mkdtemp(prefix="wangge-user-"))
    nobody = pwd.getpwnam("nobody")
    os.chown(base, nobody.pw_uid, nobody.pw_gid)
    queue = FORK.Queue()
    process = FORK.Process(target=as_nobody, args=(base / "wangge", queue))
    process.start()
    assert queue.get(timeout=90) == ("POINT(1 2)", True)
    process.join()
    shutil.rmtree(base)


def test_both_roles_of_the_private_cluster(own: Settings) -> None:
    cluster.start(own)
    migrations.upgrade(own)
    with connect(own, "app") as connection:
        assert connection.execute("SELECT current_user, current_setting('statement_timeout')").fetchone() == (
            "wangge_app",
            "5s",
        )
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE mine (n int)")


def wait_until(true: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def test_the_data_folder_is_closed_to_others() -> None:
    base = Path(tempfile.mkdtemp(prefix="wangge-private-"))
    base.chmod(0o755)
    private = Settings(home=base / "new", fsync=False)
    try:
        cluster.start(private)
        assert private.home.stat().st_mode & 0o066 == 0
        for folder in (private.cluster_dir, private.columns_dir, private.exports_dir, private.uploads_dir):
            assert folder.stat().st_mode & 0o077 == 0
    finally:
        cluster.stop(private)
        shutil.rmtree(base)

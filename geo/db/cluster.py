"""The private PostgreSQL cluster: a database that belongs to one data folder and to nobody else.

It listens on a unix socket only, so it needs no port and no password: whoever may enter the socket's
folder (mode 0700) may speak. PostgreSQL refuses to run as root; root therefore runs it as `postgres`, the
user that comes with the distribution's package, through `subprocess` with the group list cleared.

Starting is safe to repeat and to race: a file lock serialises starters, a `postmaster.pid` left by a power
cut or `kill -9` is recognised as stale, and a dying predecessor is given time to leave its shared memory.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

from geo.db import roles, tuning
from geo.db.postgres import (
    ClusterError,
    as_server_user,
    give_to_server_user,
    program,
    program_for,
    run,
    server_user,
    stop_with_parent,
    tail,
)
from geo.errors import Unavailable
from geo.settings import SOCKET_NAME, Settings

SUPERUSER = "postgres"
DATABASE = "wangge"
START_TIMEOUT_S = 300  # after a power cut the log is replayed first
STOP_TIMEOUT_S = 60.0
DETACHED = 'log=$1; shift; "$0" "$@" >>"$log" 2>&1 </dev/null &'


class Unreachable(Unavailable):
    """A server of one's own does not answer."""

    default_code = "database-unreachable"


@dataclass(frozen=True, slots=True)
class Status:
    """What `wangge db status` prints."""

    running: bool
    initialised: bool
    pid: int | None
    cluster_dir: Path
    socket_dir: Path
    version: str | None


def ensure(settings: Settings) -> None:
    """Afterwards a database answers and has its roles and extensions. Costs a few ms when it already did."""
    if settings.database_url is None:
        start(settings)
        return
    make_home(settings)
    try:
        connection = psycopg.connect(settings.database_url, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as problem:
        reason = str(problem).strip().splitlines()[0]
        raise Unreachable(
            f"无法连接 WANGGE_DATABASE_URL 指定的数据库：{reason}。",
            f"The database of WANGGE_DATABASE_URL does not answer: {reason}.",
            do_zh="请检查地址，并确认服务器在运行。",
            do_en="Check the address and that the server runs.",
        ) from problem
    with connection:
        roles.prepare(connection)


def start(settings: Settings) -> bool:
    """Starts the cluster, creating it the first time. Returns False when it already ran."""
    with _locked(settings):
        if _answers(settings):
            return False
        _initialise(settings)
        _write_config(settings)
        _clear_stale(settings)
        postgres = str(program_for(settings.cluster_dir, "postgres"))
        # arguments, not text, so that a folder may have any name; pg_ctl quotes only most of them
        run(["sh", "-c", DETACHED, postgres, str(_log(settings)), "-D", str(settings.cluster_dir)])
        _await_ready(settings)
        _create_database(settings)
    return True


def start_attached(settings: Settings) -> subprocess.Popen[bytes] | None:
    """Like `start`, but as a child that shuts down cleanly when the caller dies, even by `kill -9`.

    Returns the postmaster's process, or None when the cluster was already running.
    """
    with _locked(settings):
        if _answers(settings):
            return None
        _initialise(settings)
        _write_config(settings)
        _clear_stale(settings)
        with _log(settings).open("ab") as log:
            child = subprocess.Popen(
                [str(program_for(settings.cluster_dir, "postgres")), "-D", str(settings.cluster_dir)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C on the terminal is ours to handle, in order
                preexec_fn=stop_with_parent(os.getpid()),
                **as_server_user(),
            )
        _await_ready(settings, child)
        _create_database(settings)
    return child


def stop(settings: Settings) -> bool:
    """Stops the cluster, ending open sessions. Returns False when it was not running."""
    with _locked(settings):
        if not _members(settings):
            return False
        for number, wait_s in (
            (signal.SIGINT, STOP_TIMEOUT_S),
            (signal.SIGQUIT, 10.0),
        ):  # fast, then immediate
            _signal_postmaster(settings, number)
            deadline = time.monotonic() + wait_s
            while _members(settings) and time.monotonic() < deadline:
                time.sleep(0.05)
            if not _members(settings):
                return True
    raise ClusterError(
        f"{settings.cluster_dir} 的数据库未能停止。",
        f"The database of {settings.cluster_dir} did not stop.",
        do_zh=f"请查看 {_log(settings)}。",
        do_en=f"Its log is {_log(settings)}.",
    )


def status(settings: Settings) -> Status:
    """Whether the cluster runs, without touching it."""
    version = settings.cluster_dir / "PG_VERSION"
    running = _answers(settings)
    return Status(
        running=running,
        initialised=version.exists(),
        pid=_postmaster_pid(settings) if running else None,
        cluster_dir=settings.cluster_dir,
        socket_dir=settings.socket_dir,
        version=version.read_text().strip() if version.exists() else None,
    )


def make_home(settings: Settings) -> None:
    """The data folder, closed to other users of the machine; `postgres` may only walk through it to its own part."""
    settings.home.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
    for folder in (settings.columns_dir, settings.exports_dir, settings.uploads_dir, settings.cache_dir):
        folder.mkdir(mode=0o700, exist_ok=True)


def dsn(settings: Settings, user: str, database: str = DATABASE) -> str:
    """The libpq connection string of the private cluster for one role."""
    return psycopg.conninfo.make_conninfo(
        host=str(settings.socket_dir), user=user, dbname=database, connect_timeout=5
    )


# -- the steps of a start ------------------------------------------------------------------------------


def _initialise(settings: Settings) -> None:
    _make_folders(settings)
    if (settings.cluster_dir / "PG_VERSION").exists():
        _check_version(settings)
        return
    if settings.cluster_dir.exists() and any(settings.cluster_dir.iterdir()):
        shutil.rmtree(settings.cluster_dir)  # an initdb that was killed half way holds nothing worth keeping
    command = [str(program("initdb")), "-D", str(settings.cluster_dir), "-U", SUPERUSER]
    command += ["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums"]
    if not settings.fsync:
        command.append("--no-sync")
    _make_folders(settings)
    run(command)
    with (settings.cluster_dir / "postgresql.conf").open("a") as config:
        config.write("\ninclude_if_exists = 'wangge.conf'\n")


def _make_folders(settings: Settings) -> None:
    for folder in (settings.cluster_dir, settings.socket_dir):
        folder.mkdir(mode=0o700, exist_ok=True)
        user = server_user()
        info = folder.lstat()
        if info.st_uid == os.geteuid() != user.pw_uid:
            os.chown(folder, user.pw_uid, user.pw_gid)
        elif info.st_uid != user.pw_uid:
            raise ClusterError(
                f"{folder} 属于用户 {info.st_uid}，而不是 {user.pw_name}。",
                f"{folder} belongs to user {info.st_uid}, not to {user.pw_name}.",
                do_zh="请用 --data DIR 选择别的文件夹。",
                do_en="Choose another folder with --data DIR.",
            )
        folder.chmod(0o700)
    _check_reachable(settings)


def _check_reachable(settings: Settings) -> None:
    """Root's server user must be able to walk down to the data folder."""
    if os.geteuid() != 0:
        return
    walk = subprocess.run(
        ["test", "-x", str(settings.cluster_dir)], capture_output=True, check=False, **as_server_user()
    )
    if walk.returncode != 0:
        raise ClusterError(
            f"用户 postgres 无法进入 {settings.home}。",
            f"The user postgres cannot enter {settings.home}.",
            do_zh="请选择别的文件夹，例如 --data /var/lib/wangge。",
            do_en="Choose another folder, for example --data /var/lib/wangge.",
        )


def _check_version(settings: Settings) -> None:
    wanted = (settings.cluster_dir / "PG_VERSION").read_text().strip()
    have = program("pg_ctl").parent.parent.name
    if have.isdecimal() and have != wanted and not Path(f"/usr/lib/postgresql/{wanted}/bin").is_dir():
        raise ClusterError(
            f"{settings.cluster_dir} 由 PostgreSQL {wanted} 建立，本机为 {have}。",
            f"{settings.cluster_dir} was made by PostgreSQL {wanted}; this machine has {have}.",
            do_zh=f"请安装 postgresql-{wanted}-postgis-3；在其上运行 wangge db backup FILE，"
            "再在新文件夹运行 wangge db restore FILE。",
            do_en=f"Install postgresql-{wanted}-postgis-3; with it run `wangge db backup FILE`, "
            "then `wangge db restore FILE` in a new folder.",
        )


def _write_config(settings: Settings) -> None:
    target = settings.cluster_dir / "wangge.conf"
    target.write_text(tuning.text(settings), encoding="utf-8")
    _log(settings).touch()
    for path in (target, _log(settings)):
        give_to_server_user(path)


def _clear_stale(settings: Settings) -> None:
    """Removes the locks of a cluster that is gone, waiting for its last processes to leave."""
    pid_file = settings.cluster_dir / "postmaster.pid"
    deadline = time.monotonic() + 30
    while pid_file.exists() and _members(settings):
        pid = _postmaster_pid(settings)
        if pid in _members(settings) and _answers(settings, wait_s=1):
            return
        if time.monotonic() > deadline:
            raise ClusterError(
                f"进程 {sorted(_members(settings))} 仍占用 {settings.cluster_dir}。",
                f"Processes {sorted(_members(settings))} still hold {settings.cluster_dir}.",
                do_zh="请稍后再试，或结束这些进程。",
                do_en="Try again in a moment, or end them.",
            )
        time.sleep(0.1)
    # the dead one's number may live on, as a zombie that a container's init never collects or as a stranger
    for left in (pid_file, settings.socket_dir / f"{SOCKET_NAME}.lock", settings.socket_dir / SOCKET_NAME):
        left.unlink(missing_ok=True)


def _create_database(settings: Settings) -> None:
    with psycopg.connect(dsn(settings, SUPERUSER, "postgres"), autocommit=True) as connection:
        roles.create_roles(connection)
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
        if known is None:
            connection.execute(f"CREATE DATABASE {DATABASE} OWNER {roles.OWNER}")
    with psycopg.connect(dsn(settings, SUPERUSER), autocommit=True) as connection:
        roles.create_extensions(connection)


def _await_ready(settings: Settings, child: subprocess.Popen[bytes] | None = None) -> None:
    began = time.monotonic()
    while not _answers(settings):
        waited_s = time.monotonic() - began
        gone = child.poll() is not None if child else waited_s > 1 and not _members(settings)
        if gone or waited_s > START_TIMEOUT_S:
            if child is not None and child.poll() is None:
                child.send_signal(signal.SIGQUIT)
            said = tail(_log(settings))
            raise ClusterError(f"PostgreSQL 未能启动：\n{said}", f"PostgreSQL did not start:\n{said}")
        time.sleep(0.05)


# -- looking and running -------------------------------------------------------------------------------


def _answers(settings: Settings, wait_s: float = 0) -> bool:
    if not (settings.socket_dir / SOCKET_NAME).exists():
        return False
    deadline = time.monotonic() + wait_s
    while True:
        try:
            with psycopg.connect(dsn(settings, SUPERUSER, "postgres")) as connection:
                connection.execute("SELECT 1")
            return True
        except psycopg.OperationalError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)


def _postmaster_pid(settings: Settings) -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int((settings.cluster_dir / "postmaster.pid").read_text().splitlines()[0])
    return None


def _members(settings: Settings) -> set[int]:
    """The processes of this cluster: PostgreSQL's processes stand in the data directory."""
    members = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                if (entry / "cwd").readlink() == settings.cluster_dir.resolve():
                    members.add(int(entry.name))
    return members - {os.getpid()}


def _signal_postmaster(settings: Settings, number: int) -> None:
    pid = _postmaster_pid(settings)
    if pid is not None and pid in _members(settings):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _log(settings: Settings) -> Path:
    return settings.cluster_dir / "server.log"


@contextlib.contextmanager
def _locked(settings: Settings) -> Iterator[None]:
    try:
        make_home(settings)
        handle = (settings.home / "cluster.lock").open("a")
    except OSError as problem:
        raise ClusterError(
            f"无法写入 {settings.home}（{problem.strerror}）。",
            f"{settings.home} cannot be written ({problem.strerror}).",
            do_zh="请用 --data DIR 选择别的文件夹。",
            do_en="Choose another folder with --data DIR.",
        ) from problem
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield

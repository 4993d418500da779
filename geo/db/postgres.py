"""PostgreSQL's programs on this machine, and running them as a user that PostgreSQL accepts.

PostgreSQL refuses to run as root; root runs it as `postgres`, the user that comes with the distribution's package,
with the group list cleared and from a folder that user may enter.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from geo.errors import Unavailable

APT_LINE = "apt-get install --no-install-recommends postgresql-postgis"


class ClusterError(Unavailable):
    """The private database could not be started or stopped."""

    default_code = "database-cluster"


def program(name: str) -> Path:
    """One of PostgreSQL's programs, such as `pg_ctl` or `pg_dump`, of the highest version installed.

    Debian and Ubuntu keep them off the PATH, in `/usr/lib/postgresql/<major>/bin`.
    """
    found = list(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if found:
        return max(found, key=lambda path: int(re.sub(r"\D", "", path.parent.parent.name) or 0))
    on_path = shutil.which(name)
    if on_path:
        return Path(on_path).resolve()
    raise ClusterError(
        f"本机没有 PostgreSQL 的 {name}（/usr/lib/postgresql）。",
        f"PostgreSQL's {name} was not found under /usr/lib/postgresql.",
        do_zh=f"请运行 {APT_LINE}，或设置 WANGGE_DATABASE_URL。",
        do_en=f"Run {APT_LINE}, or set WANGGE_DATABASE_URL.",
    )


def program_for(cluster_dir: Path, name: str) -> Path:
    """The program of the version that made the data, when it is still installed."""
    version = cluster_dir / "PG_VERSION"
    if version.exists():
        same = Path(f"/usr/lib/postgresql/{version.read_text().strip()}/bin/{name}")
        if same.exists():
            return same
    return program(name)


def run(command: list[str], log: Path | None = None) -> None:
    """Runs one of the programs as the server's user; raises ClusterError with what it, or `log`, says."""
    # a server started here must not hold our pipes open: its output goes to its own log
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL if log else subprocess.PIPE,
        check=False,
        **as_server_user(),
    )
    if done.returncode != 0:
        detail = done.stderr.decode(errors="replace") if done.stderr else ""
        if log is not None:
            detail = tail(log)
        code, name = done.returncode, " ".join([Path(command[0]).name, *command[1:2]])
        raise ClusterError(
            f"{name} 失败（退出码 {code}）：\n{detail}".rstrip(),
            f"{name} failed (exit {code}):\n{detail}".rstrip(),
        )


def server_user() -> pwd.struct_passwd:
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        raise ClusterError(
            "没有用户 postgres。",
            "There is no user postgres.",
            do_zh=f"请运行 {APT_LINE}。",
            do_en=f"Run {APT_LINE}.",
        ) from None


def as_server_user() -> dict[str, Any]:
    """Keyword arguments of `subprocess` that make a child the server's user, in a folder it may enter."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    environment["LC_ALL"] = "C.UTF-8"
    if os.geteuid() != 0:
        return {"cwd": "/", "env": environment}
    user = server_user()
    environment["HOME"] = user.pw_dir
    return {
        "cwd": "/",
        "env": environment,
        "user": user.pw_uid,
        "group": user.pw_gid,
        "extra_groups": [],
    }


def give_to_server_user(path: Path) -> None:
    if os.geteuid() == 0:
        user = server_user()
        os.chown(path, user.pw_uid, user.pw_gid)


def stop_with_parent(parent: int) -> Callable[[], None]:
    """A `preexec_fn`: when the parent is gone, the kernel asks PostgreSQL for a fast, clean shutdown."""
    libc = ctypes.CDLL(None, use_errno=True)

    def arrange() -> None:
        libc.prctl(1, signal.SIGINT)  # PR_SET_PDEATHSIG; SIGINT is PostgreSQL's fast shutdown
        if os.getppid() != parent:
            os._exit(1)

    return arrange


def tail(log: Path, lines: int = 12) -> str:
    """The last lines of a log; empty when there is none."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""

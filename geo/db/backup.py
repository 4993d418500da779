"""One file that holds the whole database, and the way back.

`write` makes a `pg_dump` archive (custom format), consistent to one instant while the service goes on working.
`restore` puts it back in **one transaction**: either everything is as in the archive, or nothing has changed.
Column files and tiles are made from the database and follow by themselves: every data version is raised.
Accounts and token hashes are inside; finished exports and uploaded files are not.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from pathlib import Path

from sqlalchemy import text

from geo.db import audit, postgres, roles, walls
from geo.db.session import connect, conninfo, forget, session
from geo.db.versions import versions
from geo.errors import Conflict, RefusedFile, Unavailable
from geo.settings import Settings


class BackupFailed(Unavailable):
    """The backup or the restore did not finish; nothing was changed."""

    default_code = "backup-failed"


def write(settings: Settings, target: Path, lock_wait_s: int = 300) -> int:
    """Writes the archive beside its place, syncs it, renames it. Returns its size in bytes."""
    part = target.with_name(f".{target.name}.{os.getpid()}")
    options = ["-Fc", "--no-owner", "--no-acl", f"--lock-wait-timeout={lock_wait_s}s"]
    try:
        part.touch(mode=0o600)
        _run("pg_dump", *options, "-d", conninfo(settings, "owner"), "-f", str(part))
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(target)
    except OSError as problem:
        raise RefusedFile(
            f"无法写入 {target}：{problem.strerror}。", f"{target} cannot be written: {problem.strerror}."
        ) from problem
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    return target.stat().st_size


def refuse_when_filled(settings: Settings) -> None:
    """Raises Conflict when the database already holds loads, which a restore would replace."""
    with connect(settings) as connection:
        known = connection.execute("SELECT to_regclass('load_run')").fetchone()
        if known is None or known[0] is None:
            return
        filled = connection.execute("SELECT count(*) FROM load_run").fetchone()
    if filled and filled[0]:
        raise Conflict(
            f"数据库中已有 {filled[0]} 次装载。",
            f"The database already holds {filled[0]} loads.",
            code="database-filled",
            do_zh="请用空的 --data 文件夹，或加 --force 替换全部数据。",
            do_en="Use an empty --data folder, or replace everything with --force.",
            loads=filled[0],
        )


def restore(settings: Settings, source: Path) -> None:
    """Replaces the whole schema and its rows by those of the archive, in one transaction."""
    listing = _contents(source)
    with tempfile.TemporaryDirectory(prefix="wangge-restore-") as folder:
        wanted, script, before, after = (
            Path(folder) / name for name in ("list", "rows.sql", "a.sql", "b.sql")
        )
        wanted.write_text("\n".join(listing), encoding="utf-8")
        _run("pg_restore", "--no-owner", "--no-acl", "-L", str(wanted), "-f", str(script), str(source))
        before.write_text(_drop_all(settings), encoding="utf-8")
        after.write_text(_raise_versions(settings), encoding="utf-8")
        forget(settings)
        psql = ("psql", "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-o", os.devnull)
        files = [option for path in (before, script, after) for option in ("-f", str(path))]
        _run(*psql, "-d", conninfo(settings, "owner"), *files)
    with session(settings) as opened:
        for statement in (*roles.grants(), walls.COVER):
            opened.execute(text(statement))
        audit.seal(opened, settings, restored=True)


def _contents(source: Path) -> list[str]:
    """The archive's table of contents, without what belongs to the server (extensions, the schema itself)."""
    if not source.is_file():
        raise RefusedFile(f"没有文件 {source}。", f"There is no file {source}.", code="file-missing")
    done = subprocess.run(
        [str(postgres.program("pg_restore")), "-l", str(source)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0 or " alembic_version " not in done.stdout:
        raise RefusedFile(
            f"{source} 不是 Wangge 的备份。",
            f"{source} is not a backup of Wangge.",
            code="not-a-backup",
            do_zh="备份由 wangge db backup FILE 生成。",
            do_en="`wangge db backup FILE` makes one.",
        )
    foreign = (" EXTENSION ", " SCHEMA ", " DEFAULT ACL ", " spatial_ref_sys ")
    lines = [line for line in done.stdout.splitlines() if not line.startswith(";")]
    return [line for line in lines if not any(word in line for word in foreign)]


def _drop_all(settings: Settings) -> str:
    """SQL that drops our tables and functions: those of the schema that no extension owns."""
    with connect(settings) as connection:
        rows = connection.execute(
            "SELECT format('DROP TABLE IF EXISTS public.%I CASCADE;', relname) FROM pg_class AS c "
            "WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition "
            "AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE objid = c.oid AND deptype = 'e') ORDER BY relname"
        ).fetchall()
        functions = connection.execute(
            "SELECT format('DROP FUNCTION IF EXISTS %s CASCADE;', oid::regprocedure) FROM pg_proc AS p "
            "WHERE pronamespace = 'public'::regnamespace "
            "AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE objid = p.oid AND deptype = 'e') ORDER BY oid"
        ).fetchall()
    return "\n".join(row[0] for row in [*rows, *functions]) + "\n"


def _raise_versions(settings: Settings) -> str:
    """SQL that raises every data version above both its own and today's, so that no cache believes itself fresh."""
    highest = 0
    with connect(settings) as connection:
        known = connection.execute("SELECT to_regclass('data_version')").fetchone()
    if known and known[0]:
        with session(settings) as opened:
            highest = max(versions(opened).values(), default=0)
    return f"UPDATE public.data_version SET version = greatest(version, {highest}) + 1, changed_at = now();\n"  # noqa: S608


def _run(name: str, *arguments: str) -> None:
    environment = {
        **os.environ,
        "PGOPTIONS": "-c statement_timeout=0 -c client_min_messages=error",
        "LC_ALL": "C.UTF-8",
    }
    done = subprocess.run(
        [str(postgres.program(name)), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[0]
        raise BackupFailed(
            f"{name} 失败，未作更改：{reason}", f"{name} failed, nothing was changed: {reason}"
        )

"""One load of a thing at a time: the second waits up to a minute for the first, then says so."""

from __future__ import annotations

import psycopg
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from geo.errors import RefusedArgument

WAIT_S = 60


def wait_for(session: Session, kind: str, name: str) -> None:
    """Holds the turn of (kind, name) until the transaction ends; RefusedArgument `source-busy` after WAIT_S seconds.

    Also lets the server notice within 2 s that its client has died, so a killed load frees its locks at once.
    """
    session.execute(text("SELECT set_config('client_connection_check_interval', '2s', true)"))
    session.execute(text("SELECT set_config('lock_timeout', :wait, true)"), {"wait": f"{WAIT_S}s"})
    try:
        session.execute(
            text("SELECT pg_advisory_xact_lock(hashtext(:kind), hashtext(:name))"),
            {"kind": kind, "name": name},
        )
    except OperationalError as problem:
        if not isinstance(problem.orig, psycopg.errors.LockNotAvailable):
            raise
        raise RefusedArgument(
            f"“{name}”正在被另一个装载占用，等了 {WAIT_S} 秒。",
            f"Another load of {name!r} is still running after {WAIT_S} s.",
            code="source-busy",
            field="source",
            do_zh="等它结束后重试。",
            do_en="Try again when it is done.",
        ) from problem

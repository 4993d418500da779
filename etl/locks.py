"""Waiting for another load of the same thing: an advisory lock of the transaction, for at most a minute."""

from __future__ import annotations

import psycopg
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from geo.errors import RefusedArgument

WAIT_S = 60


def wait_for(session: Session, space: int, name: str) -> None:
    """Take the lock (space, name) until the transaction ends; refuses with `source-busy` after WAIT_S seconds.

    Also lets the server notice within 2 s that its client has died, so a killed load frees its locks at once.
    """
    session.execute(text("SELECT set_config('client_connection_check_interval', '2s', true)"))
    session.execute(text("SELECT set_config('lock_timeout', :wait, true)"), {"wait": f"{WAIT_S}s"})
    try:
        session.execute(
            text("SELECT pg_advisory_xact_lock(CAST(:space AS int), hashtext(:name))"),
            {"space": space, "name": name},
        )
    except OperationalError as problem:
        if isinstance(problem.orig, psycopg.errors.LockNotAvailable):
            raise RefusedArgument(
                f"{name} 正在被另一个装载占用，等了 {WAIT_S} 秒。",
                f"Another load of {name} is still running after {WAIT_S} s.",
                code="source-busy",
                field="source",
                do_zh="等它结束后重试。",
                do_en="Try again when it is done.",
            ) from problem
        raise

"""One JSON line per event on standard error: no address, no query, no token, no name.

A request is logged by its route's template, so a case number in a path does not reach the log.
"""

from __future__ import annotations

import datetime as dt
import sys
import traceback
from typing import Any

import orjson


def log(event: str, **facts: Any) -> None:
    """Writes one event.

    >>> log("started", workers=2)
    """
    line = orjson.dumps({"at": dt.datetime.now(dt.UTC), "event": event, **facts}, default=str)
    sys.stderr.write(line.decode() + "\n")


def log_failure(request_id: str, route: str, error: BaseException) -> None:
    """A fault of ours or of the database and where it arose: for the operator only.

    The statement and its parameters, which SQLAlchemy puts into its messages, are left out.
    """
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    where = [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}" for frame in frames]
    log("failure", id=request_id, route=route, kind=type(error).__name__, where=where, cause=_cause(error))


def _cause(error: BaseException) -> str:
    original = getattr(error, "orig", None) or error
    return f"{type(original).__name__}: {(str(original).splitlines() or [''])[0][:200]}"

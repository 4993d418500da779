"""What became of one case: its stage, and what happened when, from the times that were stored."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

_LOADED = text(
    "SELECT r.id, r.finished_at FROM cases c JOIN load_run r ON r.id = c.load_run_id "
    "WHERE (c.source_id, c.id) IN (SELECT s.id, CAST(:number AS bigint) FROM source s)"
)
_TIMES = (
    ("opened", "opened_at"),
    ("dispatched", "dispatched_at"),
    ("due", "due_at"),
    ("closed", "closed_at"),
)
_ORDER = {"opened": 0, "dispatched": 1, "due": 2, "closed": 3, "loaded": 4}


def stage(case: dict[str, Any]) -> str:
    """How far a case has come: opened, dispatched, closed or void.

    >>> stage({"status": "open", "dispatched_at": None}), stage({"status": "void", "dispatched_at": None})
    ('opened', 'void')
    """
    if case["status"] in ("closed", "void"):
        return str(case["status"])
    return "dispatched" if case["dispatched_at"] is not None else "opened"


def late(case: dict[str, Any], asof: dt.datetime | None) -> bool | None:
    """Whether it was closed after its due time, or is open past it at `asof`; None without a due time, for void cases,
    and for those called closed without a closing time.

    >>> due = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    >>> late({"status": "open", "due_at": due, "closed_at": None}, due + dt.timedelta(hours=1))
    True
    """
    due, closed = case["due_at"], case["closed_at"]
    if due is None or case["status"] == "void" or (case["status"] == "closed" and closed is None):
        return None
    if closed is not None:
        return bool(closed > due)
    return None if asof is None else bool(due < asof)


def history(session: Session, number: int, case: dict[str, Any]) -> list[dict[str, Any]]:
    """`{at, what}` in order of time: opened, dispatched, due, closed as stored; loaded (with its run) when a file last
    brought the case. Files that brought the same row again changed nothing and leave no trace."""
    found: list[dict[str, Any]] = [
        {"at": case[column], "what": what} for what, column in _TIMES if case[column] is not None
    ]
    run = session.execute(_LOADED, {"number": number}).one_or_none()
    if run is not None:
        found.append({"at": run.finished_at, "what": "loaded", "run": run.id})
    return sorted(found, key=lambda event: (event["at"], _ORDER[event["what"]]))

"""Data versions: what changed, so that columns, tiles and caches know when they are stale."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.db.tables import PARTS

CHANNEL = "wangge_changed"


def bump(session: Session, *parts: str) -> None:
    """Raise the version of each part and notify listeners, in the caller's transaction (sent at commit).

    Call it once, as the last thing before the commit of whatever changed cases, units, plans …

    Raises ValueError for a part that is not in `geo.db.tables.PARTS`.
    """
    for part in parts:
        if part not in PARTS:
            raise ValueError(f"unknown part {part!r}; one of {PARTS}")
    session.execute(text(_RAISE), {"parts": sorted(set(parts)), "channel": CHANNEL})


_RAISE = """
WITH raised AS (
  INSERT INTO data_version (part, version) SELECT part, 1 FROM unnest(CAST(:parts AS text[])) AS p (part)
  ON CONFLICT (part) DO UPDATE SET version = data_version.version + 1, changed_at = now() RETURNING part
) SELECT pg_notify(:channel, part) FROM raised"""


def versions(session: Session) -> dict[str, int]:
    """The version of every part; 0 where nothing was ever written."""
    rows = session.execute(text("SELECT part, version FROM data_version")).all()
    known = {part: int(version) for part, version in rows}
    return {part: known.get(part, 0) for part in PARTS}

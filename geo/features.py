"""What stands in the database, read as lists for people: plans, levels, categories, facilities, load runs.

Every function takes `session` first and returns plain values; nothing is written.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

Area = tuple[float, float, float, float]


def city(session: Session) -> dict[str, Any]:
    """The city's profile; an unnamed one where none was set."""
    row = session.execute(text("SELECT name, timezone, synthetic FROM city")).mappings().one_or_none()
    return dict(row) if row else {"name": "", "timezone": "Asia/Shanghai", "synthetic": False}


def extent(session: Session) -> Area | None:
    """The box of the city in degrees: of its boundaries, else its units, else its facilities, else None."""
    for source in _EXTENTS:
        row = session.execute(text(source)).one()
        if row[0] is not None:
            return (float(row[0]), float(row[1]), float(row[2]), float(row[3]))
    return None


_BOX = "SELECT ST_XMin(b), ST_YMin(b), ST_XMax(b), ST_YMax(b) FROM (SELECT ST_Extent({}) AS b FROM {}) e"
_EXTENTS = (
    _BOX.format("geom", "boundary"),
    _BOX.format("geom", "unit"),
    _BOX.format("point", "facility"),
)


def levels(session: Session, on: dt.date) -> list[dict[str, Any]]:
    """Levels of boundaries with the number of areas that hold on a date: `{name, rank, n}`, administrative ones first."""
    rows = session.execute(
        text(
            "SELECT l.name, l.rank, count(b.id) AS n FROM level l "
            "LEFT JOIN edition e ON e.level_id = l.id AND e.during @> CAST(:on AS date) "
            "LEFT JOIN boundary b ON b.edition_id = e.id GROUP BY l.id ORDER BY l.rank NULLS LAST, l.name"
        ),
        {"on": on},
    )
    return [dict(row) for row in rows.mappings()]


def plans(session: Session, *, drafts: bool) -> list[dict[str, Any]]:
    """Plans, the newest first: `{id, name, state, nesting, valid_from, valid_to, revision, origin, grids …}`.

    Who made and approved them is told with the drafts, to staff alone.
    """
    rows = session.execute(text(_PLANS + " ORDER BY p.id DESC"), {"drafts": drafts, "id": None})
    return [_for(row, drafts) for row in rows.mappings()]


def plan(session: Session, plan_id: int, *, drafts: bool) -> dict[str, Any] | None:
    """One plan with how it was made, or None (also for a draft when `drafts` is false)."""
    row = session.execute(text(_PLANS), {"drafts": drafts, "id": plan_id}).mappings().one_or_none()
    if row is None:
        return None
    settings = session.scalar(text("SELECT settings FROM plan WHERE id = :id"), {"id": plan_id})
    return {**_for(row, drafts), "settings": settings}


def _for(row: Mapping[Any, Any], staff: bool) -> dict[str, Any]:
    return {name: value for name, value in row.items() if staff or name not in ("author", "approved_by")}


_PLANS = """
SELECT p.id, p.name, p.state, p.nesting, lower(p.during) AS valid_from, upper(p.during) AS valid_to, p.revision,
  p.origin, p.based_on_id, p.author, p.created_at, p.approved_by, p.approved_at,
  (SELECT count(*) FROM grid g WHERE g.plan_id = p.id AND g.geom IS NOT NULL) AS grids
FROM plan p WHERE (:drafts OR p.state = 'approved') AND (CAST(:id AS integer) IS NULL OR p.id = :id)"""


def categories(session: Session) -> list[dict[str, Any]]:
    """Every category: `{id, parent_id, code, name, name_en, sensitive}`, parents before children, by code."""
    rows = session.execute(
        text(
            "SELECT id, parent_id, code, name, name_en, sensitive FROM category "
            "ORDER BY parent_id NULLS FIRST, code, id"
        )
    )
    return [dict(row) for row in rows.mappings()]


def facility_kinds(session: Session) -> list[dict[str, Any]]:
    """`{kind, n}` by kind."""
    rows = session.execute(text("SELECT kind, count(*) AS n FROM facility GROUP BY kind ORDER BY kind"))
    return [dict(row) for row in rows.mappings()]


def present(session: Session) -> dict[str, bool]:
    """Whether there are units, households and ways at all."""
    row = session.execute(
        text(
            "SELECT EXISTS (SELECT 1 FROM unit) AS units, EXISTS (SELECT 1 FROM way) AS ways, "
            "EXISTS (SELECT 1 FROM weight WHERE \"column\" = 'households') AS households"
        )
    )
    return dict(row.mappings().one())


# -- load runs ---------------------------------------------------------------------------------------------


def runs(
    session: Session,
    *,
    limit: int,
    before: int | None = None,
    kinds: tuple[str, ...] = (),
    source: str | None = None,
) -> list[dict[str, Any]]:
    """Load runs, the latest first, with the account of their rows; of some kinds or of one source when named."""
    rows = session.execute(
        text(
            _RUN + " WHERE (CAST(:before AS integer) IS NULL OR r.id < :before) "
            "AND (cardinality(CAST(:kinds AS text[])) = 0 OR r.kind = ANY(:kinds)) "
            "AND (CAST(:source AS text) IS NULL OR r.source = :source) ORDER BY r.id DESC LIMIT :limit"
        ),
        {"before": before, "limit": limit, "kinds": list(kinds), "source": source},
    )
    return [dict(row) for row in rows.mappings()]


def run(session: Session, run_id: int, *, rejects: int = 1000, after: int = 0) -> dict[str, Any] | None:
    """One load run with its layout, report and the first rejects (or those after one), or None.

    `rejects_next` is the `after` of the page that follows; None on the last.
    """
    row = session.execute(text(_RUN + " WHERE r.id = :id"), {"id": run_id}).mappings().one_or_none()
    if row is None:
        return None
    more = session.execute(
        text("SELECT options, layout, warnings, personal_columns, report FROM load_run WHERE id = :id"),
        {"id": run_id},
    )
    listed = session.execute(
        text(
            'SELECT id, "row", "column", value, code, why_zh, why_en, do_zh, do_en FROM reject '
            "WHERE load_run_id = :id AND id > :after ORDER BY id LIMIT :limit"
        ),
        {"id": run_id, "limit": rejects + 1, "after": after},
    )
    found = [dict(reject) for reject in listed.mappings()]
    following = found[rejects - 1]["id"] if len(found) > rejects > 0 else None
    kept = [{name: value for name, value in one.items() if name != "id"} for one in found[:rejects]]
    return {**row, **more.mappings().one(), "rejects": kept, "rejects_next": following}


_RUN = """
SELECT r.id, r.kind, r.source, r.file_name, encode(r.content_sha256, 'hex') AS sha256, r.crs, r.encoding, r.rows_in,
  r.rows_added, r.rows_updated, r.rows_unchanged, r.rows_duplicate, r.rows_rejected, r.rows_unplaced,
  r.rejects_by_code, r.started_at, r.finished_at, r.report->>'by' AS by
FROM load_run r"""

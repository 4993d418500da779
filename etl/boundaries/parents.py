"""Who belongs to whom: the area one loaded administrative rank up, by field, by code, else by the largest overlap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from etl import reading
from etl.boundaries.rows import Areas
from etl.rejects import LoadReport
from geo import crs as coordinates


@dataclass(frozen=True)
class Loaded:
    """The newest edition of an administrative level: its name, rank, and areas by code."""

    level: str
    rank: int
    ids: list[int]
    codes: list[str]
    parents: list[str | None]
    geoms: NDArray[np.object_]


def newest(session: Session, rank: int) -> Loaded | None:
    """The newest edition of the level of that rank, None when nothing of it is loaded."""
    rows = session.execute(
        text(
            "SELECT l.name, b.id, b.code, b.parent_code, ST_AsBinary(b.geom) FROM boundary b "
            "JOIN edition e ON e.id = b.edition_id JOIN level l ON l.id = e.level_id "
            "WHERE l.rank = :rank AND upper_inf(e.during) ORDER BY b.code"
        ),
        {"rank": rank},
    ).all()
    if not rows:
        return None
    wkb = np.array([bytes(row[4]) for row in rows], dtype=object)
    return Loaded(
        rows[0][0],
        rank,
        [row[1] for row in rows],
        [row[2] for row in rows],
        [row[3] for row in rows],
        np.asarray(shapely.from_wkb(wkb), dtype=object),
    )


def nearest(session: Session, ranks: range) -> Loaded | None:
    """The first of these ranks that is loaded."""
    for rank in ranks:
        found = newest(session, rank)
        if found is not None:
            return found
    return None


def settle(session: Session, areas: Areas, rank: int | None, crs: str, report: LoadReport) -> None:
    """Fill in parents where the file has none; say how, and which of the file's parents nobody knows."""
    if rank is None:
        return
    above = nearest(session, range(rank - 1, 0, -1))
    given = sum(1 for p in areas.parents if p)
    how = {"field": given, "code": 0, "overlap": 0, "none": 0}
    if above is not None:
        known = set(above.codes)
        unknown = sorted({p for p in areas.parents if p and p not in known})
        if unknown and len(unknown) == len({p for p in areas.parents if p}):
            areas.parents = [_by_form(p, known) for p in areas.parents]
            unknown = sorted({p for p in areas.parents if p and p not in known})
        if unknown:
            report.notice(
                "parent-unknown",
                f"层级 {above.level} 中没有上级 {'、'.join(unknown[:10])}",
                f"level {above.level} has no parent {', '.join(unknown[:10])}",
                count=sum(1 for p in areas.parents if p in unknown),
            )
        how |= _fill(areas, above, crs)
    how["none"] = sum(1 for p in areas.parents if not p)
    report.details["parents"] = {"level": above.level if above else None, **how}


def _by_form(code: str, known: set[str]) -> str:
    """The same code as the level above writes it: 310101 for 310101000000, and the other way round."""
    if not code or code in known:
        return code
    trimmed = code.rstrip("0")
    return next((k for k in known if k.rstrip("0") == trimmed), code) if code.isdigit() else code


def _fill(areas: Areas, above: Loaded, crs: str) -> dict[str, int]:
    empty = [i for i, p in enumerate(areas.parents) if not p]
    by_code = 0
    prefixes = {
        code.rstrip("0"): code for code in above.codes if code.isdigit() and len(code.rstrip("0")) >= 2
    }
    for i in empty:
        found = by_prefix(areas.codes[i], prefixes)
        if found is not None:
            areas.parents[i] = found
            by_code += 1
    left = np.array([i for i in empty if not areas.parents[i]], dtype=np.int64)
    if len(left) == 0:
        return {"code": by_code, "overlap": 0}
    best, _ = _overlap(areas.geoms[left], above.geoms, crs)
    for i, parent in zip(left.tolist(), best.tolist(), strict=True):
        if parent >= 0:
            areas.parents[i] = above.codes[parent]
    return {"code": by_code, "overlap": int((best >= 0).sum())}


def by_prefix(code: str, prefixes: dict[str, str]) -> str | None:
    """The parent whose code (without closing zeros) begins this code, in the GB/T 2260 and 10114 manner.

    >>> by_prefix("320115001", {"320115": "320115", "320114": "320114"})
    '320115'
    """
    if not code.isdigit() or len(code) < 6:
        return None
    for length in range(len(code) - 1, 1, -1):
        if (
            code[:length] in prefixes
            and len(prefixes[code[:length]]) <= len(code)
            and prefixes[code[:length]] != code
        ):
            return prefixes[code[:length]]
    return None


def _overlap(
    children: NDArray[np.object_], parents: NDArray[np.object_], crs: str
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    found = reading.measure(
        "largest_overlap", coordinates.project(children, crs), coordinates.project(parents, crs)
    )
    return np.array(found["best"], dtype=np.int64), np.array(found["share"], dtype=np.float64)


def relink(session: Session, rank: int | None, areas: Areas, crs: str) -> int:
    """Areas one rank down that had no known parent get one now; returns how many."""
    below = nearest(session, range((rank or 9) + 1, 5))
    if rank is None or below is None:
        return 0
    known = set(areas.codes)
    orphans = [i for i, parent in enumerate(below.parents) if parent is None or parent not in known]
    if not orphans:
        return 0
    prefixes = {
        code.rstrip("0"): code for code in areas.codes if code.isdigit() and len(code.rstrip("0")) >= 2
    }
    best, share = _overlap(below.geoms[orphans], areas.geoms, crs)
    done = 0
    for i, parent, held in zip(orphans, best.tolist(), share.tolist(), strict=True):
        given = below.parents[i]
        found = _by_form(given, known) if given else by_prefix(below.codes[i], prefixes)
        if (found is None or found not in known) and parent >= 0 and held > 0:
            found = areas.codes[parent]
        if found is not None and found in known:
            session.execute(
                text("UPDATE boundary SET parent_code = :parent WHERE id = :id"),
                {"parent": found, "id": below.ids[i]},
            )
            done += 1
    return done

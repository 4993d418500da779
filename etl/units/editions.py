"""A new edition of the nesting layer: units are cut where its lines really divide them, else the majority decides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from etl import reading
from etl.units.store import copy_rows
from geo.cutting_along import CUT_M2, CUT_SHARE, cut_along
from geo.db.session import raw
from geo.db.versions import bump
from geo.overlap import most
from geo.progress import Progress, silent


@dataclass(frozen=True)
class Followed:
    """How well units fit a new edition: what differs is ground that the edition gives to another area."""

    units: int
    outside: int  # units that no area of the edition touches
    moved: int  # units that belong to another area than in the edition before
    cut: int  # units that a new line divided: more than 500 m² and 5 % on both sides
    crossed: int  # units that were not, though as much lies on the other side
    differing_m2: float


def follow(
    session: Session, level: str, *, author: str = "operator", progress: Progress = silent
) -> Followed | None:
    """Maps the units to the newest edition of `level` when units nest in that level; None when they do not.

    A unit is cut along new lines where both parts exceed 500 m² and 5 % of it; its parts inherit in every plan and in
    the editions before. Smaller differences follow the majority.
    Call it after a load of boundaries; the mapping of that edition is made anew. Flushes, never commits.
    """
    edition = session.execute(
        text(
            "SELECT e.id FROM edition e JOIN level l ON l.id = e.level_id "
            "JOIN city c ON c.nesting_level = l.name WHERE l.name = :level AND EXISTS (SELECT 1 FROM unit) "
            "ORDER BY lower(e.during) DESC NULLS LAST LIMIT 1"
        ),
        {"level": level},
    ).first()
    if edition is None:
        return None
    areas = session.execute(
        text("SELECT id, code, ST_AsBinary(geom) AS geom FROM boundary WHERE edition_id = :e ORDER BY code"),
        {"e": edition.id},
    ).all()
    shapes = _shapes([a.geom for a in areas])
    cut = cut_along(session, shapes, reading.divide_by, author=author, progress=progress)
    units = session.execute(
        text(
            "SELECT u.id, u.area_m2, ST_AsBinary(u.geom) AS geom FROM unit u "
            "WHERE NOT EXISTS (SELECT 1 FROM unit k WHERE k.parent_id = u.id) ORDER BY u.id"
        )
    ).all()
    best, share = most(_shapes([u.geom for u in units]), shapes)
    size = np.array([u.area_m2 for u in units])
    before = _codes_before(session, edition.id)
    _write(session, edition.id, [u.id for u in units], best, [a.id for a in areas])
    bump(session, "units")
    other = size * (1 - share)
    return Followed(
        units=len(units),
        outside=int((best < 0).sum()),
        moved=sum(
            before.get(u.id, areas[b].code) != areas[b].code
            for u, b in zip(units, best.tolist(), strict=True)
            if b >= 0
        ),
        cut=len(cut),
        crossed=int(((other > CUT_M2) & (other > CUT_SHARE * size) & (best >= 0)).sum()),
        differing_m2=float(other.sum()),
    )


def _write(
    session: Session, edition_id: int, units: list[int], best: NDArray[np.int64], areas: list[int]
) -> None:
    session.execute(text("DELETE FROM unit_area WHERE edition_id = :e"), {"e": edition_id})
    rows = ((edition_id, u, areas[b]) for u, b in zip(units, best.tolist(), strict=True) if b >= 0)
    copy_rows(raw(session), "unit_area", ("edition_id", "unit_id", "boundary_id"), rows)


def _codes_before(session: Session, edition_id: int) -> dict[int, str]:
    """unit → area code in the latest other edition that has a mapping."""
    rows = session.execute(
        text(
            "SELECT ua.unit_id, b.code FROM unit_area ua JOIN boundary b ON b.id = ua.boundary_id "
            "WHERE ua.edition_id = (SELECT max(edition_id) FROM unit_area WHERE edition_id <> :e)"
        ),
        {"e": edition_id},
    ).all()
    return {row.unit_id: row.code for row in rows}


def _shapes(wkb: list[bytes]) -> NDArray[np.object_]:
    return np.asarray(shapely.from_wkb([bytes(g) for g in wkb]), dtype=object)

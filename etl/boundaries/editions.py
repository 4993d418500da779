"""Dated editions of a level: which one a load becomes, and writing its areas.

The first edition of a level holds since ever. A later one needs a date and closes the one that held until then. The
same date again, or `replace`, corrects an edition in place: areas keep their ids by code.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import Session

from etl.boundaries.rows import Areas
from etl.rejects import LoadReport
from geo.db.tables import Boundary, Edition, Level, LoadRun
from geo.errors import RefusedArgument


@dataclass(frozen=True)
class Held:
    """An edition that is there: its id, dates (None: open), and the date that was given when it was loaded."""

    id: int
    lower: dt.date | None
    upper: dt.date | None
    given: dt.date | None


def level_of(session: Session, name: str, rank: int | None) -> Level:
    """The level, made when it is new."""
    level = session.scalar(select(Level).where(Level.name == name))
    if level is None:
        level = Level(name=name, rank=rank)
        session.add(level)
        session.flush()
    return level


def held(session: Session, level_id: int) -> list[Held]:
    """The level's editions, oldest first."""
    rows = session.execute(
        select(Edition.id, Edition.during, LoadRun.options)
        .outerjoin(LoadRun, LoadRun.id == Edition.load_run_id)
        .where(Edition.level_id == level_id)
    ).all()
    found = []
    for number, during, options in rows:
        given = (options or {}).get("valid_from")
        found.append(
            Held(number, during.lower, during.upper, dt.date.fromisoformat(given) if given else None)
        )
    return sorted(found, key=lambda h: h.lower or dt.date.min)


def target(
    session: Session, level: Level, valid_from: dt.date | None, replace: bool, crs: str
) -> tuple[Edition, bool]:
    """The edition to write into and whether it is there already (a correction); closes or opens others around it."""
    editions = held(session, level.id)
    if not editions:
        return _new(session, level, Range(None, None, bounds="[)"), crs), False
    if replace and valid_from is None:
        return _existing(session, editions[-1], crs), True
    if valid_from is None:
        raise _date_needed(level.name, editions)
    same = [h for h in editions if valid_from in (h.lower, h.given if h.lower is None else None)]
    if same:
        return _existing(session, same[0], crs), True
    around = next(h for h in reversed(editions) if h.lower is None or h.lower < valid_from)
    if around.lower is None and around.given is not None and valid_from < around.given:
        _redate(session, around.id, around.given, around.upper)
        return _new(session, level, Range(None, around.given, bounds="[)"), crs), False
    _redate(session, around.id, around.lower, valid_from)
    return _new(session, level, Range(valid_from, around.upper, bounds="[)"), crs), False


def _new(session: Session, level: Level, during: Range[dt.date], crs: str) -> Edition:
    edition = Edition(level_id=level.id, during=during, measuring_crs=crs)
    session.add(edition)
    session.flush()
    return edition


def _existing(session: Session, known: Held, crs: str) -> Edition:
    edition = session.get_one(Edition, known.id)
    edition.measuring_crs = crs
    session.flush()
    return edition


def _redate(session: Session, edition_id: int, lower: dt.date | None, upper: dt.date | None) -> None:
    session.execute(
        update(Edition).where(Edition.id == edition_id).values(during=Range(lower, upper, bounds="[)"))
    )
    session.flush()


def _date_needed(level: str, editions: Sequence[Held]) -> RefusedArgument:
    last = editions[-1]
    since = last.lower.isoformat() if last.lower else None
    return RefusedArgument(
        f"层级 {level} 已有{'自 ' + since + ' 起' if since else '一直'}有效的版本，新版本需要生效日期。",
        f"Level {level} already has an edition that holds {'since ' + since if since else 'since ever'}; a new one needs a date.",
        code="edition-date",
        field="from",
        do_zh="请加 --from 日期；若是更正现有版本，请加 --replace。",
        do_en="Add --from DATE; to correct the edition that is there, add --replace.",
    )


# ── Writing ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def write(
    session: Session,
    edition: Edition,
    areas: Areas,
    area_m2: NDArray[np.float64],
    there: bool,
    report: LoadReport,
) -> None:
    """The areas into the edition; counts added, updated and unchanged. Areas that are gone are removed and noticed."""
    known = _known(session, edition.id) if there else {}
    fresh, changed = [], []
    for i, row in enumerate(_records(edition.id, areas, area_m2)):
        old = known.pop(areas.codes[i], None)
        if old is None:
            fresh.append(row)
        elif old.same(row):
            report.unchanged += 1
        else:
            changed.append({"b_id": old.id, **row})
    _remove(session, edition, known, report)
    for start in range(0, len(fresh), 500):
        session.execute(insert(Boundary), fresh[start : start + 500])
    for row in changed:
        session.execute(
            update(Boundary)
            .where(Boundary.id == row.pop("b_id"))
            .values({k: v for k, v in row.items() if k != "edition_id"})
        )
    report.added += len(fresh)
    report.updated += len(changed)


@dataclass(frozen=True)
class _Old:
    id: int
    name: str
    parent: str | None
    wkb: bytes
    attributes: dict[str, Any]

    def same(self, row: dict[str, Any]) -> bool:
        return (self.name, self.parent, self.wkb, self.attributes) == (
            row["name"],
            row["parent_code"],
            bytes.fromhex(row["geom"]),
            row["attributes"],
        )


def _known(session: Session, edition_id: int) -> dict[str, _Old]:
    rows = session.execute(
        text(
            "SELECT code, id, name, parent_code, ST_AsEWKB(geom), attributes FROM boundary WHERE edition_id = :edition"
        ),
        {"edition": edition_id},
    )
    return {
        code: _Old(number, name, parent, bytes(wkb), attributes)
        for code, number, name, parent, wkb, attributes in rows
    }


def _records(edition_id: int, areas: Areas, area_m2: NDArray[np.float64]) -> list[dict[str, Any]]:
    hexes = shapely.to_wkb(shapely.set_srid(areas.geoms, 4326), hex=True, include_srid=True)
    return [
        {
            "edition_id": edition_id,
            "code": areas.codes[i],
            "name": areas.names[i],
            "parent_code": areas.parents[i] or None,
            "geom": str(hexes[i]),
            "area_m2": float(area_m2[i]),
            "attributes": areas.attributes[i],
        }
        for i in range(len(areas))
    ]


def _remove(session: Session, edition: Edition, gone: dict[str, _Old], report: LoadReport) -> None:
    """Areas that the corrected file no longer has; refused where units were built in them."""
    if not gone:
        return
    ids = [old.id for old in gone.values()]
    used = session.scalar(
        text("SELECT count(DISTINCT boundary_id) FROM unit_area WHERE boundary_id = ANY(:ids)"), {"ids": ids}
    )
    if used:
        raise RefusedArgument(
            f"更正后的文件缺少 {used} 个已建有单元网格的区域。",
            f"The corrected file lacks {used} areas in which units were built.",
            code="boundary-in-use",
            field="replace",
            do_zh="请改用 --from 日期 作为新版本装载。",
            do_en="Load it as a new edition with --from DATE.",
        )
    session.execute(delete(Boundary).where(Boundary.id.in_(ids)))
    codes = sorted(gone)
    report.details["removed"] = codes
    report.notice(
        "boundary-removed",
        f"更正后的文件不再包含：{'、'.join(codes[:10])}",
        f"the corrected file no longer has: {', '.join(codes[:10])}",
        count=len(codes),
    )

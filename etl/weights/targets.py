"""What weights are shared out to: the units, and the units of every area that has a code."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.db.clock import city_today
from geo.errors import RefusedArgument
from geo.placement import PointIndex


@dataclass(frozen=True)
class Units:
    """The leaf units in force, by ascending id (EPSG:4326), with the CRS to measure in."""

    ids: NDArray[np.int64]
    codes: list[str]
    geometry: NDArray[np.object_]
    points: NDArray[np.object_]
    area_m2: NDArray[np.float64]
    built_up: NDArray[np.bool_]
    measuring_crs: str


@dataclass(frozen=True)
class Target:
    """A level whose codes may stand in a file: code → positions of its units."""

    level: str
    members: dict[str, NDArray[np.int64]]


def units(session: Session) -> Units:
    """The units to share out to; refused when there are none."""
    rows = session.execute(
        text(
            "SELECT u.id, u.code, ST_AsBinary(u.geom) AS geom, ST_AsBinary(u.point) AS point, u.area_m2, u.built_up "
            "FROM unit u WHERE (upper_inf(u.during) OR upper(u.during) > :today) "
            "AND NOT EXISTS (SELECT FROM unit k WHERE k.parent_id = u.id) ORDER BY u.id"
        ),
        {"today": city_today(session)},
    ).all()
    if not rows:
        raise RefusedArgument(
            "还没有单元，权重无处可分。", "There are no units to share weights out to.", code="no-units",
            do_zh="请管理员先划分单元。",
            shell_zh="请先运行 wangge units build。",
            do_en="An administrator has to build the units first.",
            shell_en="Run `wangge units build` first.",
        )  # fmt: skip
    measuring = session.scalar(
        text(
            "SELECT e.measuring_crs FROM edition e JOIN unit_area ua ON ua.edition_id = e.id WHERE ua.unit_id = :u "
            "ORDER BY e.id DESC LIMIT 1"
        ),
        {"u": rows[0].id},
    )
    return Units(
        np.array([r.id for r in rows], np.int64),
        [r.code for r in rows],
        np.asarray(shapely.from_wkb([bytes(r.geom) for r in rows]), dtype=object),
        np.asarray(shapely.from_wkb([bytes(r.point) for r in rows]), dtype=object),
        np.array([r.area_m2 for r in rows], float),
        np.array([r.built_up for r in rows], bool),
        str(measuring),
    )


def targets(session: Session, ground: Units) -> list[Target]:
    """Every level that can be asked by code, units first, then present editions from small areas to large."""
    found = [Target("unit", {code: np.array([i]) for i, code in enumerate(ground.codes)})]
    editions = session.execute(
        text(
            "SELECT e.id, l.name FROM edition e JOIN level l ON l.id = e.level_id WHERE e.during @> CAST(:today AS date) "
            "ORDER BY l.rank DESC NULLS LAST, l.name"
        ),
        {"today": city_today(session)},
    ).all()
    for edition in editions:
        found.append(Target(edition.name, _members(session, edition.id, ground)))
    return found


def _members(session: Session, edition_id: int, ground: Units) -> dict[str, NDArray[np.int64]]:
    """code → units of an edition: by the stored nesting where there is one, else by the units' inner points."""
    rows = session.execute(
        text("SELECT id, code, ST_AsBinary(geom) AS geom FROM boundary WHERE edition_id = :e ORDER BY code"),
        {"e": edition_id},
    ).all()
    nested = session.execute(
        text("SELECT unit_id, boundary_id FROM unit_area WHERE edition_id = :e"), {"e": edition_id}
    ).all()
    if nested:
        place = {unit: i for i, unit in enumerate(ground.ids.tolist())}
        area = {r.id: r.code for r in rows}
        grouped: dict[str, list[int]] = {}
        for unit, boundary in nested:
            if unit in place:
                grouped.setdefault(area[boundary], []).append(place[unit])
        return {code: np.array(members) for code, members in grouped.items()}
    index = PointIndex(np.asarray(shapely.from_wkb([bytes(r.geom) for r in rows]), dtype=object))
    at = index.place(shapely.get_x(ground.points), shapely.get_y(ground.points))
    return {r.code: np.flatnonzero(at == i) for i, r in enumerate(rows) if (at == i).any()}

"""Units into and out of the database: COPY, codes, the mapping to areas, and whether they may be built anew."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import psycopg
import shapely
from numpy.typing import NDArray
from psycopg import sql
from sqlalchemy import text
from sqlalchemy.orm import Session

from etl.units.ground import Ground
from geo.codes import generate, reading_order
from geo.db.session import raw
from geo.errors import RefusedArgument


def make_room(session: Session) -> int:
    """Removes units that no plan uses; returns how many there were. Refused when a plan uses them."""
    session.execute(text("LOCK TABLE unit IN SHARE ROW EXCLUSIVE MODE"))
    before = refuse_in_use(session)
    if before:
        session.execute(text("UPDATE facility SET unit_id = NULL WHERE unit_id IS NOT NULL"))
        for table in ("weight", "unit_border", "unit_area", "unit"):
            session.execute(text(f"DELETE FROM {table}"))  # noqa: S608  names from the line above
    return before


def refuse_in_use(session: Session) -> int:
    """How many units there are; refused when a plan uses them."""
    plan = session.execute(
        text(
            "SELECT p.id, p.name FROM plan p WHERE EXISTS (SELECT 1 FROM plan_unit u WHERE u.plan_id = p.id) LIMIT 1"
        )
    ).first()
    before = int(session.scalar(text("SELECT count(*) FROM unit")) or 0)
    if before and plan is not None:
        raise RefusedArgument(
            f"已有 {before} 个单元，方案“{plan.name}”正在使用，不能重建。",
            f"There are {before} units and plan {plan.name!r} uses them; they cannot be built anew.",
            code="units-in-use",
            units=before,
            plan=plan.name,
            do_zh="单元只能细分或停用；要换一套单元，请用新的数据文件夹（--data DIR）。",
            do_en="Units are only cut or retired; for another set of units use a new data folder (--data DIR).",
        )
    return before


def numbered(ground: Ground, area_codes: Sequence[str], template: str) -> tuple[NDArray[np.int64], list[str]]:
    """The order in which units are stored (area by area, as one reads a page) and their codes in that order."""
    xy = shapely.get_coordinates(ground.point)
    order: list[int] = []
    codes: list[str] = []
    by_area = np.argsort(ground.area, kind="stable")
    for members in np.split(by_area, np.flatnonzero(np.diff(ground.area[by_area])) + 1):
        if len(members):
            mine = members[reading_order(xy[members, 0], xy[members, 1])]
            area = area_codes[int(ground.area[mine[0]])]
            order += mine.tolist()
            codes += [generate(area, i + 1, template, largest=len(mine)) for i in range(len(mine))]
    return np.array(order, np.int64), codes


def store_units(
    session: Session,
    ground: Ground,
    order: NDArray[np.int64],
    codes: Sequence[str],
    area_ids: Sequence[int],
    edition_id: int,
    load_run_id: int,
) -> NDArray[np.int64]:
    """Writes units, their areas and their borders; returns the unit ids in stored order (from 1 in an empty table)."""
    connection = raw(session)
    ids = _ids(session, len(order))
    geometry = _wkb(_multi(ground.geometry[order]))
    point = _wkb(ground.point[order])
    rows = zip(
        ids.tolist(),
        codes,
        [load_run_id] * len(order),
        geometry,
        point,
        ground.area_m2[order].tolist(),
        ground.perimeter_m[order].tolist(),
        ground.built_up[order].tolist(),
        strict=True,
    )
    names = ("id", "code", "load_run_id", "geom", "point", "area_m2", "perimeter_m", "built_up")
    copy_rows(connection, "unit", names, rows)
    areas = np.asarray(area_ids)[ground.area[order]]
    copy_rows(
        connection,
        "unit_area",
        ("edition_id", "unit_id", "boundary_id"),
        zip([edition_id] * len(ids), ids.tolist(), areas.tolist(), strict=True),
    )
    place = np.empty(len(order), np.int64)
    place[order] = ids
    a, b = place[ground.borders.a], place[ground.borders.b]
    copy_rows(
        connection,
        "unit_border",
        ("unit_a", "unit_b", "length_m", "walkable"),
        zip(
            np.minimum(a, b).tolist(),
            np.maximum(a, b).tolist(),
            ground.borders.length_m.tolist(),
            ground.borders.walkable.tolist(),
            strict=True,
        ),
    )
    return ids


def copy_rows(
    connection: psycopg.Connection[Any], table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """COPY rows into a table; geometry as hexadecimal EWKB."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def _ids(session: Session, n: int) -> NDArray[np.int64]:
    """`n` unit ids; in an empty table they start at 1, so that a rebuilt city has the same ones."""
    sequence = "SELECT setval(pg_get_serial_sequence('unit', 'id'), :last)"
    last = int(session.scalar(text("SELECT coalesce(max(id), 0) FROM unit")) or 0)
    if n:
        session.execute(text(sequence), {"last": last + n})
    return np.arange(last + 1, last + n + 1, dtype=np.int64)


def _multi(geometries: NDArray[np.object_]) -> NDArray[np.object_]:
    return np.array(
        [g if g.geom_type == "MultiPolygon" else shapely.MultiPolygon([g]) for g in geometries], dtype=object
    )


def _wkb(geometries: NDArray[np.object_]) -> list[str]:
    found = shapely.to_wkb(shapely.set_srid(geometries, 4326), hex=True, include_srid=True)
    return [str(one) for one in found]

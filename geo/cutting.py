"""Cutting a unit: its parts take its place everywhere, and no number of the past moves.

A unit is never redrawn. Its parts know it as their parent and have the grid of their nearest ancestor in every plan, so
every count under every plan stays what it was: only the cases and facilities of the unit itself are placed again, each in
the part that holds it. Areas, outlines and borders of the parts add up to the unit's; its weights (households …) are
apportioned by area. How the ground is divided is handed in: shapes that a person drew are worked out in a limited child
process, which this floor does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import Row, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from geo import crs, geometry
from geo.attribution import PLACEMENT_LOCK
from geo.codes import free_sequences, generate, parse
from geo.cut_borders import Outline, outline, shared
from geo.db import walls
from geo.db.clock import city_today
from geo.db.tables import Audit
from geo.db.versions import bump
from geo.dividing import MOST_PARTS
from geo.errors import Conflict, NotFound, RefusedArgument
from geo.placement import PointIndex

Geoms = NDArray[np.object_]
Divide = Callable[[Geoms, Geoms], Geoms]
"""(the unit alone, its neighbours) → its parts, then the neighbours with the new points on their borders."""

LEAST_M2 = 100.0  # as when units are built: smaller ground is a scrap


@dataclass(frozen=True)
class Cut:
    """What became of a unit: codes and areas (m²) of its parts, and what was placed in them."""

    unit: str
    parts: list[str]
    area_m2: list[float]
    cases: int
    facilities: int


def cut(
    session: Session, unit: int | str, divide: Divide, *, least_m2: float = LEAST_M2, author: str = "operator"
) -> Cut:
    """Cuts one unit; flushes, never commits.

    Raises NotFound `unit-unknown`, Conflict `unit-cut` (naming the parts) or `unit-retired`, `cut-busy` while a load or
    another cut takes too long; RefusedArgument `line-divides-nothing`, `part-too-small`, `too-many-parts`.
    """
    made = cut_ground(session, unit, divide, least_m2=least_m2)
    if made is None:
        raise RefusedArgument(
            "所画的线没有分开这个单元。", "The drawn line does not divide the unit.",
            code="line-divides-nothing", field="line",
            do_zh="请让线穿过单元。", do_en="Let the line run through the unit.",
        )  # fmt: skip
    return finish(session, [made], author)[0]


@dataclass(frozen=True)
class Made:
    """A unit that was cut, whose cases still wait to be placed again."""

    unit_id: int
    unit: str
    parts: list[int]
    codes: list[str]
    area_m2: list[float]
    shapes: Geoms


def cut_ground(
    session: Session, unit: int | str, divide: Divide, *, least_m2: float = LEAST_M2
) -> Made | None:
    """The ground alone: parts, areas, borders, weights; None when `divide` leaves the unit whole. `finish` places cases."""
    leaf_of(session, unit)  # refused without waiting
    _wait(session)
    row = leaf_of(session, unit)
    beside = session.execute(text(_BESIDE), {"u": row.id}).all()
    ground, others = _shapes([row]), _shapes(beside)
    found = divide(ground, others)
    parts, fitted = found[: len(found) - len(others)], found[len(found) - len(others) :]
    if len(parts) < 2:
        return None
    _check(row, parts, least_m2)
    areas = _measured(row, parts)
    codes = _codes(session, row, len(parts))
    ids = _insert(session, row, parts, codes, areas)
    _inherit(session, row, ids, [one.area_m2 for one in areas])
    _borders(session, row, ids, areas, beside, fitted)
    _refit(session, beside, others, fitted)
    return Made(row.id, row.code, ids, codes, [one.area_m2 for one in areas], parts)


def finish(session: Session, made: Sequence[Made], author: str = "operator") -> list[Cut]:
    """Places the cases and facilities of units that were cut, notes who cut them, and says what changed."""
    walls.need_everything(session)
    cases, facilities = _place(session, made, _CASES), _place(session, made, _FACILITIES)
    done = []
    for one, n, m in zip(made, cases, facilities, strict=True):
        done.append(Cut(one.unit, one.codes, one.area_m2, n, m))
        session.add(Audit(who=author, act="unit.cut", what={"unit": one.unit, "parts": one.codes}))
    session.flush()
    moved = [part for part, n in (("cases", sum(cases)), ("facilities", sum(facilities))) if n]
    if made:
        bump(session, "units", "weights", *moved)
    return done


def leaf_of(session: Session, unit: int | str) -> Row[Any]:
    """The row of a unit that may be cut, by id or code."""
    today = city_today(session)
    found = session.execute(text(_UNIT), {"code": str(unit)[:200], "today": today}).one_or_none()
    if found is None and str(unit).isascii() and str(unit).isdigit() and int(unit) < 2**31:
        found = session.execute(
            text(_UNIT.replace("u.code = :code", "u.id = :id")), {"id": int(unit), "today": today}
        ).one_or_none()
    if found is None:
        raise NotFound(
            f"没有单元 {str(unit)[:80]}。", f"There is no unit {str(unit)[:80]}.", code="unit-unknown", field="unit",
            do_zh="请在地图上选取单元，或导出单元查看编码。",
            shell_zh="单元编码见 wangge export units。",
            do_en="Choose a unit on the map, or export the units to see their codes.",
            shell_en="`wangge export units` lists their codes.",
        )  # fmt: skip
    if found.parts:
        raise Conflict(
            f"单元 {found.code} 已切分为 {'、'.join(found.parts)}。",
            f"Unit {found.code} was cut into {', '.join(found.parts)} already.",
            code="unit-cut", field="unit", units=found.parts,
            do_zh="请切其中一块。", do_en="Cut one of its parts instead.",
        )  # fmt: skip
    if found.retired:
        raise Conflict(
            f"单元 {found.code} 已停用。", f"Unit {found.code} was retired.", code="unit-retired", field="unit",
        )  # fmt: skip
    return found


_UNIT = (
    "SELECT u.id, u.code, ST_AsBinary(u.geom) AS geom, u.area_m2, u.perimeter_m, "
    "(upper(u.during) <= :today) IS TRUE AS retired, "
    "(SELECT array_agg(k.code ORDER BY k.code) FROM unit k WHERE k.parent_id = u.id) AS parts, "
    "(SELECT e.measuring_crs FROM unit_area ua JOIN edition e ON e.id = ua.edition_id WHERE ua.unit_id = u.id "
    "ORDER BY lower(e.during) DESC NULLS LAST LIMIT 1) AS measuring_crs FROM unit u WHERE u.code = :code"
)
_BESIDE = (
    "SELECT u.id, ST_AsBinary(u.geom) AS geom, b.length_m, b.walkable FROM unit_border b "
    "JOIN unit u ON u.id = b.unit_a + b.unit_b - :u WHERE :u IN (b.unit_a, b.unit_b) ORDER BY u.id"
)


def _wait(session: Session) -> None:
    """One cut at a time, and none while a load places cases in units."""
    try:
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": PLACEMENT_LOCK})
    except OperationalError as problem:
        if "lock timeout" not in str(problem.orig):
            raise
        raise Conflict(
            "另一个装载或切分正在进行。", "A load or another cut is under way.", code="cut-busy",
            do_zh="请稍后再试。", do_en="Try again in a moment.",
        ) from problem  # fmt: skip


def _check(row: Row[Any], parts: Geoms, least_m2: float) -> None:
    if len(parts) > MOST_PARTS:
        raise RefusedArgument(
            f"这条线把单元分成 {len(parts)} 块，最多 {MOST_PARTS} 块。",
            f"The line divides the unit into {len(parts)} parts; at most {MOST_PARTS}.",
            code="too-many-parts", field="line", measured=len(parts), allowed=MOST_PARTS,
        )  # fmt: skip
    share = np.array([part.area for part in parts])
    smallest = float(row.area_m2 * share.min() / share.sum())
    if smallest < least_m2:
        raise RefusedArgument(
            f"切出的一块只有 {smallest:,.1f} m²，至少应有 {least_m2:,.0f} m²。",
            f"One part would have {smallest:,.1f} m²; it needs at least {least_m2:,.0f} m².",
            code="part-too-small", field="line", measured=round(smallest, 3), allowed=least_m2,
            do_zh="请移动这条线。", do_en="Move the line.",
        )  # fmt: skip


def _measured(row: Row[Any], parts: Geoms) -> list[Outline]:
    """Areas and outlines that add up to the unit's, in the CRS it was measured in."""
    measuring = row.measuring_crs or crs.measuring_crs(tuple(shapely.total_bounds(parts).tolist()))
    return outline(parts, measuring, float(row.area_m2), float(row.perimeter_m))


def _codes(session: Session, row: Row[Any], count: int) -> list[str]:
    """The next free numbers of the unit's area; `<code>-1` … where the code has no area."""
    template = str(session.scalar(text("SELECT code_template FROM city")) or "beijing-15")
    known = parse(row.code, template)
    if known is None:
        return [f"{row.code}-{i + 1}" for i in range(count)]
    held = session.scalars(text("SELECT code FROM unit WHERE starts_with(code, :area)"), {"area": known.area})
    used = {p.sequence for code in held if (p := parse(code, template)) is not None and p.area == known.area}
    numbers = free_sequences(count, set(range(1, max(used) + 1)))
    return [generate(known.area, number, template, largest=numbers[-1]) for number in numbers]


def _insert(
    session: Session, row: Row[Any], parts: Geoms, codes: list[str], areas: list[Outline]
) -> list[int]:
    """The parts as units: as old as the unit, its load run, built up as it is."""
    shapes, points = geometry.multi(parts), geometry.points_inside(parts)
    return [
        int(
            session.scalar(
                text(
                    "INSERT INTO unit (code, parent_id, load_run_id, during, geom, point, area_m2, perimeter_m, built_up) "
                    "SELECT :code, id, load_run_id, during, ST_GeomFromWKB(:geom, 4326), ST_GeomFromWKB(:point, 4326), "
                    ":area, :perimeter, built_up FROM unit WHERE id = :parent RETURNING id"
                ),
                {"code": code, "geom": shapely.to_wkb(shape), "point": shapely.to_wkb(point), "parent": row.id,
                 "area": one.area_m2, "perimeter": one.perimeter_m},
            )
            or 0
        )
        for code, shape, point, one in zip(codes, shapes, points, areas, strict=True)
    ]  # fmt: skip


def _inherit(session: Session, row: Row[Any], ids: list[int], area_m2: list[float]) -> None:
    """The areas of every edition; of every weight a share by area, the last part what is left of it."""
    session.execute(
        text(
            "INSERT INTO unit_area (edition_id, unit_id, boundary_id) SELECT edition_id, part, boundary_id "
            "FROM unit_area, unnest(CAST(:ids AS int[])) AS part WHERE unit_id = :u"
        ),
        {"u": row.id, "ids": ids},
    )
    share = np.array(area_m2) / sum(area_m2)
    held = session.execute(
        text('SELECT "column" AS name, value, load_run_id FROM weight WHERE unit_id = :u'), {"u": row.id}
    ).all()
    for name, value, run in held:
        values = (value * share).tolist()
        values[-1] = max(0.0, value - sum(values[:-1]))
        session.execute(
            text(
                'INSERT INTO weight ("column", unit_id, value, load_run_id) SELECT :name, unit, value, :run '
                "FROM unnest(CAST(:ids AS int[]), CAST(:values AS float8[])) AS part(unit, value)"
            ),
            {"name": name, "run": run, "ids": ids, "values": values},
        )
    session.execute(text("DELETE FROM weight WHERE unit_id = :u"), {"u": row.id})


def _borders(
    session: Session,
    row: Row[Any],
    ids: list[int],
    areas: list[Outline],
    beside: Sequence[Row[Any]],
    fitted: Geoms,
) -> None:
    """Borders between the parts (open: it was one ground) and with the neighbours, open or closed as they were."""
    found: list[tuple[int, int, float, bool]] = []
    for i in range(len(ids)):
        for j in range(i + 1, len(ids)):
            length_m = areas[i].common_m(areas[j])
            if length_m > 0:
                found.append((ids[i], ids[j], length_m, True))
    for neighbour, shape in zip(beside, fitted, strict=True):
        for i, length_m in enumerate(shared(areas, shape, float(neighbour.length_m))):
            if length_m > 0:
                found.append((ids[i], neighbour.id, length_m, neighbour.walkable))
    session.execute(text("DELETE FROM unit_border WHERE :u IN (unit_a, unit_b)"), {"u": row.id})
    if found:
        session.execute(
            text("INSERT INTO unit_border (unit_a, unit_b, length_m, walkable) VALUES (:a, :b, :m, :w)"),
            [{"a": min(a, b), "b": max(a, b), "m": m, "w": w} for a, b, m, w in found],
        )


def _refit(session: Session, beside: Sequence[Row[Any]], others: Geoms, fitted: Geoms) -> None:
    """Neighbours get the new points of their borders, so that the units go on fitting like tiles."""
    for neighbour, before, after in zip(beside, others, fitted, strict=True):
        if shapely.get_num_coordinates(before) != shapely.get_num_coordinates(after):
            session.execute(
                text("UPDATE unit SET geom = ST_GeomFromWKB(:g, 4326) WHERE id = :u"),
                {"u": neighbour.id, "g": shapely.to_wkb(geometry.multi(np.array([after], dtype=object))[0])},
            )


# ── what stood in the unit stands in one of its parts ───────────────────────────────────────────────────────────────

_CASES = (
    "SELECT unit_id, source_id AS source, id, ST_X(geom) AS lon, ST_Y(geom) AS lat FROM cases WHERE unit_id = ANY(:units)",
    "UPDATE cases c SET unit_id = m.unit FROM unnest(CAST(:source AS int2[]), CAST(:id AS int8[]), CAST(:unit AS int4[])) "
    "AS m(source, id, unit) WHERE c.source_id = m.source AND c.id = m.id",
)
_FACILITIES = (
    "SELECT unit_id, 0 AS source, id, ST_X(point) AS lon, ST_Y(point) AS lat FROM facility WHERE unit_id = ANY(:units)",
    "UPDATE facility f SET unit_id = m.unit FROM unnest(CAST(:source AS int2[]), CAST(:id AS int8[]), CAST(:unit AS int4[])) "
    "AS m(source, id, unit) WHERE f.id = m.id",
)


def _place(session: Session, made: Sequence[Made], table: tuple[str, str]) -> list[int]:
    """Puts what stood in each unit into its parts; how many per unit."""
    select, update = table
    rows = session.execute(text(select), {"units": [one.unit_id for one in made]}).all()
    owner = np.array([row.unit_id for row in rows], np.int64)
    lon, lat = np.array([row.lon for row in rows], float), np.array([row.lat for row in rows], float)
    unit = np.zeros(len(rows), np.int64)
    counts = []
    for one in made:
        mine = np.flatnonzero(owner == one.unit_id)
        counts.append(len(mine))
        if len(mine):
            unit[mine] = np.array(one.parts)[part_of(one.shapes, lon[mine], lat[mine])]
    if len(rows):
        given = {
            "source": [row.source for row in rows],
            "id": [row.id for row in rows],
            "unit": unit.tolist(),
        }
        session.execute(text(update), given)
    return counts


def part_of(parts: Geoms, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.int64]:
    """The part each point lies in; on a border the first one, and a point that rounding left outside goes to the nearest."""
    at = PointIndex(parts).place(lon, lat).astype(np.int64)
    for i in np.flatnonzero(at < 0).tolist():
        at[i] = int(np.argmin(shapely.distance(parts, shapely.Point(lon[i], lat[i]))))
    return at


def _shapes(rows: Sequence[Row[Any]]) -> Geoms:
    out = np.empty(len(rows), dtype=object)
    out[:] = shapely.from_wkb([bytes(row.geom) for row in rows])
    return out

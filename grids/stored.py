"""Plans in the database: reading one as a Partition, writing a new one with its grid polygons."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from psycopg import sql
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from geo.db.clock import city_today as city_today  # the plans' clock, known here by its own name
from geo.db.copying import read_table
from geo.db.session import raw
from geo.db.tables import Plan
from geo.errors import NotFound, RefusedArgument
from grids.codes import Named
from grids.partition import Partition
from grids.units import Floats, Ints, UnitGraph

RESERVED = (
    "current",
    "as-was",
    "propose",
    "import",
    "overlay",
)  # words that mean something where plans are named


@dataclass(frozen=True)
class Stored:
    """A plan as it stands: the row, its partition and, by index, what is known of its grids, in order of code."""

    plan: Plan
    partition: Partition
    grid_ids: tuple[int, ...]
    codes: tuple[str, ...]
    names: tuple[str, ...]
    posts: Floats
    locked: NDArray[np.bool_]


def find(session: Session, plan: int | str) -> Plan:
    """A plan by id or name; NotFound with the command that lists them."""
    wanted = str(plan).strip()
    found = session.query(Plan).filter(Plan.name == wanted).one_or_none()
    if found is None and wanted.isascii() and wanted.isdigit() and int(wanted) < 2**31:
        found = session.get(Plan, int(wanted))
    if found is None:
        raise NotFound(
            f"没有方案“{wanted}”。",
            f"There is no plan {wanted!r}.",
            code="no-such-plan",
            field="plan",
            do_zh="请从方案列表中选取。",
            shell_zh="wangge plan list 列出全部方案。",
            do_en="Choose one from the list of plans.",
            shell_en="`wangge plan list` shows them.",
        )
    return found


def read(session: Session, plan: Plan, graph: UnitGraph) -> Stored:
    """A plan on today's units: a unit without a row of its own has the grid of its nearest ancestor.

    A grid that lost its last unit in a draft (merged away, undone) is no grid of the plan any more; its row stays
    for the history, without geometry.
    """
    grids = session.execute(
        text(
            "SELECT id, code, name, posts, locked FROM grid WHERE plan_id = :p AND geom IS NOT NULL ORDER BY code"
        ),
        {"p": plan.id},
    ).all()
    label = _labels(session, plan.id, graph, np.array([g.id for g in grids], np.int64))
    return Stored(
        plan,
        Partition(graph, label, len(grids)),
        tuple(g.id for g in grids),
        tuple(g.code for g in grids),
        tuple(g.name for g in grids),
        np.array([g.posts for g in grids], np.float64),
        np.array([g.locked for g in grids], np.bool_),
    )


def _labels(session: Session, plan_id: int, graph: UnitGraph, grid_ids: Ints) -> Ints:
    """The index into `grid_ids` of every unit's grid, from its own row or that of its nearest ancestor; −1 open."""
    rows = read_table(raw(session), sql.SQL(_HELD).format(plan=sql.Literal(plan_id)), _HELD_FIELDS)
    order = np.argsort(grid_ids)
    at = np.searchsorted(grid_ids, rows["grid"], sorter=order).clip(max=max(0, len(grid_ids) - 1))
    number = order[at] if len(grid_ids) else np.full(len(at), -1)
    number = np.where(grid_ids[number] == rows["grid"], number, -1) if len(grid_ids) else number
    label, has_row = np.full(graph.n, -1, np.int64), np.zeros(graph.n, np.bool_)
    place = graph.index_of(rows["unit"].astype(np.int64))
    label[place[place >= 0]], has_row[place[place >= 0]] = number[place >= 0], True
    if not has_row.all():
        cut = session.execute(text("SELECT id, parent_id FROM unit WHERE parent_id IS NOT NULL")).all()
        parents: dict[int, int] = {row.id: row.parent_id for row in cut}
        held = dict(zip(rows["unit"].tolist(), number.tolist(), strict=True)) if parents else {}
        for u in np.flatnonzero(~has_row).tolist() if parents else ():
            unit = parents.get(int(graph.ids[u]))
            while unit is not None and unit not in held:
                unit = parents.get(unit)
            label[u] = held[unit] if unit is not None else -1
    return label


_HELD = (
    "SELECT DISTINCT ON (unit_id) unit_id, coalesce(grid_id, 0) FROM plan_unit WHERE plan_id = {plan} "
    "ORDER BY unit_id, revision DESC"
)
_HELD_FIELDS = (("unit", "i4"), ("grid", "i4"))


def gap(session: Session, held: Stored) -> dict[str, Any]:
    """The ground of open units: `{area_m2, units, geometry}`, geometry as GeoJSON (EPSG:4326)."""
    graph = held.partition.graph
    open_ = np.flatnonzero(held.partition.grid < 0)
    rows = session.execute(
        text("SELECT ST_AsBinary(geom) AS geom FROM unit WHERE id = ANY(:ids)"),
        {"ids": graph.ids[open_].tolist()},
    )
    shape = shapely.coverage_union_all([shapely.from_wkb(bytes(row.geom)) for row in rows])
    return {
        "area_m2": float(graph.area_m2[open_].sum()),
        "units": len(open_),
        "geometry": json.loads(shapely.to_geojson(shape)),
    }


def write(
    session: Session, name: str, partition: Partition, named: Sequence[Named], *, nesting: str, origin: str, author: str,
    based_on_id: int | None = None, grid_names: Sequence[str] | None = None,
    posts: NDArray[np.float64] | None = None, locked: NDArray[np.bool_] | None = None,
) -> Plan:  # fmt: skip
    """A new draft: the plan, its grids (polygons are the coverage union of their units) and unit → grid; flushed.

    `posts` (1) and `locked` (no) of each grid.
    """
    check_name(session, name)
    session.execute(text("INSERT INTO city (name) VALUES ('') ON CONFLICT DO NOTHING"))
    plan = Plan(
        name=name,
        nesting=nesting,
        origin=origin,
        author=author,
        based_on_id=based_on_id,
        during=None,
        city_id=1,
    )
    try:
        with session.begin_nested():
            session.add(plan)
            session.flush()
    except IntegrityError as problem:
        raise name_taken(name) from problem
    names = grid_names or [default_name(partition.graph, one) for one in named]
    posts = np.ones(partition.k) if posts is None else posts
    locked = np.zeros(partition.k, np.bool_) if locked is None else locked
    ids = _write_grids(session, plan.id, partition, named, names, posts, locked)
    held = (
        (plan.id, unit, ids[g])
        for unit, g in zip(partition.graph.ids.tolist(), partition.grid.tolist(), strict=True)
        if g >= 0
    )
    with (
        raw(session).cursor() as cursor,
        cursor.copy("COPY plan_unit (plan_id, unit_id, grid_id) FROM STDIN") as copy,
    ):
        for row in held:
            copy.write_row(row)
    return plan


def default_name(graph: UnitGraph, named: Named) -> str:
    """`望江社区第3网格`: the area's name and the sequence number."""
    area = graph.area_names[named.area] if named.area >= 0 else ""
    return f"{area}第{named.sequence}网格"


def check_name(session: Session, name: str) -> None:
    """A plan's name: 1 to 80 characters, not a number (that is an id), not a word with a meaning, not taken.

    Words of the API (`/api/plans/propose`) have a meaning, too: a plan called so could not be reached by its name.
    """
    if (
        not (0 < len(name.strip()) <= 80)
        or name.strip() != name
        or name.isdigit()
        or name in RESERVED
        or name.startswith("as-of:")
    ):
        raise RefusedArgument(
            f"方案名“{name[:80]}”不可用。",
            f"{name[:80]!r} cannot be a plan's name.",
            code="plan-name",
            field="name",
            do_zh=f"请用 1–80 个字，不全是数字，不是 {'、'.join(RESERVED)}，不以 as-of: 开头。",
            do_en=f"Use 1 to 80 characters, not only digits, none of {', '.join(RESERVED)}, not beginning with as-of:.",
        )
    if session.scalar(text("SELECT 1 FROM plan WHERE name = :n"), {"n": name}):
        raise name_taken(name)


def code_template(session: Session) -> str:
    """How the city's grid codes are made: a key of `geo.codes.TEMPLATES`."""
    return str(session.scalar(text("SELECT code_template FROM city")) or "beijing-15")


def days(during: Range[dt.date] | None) -> tuple[dt.date | None, dt.date | None]:
    """First and last-plus-one day of a plan, None where open."""
    return (None, None) if during is None else (during.lower, during.upper)


def name_taken(name: str) -> RefusedArgument:
    """The refusal of a plan name that is in use."""
    return RefusedArgument(
        f"已有名为“{name}”的方案。",
        f"There is already a plan named {name!r}.",
        code="plan-name-taken",
        field="name",
        do_zh="请另取名称。",
        shell_zh="请另取名称；wangge plan list 列出全部方案。",
        do_en="Choose another name.",
        shell_en="Choose another name; `wangge plan list` shows the plans.",
    )


def _write_grids(
    session: Session, plan_id: int, partition: Partition, named: Sequence[Named], names: Sequence[str],
    posts: NDArray[np.float64], locked: NDArray[np.bool_],
) -> list[int]:  # fmt: skip
    graph = partition.graph
    rows = session.execute(text("SELECT id, ST_AsBinary(geom) AS geom FROM unit"))
    wkb = {row.id: row.geom for row in rows}
    units = np.asarray(shapely.from_wkb([bytes(wkb[u]) for u in graph.ids.tolist()]), dtype=object)
    order = np.argsort(partition.grid, kind="stable")
    starts = np.searchsorted(partition.grid[order], np.arange(partition.k + 1))
    ids = list(
        session.scalars(
            text("SELECT nextval(pg_get_serial_sequence('grid', 'id')) FROM generate_series(1, :k)"),
            {"k": partition.k},
        )
    )
    area_m2, perimeter_m = partition.area_m2, partition.perimeter_m
    statement = (
        "COPY grid (id, plan_id, code, name, area_code, geom, area_m2, perimeter_m, posts, locked) FROM STDIN"
    )
    with raw(session).cursor() as cursor, cursor.copy(statement) as copy:
        for g, one in enumerate(named):
            shape = outline(units[order[starts[g] : starts[g + 1]]])
            area = graph.area_codes[one.area] if one.area >= 0 else None
            size = (float(area_m2[g]), float(perimeter_m[g]), float(posts[g]), bool(locked[g]))
            copy.write_row((ids[g], plan_id, one.code, names[g], area, shape, *size))
    return [int(i) for i in ids]


def outline(units: NDArray[np.object_]) -> str:
    """The coverage union of units as hexadecimal EWKB of a multipolygon (EPSG:4326).

    Units whose borders do not meet exactly (none that Wangge builds) are joined by the slower general union.
    """
    multi = _polygons(shapely.coverage_union_all(units))
    if not shapely.is_valid(multi):
        multi = _polygons(shapely.union_all(units))
    return str(shapely.to_wkb(shapely.set_srid(multi, 4326), hex=True, include_srid=True))


def _polygons(union: shapely.Geometry) -> shapely.MultiPolygon:
    return shapely.MultiPolygon([p for p in shapely.get_parts(union) if p.geom_type == "Polygon"])

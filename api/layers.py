"""Where analysis and exports meet: any layer that may leave the house, chosen, written and audited."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import h3
import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo import case_list
from geo.analysis import counts
from geo.areas import CITY, Scope
from geo.cases import CaseFilter
from geo.columns import ColumnStore
from geo.crs import WGS84
from geo.db.tables import Audit
from geo.errors import RefusedArgument
from geo.exports import case_layer, layers
from geo.exports.job import Written
from geo.exports.layers import Layer
from geo.exports.writers import ending_of, write
from geo.heat import HeatMap, Zones
from geo.progress import Progress, silent
from geo.settings import Settings
from geo.zones import edition_on, resolve_plan
from maps.classify import for_measure

LAYERS = ("boundaries", "units", "grids", "cases", "facilities", "heatmap", "hexagons")


@dataclass(frozen=True)
class Asked:
    """Which layer, and what of it: `plan` for grids, heat maps and the cases of a grid; the others as in the API."""

    layer: str
    plan: str = "current"
    level: str | None = None
    kind: str | None = None
    by: str | None = None
    measure: str = "cases"
    where: CaseFilter = field(default_factory=CaseFilter)
    asof: dt.datetime | None = None
    code: str | None = None  # of the grid whose cases are wanted
    state: Literal["open", "overdue"] | None = None  # of cases, when the data end


def export(
    session: Session,
    settings: Settings,
    asked: Asked,
    out: Path,
    *,
    who: str,
    crs: str = WGS84,
    encoding: str = "utf-8",
    progress: Progress = silent,
    seen: Scope = CITY,
    store: ColumnStore | None = None,
    told: Mapping[str, Any] | None = None,
) -> Written:
    """Write a layer to `out` and record who took how many rows, in the caller's transaction.

    `seen` limits the rows of cases; the session itself must see as far (`geo.areas.show`). `store` are the cases of a
    process that has them open already, `told` what the record says of the question.
    Raises RefusedArgument (layer, ending, CRS, encoding, category), NotFound (plan, level), Unavailable (disk full).
    """
    ending = ending_of(out)
    layer = choose(session, settings, asked, seen, store)
    written = write(layer, out, crs=crs, encoding=encoding, progress=progress)
    what = {"layer": asked.layer, "rows": written.rows, "k": None, "format": ending, "crs": written.crs}
    what |= dict(told or {})
    session.add(Audit(who=who, act="export", what=what))
    return written


def choose(
    session: Session,
    settings: Settings,
    asked: Asked,
    seen: Scope = CITY,
    store: ColumnStore | None = None,
) -> Layer:
    """The layer that is asked for, as a stream of rows in WGS 84."""
    zone = session.scalar(text("SELECT timezone FROM city")) or "Asia/Shanghai"
    today = dt.datetime.now(ZoneInfo(zone)).date()
    if asked.layer == "boundaries":
        if asked.level is not None:
            edition_on(
                session, asked.level, today, "level"
            )  # an empty file would say that there are no areas
        return layers.boundaries(session, asked.level, today)
    if asked.layer == "units":
        return layers.units(session, today)
    if asked.layer == "grids":
        return layers.grids(session, resolve_plan(session, asked.plan, today).id)
    if asked.layer == "facilities":
        return layers.facilities(session, asked.kind)
    if asked.layer == "cases":
        return cases(session, asked.where, zone, seen, _part(session, settings, asked, store, today))
    if asked.layer in ("heatmap", "hexagons"):
        by = asked.by or ("hexagon:9" if asked.layer == "hexagons" else "grid")
        store = store or _opened(settings)
        found = counts.heat(
            lambda: nullcontext(session),
            store,
            by=by,
            plan=asked.plan,
            measure=asked.measure,
            where=asked.where,
            asof=asked.asof,
        )
        return heat(session, found, asked.layer)
    raise RefusedArgument(
        f"没有图层“{asked.layer[:40]}”。",
        f"There is no layer “{asked.layer[:40]}”.",
        code="layer-unknown",
        field="layer",
        do_zh=f"可用：{'、'.join(LAYERS)}",
        do_en=f"Use one of: {', '.join(LAYERS)}",
    )


def _opened(settings: Settings) -> ColumnStore:
    store = ColumnStore(settings, watch=False)
    store.refresh()
    return store


def _part(
    session: Session, settings: Settings, asked: Asked, store: ColumnStore | None, today: dt.date
) -> case_layer.Part:
    """The units of the grid and the state that are asked for. Raises NotFound (`zone-unknown`, `plan-unknown`)."""
    if asked.code is None and asked.state is None:
        return case_layer.ALL
    columns = (store or _opened(settings)).current()
    units = None
    if asked.code is not None:
        units = case_list.units_of_grids(
            session, columns, resolve_plan(session, asked.plan, today), [asked.code]
        )
    return case_layer.Part(units, asked.state, columns.last_instant)


def cases(
    session: Session,
    where: CaseFilter,
    timezone: str,
    seen: Scope = CITY,
    part: case_layer.Part = case_layer.ALL,
) -> Layer:
    """The cases of a period (days of the city's clock), of the named categories and of a part, for export.

    Raises RefusedArgument (`category-unknown`) for a category that no catalogue knows.
    """
    zone = ZoneInfo(timezone)
    start, end = (
        None if day is None else dt.datetime.combine(day, dt.time(), zone)
        for day in (where.from_date, where.to_date)
    )
    return case_layer.cases(
        session,
        timezone,
        start,
        end,
        _category_ids(session, where.categories),
        origins=list(where.origin_codes) or None,
        statuses=list(where.status_codes) or None,
        seen=seen,
        part=part,
    )


def heat(session: Session, found: HeatMap, name: str) -> Layer:
    """A heat map with its zones' polygons: code, name, value, n, area_m2 and, where known, households."""
    import geopandas as gpd  # the service answers without it

    frame = gpd.GeoDataFrame(
        {
            "code": found.codes.astype(str),
            "name": found.names.astype(str),
            "measure": found.measure,
            "value": found.values,
            "n": found.n,
            "area_m2": found.zones.area_m2,
        },
        geometry=polygons(session, found.zones),
        crs=4326,
    )
    if found.zones.households is not None:
        frame["households"] = found.zones.households
    known = found.values[np.isfinite(found.values)]
    breaks = for_measure(found.measure, found.values) if len(known) else []
    top = [max(float(known.max()), breaks[-1])] if breaks else []
    return layers.from_frame(name, frame, "MultiPolygon", "value", (*breaks, *top))


def polygons(session: Session, zones: Zones) -> NDArray[np.object_]:
    """The MultiPolygon (EPSG:4326) of every zone, in the zones' order."""
    if zones.by.startswith("hexagon"):
        rings = [[(lon, lat) for lat, lon in h3.cell_to_boundary(cell)] for cell in zones.codes]
        return np.array([shapely.MultiPolygon([shapely.Polygon(ring)]) for ring in rings], dtype=object)
    if zones.edition_id is not None:
        rows = session.execute(
            text("SELECT code, ST_AsBinary(geom) FROM boundary WHERE edition_id = :edition"),
            {"edition": zones.edition_id},
        ).all()
    else:
        rows = session.execute(
            text(
                "SELECT DISTINCT ON (g.code) g.code, ST_AsBinary(g.geom) FROM grid g JOIN plan p ON p.id = g.plan_id "
                "WHERE g.plan_id = :plan OR (:was AND p.state = 'approved') ORDER BY g.code, lower(p.during) DESC"
            ),
            {
                "plan": zones.plan.id if zones.plan else -1,
                "was": bool(zones.plan and zones.plan.text == "as-was"),
            },
        ).all()
    found = {code: bytes(wkb) for code, wkb in rows}
    return np.asarray(shapely.from_wkb([found.get(code) for code in zones.codes]), dtype=object)


def _category_ids(session: Session, keys: tuple[str, ...]) -> list[int] | None:
    if not keys:
        return None
    rows = session.execute(
        text(
            "SELECT c.id, coalesce(p.code, c.code), CASE WHEN p.id IS NULL THEN NULL ELSE c.code END "
            "FROM category c LEFT JOIN category p ON p.id = c.parent_id"
        )
    ).all()
    wanted: list[int] = []
    for key in keys:
        top, _, sub = key.partition("/")
        ids = [i for i, t, s in rows if t == top and (not sub or s == sub)]
        if not ids:
            raise RefusedArgument(
                f"没有类别“{key[:40]}”。",
                f"There is no category “{key[:40]}”.",
                code="category-unknown",
                field="category",
            )
        wanted += ids
    return wanted

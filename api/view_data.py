"""Everything a report of a view is made from, gathered at one state of the data."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from api import forms
from geo import features, outlines
from geo.analysis.counts import EVERYTHING, heat, series
from geo.analysis.indicators import Indicators, indicators
from geo.analysis.layers import SessionFactory
from geo.analysis.matrix import Matrix, matrix
from geo.analysis.summary import Summary, summary
from geo.cases import CaseFilter
from geo.columns import ColumnStore
from geo.errors import RefusedArgument
from geo.heat import HeatMap, Series

MOST_ZONES = 30_000  # some seconds of drawing
DAILY_UP_TO, WEEKLY_UP_TO = 62, 740  # days of a period whose trend is drawn by day, by week


@dataclass(frozen=True)
class View:
    """What the map shows: the layer, its plan, the chosen zones, the filters, the measure, the comparison."""

    by: str = "grid"
    codes: tuple[str, ...] = ()
    plan: str = "current"
    where: CaseFilter = EVERYTHING
    measure: str = "cases"
    asof: dt.datetime | None = None
    versus: str = "previous"


@dataclass(frozen=True, eq=False)
class Gathered:
    """The answers to a view. `ranked`: None for hexagons, for which nobody answers. `shapes`: a polygon per zone
    (None where there is none any more), EPSG:4326."""

    view: View
    city: dict[str, Any]
    heat: HeatMap
    ranked: Indicators | None
    summary: Summary
    matrix: Matrix
    trend: Series
    shapes: NDArray[np.object_]
    ground: outlines.Surroundings
    category_names: dict[str, str]


def gather(
    session: Session, factory: SessionFactory, store: ColumnStore, view: View, today: dt.date, lang: str
) -> Gathered:
    """Asks everything. Raises as `heat`, `summary` and `indicators` do."""
    asked: dict[str, Any] = {"by": view.by, "plan": view.plan, "where": view.where, "measure": view.measure}
    ranked = None if view.by.startswith("hexagon") else indicators(factory, store, asof=view.asof, **asked)
    found = ranked.heat if ranked is not None else heat(factory, store, asof=view.asof, **asked)
    if len(found.codes) > MOST_ZONES:
        raise _too_many(len(found.codes))
    chosen: dict[str, Any] = {"by": view.by if view.codes else None, "codes": view.codes, "plan": view.plan}
    polygons = [None] * len(found.codes) if not len(found.codes) else forms.polygons_of(session, found)
    shapes = np.empty(len(polygons), dtype=object)
    shapes[:] = polygons
    strip = summary(factory, store, where=view.where, asof=view.asof, versus=view.versus, **chosen)
    return Gathered(
        view=view,
        city=features.city(session),
        heat=found,
        ranked=ranked,
        summary=strip,
        matrix=matrix(factory, store, where=view.where, **chosen),
        trend=_trend(factory, store, view, strip.period),
        shapes=shapes,
        ground=outlines.surroundings(session, today),
        category_names=_names(store, view.where.categories, lang),
    )


def _too_many(zones: int) -> RefusedArgument:
    return RefusedArgument(
        f"{zones:,} 个区域画不进一份报告（最多 {MOST_ZONES:,}）。",
        f"{zones:,} zones do not fit into one report (at most {MOST_ZONES:,}).",
        code="too-many-zones",
        field="view.by",
        do_zh="请用更大的六边形，或按网格、社区。",
        do_en="Use larger hexagons, or grids or communities.",
    )


def _trend(
    factory: SessionFactory,
    store: ColumnStore,
    view: View,
    period: tuple[dt.date | None, dt.date | None],
) -> Series:
    """Cases over the period, of the chosen zones together or of the city."""
    span = (period[1] - period[0]).days if period[0] is not None and period[1] is not None else 0
    bucket = "day" if span <= DAILY_UP_TO else "week" if span <= WEEKLY_UP_TO else "month"
    places: Sequence[str | None] = view.codes or (None,)
    parts = [
        series(
            factory,
            store,
            bucket=bucket,
            where=view.where,
            plan=view.plan,
            code=code,
            by=view.by if code else None,
        )
        for code in places
    ]
    n = np.sum([part.n for part in parts], axis=0)
    return replace(parts[0], n=n, values=n.astype(float), total=int(n.sum()))


def _names(store: ColumnStore, keys: Sequence[str], lang: str) -> dict[str, str]:
    """What the categories asked for are called."""
    columns = store.current()
    found = {}
    for key in keys:
        for i in columns.ordinals.get(key, ())[:1]:
            one = columns.categories[i]
            own = one.key == key
            found[key] = (one.name_en if lang == "en" and own else None) or (
                one.name if own else one.top_name
            )
    return found

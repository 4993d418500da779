"""A measure for every grid or area, with n, a 95 % interval and the range of ranks it may hold.

For those who see exact figures only: the numbers of a grid with one post are those of a person (domain § 5.3), and a
rank without its range would call somebody the worst whom chance alone put there.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text

from geo.analysis import chances, kernels
from geo.analysis import figure_kernels as loops
from geo.analysis.counts import EVERYTHING, heat, instant_of
from geo.analysis.layers import SessionFactory, layer_of
from geo.analysis.ranks import Ranks, rank_ranges
from geo.analysis.selection import select
from geo.cases import CaseFilter
from geo.columns import ColumnStore
from geo.errors import RefusedArgument
from geo.heat import MEASURES, HeatMap

Floats = NDArray[np.float64]
HOUR = 1 / 24  # days; added before the logarithm of a median, which may be 0
SECONDS_PER_DAY = 86_400.0
_POSTS = text("SELECT code, posts FROM grid WHERE plan_id = :plan")


@dataclass(frozen=True, eq=False)
class Indicators:
    """`heat` with an interval and a rank for each of its zones, in its order. posts: staffed positions of each grid,
    None for areas and for `as-was`."""

    heat: HeatMap
    low: Floats
    high: Floats
    ranks: Ranks
    posts: Floats | None


def indicators(
    factory: SessionFactory,
    store: ColumnStore,
    *,
    by: str = "grid",
    plan: str = "current",
    where: CaseFilter = EVERYTHING,
    measure: str = "cases",
    asof: dt.datetime | None = None,
) -> Indicators:
    """A measure of the heat map over grids (of `plan`) or the areas of a level. Raises as `heat`; hexagons are refused."""
    if by.startswith("hexagon"):
        raise RefusedArgument(
            "六边形不排名：它们不归任何人负责。",
            "Hexagons are not ranked: nobody answers for them.",
            code="by-unknown",
            field="by",
            do_zh="请用 grid 或一个层级。",
            do_en="Use grid or a level.",
        )
    asked: dict[str, Any] = {"by": by, "plan": plan, "where": where, "asof": asof}
    if measure == "median_days_to_close":
        found, low, high = _medians(factory, store, heat(factory, store, **asked), **asked)
    else:
        found = heat(factory, store, measure=measure, **asked)
        low, high = _limits(found)
    scale, variance = _scale(found, low, high)
    return Indicators(
        found, low, high, rank_ranges(found.values, scale, variance), _posts(factory, store, found)
    )


def _limits(found: HeatMap) -> tuple[Floats, Floats]:
    """The interval of a count, a rate or a share."""
    missing = np.isnan(found.values)
    if MEASURES[found.measure].unit == "share":
        return chances.of_share(
            np.where(missing, 0, np.round(np.nan_to_num(found.values) * found.n)), found.n
        )
    low, high = _of_counts(found.n)
    size = exposure(found)
    return np.where(missing, np.nan, low / size), np.where(missing, np.nan, high / size)


def _of_counts(n: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """The Poisson interval of each count; equal counts are asked for once."""
    different, place = np.unique(n, return_inverse=True)
    low, high = chances.of_count(different)
    return low[place], high[place]


def exposure(found: HeatMap) -> Floats:
    """What a rate is per: km², 1000 households; 1 for a count."""
    if found.measure == "per_km2":
        size = found.zones.area_m2 / 1e6
    elif found.measure == "per_1000_households" and found.zones.households is not None:
        size = found.zones.households / 1000
    else:
        return np.ones(len(found.n))
    return np.where(size > 0, size, np.nan)


def _scale(found: HeatMap, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """The values on a scale on which they are nearly normal, and their variance there."""
    if found.measure == "median_days_to_close":
        width = np.log(high + HOUR) - np.log(low + HOUR)
        return np.log(found.values + HOUR), np.maximum((width / (2 * chances.Z95)) ** 2, 1e-12)
    if MEASURES[found.measure].unit == "share":
        part = np.round(found.values * found.n)
        angle = np.arcsin(np.sqrt((part + 3 / 8) / (found.n + 3 / 4)))  # Anscombe 1948
        return angle, 1 / (4 * found.n + 2.0)
    size = exposure(found)
    return np.sqrt((found.n + 3 / 8) / size), 1 / (4 * size)  # Anscombe 1948


def _medians(
    factory: SessionFactory,
    store: ColumnStore,
    cases: HeatMap,
    *,
    by: str,
    plan: str,
    where: CaseFilter,
    asof: dt.datetime | None,
) -> tuple[HeatMap, Floats, Floats]:
    """The heat map of medians with the order statistics between which each lies, in days: all from one gathering of the
    times to close (asking the heat map first would double what costs most). `cases`: the heat map of counts."""
    columns = store.current()
    layer, selection = layer_of(factory, store, columns, by, plan), select(columns, where)
    instant = instant_of(columns, asof)
    slot, ticks = (np.empty(selection.rows, dtype=np.uint32) for _ in range(2))
    rows = (columns.opened, columns.closed, columns.tick(instant) if instant else 0)
    m = kernels.gather_durations(
        layer.slots(),
        columns.facts,
        selection.keep_table,
        *rows,
        selection.starts,
        selection.ends,
        slot,
        ticks,
    )
    n = np.bincount(slot[:m], minlength=len(layer.zones) + kernels.SLOTS).astype(np.int64)
    out = np.empty((3, len(n)))
    loops.order_statistics(slot[:m], ticks[:m], n, *chances.ranks_of_median(n), out)
    middle, low, high = out[:, kernels.SLOTS :] * (columns.tick_s / SECONDS_PER_DAY)
    open_, unplaced, outside = (int(count) for count in n[: kernels.SLOTS])
    found = replace(
        cases,
        measure="median_days_to_close",
        unit=MEASURES["median_days_to_close"].unit,
        values=middle,
        n=n[kernels.SLOTS :],
        total=int(n.sum()),
        unplaced=unplaced,
        outside=outside + open_,
        unassigned=open_,
    )
    return found, low, high


def _posts(factory: SessionFactory, store: ColumnStore, found: HeatMap) -> Floats | None:
    """Remembered for the state of the plan: 20 000 rows take longer to read than to rank."""
    plan = found.plan
    if plan is None or plan.id == 0:
        return None

    def read() -> Floats:
        with factory() as session:
            posts = {row.code: row.posts for row in session.execute(_POSTS, {"plan": plan.id})}
        return np.array([posts.get(code, np.nan) for code in found.codes], dtype=np.float64)

    return store.remember(
        ("posts", plan.id), read, (found.zones.version, plan.revision, store.versions["plans"])
    )

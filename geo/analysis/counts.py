"""The questions everybody asks: a heat map, a series, counts by category; under any plan, period and filter.

    heat(lambda: session(settings, "app"), store, by="grid", where=CaseFilter(categories=("01",)), measure="open")

Counts are per unit; a plan is an integer array unit → grid, so a heat map under any plan, draft included, is one pass
over the columns. `geo.analysis.measures` says what each measure counts, `geo.heat` what an answer holds. Nothing here
is suppressed: the operator sees everything, `geo.disclosure` protects what leaves the house.
"""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from geo.analysis import kernels
from geo.analysis.layers import SessionFactory, layer_of, slot_of
from geo.analysis.measures import tally
from geo.analysis.selection import EPOCH, Selection, category_ordinals, day_number, select, within
from geo.cases import CaseFilter
from geo.columns import Columns, ColumnStore
from geo.disclosure import SENSITIVE_K, K
from geo.errors import RefusedArgument
from geo.heat import MEASURES, CategoryCounts, HeatMap, Series, Zones

EVERYTHING = CaseFilter()
BUCKETS = ("day", "week", "month")


def heat(
    factory: SessionFactory,
    store: ColumnStore,
    *,
    by: str = "grid",
    plan: str = "current",
    where: CaseFilter = EVERYTHING,
    measure: str = "cases",
    asof: dt.datetime | None = None,
) -> HeatMap:
    """A measure over the zones of `by` (`grid`, `hexagon:7` … `hexagon:11`, LEVEL or LEVEL@DATE), in order of code.

    plan: `current`, `as-was`, `as-of:DATE`, an id or a name; only for grids. asof: aware; default the last data
    instant. Grids and boundaries list every zone, hexagons those with a case. An empty database answers total 0.

    Raises RefusedArgument (field measure, by, category, asof) and NotFound (plan, level).
    """
    if measure not in MEASURES:
        raise unknown_word("measure", measure, tuple(MEASURES))
    columns = store.current()
    selection = select(columns, where)
    layer = layer_of(factory, store, columns, by, plan)
    instant = instant_of(columns, asof)
    found = tally(columns, layer, selection, measure, columns.tick(instant) if instant else 0)
    zones, values, n = layer.zones, found.values[kernels.SLOTS :], found.n[kernels.SLOTS :]
    if layer.cells is not None:
        zones, values, n = _only(zones, values, n, n > 0)
    open_, unplaced, outside = (int(slot) for slot in found.n[: kernels.SLOTS])
    return HeatMap(
        by=by,
        plan=zones.plan,
        measure=measure,
        unit=MEASURES[measure].unit,
        codes=zones.codes,
        names=zones.names,
        values=values,
        n=n,
        total=int(found.n.sum()),
        unplaced=unplaced,
        outside=outside + open_,
        unassigned=open_,
        asof=instant,
        period=period_of(columns, where),
        version=f"{columns.version}/{layer.zones.version}/{ground_version(store)}",
        zones=zones,
        overlaps=layer.overlaps,
    )


def series(
    factory: SessionFactory,
    store: ColumnStore,
    *,
    bucket: str = "week",
    where: CaseFilter = EVERYTHING,
    by: str | None = None,
    code: str | None = None,
    plan: str = "current",
) -> Series:
    """Cases opened per day, week (from Monday) or month of the city's calendar, zeros included; of one zone or of all.

    The buckets run over the period asked for, by default from the first to the last case of the city.
    """
    if bucket not in BUCKETS:
        raise unknown_word("bucket", bucket, BUCKETS)
    columns = store.current()
    selection = select(columns, where)
    first_date, stop_date = period_of(columns, where)
    if first_date is None or stop_date is None or stop_date <= first_date:
        return Series(
            bucket, (), np.empty(0), np.empty(0, np.int64), 0, np.empty(0, bool), version=columns.version
        )
    first, stop = day_number(first_date), day_number(stop_date)
    days = np.zeros(stop - first, dtype=np.int64)
    part = within(columns, selection, first, stop)
    for labels, slot, piece, table in _of_zone(factory, store, columns, part, by, code, plan):
        rows = (columns.day, columns.facts, piece.keep_table, piece.starts, piece.ends, first, days)
        kernels.count_days(labels, table, slot, *rows)
    starts, n = _gather(days, first, bucket)
    return Series(
        bucket,
        starts,
        n.astype(float),
        n,
        int(n.sum()),
        np.zeros(len(n), dtype=bool),
        version=columns.version,
    )


def by_category(
    factory: SessionFactory,
    store: ColumnStore,
    *,
    where: CaseFilter = EVERYTHING,
    by: str | None = None,
    code: str | None = None,
    plan: str = "current",
    depth: str = "sub",
) -> CategoryCounts:
    """Cases by category, most first, of one zone or of all; `depth` `top` adds each 小类 to its 大类."""
    if depth not in ("top", "sub"):
        raise unknown_word("depth", depth, ("top", "sub"))
    columns = store.current()
    selection = select(columns, where)
    per_category = np.zeros(len(columns.categories), dtype=np.int64)
    for labels, slot, piece, table in _of_zone(factory, store, columns, selection, by, code, plan):
        out = np.zeros(len(piece.starts), dtype=np.int64)
        rows = (columns.facts, piece.keep_table, piece.starts, piece.ends, out)
        kernels.count_slices(labels, table, slot, *rows)
        per_category[piece.categories] += out
    return _ranked(columns, per_category, depth)


def zones(factory: SessionFactory, store: ColumnStore, by: str = "grid", plan: str = "current") -> Zones:
    """The zones of a layer without any counting; hexagons are those that hold a case."""
    return layer_of(factory, store, store.current(), by, plan).zones


def k_for(store: ColumnStore, where: CaseFilter, k: int = K) -> int:
    """The least count that may be published: k, or 10 where a sensitive category is asked for by name."""
    columns = store.current()
    asked = category_ordinals(columns, where.categories) if where.categories else ()
    return max(k, SENSITIVE_K) if any(columns.categories[i].sensitive for i in asked) else k


def warm() -> None:
    """Compiles every counting loop once (`wangge warm`)."""
    from geo.analysis.warming import run_once

    run_once()


# ── Helpers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def instant_of(columns: Columns, asof: dt.datetime | None) -> dt.datetime | None:
    """When open and overdue hold: as asked (the city's clock where no offset is given), else the last data instant."""
    if asof is None:
        return columns.last_instant
    if asof.tzinfo is None:
        return asof.replace(tzinfo=ZoneInfo(columns.timezone))
    return asof


def ground_version(store: ColumnStore) -> str:
    """What names, areas and households of zones depend on."""
    return ".".join(str(store.versions[part]) for part in ("boundaries", "units", "plans", "weights"))


def period_of(columns: Columns, where: CaseFilter) -> tuple[dt.date | None, dt.date | None]:
    """The period asked for; an open end is that of the data."""
    first, stop = where.from_date, where.to_date
    if columns.n:
        zone = ZoneInfo(columns.timezone)
        assert columns.first_opened is not None
        assert columns.last_opened is not None
        first = first or columns.first_opened.astimezone(zone).date()
        stop = stop or max(first, columns.last_opened.astimezone(zone).date() + dt.timedelta(days=1))
        first = min(first, stop)
    return first, stop


def _only(
    zones: Zones, values: NDArray[np.float64], n: NDArray[np.int64], wanted: NDArray[np.bool_]
) -> tuple[Zones, NDArray[np.float64], NDArray[np.int64]]:
    return zones.where(wanted), values[wanted], n[wanted]


def _of_zone(
    factory: SessionFactory,
    store: ColumnStore,
    columns: Columns,
    selection: Selection,
    by: str | None,
    code: str | None,
    plan: str,
) -> list[tuple[NDArray[np.int32], int, Selection, kernels.Slots]]:
    """(labels, slot, rows, table of slots) to count over: one entry, or one per plan for `as-was`. Slot −1: every case."""
    if by is None or code is None:
        if by is not None or code is not None:
            raise RefusedArgument(
                "by 与 code 须同时给出。", "Give by and code together.", code="zone-incomplete", field="code"
            )
        return [(columns.unit, -1, selection, np.empty(0, dtype=np.uint16))]
    layer = layer_of(factory, store, columns, by, plan)
    slot = slot_of(layer, by, code)
    if slot is None:
        return []
    parts = []
    for fold in layer.folds:
        whole = len(layer.folds) == 1
        piece = selection if whole else within(columns, selection, fold.first_day, fold.stop_day)
        parts.append((layer.labels, slot, piece, fold.table))
    return parts


def _gather(
    days: NDArray[np.int64], first: int, bucket: str
) -> tuple[tuple[dt.date, ...], NDArray[np.int64]]:
    """Sums of days per bucket and the first date of each."""
    dates = (np.datetime64(EPOCH, "D") + np.arange(first, first + len(days))).astype("datetime64[D]")
    if bucket == "month":
        index = dates.astype("datetime64[M]").astype(np.int64)
        starts = np.unique(index).astype("datetime64[M]").astype("datetime64[D]")
    else:
        width = 7 if bucket == "week" else 1
        shift = 3 if bucket == "week" else 0  # 1970-01-01 was a Thursday
        index = (np.arange(first, first + len(days)) + shift) // width
        starts = (np.unique(index) * width - shift).astype("datetime64[D]")
    n = np.bincount(index - index[0], weights=days).astype(np.int64)
    return tuple(starts.tolist()), n


def _ranked(columns: Columns, per_category: NDArray[np.int64], depth: str) -> CategoryCounts:
    """Categories with cases, the same key of several catalogues added up, most first, then by key."""
    sums: dict[str, int] = {}
    facts: dict[str, tuple[str, str | None]] = {}
    sensitive: set[str] = set()  # one sensitive part among the cases makes the whole sensitive
    for category, n in zip(columns.categories, per_category.tolist(), strict=True):
        key = category.top if depth == "top" else category.key
        top = depth == "top" and category.key != category.top
        name, name_en = (category.top_name, None) if top else (category.name, category.name_en)
        if key not in facts or (not top and depth == "top"):
            facts[key] = (name, name_en)
        sums[key] = sums.get(key, 0) + n
        if n and category.sensitive:
            sensitive.add(key)
    keys = tuple(sorted((key for key in sums if sums[key]), key=lambda key: (-sums[key], key)))
    return CategoryCounts(
        keys=keys,
        names=tuple(facts[key][0] for key in keys),
        names_en=tuple(facts[key][1] for key in keys),
        sensitive=np.array([key in sensitive for key in keys], dtype=bool),
        values=np.array([sums[key] for key in keys], dtype=np.int64),
        total=sum(sums.values()),
        suppressed=np.zeros(len(keys), dtype=bool),
        version=columns.version,
    )


def unknown_word(field: str, given: str, allowed: tuple[str, ...]) -> RefusedArgument:
    """A word that a parameter does not know."""
    return RefusedArgument(
        f"{field} 不能是 {given[:40]!r}。",
        f"{field} cannot be {given[:40]!r}.",
        code=f"{field}-unknown",
        field=field,
        do_zh=f"可用：{', '.join(allowed)}。",
        do_en=f"Allowed: {', '.join(allowed)}.",
    )

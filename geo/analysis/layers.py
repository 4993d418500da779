"""What a count is folded by: the label of every case and the zone of every label, for grids, boundaries and hexagons.

Nothing here touches the database once the zones of a state of the data were read: they are remembered by the store
under the versions of everything they were made from.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from zoneinfo import ZoneInfo

import numpy as np
from h3ronpy import cells_area_m2, cells_parse, cells_resolution, cells_to_string
from h3ronpy.vector import cells_to_coordinates, coordinates_to_cells
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from geo import zones as city_zones
from geo.analysis import kernels
from geo.analysis.selection import day_number
from geo.column_layers import RESOLUTIONS
from geo.columns import Columns, ColumnStore
from geo.errors import NotFound, RefusedArgument
from geo.heat import PlanRef, Zones, no_zones, words
from geo.placement import THREADS

SessionFactory = Callable[[], AbstractContextManager[Session]]
EVER, NEVER = -(10**6), 10**6
AS_WAS = PlanRef(0, "as-was", "approved", None, 0, "as-was")  # no plan of its own: each case's plan of then


@dataclass(frozen=True, eq=False)
class Fold:
    """Days first ≤ day < stop fold by this mapping: zone of every label (≥ 0, −1 outside, −3 left open)."""

    zone_of: NDArray[np.int32]
    first_day: int = EVER
    stop_day: int = NEVER

    @cached_property
    def table(self) -> kernels.Slots:
        """The slot of every label from −2 on."""
        return kernels.slot_table(self.zone_of)


@dataclass(frozen=True, eq=False)
class LayerOfCases:
    """Zones, the label of every case, and how labels fold into zones over time (one fold except for `as-was`).

    `slots()`: the slot of every case, each under its fold; made when it is first asked for.
    """

    zones: Zones
    labels: NDArray[np.int32]
    folds: tuple[Fold, ...]
    overlaps: int = 0
    cells: NDArray[np.uint64] | None = None  # hexagons only: the cell of every zone
    slots: Callable[[], kernels.Slots] = lambda: np.empty(0, dtype=np.uint16)


def layer_of(
    factory: SessionFactory, store: ColumnStore, columns: Columns, by: str, plan: str
) -> LayerOfCases:
    """The layer that `by` names: `grid` (of `plan`), `hexagon:7` … `hexagon:11`, or LEVEL[@DATE].

    Raises NotFound (`plan-unknown`, `no-current-plan`, `level-unknown`), RefusedArgument (`resolution`, `date-invalid`).
    """
    if by == "grid":
        return _grids(factory, store, columns, plan)
    if by == "hexagon" or by.startswith("hexagon:"):
        return _hexagons(factory, store, columns, _resolution(by))
    return _boundaries(factory, store, columns, by)


def slot_of(layer: LayerOfCases, by: str, code: str) -> int | None:
    """The slot of a zone; None for a hexagon in which nothing ever happened."""
    if layer.cells is not None:
        cell = cell_of(code, int(by.partition(":")[2] or 9))
        if cell is not None:
            at = int(np.searchsorted(layer.cells, cell))
            known = at < len(layer.cells) and layer.cells[at] == cell
            return at + kernels.SLOTS if known else None
    found = layer.zones.find(code)
    if found is None:
        raise NotFound(
            f"{by} 图层没有编码 {code[:80]}。",
            f"There is no zone {code[:80]} in {by}.",
            code="zone-unknown",
            field="code",
        )
    return found + kernels.SLOTS


def _remembered(
    store: ColumnStore,
    columns: Columns,
    key: Hashable,
    read: Callable[[], LayerOfCases],
    state: Hashable = None,
) -> LayerOfCases:
    """The layer of a key, with its slots within reach."""

    def make() -> LayerOfCases:
        layer = read()
        return replace(layer, slots=partial(_slots, store, columns, layer))

    return store.remember(key, make, state)


def _slots(store: ColumnStore, columns: Columns, layer: LayerOfCases) -> kernels.Slots:
    zones, v = layer.zones, store.versions
    key = ("slots", zones.by, zones.plan and zones.plan.id, zones.edition_id)
    revision = zones.plan and zones.plan.revision
    state = (zones.version, revision, columns.version, v["plans"], v["units"], v["boundaries"])
    return store.remember_long(key, lambda: slots_of(columns, layer), state)


def slots_of(columns: Columns, layer: LayerOfCases) -> kernels.Slots:
    """The slot of every case, each under the fold of its day."""
    made = np.empty(columns.n, dtype=layer.folds[0].table.dtype)

    def fill(part: slice) -> None:
        labels, day, out = layer.labels[part], columns.day[part], made[part]
        if len(layer.folds) == 1:
            kernels.fill_slots(labels, layer.folds[0].table, out)
            return
        for fold in layer.folds:
            kernels.fill_slots_between(labels, fold.table, day, fold.first_day, fold.stop_day, out)

    size = -(-columns.n // THREADS) or 1
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(fill, (slice(start, start + size) for start in range(0, columns.n, size))))
    return made


def today(columns: Columns) -> dt.date:
    """The date on the city's clock."""
    return dt.datetime.now(ZoneInfo(columns.timezone)).date()


# ── Grids ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Unsettled(Exception):
    """A plan that edits may still move: not to be remembered."""

    def __init__(self, plan: PlanRef) -> None:
        self.plan = plan


def plan_of(factory: SessionFactory, store: ColumnStore, columns: Columns, asked: str) -> PlanRef:
    """The plan a word means today, remembered until plans change; a draft is asked every time, for any edit moves it."""
    on = today(columns)

    def read() -> PlanRef:
        with factory() as session:
            plan = city_zones.resolve_plan(session, asked, on)
        if plan.state != "approved":
            raise _Unsettled(plan)
        return plan

    try:
        return store.remember(("plan", asked, on, store.versions["plans"]), read)
    except _Unsettled as found:
        return found.plan


def _grids(factory: SessionFactory, store: ColumnStore, columns: Columns, asked: str) -> LayerOfCases:
    if asked == "as-was":
        return _as_was(factory, store, columns)
    try:
        plan = plan_of(factory, store, columns, asked)
    except NotFound as problem:
        if columns.n == 0 and problem.code == "no-current-plan":
            return LayerOfCases(no_zones("grid"), columns.unit, (_nowhere(columns),))
        raise
    made = _grid_zones(factory, store, columns, plan)

    def lay() -> LayerOfCases:
        return LayerOfCases(made.zones, columns.unit, (Fold(made.unit_zone),))

    return _remembered(store, columns, ("layer", plan.id), lay, (plan, *_grounds(store, columns)))


def _grid_zones(
    factory: SessionFactory, store: ColumnStore, columns: Columns, plan: PlanRef
) -> city_zones.GridZones:
    def read() -> city_zones.GridZones:
        with factory() as session:
            return city_zones.grid_zones(session, columns, plan)

    state = (plan, *_grounds(store, columns))
    if plan.state == "draft":  # one state of each draft, however many edits it sees
        return store.remember(("draft", plan.id), read, state)
    return store.remember(("grids", *state), read)


def _grounds(store: ColumnStore, columns: Columns) -> tuple[Hashable, ...]:
    """What the grids of any plan depend on beside the plan."""
    v = store.versions
    return columns.version, v["plans"], v["units"], v["weights"]


def _as_was(factory: SessionFactory, store: ColumnStore, columns: Columns) -> LayerOfCases:
    """Each case under the plan that held when it opened; a code that several plans use is one zone.

    Names and areas of a code are those of the latest plan that has it. Cases older than every plan are outside.
    """

    def read() -> LayerOfCases:
        with factory() as session:
            plans = city_zones.approved_plans(session)
        made = [_grid_zones(factory, store, columns, plan) for plan in plans]
        zones, position = _merged([part.zones for part in made])
        folds = [_nowhere(columns)] if not made else []
        for plan, part, at in zip(plans, made, position, strict=True):
            first, stop = plan.during or (None, None)
            known = np.maximum(part.unit_zone, 0)
            zone_of = np.where(part.unit_zone >= 0, at[known] if len(at) else -1, part.unit_zone)
            folds.append(
                Fold(
                    zone_of.astype(np.int32),
                    day_number(first) if first else EVER,
                    day_number(stop) if stop else NEVER,
                )
            )
        return LayerOfCases(zones, columns.unit, tuple(_without_gaps(folds, columns)))

    return _remembered(store, columns, ("as-was", *_grounds(store, columns)), read)


def _without_gaps(folds: list[Fold], columns: Columns) -> list[Fold]:
    """Folds for all days: where no plan held, everything placed is outside."""
    whole: list[Fold] = []
    day = EVER
    for fold in sorted(folds, key=lambda f: f.first_day):
        if fold.first_day > day:
            whole.append(replace(_nowhere(columns), first_day=day, stop_day=fold.first_day))
        whole.append(fold)
        day = fold.stop_day
    if day < NEVER:
        whole.append(replace(_nowhere(columns), first_day=day, stop_day=NEVER))
    return whole


def _nowhere(columns: Columns) -> Fold:
    return Fold(np.full(len(columns.unit_ids), -1, dtype=np.int32))


def _merged(parts: list[Zones]) -> tuple[Zones, list[NDArray[np.int64]]]:
    """The union of zones by code, and for every part the positions of its zones in the union."""
    if not parts:
        return no_zones("grid", AS_WAS), []
    every = np.concatenate([part.codes for part in parts])
    codes = words(sorted(set(every)))
    at = {code: i for i, code in enumerate(codes)}
    position = [np.array([at[code] for code in part.codes], dtype=np.int64) for part in parts]
    n = len(codes)
    names, parents = words([None] * n), words([None] * n)
    area, lon, lat = np.full(n, np.nan), np.full(n, np.nan), np.full(n, np.nan)
    bbox = np.full((n, 4), np.nan)
    counted = any(part.households is not None for part in parts)
    households = np.full(n, np.nan) if counted else None
    for part, place in zip(parts, position, strict=True):
        names[place], parents[place] = part.names, part.parents
        area[place], lon[place], lat[place], bbox[place] = part.area_m2, part.lon, part.lat, part.bbox
        if households is not None and part.households is not None:
            households[place] = part.households
    version = "as-was " + " ".join(part.version for part in parts)
    return Zones(
        "grid", codes, names, parents, area, lon, lat, bbox, households, AS_WAS, None, version
    ), position


# ── Boundaries ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _boundaries(factory: SessionFactory, store: ColumnStore, columns: Columns, by: str) -> LayerOfCases:
    level, _, written = by.partition("@")
    on = _date(written) if written else today(columns)

    def read() -> LayerOfCases:
        with factory() as session:
            try:
                zones = city_zones.boundary_zones(session, columns, level, on)
            except NotFound:
                if columns.n or city_zones.levels(session):
                    raise
                return LayerOfCases(no_zones(by), columns.unit, (_nowhere(columns),))
            edition = zones.edition_id or 0
            found = columns.boundaries(
                edition, zones.version, lambda: city_zones.boundary_polygons(session, edition)
            )
        fold = Fold(np.arange(len(zones), dtype=np.int32))
        return LayerOfCases(replace(zones, by=by), found["labels"], (fold,), int(found["overlaps"][0]))

    v = store.versions
    key = ("level", by, on, columns.version, v["boundaries"], v["units"], v["weights"])
    return _remembered(store, columns, key, read)


def _date(written: str) -> dt.date:
    try:
        return dt.date.fromisoformat(written)
    except ValueError as problem:
        raise RefusedArgument(
            f"日期 {written[:40]!r} 无法识别。",
            f"{written[:40]!r} is not a date.",
            code="date-invalid",
            field="by",
            do_zh="请写成 ward@2026-01-31。",
            do_en="Write ward@2026-01-31.",
        ) from problem


# ── Hexagons ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _resolution(by: str) -> int:
    written = by.partition(":")[2] or "9"
    if re.fullmatch(r"[0-9]{1,2}", written) and int(written) in RESOLUTIONS:
        return int(written)
    raise RefusedArgument(
        f"六边形级别 {written[:20]!r} 不可用。",
        f"The hexagon resolution {written[:20]!r} is not available.",
        code="resolution",
        field="by",
        do_zh="可用 hexagon:7 至 hexagon:11。",
        do_en="hexagon:7 to hexagon:11 are.",
    )


def _hexagons(factory: SessionFactory, store: ColumnStore, columns: Columns, resolution: int) -> LayerOfCases:
    """All cells that hold a case; an answer lists those with cases in the selection."""

    def read() -> LayerOfCases:
        found = columns.hexagons(resolution)
        cells = found["cells"]
        with factory() as session:
            households = _hexagon_households(session, columns, cells, resolution)
        zones = _cells_as_zones(f"hexagon:{resolution}", cells, households)
        return LayerOfCases(zones, found["labels"], (Fold(np.arange(len(cells), dtype=np.int32)),), 0, cells)

    v = store.versions
    key = ("hexagon", resolution, columns.version, v["units"], v["weights"])
    return _remembered(store, columns, key, read)


def cell_of(code: str, resolution: int) -> np.uint64 | None:
    """The H3 cell a code names, None when it names none of this resolution."""
    try:
        parsed = cells_parse([code])
    except ValueError:
        return None
    same = np.asarray(cells_resolution(parsed))[0] == resolution
    return np.uint64(np.asarray(parsed)[0]) if same else None


def _cells_as_zones(by: str, cells: NDArray[np.uint64], households: NDArray[np.float64] | None) -> Zones:
    if not len(cells):
        return no_zones(by)
    centre = cells_to_coordinates(cells)
    lat, lon = np.asarray(centre["lat"]), np.asarray(centre["lng"])
    codes = words(cells_to_string(cells).to_pylist())
    area = np.asarray(cells_area_m2(cells))
    none = words([None] * len(cells))
    bbox = np.column_stack([lon, lat, lon, lat])  # its centre: a cell is drawn from its code
    return Zones(by, codes, codes, none, area, lon, lat, bbox, households, None, None, "")


def _hexagon_households(
    session: Session, columns: Columns, cells: NDArray[np.uint64], resolution: int
) -> NDArray[np.float64] | None:
    """Households of the units whose inner point lies in each cell."""
    counted = city_zones.unit_points(session, columns)
    if counted is None or not len(cells):
        return None
    lon, lat, value = counted
    cell = np.asarray(coordinates_to_cells(lat, lon, resolution), dtype=np.uint64)
    at = np.searchsorted(cells, cell).clip(max=len(cells) - 1)
    inside = cells[at] == cell
    return city_zones.sums_with_gaps(at[inside].astype(np.int32), value[inside], len(cells))

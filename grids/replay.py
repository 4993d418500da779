"""Plan A against plan B on real cases: the cases of a period counted under both, as if each had been in force.

    found = replay(session, columns, "现行", "新版", CaseFilter(from_date=…, to_date=…))
    found.figures["gini"].difference, found.figures["gini"].low, found.n

Cases are placed in units once; a plan folds units into grids, so both see exactly the same cases and their totals are
equal. Differences come with intervals from a paired bootstrap by week (`grids.paired`).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from geo import crs
from geo.analysis import kernels
from geo.analysis.selection import EPOCH, day_number, select
from geo.cases import CaseFilter
from geo.columns import Columns
from geo.errors import RefusedArgument
from grids import fair, ground, refusals, stored, units
from grids.measures import near_line
from grids.paired import REPLICATES, Paired, Weekly, compare
from grids.rules import rules
from grids.stored import Stored
from grids.units import Floats, Ints

DAYS = 7
WEIGHTS = ("cases", "workload")
FEW = 5  # a grid with fewer decided cases is not named as the slowest


@dataclass(frozen=True)
class Under:
    """A period under one plan. `overdue` per grid: late ÷ decided, None below five decided cases; lowest and highest of them."""

    plan: str
    plan_id: int
    grids: int
    assigned: int  # cases that lie in a grid of this plan
    unassigned: int  # cases in a unit that the plan leaves open
    largest_load: float
    median_load: float
    overdue_lowest: float | None
    overdue_highest: float | None
    overdue_highest_grid: str | None


@dataclass(frozen=True)
class Replay:
    """Both plans on the same cases. n = assigned + unassigned + outside + unplaced, the same under both."""

    a: Under
    b: Under
    period: tuple[dt.date, dt.date] | None
    weeks: int
    weight: str
    near_m: float
    n: int
    outside: int
    unplaced: int
    decided: int
    overdue_share: float | None  # of the decided cases of the whole city: the same under both plans
    replicates: int
    seed: int
    figures: dict[str, Paired]
    loads: tuple[dict[str, float], dict[str, float]]  # load of every grid by code, under a and under b


def replay(
    session: Session,
    columns: Columns,
    a: int | str,
    b: int | str,
    where: CaseFilter | None = None,
    *,
    weight: str = "cases",
    near_m: float | None = None,
    seed: int = 0,
    replicates: int = REPLICATES,
) -> Replay:
    """The cases that `where` wants under plans a and b. `weight`: cases (number) or workload (handling minutes).

    Weeks are blocks of seven days from the first day of the period; a last one may be shorter. Raises NotFound
    `no-such-plan`, RefusedArgument `weight-unknown`, `no-units`, `near-m`, `replicates`.
    """
    near = rules().near_m if near_m is None else near_m
    _check(weight, near, replicates)
    graph = units.read(session, stored.city_today(session))
    plans = [stored.read(session, stored.find(session, plan), graph) for plan in (a, b)]
    cases = _cases(columns, where or CaseFilter(), graph.index_of(columns.unit_ids.astype(np.int64)), weight)
    flagged = _near(session, columns, cases, plans, near)
    week = [_weekly(held, cases, flags) for held, flags in zip(plans, flagged, strict=True)]
    decided, late = int(cases.decided.sum()), int(cases.late.sum())
    return Replay(
        a=_under(plans[0], cases, week[0]),
        b=_under(plans[1], cases, week[1]),
        period=cases.period,
        weeks=cases.weeks,
        weight=weight,
        near_m=near,
        n=len(cases.rows),
        outside=int((cases.unit == -1).sum()),
        unplaced=int((cases.unit == -2).sum()),
        decided=decided,
        overdue_share=late / decided if decided else None,
        replicates=replicates,
        seed=seed,
        figures=compare(week[0], week[1], np.random.default_rng(seed), replicates),
        loads=(_loads(plans[0], week[0]), _loads(plans[1], week[1])),
    )


# ── The cases ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, eq=False)
class _Cases:
    """Wanted cases: row in the columns, unit index (−1 outside, −2 unplaced), week, worth, whether decided, late."""

    rows: Ints
    unit: Ints
    week: Ints
    worth: Floats
    decided: NDArray[np.bool_]
    late: NDArray[np.bool_]
    weeks: int
    period: tuple[dt.date, dt.date] | None


def _cases(columns: Columns, where: CaseFilter, index_of_ordinal: Ints, weight: str) -> _Cases:
    chosen = select(columns, where)
    spans = [np.arange(s, e) for s, e in zip(chosen.starts.tolist(), chosen.ends.tolist(), strict=True)]
    rows = np.concatenate(spans) if spans else np.empty(0, np.int64)
    rows = rows[chosen.keep_table[columns.facts[rows]] > 0]
    ordinal, day = columns.unit[rows], columns.day[rows].astype(np.int64)
    unit = np.where(ordinal >= 0, index_of_ordinal[ordinal] if len(index_of_ordinal) else -1, ordinal)
    first, stop = _days(columns, where, day)
    decided, late = _kept(columns, rows)
    minutes = np.array([c.minutes for c in columns.categories])
    category = np.searchsorted(columns.category_ptr, rows, side="right") - 1
    worth = minutes[category] if weight == "workload" else np.ones(len(rows))
    return _Cases(
        rows,
        unit.astype(np.int64),
        (day - first) // DAYS,
        worth,
        decided,
        late,
        max(0, -((first - stop) // DAYS)),
        (_date(first), _date(stop)) if len(rows) or where.from_date else None,
    )


def _days(columns: Columns, where: CaseFilter, day: Ints) -> tuple[int, int]:
    """First day and the day after the last: as asked for, else as the cases have them."""
    if not columns.n:
        return 0, 0
    zone = ZoneInfo(columns.timezone)
    assert columns.first_opened is not None
    assert columns.last_opened is not None
    first = where.from_date or columns.first_opened.astimezone(zone).date()
    stop = where.to_date or columns.last_opened.astimezone(zone).date() + dt.timedelta(days=1)
    return day_number(first), max(day_number(stop), day_number(first))


def _date(day: int) -> dt.date:
    return EPOCH + dt.timedelta(days=int(day))


def _kept(columns: Columns, rows: Ints) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Of which cases it is known whether they met their due time, and which did not.

    Closed: after the due time is late. Still open at the last instant of the data: late when the due time has passed,
    undecided before. Void cases, cases without a due time, and those called closed without a closing time: undecided.
    """
    due, closed = columns.due[rows], columns.closed[rows]
    status = columns.facts[rows] & kernels.STATUS_MASK
    now = columns.tick(columns.last_instant) if columns.last_instant else 0
    dated, ended = (due != kernels.NONE) & (status != kernels.VOID), closed != kernels.NONE
    waiting = ~ended & (status != kernels.CLOSED) & (due < now)
    return dated & (ended | waiting), dated & ((ended & (closed > due)) | waiting)


def _near(
    session: Session, columns: Columns, cases: _Cases, plans: list[Stored], near_m: float
) -> list[NDArray[np.bool_]]:
    """Per plan, which cases lie near a line of it."""
    place = ground.read(session, plans[0].partition.graph)
    around = [near_line.beside(held.partition, place.metres, near_m) for held in plans]
    doubtful = np.flatnonzero(np.isin(cases.unit, np.union1d(around[0].units, around[1].units)))
    rows = cases.rows[doubtful]
    x, y = (
        crs.from_wgs84(columns.lon[rows], columns.lat[rows], place.crs) if len(rows) else (np.empty(0),) * 2
    )
    found = []
    for beside in around:
        flags = np.zeros(len(cases.rows), bool)
        flags[doubtful] = near_line.near(beside, cases.unit[doubtful], x, y, near_m)
        found.append(flags)
    return found


# ── Folding ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _weekly(held: Stored, cases: _Cases, near: NDArray[np.bool_]) -> Weekly:
    grid = np.where(cases.unit >= 0, held.partition.grid[cases.unit], -1)
    inside, k = grid >= 0, held.partition.k

    def per_grid(worth: NDArray[np.float64], chosen: NDArray[np.bool_]) -> Floats:
        key = cases.week[chosen] * k + grid[chosen]
        found = np.bincount(key, weights=worth[chosen], minlength=cases.weeks * k).reshape(cases.weeks, k)
        return found.astype(np.float64)

    def per_week(chosen: NDArray[np.bool_]) -> Floats:
        return np.bincount(cases.week[chosen], minlength=cases.weeks).astype(np.float64)

    ones = np.ones(len(grid))
    weight = np.bincount(cases.unit[inside], weights=cases.worth[inside]).astype(np.float64)
    return Weekly(
        load=per_grid(cases.worth, inside),
        decided=per_grid(ones, inside & cases.decided),
        late=per_grid(ones, inside & cases.late),
        near=per_week(inside & near),
        placed=per_week(inside),
        posts=held.posts,
        fair_share=fair.loads(weight, held.posts) / max(float(weight.sum()), 1e-300),
    )


def _under(held: Stored, cases: _Cases, week: Weekly) -> Under:
    placed = cases.unit >= 0
    assigned = int((held.partition.grid[cases.unit[placed]] >= 0).sum())
    load, decided, late = week.load.sum(axis=0), week.decided.sum(axis=0), week.late.sum(axis=0)
    enough = np.flatnonzero(decided >= FEW)
    share = late[enough] / decided[enough]
    worst = int(enough[int(np.argmax(share))]) if len(enough) else None
    return Under(
        plan=held.plan.name,
        plan_id=held.plan.id,
        grids=held.partition.k,
        assigned=assigned,
        unassigned=int(placed.sum()) - assigned,
        largest_load=float(load.max(initial=0.0)),
        median_load=float(np.median(load)) if len(load) else 0.0,
        overdue_lowest=float(share.min()) if len(enough) else None,
        overdue_highest=float(share.max()) if len(enough) else None,
        overdue_highest_grid=held.codes[worst] if worst is not None else None,
    )


def _loads(held: Stored, week: Weekly) -> dict[str, float]:
    return dict(zip(held.codes, week.load.sum(axis=0).tolist(), strict=True))


def _check(weight: str, near_m: float, replicates: int) -> None:
    if weight not in WEIGHTS:
        raise RefusedArgument(
            f"回放的权重不能是“{weight[:40]}”。", f"A replay cannot weigh by {weight[:40]!r}.", code="weight-unknown",
            field="weight", do_zh="请用 cases 或 workload。", do_en="Use cases or workload.",
        )  # fmt: skip
    for field, value, most in (("near-m", near_m, 1000.0), ("replicates", replicates, 20_000)):
        refusals.check_range(field, value, most)

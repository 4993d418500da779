"""Plans judged: the scorecard, what changes hands, the same cases under two plans."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from pydantic import Field, create_model

from api.shapes.shape import Shape
from api.shapes.words import Both, PlanName
from grids.measures.catalogue import FIGURES


class ScoreHead(Shape):
    """Which plan is judged by what; `missing` says why a figure is null, `notes` what was used."""

    plan: str
    plan_id: int
    weight: str
    tolerance: float
    near_m: float
    missing: dict[str, Both]
    notes: dict[str, Any]


Scorecard = create_model(
    "Scorecard",
    __base__=ScoreHead,
    __doc__="Every figure of `docs/scores.md`, beside the plan's name; null where it cannot be computed.",
    **dict.fromkeys(FIGURES, (float | None, ...)),  # type: ignore[call-overload]
)


class Moved(Shape):
    """How much of something changes hands: moved, all there is, and the share (null of nothing)."""

    moved: float
    total: float
    share: float | None


class HandsChanged(Shape):
    """What changes hands, each null where none is loaded."""

    units: Moved | None
    area_m2: Moved | None
    households: Moved | None
    cases: Moved | None
    facilities: Moved | None


class Pair(Shape):
    """What one grid of the earlier plan gives to one of the later ("": open ground); `stays`: it goes on as that one."""

    grid_before: str
    grid_after: str
    name_before: str
    name_after: str
    stays: bool
    units: int
    area_m2: float
    area_share: float | None
    households: float | None
    cases: int
    facilities: int


class Scores(Shape):
    """Both scorecards."""

    a: Scorecard  # type: ignore[valid-type]
    b: Scorecard  # type: ignore[valid-type]


class Comparison(Shape):
    """Two plans side by side."""

    a: PlanName
    b: PlanName
    from_: dt.date | None = Field(alias="from")
    to: dt.date | None
    moved: HandsChanged
    grids_touched: int
    pairs: list[Pair]
    score: Scores


class UnitMoved(Shape):
    """A unit that changes hands: its grid before and after (null: open)."""

    unit: str
    grid_before: str | None
    grid_after: str | None


class UnitMovedFeature(Shape):
    """Its ground (EPSG:4326)."""

    type: Literal["Feature"]
    geometry: dict[str, Any]
    properties: UnitMoved


class ChangedGround(Shape):
    """The units that change hands as GeoJSON."""

    type: Literal["FeatureCollection"]
    features: list[UnitMovedFeature]


class Under(Shape):
    """A period under one plan; `overdue` of grids: late ÷ decided."""

    plan: str
    plan_id: int
    grids: int
    assigned: int
    unassigned: int
    largest_load: float
    median_load: float
    overdue_lowest: float | None
    overdue_highest: float | None
    overdue_highest_grid: str | None


class Paired(Shape):
    """A figure under both plans; difference = b − a with its 95 % interval, null below eight weeks."""

    a: float | None
    b: float | None
    difference: float | None
    low: float | None
    high: float | None
    b_better_share: float | None


class Replay(Shape):
    """Both plans on the same cases: n = assigned + unassigned + outside + unplaced under both."""

    a: Under
    b: Under
    period: tuple[dt.date, dt.date] | None
    weeks: int
    weight: Literal["cases", "workload"]
    near_m: float
    n: int
    outside: int
    unplaced: int
    decided: int
    overdue_share: float | None
    replicates: int
    seed: int
    figures: dict[str, Paired]
    loads: tuple[dict[str, float], dict[str, float]]

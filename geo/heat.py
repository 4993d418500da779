"""What a count is answered with: zones, a heat map over them, a series, counts by category. Values only, no database.

The law of every heat map: the cases behind the zones, the unplaced and the outside add up to the total,
`n.sum() + suppressed_total + unplaced + outside == total`; for the additive measures (cases, open, overdue) a zone's
value is its n, so its values add up as well.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Measure = Literal[
    "cases",
    "open",
    "overdue",
    "per_km2",
    "per_1000_households",
    "median_days_to_close",
    "response_share",
    "resolved_share",
    "satisfied_share",
]
Words = NDArray[np.object_]  # of str
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MeasureKind:
    """How a measure is read: the unit of its values, whether it adds up, what the data must hold."""

    key: Measure
    unit: str
    additive: bool
    needs: str | None = None  # closed, due, dispatched, satisfied, households: without it every value is NaN


MEASURES: dict[str, MeasureKind] = {
    kind.key: kind
    for kind in (
        MeasureKind("cases", "cases", True),
        MeasureKind("open", "cases", True),
        MeasureKind("overdue", "cases", True, "due"),
        MeasureKind("per_km2", "cases/km²", False),
        MeasureKind("per_1000_households", "cases/1000 households", False, "households"),
        MeasureKind("median_days_to_close", "days", False, "closed"),
        MeasureKind("response_share", "share", False, "dispatched"),
        MeasureKind("resolved_share", "share", False, "closed"),
        MeasureKind("satisfied_share", "share", False, "satisfied"),
    )
}


@dataclass(frozen=True)
class PlanRef:
    """A plan as an answer names it; `text` is what was asked (current, as-was, as-of:DATE, an id or a name)."""

    id: int
    name: str
    state: str
    during: tuple[dt.date | None, dt.date | None] | None
    revision: int
    text: str = ""


@dataclass(frozen=True, eq=False)
class Zones:
    """The areas of an answer, one entry of each array per zone, ordered by code.

    area_m2; households (NaN where nobody counted them, None when no weights were loaded); lon, lat: a point inside,
    EPSG:4326; bbox: west, south, east, north.
    """

    by: str
    codes: Words
    names: Words
    parents: Words
    area_m2: Floats
    lon: Floats
    lat: Floats
    bbox: Floats
    households: Floats | None = None
    plan: PlanRef | None = None
    edition_id: int | None = None
    version: str = ""

    def __len__(self) -> int:
        return len(self.codes)

    def find(self, code: str) -> int | None:
        """The position of a code, None when there is no such zone.

        >>> no_zones("grid").find("110101001") is None
        True
        """
        at = np.flatnonzero(self.codes == code)
        return int(at[0]) if len(at) else None

    def where(self, wanted: NDArray[np.bool_]) -> Zones:
        """The zones for which `wanted` is true, in the same order."""
        return replace(
            self,
            codes=self.codes[wanted],
            names=self.names[wanted],
            parents=self.parents[wanted],
            area_m2=self.area_m2[wanted],
            lon=self.lon[wanted],
            lat=self.lat[wanted],
            bbox=self.bbox[wanted],
            households=None if self.households is None else self.households[wanted],
        )


@dataclass(frozen=True, eq=False)
class HeatMap:
    """A measure over zones. NaN in `values` means no data, or hidden where `suppressed` says so.

    n: cases behind each value (the denominator of a share, the closed cases of a median). `outside` includes
    `unassigned`, the cases on units that a draft leaves open. asof: the instant at which open, overdue and the
    shares hold. period: first day and the day after the last, in the city's zone; None when nothing bounds it.
    """

    by: str
    plan: PlanRef | None
    measure: str
    unit: str
    codes: Words
    names: Words
    values: Floats
    n: NDArray[np.int64]
    total: int
    unplaced: int
    outside: int
    unassigned: int
    asof: dt.datetime | None
    period: tuple[dt.date | None, dt.date | None]
    version: str
    zones: Zones
    overlaps: int = (
        0  # cases that lie in more than one zone of an overlapping layer, counted in the lowest code
    )
    suppressed_total: int = 0
    k: int = 0  # the threshold that was applied; 0: nothing is hidden
    suppressed: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=bool))

    def __post_init__(self) -> None:
        if len(self.suppressed) != len(self.codes):
            object.__setattr__(self, "suppressed", np.zeros(len(self.codes), dtype=bool))

    @property
    def additive(self) -> bool:
        """Whether the values themselves add up to the total."""
        return MEASURES[self.measure].additive


@dataclass(frozen=True, eq=False)
class Series:
    """Cases by day, week (from Monday) or month of the city's calendar; every bucket of the period, zeros included."""

    bucket: str
    starts: tuple[dt.date, ...]
    values: Floats
    n: NDArray[np.int64]
    total: int
    suppressed: NDArray[np.bool_]
    suppressed_total: int = 0
    k: int = 0
    version: str = ""


@dataclass(frozen=True, eq=False)
class CategoryCounts:
    """Cases by category, most first; keys are `top` or `top/sub`."""

    keys: tuple[str, ...]
    names: tuple[str, ...]
    names_en: tuple[str | None, ...]
    sensitive: NDArray[np.bool_]
    values: NDArray[np.int64]
    total: int
    suppressed: NDArray[np.bool_]
    suppressed_total: int = 0
    k: int = 0
    version: str = ""


def words(values: list[Any]) -> Words:
    """A one-dimensional array of Python strings (or None)."""
    made = np.empty(len(values), dtype=object)
    made[:] = values
    return made


def no_zones(by: str, plan: PlanRef | None = None) -> Zones:
    """The zones of a city that has none yet."""
    nothing = np.empty(0)
    return Zones(
        by,
        words([]),
        words([]),
        words([]),
        nothing,
        nothing,
        nothing,
        np.empty((0, 4)),
        None,
        plan,
        None,
        "empty",
    )

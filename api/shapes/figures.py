"""Figures beside the map: series, categories, the strip, hours by weekday, ranks, repeats."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import Field

from api.shapes.shape import Shape
from api.shapes.words import Bucket, Period, PlanName, PlanState
from geo.heat import Measure

FigureKey = Literal[
    "cases", "open", "overdue", "overdue_share", "median_days_to_close", "satisfied_share", "service_share"
]


class Series(Shape):
    """Cases opened by day, week or month, zeros included; null where the public may not see."""

    bucket: Bucket
    by: str | None
    code: str | None
    starts: list[dt.date]
    values: list[int | None]
    n: list[int]
    suppressed: list[bool]
    total: int | None
    suppressed_total: int | None
    k: int
    version: str


class Categories(Shape):
    """Cases by category, most first; null where the public may not see."""

    by: str | None
    code: str | None
    keys: list[str]
    names: list[str]
    names_en: list[str | None]
    values: list[int | None]
    suppressed: list[bool]
    total: int | None
    suppressed_total: int | None
    k: int
    version: str


class Days(Shape):
    """A period that is bounded on both sides."""

    from_: dt.date = Field(alias="from")
    to: dt.date


class Figure(Shape):
    """One figure now and before, each with its n and 95 % interval, or why there is none.

    `differs`: by more than chance (5 %), null where that cannot be said.
    """

    key: FigureKey
    unit: str
    value: float | None
    n: int | None
    low: float | None
    high: float | None
    reason: str | None
    previous: float | None
    previous_n: int | None
    previous_low: float | None
    previous_high: float | None
    previous_reason: str | None
    differs: bool | None


class Summary(Shape):
    """The strip above the map, of the city or of chosen zones."""

    by: str | None
    code: list[str]
    period: Period
    versus: Literal["previous", "last-year"]
    previous: Days | None
    previous_reason: str | None
    asof: dt.datetime | None
    previous_asof: dt.datetime | None
    total: int | None
    unplaced: int | None
    outside: int | None
    figures: list[Figure]
    caveats: list[str]
    k: int
    version: str


class Matrix(Shape):
    """Cases by weekday (1: Monday) and hour on the city's clock. `days`: how often each weekday stands in the period.

    `midnight`: cases at 00:00:00 sharp, often a date without a time.
    """

    by: str | None
    code: list[str]
    period: Period
    timezone: str
    weekdays: list[int]
    hours: list[int]
    days: list[int]
    values: list[list[int | None]]
    total: int | None
    suppressed_total: int | None
    unplaced: int | None
    outside: int | None
    midnight: int | None
    reason: str | None
    k: int
    version: str


class PlanOf(PlanName):
    """The plan whose grids are ranked."""

    state: PlanState


class Indicators(Shape):
    """Every zone's value with its interval, rank (1: the highest), the ranks it may hold, and whom it is like.

    Rank ranges hold all together with 95 %. `posts` of grids, null for other zones.
    """

    by: str
    measure: Measure
    unit: str
    plan: PlanOf | None
    period: Period
    asof: dt.datetime | None
    codes: list[str]
    names: list[str]
    values: list[float | None]
    n: list[int]
    low: list[float | None]
    high: list[float | None]
    rank: list[int | None]
    rank_low: list[int | None]
    rank_high: list[int | None]
    group: list[int | None]
    posts: list[float | None] | None
    ranked: int
    level: float
    method: str
    total: int
    unplaced: int
    outside: int
    version: str


class Repeats(Shape):
    """Units with two or more cases of one category, as columns; `places` and `cases` count all, not only the listed."""

    units: list[str]
    lon: list[float]
    lat: list[float]
    category: list[str]
    category_name: list[str]
    category_name_en: list[str | None]
    n: list[int]
    first: list[dt.datetime]
    last: list[dt.datetime]
    places: int
    cases: int
    version: str

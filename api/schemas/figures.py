"""Parameters of the figures beside the map: series, categories, the strip, hours, ranks, repeats, zones."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.schemas.base import Plain
from api.schemas.filters import Chosen, Filtered, Place, PlanWord
from api.schemas.values import Instant, Word
from geo.heat import Measure


class SeriesOf(Place):
    """`/api/series`."""

    bucket: Literal["day", "week", "month"] = Field(
        "week", description="时间粒度 / day, week from Monday, month"
    )


class CategoriesOf(Place):
    """`/api/categories`."""

    depth: Literal["top", "sub"] = Field("sub", description="大类或小类 / top categories or their children")


class SummaryOf(Chosen):
    """`/api/summary`."""

    asof: Instant | None = Field(None, description="open、overdue 的时点 / instant for open and overdue")
    versus: Literal["previous", "last-year"] = Field(
        "previous", description="对比：上一同长时段或去年同期 / the period before, or a year before"
    )


class MatrixOf(Chosen):
    """`/api/matrix`."""


class RepeatsOf(Chosen):
    """`/api/repeats`."""

    limit: int = Field(200, ge=1, le=1000, description="最多几处 / how many places")


class IndicatorsOf(Filtered):
    """`/api/indicators`."""

    by: Word = Field("grid", description="grid 或层级 / grid or a level")
    measure: Measure = Field("cases", description="指标 / what is measured")
    asof: Instant | None = Field(None, description="open、overdue 的时点 / instant for open and overdue")
    plan: str = PlanWord


class ZonesOf(Plain):
    """`/api/zones`."""

    by: Word = Field("grid", description="grid 或层级 / grid or a level")
    plan: str = PlanWord

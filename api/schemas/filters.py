"""Which cases: by period, category, origin, status; of the city, of one zone, of several together."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from api.schemas.base import Plain
from api.schemas.values import Day, Origin, Status, Word, refuse

MAX_CATEGORIES = 50
MAX_CODES = 200  # zones looked at together


class Filtered(Plain):
    """Which cases: a period of half-open dates in the city's zone, categories, origins, statuses."""

    from_: Day | None = Field(None, alias="from", description="起始日（含） / first day")
    to: Day | None = Field(None, description="结束日（不含） / day after the last")
    category: list[Word] = Field(
        default_factory=list,
        max_length=MAX_CATEGORIES,
        description="类别代码：大类或 大类/小类 / codes, repeatable",
    )
    origin: list[Origin] = Field(
        default_factory=list, max_length=5, description="来源 / who reported, repeatable"
    )
    status: list[Status] = Field(default_factory=list, max_length=3, description="状态 / repeatable")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.from_ is not None and self.to is not None and self.from_ >= self.to:
            raise refuse("from 应早于 to。", "from must lie before to.", "to")
        return self


PlanWord = Field(
    "current",
    min_length=1,
    max_length=200,
    description="current、as-was、as-of:日期、编号或名称 / or id or name",
)


class Place(Filtered):
    """Which cases and where: the whole city, or one grid, area or cell."""

    by: Word | None = Field(None, description="grid、层级或 hexagon:r / where `code` is from")
    code: Word | None = Field(None, description="网格、区域或单元代码 / of the grid, area or cell")
    plan: str = PlanWord

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.by is None) != (self.code is None):
            missing = "by" if self.by is None else "code"
            raise refuse("by 与 code 须同时给出。", "by and code must come together.", missing)
        return self


class Chosen(Filtered):
    """Which cases and where: the whole city, or one or several zones of a layer together."""

    by: Word | None = Field(None, description="grid、层级或 hexagon:r / where each `code` is from")
    code: list[Word] = Field(
        default_factory=list,
        max_length=MAX_CODES,
        description="网格、区域或单元代码，可重复 / codes, repeatable: zones seen together",
    )
    plan: str = PlanWord

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.by is None) != (not self.code):
            missing = "by" if self.by is None else "code"
            raise refuse("by 与 code 须同时给出。", "by and code must come together.", missing)
        return self

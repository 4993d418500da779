"""Words and small objects that many answers share."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import Field

from api.shapes.shape import Shape

Role = Literal["public", "worker", "supervisor", "planner", "admin"]
Sight = Literal["public", "exact"]
PlanState = Literal["draft", "approved", "withdrawn"]
Nesting = Literal["strict", "soft", "free"]
JobState = Literal["queued", "running", "done", "failed", "cancelled"]
Bucket = Literal["day", "week", "month"]


class Both(Shape):
    """A sentence in both languages."""

    zh: str
    en: str


class Notice(Both):
    """Something worth knowing, with a word for programs."""

    code: str


class AreaTold(Shape):
    """A boundary that somebody answers for; `name` is null when it is not in the boundaries of today."""

    level: str
    code: str
    name: str | None


class PlanName(Shape):
    """Which plan."""

    id: int
    name: str


class PlanMade(PlanName):
    """A plan that a job made or changed, and its revision since."""

    revision: int


class Period(Shape):
    """First day and the day after the last, in the city's zone; null where nothing bounds it."""

    from_: dt.date | None = Field(alias="from")
    to: dt.date | None

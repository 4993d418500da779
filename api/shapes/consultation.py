"""A draft that is open to the public, and what the public says about it."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from api.schemas.values import BBox
from api.shapes.shape import Shape
from api.shapes.words import PlanName

RemarkState = Literal["held", "released", "refused"]


class DraftOpened(PlanName):
    """The draft, and how many grids it has."""

    grids: int


class PublicRemark(Shape):
    """A remark that was released: no person, of the times the days on the city's clock alone."""

    id: int
    grid: str | None
    body: str
    on: dt.date
    answer: str | None
    answered_on: dt.date | None


class Consultation(Shape):
    """A draft as the public sees it until its last day: grids with their boxes (degrees), released remarks."""

    plan: DraftOpened
    until: dt.date
    in_force: PlanName | None
    codes: list[str]
    names: list[str]
    boxes: list[BBox]
    most_characters: int
    remarks: list[PublicRemark]


class RemarkMade(Shape):
    """A remark that waits to be released; `masked` names the kinds of what was replaced."""

    state: RemarkState
    body: str
    masked: list[str]


class ChangedShare(Shape):
    """Which share of all ground (0–1) would change hands."""

    area_share: float


class GroundFeature(Shape):
    """The ground that would change hands as one shape (EPSG:4326)."""

    type: Literal["Feature"]
    geometry: dict[str, Any]
    properties: ChangedShare


class GroundChanging(Shape):
    """One feature, none where no plan is in force."""

    type: Literal["FeatureCollection"]
    features: list[GroundFeature]


class Opening(Shape):
    """Until when (that day included) a draft is open, since when and by whom; `open`: whether it is now."""

    open: bool
    last_day: dt.date
    opened_by: str
    opened_at: dt.datetime


class RemarkRow(Shape):
    """A remark as staff sees it; `revision` is the draft's when it was written."""

    id: int
    grid: str | None
    body: str
    at: dt.datetime
    revision: int
    state: RemarkState
    decided_by: str | None
    decided_at: dt.datetime | None
    answer: str | None
    answered_by: str | None
    answered_at: dt.datetime | None


class RemarkCounts(Shape):
    """How many remarks stand where."""

    held: int
    released: int
    refused: int


class ConsultationTold(Shape):
    """Whether a draft is open to the public, and every remark. `enabled` is the setting."""

    enabled: bool
    plan: int
    opening: Opening | None
    counts: RemarkCounts
    remarks: list[RemarkRow]


class RemarkHeld(Shape):
    """A remark that was decided or answered."""

    remark: RemarkRow

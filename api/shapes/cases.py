"""Single cases, in lists, one by one, and as GeoJSON."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from api.schemas.values import Origin, Status
from api.shapes.shape import Shape, absent
from api.shapes.words import AreaTold, Notice

Stage = Literal["opened", "dispatched", "closed", "void"]
Happening = Literal["opened", "dispatched", "due", "closed", "loaded"]


class CaseFacts(Shape):
    """A case but for its place. The description is the one that was masked when it was loaded; urgency 1 (highest) to 4."""

    id: int
    source: str
    source_case_id: str
    opened_at: dt.datetime
    dispatched_at: dt.datetime | None
    due_at: dt.datetime | None
    closed_at: dt.datetime | None
    status: Status
    origin: Origin
    urgency: int | None
    satisfied: bool | None
    responsible_body: str | None
    repeat_of: str | None
    description: str | None
    attributes: dict[str, Any] | None
    category: str
    category_name: str
    category_name_en: str | None
    unit: str | None


class CaseRow(CaseFacts):
    """A case in a list; lon, lat in EPSG:4326, null for one that is not placed."""

    lon: float | None
    lat: float | None


class Happened(Shape):
    """One thing that happened to a case; a load names its run."""

    at: dt.datetime
    what: Happening
    run: int = absent()


class Told(Shape):
    """How far a case has come, whether it is (or was closed) late, and what happened when."""

    stage: Stage
    late: bool | None
    history: list[Happened]


class Case(CaseRow, Told):
    """`/api/cases/{id}`."""


class Limits(Shape):
    """For whom an area holds: it, and why nothing is seen."""

    area: AreaTold | None = absent()
    notice: Notice = absent()


class Cases(Limits):
    """A page of cases; `next` is the `after` of the page that follows, null on the last."""

    cases: list[CaseRow]
    next: str | None


class Point(Shape):
    """A GeoJSON point, longitude and latitude."""

    type: Literal["Point"]
    coordinates: tuple[float, float]


class CaseTold(CaseFacts, Told):
    """The properties of one case alone."""


class CaseRowFeature(Shape):
    """A case of a list as a feature."""

    type: Literal["Feature"]
    id: int
    geometry: Point | None
    properties: CaseFacts


class CaseFeature(Shape):
    """`/api/cases/{id}` as a feature."""

    type: Literal["Feature"]
    id: int
    geometry: Point | None
    properties: CaseTold


class CaseFeatures(Limits):
    """A page of cases as GeoJSON."""

    type: Literal["FeatureCollection"]
    features: list[CaseRowFeature]
    next: str | None

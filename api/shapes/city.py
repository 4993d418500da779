"""The city in brief, and its zones."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from api.schemas.values import BBox, Origin
from api.shapes.shape import Shape, absent
from api.shapes.words import PlanName, PlanState, Sight
from geo.heat import Measure


class LevelTold(Shape):
    """A level of boundaries; overlays have no rank."""

    name: str
    rank: int | None
    n: int


class PlanBrief(Shape):
    """A plan as the choice of plans shows it."""

    id: int
    name: str
    state: PlanState
    valid_from: dt.date | None
    valid_to: dt.date | None
    grids: int


class CategoryNode(Shape):
    """A category with its cases (null: fewer than the public may see); a top one has `children`."""

    key: str
    name: str
    name_en: str | None
    n: int | None
    children: list[CategoryNode] = absent()


class FacilityKind(Shape):
    """A kind of facility and how many there are."""

    kind: str
    n: int


class MeasureTold(Shape):
    """A measure: what the data must hold for it, and whether they do."""

    key: Measure
    needs: str | None
    unit: str
    additive: bool
    available: bool


class Present(Shape):
    """Whether there are any at all."""

    units: bool
    ways: bool
    households: bool


class Basemaps(Shape):
    """What lies under the map: the operator's key of Tianditu or false, whether there is a PMTiles file."""

    tianditu: str | Literal[False]
    pmtiles: bool


class City(Shape):
    """`/api/city`. First and last case: instants for staff, days for the public; null counts are hidden."""

    name: str
    timezone: str
    synthetic: bool
    bbox: BBox | None
    first_case: dt.datetime | dt.date | None
    last_case: dt.datetime | dt.date | None
    cases: int | None
    unplaced: int | None
    levels: list[LevelTold]
    plans: list[PlanBrief]
    current_plan: int | None
    categories: list[CategoryNode]
    origins: list[Origin]
    facility_kinds: list[FacilityKind]
    measures: list[MeasureTold]
    has: Present
    basemap: Basemaps
    sight: Sight
    k: int
    version: str


class Zones(Shape):
    """Grids or areas as columns, in order of code: area in m², households, a point inside, the box (EPSG:4326)."""

    by: str
    plan: PlanName | None
    codes: list[str]
    names: list[str]
    parents: list[str | None]
    area_m2: list[float | None]
    households: list[float | None] | None
    lon: list[float]
    lat: list[float]
    bbox: list[BBox]

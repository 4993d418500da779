"""Heat maps in their forms: columns, values alone, features with geometry; and TileJSON."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

from api.schemas.values import BBox
from api.shapes.shape import Shape, absent
from api.shapes.words import Period, PlanName
from geo.heat import Measure

SupplyMeasure = Literal["count", "capacity", "per_1000_households", "share_within_minutes"]


class HeatHead(Shape):
    """Everything about a heat map of cases but its columns. `total`, `suppressed_total`: null when the public may not know.

    Values + hidden + unplaced + outside = total for measures that add up.
    """

    plan: PlanName | None
    by: str
    measure: Measure
    breaks: list[float]
    unit: str
    period: Period
    asof: dt.datetime | None
    total: int | None
    unplaced: int
    outside: int
    unassigned: int
    overlaps: int
    suppressed_total: int | None
    k: int
    version: str


class HeatMap(HeatHead):
    """Parallel lists, a zone at each position; null where there is no data or the value is hidden."""

    codes: list[str]
    names: list[str]
    values: list[float | None]
    n: list[int]
    suppressed: list[bool]


class HeatValues(HeatHead):
    """`columns=values`: only what no other answer holds, in the order of `/api/zones`."""

    values: list[float | None]
    n: list[int] = absent()  # left out where it is the same as the values
    suppressed: list[bool] = absent()  # left out where nothing is hidden


class SupplyHead(Shape):
    """Everything about a map of facilities but its columns."""

    plan: PlanName | None
    by: str
    measure: SupplyMeasure
    breaks: list[float]
    kind: str | None
    unit: str
    total: float
    unplaced: float
    outside: float
    suppressed_total: int


class SupplyMap(SupplyHead):
    """Facilities by grid or cell: parallel lists; null where it cannot be known."""

    codes: list[str]
    names: list[str]
    values: list[float | None]
    n: list[int]
    suppressed: list[bool]


class ZoneProperties(Shape):
    """The columns of one zone."""

    code: str
    name: str
    value: float | None
    n: int
    suppressed: bool


class ZoneFeature(Shape):
    """One zone with its polygon (EPSG:4326; null for one that has none any more)."""

    type: Literal["Feature"]
    id: str
    geometry: dict[str, Any] | None
    properties: ZoneProperties


class HeatFeatures(HeatHead):
    """A heat map as GeoJSON (RFC 7946), the head beside the features."""

    type: Literal["FeatureCollection"]
    features: list[ZoneFeature]


class SupplyFeatures(SupplyHead):
    """A map of facilities as GeoJSON."""

    type: Literal["FeatureCollection"]
    features: list[ZoneFeature]


class VectorLayer(Shape):
    """A layer inside the tiles and what its features have."""

    id: str
    fields: dict[str, str]


class TileSet(Shape):
    """TileJSON 3.0."""

    tilejson: Literal["3.0.0"]
    name: str
    scheme: Literal["xyz"]
    tiles: list[str]
    minzoom: int
    maxzoom: int
    bounds: BBox
    vector_layers: list[VectorLayer]

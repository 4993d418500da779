"""What may be asked: one model per query, and what bodies share; the only place where words, limits and defaults stand.

FastAPI routes take the models as `Annotated[Model, Query()]`, plain ASGI routes through `parse`; either way an unknown
parameter is refused by name and a wrong value says what is allowed.
"""

from __future__ import annotations

from api.schemas.base import Given, Plain
from api.schemas.figures import (
    CategoriesOf,
    IndicatorsOf,
    MatrixOf,
    RepeatsOf,
    SeriesOf,
    SummaryOf,
    ZonesOf,
)
from api.schemas.filters import MAX_CATEGORIES, MAX_CODES, Chosen, Filtered, Place
from api.schemas.heat import Heat, HeatBoundaries, HeatFacilities, HeatGrids, HeatHexagons
from api.schemas.imports import ImportOf
from api.schemas.lists import AuditOf, CasesOf, JobOf, JobsOf, Page, RunsOf
from api.schemas.parsing import parse
from api.schemas.tiles import TILES, TileGrids
from api.schemas.values import WHOLE, Day, Instant, Origin, Status, Word, day, refuse

__all__ = [
    "MAX_CATEGORIES",
    "MAX_CODES",
    "TILES",
    "WHOLE",
    "AuditOf",
    "CasesOf",
    "CategoriesOf",
    "Chosen",
    "Day",
    "Filtered",
    "Given",
    "Heat",
    "HeatBoundaries",
    "HeatFacilities",
    "HeatGrids",
    "HeatHexagons",
    "ImportOf",
    "IndicatorsOf",
    "Instant",
    "JobOf",
    "JobsOf",
    "MatrixOf",
    "Origin",
    "Page",
    "Place",
    "Plain",
    "RepeatsOf",
    "RunsOf",
    "SeriesOf",
    "Status",
    "SummaryOf",
    "TileGrids",
    "Word",
    "ZonesOf",
    "day",
    "parse",
    "refuse",
]

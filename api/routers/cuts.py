"""`/api/units/{unit}/cut` and `/api/plans/{plan}/cut`: a unit is cut along a drawn line; no number moves under any plan."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field
from sqlalchemy.orm import Session

from api import answers, dividing
from api.dependencies import Service, TheService
from api.routers import shown
from api.routers.draft_bodies import Code
from api.schemas import Given, Plain
from api.shapes import plans as promised
from api.writes import TheWrite, Write
from geo import cutting
from geo.areas import CITY

router = APIRouter(prefix="/api", tags=["units"])
Drawn = Annotated[
    str | dict[str, Any],
    Field(description="WKT 或 GeoJSON LineString（经纬度）/ LineString, lon/lat (EPSG:4326)"),
]


class Line(Given):
    """Where to cut."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"line": "LINESTRING (116.30 39.90, 116.31 39.90)"}]}
    )

    line: Drawn


class UnitAndLine(Line):
    """Which unit, and where to cut it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"unit": "110101001001017", "line": "LINESTRING (116.30 39.90, 116.31 39.90)"}]
        }
    )

    unit: Code


@router.post(
    "/units/{unit}/cut",
    summary="Cut a unit along a line",
    response_model=promised.UnitCut,
    status_code=201,
)
def cut(
    _: Annotated[Plain, Query()], unit: str, given: Line, service: TheService, write: TheWrite
) -> answers.Answer:
    """Its parts have its place in every plan; cases and facilities of the unit are placed again in its parts."""
    return _cut(service, write, unit, given.line)


@router.post(
    "/plans/{plan}/cut",
    summary="Cut a unit along a line, seen from a plan",
    response_model=promised.UnitCut,
    status_code=201,
)
def cut_in_plan(
    _: Annotated[Plain, Query()], plan: str, given: UnitAndLine, service: TheService, write: TheWrite
) -> answers.Answer:
    """The same act: ground is the same in every plan. The parts stay in the unit's grid until they are moved."""
    return _cut(service, write, given.unit, given.line, plan)


def _cut(service: Service, write: Write, unit: str, drawn: Any, plan: str | None = None) -> answers.Answer:
    line = dividing.line(drawn)

    def effect(session: Session) -> answers.Answer:
        if plan is not None:
            shown.plan_row(service, session, plan)
        done = cutting.cut(session, unit, dividing.along(line), author=write.who)
        return answers.json(done, status=201)

    return write.once(effect, CITY)

"""`POST /api/plans/overlay`: several departments' layers become one draft."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field, StringConstraints
from sqlalchemy.orm import Session

from api import answers
from api.schemas import Given, Plain
from api.shapes import plans as promised
from api.writes import TheWrite
from geo.areas import CITY
from grids import departments

router = APIRouter(prefix="/api/plans", tags=["plans"])

Name = Annotated[str, StringConstraints(min_length=1, max_length=80)]


class Overlaid(Given):
    """Which layers, how much each counts, and what the draft is called."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "合一", "layers": ["城管", "公安"], "weights": {"城管": 2}}]}
    )

    name: Name = Field(description="方案名称 / the draft's name")
    layers: list[Name] = Field(
        min_length=2, max_length=departments.MOST_LAYERS, description="方案或图层 / plans or boundary levels"
    )
    weights: dict[Name, float] = Field(
        default_factory=dict,
        max_length=departments.MOST_LAYERS,
        description="权重，默认 1 / weights, 1 by default",
    )


@router.post(
    "/overlay",
    summary="Merge departments' grids into one draft",
    response_model=promised.PlansMerged,
    status_code=201,
)
def overlay(_: Annotated[Plain, Query()], given: Overlaid, write: TheWrite) -> answers.Answer:
    """A draft by weighted majority, contiguous and complete, with the disputed metres and translation tables."""

    def effect(session: Session) -> answers.Answer:
        made = departments.merge(
            session, given.layers, name=given.name, weights=given.weights, author=write.who
        )
        return answers.json(made.as_dict(), status=201)

    return write.once(effect, CITY)

"""`/api/plans/propose` and beside it: plans made by the engine, as jobs."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from fastapi import APIRouter, Query, Request
from pydantic import ConfigDict, Field, StringConstraints, model_validator
from sqlalchemy.orm import Session

from api import answers, problems
from api.jobs import queue
from api.routers.jobs import accepted
from api.schemas import WHOLE, Given, Plain, refuse
from api.writes import TheWrite
from grids import stored

router = APIRouter(prefix="/api/plans", tags=["plans"])

Name = Annotated[str, StringConstraints(min_length=1, max_length=80)]
Code = Annotated[str, StringConstraints(min_length=1, max_length=40)]
Posts = Annotated[float, Field(gt=0, le=1e6)]
WeightName = Annotated[str, StringConstraints(min_length=1, max_length=100)]
MOST_GRIDS = 1_000_000


class Proposal(Given):
    """What is wanted of the engine: so many grids, or so much in each."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "2027 方案", "grids": 120}]})

    name: Name = Field(
        description="方案名称 / the plan's name; further choices are called `name 2`, `name 3` …"
    )
    grids: int | None = Field(None, ge=1, le=MOST_GRIDS, description="网格数 / how many grids")
    per_grid: float | None = Field(
        None,
        gt=0,
        le=1e15,
        description="每网格的量，以权重为单位 / how much one grid holds, in the weight's unit",
    )
    weight: WeightName = Field("cases", description="cases、households、workload、area 或列名 / or a column")
    nest: Literal["strict", "soft", "free"] = Field("strict", description="嵌套方式 / nesting")
    tolerance: float = Field(
        0.10, ge=0, le=10, description="均衡容差 / deviation still called even, 0.1 = 10 %"
    )
    seed: int = Field(0, ge=0, le=WHOLE, description="随机种子 / the same seed gives the same plan")
    choices: int = Field(
        1, ge=1, le=5, description="方案数，沿嵌套、均衡、紧凑取舍 / plans along the trade-off"
    )
    locked: list[Code] = Field(
        default_factory=list,
        max_length=5_000,
        description="保持不动的现行网格 / grids of the plan in force that stay",
    )
    posts: Posts | list[Posts] | None = Field(
        None,
        description="岗位：每网格几个，或逐个网格 / posts of every grid, or of each; loads are in proportion",
    )

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if (self.grids is None) == (self.per_grid is None):
            raise refuse("grids 与 per_grid 须给出其一。", "either grids or per_grid is needed.", "grids")
        return self


@router.post("/propose", summary="Propose plans, as a job")
def propose(
    _: Annotated[Plain, Query()], given: Proposal, request: Request, write: TheWrite
) -> answers.Answer:
    """Asks for contiguous, balanced, compact, nested plans; 202 and the address of the job, whose result names them."""
    lang = problems.language(request.scope)

    def effect(session: Session) -> answers.Answer:
        stored.check_name(session, given.name)
        return accepted(session, queue.ask(session, "plan.propose", given.model_dump(), write.who), lang)

    return write.once(effect)

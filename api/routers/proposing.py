"""`/api/plans/propose` and beside it: plans made by the engine, as jobs."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from fastapi import APIRouter, Query, Request
from pydantic import ConfigDict, Field, StringConstraints, model_validator
from sqlalchemy.orm import Session

from api import answers, problems
from api.dependencies import TheService
from api.jobs import queue
from api.routers import shown
from api.routers.draft_bodies import Point, Revision
from api.routers.jobs import accepted
from api.schemas import WHOLE, Given, Plain, refuse
from api.shapes import jobs as promised
from api.writes import TheWrite
from grids import stored

router = APIRouter(prefix="/api/plans", tags=["plans"])

Name = Annotated[str, StringConstraints(min_length=1, max_length=80)]
Weight = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Code = Annotated[str, StringConstraints(min_length=1, max_length=80)]
Tolerance = Annotated[
    float, Field(ge=0, le=10, description="均衡容差 / deviation still called even, 0.1 = 10 %")
]
Seed = Annotated[int, Field(ge=0, le=WHOLE, description="随机种子 / the same seed gives the same plan")]
Posts = Annotated[float, Field(gt=0, le=1e6)]
MOST_LINES, MOST_POINTS = (
    1_000,
    5_000,
)  # so that even lines that cross everywhere meet in a few million points
Line = Annotated[list[Point], Field(min_length=2, max_length=MOST_POINTS)]
WEIGHTS = "cases、households、workload、area 或列名 / or a column"
MOST_GRIDS = 1_000_000
MOST_LISTED = 20_000
NoQuery = Annotated[Plain, Query()]


class Proposal(Given):
    """What is wanted of the engine: so many grids, or so much in each."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "2027 方案", "grids": 120, "nest": "soft", "choices": 3}]}
    )

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
    weight: Weight | list[Weight] = Field(
        "cases", min_length=1, description=WEIGHTS + ", or several, the first leads"
    )
    nest: Literal["strict", "soft", "free"] = Field("strict", description="嵌套方式 / nesting")
    tolerance: Tolerance = 0.10
    seed: Seed = 0
    choices: int = Field(1, ge=1, le=5, description="方案数 / plans along the trade-off")
    locked: list[Code] = Field(
        default_factory=list,
        max_length=MOST_LISTED,
        description="保持不变的现行网格 / grids of the plan in force to keep",
    )
    posts: Posts | list[Posts] | None = Field(
        None, description="岗位数：全部，或每网格一个 / posts of all, or of each"
    )
    barriers: list[Line] = Field(
        default_factory=list,
        max_length=MOST_LINES,
        description="本次另加的障碍线（经纬度，WGS 84） / further lines that nobody walks across, lon and lat",
    )
    passages: list[Line] = Field(
        default_factory=list,
        max_length=MOST_LINES,
        description="越过这些障碍的通道（桥、地道） / ways that lead across them (bridges, tunnels)",
    )

    @model_validator(mode="after")
    def _short_enough(self) -> Self:
        for field in ("barriers", "passages"):
            if sum(map(len, getattr(self, field))) > MOST_POINTS:
                raise refuse(f"最多 {MOST_POINTS} 个点。", f"may have at most {MOST_POINTS} points.", field)
        return self

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if (self.grids is None) == (self.per_grid is None):
            raise refuse("grids 与 per_grid 须给出其一。", "either grids or per_grid is needed.", "grids")
        for field, most in (("weight", 10), ("posts", MOST_LISTED)):
            value = getattr(self, field)
            if isinstance(value, list) and len(value) > most:
                raise refuse(f"最多 {most} 个值。", f"may have at most {most} values.", field)
        return self


class Rebalance(Given):
    """A draft is changed itself, from the `revision` seen; with `name`, a new draft based on the plan is."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"revision": 12, "weight": "cases", "more": 1}]}
    )

    name: Name | None = Field(None, description="新草案的名称；非草案必填 / name of a new draft")
    weight: Weight = Field("cases", description=WEIGHTS)
    tolerance: Tolerance = 0.10
    more: Literal[-1, 0, 1] = Field(0, description="1：加一人；-1：减一人 / a worker joins or leaves")
    leaving: Code | None = Field(None, description="撤销的网格 / the grid to dissolve, with more = -1")
    joining: Code | None = Field(None, description="由此网格分出 / the grid to divide, with more = 1")
    seed: Seed = 0
    revision: Revision = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for field, wanted in (("leaving", -1), ("joining", 1)):
            if getattr(self, field) is not None and self.more != wanted:
                raise refuse(f"仅用于 more = {wanted}。", f"goes with more = {wanted} only.", field)
        return self


class Sampling(Given):
    """How many random plans the plan is placed among, and what counts as valid."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"plans": 1000, "chains": 4, "tolerance": 0.1}]}
    )

    weight: Weight = Field("cases", description=WEIGHTS)
    tolerance: Tolerance = 0.10
    plans: int = Field(1000, ge=10, le=100_000, description="抽样方案数 / plans to sample")
    chains: int = Field(4, ge=1, le=64, description="独立链数 / independent walks")
    seed: Seed = 0


@router.post("/propose", summary="Propose plans, as a job", response_model=promised.Job, status_code=202)
def propose(_: NoQuery, given: Proposal, request: Request, write: TheWrite) -> answers.Answer:
    """Asks for contiguous, balanced, compact, nested plans; 202 and the address of the job, whose result names them."""
    lang = problems.language(request.scope)

    def effect(session: Session) -> answers.Answer:
        for name in (given.name, *(f"{given.name} {i}" for i in range(2, given.choices + 1))):
            stored.check_name(session, name)
        return accepted(session, queue.ask(session, "plan.propose", given.model_dump(), write.who), lang)

    return write.once(effect)


@router.post(
    "/{plan}/rebalance",
    summary="Bring a plan back into balance, as a job",
    response_model=promised.Job,
    status_code=202,
)
def rebalance(
    _: NoQuery, plan: str, given: Rebalance, request: Request, service: TheService, write: TheWrite
) -> answers.Answer:
    """Moves as little as possible; the result says how much, and the least that had to. One act, which can be undone."""
    lang = problems.language(request.scope)

    def effect(session: Session) -> answers.Answer:
        row = shown.plan_row(service, session, plan)
        if given.name is not None:
            stored.check_name(session, given.name)
        elif row.state != "draft":
            raise problems.RequestProblem(
                400, "plan-name",
                f"方案“{row.name}”不是草案，须用 name 为新草案取名。",
                f"Plan {row.name!r} is not a draft: name the new draft with `name`.",
                field="name",
            )  # fmt: skip
        else:
            write.check(session, row, given.revision)
        params = {**given.model_dump(), "plan": row.id, "revision": None if given.name else row.revision}
        return accepted(session, queue.ask(session, "plan.rebalance", params, write.who), lang)

    return write.once(effect)


@router.post(
    "/{plan}/ensemble",
    summary="A plan among random valid plans, as a job",
    response_model=promised.Job,
    status_code=202,
)
def ensemble(
    _: NoQuery, plan: str, given: Sampling, request: Request, service: TheService, write: TheWrite
) -> answers.Answer:
    """Where the plan stands on each measure among plans that could have been drawn, and whether the walks agree."""
    lang = problems.language(request.scope)

    def effect(session: Session) -> answers.Answer:
        params = {**given.model_dump(), "plan": shown.plan_row(service, session, plan).id}
        return accepted(session, queue.ask(session, "plan.ensemble", params, write.who), lang)

    return write.once(effect)

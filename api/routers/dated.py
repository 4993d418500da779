"""`/api/plans/{plan}/exceptions`, `rebase`, `lineage`: from a draft to what holds from a day on."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field
from sqlalchemy.orm import Session

from api import answers, writes
from api.dependencies import TheService
from api.routers import shown
from api.routers.draft_bodies import Code
from api.schemas import Given, Plain
from api.shapes import plans as promised
from api.writes import TheWrite
from geo.areas import CITY
from grids import exceptions, lineage, rebasing

router = APIRouter(prefix="/api/plans", tags=["plans"])
PRIVATE = "private, no-cache"


class Exempt(Given):
    """A rule that a draft may break, at one grid or (without `grid`) anywhere, and why."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"rule": "households", "grid": "110101001001002", "reason": "整栋宿舍，不可分开"}]
        }
    )

    rule: Annotated[str, Field(min_length=1, max_length=80)]
    reason: Annotated[str, Field(min_length=1, max_length=1000)]
    grid: Code | None = None


class NoMore(Plain):
    """Which exception is taken back."""

    rule: str = Field(min_length=1, max_length=80, description="规则 / rule")
    grid: str | None = Field(None, min_length=1, max_length=80, description="网格 / grid")


class Rebase(Given):
    """The new draft's name, the plan it shall stand on, and who decides where both changed a unit."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "2027 草案 改", "mine": False}]})

    name: Annotated[str | None, Field(min_length=1, max_length=80)] = None
    onto: Code | None = None
    mine: bool = False


class Against(Plain):
    """The earlier plan."""

    against: str | None = Field(
        None,
        min_length=1,
        max_length=80,
        description="与哪个方案相比 / the earlier plan; default: the one before",
    )


@router.post(
    "/{plan}/exceptions",
    summary="Allow a draft to break a rule",
    response_model=promised.Excepted,
    status_code=201,
)
def allow(
    _: Annotated[Plain, Query()], plan: str, given: Exempt, service: TheService, write: TheWrite
) -> answers.Answer:
    """With a reason; complete ground and codes allow none (`rule-never-excepted`)."""

    def effect(session: Session) -> answers.Answer:
        row = shown.plan_row(service, session, plan)
        made = exceptions.allow(
            session, row.id, rule=given.rule, reason=given.reason, grid=given.grid, author=write.who
        )
        return answers.json(made, status=201)

    return write.once(effect)


@router.delete("/{plan}/exceptions", summary="Take an exception back", response_model=promised.Exceptions)
def take_back(
    asked: Annotated[NoMore, Query()], plan: str, service: TheService, write: TheWrite
) -> answers.Answer:
    """As long as the plan is a draft."""

    def effect(session: Session) -> answers.Answer:
        row = shown.plan_row(service, session, plan)
        exceptions.take_back(session, row.id, rule=asked.rule, grid=asked.grid, author=write.who)
        return answers.json({"exceptions": exceptions.listing(session, row.id)})

    return write.once(effect)


@router.post(
    "/{plan}/rebase",
    summary="Carry a draft's changes over to the plan approved meanwhile",
    response_model=promised.Rebased,
    status_code=201,
)
def rebase(
    _: Annotated[Plain, Query()], plan: str, given: Rebase, service: TheService, write: TheWrite
) -> answers.Answer:
    """A new draft on top of it. Units that both changed are named (409 `rebase-conflict`) unless `mine` decides."""

    def effect(session: Session) -> answers.Answer:
        row = shown.plan_row(service, session, plan)
        onto = shown.plan_row(service, session, given.onto).id if given.onto is not None else None
        done = rebasing.rebase(session, row.id, name=given.name, onto=onto, mine=given.mine, author=write.who)
        return answers.json(done, status=201, headers={"location": f"/api/plans/{done.id}"})

    return write.once(effect, CITY)


@router.get(
    "/{plan}/lineage",
    summary="What each earlier grid passed on, and to whom",
    response_model=promised.Lineage,
)
def plan_lineage(asked: Annotated[Against, Query()], plan: str, service: TheService) -> answers.Answer:
    """Shares of area, households and cases of every earlier grid; as kept at approval, or worked out against a plan."""
    with service.session(CITY) as session:
        row = shown.plan_row(service, session, plan)
        against = shown.plan_row(service, session, asked.against).id if asked.against is not None else None
        found = lineage.read(session, row.id, against)
    return answers.json(found, etag=writes.validator(row, found), cache=PRIVATE)

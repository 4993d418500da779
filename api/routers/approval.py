"""`/api/plans/{plan}/approve` and beside it: a plan comes into force, is taken back, or is thrown away."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field
from sqlalchemy.orm import Session

from api import answers, writes
from api.dependencies import TheService
from api.routers import shown
from api.routers.draft_bodies import Revision, Seen
from api.schemas import Day, Given, Plain
from api.shapes import plans as promised
from api.writes import TheWrite
from geo.areas import CITY
from grids import discarding, hands, plans

router = APIRouter(prefix="/api/plans", tags=["plans"])


class Approval(Given):
    """From which day on the plan shall hold."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"from": "2027-01-01", "revision": 12}]})

    from_: Day = Field(alias="from", description="生效日 / first day")
    revision: Revision = None


@router.post("/{plan}/approve", summary="Approve a plan from a day on", response_model=promised.PlanDated)
def approve(
    _: Annotated[Plain, Query()], plan: str, given: Approval, service: TheService, write: TheWrite
) -> answers.Answer:
    """Puts a draft into force; the plan that held then ends the day before. Exactly one of several wins.

    Who made or changed the draft may not approve it (403 `own-plan`, `approvers` names who may), unless the office is
    a small one (WANGGE_SMALL_OFFICE).
    """

    def effect(session: Session) -> answers.Answer:
        row = shown.plan_row(service, session, plan)
        if not service.settings.small_office:
            hands.refuse_own(session, row, write.who)
        write.check(session, row, given.revision)
        done = plans.approve(session, row.id, given.from_, write.who)
        write.check(session, row, given.revision)  # nobody edited it between the look and the lock
        return answers.json(done, etag=writes.validator(row))

    return write.once(effect, CITY)


@router.post(
    "/{plan}/withdraw",
    summary="Take an approved plan back before it starts",
    response_model=promised.PlanDated,
)
def withdraw(
    _: Annotated[Plain, Query()], plan: str, given: Seen, service: TheService, write: TheWrite
) -> answers.Answer:
    """The plan before it goes on in its place."""

    def effect(session: Session) -> answers.Answer:
        row = shown.plan_row(service, session, plan)
        write.check(session, row, given.revision)
        done = plans.withdraw(session, row.id, write.who)
        return answers.json(done, etag=writes.validator(row))

    return write.once(effect)


@router.delete("/{plan}", summary="Throw a draft away", response_model=promised.Discarded)
def discard(_: Annotated[Plain, Query()], plan: str, service: TheService, write: TheWrite) -> answers.Answer:
    """A draft with all its edits and comments is gone; `If-Match` names the state that was seen."""

    def effect(session: Session) -> answers.Answer:
        row = shown.plan_row(service, session, plan)
        write.check(session, row)
        return answers.json(
            {"discarded": {"id": row.id, "name": discarding.discard(session, row.id, write.who)}}
        )

    return write.once(effect)

"""`/api/plans/{plan}/consultation`: opening a draft to the public, and what its remarks become."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import ConfigDict, Field
from sqlalchemy.orm import Session

from api import answers
from api.dependencies import Service, TheService
from api.routers import shown
from api.schemas import Day, Given, Plain
from api.shapes import consultation as promised
from api.writes import TheWrite
from etl import privacy
from geo.db.tables import Plan
from geo.errors import Conflict
from grids import consulting, remarks

router = APIRouter(prefix="/api/plans/{plan}/consultation", tags=["consultation"])
Number = Annotated[int, Path(ge=1, le=2**63 - 1)]


class Until(Given):
    """The last day, on the city's clock."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"until": "2027-01-31"}]})

    until: Day = Field(description="最后一天（含） / the last day, included")


class Decision(Given):
    """What becomes of a remark."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"state": "released"}]})

    state: Literal["released", "refused", "held"]


class Answered(Given):
    """A planner's answer; null takes it back."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"answer": "已采纳，见第 12 版。"}]})

    answer: Annotated[str, Field(min_length=1, max_length=remarks.MOST_OF_ANSWER)] | None


@router.get(
    "",
    summary="Whether a draft is open to the public, and every remark",
    response_model=promised.ConsultationTold,
)
def state(_: Annotated[Plain, Query()], plan: str, service: TheService) -> answers.Answer:
    """`enabled` is the setting (WANGGE_PUBLIC_COMMENTS); remarks held, released and refused, the newest first, with counts."""
    with service.session() as session:
        found = _told(service, session, shown.plan_row(service, session, plan))
    return answers.json(found, etag=answers.etag(found), cache="private, no-cache")


@router.post("", summary="Open a draft to the public until a day", response_model=promised.ConsultationTold)
def open_(
    _: Annotated[Plain, Query()], plan: str, given: Until, service: TheService, write: TheWrite
) -> answers.Answer:
    """Opens it, or moves its last day. From now on everybody who has its address sees it; edits are seen at once."""

    def effect(session: Session) -> answers.Answer:
        row = shown.plan_row(service, session, plan)
        if not service.settings.public_comments:
            raise _off()
        consulting.open_until(session, row.id, given.until, write.who)
        return answers.json(_told(service, session, row))

    return write.once(effect)


@router.delete("", summary="Close a draft to the public", response_model=promised.ConsultationTold)
def close(_: Annotated[Plain, Query()], plan: str, service: TheService, write: TheWrite) -> answers.Answer:
    """At once; its remarks stay with the draft."""

    def effect(session: Session) -> answers.Answer:
        row = shown.plan_row(service, session, plan)
        consulting.close(session, row.id, write.who)
        return answers.json(_told(service, session, row))

    return write.once(effect)


@router.post("/remarks/{id}", summary="Release or refuse a remark", response_model=promised.RemarkHeld)
def decide(
    _: Annotated[Plain, Query()], plan: str, id: Number, given: Decision, service: TheService, write: TheWrite
) -> answers.Answer:
    """A released remark is read by everybody while the draft is open; the decision can be changed."""

    def effect(session: Session) -> answers.Answer:
        row = shown.plan_row(service, session, plan)
        return answers.json({"remark": remarks.decide(session, row.id, id, given.state, write.who)})

    return write.once(effect)


@router.post("/remarks/{id}/answer", summary="Answer a remark", response_model=promised.RemarkHeld)
def answer(
    _: Annotated[Plain, Query()], plan: str, id: Number, given: Answered, service: TheService, write: TheWrite
) -> answers.Answer:
    """Read wherever its remark is, without the name of who answers; masked like all free text."""
    words = None if given.answer is None else privacy.mask(remarks.readable(given.answer))[0]

    def effect(session: Session) -> answers.Answer:
        row = shown.plan_row(service, session, plan)
        said = None if words is None else words[: remarks.MOST_OF_ANSWER]
        return answers.json({"remark": remarks.answer(session, row.id, id, said, write.who)})

    return write.once(effect)


def _told(service: Service, session: Session, row: Plan) -> dict[str, object]:
    opened = consulting.opening(session, row)
    return {
        "enabled": service.settings.public_comments,
        "plan": row.id,
        "opening": None if opened is None else dataclasses.asdict(opened),
        "counts": remarks.counts(session, row.id),
        "remarks": remarks.listing(session, row.id),
    }


def _off() -> Conflict:
    return Conflict(
        "本服务没有开启公开征求意见。",
        "Public comments are switched off here.",
        code="consultation-off",
        do_zh="由运行服务的人设置 WANGGE_PUBLIC_COMMENTS=1。",
        do_en="Whoever runs the service sets WANGGE_PUBLIC_COMMENTS=1.",
    )

"""`/api/plans/{plan}/comments`: remarks on a draft, masked like all free text, answered, hidden."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import ConfigDict, Field
from sqlalchemy.orm import Session

from api import answers
from api.dependencies import TheService
from api.routers import shown
from api.routers.draft_bodies import Code
from api.schemas import WHOLE, Given, Plain
from api.shapes import plans as promised
from api.writes import TheWrite
from etl import privacy
from grids import comments

router = APIRouter(prefix="/api/plans", tags=["comments"])
Number = Annotated[int, Path(ge=1, le=WHOLE)]


class OfGrid(Plain):
    """Remarks of one grid, or all."""

    grid: str | None = Field(None, min_length=1, max_length=80, description="网格编码 / a grid's code")


class Remark(Given):
    """Its words, and the grid or the remark it is about."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"body": "河东几栋楼应归北街。", "grid": "110101001001002"}]}
    )

    body: Annotated[str, Field(min_length=1, max_length=comments.MOST_CHARACTERS)]
    grid: Code | None = None
    answers: Annotated[int | None, Field(ge=1, le=WHOLE)] = None


class Hidden(Given):
    """Whether the remark is hidden."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"hidden": True}]})

    hidden: bool = True


@router.get("/{plan}/comments", summary="Remarks on a plan", response_model=promised.Comments)
def listing(asked: Annotated[OfGrid, Query()], plan: str, service: TheService) -> answers.Answer:
    """The oldest first; `answers` names the remark that is answered, a hidden one has no `body`."""
    with service.session() as session:
        row = shown.plan_row(service, session, plan)
        found = comments.listing(session, row.id, grid=asked.grid)
    return answers.json({"comments": found}, etag=answers.etag(found), cache="private, no-cache")


@router.post(
    "/{plan}/comments", summary="Remark on a draft", response_model=promised.CommentMade, status_code=201
)
def add(
    _: Annotated[Plain, Query()], plan: str, given: Remark, service: TheService, write: TheWrite
) -> answers.Answer:
    """Phone numbers, identity cards, plates, rooms and names are replaced before anything is stored; `masked` says which."""
    body, masked = privacy.mask(privacy.plain(given.body))

    def effect(session: Session) -> answers.Answer:
        row = shown.plan_row(service, session, plan)
        made = comments.add(
            session,
            row.id,
            body[: comments.MOST_CHARACTERS],
            grid=given.grid,
            answers=given.answers,
            author=write.who,
        )
        return answers.json({"comment": made, "masked": masked}, status=201)

    return write.once(effect)


@router.post(
    "/{plan}/comments/{id}/hide",
    summary="Hide a remark, or show it again",
    response_model=promised.CommentHeld,
)
def hide(
    _: Annotated[Plain, Query()], plan: str, id: Number, given: Hidden, service: TheService, write: TheWrite
) -> answers.Answer:
    """Its place and its answers stay."""

    def effect(session: Session) -> answers.Answer:
        row = shown.plan_row(service, session, plan)
        return answers.json(
            {"comment": comments.hide(session, row.id, id, hidden=given.hidden, author=write.who)}
        )

    return write.once(effect)

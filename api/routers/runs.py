"""`/api/runs`: what was loaded, when, and what became of every row. Staff only."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api import answers
from api.dependencies import TheService
from api.schemas import Plain, RunsOf
from api.shapes import loads as promised
from geo import features
from geo.areas import CITY
from geo.errors import NotFound

router = APIRouter(prefix="/api/runs", tags=["runs"])


@router.get("", summary="Load runs, the latest first", response_model=promised.Runs)
def runs(asked: Annotated[RunsOf, Query()], service: TheService) -> answers.Answer:
    """Each file loaded and each build, with its row account; `next` is the `before` of the page after."""
    with service.session() as session:
        found = features.runs(session, limit=asked.limit + 1, before=asked.before)
    more, found = len(found) > asked.limit, found[: asked.limit]
    return answers.json({"runs": found, "next": found[-1]["id"] if more else None}, cache="private, no-store")


@router.get("/{id}", summary="One load run", response_model=promised.RunTold)
def run(_: Annotated[Plain, Query()], id: str, service: TheService) -> answers.Answer:
    """One run with its layout, warnings and first 1 000 rejects."""
    number = int(id) if id.isascii() and id.isdecimal() and len(id) <= 9 else 0
    with service.session(CITY) as session:  # rejects hold rows of any area
        found = features.run(session, number)
    if found is None:
        raise NotFound("没有这次加载。", "There is no such load run.", field="id")
    return answers.json(found, cache="private, no-store")

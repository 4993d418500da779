"""`/api/audit`: what was done by whom, and whether the record of it is whole. Admins only."""

from __future__ import annotations

import dataclasses
from typing import Annotated

from fastapi import APIRouter, Query

from api import answers
from api.dependencies import TheService
from api.schemas import AuditOf, Plain
from api.shapes import people as promised
from geo.db import audit

router = APIRouter(prefix="/api/audit", tags=["audit"])


@router.get("", summary="What was done by whom, the latest first", response_model=promised.Acts)
def acts(asked: Annotated[AuditOf, Query()], service: TheService) -> answers.Answer:
    """A page of acts; `next` is the `before` of the page after. `people` are all who ever did something."""
    with service.session() as session:
        found = audit.newest(session, asked.limit + 1, asked.who, before=asked.before)
        people = audit.people(session)
    more, found = len(found) > asked.limit, found[: asked.limit]
    return answers.json({"acts": found, "people": people, "next": found[-1]["id"] if more else None})


@router.get("/state", summary="Whether the record is whole", response_model=promised.Chain)
def state(_: Annotated[Plain, Query()], service: TheService) -> answers.Answer:
    """Walks the whole chain, as `wangge audit verify` does: rows, head, seals, and the first bad row if any."""
    with service.session() as session:
        found = audit.verify(session, service.settings)
    return answers.json(dataclasses.asdict(found))

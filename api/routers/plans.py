"""`/api/plans`: plans to look at. The public sees approved ones; a draft does not exist for it."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Annotated, Any

from fastapi import APIRouter, Query

from api import answers, writes
from api.dependencies import ThePrincipal, TheService
from api.routers import shown
from api.schemas import Plain
from api.shapes import plans as promised
from geo import features
from geo.areas import CITY
from geo.zones import no_plan
from grids import drafts, exceptions
from grids import plans as rules
from grids.constraints import NEVER_EXCEPTED, RULES, Violation

router = APIRouter(prefix="/api/plans", tags=["plans"])
RULE_BOOK = {
    code: {"zh": zh, "en": en, "exceptions": code not in NEVER_EXCEPTED} for code, (zh, en) in RULES.items()
}


@router.get("", summary="Plans, the newest first", response_model=promised.Plans)
def plans(_: Annotated[Plain, Query()], service: TheService, principal: ThePrincipal) -> answers.Answer:
    """Every plan the caller may see."""
    with service.session() as session:
        found = features.plans(session, drafts=principal.sight == "exact")
    rule = answers.cache_rule(principal.sight, 10)
    return answers.json({"plans": found}, etag=answers.etag(found), cache=rule)


@router.get("/{plan}", summary="One plan", response_model=promised.Plan)
def plan(
    _: Annotated[Plain, Query()], plan: str, service: TheService, principal: ThePrincipal
) -> answers.Answer:
    """One plan by number, name, `current` or `as-of:DATE`, with how it was made. Its ETag is what
    `If-Match` of a change takes."""
    with service.session() as session:
        ref = shown.plan(service, session, plan, principal.sight)
        found = features.plan(session, ref.id, drafts=principal.sight == "exact")
    if found is None:
        raise no_plan(plan)
    rule = answers.cache_rule(principal.sight, 10)
    return answers.json(found, etag=writes.validator(SimpleNamespace(**found), found), cache=rule)


@router.get("/{plan}/check", summary="The rules a plan breaks", response_model=promised.Check)
def check(
    _: Annotated[Plain, Query()], plan: str, service: TheService, principal: ThePrincipal
) -> answers.Answer:
    """Every broken rule with its grid, what was measured, what is allowed and what to do, in both languages; none: it may
    be approved. `excepted` are allowed by a recorded exception, `advice` only tells; `recodes`: the code
    a grid has now → the one it gets at approval; `rules` explains every code."""
    with service.session(CITY) as session:
        row = shown.plan_row(service, session, plan)
        told = rules.checked(session, row.id, drafts.as_stored(service.desk.open(session, row.id), row))
        broken, excepted, advice = (_told(part) for part in (told.walls, told.excepted, told.advice))
        found = {
            "plan": row.id,
            "revision": row.revision,
            "keeps_all": not broken,
            "violations": broken,
            "excepted": excepted,
            "advice": advice,
            "exceptions": exceptions.listing(session, row.id),
            "recodes": told.recodes,
            "rules": RULE_BOOK,
        }
        return answers.json(found, etag=writes.validator(row, found), cache="private, no-cache")


def _told(violations: list[Violation]) -> list[dict[str, Any]]:
    return [{**dataclasses.asdict(one), "rule": one.rule} for one in violations]

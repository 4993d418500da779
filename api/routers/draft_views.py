"""`/api/plans/{plan}/grids`, `/assignment`, `/edits`, `/ground`, `/changes`: a plan as a table of grids, unit by unit,
act by act, with the ground it stands on, and what is new in it."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from api import answers, writes
from api.dependencies import TheService
from api.routers import shown
from api.schemas import WHOLE, Plain
from api.shapes import drafts as promised
from geo.areas import CITY
from grids import drafts
from grids.constraints import Violation
from grids.drafts import Draft

router = APIRouter(prefix="/api/plans", tags=["drafts"])
PRIVATE = "private, no-cache"


class Assigned(Plain):
    """How units are named."""

    units: Literal["id", "code"] = Field("id", description="单元以编号或编码表示 / units by id or code")


class Since(Plain):
    """From which revision on."""

    since: int = Field(ge=0, le=WHOLE, description="已知版本 / the revision that is known")


class Paged(Plain):
    """A page of the history, the latest first."""

    limit: int = Field(100, ge=1, le=1000)
    before: int | None = Field(None, ge=0, le=WHOLE, description="此版本之前 / acts before this revision")


@router.get(
    "/{plan}/grids", summary="The grids of a plan, column by column", response_model=promised.GridTable
)
def grids(_: Annotated[Plain, Query()], plan: str, service: TheService) -> answers.Answer:
    """Loads by weight, deviation from the fair load, area, outline, compactness, pieces, posts, locks; in order of code."""
    draft = _open(service, plan)
    etag = writes.validator(draft.row, "grids", draft.row.weighed, drafts.standing(draft))
    return answers.json({**_head(draft), **_columns(draft)}, etag=etag, cache=PRIVATE)


@router.get("/{plan}/assignment", summary="unit → grid", response_model=promised.AssignmentOf)
def assignment(asked: Annotated[Assigned, Query()], plan: str, service: TheService) -> answers.Answer:
    """`grid[i]` is the index into `grids` of unit `units[i]`, −1 where it is open."""
    draft = _open(service, plan)
    graph = draft.partition.graph
    found = {
        **_head(draft),
        "grids": draft.grids.codes,
        "units": graph.codes if asked.units == "code" else graph.ids,
        "grid": draft.partition.grid,
    }
    etag = writes.validator(draft.row, "assignment", asked.units, draft.row.ground)
    return answers.json(found, etag=etag, cache=PRIVATE)


@router.get("/{plan}/edits", summary="The history of a plan", response_model=promised.Edits)
def edits(asked: Annotated[Paged, Query()], plan: str, service: TheService) -> answers.Answer:
    """Acts with author and time, the latest first; `next` is the `before` of the next page, null on the last."""
    with service.session(CITY) as session:
        draft = service.desk.open(session, shown.plan(service, session, plan, "exact").id)
        found = drafts.log(session, draft.row.id, limit=asked.limit, before=asked.before)
    more = len(found) == asked.limit and found[-1]["revision"] > 1
    page = {
        **_head(draft),
        "can_undo": bool(draft.log.done),
        "can_redo": bool(draft.log.undone),
        "edits": found,
        "next": found[-1]["revision"] if more else None,
    }
    etag = writes.validator(draft.row, "edits", asked.limit, asked.before)
    return answers.json(page, etag=etag, cache=PRIVATE)


@router.get(
    "/{plan}/ground", summary="The units under a plan, column by column", response_model=promised.Ground
)
def ground(_: Annotated[Plain, Query()], plan: str, service: TheService) -> answers.Answer:
    """Each unit's code, place (lon, lat), nesting area, load and neighbours: what an editor needs once. `key` changes
    when a unit is cut or retired, or weighs something else."""
    with service.session(CITY) as session:
        draft = service.desk.open(session, shown.plan(service, session, plan, "exact").id)
        key = _ground_key(draft)
        kept = service.grounds.get(key)  # one answer for all drafts on the same ground
        if kept is not None:
            return kept
        found = {"key": key, **vars(drafts.scene(session, draft))}
    return service.grounds.put(key, answers.json(found, etag=key, cache=PRIVATE))


@router.get(
    "/{plan}/changes", summary="What was done to a plan since a revision", response_model=promised.News
)
def changes(asked: Annotated[Since, Query()], plan: str, service: TheService) -> answers.Answer:
    """Acts with author and time, and the present state of the units and grids they touched. Cheap to ask again and again:
    304 while nothing happened. `ground` is the `key` of the units: another one means that they are to be read again."""
    with service.session(CITY) as session:
        draft = service.desk.open(session, shown.plan(service, session, plan, "exact").id)
        found = drafts.since(session, draft, asked.since)
    told = {
        **vars(found),
        "violations": [told_of(one) for one in found.violations],
        "ground": _ground_key(draft),
    }
    etag = writes.validator(draft.row, "changes", asked.since, told["ground"], draft.row.state)
    return answers.json(told, etag=etag, cache=PRIVATE)


def told_of(violation: Violation) -> dict[str, Any]:
    """A broken rule as it is answered: with the word an exception is recorded for."""
    return {**dataclasses.asdict(violation), "rule": violation.rule}


def _ground_key(draft: Draft) -> str:
    return answers.etag("ground", draft.row.weighed, draft.ledger.measured.names)


def _open(service: TheService, plan: str) -> Draft:
    with service.session(CITY) as session:
        return service.desk.open(session, shown.plan(service, session, plan, "exact").id)


def _head(draft: Draft) -> dict[str, Any]:
    row = draft.row
    return {"plan": row.id, "name": row.name, "state": row.state, "revision": row.revision}


def _columns(draft: Draft) -> dict[str, Any]:
    book, own = draft.ledger, draft.grids
    graph = draft.partition.graph
    return {
        "nesting": draft.row.nesting,
        "weights": book.measured.names,
        "score": dataclasses.asdict(drafts.standing(draft)),
        "codes": own.codes,
        "names": own.names,
        "area_codes": [graph.area_codes[a] if a >= 0 else None for a in book.main_area.tolist()],
        "loads": dict(zip(book.measured.names, book.loads, strict=True)),
        "deviation": drafts.deviations(draft),
        "units": book.units,
        "area_m2": book.area_m2,
        "perimeter_m": book.perimeter_m,
        "compactness": book.compactness,
        "parts": book.pieces,
        "crossing": book.areas > 1,
        "areas": book.areas,
        "cut_edges": book.cuts,
        "posts": own.posts,
        "locked": own.locked,
    }

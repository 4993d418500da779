"""`/api/cases`: single cases, for staff only. Filters, pages by key, exact points, the masked text."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any

import h3
from fastapi import APIRouter, Query, Request
from sqlalchemy.orm import Session

from api import answers, policy
from api.dependencies import Service, TheService
from api.routers import shown
from api.schemas import CasesOf, Plain
from geo import case_history, case_list
from geo.case_list import Wanted
from geo.errors import NotFound, RefusedArgument

router = APIRouter(prefix="/api/cases", tags=["cases"])
STAFF_CACHE = "private, no-store"


@router.get("", summary="Cases, the latest loaded first")
def cases(asked: Annotated[CasesOf, Query()], request: Request, service: TheService) -> answers.Answer:
    """One page of cases and `next`, the key of the page after it (null on the last)."""
    with service.session() as session:
        wanted = Wanted(
            shown.filter_of(asked),
            asked.limit + 1,
            _key(asked.after),
            asked.source,
            asked.bbox,
            asked.placed,
            **_zone(service, session, asked),
        )
        found = case_list.cases(session, wanted)
    more, found = len(found) > asked.limit, found[: asked.limit]
    following = _word(found[-1]) if more else None
    for row in found:
        row.pop("source_id")
    if _wants_geojson(request, asked.format):
        collection = {
            "type": "FeatureCollection",
            "features": [_feature(row) for row in found],
            "next": following,
        }
        return answers.Answer(answers.to_json(collection), policy.GEOJSON, cache=STAFF_CACHE)
    return answers.json({"cases": found, "next": following}, cache=STAFF_CACHE)


@router.get("/{id}", summary="One case")
def case(_: Annotated[Plain, Query()], id: str, request: Request, service: TheService) -> answers.Answer:
    """One case by its number, with its stage, whether it is (or was closed) late, and its history."""
    number = int(id) if id.isascii() and id.isdecimal() and len(id) <= 18 else 0
    with service.session() as session:
        found = case_list.case(session, number)
        if found is None:
            raise NotFound("没有这个案件。", "There is no such case.", field="id")
        happened = case_history.history(session, number, found)
    asof = service.store.current().last_instant  # as on the map: overdue when the data end
    found |= {"stage": case_history.stage(found), "late": case_history.late(found, asof), "history": happened}
    found.pop("source_id")
    if _wants_geojson(request, None):
        return answers.Answer(answers.to_json(_feature(found)), policy.GEOJSON, cache=STAFF_CACHE)
    return answers.json(found, cache=STAFF_CACHE)


def _zone(service: Service, session: Session, asked: CasesOf) -> dict[str, Any]:
    """Where: the units of a grid, an area of a level, or an H3 cell; nothing for the whole city."""
    if asked.by is None or asked.code is None:
        return {}
    if asked.by.startswith("hexagon"):
        resolution = int(asked.by.partition(":")[2]) if asked.by.partition(":")[2].isdecimal() else 9
        if not h3.is_valid_cell(asked.code) or h3.get_resolution(asked.code) != resolution:
            raise case_list.unknown_zone(asked.by, asked.code)
        return {"cell": asked.code}
    columns = service.store.current()
    if asked.by == "grid":
        plan = shown.plan(service, session, asked.plan, "exact")
        return {"units": case_list.units_of_grid(session, columns, plan, asked.code)}
    level, on = shown.level(asked.by, service.today(session))
    return {"area": case_list.area_of_level(session, columns, level, on, asked.code)}


def _wants_geojson(request: Request, given: str | None) -> bool:
    return given == "geojson" or (given is None and policy.GEOJSON in request.headers.get("accept", ""))


def _feature(row: dict[str, Any]) -> dict[str, Any]:
    lon, lat = row.pop("lon"), row.pop("lat")
    place = None if lon is None else {"type": "Point", "coordinates": [lon, lat]}
    return {"type": "Feature", "id": row["id"], "geometry": place, "properties": row}


def _word(row: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(f"{row['source_id']}.{row['id']}".encode()).decode().rstrip("=")


def _key(word: str | None) -> tuple[int, int] | None:
    """The key in an `after`. Raises RefusedArgument when it is not one of ours."""
    if word is None:
        return None
    try:
        source, number = base64.urlsafe_b64decode(word + "=" * (-len(word) % 4)).decode("ascii").split(".")
        key = (int(source), int(number))
    except (ValueError, binascii.Error):
        key = (-1, -1)
    if not (0 <= key[0] < 2**15 and 0 <= key[1] < 2**63):
        raise RefusedArgument(
            "after 应为上一页给出的 next。", "after must be the `next` of the page before.", field="after"
        )
    return key

"""`/api/cases`: single cases, a worker's and a supervisor's of their own area. Filters, pages by key, points, masked text."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import time
from typing import Annotated, Any

import h3
from fastapi import APIRouter, Query, Request
from sqlalchemy.orm import Session

from api import answers, policy
from api.dependencies import Service, ThePrincipal, TheService
from api.routers import shown
from api.schemas import CasesOf, Plain
from api.shapes import cases as promised
from geo import case_history, case_list
from geo.areas import Scope
from geo.case_list import Wanted
from geo.errors import NotFound, RefusedArgument

router = APIRouter(prefix="/api/cases", tags=["cases"])
STAFF_CACHE = "private, no-store"
NOT_FOUND_S = 0.05  # a case of another area and one that does not exist take equally long to be not found


@router.get("", summary="Cases, the latest loaded or the earliest due first", response_model=promised.Cases)
def cases(
    asked: Annotated[CasesOf, Query()], request: Request, service: TheService, principal: ThePrincipal
) -> answers.Answer:
    """One page of cases and `next`, the key of the page after it (null on the last).

    A worker and a supervisor see those of their area (`area`); who has none is told so (`notice`) and sees none.
    """
    due, after = _key(asked.after, asked.sort == "due")
    with service.session_of(principal) as (session, seen):
        wanted = Wanted(
            shown.filter_of(asked),
            asked.limit + 1,
            after,
            source=asked.source,
            bbox=asked.bbox,
            placed=asked.placed,
            after_due=due,
            by_due=asked.sort == "due",
            state=asked.state,
            asof=service.store.current().last_instant,
            seen=seen,
            **_zone(service, session, asked, principal.sight),
        )
        found = case_list.cases(session, wanted)
    more, found = len(found) > asked.limit, found[: asked.limit]
    following = _word(found[-1], asked.sort == "due") if more else None
    for row in found:
        del row["source_id"], row["due_key"]
    if _wants_geojson(request, asked.format):
        collection = {
            "type": "FeatureCollection",
            "features": [_feature(row) for row in found],
            "next": following,
            **_told(seen),
        }
        return answers.Answer(answers.to_json(collection), policy.GEOJSON, cache=STAFF_CACHE)
    return answers.json({"cases": found, "next": following, **_told(seen)}, cache=STAFF_CACHE)


@router.get("/{id}", summary="One case", response_model=promised.Case)
def case(
    _: Annotated[Plain, Query()], id: str, request: Request, service: TheService, principal: ThePrincipal
) -> answers.Answer:
    """One case by its number, with its stage, whether it is (or was closed) late, and its history.

    One of another area is not found, like one that does not exist.
    """
    began = time.monotonic()
    number = int(id) if id.isascii() and id.isdecimal() and len(id) <= 18 else 0
    with service.session_of(principal) as (session, seen):
        found = case_list.case(session, number, seen)
        happened = case_history.history(session, number, found) if found is not None else []
    if found is None:
        if not seen.everything:
            time.sleep(max(0.0, began + NOT_FOUND_S - time.monotonic()))
        raise NotFound("没有这个案件。", "There is no such case.", field="id")
    asof = service.store.current().last_instant  # as on the map: overdue when the data end
    found |= {"stage": case_history.stage(found), "late": case_history.late(found, asof), "history": happened}
    del found["source_id"], found["due_key"]
    if _wants_geojson(request, None):
        return answers.Answer(answers.to_json(_feature(found)), policy.GEOJSON, cache=STAFF_CACHE)
    return answers.json(found, cache=STAFF_CACHE)


def _told(seen: Scope) -> dict[str, Any]:
    """What the answer says about its limits: the area, or why nothing is seen."""
    if seen.everything:
        return {}
    area = None if seen.code is None else {"level": seen.level, "code": seen.code, "name": seen.name}
    if seen.boundary is not None:
        return {"area": area}
    return {"area": area, "notice": NO_AREA if area is None else AREA_GONE}


NO_AREA = {
    "code": "no-area",
    "zh": "您的账号没有责任区，看不到案件。请管理员设定。",
    "en": "Your account has no area, so you see no case. Ask an administrator to set it.",
}
AREA_GONE = {
    "code": "area-gone",
    "zh": "您的责任区在今天的边界中不存在，看不到案件。请管理员更新。",
    "en": "Your area is not in the boundaries in force today, so you see no case. Ask an administrator to set a new one.",
}


def _zone(service: Service, session: Session, asked: CasesOf, sight: str) -> dict[str, Any]:
    """Where: the units of grids, areas of a level, or H3 cells; nothing for the whole city."""
    if asked.by is None:
        return {}
    if asked.by.startswith("hexagon"):
        resolution = int(asked.by.partition(":")[2]) if asked.by.partition(":")[2].isdecimal() else 9
        for code in asked.code:
            if not h3.is_valid_cell(code) or h3.get_resolution(code) != resolution:
                raise case_list.unknown_zone(asked.by, code)
        return {"cells": tuple(asked.code)}
    columns = service.store.current()
    if asked.by == "grid":
        plan = shown.plan(service, session, asked.plan, sight)
        return {"units": case_list.units_of_grids(session, columns, plan, asked.code)}
    level, on = shown.level(asked.by, service.today(session))
    return {"areas": case_list.areas_of_level(session, columns, level, on, asked.code)}


def _wants_geojson(request: Request, given: str | None) -> bool:
    return given == "geojson" or (given is None and policy.GEOJSON in request.headers.get("accept", ""))


def _feature(row: dict[str, Any]) -> dict[str, Any]:
    lon, lat = row.pop("lon"), row.pop("lat")
    place = None if lon is None else {"type": "Point", "coordinates": [lon, lat]}
    return {"type": "Feature", "id": row["id"], "geometry": place, "properties": row}


def _word(row: dict[str, Any], by_due: bool) -> str:
    key = f"{row['source_id']}.{row['id']}" + (f".{row['due_key']}" if by_due else "")
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def _key(word: str | None, by_due: bool) -> tuple[str | None, tuple[int, int] | None]:
    """The due time and the numbers in an `after`. Raises RefusedArgument when it is not one of ours, or of the other order."""
    if word is None:
        return None, None
    try:
        written = base64.urlsafe_b64decode(word + "=" * (-len(word) % 4)).decode("ascii")
        source, number, *due = written.split(".", 2)
        key, late = (int(source), int(number)), _due(due, by_due)
    except (ValueError, binascii.Error):
        key, late = (-1, -1), None
    if not (0 <= key[0] < 2**15 and 0 <= key[1] < 2**63):
        raise RefusedArgument(
            "after 应为上一页给出的 next。", "after must be the `next` of the page before.", field="after"
        )
    return late, key


def _due(written: list[str], by_due: bool) -> str | None:
    """The due time of a key. Raises ValueError where it is missing, superfluous or no time."""
    if len(written) != int(by_due):
        raise ValueError
    if written and written[0] != "infinity":
        dt.datetime.fromisoformat(written[0] + ":00" * (written[0][-3] in "+-"))
    return written[0] if written else None

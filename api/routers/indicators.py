"""`/api/indicators` and `/api/repeats`: who stands where and how surely, and where it happens again. For staff."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query
from numpy.typing import NDArray

from api import answers
from api.auth import Principal
from api.dependencies import Service, ThePrincipal, TheService
from api.routers import shown
from api.routers.summary import chosen
from api.schemas import IndicatorsOf, RepeatsOf
from api.shapes import figures as promised
from geo import areas
from geo.analysis.indicators import Indicators, indicators
from geo.analysis.ranks import LEVEL, METHOD
from geo.analysis.repeats import repeats

router = APIRouter(tags=["heat"])
STAFF_CACHE = "private, no-store"


@router.get(
    "/api/indicators", summary="Values with intervals and rank ranges", response_model=promised.Indicators
)
def indicators_of(
    asked: Annotated[IndicatorsOf, Query()], service: TheService, principal: ThePrincipal
) -> answers.Answer:
    """A measure of every grid or area with n, a 95 % interval, its rank (1: the highest) and the ranks it may hold.

    Rank ranges hold all together with 95 % (Tukey's HSD; Mohamad, van Zwet, Solari & Goeman 2019). `group`: zones that
    cannot be told apart from the first of their group; null where there are too few cases.
    """
    return shown.kept(service, "indicators", asked, principal.sight, lambda: _indicators(service, asked))


@router.get("/api/repeats", summary="Places where it happens again", response_model=promised.Repeats)
def repeats_of(
    asked: Annotated[RepeatsOf, Query()], service: TheService, principal: ThePrincipal
) -> answers.Answer:
    """Units with two or more cases of one category, most first; workers and supervisors see those of their own area."""
    found = repeats(
        service.session,
        service.store,
        limit=asked.limit,
        units=_own_units(service, principal),
        **chosen(service, asked, principal.sight),
    )
    rows = found.found
    made = {
        "units": [row.unit for row in rows],
        "lon": [row.lon for row in rows],
        "lat": [row.lat for row in rows],
        "category": [row.category for row in rows],
        "category_name": [row.name for row in rows],
        "category_name_en": [row.name_en for row in rows],
        "n": [row.n for row in rows],
        "first": [row.first for row in rows],
        "last": [row.last for row in rows],
        "places": found.places,
        "cases": found.cases,
        "version": found.version,
    }
    return answers.json(made, cache=STAFF_CACHE)


def _indicators(service: Service, asked: IndicatorsOf) -> dict[str, Any]:
    found = indicators(
        service.session,
        service.store,
        by=asked.by,
        plan=asked.plan,
        where=shown.filter_of(asked),
        measure=asked.measure,
        asof=asked.asof,
    )
    heat, ranks = found.heat, found.ranks
    first, stop = heat.period
    return {
        "by": heat.by,
        "measure": heat.measure,
        "unit": heat.unit,
        "plan": None
        if heat.plan is None
        else {"id": heat.plan.id, "name": heat.plan.name, "state": heat.plan.state},
        "period": {"from": first, "to": stop},
        "asof": heat.asof,
        "codes": heat.codes,
        "names": heat.names,
        "values": heat.values,
        "n": heat.n,
        "low": found.low,
        "high": found.high,
        "rank": _or_null(ranks.rank),
        "rank_low": _or_null(ranks.low),
        "rank_high": _or_null(ranks.high),
        "group": _or_null(ranks.group),
        "posts": found.posts,
        "ranked": int((ranks.rank > 0).sum()),
        "level": LEVEL,
        "method": METHOD,
        "total": heat.total,
        "unplaced": heat.unplaced,
        "outside": heat.outside,
        "version": _version(found),
    }


def _version(found: Indicators) -> str:
    revision = found.heat.plan.revision if found.heat.plan is not None else 0
    return f"{found.heat.version}/{revision}"


def _or_null(numbers: NDArray[np.int64]) -> list[int | None]:
    """Ranks and groups; 0 says that there is none."""
    return [number or None for number in numbers.tolist()]


def _own_units(service: Service, principal: Principal) -> NDArray[np.int32] | None:
    """The units whose cases this caller may see: all for an admin, those of the own area for field roles."""
    with service.session_of(principal) as (session, seen):
        return None if seen.everything else areas.unit_ids(session, seen)

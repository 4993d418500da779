"""`/api/zones`: the grids of a plan or the areas of a level as columns, in the order of every heat map."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from api import answers
from api.dependencies import ThePrincipal, TheService
from api.routers import shown
from api.schemas import ZonesOf
from api.shapes import city as promised
from geo.analysis.counts import zones as all_zones
from geo.errors import RefusedArgument
from geo.heat import Zones

router = APIRouter(tags=["city"])


@router.get("/api/zones", summary="Grids or areas", response_model=promised.Zones)
def zones(asked: Annotated[ZonesOf, Query()], service: TheService, principal: ThePrincipal) -> answers.Answer:
    """Codes, names, parents, area in m², households, a point inside and the box of each, ordered by code."""
    sight = principal.sight_by(asked.by)
    key = (service.word(sight, asked.plan), "zones", asked.by, asked.plan, principal.sight, sight)
    kept = service.answers.get(key)
    if kept is not None:
        return kept
    if asked.by.startswith("hexagon:") and sight != "exact":  # only those with a case exist
        raise RefusedArgument("by 须为 grid 或层级。", "by is grid or a level.", field="by")
    shown.check_plan(service, asked.by, asked.plan, principal.sight)
    found = all_zones(service.session, service.store, asked.by, asked.plan)
    content = answers.to_json(_columns(found))
    rule = answers.cache_rule(sight)
    made = answers.Answer(content, "application/json", etag=answers.etag(found.version, content), cache=rule)
    return service.answers.put(key, made)


def _columns(found: Zones) -> dict[str, Any]:
    return {
        "by": found.by,
        "plan": {"id": found.plan.id, "name": found.plan.name} if found.plan else None,
        "codes": found.codes.tolist(),
        "names": found.names.tolist(),
        "parents": found.parents.tolist(),
        "area_m2": found.area_m2,
        "households": found.households,
        "lon": found.lon,
        "lat": found.lat,
        "bbox": found.bbox,
    }

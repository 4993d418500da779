"""`/api/consultations/{plan}`: a draft as the public sees it while it is open, and the public's remarks.

By setting (WANGGE_PUBLIC_COMMENTS), and only for drafts that somebody opened (`/api/plans/{plan}/consultation`). With the
setting off, a draft that is not open and a plan that there is not give one answer, to everybody. There is no figure of
cases here, no person and no comment of the staff: the grids, the ground that changes, and what was released.
"""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import ConfigDict, Field
from shapely import to_geojson
from sqlalchemy.orm import Session

from api import answers, limits, policy
from api.dependencies import Service, TheService
from api.routers.draft_bodies import Code
from api.schemas import Given, Plain
from api.shapes import consultation as promised
from api.writes import TheWrite
from etl import privacy
from geo import tiles
from geo.db.clock import city_zone
from geo.db.tables import Plan
from geo.zones import no_plan
from grids import comparing, consulting, plans, remarks

router = APIRouter(tags=["consultation"])
Number = Annotated[str, Path(description="草案编号 / the draft's number", max_length=200)]
OF_PUBLIC = "private, no-cache"  # the day after the last one it is gone
ABOUT_M = 5  # decimals of a degree: a metre


class Said(Given):
    """What somebody says, and the grid it is about; no name is asked."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"body": "河东几栋楼应归北街。", "grid": "110101001001002"}]}
    )

    body: Annotated[str, Field(min_length=1, max_length=remarks.MOST_CHARACTERS)]
    grid: Code | None = None


@router.get(
    "/api/consultations/{plan}",
    summary="A draft that is open to the public",
    response_model=promised.Consultation,
)
def consultation(_: Annotated[Plain, Query()], plan: Number, service: TheService) -> answers.Answer:
    """Its name, last day, grids with their boxes (degrees) and the remarks that were released, the newest first."""
    with service.session() as session:
        row = _seen(service, session, plan)
        held = plans.holding(session, service.today(session))
        outlines = consulting.outlines(session, row.id)
        zone = city_zone(session)
        said = [one.public(zone) for one in remarks.listing(session, row.id, "released")]
        found = {
            "plan": {"id": row.id, "name": row.name, "grids": len(outlines)},
            "until": consulting.last_day(session, row.id),
            "in_force": None if held is None else {"id": held.id, "name": held.name},
            "codes": [code for code, _, _ in outlines],
            "names": [name for _, name, _ in outlines],
            "boxes": [[round(degree, ABOUT_M) for degree in box] for _, _, box in outlines],
            "most_characters": remarks.MOST_CHARACTERS,
            "remarks": said,
        }
        tag = answers.etag(row.id, row.revision, held and held.id, found["until"], said)
    return answers.json(found, etag=tag, cache=OF_PUBLIC)


@router.get("/api/consultations/{plan}/changes", summary="The ground that would change hands")
def changes(_: Annotated[Plain, Query()], plan: Number, service: TheService) -> answers.Answer:
    """From the plan in force to the draft, as one GeoJSON feature with `area_share` (0–1); none where no plan is in force."""
    with service.session() as session:
        row = _seen(service, session, plan)
        held = plans.holding(session, service.today(session))
        tag = answers.etag("consultation", row.id, row.revision, held and held.id, *service.fresh.of("units"))
        known = service.answers.get(tag)
        if known is not None:
            return known
        features = []
        if held is not None:
            shape, share = comparing.changed_ground(session, held.id, row.id)
            about = {"area_share": share}
            features = [{"type": "Feature", "geometry": json.loads(to_geojson(shape)), "properties": about}]
    content = answers.to_json({"type": "FeatureCollection", "features": features})
    return service.answers.put(tag, answers.Answer(content, policy.GEOJSON, etag=tag, cache=OF_PUBLIC))


@router.get(
    "/tiles/consultations/{plan}/grids/{z}/{x}/{y}.mvt", summary="A vector tile of a draft that is open"
)
def tile(
    _: Annotated[Plain, Query()], plan: Number, z: str, x: str, y: str, service: TheService
) -> answers.Answer:
    """Grids with code and name."""
    at = tiles.TileId.parse(z, x, y)
    with service.session() as session:
        row = _seen(service, session, plan)
        tag = answers.etag("consultation", row.id, row.revision, at)
        known = service.tiles.get(tag)
        if known is not None:
            return known
        content = tiles.tile(session, tiles.Subject("grids", plan=row.id, revision=row.revision), at)
    status = 200 if content else 204
    return service.tiles.put(
        tag, answers.Answer(content, policy.MVT, status=status, etag=tag, cache=OF_PUBLIC)
    )


@router.post(
    "/api/consultations/{plan}/remarks",
    summary="Remark on a draft that is open",
    response_model=promised.RemarkMade,
    status_code=201,
)
def remark(
    _: Annotated[Plain, Query()],
    plan: Number,
    given: Said,
    request: Request,
    service: TheService,
    write: TheWrite,
) -> answers.Answer:
    """Held until a planner releases it. Phone numbers, identity cards, plates, rooms and names are replaced before
    anything is stored; `masked` says which. So many a minute and an hour from one network (429 with Retry-After)."""
    body, masked = privacy.mask(remarks.readable(given.body))
    with service.session() as session:
        row = _seen(service, session, plan)
    _count(service, request, row)

    def effect(session: Session) -> answers.Answer:
        row = _seen(service, session, plan)
        made = remarks.add(session, row, body[: remarks.MOST_CHARACTERS], grid=given.grid, who=write.who)
        return answers.json({"state": made.state, "body": made.body, "masked": masked}, status=201)

    return write.once(effect)


def _seen(service: Service, session: Session, word: str) -> Plan:
    """The draft of a number, as far as the public may see it; whatever is wrong, the answer is that of no plan."""
    number = word.isascii() and word.isdecimal() and len(word) <= 9
    if not service.settings.public_comments or not number:
        raise no_plan(word)
    found = consulting.seen(session, int(word))
    if found is None:
        raise no_plan(word)
    return found


def _count(service: Service, request: Request, row: Plan) -> None:
    """Counts a remark before it is looked at, in a transaction of its own."""
    peer = request.client.host if request.client else ""
    headers = dict(request.scope["headers"])
    address = limits.address(peer, headers, service.settings.trusted_proxies)
    with service.session() as session:
        limits.count_remark(session, row.id, address)

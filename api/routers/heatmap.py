"""`/api/heatmap/…`: how warm each grid, area or cell is. Plain ASGI: these are asked most.

The public sees counts of at least k; who is signed in sees all. Values + hidden + unplaced + outside = total.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from api import answers, forms, policy
from api.auth import Principal
from api.dependencies import Service, principal_of, release
from api.routers import shown
from api.schemas import Heat, HeatBoundaries, HeatFacilities, HeatGrids, HeatHexagons, parse
from geo import access, supply
from geo.analysis.counts import heat, k_for
from geo.disclosure import clip, protect, without_hidden
from geo.errors import RefusedArgument, WanggeError
from geo.heat import HeatMap
from maps.classify import for_measure

MODELS: Mapping[str, type[Heat | HeatFacilities]] = {
    "grids": HeatGrids,
    "boundaries": HeatBoundaries,
    "hexagons": HeatHexagons,
    "facilities": HeatFacilities,
}
BESIDE = (
    "boundaries",
    "units",
    "plans",
    "weights",
)  # what an answer depends on beside the state of the columns
FINEST = "hexagon:11"
MEDIA = {"json": policy.JSON, "arrow": policy.ARROW, "geojson": policy.GEOJSON}


class HeatMaps:
    """`GET /api/heatmap/{what}` for one `what`."""

    def __init__(self, service: Service, what: str) -> None:
        self.service, self.what, self.model = service, what, MODELS[what]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        service, who, form = self.service, principal_of(scope), _accepted(scope)
        word = await service.stamp(scope, who.sight)
        sights = (who.sight, who.sight_by(FINEST))  # two people for whom both are equal get one answer
        key = (word, self.what, scope["query_string"], form, sights)
        answer = service.answers.get(key)
        if answer is None:
            answer = await run_in_threadpool(self._make, scope["query_string"], form, who)
            service.answers.put(key, answer)
        await answer(scope, receive, send)

    def _make(self, query: bytes, form: str, who: Principal) -> answers.Answer:
        asked = parse(self.model, query)
        assert isinstance(asked, Heat | HeatFacilities)
        sight = who.sight_by(_where(asked)[0]) if isinstance(asked, Heat) else who.sight
        form = asked.format or form
        beside = self.service.fresh.of(*BESIDE)  # before the content: at worst it is asked for once more
        found = (
            self._facilities(asked, sight) if isinstance(asked, HeatFacilities) else self._cases(asked, sight)
        )
        breaks = for_measure(found.measure, found.values, method=asked.classes_by)
        if form == "arrow":
            content = forms.as_arrow(found, breaks)
        elif form == "geojson":
            with self.service.session() as session:
                content = forms.as_geojson(session, found, breaks)
        else:
            content = forms.as_json(found, breaks, getattr(asked, "columns", "all"))
        state = (found.version, beside) if isinstance(found, HeatMap) else content
        validator = answers.etag(release(), self.what, query, form, sight, state)
        return answers.Answer(content, MEDIA[form], etag=validator, cache=answers.cache_rule(sight))

    def _cases(self, asked: Any, sight: str) -> HeatMap:
        assert isinstance(asked, Heat)
        by, plan, bbox = _where(asked)
        where = shown.filter_of(asked)
        # first of all, or another refusal would tell a draft from a plan that there is not
        shown.check_plan(self.service, by, plan, sight)
        try:
            found = heat(
                self.service.session,
                self.service.store,
                by=by,
                plan=plan,
                where=where,
                measure=asked.measure,
                asof=asked.asof,
            )
        except WanggeError as error:
            raise shown.renamed(error, "by", "level") from error.__cause__
        if sight != "exact":
            found = protect(found, k_for(self.service.store, where))
            if isinstance(asked, HeatHexagons):
                found = without_hidden(found)
        return found if bbox is None else clip(found, bbox)

    def _facilities(self, asked: HeatFacilities, sight: str) -> supply.Supply:
        hexagon = asked.by.startswith("hexagon:")
        if hexagon and asked.measure in ("per_1000_households", "share_within_minutes"):
            raise RefusedArgument(
                "按六边形没有户数。", "Households are not known by hexagon; use by=grid.", field="measure"
            )
        version = str(self.service.fresh.of("network"))
        with self.service.session() as session:
            if hexagon:
                return supply.by_hexagon(session, int(asked.by.partition(":")[2]), asked.kind, asked.measure)
            if asked.plan == "as-was":
                raise RefusedArgument(
                    "设施只有现状，没有“当时”；请用 as-of:日期。",
                    "Facilities stand as they are today; use as-of:DATE.",
                    field="plan",
                )
            plan = shown.plan(self.service, session, asked.plan, sight)
            columns = self.service.store.current()
            if asked.measure == "share_within_minutes":
                walk = access.Walk(asked.minutes, asked.speed_m_s)
                return access.share_within(session, columns, plan, asked.kind, walk, version)
            return supply.by_grid(session, columns, plan, asked.kind, asked.measure)


def _where(asked: Heat) -> tuple[str, str, Any]:
    """(by, plan, bbox) of a request."""
    if isinstance(asked, HeatHexagons):
        return f"hexagon:{asked.resolution}", "current", asked.bbox
    if isinstance(asked, HeatBoundaries):
        return asked.level, "current", None
    assert isinstance(asked, HeatGrids)
    return "grid", asked.plan, None


def _accepted(scope: Scope) -> str:
    """The form that the Accept header asks for."""
    for name, value in scope["headers"]:
        if name == b"accept":
            if policy.ARROW.encode() in value:
                return "arrow"
            if policy.GEOJSON.encode() in value:
                return "geojson"
    return "json"

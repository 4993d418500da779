"""The service: FastAPI routes for people-paced work, plain ASGI for tiles and heat, one door for all of them.

    uvicorn api.app:from_environment --factory --no-proxy-headers

Without that flag uvicorn itself would believe forwarded addresses from this machine; who may forward them is ours to say
(`WANGGE_TRUSTED_PROXIES`).

`python -m api.app` prints the interface as OpenAPI; the page's types are made from it (`hatch_build.py types`).
`create_app` refuses to build an application whose routes and policy table differ.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import AsyncIterator, Mapping

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from api import answers, openapi, policy, problems
from api.dependencies import Service, release
from api.guard import Guard
from api.metrics import Metrics
from api.routers import (
    approval,
    auditing,
    cases,
    city,
    comments,
    consultations,
    cuts,
    dated,
    draft_views,
    drafts,
    exports,
    health,
    indicators,
    jobs,
    judging,
    loads,
    moderating,
    overlaying,
    plan_files,
    plans,
    proposing,
    reports,
    runs,
    series,
    session,
    sso,
    summary,
    users,
    zones,
)
from api.routers.heatmap import MODELS, HeatMaps
from api.routers.static import Basemap, Files
from api.routers.tiles import Tiles, TileSets
from geo.db import session as sessions
from geo.settings import Settings

FAMILIES = (
    health.router,
    session.router,
    sso.router,
    users.router,
    auditing.router,
    city.router,
    plans.router,
    judging.router,
    overlaying.router,
    proposing.router,
    plan_files.router,
    approval.router,
    drafts.router,
    draft_views.router,
    dated.router,
    comments.router,
    consultations.router,
    moderating.router,
    cuts.router,
    cases.router,
    runs.router,
    jobs.router,
    loads.router,
    exports.router,
    zones.router,
    series.router,
    summary.router,
    indicators.router,
    reports.router,
)


class RouteWithoutPolicy(RuntimeError):
    """A route that is not in the policy table, or a row of it without a route."""


def from_environment() -> FastAPI:
    """The application of `WANGGE_*`, for `uvicorn --factory`."""
    return create_app(Settings.from_environment())


def create_app(settings: Settings) -> FastAPI:
    """Builds the application; touches neither database nor column files yet."""
    service, metrics = Service.build(settings), Metrics(settings)
    app = FastAPI(
        title="Wangge 网格",
        version=release(),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=_lifespan,
        redirect_slashes=False,
    )
    app.state.service, app.state.metrics = service, metrics
    for family in FAMILIES:
        app.include_router(family)
    app.include_router(openapi.router)
    plain = plain_routes(service)
    check_policy(app, plain)
    openapi.describe(app)
    app.add_exception_handler(RequestValidationError, _refused)
    app.add_exception_handler(HTTPException, _refused)
    app.add_middleware(Guard, service=service, plain=plain, metrics=metrics)
    return app


def plain_routes(service: Service) -> Mapping[str, ASGIApp]:
    """Policy path → plain ASGI application; all of them answer GET only."""
    tiles, sets, files = Tiles(service), TileSets(service), Files()
    heat = {f"/api/heatmap/{what}": HeatMaps(service, what) for what in MODELS}
    return {
        **heat,
        "/tiles/cases": sets,
        "/tiles/{layer}": sets,
        "/tiles/plans/{plan}/grids": sets,
        "/tiles/cases/{z}/{x}/{y}.mvt": tiles,
        "/tiles/{layer}/{z}/{x}/{y}.mvt": tiles,
        "/tiles/plans/{plan}/grids/{z}/{x}/{y}.mvt": tiles,
        "/basemap.pmtiles": Basemap(service.settings.basemap_pmtiles),
        "/": files,
        "/{file:path}": files,
    }


def check_policy(app: FastAPI, plain: Mapping[str, ASGIApp]) -> None:
    """Raises RouteWithoutPolicy unless routes and policy rows are the same set."""
    routes = {("GET", path) for path in plain}
    for context in iter_route_contexts(app.routes):
        for method in context.methods or ():
            routes.add((method, str(context.path)))
    unlisted, dead = policy.mismatch(policy.TABLE, routes)
    if unlisted or dead:
        raise RouteWithoutPolicy(
            f"routes without a policy row: {unlisted}; policy rows without a route: {dead}"
        )


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    service.fresh.start()
    app.state.metrics.start()
    yield
    service.fresh.stop()
    app.state.metrics.stop()
    sessions.forget(service.settings)


async def _refused(request: Request, error: Exception) -> Response:
    if isinstance(error, RequestValidationError):
        return answers.problem(problems.from_validation(error.errors()), request.scope)
    return answers.problem(problems.translate(error), request.scope)


if __name__ == "__main__":
    json.dump(from_environment().openapi(), sys.stdout, ensure_ascii=False)

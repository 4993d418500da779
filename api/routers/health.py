"""`/healthz`, `/readyz`, `/metrics`: for whoever keeps the service running."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy import text

from api import answers
from api.dependencies import Service, TheService
from api.routers.static import index_file
from api.schemas import Plain
from api.shapes import service as promised
from geo.db import migrations

router = APIRouter(tags=["service"])


@router.get("/healthz", summary="The process is alive", response_model=promised.Alive)
def healthz(_: Annotated[Plain, Query()]) -> answers.Answer:
    """`{"status": "ok"}` whenever this process answers at all; it asks nobody."""
    return answers.json({"status": "ok"})


@router.get(
    "/readyz",
    summary="It can answer",
    response_model=promised.Ready,
    responses={503: {"model": promised.Ready}},
)
def readyz(_: Annotated[Plain, Query()], service: TheService) -> answers.Answer:
    """200 when the database answers, its schema is the one this code needs, the web application is built and the
    cases stand as columns; else 503 with what is missing."""
    checks = {**_database(service), "ui": index_file() is not None, "columns": service.fresh.ready.is_set()}
    ready = all(checks.values())
    return answers.json(
        {"status": "ready" if ready else "not ready", "checks": checks}, status=200 if ready else 503
    )


@router.get("/metrics", summary="Prometheus figures")
def metrics(_: Annotated[Plain, Query()], request: Request) -> answers.Answer:
    """Requests, seconds and statuses by route over all workers, in Prometheus' text format. No city data."""
    return answers.Answer(request.app.state.metrics.exposition(), "text/plain")


def _database(service: Service) -> dict[str, Any]:
    try:
        with service.session() as session:
            revision = session.scalar(text("SELECT version_num FROM alembic_version"))
    except Exception:  # whatever is wrong with it, it cannot answer
        return {"database": False, "schema": False}
    return {"database": True, "schema": revision == migrations.head()}

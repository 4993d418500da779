"""`/api/plans/import` and `/api/plans/{plan}/export.…`: plans as files, in and out. Staff only."""

from __future__ import annotations

import csv
import io
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response, StreamingResponse

from api import answers, plan_files, plan_imports, problems, writes
from api.dependencies import Service, ThePrincipal, TheService
from api.routers import receiving, shown
from api.schemas import ImportOf, Plain
from api.shapes import jobs as promised
from geo.areas import CITY
from geo.db.tables import Audit
from grids import plans

router = APIRouter(prefix="/api/plans", tags=["plans"])

NoQuery = Annotated[Plain, Query()]
MEDIA = {".geojson": "application/geo+json", ".gpkg": "application/geopackage+sqlite3", ".csv": "text/csv"}
LINES_AT_ONCE = 5_000


@router.post(
    "/import",
    summary="A layer of grids becomes a plan, as a job",
    response_model=promised.Job,
    status_code=202,
)
async def import_plan(
    asked: Annotated[ImportOf, Query()], request: Request, service: TheService
) -> answers.Answer:
    """The body is the file itself (a zip for shapefiles). It is opened by a limited child; 202 and the job's address."""
    params = asked.model_dump(exclude={"lang", "file"})
    return await receiving.as_job(
        request, service, "plan.import", asked.file, params, problems.language(request.scope),
        check=lambda session: plan_imports.refuse_name(session, asked.name),
    )  # fmt: skip


@router.get("/{plan}/export.csv", summary="Which grid each unit belongs to", response_class=Response)
def export_csv(
    _: NoQuery, plan: str, request: Request, service: TheService, principal: ThePrincipal
) -> Response:
    """unit, grid, grid_name, area, posts, locked: `load plan` reads it again. UTF-8 with BOM; no cell begins a formula."""
    with service.session() as session:
        row = shown.plan_row(service, session, plan)
        tag, name = writes.validator(row), row.name
        if _known(request, tag):
            return _unchanged(tag)
        rows = plans.assignment(session, row.id)
        what = {"layer": "assignment", "plan": row.id, "rows": len(rows), "k": None, "format": ".csv"}
        session.add(Audit(who=principal.name or "", act="export", what=what))
    return StreamingResponse(
        _lines(rows), media_type="text/csv; charset=utf-8", headers=_headers(name, ".csv", tag)
    )


@router.get("/{plan}/export.geojson", summary="The grids of a plan as GeoJSON", response_class=Response)
def export_geojson(
    _: NoQuery, plan: str, request: Request, service: TheService, principal: ThePrincipal
) -> Response:
    """Every grid's polygon (WGS 84) with what it holds: loads, deviation, compactness, pieces, posts."""
    return _layer(service, request, principal, plan, ".geojson")


@router.get("/{plan}/export.gpkg", summary="The grids of a plan as GeoPackage", response_class=Response)
def export_gpkg(
    _: NoQuery, plan: str, request: Request, service: TheService, principal: ThePrincipal
) -> Response:
    """The same for QGIS, with a style."""
    return _layer(service, request, principal, plan, ".gpkg")


def _layer(
    service: Service, request: Request, principal: Any, plan: str, ending: Literal[".geojson", ".gpkg"]
) -> Response:
    service.settings.exports_dir.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".plan-", dir=service.settings.exports_dir))
    try:
        with service.session(CITY) as session:
            row = shown.plan_row(service, session, plan)
            held = service.fresh.of("cases", "weights", "units")
            tag, name = writes.validator(row, *held), row.name
            if _known(request, tag):
                shutil.rmtree(folder)
                return _unchanged(tag)
            file = plan_files.export(session, row.id, folder / f"grids{ending}", who=principal.name or "")
        gone = BackgroundTask(shutil.rmtree, folder, ignore_errors=True)
        return FileResponse(
            file.path, media_type=MEDIA[ending], headers=_headers(name, ending, tag), background=gone
        )
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _lines(rows: list[dict[str, Any]]) -> Iterator[bytes]:
    """The table in pieces of some thousand lines."""
    yield "\ufeff".encode()
    for start in range(0, max(len(rows), 1), LINES_AT_ONCE):
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        if start == 0:
            writer.writerow(rows[0].keys() if rows else ("unit", "grid"))
        for row in rows[start : start + LINES_AT_ONCE]:
            writer.writerow([plan_files.cell(v) for v in row.values()])
        yield text.getvalue().encode()


def _headers(name: str, ending: str, tag: str) -> dict[str, str]:
    told = f"attachment; filename=\"plan{ending}\"; filename*=UTF-8''{quote(name + ending, safe='')}"
    return {
        "content-disposition": told,
        "etag": f'W/"{tag}"',
        "cache-control": "private, no-cache",
        "vary": answers.VARY,
    }


def _known(request: Request, tag: str) -> bool:
    return tag in request.headers.get("if-none-match", "")


def _unchanged(tag: str) -> Response:
    return Response(status_code=304, headers={"etag": f'W/"{tag}"', "cache-control": "private, no-cache"})

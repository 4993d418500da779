"""`/api/exports`: a layer becomes a file, by a job or at once when it is small; one's own files, for some days."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any
from urllib.parse import quote

import psycopg
from fastapi import APIRouter, Path, Query, Request
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from starlette.responses import FileResponse, Response

from api import answers, exports, problems
from api.dependencies import ThePrincipal, TheService
from api.files_asked import ExportOf, ExportsOf
from api.jobs import queue
from api.routers import shown
from api.routers.jobs import accepted
from api.schemas import Plain
from api.shapes import exports as promised
from api.shapes.jobs import Job
from api.writes import TheWrite
from geo.db.tables import Job as JobRow

router = APIRouter(prefix="/api/exports", tags=["exports"])

Id = Annotated[int, Path(ge=1, le=2**63 - 1)]
NOT_KEPT = "private, no-store"


@router.post("", summary="A layer becomes a file", response_class=Response, responses={202: {"model": Job}})
def export(
    _: Annotated[Plain, Query()], given: ExportOf, request: Request, service: TheService, principal: ThePrincipal,
    write: TheWrite,
) -> answers.Answer:  # fmt: skip
    """A small layer (at most 2 000 rows, never cases or hexagons) is answered at once with the file itself, 200 and
    `Content-Location`; anything else, one that takes longer than the web may, and everything with `Prefer:
    respond-async`, with 202 and the address of a job.

    Cases are exported without descriptions and further columns of their source. Heat maps are exact. Who took how
    many rows of what is in the audit.
    """
    lang = problems.language(request.scope)
    asked = given.model_dump(exclude_defaults=True, mode="json") | _said(given)
    params = exports.begin(asked, principal, lang)
    if not exports.check(principal, given.layer, params["area"]):
        raise exports.refuse_cases(principal)
    shown.check_fine(principal, given.by, "by")
    waits = "respond-async" not in request.headers.get("prefer", "")

    def effect(session: Session) -> answers.Answer:
        if waits and exports.is_small(session, params):
            return at_once(session, params)
        return later(session)

    def later(session: Session) -> answers.Answer:
        return accepted(session, queue.ask(session, exports.KIND, params, write.who), lang)

    def at_once(session: Session, params: dict[str, Any]) -> answers.Answer:
        made = exports.make(session, service.settings, params, who=write.who, store=service.store)
        now = dt.datetime.now(dt.UTC)
        job = JobRow(
            kind=exports.KIND, params=params, state="done", result=made, author=write.who, tries=1, started_at=now,
            finished_at=now,
        )  # fmt: skip
        session.add(job)
        session.flush()
        file = exports.file_of(
            service.settings,
            principal,
            {"params": params, "result": made, "state": "done", "finished_at": now},
        )
        assert file is not None
        headers = {**_headers(file), "content-location": f"/api/exports/{job.id}"}
        return answers.Answer(file.path.read_bytes(), file.media_type, cache=NOT_KEPT, headers=headers)

    try:
        return write.once(effect)
    except (DBAPIError, psycopg.Error) as error:
        if problems.translate(error).code != "too-slow":
            raise
        return write.once(
            later
        )  # not so small after all: nothing is left of the try, a job has the time it needs


@router.get("", summary="One's own exports, the latest first", response_model=promised.Exports)
def listing(
    asked: Annotated[ExportsOf, Query()], request: Request, service: TheService, principal: ThePrincipal
) -> answers.Answer:
    """What was asked for, how far it is, rows and bytes, until when the file is kept (`href` while it is)."""
    with service.session() as session:
        found = exports.listing(
            session, service.settings, principal, limit=asked.limit + 1, before=asked.before
        )
    more, found = len(found) > asked.limit, found[: asked.limit]
    made = {
        "exports": [problems.with_problem(one, problems.language(request.scope)) for one in found],
        "next": found[-1]["id"] if more else None,
        "kept_days": service.settings.export_days,
    }
    return answers.json(made, cache=NOT_KEPT)


@router.get("/{id}", summary="The file of an export", response_class=Response)
def file(_: Annotated[Plain, Query()], id: Id, service: TheService, principal: ThePrincipal) -> Response:
    """The file, whole or by `Range`. Only who asked for it (or an admin) finds it, and only until it expires."""
    with service.session() as session:
        row = exports.row_of(session, id, principal)
        found = exports.file_of(service.settings, principal, row)
    if found is None:
        raise exports.no_export()
    return FileResponse(found.path, media_type=found.media_type, headers=_headers(found, NOT_KEPT))


def _said(given: ExportOf) -> dict[str, Any]:
    """What always stands in the row, defaults or not."""
    return {"layer": given.layer, "format": given.format, "crs": given.crs, "encoding": given.encoding}


def _headers(file: exports.File, cache: str | None = None) -> dict[str, str]:
    told = f"attachment; filename=\"{file.path.name}\"; filename*=UTF-8''{quote(file.name, safe='')}"
    return {"content-disposition": told, **({"cache-control": cache} if cache else {})}

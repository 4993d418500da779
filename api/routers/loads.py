"""`/api/loads`: a file comes in, is looked at or loaded by a job, and every row of it is accounted for. Admins only."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from sqlalchemy import text
from starlette.responses import Response, StreamingResponse

from api import answers, problems
from api.dependencies import Service, ThePrincipal, TheService
from api.files_asked import LoadOf, LoadShown, LoadsOf
from api.routers import receiving
from api.schemas import WHOLE, Plain
from api.shapes import loads as promised
from api.shapes.jobs import Job
from etl import runs as stored
from geo import features
from geo.areas import CITY
from geo.db.tables import Audit
from geo.errors import NotFound

router = APIRouter(prefix="/api/loads", tags=["loads"])

KINDS = ("boundaries", "cases", "facilities", "network", "weights", "plan")
LINES_AT_ONCE = 2_000
NOT_KEPT = "private, no-store"
Id = Annotated[int, Path(ge=1, le=WHOLE)]


@router.post("", summary="A file becomes rows, as a job", response_model=Job, status_code=202)
async def load(asked: Annotated[LoadOf, Query()], request: Request, service: TheService) -> answers.Answer:
    """The body is the file itself (a zip for shapefiles). A limited child opens it; 202 and the job's address.

    The job's result has the account of every row, the columns found, the evidence for the CRS, the first rejects; a
    file that is refused is a failed job that says why and what to do, and nothing was changed. With `dry_run=true`
    nothing is changed in any case.
    """
    params = asked.model_dump(exclude={"lang", "file"}, exclude_defaults=True, mode="json")
    return await receiving.as_job(
        request, service, "load", asked.file, params, problems.language(request.scope)
    )


@router.get("", summary="Loads, the latest first", response_model=promised.Loads)
def loads(asked: Annotated[LoadsOf, Query()], service: TheService) -> answers.Answer:
    """Each file loaded, by whom, with its row account; `next` is the `before` of the page after."""
    kinds = (asked.what,) if asked.what else KINDS
    with service.session(CITY) as session:
        found = features.runs(
            session, limit=asked.limit + 1, before=asked.before, kinds=kinds, source=asked.source
        )
    more, found = len(found) > asked.limit, found[: asked.limit]
    return answers.json({"loads": found, "next": found[-1]["id"] if more else None}, cache=NOT_KEPT)


@router.get("/{id}", summary="One load and its rejects", response_model=promised.RunTold)
def one(asked: Annotated[LoadShown, Query()], id: Id, service: TheService) -> answers.Answer:
    """How the file was read, what became of its rows, and the rejects with the reason and what to do, page by page."""
    with service.session(CITY) as session:
        found = features.run(session, id, rejects=asked.limit, after=asked.after)
    if found is None:
        raise no_load()
    return answers.json(found, cache=NOT_KEPT)


@router.get(
    "/{id}/rejects.csv", summary="The rejected rows, to correct and load again", response_class=Response
)
def rejects(_: Annotated[Plain, Query()], id: Id, service: TheService, principal: ThePrincipal) -> Response:
    """The rows as they were delivered (no personal columns), where and why each was rejected. UTF-8 with BOM; no cell
    begins a formula. Corrected, the file is loaded like the first one. Who took it is in the audit."""
    with service.session(CITY) as session:
        run = session.execute(
            text("SELECT report->'header' AS header FROM load_run WHERE id = :id"), {"id": id}
        ).one_or_none()
        if run is None:
            raise no_load()
        names = session.scalars(
            text("SELECT DISTINCT jsonb_object_keys(original) FROM reject WHERE load_run_id = :id"),
            {"id": id},
        ).all()
        rows = session.scalar(text("SELECT count(*) FROM reject WHERE load_run_id = :id"), {"id": id})
        what = {"layer": "rejects", "run": id, "rows": rows, "k": None, "format": "csv"}
        session.add(Audit(who=principal.name or "", act="export", what=what))
    headers = _ordered(set(names), run.header or [])
    return StreamingResponse(
        _lines(service, id, headers),
        media_type="text/csv; charset=utf-8",
        headers={
            "content-disposition": f'attachment; filename="rejects-{id}.csv"',
            "cache-control": NOT_KEPT,
        },
    )


def _ordered(names: set[str], header: list[str]) -> list[str]:
    """The columns in the order of the file."""
    return [*(name for name in header if name in names), *sorted(names - set(header))]


def _lines(service: Service, id: int, headers: list[str]) -> Iterator[bytes]:
    """The file in pieces."""
    yield "\ufeff".encode()
    with service.session(CITY) as session:
        piece = io.StringIO(newline="")
        writer, waiting = csv.writer(piece), 0
        for line in stored.reject_lines(stored.each_reject(session, id), headers):
            writer.writerow(line)
            waiting += 1
            if waiting == LINES_AT_ONCE:
                yield _emptied(piece)
                waiting = 0
        yield _emptied(piece)


def _emptied(piece: io.StringIO) -> bytes:
    content = piece.getvalue().encode()
    piece.seek(0)
    piece.truncate()
    return content


def no_load() -> NotFound:
    """There is no such load."""
    return NotFound(
        "没有这次装载。", "There is no such load.", code="no-such-load", field="id",
        do_zh="/api/loads 列出全部。", do_en="/api/loads lists them.",
    )  # fmt: skip

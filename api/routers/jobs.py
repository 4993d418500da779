"""`/api/jobs`: long work, how far it is, what came of it, and how to stop it. Staff only."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from api import answers, policy, problems
from api.auth import Principal
from api.dependencies import Service, ThePrincipal, TheService
from api.jobs import queue
from api.schemas import JobOf, JobsOf, Plain
from api.shapes import jobs as promised
from api.writes import TheWrite
from geo.errors import Lang

router = APIRouter(prefix="/api/jobs", tags=["jobs"])

LOOK_S = 0.25
MOST_WAITING = 64  # of one process; whoever comes beyond that is answered at once
NO_WORKER = {
    "code": "no-worker",
    "zh": "没有作业进程在运行，作业在排队：请管理员启动作业进程。",
    "en": "No worker runs, so jobs stay queued: ask an administrator to start one.",
}
Id = Annotated[int, Path(ge=1, le=2**63 - 1)]
_waiting = 0


@router.get("", summary="Jobs, the latest first", response_model=promised.Jobs)
def jobs(
    asked: Annotated[JobsOf, Query()], request: Request, service: TheService, principal: ThePrincipal
) -> answers.Answer:
    """What was asked for, by whom, and what became of it; whether a worker is there.

    Everybody sees their own, planners also those about plans, admins all.
    """
    with service.session() as session:
        found = queue.listing(
            session, state=asked.state, kind=asked.kind, limit=asked.limit, before=asked.before,
            sight=_sight(principal),
        )  # fmt: skip
        lives = queue.worker_lives(session)
    lang = problems.language(request.scope)
    made = {"jobs": [problems.with_problem(job, lang) for job in found], "worker": lives}
    return answers.json(made, etag=answers.etag(made), cache="private, no-cache")


@router.get("/{id}", summary="One job", response_model=promised.Job)
async def job(
    asked: Annotated[JobOf, Query()], id: Id, request: Request, service: TheService, principal: ThePrincipal
) -> answers.Answer:
    """How far the job is and what came of it.

    `wait=seconds` (at most 30) holds the answer back until the job has ended or, with `If-None-Match`, until it is no
    longer as the caller knows it; then the time is over and the job stands as it is (304 when nothing changed).
    """
    global _waiting
    until = time.monotonic() + (asked.wait if _waiting < MOST_WAITING else 0)
    known = request.headers.get("if-none-match")
    lang = problems.language(request.scope)
    _waiting += 1
    try:
        while True:
            found, etag = await run_in_threadpool(_look, service, id, lang, _sight(principal))
            news = etag not in known if known else found["state"] in queue.ENDED
            if news or time.monotonic() >= until or await request.is_disconnected():
                return answers.json(found, etag=etag, cache="private, no-cache")
            await asyncio.sleep(LOOK_S)
    finally:
        _waiting -= 1


@router.post("/{id}/cancel", summary="Stop a job", response_model=promised.Job, status_code=202)
def cancel(
    _: Annotated[Plain, Query()], id: Id, request: Request, principal: ThePrincipal, write: TheWrite
) -> answers.Answer:
    """A queued job never starts; a running one is asked to stop, leaves nothing, and is ended if it does not listen."""
    lang = problems.language(request.scope)

    def effect(session: Session) -> answers.Answer:
        return answers.json(
            problems.with_problem(queue.cancel(session, id, write.who, _sight(principal)), lang), status=202
        )

    return write.once(effect)


def accepted(session: Session, job: int, lang: Lang) -> answers.Answer:
    """202 for a job that was just asked for, with its address."""
    found = with_notice(session, problems.with_problem(queue.show(session, job), lang))
    return answers.json(found, status=202, headers={"Location": f"/api/jobs/{job}"})


def with_notice(session: Session, found: dict[str, Any]) -> dict[str, Any]:
    """Says so when nobody is there to do a queued job."""
    if found["state"] == "queued" and not queue.worker_lives(session):
        return {**found, "notice": NO_WORKER}
    return found


def _sight(principal: Principal) -> queue.Sight:
    """Whose jobs somebody sees: results of loads hold rows of cases, exports are their owner's."""
    return queue.Sight(
        principal.name or "", principal.role in policy.PLANNERS, principal.role in policy.ADMINS
    )


def _look(service: Service, id: int, lang: Lang, sight: queue.Sight) -> tuple[dict[str, Any], str]:
    with service.session() as session:
        found = with_notice(session, problems.with_problem(queue.show(session, id, sight), lang))
    return found, answers.etag(found)

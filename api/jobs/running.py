"""One job, in this process: the work and its end are one transaction."""

from __future__ import annotations

from api import problems
from api.jobs import kinds, queue
from api.jobs.queue import Asked
from api.jobs.reporting import Reporter
from api.logs import log, log_failure
from geo.db import session as sessions
from geo.errors import Cancelled, Conflict
from geo.settings import Settings

# How the process ends: what became of the job is written, cannot be written, is unknown.
TOLD, LOST, BROKEN = 0, 75, 70


class Overtaken(Conflict):
    """The job is no longer this worker's: what was done is not committed."""

    default_code = "job-overtaken"


def perform(settings: Settings, asked: Asked) -> int:
    """Does the work and writes what came of it; returns `TOLD`, or `LOST` when the database went away."""
    try:
        _work(settings, asked)
    except Exception as error:
        return _failed(settings, asked, error)
    return TOLD


def _work(settings: Settings, asked: Asked) -> None:
    with Reporter(settings, asked) as reporter, sessions.session(settings, "owner") as session:
        work = kinds.function(asked.kind)
        under = kinds.Under(asked.author, settings, reporter.progress, reporter.cancel)
        result = work(session, asked.params, under)
        session.flush()
        if not queue.end(session, asked, "done", result=result):
            raise Overtaken("作业已由他处接手。", "The job was taken over elsewhere.")


def _failed(settings: Settings, asked: Asked, error: Exception) -> int:
    problem = problems.translate(error)
    if isinstance(error, Overtaken):
        log("job overtaken", job=asked.id, tries=asked.tries)
        return TOLD
    if problem.code == "database-unavailable":
        return LOST
    if isinstance(problem, problems.Broken):
        log_failure(str(asked.id), f"job {asked.kind}", error)
    state = "cancelled" if isinstance(problem, Cancelled) else "failed"
    try:
        with sessions.session(settings, "owner") as session:
            queue.end(session, asked, state, problem=None if state == "cancelled" else problem)
    except Exception as other:
        log_failure(str(asked.id), f"job {asked.kind}", other)
        return LOST if problems.translate(other).code == "database-unavailable" else BROKEN
    return TOLD

"""Jobs: who asked for what, how far it is, what came of it."""

from __future__ import annotations

import datetime as dt

from api.shapes.loads import Loaded
from api.shapes.results import Exported, Imported, Proposed, Rebalanced, Sampled
from api.shapes.service import Facts
from api.shapes.shape import Shape, absent
from api.shapes.words import JobState, Notice


class JobProblem(Facts):
    """Why a job failed, in the caller's language (`detail`) and in both."""

    type: str
    detail: str
    zh: str
    en: str
    do_zh: str
    do_en: str
    field: str | None


class About(Shape):
    """What of a job's parameters a person may want to know."""

    file: str | None = absent()
    what: str | None = absent()
    level: str | None = absent()
    source: str | None = absent()
    column: str | None = absent()
    dry_run: bool | None = absent()
    layer: str | None = absent()
    format: str | None = absent()
    name: str | None = absent()


class Job(Shape):
    """Long work: how far it is and what came of it; `notice` says so when nobody is there to do it."""

    id: int
    kind: str
    state: JobState
    stage: str
    done: int
    total: int | None
    result: Proposed | Rebalanced | Sampled | Imported | Loaded | Exported | None
    problem: JobProblem | None
    author: str
    tries: int
    asked_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    cancel_asked_at: dt.datetime | None
    about: About
    notice: Notice = absent()


class Jobs(Shape):
    """Jobs, the latest first, and whether a worker is there."""

    jobs: list[Job]
    worker: bool

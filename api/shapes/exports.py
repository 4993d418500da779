"""Exports: one's own files, how far they are and until when they are kept."""

from __future__ import annotations

import datetime as dt
from typing import Any

from api.shapes.jobs import JobProblem
from api.shapes.shape import Shape
from api.shapes.words import Both, JobState


class Export(Shape):
    """One's own export: how far it is, what was written, until when it is kept (`href` while it is)."""

    id: int
    author: str
    state: JobState
    stage: str
    done: int
    total: int | None
    problem: JobProblem | None
    asked_at: dt.datetime
    finished_at: dt.datetime | None
    cancel_asked_at: dt.datetime | None
    asked: dict[str, Any]
    file: str | None
    rows: int | None
    bytes: int | None
    sha256: str | None
    crs: str | None
    media_type: str | None
    notices: list[Both] | None
    expires_at: dt.datetime | None
    href: str | None


class Exports(Shape):
    """A page of one's own exports, the latest first."""

    exports: list[Export]
    next: int | None
    kept_days: int

"""A job that writes a layer into a file: `POST /api/exports`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from api import exports
from api.jobs.kinds import Under
from api.jobs.loading import heeding


def export(session: Session, params: Mapping[str, Any], under: Under) -> dict[str, Any]:
    """What was written: the file's name, rows, bytes, digest; the file itself is fetched at `/api/exports/{id}`."""
    return exports.make(session, under.settings, params, who=under.author, progress=heeding(under))

"""Exported files that nobody can fetch any more are removed: expired ones, and what a killed process left."""

from __future__ import annotations

import contextlib
import re
import shutil
import time

from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.settings import Settings

OURS = re.compile(r"[0-9a-f]{32}")  # the folder of an export
PASSING = re.compile(r"\.(plan|export)-.+")  # a file that is sent at once
FORGOTTEN_S = 300.0  # from the folder to the row that names it: the time of one request
SENT_S = 3600.0
_WANTED = text(
    "SELECT params->>'place' FROM job WHERE kind = 'export' AND (state IN ('queued', 'running') OR (state = 'done' "
    "AND finished_at > now() - make_interval(days => :days)))"
)


def tidy(session: Session, settings: Settings) -> None:
    """Removes what no row of an export names, and files that were sent at once an hour ago."""
    wanted = set(session.scalars(_WANTED, {"days": settings.export_days}))
    with contextlib.suppress(FileNotFoundError):
        for place in settings.exports_dir.iterdir():
            with contextlib.suppress(OSError):
                age_s = time.time() - place.stat().st_mtime
                left = OURS.fullmatch(place.name) and place.name not in wanted and age_s > FORGOTTEN_S
                if left or (PASSING.fullmatch(place.name) and age_s > SENT_S):
                    shutil.rmtree(place, ignore_errors=True)

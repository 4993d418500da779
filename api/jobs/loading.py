"""A job that loads an uploaded file: `POST /api/loads`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from api import loads, uploads
from api.jobs.kinds import Under
from geo.errors import Cancelled
from geo.progress import Progress


def load(session: Session, params: Mapping[str, Any], under: Under) -> dict[str, Any]:
    """The account of the load, or of a look at it (`dry_run`); whatever the file is unpacked into goes with the upload."""
    file = uploads.path(under.settings, params["upload"], params["file"])
    room = _own_room(file.parent)
    dry_run = bool(params.get("dry_run"))
    report = loads.load(
        session, file, params["what"], params, who=under.author, dry_run=dry_run, progress=heeding(under),
        map_file=_map_file(room, params.get("map_")),
    )  # fmt: skip
    return loads.told(session, report, dry_run=dry_run)


def heeding(under: Under) -> Progress:
    """Progress that ends the work when somebody no longer wants it: the loaders themselves know nothing of that."""

    def told(stage: str, done: int, total: int | None = None) -> None:
        under.progress(stage, done, total)
        if under.cancel():
            raise Cancelled("已取消，没有写入任何内容。", "Cancelled; nothing was written.")

    return told


def _own_room(beside: Path) -> Path:
    """A folder for temporary files beside the upload, used by this process and its children: it is removed with the
    upload, also when this process is killed."""
    room = beside / ".room"
    room.mkdir(mode=0o700, exist_ok=True)
    tempfile.tempdir = os.environ["TMPDIR"] = str(room)
    return room


def _map_file(room: Path, given: str | None) -> Path | None:
    if not given:
        return None
    made = room / "layout.toml"
    made.write_text(given, encoding="utf-8")
    return made

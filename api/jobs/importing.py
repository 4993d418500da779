"""A job that makes a plan of an uploaded layer of grids, or of a table unit → grid."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from api import plan_imports, uploads
from api.jobs.kinds import Under
from etl import assignments

READING = ("crs", "code_field", "name_field", "layer", "encoding")
READING_TABLE = ("unit_field", "code_field", "name_field", "encoding")


def import_plan(session: Session, params: Mapping[str, Any], under: Under) -> dict[str, Any]:
    """`POST /api/plans/import`: the plan, and how the file was read; every row of a table is accounted for in `load`."""
    file: Path = uploads.path(under.settings, params["upload"], params["file"])
    given = {"name": params["name"], "nest": params.get("nest"), "author": under.author}
    if assignments.is_table(file):
        report, done = plan_imports.load_table(session, file, **given, **_set(params, READING_TABLE))
        return _told(done.plan_id, done.name, dataclasses.asdict(done), report)
    found = plan_imports.load_layer(
        session, file, **given, cut=bool(params.get("cut")), progress=under.progress, **_set(params, READING)
    )
    return _told(found.plan.plan_id, found.plan.name, found.facts(), found.report)


def _set(params: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """The options that were given."""
    return {name: params[name] for name in names if params.get(name) is not None}


def _told(plan_id: int, name: str, imported: dict[str, Any], report: Any) -> dict[str, Any]:
    plan = {"id": plan_id, "name": name, "revision": 0}
    return {"plans": [plan], "imported": imported, "load": report.as_dict()}

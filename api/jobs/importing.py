"""A job that makes a plan of an uploaded layer of grids, or of a table unit → grid."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

import etl.boundaries
import grids.imports
from api import plan_files, uploads
from api.jobs.kinds import Under
from etl import assignments, reading
from etl.boundaries.levels import level_name
from geo.cutting_along import cut_along
from geo.errors import RefusedArgument
from grids import stored, units

READING = ("crs", "code_field", "name_field", "layer", "encoding")


def import_plan(session: Session, params: Mapping[str, Any], under: Under) -> dict[str, Any]:
    """`POST /api/plans/import`: each unit goes to the polygon that holds most of it; the polygons stay as an overlay.

    The file is opened by a limited child; the result says how far plan and layer differ, and how the file was read.
    """
    name = params["name"]
    check(session, name)
    units.read(session)  # refused early, with the command that builds them
    file: Path = uploads.path(under.settings, params["upload"], params["file"])
    if assignments.is_table(file):
        return _import_table(session, file, params, under)
    options = {option: params[option] for option in READING if params.get(option) is not None}
    report = etl.boundaries.load(session, file, level=name, progress=under.progress, **options)
    level = str(report.source)
    cuts: list[Any] = []
    if params.get("cut"):
        areas = grids.imports.outlines(session, level)
        cuts = cut_along(session, areas, reading.divide_by, author=under.author, progress=under.progress)
    found = grids.imports.load_plan(
        session,
        name=name,
        level=level,
        nest=params.get("nest"),
        author=under.author,
        progress=under.progress,
    )
    plan = {"id": found.plan_id, "name": found.name, "revision": 0}
    imported = {**dataclasses.asdict(found), "cut_units": len(cuts)}
    return {"plans": [plan], "imported": imported, "load": report.as_dict()}


def _import_table(session: Session, file: Path, params: Mapping[str, Any], under: Under) -> dict[str, Any]:
    """A table unit → grid; every row is accounted for in `load`."""
    options = {o: params.get(o) for o in ("nest", "unit_field", "code_field", "name_field", "encoding")}
    report, done = plan_files.load_table(session, file, name=params["name"], author=under.author, **options)
    plan = {"id": done.plan_id, "name": done.name, "revision": 0}
    return {"plans": [plan], "imported": dataclasses.asdict(done), "load": report.as_dict()}


def check(session: Session, name: str) -> None:
    """Refuses a name that a plan or a level has; the polygons are kept as a level of the plan's name."""
    stored.check_name(session, name)
    level, rank = level_name(name)  # a plan must not become an edition of an administrative level
    if rank is not None or session.scalar(text("SELECT 1 FROM level WHERE name = :n"), {"n": level}):
        raise RefusedArgument(
            f"已有层级“{name}”；导入方案会以同名层级保存其图形。",
            f"There is a level {name!r} already; an imported plan keeps its polygons under the plan's name.",
            code="plan-name-taken",
            field="name",
            do_zh="请另取方案名称。",
            do_en="Choose another name for the plan.",
        )

"""Files into plans: where the loaders of `etl` and the plans of `grids` meet, for the command line and for jobs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

import etl.boundaries
import grids.imports
from etl import assignments as tables
from etl import reading
from etl.boundaries.levels import level_name
from etl.rejects import LoadReport
from geo.cutting_along import cut_along
from geo.errors import RefusedArgument
from geo.progress import Progress, silent
from grids import assignments, stored, units
from grids.assignments import Assigned, Given
from grids.imports import Imported


@dataclass(frozen=True)
class Loaded:
    """A plan made of a layer: how the file was read, how far plan and layer differ, how many units were cut."""

    report: LoadReport
    plan: Imported
    cut_units: int

    def facts(self) -> dict[str, Any]:
        """What a command or a job tells of it."""
        return {**asdict(self.plan), "cut_units": self.cut_units}


def load_layer(
    session: Session, path: Path, *, name: str, nest: str | None = None, cut: bool = False, author: str = "operator",
    progress: Progress = silent, **how: Any,
) -> Loaded:  # fmt: skip
    """A layer of grids becomes a draft: each unit goes to the polygon that holds most of it; the polygons stay as an overlay.

    `cut` first cuts units along the layer's lines where both parts exceed 500 m² and 5 % of the unit. `how` the file
    is read: crs, code_field, name_field, layer, encoding.
    """
    refuse_name(session, name)
    units.read(session)  # refused early, with the command that builds them
    report = etl.boundaries.load(session, path, level=name, who=author, progress=progress, **how)
    level = str(report.source)  # as the boundary loader wrote it
    cuts: list[Any] = []
    if cut:
        areas = grids.imports.outlines(session, level)
        cuts = cut_along(session, areas, reading.divide_by, author=author, progress=progress)
    done = grids.imports.load_plan(
        session, name=name, level=level, nest=nest, author=author, progress=progress
    )
    return Loaded(report, done, len(cuts))


def refuse_name(session: Session, name: str) -> None:
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


def load_table(
    session: Session, path: Path, *, name: str, nest: str | None = None, unit_field: str | None = None,
    code_field: str | None = None, name_field: str | None = None, encoding: str | None = None, author: str = "operator",
) -> tuple[LoadReport, Assigned]:  # fmt: skip
    """A table of assignments becomes a draft; the report of its load run beside it."""
    stored.check_name(session, name)
    found = tables.read(
        session,
        path,
        name=name,
        unit_field=unit_field,
        code_field=code_field,
        name_field=name_field,
        encoding=encoding,
    )
    given = Given(found.grid_of, found.names, found.posts, found.locked)
    run = tables.keep(session, found)
    done = assignments.load_assignment(session, given, name=name, nest=nest, load_run_id=run, author=author)
    return found.report, done

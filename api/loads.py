"""Files into rows: the one door through which every kind of file is loaded, for jobs; what the command line does beside
the loader (units follow new boundaries) is done here too."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

import etl.boundaries
import etl.cases
import etl.facilities
import etl.network
import etl.weights
from api.files_asked import OPTIONS
from etl import units
from etl.drawn import evidence
from etl.rejects import LoadReport
from geo.progress import Progress

FIRST_REJECTS = 200  # of a job's result; the run has them all

_LOADERS: Mapping[str, Callable[..., LoadReport]] = {
    "boundaries": etl.boundaries.load,
    "cases": etl.cases.load,
    "facilities": etl.facilities.load,
    "network": etl.network.load,
    "weights": etl.weights.load,
}


def load(
    session: Session, file: Path, what: str, given: Mapping[str, Any], *, who: str, dry_run: bool, progress: Progress,
    map_file: Path | None = None,
) -> LoadReport:  # fmt: skip
    """Loads one file as `what`; `given` are the options of `OPTIONS`. Flushes, never commits; refuses as the command does."""
    options = {name: given[name] for name in OPTIONS[what] if given.get(name) is not None and name != "map_"}
    if map_file is not None:
        options["map_file"] = map_file
    if "from_" in options:
        options["valid_from"] = dt.date.fromisoformat(str(options.pop("from_")))
    report = _LOADERS[what](session, file, who=who, dry_run=dry_run, progress=progress, **options)
    follow(session, report, dry_run=dry_run)
    return report


def follow(session: Session, report: LoadReport, *, dry_run: bool) -> None:
    """Units stay where they are; which area each belongs to follows a new edition."""
    if report.kind != "boundaries" or dry_run or report.added + report.updated == 0:
        return
    followed = units.follow(session, report.source)
    if followed is not None:
        report.details["units"] = dataclasses.asdict(followed)


def told(session: Session, report: LoadReport, *, dry_run: bool) -> dict[str, Any]:
    """What a job answers: the account of every row, the columns that were found, the evidence for the CRS."""
    found = report.as_dict()
    details = dict(found.pop("details"))
    return {
        **found,
        "what": report.kind,
        "dry_run": dry_run,
        "same_as_run": details.get("same_as_run"),
        "rejects": found["rejects"][:FIRST_REJECTS],
        "columns": columns(report.layout),
        "reason": report.layout.get("reason"),
        "layout_name": report.layout.get("layout"),
        "timezone": report.layout.get("timezone"),
        "header": details.get("header", []),
        "evidence": evidence(session, report),
        "details": details,
    }


def columns(layout: Mapping[str, Any]) -> list[dict[str, str]]:
    """Which column of the file each field is taken from, whatever the kind.

    >>> columns({"layout": "synonyms", "fields": {"id": "编号"}, "reason": {}})
    [{'field': 'id', 'column': '编号'}]
    >>> columns({"code": "adcode", "name": "名称", "parent": None})
    [{'field': 'code', 'column': 'adcode'}, {'field': 'name', 'column': '名称'}]
    """
    fields = layout.get("fields", layout)
    return [
        {"field": str(field), "column": column} for field, column in fields.items() if isinstance(column, str)
    ]

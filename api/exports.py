"""Exported files: made from a question, kept for some days beside the row of their job, fetched by whoever asked.

A file stands in a folder of its own below `exports`, named by a random word that only the job knows. It is written and
synced before the job's row says `done`, in the transaction that also holds its audit row; what has no such row is
removed by the worker (`api.jobs.keeping`).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from api import layers
from api.auth import Area, Principal
from geo import areas
from geo.cases import CaseFilter
from geo.columns import ColumnStore
from geo.db import walls
from geo.db.tables import Job
from geo.errors import Forbidden, NotFound, RefusedArgument
from geo.progress import Progress, silent
from geo.settings import Settings

KIND = "export"
MEDIA: Mapping[str, str] = {
    "gpkg": "application/geopackage+sqlite3",
    "geojson": "application/geo+json",
    "shp.zip": "application/zip",
    "fgb": "application/flatgeobuf",
    "parquet": "application/vnd.apache.parquet",
    "kml": "application/vnd.google-earth.kml+xml",
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
NAMES: Mapping[str, tuple[str, str]] = {
    "boundaries": ("边界", "boundaries"),
    "units": ("单元", "units"),
    "grids": ("网格", "grids"),
    "cases": ("案件", "cases"),
    "facilities": ("设施", "facilities"),
    "heatmap": ("热力图", "heatmap"),
    "hexagons": ("六边形", "hexagons"),
}
SMALL_ROWS = 2_000  # a layer of so many rows is written while the caller waits
_ROWS: Mapping[str, str] = {
    "boundaries": "SELECT count(*) FROM boundary",
    "units": "SELECT count(*) FROM unit",
    "grids": "SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM grid GROUP BY plan_id) g",
    "facilities": "SELECT count(*) FROM facility",
    "heatmap": "SELECT greatest((SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM grid GROUP BY plan_id) g), "
    "(SELECT count(*) FROM boundary))",
}  # never fewer than the file will have
_EXPORTS = select(
    Job.id, Job.author, Job.state, Job.stage, Job.done, Job.total, Job.params, Job.result, Job.problem, Job.asked_at,
    Job.finished_at, Job.cancel_asked_at,
).where(Job.kind == KIND)  # fmt: skip


@dataclass(frozen=True)
class File:
    """A finished export: where it stands, what it is called, how it is sent."""

    path: Path
    name: str
    media_type: str


def begin(asked: Mapping[str, Any], who: Principal, lang: str) -> dict[str, Any]:
    """The parameters of a job: the question, the folder, the language of the name, and how far cases may be seen."""
    area = None if who.area is None else {"level": who.area.level, "code": who.area.code}
    return {**asked, "place": secrets.token_hex(16), "lang": lang, "area": area}


def check(who: Principal, layer: str, area: Mapping[str, str] | None) -> bool:
    """Whether somebody may have the rows of a layer: of cases an admin all, a supervisor those of the area that is
    theirs now; of everything else whoever may export at all."""
    if layer != "cases" or who.role == "admin":
        return True
    own = None if who.area is None else {"level": who.area.level, "code": who.area.code}
    return who.role == "supervisor" and area is not None and area == own


def refuse_cases(who: Principal) -> Forbidden:
    """Cases are not for this role, or there is no area whose cases they could be."""
    if who.role == "supervisor":
        return Forbidden(
            "您的账号没有责任区，不能导出案件。", "Your account has no area, so there are no cases to export.",
            code="no-area", field="layer", do_zh="请管理员设定责任区。", do_en="Ask an administrator to set it.",
        )  # fmt: skip
    return Forbidden(
        "您的角色不能导出案件。", "Your role may not export cases.", code="cases-barred", field="layer",
        do_zh="可导出热力图或六边形。", do_en="Export a heat map or hexagons instead.",
    )  # fmt: skip


def is_small(session: Session, asked: Mapping[str, Any]) -> bool:
    """Whether a layer is written before the caller has to wait for long."""
    if asked["layer"] == "cases" and asked.get("code") is not None:
        return True  # of one grid: read by the index of its units
    counted = _ROWS.get(str(asked["layer"]))
    if counted is None or str(asked.get("by") or "").startswith("hexagon"):
        return False
    return int(session.scalar(text(counted)) or 0) <= SMALL_ROWS


def make(
    session: Session, settings: Settings, params: Mapping[str, Any], *, who: str, progress: Progress = silent,
    store: ColumnStore | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Writes the file that is asked for and its audit row; what a job answers. Nothing is left of one that fails."""
    folder = settings.exports_dir / str(params["place"])
    shutil.rmtree(folder, ignore_errors=True)  # of an earlier try
    folder.mkdir(parents=True, mode=0o700)
    layer, ending = str(params["layer"]), str(params["format"])
    try:
        seen = _seen(session, params)
        if layer == "cases":
            areas.show(session, seen)
        with walls.bound(session) if layer == "cases" else contextlib.nullcontext():
            written = layers.export(
                session, settings, question(params), folder / f"{layer}.{ending}", who=who,
                crs=params.get("crs", "EPSG:4326"), encoding=params.get("encoding", "utf-8"), progress=progress,
                store=store, told=_told(params), seen=seen,
            )  # fmt: skip
        with written.path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return {
            "file": name_of(session, params),
            "rows": written.rows,
            "bytes": written.path.stat().st_size,
            "sha256": sha256,
            "crs": written.crs,
            "media_type": MEDIA[ending],
            "short_names": written.short_names,
            "notices": written.notices,
        }
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _seen(session: Session, params: Mapping[str, Any]) -> areas.Scope:
    """How far rows of cases are seen: the whole city for who has no area, else that area as it is today."""
    area = params.get("area")
    if area is None:
        return areas.CITY
    found = areas.scope(session, Area(area["level"], area["code"]))
    if found.boundary is None and params["layer"] == "cases":
        raise RefusedArgument(
            "您的责任区在今天的边界中不存在。", "Your area is not in the boundaries in force today.", code="area-gone",
            field="layer", do_zh="请管理员更新。", do_en="Ask an administrator to set a new one.",
        )  # fmt: skip
    return found


def question(params: Mapping[str, Any]) -> layers.Asked:
    """The stored question as `api.layers` asks it."""
    where = CaseFilter(
        from_date=_date(params.get("from_")),
        to_date=_date(params.get("to")),
        categories=tuple(sorted(set(params.get("category") or ()))),
        origins=tuple(sorted(set(params.get("origin") or ()))),
        statuses=tuple(sorted(set(params.get("status") or ()))),
    )
    asof = params.get("asof")
    return layers.Asked(
        str(params["layer"]), params.get("plan", "current"), params.get("level"), params.get("kind"), params.get("by"),
        params.get("measure", "cases"), where, dt.datetime.fromisoformat(asof) if asof else None,
        params.get("code"), params.get("state"),
    )  # fmt: skip


def _told(params: Mapping[str, Any]) -> dict[str, Any]:
    """What the audit remembers of the question."""
    names = (
        "plan",
        "level",
        "kind",
        "by",
        "code",
        "state",
        "measure",
        "from_",
        "to",
        "category",
        "origin",
        "status",
        "asof",
        "area",
    )
    return {name.rstrip("_"): params[name] for name in names if params.get(name)}


def _date(given: str | None) -> dt.date | None:
    return dt.date.fromisoformat(given) if given else None


def name_of(session: Session, params: Mapping[str, Any]) -> str:
    """What the file is called for people: city, layer, period, day, format."""
    city = session.execute(text("SELECT name, (now() AT TIME ZONE timezone)::date FROM city")).one_or_none()
    name, today = city or ("", dt.datetime.now(dt.UTC).date())
    layer = NAMES[str(params["layer"])][0 if params.get("lang") != "en" else 1]
    days = [params[key] for key in ("from_", "to") if params.get(key)]
    parts = [str(name or ""), layer, *(["_".join(days)] if days else []), f"{today:%Y%m%d}"]
    return "-".join(part for part in parts if part).replace("/", "_") + "." + str(params["format"])


# -- looking after them ----------------------------------------------------------------------------------------------


def listing(
    session: Session, settings: Settings, who: Principal, *, limit: int, before: int | None
) -> list[dict[str, Any]]:
    """Somebody's own exports, the latest first."""
    mine = _EXPORTS.where(Job.author == who.name)
    if before is not None:
        mine = mine.where(Job.id < before)
    rows = session.execute(mine.order_by(Job.id.desc()).limit(limit))
    return [shown(settings, who, row) for row in rows.mappings()]


def shown(settings: Settings, who: Principal, row: Mapping[Any, Any]) -> dict[str, Any]:
    """One export as it is answered; `href` where its file can be fetched."""
    params, result = row["params"], row["result"] or {}
    asked = {
        k.rstrip("_"): v
        for k, v in params.items()
        if k not in ("place", "lang", "area") and v not in (None, [])
    }
    expires = row["finished_at"] and row["finished_at"] + dt.timedelta(days=settings.export_days)
    there = row["state"] == "done" and file_of(settings, who, row) is not None
    return {
        **{name: row[name] for name in ("id", "author", "state", "stage", "done", "total", "problem")},
        **{name: row[name] for name in ("asked_at", "finished_at", "cancel_asked_at")},
        "asked": asked,
        **{
            name: result.get(name)
            for name in ("file", "rows", "bytes", "sha256", "crs", "media_type", "notices")
        },
        "expires_at": expires if row["state"] == "done" else None,
        "href": f"/api/exports/{row['id']}" if there else None,
    }


def row_of(session: Session, number: int, who: Principal) -> Mapping[Any, Any]:
    """The row of an export of one's own (an admin's: of anybody). Raises NotFound alike for missing and not one's own."""
    row = session.execute(_EXPORTS.where(Job.id == number)).mappings().one_or_none()
    if row is None or not (who.role == "admin" or row["author"] == who.name):
        raise no_export()
    return row


def file_of(settings: Settings, who: Principal, row: Mapping[Any, Any]) -> File | None:
    """The file of a finished export while it is kept and who asks may still have it, or None."""
    params, result = row["params"], row["result"]
    if row["state"] != "done" or not result or not check(who, params["layer"], params.get("area")):
        return None
    if row["finished_at"] + dt.timedelta(days=settings.export_days) < dt.datetime.now(dt.UTC):
        return None
    path = settings.exports_dir / params["place"] / f"{params['layer']}.{params['format']}"
    return File(path, result["file"], result["media_type"]) if path.is_file() else None


def no_export() -> NotFound:
    """There is no such export, it is not yours, or its file has expired."""
    return NotFound(
        "没有这个导出，或文件已过期。", "There is no such export, or its file has expired.", code="no-such-export",
        field="id", do_zh="请重新导出。", do_en="Export it again.",
    )  # fmt: skip

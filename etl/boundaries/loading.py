"""The story of a boundary load: read, believe or refuse its CRS, make areas, compare siblings, find parents, write."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from etl.boundaries import checks, editions, parents
from etl.boundaries.evidence import believed_crs, datum_notice, short
from etl.boundaries.layout import choose
from etl.boundaries.levels import CHINESE, level_name
from etl.boundaries.rows import Areas, areas
from etl.drawn import shapes
from etl.locks import wait_for
from etl.reading import DRIVERS, read_vector
from etl.rejects import KEPT_HEADERS, LoadReport, store
from geo import crs as coordinates
from geo.db.tables import Edition, Level, LoadRun
from geo.db.versions import bump
from geo.errors import RefusedFile
from geo.progress import Progress, silent


def load(
    session: Session,
    path: Path,
    *,
    level: str,
    crs: str = "auto",
    code_field: str | None = None,
    name_field: str | None = None,
    parent_field: str | None = None,
    layer: str | None = None,
    encoding: str | None = None,
    valid_from: dt.date | None = None,
    replace: bool = False,
    dissolve: bool = False,
    dry_run: bool = False,
    who: str = "operator",
    progress: Progress = silent,
) -> LoadReport:
    """Load one file of areas as an edition of `level`; flushes, never commits.

    `crs`: `auto` (what the file declares), `EPSG:n`, `gcj02` or `bd09`. `valid_from`: needed from the second edition
    on. `replace` corrects the newest edition in place; `dissolve` joins features of one code. `dry_run` does
    everything but write. Returns the report; raises RefusedFile or RefusedArgument with the database unchanged.
    """
    name, rank = level_name(level)
    options = {
        "crs": crs,
        "code_field": code_field,
        "name_field": name_field,
        "parent_field": parent_field,
        "layer": layer,
        "encoding": encoding,
        "valid_from": valid_from.isoformat() if valid_from else None,
        "dissolve": dissolve,
    }
    report = _begin(
        Path(path), name, {key: value for key, value in options.items() if value not in (None, False)}
    )
    report.who = who
    wait_for(session, "boundaries", name)
    if not dry_run and _seen_before(session, report, replace):
        return report
    progress("read", 0, None)
    file = read_vector(Path(path), drivers=DRIVERS, layer=layer, encoding=encoding)
    report.rows_in, report.encoding = len(file.frame), file.encoding
    if len(file.frame) == 0:
        raise RefusedFile("图层没有要素。", "The layer has no features.", code="file-empty")
    used = believed_crs(session, file, crs, report)
    layout = choose(file.frame, name, rank, code_field, name_field, parent_field)
    report.layout, report.crs = layout.as_dict(), short(used)
    report.details |= {"driver": file.driver, "layer": file.layer}
    report.details["header"] = [str(c) for c in file.frame.columns if c != "geometry"][:KEPT_HEADERS]
    _tell_reading(file.notices, report)
    _tell_rank(name, report)
    progress("areas", 0, len(file.frame))
    found = areas(file, layout, used, report)
    found = checks.one_code_each(found, dissolve, rank is not None, report)
    checks.no_cycle(found)
    measuring = coordinates.measuring_crs(checks.total_bounds(found.geoms))
    projected = coordinates.project(found.geoms, measuring)
    progress("siblings", 0, len(found))
    checks.siblings(found, projected, rank is not None, report)
    datum_notice(session, found.geoms, name, report)
    parents.settle(session, found, rank, measuring, report)
    report.drawn = shapes(found.geoms)
    area_m2 = np.asarray(shapely.area(projected), dtype=np.float64)
    report.details |= {"measuring_crs": measuring, "area_m2": round(float(area_m2.sum()), 1)}
    progress("write", 0, len(found))
    _write(session, name, rank, found, area_m2, measuring, valid_from, replace, dry_run, report)
    progress("write", len(found), len(found))
    return report


def _begin(path: Path, level: str, options: dict[str, Any]) -> LoadReport:
    return LoadReport(
        kind="boundaries",
        source=level,
        file_name=path.name,
        content_sha256=fingerprint(path),
        started_at=dt.datetime.now(dt.UTC),
        options=options,
    )


def fingerprint(path: Path) -> bytes:
    """SHA-256 of what would be read: the file; of a bare `.shp` all its parts; of a `.gdb` folder all its files."""
    digest = hashlib.sha256()
    if path.is_dir():
        files = sorted(p for p in path.iterdir() if p.is_file())
    elif path.suffix.lower() == ".shp" and path.exists():
        endings = (".shp", ".shx", ".dbf", ".prj", ".cpg")
        files = sorted(
            p for p in path.parent.iterdir() if p.stem == path.stem and p.suffix.lower() in endings
        )
    else:
        files = [path] if path.exists() else []
    for file in files:
        with file.open("rb") as content:
            while block := content.read(1 << 20):
                digest.update(block)
    return digest.digest()


def _seen_before(session: Session, report: LoadReport, newest_only: bool) -> bool:
    """Whether an edition (the newest, when correcting) is what this very file with these options made: nothing changes."""
    run = session.scalars(
        select(LoadRun)
        .join(Edition, Edition.load_run_id == LoadRun.id)
        .where(
            LoadRun.kind == "boundaries",
            LoadRun.source == report.source,
            LoadRun.content_sha256 == report.content_sha256,
        )
        .order_by(LoadRun.id.desc())
    ).first()
    if run is not None and newest_only and not _is_newest(session, run.id):
        return False
    given = {k: v for k, v in report.options.items() if k != "valid_from" or v is not None}
    if run is None or {**run.options, **given} != run.options:
        return False
    report.rows_in, report.layout, report.crs, report.encoding = (
        run.rows_in,
        run.layout,
        run.crs,
        run.encoding,
    )
    report.rejected, report.duplicate = run.rows_rejected, run.rows_duplicate
    report.rejects_by_code.update(run.rejects_by_code)
    report.unchanged = run.rows_in - run.rows_rejected - run.rows_duplicate
    report.details = {"same_as_run": run.id}
    report.run_id = run.id
    return True


def _is_newest(session: Session, run_id: int) -> bool:
    found = session.scalar(
        text("SELECT bool_or(upper_inf(during)) FROM edition WHERE load_run_id = :run"), {"run": run_id}
    )
    return bool(found)


def _tell_reading(notices: dict[str, list[int]], report: LoadReport) -> None:
    if "encoding-detected" in notices:
        report.notice(
            "encoding-detected",
            f"文件未声明编码，按内容判定为 {report.encoding}",
            f"the file declares no encoding; by its content it is {report.encoding}",
            count=1,
        )


def _tell_rank(name: str, report: LoadReport) -> None:
    if name in CHINESE:
        report.notice(
            "level-overlay",
            f"“{name}”作为业务图层装载；行政层级请用 --level {CHINESE[name]}",
            f"{name!r} is loaded as an overlay; for the administrative rank use --level {CHINESE[name]}",
            count=1,
        )


def _write(
    session: Session,
    name: str,
    rank: int | None,
    found: Areas,
    area_m2: np.ndarray[Any, np.dtype[np.float64]],
    measuring: str,
    valid_from: dt.date | None,
    replace: bool,
    dry_run: bool,
    report: LoadReport,
) -> None:
    """Edition, areas, links and the run, in the caller's transaction; a dry run undoes it all by a savepoint."""
    with session.begin_nested() as savepoint:
        level: Level = editions.level_of(session, name, rank)
        edition, there = editions.target(session, level, valid_from, replace, measuring)
        editions.write(session, edition, found, area_m2, there, report)
        report.details["edition"] = {
            "from": edition.during.lower.isoformat() if edition.during and edition.during.lower else None,
            "to": edition.during.upper.isoformat() if edition.during and edition.during.upper else None,
            "corrected": there,
        }
        relinked = parents.relink(session, rank, found, measuring)
        if relinked:
            report.details["relinked"] = relinked
        _warn_units(session, name, there, report)
        report.check()
        if dry_run:
            savepoint.rollback()
            report.details["dry_run"] = True
            return
        run = store(session, report)
        session.execute(
            text("UPDATE edition SET load_run_id = :run WHERE id = :id"), {"run": run, "id": edition.id}
        )
        bump(session, "boundaries")


def _warn_units(session: Session, name: str, there: bool, report: LoadReport) -> None:
    """Units stay as they are when their nesting level changes: say so."""
    nested = session.scalar(
        text("SELECT count(*) FROM unit WHERE EXISTS (SELECT 1 FROM city WHERE nesting_level = :level)"),
        {"level": name},
    )
    if nested:
        report.notice(
            "units-older",
            f"已有 {nested} 个单元网格，其形状不变，按占比归入新边界；需要重切时请重新构建",
            f"{nested} units keep their shape and go to the new areas that hold most of them; build again to cut anew",
            count=int(nested),
        )


__all__ = ["fingerprint", "load"]

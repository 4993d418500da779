"""`wangge load network`: ways into the database, merged by source and way; the same file twice changes nothing."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

from etl.drawn import shapes
from etl.locks import wait_for
from etl.network import files
from etl.network.files import Ways
from etl.rejects import LoadReport, Reject, reserve_run_id, store
from geo.db.session import raw
from geo.db.versions import bump
from geo.progress import Progress, silent


def load(
    session: Session,
    path: Path,
    *,
    source: str | None = None,
    crs: str = "auto",
    layer: str | None = None,
    class_: str | None = None,
    encoding: str | None = None,
    dry_run: bool = False,
    who: str = "operator",
    progress: Progress = silent,
) -> LoadReport:
    """Loads roads, rails, waters, bridges and paths; merged on (source, the source's own way id).

    `source` defaults to `osm` for OpenStreetMap extracts, else to the file's name. Flushes, never commits; refuses
    with RefusedFile or RefusedArgument and then leaves the database as it was.
    """
    started = dt.datetime.now(dt.UTC)
    progress("read", 0, None)
    ways = files.read(path, crs=crs, layer=layer, class_=class_, encoding=encoding)
    report = LoadReport("network", source or ways.source, path.name, _sha256(path), started)
    report.who = who
    report.options = {"layer": layer, "class": class_}
    report.layout, report.crs, report.encoding = ways.layout, ways.crs, ways.encoding
    _account(report, ways)
    unique = _unique(report, ways)
    report.drawn = shapes(np.array(ways.geometry, dtype=object))
    if dry_run:
        report.added = len(unique)
        report.check()
        return report
    wait_for(session, "network", report.source)
    report.run_id = reserve_run_id(session)
    progress("store", 0, len(unique))
    _merge(session, report, ways, unique)
    progress("store", len(unique), len(unique))
    if report.added or report.updated:
        bump(session, "network")
    return report


def _account(report: LoadReport, ways: Ways) -> None:
    """Rows in, rejects, notices and what kinds there are."""
    report.rows_in = len(ways.ids) + len(ways.rejects)
    for reject in sorted(ways.rejects, key=lambda r: r.row):
        report.reject(reject)
    for code, zh, en, rows in ways.notices:
        report.notice(code, zh, en, rows, 0 if rows else 1)
    if ways.skipped:
        report.notice(
            "not-ways", "文件中不是道路、铁路、水系的要素，未装载。",
            "Features of the file that are no ways were left out.", count=ways.skipped,
        )  # fmt: skip
    classes: dict[str, int] = {}
    for kind in ways.kinds:
        classes[kind.class_] = classes.get(kind.class_, 0) + 1
    report.details = {
        "classes": classes,
        "barriers": sum(k.barrier for k in ways.kinds),
        "not_ways": ways.skipped,
    }


def _unique(report: LoadReport, ways: Ways) -> list[int]:
    """Positions of the ways to store: an identical second one is a duplicate, a different one under the same id a reject."""
    first: dict[str, int] = {}
    for i, way_id in enumerate(ways.ids):
        j = first.setdefault(way_id, i)
        if j == i:
            continue
        if _same(ways, i, j):
            report.duplicate += 1
        else:
            report.reject(
                Reject(
                    ways.rows[i],
                    "row-conflict",
                    f"编号 {way_id} 在第 {ways.rows[j]} 个要素已出现且内容不同",
                    f"identifier {way_id} stands at feature {ways.rows[j]} already, with other content",
                    column=str(ways.layout.get("id")),
                    value=way_id,
                    do_zh="只保留正确的一个",
                    do_en="keep the right one",
                )
            )
    return list(first.values())


def _same(ways: Ways, i: int, j: int) -> bool:
    return (
        ways.kinds[i] == ways.kinds[j]
        and ways.names[i] == ways.names[j]
        and bool(shapely.equals_exact(ways.geometry[i], ways.geometry[j], 0.0))
    )


def _merge(session: Session, report: LoadReport, ways: Ways, chosen: list[int]) -> None:
    """Stages by COPY, then inserts what is new and updates what differs."""
    connection = raw(session)
    wkb = shapely.to_wkb(
        shapely.set_srid(np.array([ways.geometry[i] for i in chosen], dtype=object), 4326),
        hex=True,
        include_srid=True,
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE staged_way (source_way_id text, class text, kind text, name text, barrier boolean, "
            "geom geometry) ON COMMIT DROP"
        )
        with cursor.copy("COPY staged_way FROM STDIN") as copy:
            for shape, i in zip(wkb, chosen, strict=True):
                kind = ways.kinds[i]
                copy.write_row((ways.ids[i], kind.class_, kind.kind, ways.names[i], kind.barrier, shape))
    facts: dict[str, Any] = {"source": report.source, "run": report.run_id}
    there = session.execute(text(_COUNT), facts).one()
    report.added, report.updated = int(there.added), int(there.updated)
    report.unchanged = len(chosen) - report.added - report.updated
    store(session, report)
    session.execute(text(_UPDATE), facts)
    session.execute(text(_INSERT), facts)
    session.execute(text("DROP TABLE staged_way"))


_DIFFERS = (
    "((w.class, w.kind, w.name, w.barrier) IS DISTINCT FROM (s.class, s.kind, s.name, s.barrier) "
    "OR NOT (w.geom = s.geom))"
)
_COUNT = (
    "SELECT count(*) FILTER (WHERE w.id IS NULL) AS added, "  # noqa: S608  the constant above
    f"count(*) FILTER (WHERE w.id IS NOT NULL AND {_DIFFERS}) AS updated "
    "FROM staged_way s LEFT JOIN way w ON w.source = :source AND w.source_way_id = s.source_way_id"
)
_UPDATE = (
    "UPDATE way w SET class = s.class, kind = s.kind, name = s.name, barrier = s.barrier, geom = s.geom, "  # noqa: S608
    "load_run_id = :run FROM staged_way s "
    f"WHERE w.source = :source AND w.source_way_id = s.source_way_id AND {_DIFFERS}"
)
_INSERT = (
    "INSERT INTO way (load_run_id, source, source_way_id, class, kind, name, barrier, geom) "
    "SELECT :run, :source, source_way_id, class, kind, name, barrier, geom FROM staged_way "
    "ON CONFLICT (source, source_way_id) DO NOTHING"
)


def _sha256(path: Path) -> bytes:
    if path.is_dir():
        return hashlib.sha256(path.name.encode()).digest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()

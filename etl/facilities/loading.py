"""`load(session, path, kind=…)`: a file of facilities becomes rows, merged by (source, identifier)."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from etl import reading
from etl.drawn import points
from etl.facilities import datum, store
from etl.facilities.rows import Facilities, clean
from etl.limits import DRIVERS
from etl.rejects import KEPT_HEADERS, LoadReport
from etl.rejects import store as store_run
from etl.repeats import Repeats
from etl.runs import same_again
from etl.sources import Layout, detect
from etl.tables import RawBatch, Table, open_table, sha256
from geo import attribution, crs_evidence
from geo import crs as crs_
from geo.db.versions import bump
from geo.errors import RefusedArgument, RefusedFile
from geo.progress import Progress, silent


def load(
    session: Session,
    path: Path,
    *,
    kind: str,
    crs: str = "auto",
    map_file: Path | None = None,
    encoding: str | None = None,
    dry_run: bool = False,
    who: str = "operator",
    progress: Progress = silent,
) -> LoadReport:
    """Load a file of facilities of one kind; the kind is also the source its identifiers belong to.

    Points or areas; without an identifier a row's is a hash of its content (a corrected row is then a new one). Places
    that name their district are weighed against the districts of the database (see `datum`).

    Raises RefusedFile or RefusedArgument; the caller's transaction is then to be rolled back.
    """
    name = kind.strip()
    if not 0 < len(name) <= 100 or not name.isprintable():
        raise RefusedArgument(
            "设施类型须为 1 至 100 个可见字符。", "A kind has 1 to 100 visible characters.", field="kind"
        )
    started = dt.datetime.now(dt.UTC)
    options = {"crs": crs, "encoding": encoding, "map": _digest(map_file)}
    report = LoadReport("facilities", name, path.name, b"", started, options)
    report.who = who
    table = open_table(path, encoding=encoding)
    report.content_sha256 = sha256(path)
    report.encoding = table.encoding
    report.details |= {"driver": table.driver, "row_word": table.word, **table.facts}
    report.details["header"] = table.header[:KEPT_HEADERS]
    if not dry_run:
        store.lock(session, name)
        again = same_again(session, report)
        if again is not None:
            return again
    layout = detect(table.header, kind="facilities", map_file=map_file)
    report.layout = layout.as_dict()
    report.crs = _crs(table, layout, crs)
    found = _read(table, layout, report.crs, path, progress)
    _account(report, found)
    report.drawn = points([(found.lon, found.lat)])
    _weigh(session, report, found, asked=crs != "auto")
    found = _without_repeats(report, found)
    _write(session, report, found, name, dry_run)
    report.check()
    progress("merge", 1, 1)
    return report


def _digest(path: Path | None) -> str | None:
    return None if path is None or not path.is_file() else hashlib.sha256(path.read_bytes()).hexdigest()


def _crs(table: Table, layout: Layout, wish: str) -> str:
    named = wish if wish != "auto" else layout.crs or table.crs
    if named is not None:
        if named.lower() in crs_.SHIFTED:
            return named.lower()
        found = crs_.canonical(named)
        if found is None:
            raise RefusedArgument(f"没有坐标系 {named}。", f"There is no CRS {named}.", field="crs")
        return found
    if table.has_geometry or "lon" in layout.columns or "wkt" in layout.columns:
        return crs_.WGS84
    if "x" in layout.columns:
        raise RefusedFile(
            "只有平面坐标，没有坐标系。",
            "Only projected coordinates and no CRS.",
            code="crs-missing",
            field="crs",
            do_zh="用 --crs EPSG:n 指定。",
            do_en="Name it with --crs EPSG:n.",
        )
    shown = ", ".join(table.header[:40])
    raise RefusedFile(
        f"没有坐标列。文件里的列：{shown}。",
        f"No position columns (lon, lat). The file has: {shown}.",
        code="column-missing",
        field="lon",
        do_zh="列名如 经度、纬度、lon、lat；或用 --map 指定。",
        do_en="Known names: lon, lat, 经度, 纬度; or name them with --map.",
    )


def _read(table: Table, layout: Layout, crs: str, path: Path, progress: Progress) -> Facilities:
    batches = list(table.batches())
    if batches:
        whole = pa.concat_tables([b.table for b in batches]).combine_chunks()
        rows = np.concatenate([b.rows for b in batches])
        raw = RawBatch(whole, rows, [r for b in batches for r in b.rejects])
    else:
        empty = pa.table([pa.array([], pa.string()) for _ in table.header], names=table.header)
        raw = RawBatch(empty, np.empty(0, np.int64))
    progress("read", len(raw.rows))
    geoms = _geometry(path, crs) if table.has_geometry else None
    return clean(raw, geoms, layout, crs, comma=table.delimiter in (";", "\t"))


def _geometry(path: Path, crs: str) -> NDArray[np.object_]:
    """The layer's geometries in EPSG:4326, areas repaired in the limited child; nothing where there is none."""
    geoms = np.asarray(reading.read_vector(path, drivers=DRIVERS).frame.geometry.values, dtype=object)
    geoms[shapely.is_missing(geoms) | shapely.is_empty(geoms)] = None
    there = ~shapely.is_missing(geoms)
    if there.any():
        x, y = shapely.get_coordinates(geoms[there]).T
        problem = crs_evidence.diagnose(x, y, crs)
        if problem is not None:
            raise problem.refuse()
    areas = there & np.isin(shapely.get_type_id(geoms), (3, 6)) & ~shapely.is_valid(geoms)
    if areas.any():
        geoms[areas] = reading.repair(geoms[areas]).geoms
    there = ~shapely.is_missing(geoms)
    geoms[there] = crs_.project(geoms[there], crs_.WGS84, source=crs)
    return geoms


def _account(report: LoadReport, found: Facilities) -> None:
    report.rows_in = len(found.rows) + len(found.rejects)
    for item in found.rejects:
        report.reject(item)
    report.personal_columns = found.personal
    missing = np.isnan(found.lon)
    report.unplaced = int(missing.sum())
    if missing.any():
        zh, en = (
            "没有可用坐标，保留并计数为“未定位”",
            "without a usable position: kept and counted as unplaced",
        )
        report.notice("unplaced", zh, en, found.rows[missing].tolist())
    if found.masked:
        report.notice(
            "personal-data", "文字里的个人信息已遮盖", "personal data in texts was masked", count=found.masked
        )
    if not report.rows_in:
        report.notice("no-rows", "文件没有数据行", "the file has 0 rows", count=1)


def _weigh(session: Session, report: LoadReport, found: Facilities, asked: bool) -> None:
    crs = report.crs or crs_.WGS84
    if crs not in crs_evidence.DATUMS or not any(found.district):
        return
    lon, lat = found.lon, found.lat
    known = ~np.isnan(lon)
    if crs in crs_.SHIFTED:
        lon[known], lat[known] = crs_.from_wgs84(lon[known], lat[known], crs)
    shares = datum.evidence(session, lon, lat, found.district)
    if shares:
        report.details["datum"] = shares
        doubt = datum.weigh(shares, crs, asked)
        if doubt:
            report.notice("datum-doubtful", *doubt, count=1)


def _without_repeats(report: LoadReport, found: Facilities) -> Facilities:
    """Equal rows count once; rows of one identifier that differ are all rejected."""
    repeats = Repeats()
    ids, hashes = store.hashes(found)
    repeats.add(ids, hashes, found.rows)
    same, conflicts = repeats.find()
    lost = {row for group in conflicts for row in group}
    if len(same):
        report.duplicate = len(same)
        zh, en = (
            "文件内重复的行（内容相同），只保留第一行",
            "rows repeated in the file (equal content); the first is kept",
        )
        report.notice("row-duplicate", zh, en, same.tolist())
    for reject in store.conflicts(found, conflicts):
        report.reject(reject)
    keep = ~np.isin(found.rows, np.array(sorted({*same.tolist(), *lost}), np.int64))
    return store.take(found, keep)


def _write(session: Session, report: LoadReport, found: Facilities, kind: str, dry_run: bool) -> None:
    if dry_run:
        report.added, report.details["dry_run"] = len(found.rows), True
        return
    units = attribution.place(found.lon, found.lat, attribution.unit_index(session))
    report.details["outside"] = int(((units < 0) & ~np.isnan(found.lon)).sum())
    stage = store.stage(session, found, units, kind)
    report.added, report.updated, report.unchanged = store.compare(session, stage, kind)
    run = store_run(session, report)
    store.merge(session, stage, kind, run)
    if report.added or report.updated:
        bump(session, "facilities")

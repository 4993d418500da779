"""Which CRS a boundary file is really in: what is declared, what was asked, and what the coordinates say."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from etl import reading
from etl.reading import VectorFile
from etl.rejects import LoadReport
from geo import crs as coordinates
from geo import crs_evidence
from geo.errors import RefusedFile

SAMPLE = 20_000
BETTER_BY = 0.01
SAME_GROUND = 0.5
OUTLINE_VERTICES = 300_000


def believed_crs(session: Session, file: VectorFile, asked: str, report: LoadReport) -> str:
    """The CRS to transform from: as asked or as declared, if the coordinates do not contradict it.

    Raises RefusedFile crs-unknown, coordinate-range, axes-swapped or zone-prefix, naming what fits instead.
    """
    geoms = np.asarray(file.frame.geometry.array, dtype=object)
    points = shapely.get_coordinates(geoms)
    near, chinese = city_bounds(session), _chinese(file)
    used = _asked(asked) if asked != "auto" else file.crs
    report.details["crs"] = {"declared": file.crs, "asked": None if asked == "auto" else asked}
    if used is None:
        raise _unknown(file, points, near, chinese)
    if len(points) == 0:
        return used
    sample = points[:: max(1, len(points) // SAMPLE)]
    corners = np.vstack([sample, points.min(axis=0), points.max(axis=0)])
    problem = crs_evidence.diagnose(corners[:, 0], corners[:, 1], used, near, chinese)
    if problem is not None:
        raise problem.refuse()
    if asked != "auto" and file.crs not in (None, used, "EPSG:4326"):
        report.notice(
            "crs-overridden",
            f"文件声明 {short(file.crs)}，按要求改用 {used}",
            f"the file declares {short(file.crs)}; {used} was used as asked",
            count=1,
        )
    _tell_far(used, points, near, report)
    if used in coordinates.SHIFTED and not coordinates.in_china(points[:, 0], points[:, 1]).any():
        report.notice(
            "crs-no-effect",
            f"{used} 只在中国境内有偏移，此图层不在境内，坐标未变",
            f"{used} shifts coordinates inside China only; this layer lies elsewhere and was not moved",
            count=1,
        )
    return used


def _asked(text: str) -> str:
    name = coordinates.canonical(text)
    if name is None:
        coordinates.crs_of(text)  # raises with the reason
        raise RefusedFile(
            f"坐标系“{text[:60]}”不能用于地理数据。",
            f"{text[:60]!r} is no CRS of places on Earth.",
            code="crs-unknown",
            field="crs",
        )
    return name


def short(crs: str | None) -> str:
    """`EPSG:n`, `gcj02`, `bd09`, or the name of a CRS that has no code."""
    return crs if crs is not None and len(crs) < 30 else str(coordinates.crs_of(crs or "").name)


def _chinese(file: VectorFile) -> bool:
    """Whether the layer's text is Chinese: a hint where its numbers could lie in many countries."""
    words = [str(c) for c in file.frame.columns]
    for column in file.frame.columns:
        if column != "geometry":
            words += [v for v in file.frame[column].head(20).tolist() if isinstance(v, str)]
    text_ = "".join(words)
    return sum("一" <= c <= "鿿" for c in text_) > 0.05 * max(len(text_), 1)


def city_bounds(session: Session) -> tuple[float, float, float, float] | None:
    """Where the city lies, from the boundaries that are loaded; None when there are none."""
    row = session.execute(
        text(
            "SELECT min(ST_XMin(geom)), min(ST_YMin(geom)), max(ST_XMax(geom)), max(ST_YMax(geom)) FROM boundary"
        )
    ).one()
    return None if row[0] is None else (float(row[0]), float(row[1]), float(row[2]), float(row[3]))


def _unknown(
    file: VectorFile,
    points: NDArray[np.float64],
    near: tuple[float, float, float, float] | None,
    chinese: bool,
) -> RefusedFile:
    if "prj-missing" in file.notices:
        why_zh, why_en = "缺少 .prj，没有声明坐标系", "has no .prj and so declares no CRS"
    elif "prj-unreadable" in file.notices:
        why_zh, why_en = "的 .prj 无法识别", "has a .prj that names no known CRS"
    else:
        why_zh, why_en = "没有声明坐标系", "declares no CRS"
    fits = crs_evidence.unknown(points[:, 0], points[:, 1], near, chinese) if len(points) else []
    names = "; ".join(f"{c.crs} ({c.name})" for c in fits[:3])
    example = fits[0].crs if fits else "EPSG:n"
    return RefusedFile(
        f"图层“{file.layer}”{why_zh}。" + (f"从坐标看可能是 {names}。" if names else ""),
        f"Layer {file.layer!r} {why_en}." + (f" By its coordinates it may be {names}." if names else ""),
        code="crs-unknown",
        field="crs",
        do_zh=f"请确认后用 --crs {example} 加载。",
        do_en=f"Check it, then load it with --crs {example}.",
        suggested=[c.crs for c in fits[:5]],
    )


def _tell_far(
    used: str, points: NDArray[np.float64], near: tuple[float, float, float, float] | None, report: LoadReport
) -> None:
    if near is None:
        return
    lon, lat = coordinates.to_wgs84(points[:, 0], points[:, 1], used)
    west, south, east, north = float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max())
    if west > near[2] + 0.5 or east < near[0] - 0.5 or south > near[3] + 0.5 or north < near[1] - 0.5:
        report.notice(
            "far-away",
            f"图层位于 {west:.3f}, {south:.3f}，与已有边界相距很远",
            f"the layer lies at {west:.3f}, {south:.3f}, far from the boundaries that are loaded",
            count=1,
        )


# ── Datum ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def datum_notice(session: Session, geoms: NDArray[np.object_], level: str, report: LoadReport) -> None:
    """Inside China: would another datum fit the outline of what is loaded better? Then say so."""
    west, south, east, north = shapely.total_bounds(geoms).tolist()
    if not coordinates.in_china((west + east) / 2, (south + north) / 2)[0]:
        return
    reference = _reference(session, level)
    if reference is None or shapely.get_num_coordinates(geoms).sum() > OUTLINE_VERTICES:
        return
    declared = report.crs if report.crs in coordinates.SHIFTED else "EPSG:4326"
    evidence: dict[str, float] = reading.measure("outline", geoms, reference, declared=declared)
    if max(evidence.values()) <= 0:
        return
    report.details["datum"] = {key: round(value, 4) for key, value in evidence.items()}
    best = max(evidence, key=lambda datum: evidence[datum])
    if evidence[best] >= SAME_GROUND and evidence[best] > evidence[declared] + BETTER_BY:
        report.notice(
            "datum-fit",
            f"与已有边界的重合度：按 {declared} 为 {evidence[declared]:.3f}，按 {best} 为 {evidence[best]:.3f}；"
            f"文件可能是 {best}（或已有边界有误）",
            f"overlap with the boundaries that are loaded: {evidence[declared]:.3f} as {declared}, {evidence[best]:.3f} as "
            f"{best}; the file may be in {best} (or the loaded ones are not in WGS 84)",
            count=1,
        )


def _reference(session: Session, level: str) -> Any:
    """The areas of the newest edition of another level, the coarsest there is."""
    row = session.execute(
        text(
            "SELECT e.id, sum(ST_NPoints(b.geom)) FROM edition e JOIN level l ON l.id = e.level_id "
            "JOIN boundary b ON b.edition_id = e.id WHERE upper_inf(e.during) AND l.name <> :level "
            "GROUP BY e.id, l.rank ORDER BY l.rank NULLS LAST, count(*) LIMIT 1"
        ),
        {"level": level},
    ).first()
    if row is None or row[1] > OUTLINE_VERTICES:
        return None
    wkb = session.scalars(
        text("SELECT ST_AsBinary(geom) FROM boundary WHERE edition_id = :edition"), {"edition": row[0]}
    ).all()
    return np.asarray(shapely.from_wkb([bytes(w) for w in wkb]), dtype=object)

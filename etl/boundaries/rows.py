"""From a file's features to areas with code, name and sound WGS 84 geometry; what cannot be one becomes a reject."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from etl import reading
from etl.boundaries.layout import CONTROL, Layout, text_of
from etl.privacy import personal_by_name
from etl.reading import VectorFile
from etl.rejects import LoadReport, Reject
from geo import crs as coordinates
from geo import geometry
from geo.errors import RefusedFile

REASONS = {
    "geometry-missing": (
        "没有几何",
        "has no geometry",
        "补上图形或删除该要素",
        "Draw its shape or delete the feature.",
    ),
    "geometry-damaged": ("几何已损坏", "has damaged geometry", "重新导出", "Export it again."),
    "coordinates-not-finite": (
        "坐标不是有限的数",
        "has coordinates that are not finite numbers",
        "改正坐标",
        "Correct it.",
    ),
    "geometry-too-complex": ("顶点过多", "has too many vertices", "先简化", "Simplify it first."),
    "geometry-type": (
        "不是面",
        "is not a Polygon or MultiPolygon",
        "边界必须是面",
        "A boundary must be a Polygon.",
    ),
    "geometry-invalid": (
        "几何无效且无法修复",
        "has invalid geometry that cannot be repaired",
        "重新绘制",
        "Draw it again.",
    ),
    "text-too-long": ("编码或名称过长", "has a code or name that is too long", "改短", "Shorten it."),
    "code-missing": ("没有编码", "has no code", "补上编码", "Fill in its code."),
}
CODE_CHARACTERS, NAME_CHARACTERS = 100, 300
AS_CODE = {"geometry-damaged": "geometry-invalid"}


@dataclass
class Areas:
    """Accepted areas side by side: feature numbers, codes, names, parents ('' for none), geometry in EPSG:4326."""

    rows: NDArray[np.int64]
    codes: list[str]
    names: list[str]
    parents: list[str]
    geoms: NDArray[np.object_]
    attributes: list[dict[str, Any]]

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, keep: NDArray[np.bool_]) -> Areas:
        """The areas where `keep` is true."""
        at = np.flatnonzero(keep).tolist()
        return Areas(
            self.rows[keep],
            [self.codes[i] for i in at],
            [self.names[i] for i in at],
            [self.parents[i] for i in at],
            self.geoms[keep],
            [self.attributes[i] for i in at],
        )


def areas(file: VectorFile, layout: Layout, crs: str, report: LoadReport) -> Areas:
    """Every feature as an area or a reject in the report; repairs are noticed there too."""
    found = _texts(file, layout, report)
    delivered = np.asarray(file.frame.geometry.array, dtype=object)
    _tell_open_rings(file.notices.get("ring-open", []), found, report)
    bad = _unusable(file, found, delivered)
    found.geoms = _to_wgs84(delivered, bad, crs)
    _check_antimeridian(found, bad)
    _repair(found, bad, report)
    for i in sorted(bad):
        report.reject(_reject(found, layout, i, bad[i], _kind(delivered[i])))
    keep = np.ones(len(found), dtype=bool)
    keep[list(bad)] = False
    if not keep.any():
        raise nothing_left(report)
    kept = found.take(keep)
    kept.geoms = geometry.multi(kept.geoms)
    return kept


def _texts(file: VectorFile, layout: Layout, report: LoadReport) -> Areas:
    frame, n = file.frame, len(file.frame)
    names = [text_of(v) for v in frame[layout.name]] if layout.name else [""] * n
    if layout.code:
        codes = [text_of(v) for v in frame[layout.code]]
    elif layout.name:
        codes = list(names)
    else:
        codes = [str(row) for row in file.rows.tolist()]
        names = [file.layer] if n == 1 and not layout.name else names
        report.notice(
            "code-numbered",
            "没有可作编码的列，按要素次序编号",
            "no column can be the code: features are numbered in order",
            count=n,
        )
    parents = [text_of(v) for v in frame[layout.parent]] if layout.parent else [""] * n
    names = [name or code for name, code in zip(names, codes, strict=True)]
    used = {layout.code, layout.name, layout.parent, "geometry"}
    others = [c for c in frame.columns if c not in used]
    personal = [c for c in others if personal_by_name(str(c))]
    for column in personal:
        report.personal_columns[str(column)] = int(frame[column].notna().sum())
    kept = [c for c in others if c not in personal]
    return Areas(file.rows, codes, names, parents, np.empty(n, dtype=object), _attributes(frame[kept]))


def _tell_open_rings(rows: list[int], found: Areas, report: LoadReport) -> None:
    if rows:
        codes = [found.codes[row - 1] for row in rows[:10]]
        report.notice(
            "ring-open",
            f"环未闭合，已闭合：{'、'.join(codes)}",
            f"open rings were closed: {', '.join(codes)}",
            rows=rows,
        )


def _attributes(frame: Any) -> list[dict[str, Any]]:
    """Other columns as JSON values: numbers and text, nothing for nulls."""
    out: list[dict[str, Any]] = [{} for _ in range(len(frame))]
    for column in frame.columns:
        for i, value in enumerate(frame[column].tolist()):
            if value is None or value != value or value == "":
                continue
            out[i][CONTROL.sub(" ", str(column))] = _json(value)
    return out


def _json(value: Any) -> Any:
    """A value that JSON and PostgreSQL both take: no control characters, no infinities."""
    if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return CONTROL.sub(" ", str(value))


def _unusable(file: VectorFile, found: Areas, geoms: NDArray[np.object_]) -> dict[int, str]:
    """Positions that cannot become an area, and why, before any coordinate is moved."""
    bad: dict[int, str] = {}
    for code in ("geometry-damaged", "coordinates-not-finite", "geometry-too-complex"):
        for row in file.notices.get(code, []):
            bad[row - 1] = code
    missing = shapely.is_missing(geoms) | shapely.is_empty(geoms)
    kinds = shapely.get_type_id(geoms)
    for i in range(len(geoms)):
        if i in bad:
            continue
        if missing[i]:
            bad[i] = "geometry-missing"
        elif kinds[i] not in (3, 6, 7) or (kinds[i] == 7 and not (shapely.area(geoms[i]) > 0)):
            bad[i] = "geometry-type"
        elif not found.codes[i]:
            bad[i] = "code-missing"
        elif len(found.codes[i]) > CODE_CHARACTERS or len(found.names[i]) > NAME_CHARACTERS:
            bad[i] = "text-too-long"
    return bad


def _to_wgs84(geoms: NDArray[np.object_], bad: dict[int, str], crs: str) -> NDArray[np.object_]:
    moved = np.asarray(geoms, dtype=object).copy()
    moved[list(bad)] = None
    moved = coordinates.project(moved, coordinates.WGS84, source=crs)
    bounds = shapely.bounds(moved)
    inside = (bounds[:, 0] >= -180) & (bounds[:, 1] >= -90) & (bounds[:, 2] <= 180) & (bounds[:, 3] <= 90)
    for i in np.flatnonzero(~shapely.is_missing(moved) & ~inside).tolist():
        bad[i] = "coordinates-not-finite"
        moved[i] = None
    return moved


def _check_antimeridian(found: Areas, bad: dict[int, str]) -> None:
    """An edge more than half around the world is the wrong way round it: refused, never stored 358 degrees wide."""
    points, owner = shapely.get_coordinates(found.geoms, return_index=True)
    jumps = (np.abs(np.diff(points[:, 0])) > 180) & (np.diff(owner) == 0)
    if jumps.any():
        i = int(owner[1:][jumps][0])
        raise RefusedFile(
            f"“{found.codes[i]}”跨越 180° 经线（反子午线），无法按此存储。",
            f"{found.codes[i]} crosses the antimeridian (180 degrees), so its edges run the wrong way round the world.",
            code="geometry-antimeridian",
            do_zh="请按 RFC 7946 第 3.1.9 节在 180° 处切开。",
            do_en="Cut it at 180 degrees (RFC 7946, section 3.1.9).",
            row=int(found.rows[i]),
        )


def _repair(found: Areas, bad: dict[int, str], report: LoadReport) -> None:
    """Make valid in the limited child; say what was wrong and how the area changed."""
    before = found.geoms
    done = reading.repair(before)
    found.geoms = done.geoms
    for i in [*done.crossed.tolist(), *done.emptied.tolist()]:
        bad.setdefault(i, "geometry-invalid")
    changed = [(i, why) for i, why in zip(done.changed.tolist(), done.reasons, strict=True) if i not in bad]
    if not changed:
        return
    at = np.array([i for i, _ in changed])
    crs = coordinates.measuring_crs(tuple(shapely.total_bounds(before[at]).tolist()))
    was, now = geometry.areas_m2(before[at], crs), geometry.areas_m2(found.geoms[at], crs)
    details = [
        {
            "row": int(found.rows[i]),
            "code": found.codes[i],
            "why": why,
            "was_m2": round(w, 2),
            "is_m2": round(n, 2),
        }
        for (i, why), w, n in zip(changed, was.tolist(), now.tolist(), strict=True)
    ]
    report.details["repairs"] = details[:1000]
    codes = (
        "、".join(found.codes[i] for i, _ in changed[:10]),
        ", ".join(found.codes[i] for i, _ in changed[:10]),
    )
    worst = float(np.abs(now - was).max())
    report.notice(
        "geometry-repaired",
        f"几何无效，已修复：{codes[0]}；面积变化最大 {worst:,.1f} m²",
        f"invalid geometry was repaired: {codes[1]}; the area changed by at most {worst:,.1f} m²",
        rows=[int(found.rows[i]) for i, _ in changed],
    )


def _reject(found: Areas, layout: Layout, i: int, code: str, kind: str | None) -> Reject:
    why_zh, why_en, do_zh, do_en = REASONS[code]
    if code == "geometry-type":
        why_zh, why_en = f"是 {kind}，{why_zh}", f"is a {kind}, not a Polygon or MultiPolygon"
    name = (found.codes[i] or found.names[i])[:80]
    return Reject(
        row=int(found.rows[i]),
        code=AS_CODE.get(code, code),
        why_zh=f"{name} {why_zh}".strip(),
        why_en=f"{name} {why_en}".strip(),
        column=layout.code if code == "code-missing" else "geometry",
        value=kind if code == "geometry-type" else None,
        do_zh=do_zh,
        do_en=do_en,
        original={
            "code": found.codes[i],
            "name": found.names[i],
            "parent": found.parents[i],
            **found.attributes[i],
        },
    )


def _kind(geom: Any) -> str | None:
    return None if geom is None else str(geom.geom_type)


def nothing_left(report: LoadReport) -> RefusedFile:
    """The refusal when every feature was rejected: the commonest reason, with the first feature it hit."""
    code, count = Counter(report.rejects_by_code).most_common(1)[0]
    first = next(r for r in report.rejects if r.code == code)
    return RefusedFile(
        f"没有可装载的要素：{count} 个被拒，第一个是第 {first.row} 个要素，{first.why_zh}。",
        f"No feature can be loaded: {count} rejected, the first is feature {first.row}: {first.why_en}.",
        code=code,
        do_zh=f"{first.do_zh}。" if first.do_zh else "",
        do_en=first.do_en,
        row=first.row,
    )

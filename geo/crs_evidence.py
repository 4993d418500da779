"""Does a layer lie where it says it lies? Evidence for and against its coordinate reference system.

Files lie about coordinates in a handful of ways: projected numbers called degrees, a missing zone prefix, latitude before
longitude, GCJ-02 called WGS 84. Each is looked for in the numbers themselves, and the person is told what fits better.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from pyproj import Proj
from pyproj.aoi import AreaOfUse
from pyproj.database import query_crs_info
from pyproj.enums import PJType
from pyproj.exceptions import ProjError

from geo import crs as coordinates
from geo.errors import RefusedFile
from geo.geometry import iou

Bounds = tuple[float, float, float, float]
DATUMS = ("EPSG:4326", "gcj02", "bd09")
SOUTHERNMOST_CITY = -56.0
REGIONAL_DEG2 = 100.0  # a CRS made for no more ground than this says more when numbers fit it
MARGIN_DEG = 0.3
WEB_MERCATOR = 3857
OLD_DATUM = re.compile(r"\b1[89]\d\d\b|NAD27|New Beijing|Puerto Rico /|Equi7")


@dataclass(frozen=True)
class Candidate:
    """A CRS that the numbers fit: its code and name, where the layer would lie, the extent of its area of use (deg²)."""

    crs: str
    name: str
    bounds: Bounds
    area_deg2: float


@dataclass(frozen=True)
class Problem:
    """What is wrong with the declared CRS, and what fits instead (best first)."""

    code: str
    zh: str
    en: str
    candidates: list[Candidate] = field(default_factory=list)

    def refuse(self) -> RefusedFile:
        """The refusal that names the likely CRS and the option to give."""
        first = self.candidates[0] if self.candidates else None
        names = "; ".join(f"{c.crs} ({c.name})" for c in self.candidates[:3])
        swap = self.code == "axes-swapped"
        return RefusedFile(
            f"{self.zh}" + (f"可能是 {names}。" if first else ""),
            f"{self.en}" + (f" Likely: {names}." if first else ""),
            code=self.code,
            field="crs",
            do_zh="请重新导出，经度（东坐标）在前。"
            if swap
            else f"请确认坐标系（CRS），再用 --crs {first.crs if first else 'EPSG:代码'} 加载。",
            do_en="Export it again with longitude (easting) first."
            if swap
            else f"Check the CRS, then load it with --crs {first.crs if first else 'EPSG:n'}.",
            suggested=[c.crs for c in self.candidates[:5]],
        )


def diagnose(
    x: ArrayLike, y: ArrayLike, crs: str, near: Bounds | None = None, chinese: bool = False
) -> Problem | None:
    """The problem with calling these coordinates `crs`, or None when they may be so.

    `near`: where the city is known to lie (west, south, east, north in degrees), from layers loaded before.

    >>> diagnose([740000.0, 800000.0], [2910000.0, 2970000.0], "EPSG:4326").candidates[0].crs
    'EPSG:2249'
    """
    xs, ys = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    box: Bounds = (float(xs.min()), float(ys.min()), float(xs.max()), float(ys.max()))
    if crs in coordinates.SHIFTED or coordinates.crs_of(crs).is_geographic:
        return _degrees(box, crs, near, chinese)
    return _projected(box, crs, near, chinese)


def _degrees(box: Bounds, crs: str, near: Bounds | None, chinese: bool) -> Problem | None:
    west, south, east, north = box
    shown = f"{west:.6g}, {south:.6g} … {east:.6g}, {north:.6g}"
    fits = west >= -180 and east <= 180 and south >= -90 and north <= 90
    swapped_fits = south >= -180 and north <= 180 and west >= -90 and east <= 90
    if not fits and swapped_fits:
        return _swapped(box, crs)
    if not fits:
        return Problem(
            "coordinate-range",
            f"文件声称坐标系为 {crs}（经纬度），但坐标 {shown} 不是度数。",
            f"The file says {crs} (degrees), but its coordinates {shown} are not degrees of longitude and latitude.",
            suggest(box, near, chinese),
        )
    turned: Bounds = (south, west, north, east)
    elsewhere = near is not None and not _meet(box, near, 1.0) and swapped_fits and _meet(turned, near, 0.0)
    antarctic = south < SOUTHERNMOST_CITY and north < SOUTHERNMOST_CITY and swapped_fits
    return _swapped(box, crs) if elsewhere or antarctic else None


def _swapped(box: Bounds, crs: str) -> Problem:
    west, south, east, north = box
    return Problem(
        "axes-swapped",
        f"坐标 {west:.6g}, {south:.6g} … {east:.6g}, {north:.6g} 像是纬度在前、经度在后，与 {crs} 不符。",
        f"The coordinates {west:.6g}, {south:.6g} … {east:.6g}, {north:.6g} look like latitude before longitude "
        f"(swapped axes), which does not fit {crs}.",
    )


def _projected(box: Bounds, crs: str, near: Bounds | None, chinese: bool) -> Problem | None:
    """Whether the numbers fall into the area the CRS is made for (with a degree of grace)."""
    where = _inverse(crs, box)
    area = coordinates.crs_of(crs).area_of_use
    if area is None:
        return None
    made_for: Bounds = (area.west, area.south, area.east, area.north)
    if where is not None and _within(where, made_for, 1.0):
        return None
    west, south, east, north = box
    shown = f"{west:.7g}, {south:.7g} … {east:.7g}, {north:.7g}"
    name = coordinates.crs_of(crs).name
    turned = _inverse(crs, (south, west, north, east))
    if turned is not None and _within(turned, made_for, 1.0):
        return Problem(
            "axes-swapped",
            f"坐标 {shown} 像是北坐标在前、东坐标在后，与 {crs}（{name}）不符。",
            f"The coordinates {shown} look like northing before easting (swapped axes), which does not fit {crs} ({name}).",
        )
    sibling = _zone_sibling(crs, name, box)
    return Problem(
        "zone-prefix" if sibling else "coordinate-range",
        f"坐标 {shown} 不在 {crs}（{name}）的适用范围内。",
        f"The coordinates {shown} lie outside the area that {crs} ({name}) is made for.",
        sibling or suggest(box, near, chinese),
    )


def _zone_sibling(crs: str, name: str, box: Bounds) -> list[Candidate]:
    """The CGCS2000 3-degree zone with (EPSG:4513–4533) or without (EPSG:4534–4554) the prefix that the numbers have."""
    code = int(crs[5:]) if crs.startswith("EPSG:") else 0
    if not 4513 <= code <= 4554 or "CGCS2000" not in name:
        return []
    if box[0] > 1e6:
        other = 4513 + int(box[0] // 1e6) - 25
    else:
        other = code + 21 if code < 4534 else code
    where = _inverse(f"EPSG:{other}", box) if 4513 <= other <= 4554 and other != code else None
    return [Candidate(f"EPSG:{other}", coordinates.crs_of(f"EPSG:{other}").name, where, 0.0)] if where else []


def _old(candidate: Candidate) -> bool:
    return OLD_DATUM.search(candidate.name) is not None


def unknown(x: ArrayLike, y: ArrayLike, near: Bounds | None = None, chinese: bool = False) -> list[Candidate]:
    """What a layer without any declared CRS may be in: degrees when they look like it, else projected candidates."""
    xs, ys = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    box: Bounds = (float(xs.min()), float(ys.min()), float(xs.max()), float(ys.max()))
    if box[0] >= -180 and box[2] <= 180 and box[1] >= -90 and box[3] <= 90:
        return [Candidate("EPSG:4326", "WGS 84", box, 0.0)]
    return suggest(box, near, chinese)


# ── Candidates ──────────────────────────────────────────────────────────────────────────────────────────────────────


def suggest(box: Bounds, near: Bounds | None = None, chinese: bool = False, most: int = 5) -> list[Candidate]:
    """Projected CRSs whose own area of use holds the whole box, best first; with `near`, only those that put it there.

    Random numbers seldom fall into a small area of use, so the smaller the area a CRS is made for, the more a fit says
    (the likelihood of the box under "somewhere in that area" goes as 1 / area). Of realisations of one grid (NAD83,
    HARN, NSRS2007 …) the oldest code stands for all. `chinese`: the layer's text is Chinese.
    """
    found: dict[tuple[float, ...], Candidate] = {}
    for code, name, area in _projected_systems():
        where = _inverse(f"EPSG:{code}", box)
        if where is None or not _within(where, (area.west, area.south, area.east, area.north), 0.0):
            continue
        if near is not None and not _meet(where, near, MARGIN_DEG):
            continue
        height, middle = area.north - area.south, np.radians((area.north + area.south) / 2)
        size = float((area.east - area.west) * height * np.cos(middle))
        key = (*(round(v, 3) for v in where),)
        if code == WEB_MERCATOR:
            size = REGIONAL_DEG2  # made for the whole world, but common
        candidate = Candidate(f"EPSG:{code}", name, where, size)
        if key not in found or _rank(candidate, chinese)[:3] < _rank(found[key], chinese)[:3]:
            found[key] = candidate
    ranked = sorted(found.values(), key=lambda c: _rank(c, chinese))
    close = [c for c in ranked if c.area_deg2 <= REGIONAL_DEG2]
    return (close or ranked)[:most]


def _rank(candidate: Candidate, chinese: bool) -> tuple[bool, bool, float, int]:
    """In China first when the text is Chinese; datums still in use before old ones; small areas before large."""
    west, south, east, north = candidate.bounds
    abroad = chinese and not bool(coordinates.in_china((west + east) / 2, (south + north) / 2)[0])
    return abroad, _old(candidate), round(candidate.area_deg2, 6), int(candidate.crs[5:])


@lru_cache(maxsize=1)
def _projected_systems() -> list[tuple[int, str, AreaOfUse]]:
    """Every projected CRS of the EPSG register that is in use, by code."""
    infos = query_crs_info(auth_name="EPSG", pj_types=[PJType.PROJECTED_CRS])
    rows = [
        (int(i.code), i.name, i.area_of_use) for i in infos if not i.deprecated and i.area_of_use is not None
    ]
    return sorted(((c, n, a) for c, n, a in rows if a.west < a.east), key=lambda row: row[0])


def _inverse(crs: str, box: Bounds) -> Bounds | None:
    """The box of a projected CRS in degrees, from eight points of its edge; None when it has no place on Earth.

    Only the projection is undone, no datum shift: metres do not matter here, and it is a hundred times faster.
    """
    west, south, east, north = box
    mid_x, mid_y = (west + east) / 2, (south + north) / 2
    xs = np.array([west, mid_x, east, west, east, west, mid_x, east])
    ys = np.array([south, south, south, mid_y, mid_y, north, north, north])
    try:
        lon, lat = Proj(crs)(xs, ys, inverse=True)
    except (ProjError, RuntimeError):
        return None
    if not (np.isfinite(lon).all() and np.isfinite(lat).all()):
        return None
    return float(lon.min()), float(lat.min()), float(lon.max()), float(lat.max())


def _within(inner: Bounds, outer: Bounds, grace: float) -> bool:
    return (
        inner[0] >= outer[0] - grace
        and inner[1] >= outer[1] - grace
        and inner[2] <= outer[2] + grace
        and inner[3] <= outer[3] + grace
    )


def _meet(a: Bounds, b: Bounds, grace: float) -> bool:
    return a[0] <= b[2] + grace and b[0] <= a[2] + grace and a[1] <= b[3] + grace and b[1] <= a[3] + grace


# ── Datum ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def datum_evidence(
    lon: ArrayLike,
    lat: ArrayLike,
    names: Sequence[str],
    areas: NDArray[np.object_],
    area_names: Sequence[str],
    datums: Sequence[str] = DATUMS,
) -> dict[str, float]:
    """For each datum: the share (0–1) of points inside the area they name, were the points in that datum.

    `areas` are polygons in WGS 84; points whose name is no area's name are left out (nan when all are).
    """
    known = {name: i for i, name in enumerate(area_names)}
    place = np.array([known.get(str(name), -1) for name in names])
    keep = place >= 0
    x, y, place = np.asarray(lon, dtype=float)[keep], np.asarray(lat, dtype=float)[keep], place[keep]
    return {datum: _share_inside(*coordinates.to_wgs84(x, y, datum), place, areas) for datum in datums}


def _share_inside(
    lon: NDArray[np.float64], lat: NDArray[np.float64], place: NDArray[np.int64], areas: NDArray[np.object_]
) -> float:
    if len(place) == 0:
        return float("nan")
    inside = np.zeros(len(place), dtype=bool)
    for area in np.unique(place).tolist():
        mine = place == area
        inside[mine] = shapely.intersects_xy(areas[area], lon[mine], lat[mine])
    return float(inside.mean())


def outline_evidence(
    outline: shapely.Geometry, reference: shapely.Geometry, datums: Sequence[str] = DATUMS
) -> dict[str, float]:
    """For each datum: intersection over union (0–1) of an outline, were it in that datum, with a WGS 84 reference."""
    evidence = {}
    for datum in datums:
        moved = coordinates.project(np.array([outline], dtype=object), coordinates.WGS84, source=datum)[0]
        evidence[datum] = iou(
            shapely.make_valid(moved, method="structure") if not moved.is_valid else moved, reference
        )
    return evidence

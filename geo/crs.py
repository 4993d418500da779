"""Coordinates: the only room that transforms.

Stored geometry is EPSG:4326, longitude then latitude. Everything else is turned into that at the door, by name:

- `EPSG:n`, WKT or PROJJSON through PROJ, always x (east) before y (north), whatever the authority's axis order;
- `gcj02`: the shifted coordinates that Chinese law prescribes for published maps (Amap, Tencent), 100–700 m off;
- `bd09`: Baidu's second shift on top of GCJ-02.

The GCJ-02 forward formula is the published one; the inverse is a fixed-point iteration that ends below 1e-9 degrees
(0.1 mm), unlike the usual one-step inverse, which errs by metres. Both apply inside China only.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from geo.errors import RefusedArgument

Floats = NDArray[np.float64]
WGS84 = "EPSG:4326"
SHIFTED = ("gcj02", "bd09")
AXIS_M = 6_378_245.0  # Krasovsky 1940, the ellipsoid of the GCJ-02 formula
ECCENTRICITY_2 = 0.00669342162296594323
TOLERANCE_DEG = 1e-11
ITERATIONS = 60

# China in rough strokes, some 30 km wide of the border, so that no Chinese city is left out and Seoul, Hanoi, Almaty,
# Delhi and Vladivostok are not shifted. It decides where the GCJ-02 formula applies, nothing else.
_CHINA = shapely.Polygon(
    [
        (73.2, 39.9), (75.2, 40.8), (79.9, 42.4), (80.0, 45.3), (82.3, 45.7), (82.9, 47.4), (85.4, 48.6), (87.6, 49.3),
        (88.6, 48.4), (91.2, 46.8), (91.3, 45.4), (95.6, 44.6), (96.7, 43.0), (101.9, 42.8), (105.0, 41.9),
        (109.3, 42.7), (111.6, 44.2), (114.3, 45.5), (116.0, 46.6), (118.0, 46.9), (117.9, 47.6), (115.4, 47.6),
        (115.4, 48.3), (116.4, 50.0), (119.0, 50.4), (119.7, 52.4), (120.5, 53.4), (123.6, 53.8), (126.2, 53.1),
        (127.8, 50.6), (130.9, 49.1), (135.3, 48.6), (134.9, 47.5), (133.3, 44.9), (131.5, 44.6), (131.4, 43.4),
        (130.8, 42.3), (129.9, 42.2), (128.3, 41.8), (127.0, 41.5), (126.2, 40.7), (124.6, 39.8), (123.9, 38.5),
        (123.4, 36.5), (123.9, 33.0), (123.5, 29.5), (123.4, 27.2), (122.6, 24.6), (121.8, 22.2), (120.9, 21.3),
        (117.0, 19.0), (114.0, 15.5), (111.0, 15.5), (108.3, 18.0), (108.1, 19.8), (107.9, 21.3), (106.6, 21.8),
        (105.2, 22.9), (103.9, 22.3), (102.2, 22.2), (101.7, 21.0), (99.9, 21.2), (98.7, 22.0), (97.5, 23.7),
        (97.4, 25.2), (98.4, 27.3), (97.0, 27.3), (93.5, 26.7), (91.6, 26.7), (91.4, 27.7), (89.1, 27.0),
        (88.5, 27.8), (86.0, 27.8), (84.0, 28.7), (81.2, 29.9), (78.6, 31.0), (78.4, 33.8), (75.9, 35.6),
        (74.3, 37.0), (73.3, 38.3),
    ]
)  # fmt: skip
shapely.prepare(_CHINA)


def in_china(lon: ArrayLike, lat: ArrayLike) -> NDArray[np.bool_]:
    """Whether points (degrees) lie in the rough outline of China where the GCJ-02 shift applies.

    >>> in_china([121.47, -71.06], [31.23, 42.36]).tolist()
    [True, False]
    """
    return np.asarray(shapely.contains_xy(_CHINA, _floats(lon), _floats(lat)), dtype=bool)


# ── The Chinese shifts ──────────────────────────────────────────────────────────────────────────────────────────────


def _gcj_forward(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """The published GCJ-02 formula, everywhere."""
    x, y = lon - 105.0, lat - 35.0
    root, sines = 0.1 * np.sqrt(np.abs(x)), 20.0 * np.sin(6 * np.pi * x) + 20.0 * np.sin(2 * np.pi * x)
    north = (
        -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 2.0 * root
        + (sines + 20.0 * np.sin(np.pi * y) + 40.0 * np.sin(np.pi * y / 3)
           + 160.0 * np.sin(np.pi * y / 12) + 320.0 * np.sin(np.pi * y / 30)) * 2 / 3
    )  # fmt: skip
    east = (
        300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + root
        + (sines + 20.0 * np.sin(np.pi * x) + 40.0 * np.sin(np.pi * x / 3)
           + 150.0 * np.sin(np.pi * x / 12) + 300.0 * np.sin(np.pi * x / 30)) * 2 / 3
    )  # fmt: skip
    phi = np.radians(lat)
    magic = 1 - ECCENTRICITY_2 * np.sin(phi) ** 2
    meridian_m = AXIS_M * (1 - ECCENTRICITY_2) / (magic * np.sqrt(magic))
    parallel_m = AXIS_M / np.sqrt(magic) * np.cos(phi)
    return lon + np.degrees(east / parallel_m), lat + np.degrees(north / meridian_m)


def _bd_forward(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """GCJ-02 to BD-09, everywhere."""
    turn = np.pi * 3000.0 / 180.0
    radius = np.hypot(lon, lat) + 0.00002 * np.sin(lat * turn)
    angle = np.arctan2(lat, lon) + 0.000003 * np.cos(lon * turn)
    return radius * np.cos(angle) + 0.0065, radius * np.sin(angle) + 0.006


def _both_forward(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    return _bd_forward(*_gcj_forward(lon, lat))


def _inverse(forward: Any, lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """The point that `forward` sends to (lon, lat): p ← p − (forward(p) − q) until nothing moves."""
    guess_lon, guess_lat = lon.copy(), lat.copy()
    for _ in range(ITERATIONS):
        there_lon, there_lat = forward(guess_lon, guess_lat)
        off_lon, off_lat = there_lon - lon, there_lat - lat
        guess_lon -= off_lon
        guess_lat -= off_lat
        worst = np.nanmax(np.maximum(np.abs(off_lon), np.abs(off_lat)), initial=0.0)
        if worst < TOLERANCE_DEG:
            break
    return guess_lon, guess_lat


def _shift(formula: Any, lon: ArrayLike, lat: ArrayLike, *, back: bool) -> tuple[Floats, Floats]:
    """Apply a shift inside China, leave the rest alone. Going back, what counts is where the true point lies."""
    lon, lat = _floats(lon), _floats(lat)
    near = (lon > 72) & (lon < 137) & (lat > 14) & (lat < 55)
    out_lon, out_lat = lon.copy(), lat.copy()
    if not near.any():
        return out_lon, out_lat
    moved_lon, moved_lat = _inverse(formula, lon[near], lat[near]) if back else formula(lon[near], lat[near])
    inside = in_china(moved_lon, moved_lat) if back else in_china(lon[near], lat[near])
    out_lon[near] = np.where(inside, moved_lon, lon[near])
    out_lat[near] = np.where(inside, moved_lat, lat[near])
    return out_lon, out_lat


def wgs84_to_gcj02(lon: ArrayLike, lat: ArrayLike) -> tuple[Floats, Floats]:
    """WGS 84 degrees to GCJ-02 degrees; identity outside China.

    >>> [float(v.round(6)[0]) for v in wgs84_to_gcj02([121.5272106], [31.1774276])]
    [121.531542, 31.175304]
    """
    return _shift(_gcj_forward, lon, lat, back=False)


def gcj02_to_wgs84(lon: ArrayLike, lat: ArrayLike) -> tuple[Floats, Floats]:
    """GCJ-02 degrees to WGS 84 degrees, error below 1e-9 degrees; identity outside China."""
    return _shift(_gcj_forward, lon, lat, back=True)


def wgs84_to_bd09(lon: ArrayLike, lat: ArrayLike) -> tuple[Floats, Floats]:
    """WGS 84 degrees to BD-09 degrees; identity outside China."""
    return _shift(_both_forward, lon, lat, back=False)


def bd09_to_wgs84(lon: ArrayLike, lat: ArrayLike) -> tuple[Floats, Floats]:
    """BD-09 degrees to WGS 84 degrees, error below 1e-9 degrees; identity outside China."""
    return _shift(_both_forward, lon, lat, back=True)


# ── Any CRS by name ─────────────────────────────────────────────────────────────────────────────────────────────────


@lru_cache(maxsize=256)
def crs_of(name: str) -> CRS:
    """The pyproj CRS of `EPSG:n`, WKT or PROJJSON; RefusedArgument `crs-unknown` when PROJ does not know it."""
    try:
        return CRS.from_user_input(name)
    except CRSError as error:
        shown = name[:60]
        raise RefusedArgument(
            f"坐标系“{shown}”无法识别。",
            f"The coordinate reference system {shown!r} is not known.",
            code="crs-unknown",
            field="crs",
            do_zh="请用 EPSG:代码、gcj02 或 bd09。",
            do_en="Give EPSG:n, gcj02 or bd09.",
        ) from error


def canonical(name: str | None) -> str | None:
    """`EPSG:n` for a CRS however written (urn, WKT, PROJJSON, OGC:CRS84), `gcj02`/`bd09` as such, WKT where no code fits.

    None stays None; so does what describes no known place on Earth ("Undefined Cartesian SRS", LOCAL_CS, garbage).

    >>> canonical("urn:ogc:def:crs:OGC:1.3:CRS84"), canonical("GCJ02"), canonical("nonsense")
    ('EPSG:4326', 'gcj02', None)
    """
    if name is None or not name.strip():
        return None
    if name.strip().lower() in SHIFTED:
        return name.strip().lower()
    try:
        crs = crs_of(name)
    except RefusedArgument:
        return None
    if not (crs.is_geographic or crs.is_projected) or crs.name.lower().startswith(("undefined", "unknown")):
        return None
    if crs.name == "WGS 84 (CRS84)":
        return WGS84
    flat = crs.sub_crs_list[0] if crs.is_compound else crs
    code = flat.to_epsg(min_confidence=70)
    return f"EPSG:{code}" if code else str(flat.to_wkt())


@lru_cache(maxsize=256)
def _transformer(source: str, target: str) -> Transformer:
    return Transformer.from_crs(crs_of(source), crs_of(target), always_xy=True)


def to_wgs84(x: ArrayLike, y: ArrayLike, crs: str) -> tuple[Floats, Floats]:
    """Coordinates in `crs` ("EPSG:n", WKT, "gcj02", "bd09") as WGS 84 (longitude, latitude) in degrees.

    x is east (or longitude), y is north (or latitude), always. What PROJ cannot transform comes back as inf.

    >>> [float(v.round(4)[0]) for v in to_wgs84([775000], [2956000], "EPSG:2249")]
    [-71.0603, 42.3586]
    """
    if crs == "gcj02":
        return gcj02_to_wgs84(x, y)
    if crs == "bd09":
        return bd09_to_wgs84(x, y)
    if crs == WGS84:
        return _floats(x).copy(), _floats(y).copy()
    lon, lat = _transformer(crs, WGS84).transform(_floats(x), _floats(y))
    return _floats(lon), _floats(lat)


def from_wgs84(lon: ArrayLike, lat: ArrayLike, crs: str) -> tuple[Floats, Floats]:
    """WGS 84 degrees as coordinates in `crs`; the mirror of `to_wgs84`."""
    if crs == "gcj02":
        return wgs84_to_gcj02(lon, lat)
    if crs == "bd09":
        return wgs84_to_bd09(lon, lat)
    if crs == WGS84:
        return _floats(lon).copy(), _floats(lat).copy()
    x, y = _transformer(WGS84, crs).transform(_floats(lon), _floats(lat))
    return _floats(x), _floats(y)


def project(geoms: NDArray[np.object_], crs: str, source: str = WGS84) -> NDArray[np.object_]:
    """Shapely geometries from `source` (default EPSG:4326) into `crs`, in two dimensions; None stays None."""
    if crs == source:
        return shapely.force_2d(np.asarray(geoms, dtype=object))

    def move(points: Floats) -> Floats:
        lon, lat = to_wgs84(points[:, 0], points[:, 1], source)
        return np.column_stack(from_wgs84(lon, lat, crs))

    moved: NDArray[np.object_] = shapely.transform(
        shapely.force_2d(np.asarray(geoms, dtype=object)), move, include_z=False
    )
    return moved


def measuring_crs(bounds: tuple[float, float, float, float]) -> str:
    """The CRS to measure areas (m²) and lengths (m) of a layer in, from its bounds (west, south, east, north, degrees).

    China: the CGCS2000 3-degree zone without prefix (EPSG:4534 + (central meridian − 75) / 3); Taiwan TM2 (EPSG:3826);
    elsewhere UTM. A layer wider than 6 degrees or near a pole: EPSG:6933, equal-area, for areas only.

    >>> measuring_crs((121.0, 30.7, 122.0, 31.8)), measuring_crs((-71.2, 42.2, -70.9, 42.4))
    ('EPSG:4549', 'EPSG:32619')
    """
    west, south, east, north = bounds
    lon, lat = (west + east) / 2, (south + north) / 2
    if east - west > 6 or north > 84 or south < -80:
        return "EPSG:6933"
    if west >= 119.9 and east <= 122.2 and south >= 21.8 and north <= 25.5:
        return "EPSG:3826"
    if in_china([lon], [lat])[0]:
        zone = min(max(round(lon / 3), 25), 45)
        return f"EPSG:{4534 + zone - 25}"
    zone = min(int((lon + 180) // 6) + 1, 60)
    return f"EPSG:{(32600 if lat >= 0 else 32700) + zone}"


def _floats(values: ArrayLike) -> Floats:
    return np.atleast_1d(np.asarray(values, dtype=np.float64))

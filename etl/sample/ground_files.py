"""The files of the ground: GBK shapefiles per level (no .cpg), an overlay, the network, households, facilities, old grids.

They look like what departments send: Chinese field names in GBK, CGCS2000, one workbook per list.
"""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray

from etl.sample import workbook
from etl.sample.city import City
from etl.sample.lines import Floats
from etl.sample.people import Facilities

DBF_DATE = "2026-01-01"
LANGUAGE_BYTE = 29  # of a dbf header: real exports leave it 0, so nothing says that the text is GBK
NOTE = "合成数据"


@dataclass(frozen=True)
class GroundFile:
    """One written file and the loader it is for: `use` is boundaries, network, weights, facilities or plan."""

    path: Path
    use: str
    name: str  # level, column, kind or plan name
    features: int


def write(city: City, folder: Path) -> list[GroundFile]:
    """Every file of the ground into `folder`."""
    return [*_levels(city, folder), _police(city, folder), _network(city, folder), *_weights(city, folder),
            *(_facilities(city, f, folder) for f in city.facilities), _old_grids(city, folder)]  # fmt: skip


# ── Boundaries ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _levels(city: City, folder: Path) -> Iterator[GroundFile]:
    """City, district, street, community: each its own zip, codes and parent codes as text."""
    n, a = city.names, city.areas
    whole = np.array([shapely.normalize(shapely.coverage_union_all(a.communities))], dtype=object)
    levels: list[tuple[str, NDArray[np.object_], list[str], list[str], list[str]]] = [
        ("city", whole, [n.city_code], [n.city], [""]),
        ("district", a.districts, n.district_codes, n.districts, [n.city_code] * len(n.districts)),
        ("street", a.streets, n.street_codes, n.streets, [n.district_codes[i] for i in a.district_of]),
        (
            "community",
            a.communities,
            n.community_codes,
            n.communities,
            [n.street_codes[i] for i in a.street_of],
        ),
    ]
    for level, shapes, codes, names, parents in levels:
        frame = gpd.GeoDataFrame(
            {"区划代码": codes, "名称": names, "上级代码": parents, "说明": [NOTE] * len(codes)},
            geometry=city.on_earth(shapes),
            crs="EPSG:4490",
        )
        path = folder / f"synthetic_boundaries_{level}_gbk.zip"
        _shapefile(frame, path, f"synthetic_{level}")
        yield GroundFile(path, "boundaries", level, len(frame))


def _shapefile(frame: gpd.GeoDataFrame, path: Path, stem: str) -> None:
    """A zipped GBK shapefile without .cpg whose dbf does not name its code page."""
    with tempfile.TemporaryDirectory() as scratch:
        shp = Path(scratch) / f"{stem}.shp"
        pyogrio.write_dataframe(
            frame,
            shp,
            driver="ESRI Shapefile",
            encoding="GBK",
            layer_options={"DBF_DATE_LAST_UPDATE": DBF_DATE},
        )
        files = {f.name: f.read_bytes() for f in sorted(Path(scratch).iterdir()) if f.suffix != ".cpg"}
    dbf = bytearray(files[f"{stem}.dbf"])
    dbf[LANGUAGE_BYTE] = 0
    files[f"{stem}.dbf"] = bytes(dbf)
    workbook.pack(path, files)


def _police(city: City, folder: Path) -> GroundFile:
    """An overlay that nests in nothing: the areas of a few police stations, nearest station by straight line."""
    stations = next(f for f in city.facilities if f.kind == "police_station")
    count = max(2, min(9, len(stations.xy)))
    cells = _nearest(stations.xy[:count], city.lines.limit)
    rows = [
        ({"code": f"P{i + 1:02d}", "name": f"{name}辖区", "note": NOTE}, shape)
        for i, (name, shape) in enumerate(zip(stations.name[:count], city.on_earth(cells), strict=True))
    ]
    path = folder / "synthetic_police_districts.geojson"
    _geojson(path, rows)
    return GroundFile(path, "boundaries", "police_district", len(rows))


def _nearest(points: Floats, limit: Any) -> NDArray[np.object_]:
    """Voronoi cells of the points, clipped, in the order of the points, borders cut fine so that they bend alike."""
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(points), extend_to=limit))
    cells = shapely.intersection(shapely.set_precision(cells, 0.01), limit)
    at = shapely.STRtree(cells).query(shapely.points(points), predicate="intersects")
    order = np.empty(len(points), dtype=np.int64)
    order[at[0][::-1]] = at[1][::-1]
    return np.asarray(cells[order], dtype=object)


# ── Network ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _network(city: City, folder: Path) -> GroundFile:
    """One GeoPackage layer `ways`: lines, and water as polygons."""
    net = city.network
    frame = gpd.GeoDataFrame(
        {
            "way_id": [f"W{i + 1:06d}" for i in range(len(net.geometry))],
            "class": net.way_class,
            "kind": net.kind,
            "name": net.name,
        },
        geometry=city.on_earth(net.geometry, cut=True),
        crs="EPSG:4326",
    )
    path = folder / "synthetic_network.gpkg"
    path.unlink(missing_ok=True)
    with _fixed_date():
        pyogrio.write_dataframe(frame, path, layer="ways", driver="GPKG", geometry_type="Unknown")
    return GroundFile(path, "network", "network", len(frame))


@contextmanager
def _fixed_date() -> Iterator[None]:
    """GDAL stamps a GeoPackage with the time of day; here always the same one."""
    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": f"{DBF_DATE}T00:00:00.000Z"})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})


# ── Numbers of households and people ────────────────────────────────────────────────────────────────────────────────


def _weights(city: City, folder: Path) -> Iterator[GroundFile]:
    """Households and people per building (points) and per community (codes): counts, never persons."""
    lonlat = city.lonlat(city.buildings.xy)
    path = folder / "synthetic_households_points.csv"
    rows = zip(
        (f"B{i + 1:06d}" for i in range(len(lonlat))),
        (f"{x:.7f}" for x in lonlat[:, 0]),
        (f"{y:.7f}" for y in lonlat[:, 1]),
        city.buildings.households.tolist(),
        city.buildings.people.tolist(),
        strict=True,
    )
    _csv(path, ["建筑编号", "经度", "纬度", "households", "people"], rows)
    yield GroundFile(path, "weights", "households", len(lonlat))
    path = folder / "synthetic_population_by_community.csv"
    held = np.bincount(
        city.buildings.community, weights=city.buildings.households, minlength=len(city.areas.communities)
    )
    people = np.bincount(
        city.buildings.community, weights=city.buildings.people, minlength=len(city.areas.communities)
    )
    by_code = zip(
        city.names.community_codes,
        city.names.communities,
        held.astype(int).tolist(),
        people.astype(int).tolist(),
        strict=True,
    )
    _csv(path, ["区划代码", "名称", "households", "population"], by_code)
    yield GroundFile(path, "weights", "population", len(held))


def _csv(path: Path, header: list[str], rows: Any) -> None:
    with path.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\r\n")
        writer.writerow(header)
        writer.writerows(rows)


# ── Facilities ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _facilities(city: City, some: Facilities, folder: Path) -> GroundFile:
    """GeoJSON or a workbook with Chinese headers, as the catalogue of kinds says."""
    lonlat = city.lonlat(some.xy)
    ids = [f"{some.kind[:2].upper()}{i + 1:04d}" for i in range(len(lonlat))]
    path = folder / f"synthetic_facilities_{some.kind}.{some.file_format}"
    if some.file_format == "xlsx":
        rows = [
            (i, n, c, x, y, NOTE)
            for i, n, c, (x, y) in zip(ids, some.name, some.capacity.tolist(), lonlat.tolist(), strict=True)
        ]
        header = ["设施编号", "设施名称", "容量", "经度", "纬度", "备注"]
        workbook.write(path, some.zh, header, rows, frozenset())
    else:
        _geojson(
            path,
            [
                ({"facility_id": i, "name": n, "capacity": c, "note": NOTE}, p)
                for i, n, c, p in zip(
                    ids, some.name, some.capacity.tolist(), np.asarray(shapely.points(lonlat)), strict=True
                )
            ],
        )
    return GroundFile(path, "facilities", some.kind, len(lonlat))


def _geojson(path: Path, rows: list[tuple[dict[str, Any], Any]]) -> None:
    features = [
        {"type": "Feature", "properties": p, "geometry": json.loads(shapely.to_geojson(g))} for p, g in rows
    ]
    text = json.dumps(
        {"type": "FeatureCollection", "name": NOTE, "features": features},
        ensure_ascii=False,
        separators=(",", ":"),
    )
    path.write_text(text + "\n", encoding="utf-8")


# ── Grids drawn by hand some years ago ──────────────────────────────────────────────────────────────────────────────


def _old_grids(city: City, folder: Path) -> GroundFile:
    """An earlier grid layer as a GBK shapefile: a few grids per community, drawn without counting anything."""
    rng = city.spec.rng("old grids")
    shapes, codes, names = [], [], []
    for index, whole in enumerate(city.areas.communities):
        count = int(np.clip(round(city.areas.people[index] / 1_500), 1, 4))
        parts = [whole] if count == 1 else _split(whole, count, rng)
        for number, part in enumerate(parts, start=1):
            shapes.append(part)
            codes.append(f"{city.names.community_codes[index]}{number:03d}")
            names.append(f"{city.names.communities[index]}第{number}网格")
    frame = gpd.GeoDataFrame(
        {"网格编码": codes, "网格名称": names, "说明": [NOTE] * len(codes)},
        geometry=city.on_earth(np.array(shapes, dtype=object)),
        crs="EPSG:4490",
    )
    path = folder / "synthetic_old_grids_gbk.zip"
    _shapefile(frame, path, "synthetic_old_grids")
    return GroundFile(path, "plan", "old_grids", len(frame))


def _split(whole: Any, count: int, rng: np.random.Generator) -> list[Any]:
    """Straight cuts across the long side, as with a ruler."""
    box = shapely.get_coordinates(shapely.minimum_rotated_rectangle(whole))
    one, other = box[1] - box[0], box[2] - box[1]
    along, across = (one, other) if np.hypot(*one) > np.hypot(*other) else (other, one)
    corner = box[:4].mean(axis=0) - along / 2 - across * 2.5
    edges = np.r_[-0.2, (np.arange(1, count) + rng.uniform(-0.15, 0.15, count - 1)) / count, 1.2]
    parts: list[Any] = []
    for low, high in pairwise(edges.tolist()):
        a, b = corner + along * low, corner + along * high
        piece = shapely.intersection(
            whole, shapely.Polygon(np.round([a, b, b + across * 5, a + across * 5], 2))
        )
        parts += [p for p in shapely.get_parts(piece) if p.geom_type == "Polygon" and p.area > 100]
    return parts

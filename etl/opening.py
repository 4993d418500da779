"""Opening one layer, inside the child process only: what it is, which layer, its rows as an Arrow table.

Never import this from the parent: it hands bytes of strangers to C parsers.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyogrio
import pyogrio.errors
import shapely
from numpy.typing import NDArray

from etl import archives, geopackage, shapefiles, sniffing, tabling
from etl.drivers import keep_only
from etl.limits import Limits
from etl.tabling import WKB
from geo.errors import FileTooLarge, RefusedFile

KML_DISPLAY = {  # how Google Earth draws it, not what it is
    "timestamp", "begin", "end", "altitudeMode", "tessellate", "extrude", "visibility", "drawOrder", "icon", "snippet",
}  # fmt: skip


@dataclass
class Opened:
    """One layer: attributes and WKB (column `__wkb__`, two dimensions) and what was noticed, by feature number from 1."""

    table: pa.Table
    driver: str
    layer: str
    encoding: str | None
    crs: str | None
    notices: dict[str, list[int]] = field(default_factory=dict)


def open_layer(
    path: Path, work: Path, drivers: frozenset[str], layer: str | None, encoding: str | None, limits: Limits
) -> Opened:
    """Unpack, sniff, check, read. `work` is an empty folder of our own."""
    if path.is_file() and path.stat().st_size > limits.file_bytes:
        raise FileTooLarge(
            f"文件有 {path.stat().st_size / 1e6:,.0f} MB，最多 {limits.file_bytes / 1e6:,.0f} MB。",
            f"The file has {path.stat().st_size / 1e6:,.0f} MB; at most {limits.file_bytes / 1e6:,.0f} MB are read.",
        )
    path, layer = _unpacked(path, work, drivers, layer, limits)
    driver = sniffing.sniff(path)
    if driver is None or driver not in drivers:
        raise sniffing.not_known(path, drivers)
    if driver == "Parquet":
        opened = _read_parquet(path, limits)
    elif driver == "ESRI Shapefile":
        opened = _read_shapefile(path, work, encoding, limits)
    else:
        opened = _read_other(path, work, driver, layer, limits)
    _settle_geometry(opened, limits)
    return opened


# ── Which file, which layer ─────────────────────────────────────────────────────────────────────────────────────────


def _unpacked(
    path: Path, work: Path, drivers: frozenset[str], layer: str | None, limits: Limits
) -> tuple[Path, str | None]:
    """The one data file behind a `.zip` or `.gz`, and the layer still to be chosen in it."""
    if path.is_dir():
        return path, layer
    folder = work / "unpacked"
    folder.mkdir()
    inside = archives.unpack(path, limits, folder)
    if inside == path:
        return path, layer
    if inside.is_file() or inside.suffix.lower() == ".gdb":
        return inside, layer
    files = [
        p for p in sorted(inside.iterdir()) if sniffing.sniff(p) in drivers and p.suffix.lower() != ".shx"
    ]
    if not files:
        raise sniffing.not_known(path, drivers)
    if len(files) == 1:
        return files[0], layer
    named = [p for p in files if layer in (p.stem, p.name)]
    if len(named) != 1:
        stems = [p.stem for p in files]
        raise choose_layer(stems if len(set(stems)) == len(stems) else [p.name for p in files], layer)
    return named[0], None


def choose_layer(names: list[str], asked: str | None) -> RefusedFile:
    """The refusal that names the layers to choose from."""
    shown_zh, shown_en = "、".join(names[:30]), ", ".join(names[:30])
    if asked is not None:
        zh, en = (
            f"没有图层“{asked[:60]}”。现有：{shown_zh}。",
            f"There is no layer {asked[:60]!r}. There are: {shown_en}.",
        )
    elif names:
        zh, en = f"文件含有多个图层：{shown_zh}。", f"The file holds several layers: {shown_en}."
    else:
        zh, en = "文件中没有带几何的图层。", "The file holds no layer with geometry."
    return RefusedFile(
        zh,
        en,
        code="layer-choice",
        field="layer",
        do_zh="请用 --layer 指定。",
        do_en="Choose one with --layer.",
        layers=names,
    )


def _layers(path: Path | str, driver: str) -> list[str]:
    """Names of layers with geometry; of a GeoPackage only base tables (never a view, which is somebody else's SQL)."""
    base = geopackage.base_tables(path) if driver == "GPKG" and isinstance(path, Path) else None
    names = [str(name) for name, kind in pyogrio.list_layers(path) if kind is not None]
    return names if base is None else [name for name in names if name in base]


# ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _read_other(path: Path, work: Path, driver: str, layer: str | None, limits: Limits) -> Opened:
    encoding: str | None = None
    stem = path.stem
    if driver in ("GeoJSON", "GeoJSONSeq", "TopoJSON"):
        path, encoding, driver = sniffing.check_json(path, work, driver, limits)
    elif driver == "KML":
        encoding = sniffing.check_kml(path)
    keep_only({driver, "LIBKML"} if driver == "KML" else {driver})
    safe = _named(path, work, driver)
    source = (
        f"GeoJSONSeq:{safe}" if driver == "GeoJSONSeq" else safe
    )  # its own guess wants "type" to stand first
    names = _layers(source, driver)
    if layer is None and len(names) == 1:
        chosen = names[0]
    elif layer in names:
        chosen = str(layer)
    elif layer is not None and len(names) == 1 and layer == stem:
        chosen = names[0]
    else:
        raise choose_layer(names, layer)
    try:
        opened = _read_ogr(source, driver, chosen, None, limits)
    except pyogrio.errors.FeatureError:
        if driver != "OSM":
            raise
        pyogrio.set_gdal_config_options({"OSM_USE_CUSTOM_INDEXING": False})  # node ids out of order
        opened = _read_ogr(source, driver, chosen, None, limits)
    opened.encoding = encoding
    wkb = opened.table.column(WKB).to_numpy(zero_copy_only=False)
    if driver == "GPKG" and any(value is None for value in wkb):
        damaged = geopackage.unread_blobs(safe, chosen, wkb)
        opened.notices |= {"geometry-damaged": damaged} if damaged else {}
    if driver == "GeoJSON" or (driver == "TopoJSON" and opened.crs is None):
        opened.crs = opened.crs or "EPSG:4326"
    if driver == "KML":
        opened.table = opened.table.select([c for c in opened.table.column_names if c not in KML_DISPLAY])
    if safe.stem == chosen:
        opened.layer = stem
    return opened


def _named(path: Path, work: Path, driver: str) -> Path:
    """A link to the file under a plain name: no part of the given name reaches GDAL's path syntax."""
    ending = {
        "GPKG": ".gpkg",
        "OpenFileGDB": ".gdb",
        "FlatGeobuf": ".fgb",
        "KML": ".kml",
        "OSM": ".osm.pbf",
        "GeoJSONSeq": ".geojsonl",
    }
    link = work / f"layer{ending.get(driver, '.json')}"
    link.symlink_to(path.resolve())
    return link


def _read_shapefile(path: Path, work: Path, asked: str | None, limits: Limits) -> Opened:
    found = shapefiles.check(path)
    codec, origin = shapefiles.encoding(found, asked)
    for ending, part in found.items():
        if ending != ".cpg":
            (work / f"layer{ending}").symlink_to(part.resolve())
    keep_only({"ESRI Shapefile"})
    try:
        opened = _read_ogr(work / "layer.shp", "ESRI Shapefile", "layer", codec, limits)
    except pyogrio.errors.CRSError:
        (work / "layer.prj").unlink()
        opened = _read_ogr(work / "layer.shp", "ESRI Shapefile", "layer", codec, limits)
    opened.layer, opened.encoding = path.stem, codec
    if origin == "detected":
        opened.notices["encoding-detected"] = []
    if ".prj" not in found:
        opened.notices["prj-missing"] = []
    elif opened.crs is None:
        opened.notices["prj-unreadable"] = []
    return opened


def _read_ogr(path: Path | str, driver: str, layer: str, encoding: str | None, limits: Limits) -> Opened:
    info = pyogrio.read_info(path, layer=layer, encoding=encoding)
    if info["features"] > limits.rows:
        raise FileTooLarge(
            f"图层有 {info['features']:,} 个要素，最多 {limits.rows:,} 个。",
            f"The layer has {info['features']:,} features; at most {limits.rows:,} are read.",
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        meta, _, wkb, values = pyogrio.raw.read(path, layer=layer, encoding=encoding, force_2d=True)
    names = tabling.unique([str(name) for name in meta["fields"]])
    columns = {name: tabling.column(value) for name, value in zip(names, values, strict=True)}
    table = pa.table({**columns, WKB: pa.array(wkb if wkb is not None else [], type=pa.binary())})
    return Opened(table, driver, layer, encoding, meta["crs"])


def _read_parquet(path: Path, limits: Limits) -> Opened:
    """GeoParquet by its own metadata: WKB geometry, the CRS as PROJJSON (absent means longitude and latitude)."""
    from pyarrow import parquet

    file = parquet.ParquetFile(path)
    if file.metadata.num_rows > limits.rows:
        raise FileTooLarge(
            f"文件有 {file.metadata.num_rows:,} 行，最多 {limits.rows:,} 行。",
            f"The file has {file.metadata.num_rows:,} rows; at most {limits.rows:,} are read.",
        )
    geo = (file.schema_arrow.metadata or {}).get(b"geo")
    meta = json.loads(geo) if geo else None
    if not isinstance(meta, dict) or "primary_column" not in meta:
        raise RefusedFile(
            "Parquet 文件没有 GeoParquet 元数据，无法确定几何列。",
            "The Parquet file has no GeoParquet metadata, so it has no geometry column.",
            code="geometry-missing",
            do_zh="请用 GeoPandas 或 GDAL 另存为 GeoParquet。",
            do_en="Write it as GeoParquet with GeoPandas or GDAL.",
        )
    column = meta["columns"][meta["primary_column"]]
    if column.get("encoding", "WKB") != "WKB":
        raise RefusedFile(
            f"几何编码 {column['encoding']} 不支持，只读 WKB。",
            f"Geometry encoding {column['encoding']} is not read, only WKB.",
            code="geometry-encoding",
        )
    table = file.read()
    crs = column.get("crs", "EPSG:4326")  # null means: none declared
    others = [name for name in table.column_names if name not in meta["columns"]]
    columns = {
        new: tabling.plain(table.column(old))
        for new, old in zip(tabling.unique(others), others, strict=True)
        if not old.startswith("__index_level_")
    }
    wkb = table.column(meta["primary_column"]).combine_chunks().cast(pa.binary())
    made = pa.table({**columns, WKB: wkb})
    text = json.dumps(crs) if isinstance(crs, dict) else crs
    return Opened(made, "Parquet", path.stem, "utf-8", text)


# ── Geometry ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _settle_geometry(opened: Opened, limits: Limits) -> None:
    """Two dimensions, rings closed, finite, within the caps; what cannot be is None and noticed by feature number."""
    wkb = opened.table.column(WKB).to_numpy(zero_copy_only=False)
    delivered = np.array([bool(v) for v in wkb], dtype=bool)
    geoms: NDArray[np.object_] = np.array(shapely.from_wkb(wkb, on_invalid="ignore"), dtype=object)
    lost = delivered & shapely.is_missing(geoms)
    if lost.any():
        fixed = np.full(len(geoms), None, dtype=object)
        fixed[lost] = shapely.from_wkb(wkb[lost], on_invalid="fix")
        closed = lost & ~shapely.is_missing(fixed)
        geoms[closed] = fixed[closed]
        _note(opened, "ring-open", closed)
        _note(opened, "geometry-damaged", lost & ~closed)
    counts = shapely.get_num_coordinates(geoms)
    if counts.sum() > limits.vertices:
        raise sniffing.too_complex(int(counts.sum()), limits.vertices)
    _note(opened, "geometry-too-complex", counts > limits.feature_vertices)
    geoms[counts > limits.feature_vertices] = None
    geoms = shapely.force_2d(geoms)
    finite = (
        np.isfinite(shapely.bounds(geoms)).all(axis=1) | shapely.is_missing(geoms) | shapely.is_empty(geoms)
    )
    points, owner = shapely.get_coordinates(geoms, return_index=True)
    finite[owner[~np.isfinite(points).all(axis=1)]] = False
    _note(opened, "coordinates-not-finite", ~finite)
    geoms[~finite] = None
    place = opened.table.column_names.index(WKB)
    settled = pa.array(shapely.to_wkb(geoms), type=pa.binary())
    opened.table = opened.table.set_column(place, WKB, settled)


def _note(opened: Opened, code: str, where: NDArray[np.bool_]) -> None:
    if where.any():
        opened.notices.setdefault(code, [])
        opened.notices[code] += (np.flatnonzero(where) + 1).tolist()

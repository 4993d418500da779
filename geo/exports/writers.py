"""Layers as files: GeoPackage, GeoJSON, Shapefile, FlatGeobuf, GeoParquet, KML, CSV and Excel.

Every file is written beside its place and renamed when whole, so a half-written export is never seen; a full disk leaves
nothing behind. Rows are streamed: memory does not grow with the layer, except for Excel.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import shapely

from geo.crs import SHIFTED, WGS84, canonical, project
from geo.errors import RefusedArgument, Unavailable
from geo.exports import ogr, tabular
from geo.exports.job import Job, Written
from geo.exports.layers import GEOMETRY, Layer
from geo.progress import Progress, silent

WRITERS: dict[str, Callable[[Job], Path]] = {
    ".gpkg": ogr.geopackage,
    ".geojson": ogr.geojson,
    ".shp.zip": ogr.shapefile_zip,
    ".fgb": ogr.flatgeobuf,
    ".kml": ogr.kml,
    ".parquet": tabular.geoparquet,
    ".csv": tabular.csv,
    ".xlsx": tabular.xlsx,
}


def write(
    layer: Layer,
    path: Path,
    *,
    crs: str = WGS84,
    encoding: str = "utf-8",
    progress: Progress = silent,
) -> Written:
    """Write a layer to `path`; the ending chooses the format.

    `crs`: any `EPSG:n` that pyproj knows (KML is always WGS 84). `encoding`: `utf-8` or `gbk`, for shapefiles.

    Raises RefusedArgument for an unknown ending, CRS or encoding, or more rows than the format holds; Unavailable
    (code `disk-full`) when the disk is full.
    """
    ending = ending_of(path)
    if encoding.lower() not in ("utf-8", "gbk"):
        raise RefusedArgument(
            f"编码 {encoding} 不受支持。",
            f"Encoding {encoding} is not supported.",
            field="encoding",
            do_zh="可用：utf-8、gbk。",
            do_en="Use utf-8 or gbk.",
        )
    target = _target_crs(ending, crs)
    written = Written(path, 0, target)
    if ending == ".kml" and crs.upper() != WGS84:
        written.notice(
            "crs-fixed",
            "KML 只能使用 WGS 84，未按所选坐标系投影。",
            "KML is always WGS 84, whatever was asked for.",
        )
    if ending == ".geojson" and target != WGS84:
        written.notice(
            "geojson-crs",
            f"GeoJSON（RFC 7946）规定使用 WGS 84；文件按旧版写法注明了 {target}，部分软件会忽略它。",
            f"GeoJSON (RFC 7946) means WGS 84; this file names {target} the older way and some programs will ignore that.",
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".export-", dir=path.parent))
    try:
        stream = _counted(_projected(layer.batches, target, layer.geometry_kind), written, progress)
        ready = replace(layer, batches=stream)
        stem = path.name[: -len(ending)]
        made = WRITERS[ending](Job(ready, folder, stem, target, encoding.lower(), written))
        _publish(made, path, folder, written)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise Unavailable(
                f"磁盘已满，未写出 {path.name}。",
                f"The disk is full; {path.name} was not written.",
                code="disk-full",
                do_zh="请清理磁盘后重试。",
                do_en="Free some space and try again.",
            ) from error
        raise
    finally:
        close = getattr(layer.batches, "close", None)  # an abandoned COPY would keep the connection busy
        if close:
            close()
        shutil.rmtree(folder, ignore_errors=True)
    return written


def ending_of(path: Path) -> str:
    """The longest known ending of a file name, in lower case.

    >>> ending_of(Path("格网.SHP.ZIP"))
    '.shp.zip'
    """
    name = path.name.lower()
    for ending in sorted(WRITERS, key=len, reverse=True):
        if name.endswith(ending):
            return ending
    known = " ".join(WRITERS)
    raise RefusedArgument(
        f"无法从文件名“{path.name}”判断格式。",
        f"The ending of “{path.name}” names no format.",
        code="export-format",
        field="output",
        do_zh=f"可用：{known}",
        do_en=f"Use one of: {known}",
    )


def _target_crs(ending: str, crs: str) -> str:
    """The CRS the file will have: KML is always WGS 84; GCJ-02 and BD-09 name no CRS that other programs know."""
    code = None if crs.lower() in SHIFTED else canonical(crs)
    if ending == ".kml":
        return WGS84
    if code is None or not code.startswith("EPSG:"):
        raise RefusedArgument(
            f"未知坐标系 {crs}。",
            f"Unknown CRS {crs}.",
            code="crs-unknown",
            field="crs",
            do_zh="请写 EPSG:编号，例如 EPSG:4490。",
            do_en="Write EPSG:number, for example EPSG:4490.",
        )
    return code


def _projected(batches: Iterator[pa.RecordBatch], crs: str, kind: str) -> Iterator[pa.RecordBatch]:
    """Batches with their WKB in `crs` (they come in WGS 84)."""
    for batch in batches:
        if crs == WGS84 or batch.num_rows == 0:
            yield batch
            continue
        position = batch.schema.get_field_index(GEOMETRY)
        geometries = shapely.from_wkb(batch.column(position).to_numpy(zero_copy_only=False))
        moved = project(geometries, crs)
        missing = np.array([g is None for g in moved])
        wkb = pa.array(shapely.to_wkb(moved), pa.binary(), mask=missing)
        yield batch.set_column(position, GEOMETRY, wkb)


def _counted(
    batches: Iterator[pa.RecordBatch], written: Written, progress: Progress
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        written.rows += batch.num_rows
        progress("export", written.rows)
        yield batch


def _publish(made: Path, path: Path, folder: Path, written: Written) -> None:
    """Move the finished file, and what belongs beside it, into place."""
    with made.open("rb+") as handle:
        os.fsync(handle.fileno())
    made.replace(path)
    written.files.append(path.name)
    for beside in sorted(folder.glob("*.qml")):
        beside.replace(path.parent / f"{path.name[: -len(ending_of(path))]}.qml")
        written.files.append(f"{path.name[: -len(ending_of(path))]}.qml")

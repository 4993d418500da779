"""Formats that GDAL writes: GeoPackage, GeoJSON, FlatGeobuf, KML and Shapefile, streamed as Arrow."""

from __future__ import annotations

import csv as text_csv
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from geo.errors import RefusedArgument
from geo.exports.job import Job, local_text
from geo.exports.layers import GEOMETRY
from geo.exports.names import short_names
from geo.exports.styles import qml

DBF_TEXT_BYTES = 254
UNGUARDED = {"OGR_SQLITE_SYNCHRONOUS": "OFF", "OGR_SQLITE_JOURNAL": "OFF", "OGR_SQLITE_CACHE": "64"}  # MB
SHP_BYTES = 2**31 - 1  # a shapefile's parts count bytes in 32 bits


def geopackage(job: Job) -> Path:
    """GeoPackage with a QGIS style beside it."""
    with _unguarded_sqlite():
        made = _write(_utc(job), "GPKG", ".gpkg", SPATIAL_INDEX="YES")
    (job.folder / "style.qml").write_text(qml(job.layer), encoding="utf-8")
    return made


def geojson(job: Job) -> Path:
    """GeoJSON: RFC 7946 with seven decimals (1 cm) in WGS 84, the older form with a `crs` member elsewhere."""
    if job.crs == "EPSG:4326":
        return _write(_utc(job), "GeoJSON", ".geojson", RFC7946="YES", COORDINATE_PRECISION="7")
    return _write(_utc(job), "GeoJSON", ".geojson", RFC7946="NO", COORDINATE_PRECISION="3")


def flatgeobuf(job: Job) -> Path:
    """FlatGeobuf, with its packed spatial index unless some rows have no place (the format cannot hold both)."""
    return _write(_utc(job), "FlatGeobuf", ".fgb", SPATIAL_INDEX="YES" if job.layer.complete else "NO")


def kml(job: Job) -> Path:
    """KML 2.2 in WGS 84, attributes as ExtendedData."""
    return _write(_plain_times(job), "LIBKML", ".kml")


def shapefile_zip(job: Job) -> Path:
    """A zip of .shp .shx .dbf .prj .cpg, a QGIS style, and `fields.csv` that gives every short name its full one.

    Dates with time become text (dBASE has no instant); text longer than 254 bytes is cut at a character and counted.
    """
    names = short_names([n for n in job.layer.schema.names if n != GEOMETRY], job.encoding)
    job.written.short_names.update(names)
    flat = _dbf_ready(_plain_times(job), names)
    made = _write(flat, "ESRI Shapefile", ".shp", encoding=job.encoding.upper())
    stem = made.with_suffix("")
    if made.stat().st_size > SHP_BYTES or made.with_suffix(".dbf").stat().st_size > SHP_BYTES:
        raise RefusedArgument(
            "图层超过 Shapefile 的 2 GB 上限。",
            "The layer exceeds the 2 GB limit of a shapefile.",
            code="export-too-large",
            field="output",
            do_zh="请改用 .gpkg 或 .parquet。",
            do_en="Use .gpkg or .parquet.",
        )
    made.with_suffix(".cpg").write_text("GBK" if job.encoding == "gbk" else "UTF-8", encoding="ascii")
    coloured = replace(job.layer, value_field=names.get(job.layer.value_field or ""))
    made.with_suffix(".qml").write_text(qml(coloured), encoding="utf-8")
    with (job.folder / f"{job.stem}.fields.csv").open("w", encoding="utf-8-sig", newline="") as handle:
        text_csv.writer(handle).writerows([("short_name", "full_name"), *((s, f) for f, s in names.items())])
    archive = job.folder / f"{job.stem}.shp.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as zipped:
        for part in sorted(job.folder.glob(f"{stem.name}.*")):
            if part != archive:
                zipped.write(part, part.name)
                job.written.files.append(part.name)
    made.with_suffix(".qml").unlink()
    return archive


def _write(job: Job, driver: str, suffix: str, encoding: str | None = None, **options: str) -> Path:
    import pyogrio  # brings geopandas along: only who exports waits for it

    path = job.folder / f"{job.stem}{suffix}"
    reader = pa.RecordBatchReader.from_batches(job.layer.schema, job.layer.batches)
    pyogrio.write_arrow(
        reader,
        path,
        layer=job.stem,
        driver=driver,
        geometry_name=GEOMETRY,
        geometry_type=job.layer.geometry_kind,
        crs=job.crs,
        encoding=encoding,
        **options,
    )
    return path


@contextmanager
def _unguarded_sqlite() -> Iterator[None]:
    """SQLite without journal and syncs: the file is a draft until it is whole, synced once and renamed."""
    import pyogrio

    pyogrio.set_gdal_config_options(UNGUARDED)
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options(dict.fromkeys(UNGUARDED))


def _utc(job: Job) -> Job:
    """The same job with instants in UTC: from any other zone GDAL writes a wall clock without its offset (measured)."""
    utc = pa.timestamp("us", tz="UTC")
    return _mapped(
        job, lambda field, column: column.cast(utc) if pa.types.is_timestamp(field.type) else column
    )


def _plain_times(job: Job) -> Job:
    """The same job with instants as ISO 8601 text."""
    return _mapped(
        job, lambda field, column: local_text(column) if pa.types.is_timestamp(field.type) else column
    )


def _dbf_ready(job: Job, names: dict[str, str]) -> Job:
    """Short names, numbers instead of true and false, and text that fits the field."""
    cut: list[int] = [0]

    def fit(field: pa.Field, column: Any) -> Any:
        if pa.types.is_boolean(field.type):
            return pc.cast(column, pa.int16())
        if not (pa.types.is_string(field.type) or pa.types.is_large_string(field.type)):
            return column
        return _fitted(column, job, cut)

    return _mapped(job, fit, names)


def _fitted(column: Any, job: Job, cut: list[int]) -> Any:
    """Text cut to 254 bytes of the target encoding; characters that GBK lacks become `?`; both are reported."""
    longest = pc.max(pc.binary_length(column)).as_py() or 0
    if longest <= DBF_TEXT_BYTES and job.encoding == "utf-8":
        return column
    out: list[str | None] = []
    for value in column.to_pylist():
        if value is None:
            out.append(None)
            continue
        coded = value.encode(job.encoding, "replace")
        kept = coded[:DBF_TEXT_BYTES].decode(job.encoding, "ignore")
        cut[0] += kept != value
        out.append(kept)
    if cut[0]:
        job.written.notices[:] = [n for n in job.written.notices if n["code"] != "text-changed"]
        job.written.notice(
            "text-changed",
            f"{cut[0]} 个文本值因 Shapefile 限制（254 字节、{job.encoding.upper()} 字符集）被截短或替换。",
            f"{cut[0]} text values were shortened or replaced (254 bytes, {job.encoding.upper()} characters only).",
        )
    return pa.array(out, pa.string())


def _mapped(job: Job, change: Any, names: dict[str, str] | None = None) -> Job:
    """The job with every attribute column passed through `change(field, column)`, and renamed."""

    def one(batch: pa.RecordBatch) -> pa.RecordBatch:
        return pa.RecordBatch.from_pydict(
            {
                (names or {}).get(f.name, f.name): (c if f.name == GEOMETRY else change(f, c))
                for f, c in zip(batch.schema, batch.columns, strict=True)
            }
        )

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in job.layer.batches:
            yield one(batch)

    empty = one(
        pa.RecordBatch.from_arrays([pa.array([], f.type) for f in job.layer.schema], schema=job.layer.schema)
    )
    layer = replace(job.layer, schema=empty.schema, batches=batches())
    return replace(job, layer=layer)

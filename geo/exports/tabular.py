"""Formats without GDAL: CSV and Excel for people, GeoParquet for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import shapely
from pyproj import CRS

from geo.errors import RefusedArgument
from geo.exports.job import Job, local_text
from geo.exports.layers import GEOMETRY
from geo.exports.safety import neutralise_table

EXCEL_ROWS = 1_048_576
EXCEL_CELL_CHARACTERS = 32_767
BOM = b"\xef\xbb\xbf"


def csv(job: Job) -> Path:
    """CSV in UTF-8 with BOM, formulas neutralised; places as lon, lat (x, y in a projected CRS) or WKT."""
    path = job.folder / f"{job.stem}.csv"
    with path.open("wb") as handle:
        handle.write(BOM)
        first = True
        for table in _flat(job):
            pacsv.write_csv(table, handle, pacsv.WriteOptions(include_header=first, quoting_style="needed"))
            first = False
    return path


def xlsx(job: Job) -> Path:
    """Excel workbook with one sheet, a frozen bold header and formulas neutralised.

    Raises RefusedArgument when the layer has more rows than a sheet holds.
    """
    from openpyxl import Workbook  # only who writes a workbook waits for this import

    path = job.folder / f"{job.stem}.xlsx"
    book = Workbook(write_only=True)
    sheet = book.create_sheet(job.layer.name[:31])
    rows = 0
    for table in _flat(job):
        if not rows:
            _header(sheet, table.schema.names)
            rows = 1
        rows += table.num_rows
        if rows > EXCEL_ROWS:
            raise RefusedArgument(
                f"图层超过 Excel 的 {EXCEL_ROWS} 行上限。",
                f"The layer has more rows than Excel's {EXCEL_ROWS}.",
                code="export-too-large",
                field="output",
                do_zh="请改用 .csv 或 .gpkg。",
                do_en="Use .csv or .gpkg.",
            )
        for row in zip(*(column.to_pylist() for column in table.columns), strict=True):
            sheet.append([v[:EXCEL_CELL_CHARACTERS] if isinstance(v, str) else v for v in row])
    book.save(path)
    return path


def geoparquet(job: Job) -> Path:
    """GeoParquet 1.1 (WKB, zstd), in row groups as they arrive."""
    path = job.folder / f"{job.stem}.parquet"
    crs = json.loads(CRS.from_user_input(job.crs).to_json())
    types = [] if job.layer.geometry_kind == "Unknown" else [job.layer.geometry_kind]
    geo = {
        "version": "1.1.0",
        "primary_column": GEOMETRY,
        "columns": {GEOMETRY: {"encoding": "WKB", "geometry_types": types, "crs": crs}},
    }
    schema = job.layer.schema.with_metadata({b"geo": json.dumps(geo).encode()})
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in job.layer.batches:
            writer.write_batch(batch.replace_schema_metadata(schema.metadata))
    return path


def _header(sheet: Any, names: list[str]) -> None:
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    sheet.freeze_panes = "A2"
    for position, name in enumerate(names, 1):
        sheet.column_dimensions[get_column_letter(position)].width = max(10, min(40, len(name) + 4))
    cells = []
    for name in names:
        cell = WriteOnlyCell(sheet, value=name)
        cell.font = Font(bold=True)
        cells.append(cell)
    sheet.append(cells)


def _flat(job: Job) -> Iterator[pa.Table]:
    """Batches as text-safe tables: instants as ISO 8601, geometry as coordinates (points) or WKT."""
    empty = pa.RecordBatch.from_arrays(
        [pa.array([], f.type) for f in job.layer.schema], schema=job.layer.schema
    )
    yield _flat_one(job, empty)
    for batch in job.layer.batches:
        yield _flat_one(job, batch)


def _flat_one(job: Job, batch: pa.RecordBatch) -> pa.Table:
    columns = {
        f.name: local_text(c) if pa.types.is_timestamp(f.type) else c
        for f, c in zip(batch.schema, batch.columns, strict=True)
        if f.name != GEOMETRY
    }
    table = neutralise_table(pa.table(columns))
    geometries = shapely.from_wkb(batch.column(GEOMETRY).to_numpy(zero_copy_only=False))
    if job.layer.geometry_kind != "Point":
        wkt = shapely.to_wkt(
            geometries, rounding_precision=7 if CRS.from_user_input(job.crs).is_geographic else 3
        )
        return table.append_column("wkt", pa.array(wkt, pa.string()))
    names = ("lon", "lat") if CRS.from_user_input(job.crs).is_geographic else ("x", "y")
    for name, values in zip(names, (shapely.get_x(geometries), shapely.get_y(geometries)), strict=True):
        table = table.append_column(name, pa.array(values, pa.float64(), mask=np.isnan(values)))
    return table

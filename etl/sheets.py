"""Workbooks (XLSX, XLS, ODS) and plain Parquet as one Arrow table of text, inside the limited child process only.

Formulas are never evaluated: what counts is the value stored beside them, and a formula without one is reported. Numbers
of more than 15 digits have lost their last ones in the spreadsheet and are reported too.
"""

from __future__ import annotations

import datetime as dt
import re
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from etl.limits import MB, Limits
from geo.errors import FileTooLarge, FileTypeUnknown, RefusedFile

if TYPE_CHECKING:
    from python_calamine import CalamineWorkbook

UNPACKED_BYTES = 1_000 * MB
RATIO, RATIO_FROM = 200, 8 * MB
COLUMNS = 2_000
EXACT = 10**15
OLE = bytes.fromhex("d0cf11e0a1b11ae1")
_REF = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_FORMULA = re.compile(
    rb"<c\b([^>]*)>\s*<f\b(?:[^>]*/>|[^>]*>.*?</f>)\s*(?:<v\s*/>|<v></v>)?\s*</c>", re.DOTALL
)


@dataclass
class Sheet:
    """Rows of one sheet as text: columns `0`, `1` …, the sheet's own row numbers (from 1), odd cells."""

    table: pa.Table
    rows: list[int]
    name: str
    sheets: list[str]
    empty: list[str]
    formulas: list[tuple[int, int]] = field(default_factory=list)  # (row number, column from 0)
    imprecise: list[tuple[int, int]] = field(default_factory=list)


def read_sheet(path: Path, limits: Limits, wanted: str | None = None) -> Sheet:
    """The named sheet, or the first one that holds anything."""
    from python_calamine import CalamineWorkbook  # only the child that reads a workbook waits for this import

    head = path.open("rb").read(8)
    if head.startswith(b"PK"):
        check_zip(path)
    elif head.startswith(OLE):
        _check_ole(path)
    else:
        _not_a_workbook(path)
    try:
        book = CalamineWorkbook.from_path(str(path))
        names = book.sheet_names
        name, grid, empty = _choose(book, names, wanted)
    except (RefusedFile, MemoryError):
        raise
    except Exception as problem:  # calamine has its own family of errors per format
        if "assword" in str(problem):
            raise _encrypted() from problem
        raise _damaged(path) from problem
    made = _as_table(grid)
    sheet = Sheet(made[0], made[1], name, names, empty, imprecise=made[2])
    if head.startswith(b"PK") and name:
        sheet.formulas = formulas_without_value(path, names.index(name))
    return sheet


def check_zip(path: Path) -> None:
    """Refuses a package that unpacks too large, holds macros, a password or a DOCTYPE; bytes are counted, not believed."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = {info.filename for info in archive.infolist()}
            if any(name.lower().endswith("vbaproject.bin") for name in names):
                raise FileTypeUnknown(
                    "工作簿含宏（macro），不读取。",
                    "The workbook holds macros (macro-enabled) and is not read.",
                    do_zh="另存为普通 .xlsx。",
                    do_en="Save it as a plain .xlsx.",
                )
            total = 0
            for info in archive.infolist():
                total = _check_entry(archive, info, total)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as problem:
        raise _damaged(path) from problem


def _check_entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, total: int) -> int:
    if info.flag_bits & 1:
        raise _encrypted()
    done, tail = 0, b""
    is_xml = info.filename.lower().endswith((".xml", ".rels", ".vml"))
    with archive.open(info) as part:
        while block := part.read(1 << 18):
            done += len(block)
            if total + done > UNPACKED_BYTES or (
                done > RATIO_FROM and done > RATIO * max(info.compress_size, 1)
            ):
                raise FileTooLarge(
                    "工作簿解压后过大（uncompressed）。",
                    f"The workbook is too large uncompressed: more than {UNPACKED_BYTES // MB} MB, or {RATIO} times its size.",
                    code="archive-too-large",
                    do_zh="另存为 CSV。",
                    do_en="Save it as CSV.",
                )
            if is_xml and b"<!DOCTYPE" in (tail + block).upper():
                raise RefusedFile(
                    "工作簿的 XML 含有 DOCTYPE，不读取。",
                    "The workbook's XML has a DOCTYPE; it is not read.",
                    code="xml-dtd",
                )
            tail = block[-16:]
    return total + done


def _check_ole(path: Path) -> None:
    """An old .xls, or an encrypted .xlsx, which hides in the same container."""
    with path.open("rb") as file:
        data = file.read(4 * MB)
    encrypted = "EncryptedPackage".encode("utf-16-le") in data
    if encrypted or path.suffix.lower() in (".xlsx", ".xlsm", ".ods"):
        raise _encrypted()


def _choose(
    book: CalamineWorkbook, names: list[str], wanted: str | None
) -> tuple[str, list[list[Any]], list[str]]:
    if wanted is not None and wanted not in names:
        shown = ", ".join(names)
        raise RefusedFile(
            f"没有工作表 {wanted!r}，有：{shown}。",
            f"There is no sheet {wanted!r}; there are: {shown}.",
            code="sheet-choice",
        )
    empty: list[str] = []
    for name in [wanted] if wanted else names:
        grid = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
        if any(cell != "" for row in grid for cell in row):
            return name, grid, empty
        empty.append(name)
    return "", [], empty


def _as_table(grid: list[list[Any]]) -> tuple[pa.Table, list[int], list[tuple[int, int]]]:
    """Text columns, row numbers of the rows that hold anything, and cells of numbers too long to be exact."""
    width = max((len(row) for row in grid), default=0)
    while width and all(len(row) < width or row[width - 1] == "" for row in grid):
        width -= 1
    if width > COLUMNS:
        raise RefusedFile(
            f"工作表有 {width} 列，最多 {COLUMNS} 列。",
            f"The sheet has {width} columns; at most {COLUMNS} columns are read.",
            code="column-count",
        )
    rows = [at + 1 for at, row in enumerate(grid) if any(cell != "" for cell in row[:width])]
    imprecise = [
        (number, column)
        for number in rows
        for column, cell in enumerate(grid[number - 1][:width])
        if isinstance(cell, int | float) and not isinstance(cell, bool) and abs(cell) >= EXACT
    ]
    columns = [
        pa.array(
            [text(grid[number - 1][c]) if c < len(grid[number - 1]) else None for number in rows], pa.string()
        )
        for c in range(width)
    ]
    return pa.table(columns, names=[str(c) for c in range(width)]), rows, imprecise


def text(cell: Any) -> str | None:
    """A cell as text: dates in ISO form, whole numbers without a point.

    >>> text(3.0), text(dt.datetime(2025, 3, 1, 8)), text(""), text(True)
    ('3', '2025-03-01 08:00:00', None, 'true')
    """
    if cell is None or cell == "":
        return None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e18 else repr(cell)
    if isinstance(cell, dt.datetime):
        whole = cell + dt.timedelta(milliseconds=500) if cell.microsecond % 1000 else cell
        return whole.replace(microsecond=0).isoformat(" ") if cell.microsecond else cell.isoformat(" ")
    if isinstance(cell, dt.date | dt.time):
        return cell.isoformat()
    return str(cell)


def formulas_without_value(path: Path, index: int) -> list[tuple[int, int]]:
    """(row, column from 0) of the formula cells of the n-th sheet that carry no stored value."""
    with zipfile.ZipFile(path) as archive:
        part = _sheet_part(archive, index)
        if part is None:
            return []
        data = archive.read(part)
    if b"<f" not in data:
        return []
    found = []
    for match in _FORMULA.finditer(data):
        at = re.search(rb'\br="([A-Z]{1,3}[0-9]{1,7})"', match.group(1))
        where = _REF.fullmatch(at.group(1).decode()) if at else None
        if where:
            column = 0
            for letter in where.group(1):
                column = column * 26 + ord(letter) - 64
            found.append((int(where.group(2)), column - 1))
    return found


def _sheet_part(archive: zipfile.ZipFile, index: int) -> str | None:
    """The name of the n-th sheet's XML, by the workbook's relations."""
    try:
        book = archive.read("xl/workbook.xml").decode("utf-8", "replace")
        rels = archive.read("xl/_rels/workbook.xml.rels").decode("utf-8", "replace")
    except KeyError:
        return None
    ids = [re.search(r'\b\w+:id="([^"]+)"', tag) for tag in re.findall(r"<(?:\w+:)?sheet\b[^>]*>", book)]
    if index >= len(ids) or ids[index] is None:
        return None
    wanted = ids[index].group(1)  # type: ignore[union-attr]
    for tag in re.findall(r"<Relationship\b[^>]*>", rels):
        if f'Id="{wanted}"' in tag and (target := re.search(r'Target="([^"]+)"', tag)):
            name = target.group(1)
            name = name[1:] if name.startswith("/") else f"xl/{name}"
            return name if name in archive.namelist() else None
    return None


def read_parquet(path: Path, limits: Limits) -> pa.Table:
    """A Parquet file without geometry, every column as text."""
    from pyarrow import parquet

    file = parquet.ParquetFile(path)
    if len(file.schema_arrow.names) > COLUMNS:
        raise RefusedFile("列太多。", f"More than {COLUMNS} columns.", code="column-count")
    return pa.table({name: as_text(file.read([name]).column(0)) for name in file.schema_arrow.names})


def as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of any plain type as strings: whole floats without a point, instants in ISO form.

    >>> as_text(pa.chunked_array([[1.0, 2.5, None]])).to_pylist()
    ['1', '2.5', None]
    """
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return column.cast(pa.string())
    if pa.types.is_floating(kind):
        plain = column.cast(pa.float64())
        whole = pc.and_(pc.equal(plain, pc.floor(plain)), pc.less(pc.abs(plain), 1e15))
        numbers = pc.cast(pc.if_else(whole, plain, None), pa.int64()).cast(pa.string())
        nan = pc.is_nan(plain)
        return pc.if_else(nan, None, pc.if_else(pc.fill_null(whole, False), numbers, plain.cast(pa.string())))
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        import orjson

        values = [
            None if v is None or isinstance(v, bytes) else orjson.dumps(v, default=str).decode()
            for v in column.to_pylist()
        ]
        return pa.chunked_array([pa.array(values, pa.string())])
    return column.cast(pa.string())


def _not_a_workbook(path: Path) -> None:
    raise FileTypeUnknown(
        f"“{path.name}”不是 xlsx、xls 或 ods 工作簿。",
        f"{path.name!r} is not an xlsx, xls or ods workbook.",
        do_zh="重新导出，或以 .csv 提供。",
        do_en="Export it again, or give a .csv.",
    )


def _encrypted() -> RefusedFile:
    return RefusedFile(
        "工作簿有密码（已加密），无法读取。",
        "The workbook has a password (it is encrypted) and cannot be read.",
        code="file-encrypted",
        do_zh="去掉密码后另存。",
        do_en="Save it without a password.",
    )


def _damaged(path: Path) -> RefusedFile:
    return RefusedFile(
        f"工作簿“{path.name}”已损坏，无法读取。",
        f"The workbook {path.name!r} is damaged and cannot be read.",
        code="file-unreadable",
        do_zh="在表格软件中打开并重新保存。",
        do_en="Open it in a spreadsheet program and save it again.",
    )

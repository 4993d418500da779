"""Tables of rows, whatever the format: one door that looks at the content, not the name, and streams batches.

with open_table(Path("cases.csv.gz")) as table:
    print(table.header, table.encoding)
    for batch in table.batches():
        ...
"""

from __future__ import annotations

import gzip
import hashlib
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from etl import reading
from etl.limits import DRIVERS
from etl.sniffing import sniff
from etl.tables import delimited, encodings, records
from etl.tables.layer import from_vector
from etl.tables.table import RawBatch, Table, in_batches
from etl.tables.workbook import as_table
from geo.errors import FileTooLarge, FileTypeUnknown, RefusedFile

CHUNK_BYTES = 4 << 20
GZIP_RATIO = 200  # times its compressed size, past the first 64 MB, is a bomb
GZIP_FREE_BYTES = 64 << 20
OLE = bytes.fromhex("d0cf11e0a1b11ae1")
WORKBOOKS = (".xlsx", ".xlsm", ".xls", ".ods")
TEXT_DRIVERS = ("GeoJSON", "GeoJSONSeq", "TopoJSON")
GEOJSON = re.compile(rb'"type"\s*:\s*"(?:FeatureCollection|Feature|GeometryCollection|Topology)"')


def open_table(path: Path, *, encoding: str | None = None, strict: bool = False) -> Table:
    """Open a file of rows; refuses what is not one, saying what it looks like.

    `strict` reads delimited text by the line parser only (same answer, slower).
    """
    if not path.is_file():
        raise RefusedFile(f"没有文件 {path.name}。", f"There is no file {path.name}.", code="file-missing")
    head = _head(path)
    if not head.strip(b"\0 \t\r\n"):
        raise RefusedFile(
            "文件是空的。",
            "The file is empty.",
            code="file-empty",
            do_zh="检查导出是否成功。",
            do_en="Check the export.",
        )
    if path.suffix.lower() == ".gz" and not _is_text(head):
        return open_table(_unpacked(path), encoding=encoding)
    if head.startswith((b"PK\x03\x04", OLE)) or path.suffix.lower() in WORKBOOKS:
        return _open_package(path, head)
    driver = sniff(path) if path.suffix.lower() != ".gz" else None
    if driver == "Parquet":
        return _open_parquet(path)
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n\x1e")
    if driver is not None and (driver not in TEXT_DRIVERS or GEOJSON.search(head)):
        return from_vector(path, DRIVERS)
    if start.startswith((b"{", b"[", b"<")) and not _is_html(start):
        if path.suffix.lower() == ".gz" and GEOJSON.search(head):
            return from_vector(_unpacked(path), DRIVERS)
        return _open_records(path, head)
    return _open_text(path, head, encoding, strict)


def sha256(path: Path) -> bytes:
    """The SHA-256 of a file's bytes as they lie on the disk."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a file, unpacked when its name ends in .gz; a gzip bomb is refused while it unpacks."""
    if path.suffix.lower() != ".gz":
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
        return
    allowed = GZIP_FREE_BYTES + GZIP_RATIO * path.stat().st_size
    total = 0
    try:
        with gzip.open(path, "rb") as unpacked:
            while chunk := unpacked.read(CHUNK_BYTES):
                total += len(chunk)
                if total > allowed:
                    raise FileTooLarge(
                        f"解压后超过 {allowed >> 20} MB，是压缩包的 {GZIP_RATIO} 倍以上。",
                        f"Unpacked (uncompressed) it exceeds {allowed >> 20} MB, over {GZIP_RATIO} times its size.",
                        code="archive-too-large",
                    )
                yield chunk
    except (OSError, EOFError, zlib.error) as problem:
        raise RefusedFile(
            "压缩文件损坏或不完整。", "The gzip file is damaged or cut short.", code="file-unreadable"
        ) from problem


def _open_package(path: Path, head: bytes) -> Table:
    """A workbook, or a zipped layer."""
    if head.startswith(b"PK") and path.suffix.lower() not in WORKBOOKS:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        if "[Content_Types].xml" not in names and "mimetype" not in names:
            return from_vector(path, DRIVERS)
    return as_table(path)


def _open_parquet(path: Path) -> Table:
    try:
        return from_vector(path, frozenset({"Parquet"}))
    except RefusedFile as problem:
        if problem.code != "geometry-missing":
            raise
    table, _ = reading.read_rows("parquet", path)
    rows = np.arange(1, table.num_rows + 1)
    return Table(list(table.column_names), lambda: in_batches(table, rows), "Parquet", word="row")


def _open_records(path: Path, head: bytes) -> Table:
    """A list of JSON objects or XML elements."""
    name = encodings.detect(lambda: chunks(path))
    table = records.read(path, head, b"".join(encodings.as_utf8(chunks(path), name)))
    rows = np.arange(1, table.num_rows + 1)
    return Table(list(table.column_names), lambda: in_batches(table, rows), "records", name, word="record")


def _unpacked(path: Path) -> Path:
    return reading.unpack(path)


def _is_text(head: bytes) -> bool:
    return b"\0" not in head[:1024] and not head.startswith((b"PK\x03\x04", b"PAR1", b"fgb"))


def _is_html(start: bytes) -> bool:
    return start[:64].lower().startswith((b"<!doctype html", b"<html"))


def _head(path: Path) -> bytes:
    return next(iter(chunks(path)), b"")[:65536]


def _open_text(path: Path, head: bytes, encoding: str | None, strict: bool) -> Table:
    _refuse_foreign(head)
    name = encodings.detect(lambda: chunks(path), encoding)

    def text() -> Iterator[bytes]:
        return encodings.as_utf8(chunks(path), name)

    first, line, rest_at = _header_line(text())
    delimiter = delimited.sniff_delimiter(first)
    header = delimited.split_header(first, delimiter)

    def batches() -> Iterator[RawBatch]:
        return delimited.batches(
            _skip(text(), rest_at), header, delimiter, first_line=line + 1, strict=strict
        )

    return Table(header, batches, "CSV", name, delimiter)


def _refuse_foreign(head: bytes) -> None:
    """Content that is plainly something else."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:256].lower()
    what = None
    if head[:2] == b"\x1f\x8b":
        what = ("gzip 压缩文件，请把文件名改为以 .gz 结尾", "gzip data; let its name end in .gz")
    elif start.startswith((b"<!doctype html", b"<html")):
        what = ("HTML 网页，多半是门户的出错页面", "an HTML page, probably the portal's error page")
    elif start.startswith(b"%pdf"):
        what = ("PDF 文件", "a PDF file")
    if what:
        raise FileTypeUnknown(
            f"这是{what[0]}，不是表格。",
            f"This is {what[1]}, not a table.",
            do_zh="请重新导出。",
            do_en="Export it again.",
        )


def _header_line(text: Iterator[bytes]) -> tuple[str, int, int]:
    """(header line, its physical line number, bytes up to and including it); blank lines before it are skipped."""
    buffer, line, at = b"", 1, 0
    for chunk in text:
        buffer += chunk
        while (end := buffer.find(b"\n", at)) >= 0:
            found = buffer[at:end].rstrip(b"\r")
            at = end + 1
            if found.strip():
                return found.decode("utf-8", "replace"), line, at
            line += 1
        if len(buffer) > delimited.BLOCK_BYTES * 2:
            break
    return buffer[at:].rstrip(b"\r\n").decode("utf-8", "replace"), line, len(buffer)


def _skip(text: Iterator[bytes], count: int) -> Iterator[bytes]:
    for chunk in text:
        if count >= len(chunk):
            count -= len(chunk)
            continue
        yield chunk[count:] if count else chunk
        count = 0

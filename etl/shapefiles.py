"""A Shapefile is several files: are they all there, do they agree, and in which encoding is the table?

Chinese shapefiles mostly carry GBK text with no `.cpg`; GDAL then answers Latin-1 mojibake. The table's own bytes say
more than any flag, so they are read here, before GDAL, in plain Python.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from etl import codepages
from geo.errors import RefusedFile

NEEDED = (".shx", ".dbf")
TAKEN = (".shp", ".shx", ".dbf", ".prj", ".cpg")
SAMPLE_BYTES = 4_000_000
LANGUAGE_IDS = {
    0x03: "cp1252",
    0x4D: "gb18030",
    0x7A: "gb18030",
    0x4F: "big5hkscs",
    0x78: "big5hkscs",
    0x57: "cp1252",
}


@dataclass(frozen=True)
class Table:
    """What the head of a `.dbf` says: records, bytes per record, where they begin, the language id, text fields."""

    records: int
    header_bytes: int
    record_bytes: int
    language: int
    fields: list[tuple[bytes, str, int, int]]  # name, type, offset in the record, width


def parts(shp: Path) -> dict[str, Path]:
    """The files that belong to a `.shp`, by ending, in whatever case they are written."""
    stem = shp.stem
    found = {}
    for path in sorted(shp.parent.iterdir()):
        ending = path.suffix.lower()
        if path.stem == stem and ending in TAKEN and path.is_file():
            found[ending] = path
    return found


def check(shp: Path) -> dict[str, Path]:
    """The parts, complete and in agreement; raises shapefile-part-missing or shapefile-inconsistent."""
    found = parts(shp)
    missing = [ending for ending in NEEDED if ending not in found]
    if missing:
        words = "、".join(missing), " and ".join(missing)
        raise RefusedFile(
            f"Shapefile“{shp.name}”缺少 {words[0]}。",
            f"The Shapefile {shp.name!r} lacks its {words[1]}.",
            code="shapefile-part-missing",
            do_zh="请把同名的 .shp、.shx、.dbf、.prj 放在一起，或打成一个 .zip。",
            do_en="Keep .shp, .shx, .dbf and .prj of the same name together, or zip them.",
        )
    table = head(found[".dbf"])
    shapes = (found[".shx"].stat().st_size - 100) // 8
    whole = (found[".dbf"].stat().st_size - table.header_bytes) // max(table.record_bytes, 1)
    if table.record_bytes < 1 or table.records > whole or table.records != shapes:
        raise RefusedFile(
            f"“{shp.name}”各部分不一致：.dbf 声称 {table.records:,} 条，实有 {whole:,} 条；.shx 有 {shapes:,} 个图形。",
            f"The parts of {shp.name!r} disagree: the .dbf claims {table.records:,} records and holds {whole:,}; "
            f"the .shx lists {shapes:,} shapes.",
            code="shapefile-inconsistent",
            do_zh="请重新导出 Shapefile。",
            do_en="Export the Shapefile again.",
        )
    return found


def head(dbf: Path) -> Table:
    """The header of a `.dbf`; raises shapefile-inconsistent when it is none."""
    with dbf.open("rb") as file:
        start = file.read(32)
        if len(start) < 32:
            raise _no_table(dbf)
        records, header_bytes, record_bytes = struct.unpack("<IHH", start[4:12])
        body = file.read(max(header_bytes - 32, 0))
    fields: list[tuple[bytes, str, int, int]] = []
    offset = 1
    for place in range(0, len(body) - 31, 32):
        field = body[place : place + 32]
        if field[:1] == b"\r":
            break
        width = field[16]
        fields.append((field[:11].split(b"\0")[0], chr(field[11]), offset, width))
        offset += width
    if not fields:
        raise _no_table(dbf)
    return Table(records, header_bytes, record_bytes, start[29], fields)


def encoding(found: dict[str, Path], asked: str | None) -> tuple[str, str]:
    """(Python codec, where it comes from): asked, `.cpg`, the bytes themselves, or the language id of the table.

    A `.cpg` that the bytes contradict is not believed.
    """
    sample = _text(found[".dbf"])
    if asked:
        codec = codepages.known(asked)
        if codec is None:
            raise RefusedFile(
                f"未知编码“{asked[:40]}”。",
                f"Unknown encoding {asked[:40]!r}.",
                code="encoding-unknown",
                field="encoding",
            )
        return codec, "asked"
    if ".cpg" in found:
        codec = codepages.known(found[".cpg"].read_text("ascii", "ignore")[:40])
        if codec and codepages.decodes(sample, codec):
            return codec, "cpg"
    if sample.isascii():
        return "utf-8", "ascii"
    guessed = codepages.detect(sample)
    marked = LANGUAGE_IDS.get(head(found[".dbf"]).language)
    if guessed not in ("utf-8", "gb18030") and marked and codepages.decodes(sample, marked):
        return marked, "dbf"
    return guessed, "detected"


def _text(dbf: Path) -> bytes:
    """Field names and text values of the first records, one a line, cut at nothing."""
    table = head(dbf)
    lines = [name for name, *_ in table.fields]
    with dbf.open("rb") as file:
        file.seek(table.header_bytes)
        block = file.read(SAMPLE_BYTES)
    texts = [(offset, width) for _, kind, offset, width in table.fields if kind == "C"]
    for start in range(0, len(block) - table.record_bytes + 1, max(table.record_bytes, 1)):
        record = block[start : start + table.record_bytes]
        lines += [_whole(record[offset : offset + width]) for offset, width in texts]
    return b"\n".join(line for line in lines if line)


def _whole(value: bytes) -> bytes:
    """A value without padding; one that fills its field may be cut inside a character, so its last bytes are dropped."""
    stripped = value.strip(b" \0")
    if len(stripped) == len(value) and not value.isascii():
        for cut in range(4):
            piece = value[: len(value) - cut]
            if codepages.decodes(piece, "utf-8") or codepages.decodes(piece, "gb18030"):
                return piece
    return stripped


def _no_table(dbf: Path) -> RefusedFile:
    return RefusedFile(
        f"“{dbf.name}”不是 dbf 表。", f"{dbf.name!r} is not a dbf table.", code="shapefile-inconsistent"
    )

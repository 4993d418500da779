"""What a file really is, by its bytes, and whether its text may be handed to a parser at all.

GDAL follows content, not names: a `.geojson` that holds VRT XML makes it open a URL. So the first bytes choose the one
driver that will be registered, and JSON and KML are checked before a C parser sees them: strict JSON (no NaN, no
numbers beyond double precision, bounded depth), no DOCTYPE, no NetworkLink.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson

from etl import codepages
from etl.limits import Limits
from geo.errors import FileTooLarge, FileTypeUnknown, RefusedFile

GEOJSON_TYPES = {
    "FeatureCollection",
    "Feature",
    "GeometryCollection",
    "Point",
    "MultiPoint",
    "LineString",
    "MultiLineString",
    "Polygon",
    "MultiPolygon",
}
ENDINGS = {
    ".geojson": "GeoJSON",
    ".json": "GeoJSON",
    ".topojson": "TopoJSON",
    ".geojsonl": "GeoJSONSeq",
    ".seq": "GeoJSONSeq",
    ".gpkg": "GeoPackage",
    ".shp": "Shapefile",
    ".fgb": "FlatGeobuf",
    ".kml": "KML",
    ".parquet": "Parquet",
    ".pbf": "OpenStreetMap PBF",
    ".gdb": "FileGDB",
}


def sniff(path: Path) -> str | None:
    """The GDAL driver's name for the content of a file or `.gdb` folder, or None when it is nothing we know."""
    if path.is_dir():
        return "OpenFileGDB" if path.suffix.lower() == ".gdb" else None
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(b"SQLite format 3\0"):
        return (
            "GPKG" if head[68:72] in (b"GPKG", b"GP10", b"GP11", b"GP12") or path.suffix == ".gpkg" else None
        )
    if head.startswith(b"PAR1"):
        return "Parquet"
    if head.startswith(b"fgb\x03") or head[:3] == b"fgb":
        return "FlatGeobuf"
    if head.startswith(b"\x00\x00\x27\x0a"):
        return "ESRI Shapefile"
    if b"OSMHeader" in head[:32]:
        return "OSM"
    return _sniff_text(head, path)


def _sniff_text(head: bytes, path: Path) -> str | None:
    if head.startswith(b"\x1e"):
        return "GeoJSONSeq"
    text = _decoded(head).lstrip("\ufeff \t\r\n")
    if text.startswith("<"):
        body = re.sub(
            r"<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^<]*?(\[.*?\])?\s*>", "", text, flags=re.DOTALL | re.IGNORECASE
        ).lstrip()
        return (
            "KML"
            if re.match(r"<(\w+:)?kml[\s>]", body) or (path.suffix.lower() == ".kml" and "<!DOCTYPE" in text)
            else None
        )
    if text.startswith(("{", "[")):
        if path.suffix.lower() in (".geojsonl", ".geojsons", ".ndjson", ".seq") or _is_lines(head):
            return "GeoJSONSeq"
        return "TopoJSON" if re.search(r'"type"\s*:\s*"Topology"', text) else "GeoJSON"
    return None


def _decoded(head: bytes) -> str:
    for mark, encoding in codepages.BOMS:
        if head.startswith(mark):
            return head.decode(encoding, "ignore")
    return head.decode("utf-8", "ignore")


def _is_lines(head: bytes) -> bool:
    """Whether the first line is a whole Feature and another follows."""
    first, _, rest = head.partition(b"\n")
    if not rest.lstrip().startswith(b"{"):
        return False
    try:
        return isinstance(found := orjson.loads(first), dict) and found.get("type") == "Feature"
    except orjson.JSONDecodeError:
        return False


def not_known(path: Path, drivers: frozenset[str]) -> FileTypeUnknown:
    """The refusal for content that is none of the allowed formats, naming what the file's ending promised."""
    promised = ENDINGS.get(path.suffix.lower())
    allowed = ", ".join(sorted("FileGDB" if d == "OpenFileGDB" else d for d in drivers))
    if promised:
        zh, en = f"内容不是 {promised}", f"its content is not {promised}"
    else:
        zh, en = "内容不是可识别的图层格式", "its content is no layer format that is known here"
    return FileTypeUnknown(
        f"“{path.name}”：{zh}。",
        f"{path.name!r}: {en}.",
        do_zh=f"可读取：{allowed}，以及它们的 .zip / .gz。",
        do_en=f"Readable: {allowed}, and .zip / .gz of these.",
    )


# ── JSON ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def check_json(path: Path, work: Path, driver: str, limits: Limits) -> tuple[Path, str, str]:
    """Checks JSON text; returns the file to open (UTF-8; a copy when it was not), its encoding and the driver.

    Raises RefusedFile json-syntax (with line and column), json-depth, geojson-type, geometry-too-complex.
    """
    data = path.read_bytes()
    _cap_vertices(data, limits)
    encoding = codepages.detect(data)
    if encoding != "utf-8":
        data = data.decode(encoding).encode("utf-8")
        path = work / f"utf8{path.suffix}"
        path.write_bytes(data)
    if driver == "GeoJSONSeq":
        for number, line in enumerate(_records(data), 1):
            _parse(line, limits, number)
        return path, encoding, driver
    found = _parse(data, limits)
    kind = found.get("type") if isinstance(found, dict) else None
    if kind == "Topology":
        return path, encoding, "TopoJSON"
    if kind not in GEOJSON_TYPES:
        raise RefusedFile(
            f"不是 GeoJSON：type 为 {str(kind)[:40]!r}，应为 FeatureCollection 或 Feature（区分大小写）。",
            f"Not GeoJSON: its type is {str(kind)[:40]!r}, expected FeatureCollection or Feature (case matters).",
            code="geojson-type",
        )
    return path, encoding, "GeoJSON"


def _records(data: bytes) -> list[bytes]:
    parts = data.split(b"\x1e") if b"\x1e" in data else data.splitlines()
    return [part for part in parts if part.strip()]


def _cap_vertices(data: bytes, limits: Limits) -> None:
    """Every vertex opens a bracket, so brackets bound the vertices from above, before anything is parsed."""
    brackets = data.count(b"[")
    if brackets > 2 * limits.vertices:
        raise too_complex(brackets, limits.vertices)


def _parse(data: bytes, limits: Limits, record: int | None = None) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        where = f"（第 {record} 条记录）" if record else ""
        place = f"record {record}, " if record else ""
        line, column = error.lineno, error.colno
        if "depth" in error.msg or "recursion" in error.msg.lower():
            raise RefusedFile(
                f"JSON 嵌套过深{where}，超过 {limits.json_depth} 层。",
                f"The JSON is nested too deep: {place}depth above {limits.json_depth}.",
                code="json-depth",
            ) from error
        char = (
            len(data[: error.pos])
            if data.isascii()
            else len(data.decode("utf-8", "ignore")[: error.pos].encode())
        )
        word = re.match(
            rb"-?(NaN|Infinity)", data[max(char - 1, 0) :].lstrip(b"-")[:12] if char else data[:12]
        )
        near = data[char : char + 12]
        literal = next(
            (w for w in ("NaN", "Infinity") if w.encode() in near or (word and w.encode() in word[0])), ""
        )
        said = f"{literal} 不是 JSON 数字" if literal else error.msg
        told = f"{literal} is not a JSON number" if literal else error.msg
        raise RefusedFile(
            f"JSON 语法错误{where}：第 {line} 行第 {column} 列，{said}。",
            f"JSON syntax error: {place}line {line} column {column}, {told}.",
            code="json-syntax",
            do_zh="请重新导出，文件可能不完整。",
            do_en="Export it again; the file may be cut short.",
            row=line,
        ) from error


def too_complex(vertices: int, allowed: int) -> FileTooLarge:
    """The refusal of a layer with too many vertices."""
    return FileTooLarge(
        f"图层约有 {vertices:,} 个顶点，最多允许 {allowed:,} 个。",
        f"The layer has about {vertices:,} vertices; at most {allowed:,} are allowed.",
        code="geometry-too-complex",
        do_zh="请先简化几何，或拆分文件。",
        do_en="Simplify the geometry, or split the file.",
    )


# ── KML ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def check_kml(path: Path) -> str:
    """Refuses XML with a DOCTYPE (entities, XXE) and KML that points elsewhere; returns its encoding."""
    data = path.read_bytes()
    encoding = codepages.detect(data)
    text = data.decode(encoding, "replace")
    if re.search(r"<!\s*(DOCTYPE|ENTITY)", text, re.IGNORECASE):
        raise RefusedFile(
            "XML 含有 DOCTYPE 声明，不予读取。",
            "The XML holds a DOCTYPE declaration; such files are not read.",
            code="xml-dtd",
            do_zh="请删除 DOCTYPE 后重试。",
            do_en="Remove the DOCTYPE and try again.",
        )
    declared = re.match(r"<\?xml[^>]*encoding\s*=\s*[\"']([\w.-]+)", text.lstrip("\ufeff"))
    if declared and (codepages.known(declared[1]) or "").replace("-", "") in ("utf7", "ebcdic", "cp037"):
        raise RefusedFile(
            f"XML 编码 {declared[1]} 不予读取。", f"XML in {declared[1]} is not read.", code="xml-encoding"
        )
    if re.search(r"<(\w+:)?NetworkLink[\s>/]", text):
        raise RefusedFile(
            "KML 含有 NetworkLink，指向文件之外的数据，不予读取。",
            "The KML holds a NetworkLink, which points outside the file; such files are not read.",
            code="external-reference",
            do_zh="请在 Google Earth 等软件中把数据另存为不含链接的 KML。",
            do_en="Save the data itself as KML, without the link.",
        )
    return encoding

"""Lists of records: Open311 GeoReport requests, or any list of objects, in JSON or XML, as text columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.parsers import expat

import orjson
import pyarrow as pa

from etl.limits import MB
from geo.errors import FileTooLarge, RefusedFile

FILE_BYTES = 500 * MB
LISTS = ("service_requests", "requests", "data", "records", "results", "rows", "cases", "items")


def read_json(data: bytes) -> pa.Table:
    """A list of objects, or an object that holds one under a known name; nested values as JSON text.

    >>> read_json(b'[{"service_request_id": 7, "lat": 31.2}]').to_pylist()
    [{'service_request_id': '7', 'lat': '31.2'}]
    """
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError as problem:
        raise RefusedFile(
            f"JSON 有语法错误（第 {problem.lineno} 行）。",
            f"The JSON has a syntax error in line {problem.lineno}.",
            code="json-syntax",
            do_zh="检查文件是否完整。",
            do_en="Check whether the file is complete.",
        ) from problem
    if isinstance(found, dict):
        found = next((found[name] for name in LISTS if isinstance(found.get(name), list)), [found])
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise RefusedFile(
            "JSON 不是对象的列表。",
            "The JSON is not a list of objects.",
            code="json-shape",
            do_en="Open311: a bare list of requests.",
        )
    return _table([{str(k): _text(v) for k, v in item.items()} for item in found])


def read_xml(data: bytes) -> pa.Table:
    """The `<request>` elements of an Open311 answer (or the repeated children of the root); a DOCTYPE is refused.

    >>> read_xml(b"<service_requests><request><lat>31.2</lat></request></service_requests>").to_pylist()
    [{'lat': '31.2'}]
    """
    reader = _Records()
    try:
        reader.parser.Parse(data, True)
    except expat.ExpatError as problem:
        raise RefusedFile(
            f"XML 有语法错误（第 {problem.lineno} 行）。",
            f"The XML has a syntax error in line {problem.lineno}.",
            code="xml-syntax",
            do_zh="检查文件是否完整。",
            do_en="Check whether the file is complete.",
        ) from problem
    return _table(reader.records)


def read(path: Path, head: bytes, data: bytes) -> pa.Table:
    """JSON or XML by the first character."""
    if len(data) > FILE_BYTES:
        raise FileTooLarge(f"超过 {FILE_BYTES // MB} MB。", f"More than {FILE_BYTES // MB} MB.")
    return read_xml(data) if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") else read_json(data)


class _Records:
    """Depth 1 is the list, depth 2 a record, depth 3 its fields; anything deeper is text of its field."""

    def __init__(self) -> None:
        self.records: list[dict[str, str | None]] = []
        self._path: list[str] = []
        self._text: list[str] = []
        self.parser = expat.ParserCreate()
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text.append

    def _doctype(self, *_: Any) -> None:
        raise RefusedFile(
            "XML 含有 DOCTYPE，不读取。", "The XML has a DOCTYPE; it is not read.", code="xml-dtd"
        )

    def _start(self, name: str, _: dict[str, str]) -> None:
        self._path.append(name)
        if len(self._path) > 64:
            raise RefusedFile("XML 嵌套过深。", "The XML is nested too deep.", code="xml-syntax")
        if len(self._path) == 2:
            self.records.append({})
        if len(self._path) == 3:
            self._text.clear()

    def _end(self, name: str) -> None:
        if len(self._path) == 3:
            self.records[-1][name] = "".join(self._text).strip() or None
            self._text.clear()
        self._path.pop()


def _table(records: list[dict[str, str | None]]) -> pa.Table:
    names = list(dict.fromkeys(name for record in records for name in record))
    return pa.table({name: pa.array([record.get(name) for record in records], pa.string()) for name in names})


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return orjson.dumps(value).decode()
    return repr(value) if isinstance(value, float) else str(value)

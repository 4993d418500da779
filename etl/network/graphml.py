"""GraphML street networks in the form OSMnx writes: nodes with x and y, edges with highway, name, geometry (WKT).

Read with the standard library's expat, event by event. A document type declaration is refused before anything in it
is looked at, so there are no entities to expand and nothing outside the file is ever opened.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

import numpy as np
import shapely

from geo.errors import FileTooLarge, RefusedFile

FILE_BYTES = 200_000_000
MOST_EDGES = 1_000_000
MOST_TEXT = 1_000_000
BLOCK = 1 << 20


@dataclass
class Graph:
    """What the file says: graph data, node positions, and edges as (source, target, key, data, line number)."""

    data: dict[str, str] = field(default_factory=dict)
    nodes: dict[str, dict[str, str]] = field(default_factory=dict)
    edges: list[tuple[str, str, str, dict[str, str], int]] = field(default_factory=list)


def read(path: Path) -> Graph:
    """The whole graph; RefusedFile for what is not GraphML, is damaged, declares a DOCTYPE or is too large."""
    size = path.stat().st_size
    if size > FILE_BYTES:
        raise FileTooLarge(
            f"文件有 {size / 1e6:,.0f} MB，最多 {FILE_BYTES / 1e6:,.0f} MB。",
            f"The file has {size / 1e6:,.0f} MB; at most {FILE_BYTES / 1e6:,.0f} MB are read.",
        )
    reader = _Reader()
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                reader.parser.Parse(block, False)
            reader.parser.Parse(b"", True)
    except expat.ExpatError as problem:
        raise RefusedFile(
            f"第 {problem.lineno} 行不是正确的 XML。",
            f"Line {problem.lineno} is not well-formed XML.",
            code="file-damaged",
            row=problem.lineno,
            do_zh="请重新导出。",
            do_en="Export it again.",
        ) from problem
    if not reader.is_graph:
        raise RefusedFile(
            "这个 XML 文件不是 GraphML。", "This XML file is not GraphML.", code="file-type",
            do_zh="请用 OSMnx 的 save_graphml。", do_en="Use OSMnx's save_graphml.",
        )  # fmt: skip
    return reader.graph


def geometry(graph: Graph, edge: tuple[str, str, str, dict[str, str], int]) -> Any | None:
    """An edge's line: its own WKT, else straight between its nodes; None when neither can be read."""
    source, target, _, data, _ = edge
    written = data.get("geometry")
    if written:
        line = shapely.from_wkt(written, on_invalid="ignore")
        return line if line is not None and line.geom_type == "LineString" else None
    ends = [_position(graph.nodes.get(name, {})) for name in (source, target)]
    if ends[0] is None or ends[1] is None:
        return None
    return shapely.LineString([ends[0], ends[1]])


def _position(node: dict[str, str]) -> tuple[float, float] | None:
    try:
        x, y = float(node["x"]), float(node["y"])
    except (KeyError, ValueError):
        return None
    return (x, y) if np.isfinite(x) and np.isfinite(y) else None


class _Reader:
    """expat's events become a Graph."""

    def __init__(self) -> None:
        self.graph = Graph()
        self.is_graph = False
        self._names: dict[str, str] = {}
        self._into: dict[str, str] | None = None
        self._key: str | None = None
        self._text: list[str] = []
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters

    def _doctype(self, *_: Any) -> None:
        raise RefusedFile(
            "文件含有 DOCTYPE 声明，不予读取。", "The file declares a DOCTYPE and is not read.", code="xml-doctype",
            do_zh="请删除该声明。", do_en="Remove the declaration.",
        )  # fmt: skip

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        element = name.rsplit(" ", 1)[-1]
        if element == "graphml":
            self.is_graph = True
        elif element == "key":
            self._names[attributes.get("id", "")] = attributes.get("attr.name", "")
        elif element == "graph":
            self._into = self.graph.data
        elif element == "node":
            self._into = self.graph.nodes.setdefault(attributes.get("id", ""), {})
        elif element == "edge":
            if len(self.graph.edges) >= MOST_EDGES:
                raise FileTooLarge(f"边超过 {MOST_EDGES:,} 条。", f"More than {MOST_EDGES:,} edges.")
            ends = attributes.get("source", ""), attributes.get("target", ""), attributes.get("id", "0")
            self._into = {}
            self.graph.edges.append((*ends, self._into, self.parser.CurrentLineNumber))
        elif element == "data":
            self._key, self._text = self._names.get(attributes.get("key", ""), ""), []

    def _characters(self, text: str) -> None:
        if self._key is not None and len(self._text) < MOST_TEXT:
            self._text.append(text)

    def _end(self, name: str) -> None:
        element = name.rsplit(" ", 1)[-1]
        if element == "data" and self._key is not None:
            if self._into is not None:
                self._into[self._key] = "".join(self._text).strip()
            self._key = None
        elif element in ("node", "edge"):
            self._into = self.graph.data

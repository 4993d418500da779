"""Files of ways become one list: OpenStreetMap extracts, GraphML, and any vector layer with a class column."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from etl.network import graphml
from etl.network.classes import CLASSES, Kind, from_tags, from_word, other_tags, refined, stops
from etl.network.shapes import bad_geometry, square_metres, unknown_class, usable
from etl.reading import NETWORK_DRIVERS, Limits, VectorFile, read_vector, repair, unpack
from etl.rejects import Reject
from geo import crs as coordinates
from geo.errors import RefusedArgument, RefusedFile

NAMES = ("name", "名称", "道路名称", "路名", "名字", "street", "road_name", "fname", "ref")
IDS = ("osm_id", "osmid", "way_id", "id", "编号", "标识码", "fid", "objectid", "gid", "code", "编码")
CLASS_COLUMNS = ("class", "fclass", "highway", "way_class", "road_class", "type", "kind", "category", "类别", "类型", "分类",
                 "等级", "道路等级", "道路类型", "要素类型")  # fmt: skip
KIND_COLUMNS = ("kind", "highway", "fclass", "subtype", "等级", "道路等级", "小类", "子类")
BARRIER_COLUMNS = ("barrier", "is_barrier", "障碍", "屏障", "是否障碍")
YES = frozenset({"1", "1.0", "true", "t", "yes", "y", "是", "有"})
OSM_LAYERS = ("lines", "multipolygons")
OSM_LIMITS = Limits(rows=5_000_000, vertices=50_000_000, cpu_s=600, wall_s=900, memory_bytes=4_000_000_000)


@dataclass
class Ways:
    """Ways of one file in the file's CRS order: ids, kinds, names, geometry (EPSG:4326), feature numbers, what was refused."""

    source: str
    ids: list[str] = field(default_factory=list)
    kinds: list[Kind] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    geometry: list[Any] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    skipped: int = 0  # features of the file that are no ways (fences, buildings)
    notices: list[tuple[str, str, str, list[int]]] = field(default_factory=list)
    layout: dict[str, Any] = field(default_factory=dict)
    crs: str | None = None
    encoding: str | None = None

    def add(self, row: int, way_id: str, kind: Kind, name: str | None, geometry: Any) -> None:
        """One more way."""
        self.rows.append(row)
        self.ids.append(way_id)
        self.kinds.append(kind)
        self.names.append(name)
        self.geometry.append(geometry)


def read(
    path: Path,
    *,
    crs: str = "auto",
    layer: str | None = None,
    class_: str | None = None,
    encoding: str | None = None,
) -> Ways:
    """All ways of a file, in EPSG:4326, with a reject for every feature that is one but cannot be used.

    `class_` says what all of them are, for layers without a class column. Raises RefusedFile when the file cannot be
    read, has no known CRS, or holds no way at all.
    """
    if class_ is not None and class_ not in CLASSES:
        raise RefusedArgument(
            f"未知类别 {class_[:40]}。", f"Unknown class {class_[:40]!r}.", code="class-unknown", field="class",
            do_zh="请用 road、rail、water、bridge、path 之一。", do_en=f"One of {', '.join(CLASSES)}.",
        )  # fmt: skip
    plain = unpack(path)
    head = _head(plain)
    if b"OSMHeader" in head[:32]:
        found = _osm(plain, _stem(path))
    elif (
        head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<?xml") and b"<kml" not in head
    ) or b"<graphml" in head:
        found = _graph(plain, _stem(path), crs)
    else:
        found = _layer(
            read_vector(path, drivers=NETWORK_DRIVERS, layer=layer, encoding=encoding), path, crs, class_
        )
    found = _checked(found)
    if not found.ids and not found.rejects:
        raise RefusedFile(
            f"文件“{path.name}”中没有道路、铁路、水系等要素。",
            f"The file {path.name!r} holds no road, rail, water, bridge or path.",
            code="no-ways",
            do_zh="请检查文件，或用 --class 指明类别。",
            do_en="Check the file, or say what it holds with --class.",
        )
    return found


def _osm(path: Path, name: str) -> Ways:
    found = Ways(
        "osm", crs="EPSG:4326", layout={"class": "highway, railway, waterway, natural", "id": "osm_id"}
    )
    first = 0
    for layer in OSM_LAYERS:
        file = read_vector(path, drivers=frozenset({"OSM"}), layer=layer, limits=OSM_LIMITS)
        frame = file.frame
        tags = _tags(frame)
        size = square_metres(frame.geometry.to_numpy()) if layer == "multipolygons" else np.zeros(len(frame))
        for i, (osm_id, geometry) in enumerate(zip(_osm_ids(frame), frame.geometry.to_numpy(), strict=True)):
            kind = from_tags(tags[i], surface=layer == "multipolygons", area_m2=float(size[i]))
            if kind is None:
                found.skipped += 1
            else:
                found.add(first + i + 1, osm_id, kind, tags[i].get("name"), geometry)
        first += len(frame)
    found.layout["extract"] = name
    return found


def _tags(frame: pd.DataFrame) -> list[dict[str, str]]:
    """All tags of every feature: GDAL's own columns over the packed rest (unpacked only where it may matter)."""
    columns = [c for c in ("name", "highway", "railway", "waterway", "natural", "landuse") if c in frame]
    packed = frame["other_tags"] if "other_tags" in frame else pd.Series([None] * len(frame))
    found = []
    for values, rest in zip(frame[columns].itertuples(index=False), packed, strict=True):
        own = {c: v for c, v in zip(columns, values, strict=True) if isinstance(v, str)}
        found.append({**(other_tags(rest) if isinstance(rest, str) else {}), **own})
    return found


def _osm_ids(frame: pd.DataFrame) -> list[str]:
    """`w123` for ways, `r123` for relations: the two number spaces overlap."""
    if "osm_way_id" not in frame:
        return [f"w{value}" for value in frame["osm_id"]]
    return [
        f"r{relation}" if isinstance(relation, str) and relation else f"w{way}"
        for relation, way in zip(frame["osm_id"], frame["osm_way_id"], strict=True)
    ]


def _graph(path: Path, name: str, crs: str) -> Ways:
    graph = graphml.read(path)
    declared = graph.data.get("crs")
    chosen = _crs(declared, crs, name)
    found = Ways(name, crs=chosen, layout={"class": "highway", "id": "source-target-key", "name": "name"})
    seen: set[tuple[Any, ...]] = set()
    for row, edge in enumerate(graph.edges, 1):
        source, target, key, data, _ = edge
        line = graphml.geometry(graph, edge)
        ends = (frozenset((source, target)), data.get("osmid"), data.get("length"))
        if data.get("reversed", "").lower() == "true" and ends in seen:
            found.skipped += 1  # the same street once more, in the other direction
            continue
        seen.add(ends)
        kind = from_tags({k: _first(data[k]) for k in ("highway", "bridge", "tunnel") if data.get(k)})
        if line is None:
            found.rejects.append(bad_geometry(row, data.get("geometry")))
        elif kind is None:
            found.rejects.append(unknown_class(row, "highway", data.get("highway")))
        else:
            found.add(row, f"{source}-{target}-{key}", kind, _first(data.get("name", "")) or None, line)
    found.geometry = list(coordinates.project(np.array(found.geometry, dtype=object), "EPSG:4326", chosen))
    return found


def _first(text: str) -> str:
    """OSMnx writes several values as a Python list: the first one counts.

    >>> _first("['primary', 'secondary']"), _first("primary")
    ('primary', 'primary')
    """
    if text.startswith("[") and text.endswith("]"):
        return text[1:-1].split(",")[0].strip().strip("'\"")
    return text


def _layer(file: VectorFile, path: Path, crs: str, class_: str | None) -> Ways:
    frame = file.frame
    chosen = _crs(file.crs, crs, path.name)
    found = Ways(_stem(path), crs=chosen, encoding=file.encoding)
    columns = {str(c).strip().casefold(): c for c in frame.columns if c != "geometry"}
    words = None if class_ else _column(columns, CLASS_COLUMNS)
    named, barred = _column(columns, NAMES), _column(columns, BARRIER_COLUMNS)
    finer = _column({k: v for k, v in columns.items() if v != words}, KIND_COLUMNS)
    numbered = _unique_column(frame, columns)
    found.layout = {
        "kind": finer,
        "class": words,
        "id": numbered or "hash of the geometry",
        "name": named,
        "barrier": barred,
    }
    geometry = coordinates.project(frame.geometry.to_numpy(), "EPSG:4326", chosen)
    whole = Kind(class_, None, stops(class_, None)) if class_ else Kind("road", None, False)
    columns_of = {
        c: [_text(v) for v in frame[c].tolist()]
        for c in (words, finer, barred, numbered, named)
        if c is not None
    }
    for i, row in enumerate(file.rows.tolist()):
        kind = whole if words is None else from_word(columns_of[words][i] or "")
        if kind is None:
            found.rejects.append(unknown_class(row, str(words), columns_of[words][i]))
            continue
        if finer is not None:
            kind = refined(kind, columns_of[finer][i])
        if barred is not None:
            kind = replace(kind, barrier=(columns_of[barred][i] or "").casefold() in YES)
        way_id = columns_of[numbered][i] if numbered is not None else None
        name = columns_of[named][i] if named is not None else None
        found.add(row, way_id or _fingerprint(geometry[i]), kind, name, geometry[i])
    if words is None and class_ is None:
        found.notices.append(
            ("class-assumed", "没有类别列，全部按道路装载；可用 --class 指明。",
             "There is no class column: all were loaded as roads; --class says otherwise.", [])
        )  # fmt: skip
    return found


def _checked(ways: Ways) -> Ways:
    """Only usable geometry stays: lines (or water surfaces), inside the world, repaired where that saves them."""
    kept = Ways(
        ways.source, rejects=ways.rejects, skipped=ways.skipped, notices=ways.notices, layout=ways.layout,
        crs=ways.crs, encoding=ways.encoding,
    )  # fmt: skip
    geometry = np.array(ways.geometry, dtype=object)
    surface = np.array([g is not None and g.geom_type.endswith("Polygon") for g in geometry], bool)
    if surface.any():
        geometry[surface] = repair(geometry[surface]).geoms
    bounds = shapely.bounds(geometry) if len(geometry) else np.empty((0, 4))
    inside: NDArray[np.bool_] = np.asarray(
        (np.abs(bounds[:, [0, 2]]) <= 180).all(axis=1) & (np.abs(bounds[:, [1, 3]]) <= 90).all(axis=1)
    )
    delivered = np.array([g is not None for g in ways.geometry], bool)
    if (delivered & ~inside).sum() * 2 > max(delivered.sum(), 1):
        raise RefusedFile(
            f"多数坐标不在经纬度范围内，声明的坐标系 {ways.crs} 不对。",
            f"Most coordinates are no longitudes and latitudes: the declared CRS {ways.crs} is wrong.",
            code="crs-wrong",
            field="crs",
            do_zh="请用 --crs EPSG:代码。",
            do_en="Use --crs EPSG:n.",
        )
    for i, way_id in enumerate(ways.ids):
        kept_shape = usable(geometry[i], ways.kinds[i]) if delivered[i] and inside[i] else None
        if kept_shape is None:
            shown = None if ways.geometry[i] is None else ways.geometry[i].geom_type
            kept.rejects.append(bad_geometry(ways.rows[i], shown))
        else:
            kept.add(ways.rows[i], way_id, ways.kinds[i], ways.names[i], kept_shape)
    return kept


# ── Small things ────────────────────────────────────────────────────────────────────────────────────────────────────


def _crs(declared: str | None, asked: str, name: str) -> str:
    if asked != "auto":
        known = coordinates.canonical(asked)
        if known is not None:
            return known
        coordinates.crs_of(asked)  # raises with the reason
    known = coordinates.canonical(declared)
    if known is None and (declared or "").startswith("+proj"):  # OSMnx writes what PROJ knows by no name
        code = coordinates.crs_of(str(declared)).to_epsg()
        known = f"EPSG:{code}" if code else None
    if known is None:
        raise RefusedFile(
            f"文件“{name}”没有可识别的坐标系。",
            f"The file {name!r} declares no coordinate reference system that is known.",
            code="crs-missing",
            field="crs",
            do_zh="请用 --crs EPSG:代码、gcj02 或 bd09。",
            do_en="Give it with --crs EPSG:n, gcj02 or bd09.",
        )
    return known


def _column(columns: dict[str, Any], names: tuple[str, ...]) -> Any | None:
    return next((columns[name] for name in names if name in columns), None)


def _unique_column(frame: pd.DataFrame, columns: dict[str, Any]) -> Any | None:
    """The first identifier column that is complete and unique."""
    for name in IDS:
        if name in columns:
            values = frame[columns[name]]
            if bool(values.notna().all()) and bool(values.is_unique):
                return columns[name]
    return None


def _text(value: Any) -> str | None:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return None
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
    return text or None


def _fingerprint(geometry: Any) -> str:
    wkb = b"" if geometry is None else shapely.to_wkb(geometry)
    return hashlib.sha256(wkb).hexdigest()[:24]


def _head(path: Path) -> bytes:
    if not path.is_file():
        return b""
    with path.open("rb") as file:
        return file.read(512)


def _stem(path: Path) -> str:
    name = path.name
    for ending in (".gz", ".zip", ".pbf", ".osm", path.suffix):
        name = name.removesuffix(ending)
    return name or path.name

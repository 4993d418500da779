"""Vector tiles (Mapbox Vector Tile 2.1) of grids, units, boundaries, ways, facilities and hexagons.

Tiles of cases come from the columns: `geo.case_tiles`.

A tile is at most `MAX_BYTES` on the wire (compressed; `MAX_PLAIN_BYTES` in memory). Neighbouring polygons never gap:
nothing is simplified by itself; both sides of a border are snapped to the same grid of the tile, whose step grows from
one *detail* to the next until the tile fits, and only then are the smallest areas left out. Web Mercator; z 0–22;
every feature has an integer id.

Source of the encoding: PostGIS `ST_AsMVT`; tile arithmetic: OGC Two Dimensional Tile Matrix Set, WebMercatorQuad.
"""

from __future__ import annotations

import datetime as dt
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from h3ronpy.vector import cells_to_wkb_polygons
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.errors import NotFound, RefusedArgument

MAX_ZOOM = 22
MAX_BYTES, MAX_PLAIN_BYTES = 500_000, 2_000_000
TIMEOUT_MS = 2_000
HEXAGON_CELLS = 6_000
POINTS = 5_000
LAYERS = ("grids", "units", "boundaries", "facilities", "ways", "hexagons", "cases")
HEXAGON_AREA_KM2 = {7: 5.161, 8: 0.7373, 9: 0.1053, 10: 0.01505, 11: 0.00215}  # mean, h3geo.org table


@dataclass(frozen=True)
class TileId:
    """One tile: zoom, column from the west, row from the north.

    >>> TileId(1, 1, 1).bounds()[:2] == (0.0, TileId(0, 0, 0).bounds()[1])
    True
    """

    z: int
    x: int
    y: int

    @classmethod
    def parse(cls, z: str, x: str, y: str) -> TileId:
        """From the words of a path. Raises NotFound (code `tile-out-of-range`) when there is no such tile.

        >>> TileId.parse("3", "7", "0")
        TileId(z=3, x=7, y=0)
        """
        words = {"z": z, "x": x, "y": y}
        for name, word in words.items():
            if not (word.isascii() and word.isdecimal() and len(word) <= 8):
                raise _out_of_range(name, "应为非负整数", "must be a whole number from 0")
        tile = cls(int(z), int(x), int(y))
        if tile.z > MAX_ZOOM:
            raise _out_of_range("z", f"不得大于 {MAX_ZOOM}", f"must be at most {MAX_ZOOM}")
        for name, value in (("x", tile.x), ("y", tile.y)):
            if value >= 1 << tile.z:
                raise _out_of_range(
                    name, f"不得大于 {(1 << tile.z) - 1}", f"must be at most {(1 << tile.z) - 1}"
                )
        return tile

    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees."""
        n = 1 << self.z
        return (
            self.x / n * 360 - 180,
            _latitude(self.y + 1, n),
            (self.x + 1) / n * 360 - 180,
            _latitude(self.y, n),
        )


@dataclass(frozen=True)
class Detail:
    """How finely a tile is drawn: steps across it, with names or not, at most how many features."""

    extent: int
    names: bool
    limit: int


DETAILS = (
    Detail(4096, True, 50_000),
    Detail(2048, True, 50_000),
    Detail(1024, False, 50_000),
    Detail(512, False, 50_000),
    Detail(256, False, 50_000),  # a zone that is no step wide is not drawn; all others are, however many
    Detail(256, False, 8_000),
    Detail(256, False, 1_500),
)
MANY = 6_000  # with more features than this the first detail would be thrown away
TOO_MANY = DETAILS[0].limit  # and with more than this all that are to hold every zone


@dataclass(frozen=True)
class Shape:
    """How one polygon or line layer is read: only literals of this file, never a value of the caller."""

    source: str
    where: str
    properties: tuple[str, ...]
    order: str
    buffer: int = 64


SHAPES: Mapping[str, Shape] = {
    "grids": Shape("grid t", "t.plan_id = :plan", ("code", "name"), "t.area_m2 DESC"),
    "units": Shape("unit t", "t.during @> CAST(:on AS date)", ("code", "code AS name"), "t.area_m2 DESC"),
    "boundaries": Shape(
        "boundary t JOIN edition e ON e.id = t.edition_id JOIN level l ON l.id = e.level_id",
        "l.name = :level AND e.during @> CAST(:on AS date)",
        ("code", "name"),
        "t.area_m2 DESC",
    ),
    "ways": Shape(
        "way t",
        "(:z >= 14 OR t.class <> 'path') AND (:z >= 13 OR t.barrier OR t.class IN ('rail', 'water') "
        "OR t.kind IN ('motorway', 'trunk', 'primary', 'secondary', 'tertiary')) AND (:z >= 11 OR t.barrier)",
        ("class", "kind", "name"),
        "t.barrier DESC, ST_NPoints(t.geom) DESC",
        16,
    ),
}


@dataclass(frozen=True)
class Subject:
    """What a tile shows: the layer and what selects its rows."""

    layer: str
    plan: int | None = None
    revision: int = 0
    level: str | None = None
    kind: str | None = None
    resolution: int | None = None
    on: dt.date | None = None
    area: tuple[float, float, float, float] | None = field(default=None)  # of the city, for hexagons


def tile(session: Session, subject: Subject, at: TileId) -> bytes:
    """The encoded tile; empty bytes where nothing lies. Runs under a statement limit of two seconds."""
    session.execute(text("SELECT set_config('statement_timeout', :ms, true)"), {"ms": f"{TIMEOUT_MS}ms"})
    if subject.layer in SHAPES:
        return _shapes(session, subject, at)
    if subject.layer == "facilities":
        return _facilities(session, subject, at)
    return _hexagons(session, subject, at)


def least_zoom(resolution: int) -> int:
    """The zoom from which on a tile can hold every H3 cell of a resolution (at the equator, the widest tiles).

    >>> least_zoom(9)
    11
    """
    for z in range(MAX_ZOOM):
        if (40_075.0 / (1 << z)) ** 2 / HEXAGON_AREA_KM2[resolution] <= HEXAGON_CELLS:
            return z
    return MAX_ZOOM


# -- polygons and lines ----------------------------------------------------------------------------------


def _shapes(session: Session, subject: Subject, at: TileId) -> bytes:
    shape = SHAPES[subject.layer]
    values: dict[str, Any] = {"plan": subject.plan, "level": subject.level, "on": subject.on, "z": at.z}
    values |= {"x": at.x, "y": at.y, "margin": shape.buffer / 4096}
    used = {name: value for name, value in values.items() if f":{name}" in _BOX + shape.where}
    count = session.scalar(
        text(f"{_BOX} SELECT count(*) FROM {shape.source}, box WHERE {shape.where} AND t.geom && box.near"),  # noqa: S608
        used,
    )
    if not count:
        return b""
    encoded = b""
    for detail in DETAILS[5 if count > TOO_MANY else 2 if count > MANY else 0 :]:
        kept = shape.properties if detail.names else shape.properties[:-1]
        outputs = ", ".join(column.rpartition(" ")[2] for column in kept)
        columns = ", ".join(f"t.{column}" for column in kept)
        statement = _SHAPES.format(**vars(shape), columns=columns, outputs=outputs)
        more = {
            "layer": subject.layer,
            "extent": detail.extent,
            "limit": detail.limit,
        }
        more["buffer"] = max(1, shape.buffer * detail.extent // 4096)
        encoded = bytes(session.scalar(text(statement), used | more) or b"")
        if _fits(encoded):
            break
    return encoded


def _fits(encoded: bytes) -> bool:
    """Whether a tile is small enough to be sent: codes of neighbours are alike, so compressed it is a third or less."""
    if len(encoded) <= MAX_BYTES:
        return True
    return len(encoded) <= MAX_PLAIN_BYTES and len(zlib.compress(encoded, 1)) <= MAX_BYTES


_BOX = """
WITH box AS (
  SELECT ST_TileEnvelope(:z, :x, :y) AS exact, ST_Transform(ST_TileEnvelope(:z, :x, :y, margin => :margin), 4326) AS near
)"""
# Both sides of a border are snapped to one grid before they are clipped, so they stay one line.
_SHAPES = f"""{_BOX}, picked AS (
  SELECT t.id, {{columns}}, t.geom FROM {{source}}, box WHERE {{where}} AND t.geom && box.near
  ORDER BY {{order}} LIMIT :limit
), drawn AS (
  SELECT p.id, {{outputs}}, ST_AsMVTGeom(
    ST_SnapToGrid(
      ST_Transform(p.geom, 3857), ST_XMin(box.exact), ST_YMin(box.exact),
      (ST_XMax(box.exact) - ST_XMin(box.exact)) / :extent, (ST_YMax(box.exact) - ST_YMin(box.exact)) / :extent
    ), box.exact, :extent, :buffer, true) AS shape
  FROM picked p, box
)
SELECT ST_AsMVT(d, :layer, :extent, 'shape', 'id') FROM (SELECT * FROM drawn WHERE shape IS NOT NULL) d"""  # noqa: S608


# -- points ----------------------------------------------------------------------------------------------


def _facilities(session: Session, subject: Subject, at: TileId) -> bytes:
    values = {"z": at.z, "x": at.x, "y": at.y, "kind": subject.kind, "margin": 64 / 4096}
    count = session.scalar(text(_FACILITY_COUNT), values)
    if not count:
        return b""
    statement = _FACILITIES if count <= POINTS else _FACILITY_CELLS
    return bytes(session.scalar(text(statement), values) or b"")


_FACILITY_ROWS = (
    " FROM facility f, box WHERE (CAST(:kind AS text) IS NULL OR f.kind = :kind) AND f.point && box.near"
)
_FACILITY_COUNT = f"{_BOX} SELECT count(*) {_FACILITY_ROWS}"
_FACILITIES = f"""{_BOX}, drawn AS (
  SELECT f.id, f.kind, f.name, f.capacity,
    ST_AsMVTGeom(ST_Transform(f.point, 3857), box.exact, 4096, 64, true) AS shape {_FACILITY_ROWS}
)
SELECT ST_AsMVT(d, 'facilities', 4096, 'shape', 'id') FROM (SELECT * FROM drawn WHERE shape IS NOT NULL) d"""  # noqa: S608
# Too many to draw: one point per kind and cell of a 64 × 64 grid, with how many it stands for.
_FACILITY_CELLS = f"""{_BOX}, cells AS (
  SELECT min(f.id) AS id, f.kind, count(*) AS n, sum(f.capacity) AS capacity,
    ST_SnapToGrid(ST_Transform(f.point, 3857), ST_XMin(box.exact), ST_YMin(box.exact),
      (ST_XMax(box.exact) - ST_XMin(box.exact)) / 64, (ST_YMax(box.exact) - ST_YMin(box.exact)) / 64) AS spot
  {_FACILITY_ROWS} GROUP BY f.kind, spot ORDER BY n DESC LIMIT 8000
), drawn AS (
  SELECT id, kind, n, capacity, ST_AsMVTGeom(spot, box.exact, 4096, 64, true) AS shape FROM cells, box
)
SELECT ST_AsMVT(d, 'facilities', 4096, 'shape', 'id') FROM (SELECT * FROM drawn WHERE shape IS NOT NULL) d"""  # noqa: S608


# -- hexagons ----------------------------------------------------------------------------------------------


def _hexagons(session: Session, subject: Subject, at: TileId) -> bytes:
    """Every H3 cell that touches the tile and the city, whether or not anything happened in it."""
    assert subject.resolution is not None
    if at.z < least_zoom(subject.resolution) or subject.area is None:
        return b""
    cells = _cells_in(_meet(at.bounds(), subject.area), subject.resolution)
    if not len(cells):
        return b""
    values: dict[str, Any] = {"z": at.z, "x": at.x, "y": at.y}
    values["ids"] = (cells & np.uint64((1 << 52) - 1)).astype(np.int64).tolist()
    values["names"] = [f"{cell:x}" for cell in cells.tolist()]
    values["shapes"] = [bytes(wkb) for wkb in cells_to_wkb_polygons(cells).to_pylist()]
    return bytes(session.scalar(text(_HEXAGONS), values) or b"")


_HEXAGONS = """
WITH box AS (SELECT ST_TileEnvelope(:z, :x, :y) AS exact), drawn AS (
  SELECT c.id, c.h3, ST_AsMVTGeom(ST_Transform(ST_GeomFromWKB(c.wkb, 4326), 3857), box.exact, 4096, 64, true) AS shape
  FROM unnest(CAST(:ids AS bigint[]), CAST(:names AS text[]), CAST(:shapes AS bytea[])) AS c (id, h3, wkb), box
)
SELECT ST_AsMVT(d, 'hexagons', 4096, 'shape', 'id') FROM (SELECT * FROM drawn WHERE shape IS NOT NULL) d"""


def _cells_in(
    box: tuple[float, float, float, float] | None, resolution: int
) -> np.ndarray[Any, np.dtype[np.uint64]]:
    if box is None:
        return np.empty(0, np.uint64)
    import shapely
    from h3ronpy import ContainmentMode
    from h3ronpy.vector import geometry_to_cells

    found = geometry_to_cells(shapely.box(*box), resolution, containment_mode=ContainmentMode.Covers)
    return np.sort(np.asarray(found, np.uint64))


def _meet(a: Sequence[float], b: Sequence[float]) -> tuple[float, float, float, float] | None:
    west, south, east, north = max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])
    return (west, south, east, north) if west < east and south < north else None


def _latitude(row: int, n: int) -> float:
    return math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * row / n))))


def _out_of_range(name: str, zh: str, en: str) -> NotFound:
    return NotFound(f"瓦片 {name} {zh}。", f"Tile {name} {en}.", code="tile-out-of-range", field=name)


def check_layer(name: str) -> str:
    """The layer, or NotFound naming those there are."""
    if name not in LAYERS:
        raise NotFound(
            f"没有图层 {name[:40]}；可用：{'、'.join(LAYERS)}。",
            f"There is no layer {name[:40]}; there are {', '.join(LAYERS)}.",
            field="layer",
        )
    return name


def check_resolution(resolution: int) -> int:
    """7 to 11, or RefusedArgument."""
    if resolution not in HEXAGON_AREA_KM2:
        raise RefusedArgument("resolution 应为 7 至 11。", "resolution must be 7 to 11.", field="resolution")
    return resolution

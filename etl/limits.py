"""How much of a file we are willing to open: bytes, entries, vertices, seconds, memory.

The defaults let every real city layer we know in (the largest have 127 000 vertices in a file and 57 000 in one
feature) and end hostile ones early. `wangge doctor` and the documentation quote these numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

MB = 1_000_000

DRIVERS = frozenset(
    {
        "GeoJSON",
        "GeoJSONSeq",
        "TopoJSON",
        "GPKG",
        "ESRI Shapefile",
        "FlatGeobuf",
        "KML",
        "Parquet",
        "OpenFileGDB",
    }
)
"""Formats of areas, points and plans. Never one that can point at other files (VRT, WFS, GML with schemas …)."""

NETWORK_DRIVERS = DRIVERS | {"OSM"}
"""The same and OpenStreetMap extracts, for ways."""


@dataclass(frozen=True)
class Limits:
    """Caps of one reading.

    `file_bytes` of the file as given; `unpacked_bytes`, `entries`, `ratio` of an archive (a file geodatabase is a
    folder of many small files and may have `geodatabase_entries`); `rows`, `vertices`, `feature_vertices` of the
    layer; `crossings` of one ring before repair is given up; `cpu_s`, `wall_s`, `memory_bytes` of the child process.
    """

    file_bytes: int = 500 * MB
    unpacked_bytes: int = 200 * MB
    entries: int = 50
    geodatabase_entries: int = 2_000
    ratio: int = 100
    rows: int = 1_000_000
    vertices: int = 2_000_000
    feature_vertices: int = 200_000
    crossings: int = 10_000
    json_depth: int = 1_000
    cpu_s: int = 60
    wall_s: int = 90
    memory_bytes: int = 2_000 * MB

"""The media types that routes offer and take."""

from __future__ import annotations

ANY = "*/*"
JSON = "application/json"
GEOJSON = "application/geo+json"
ARROW = "application/vnd.apache.arrow.stream"
MVT = "application/vnd.mapbox-vector-tile"
HTML = "text/html"
CSS = "text/css"
CSV = "text/csv"
TEXT = "text/plain"
PDF = "application/pdf"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
GPKG = "application/geopackage+sqlite3"
KML = "application/vnd.google-earth.kml+xml"
ZIP = "application/zip"
BYTES = "application/octet-stream"

FILES = (
    GPKG,
    GEOJSON,
    ZIP,
    "application/flatgeobuf",
    "application/vnd.apache.parquet",
    KML,
    CSV,
    XLSX,
)  # what an export may be
UPLOADS = (BYTES, GPKG, GEOJSON, ZIP, KML)  # what a layer may come as

"""What of a load a person is shown on a small map: a sample of places, and where they lie against what is known.

A sample is never stored with the run: it lives in the result of the job that was asked for, as long as that job does.
Areas and lines are simplified to what a few hundred pixels can show.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from etl.rejects import LoadReport
from geo import crs as coordinates
from geo.crs_evidence import DATUMS

POINTS = 400
SHAPES = 300
VERTICES = 12_000
PIXELS = 400  # the side of the small map
BETTER_BY = 0.01
DECIMALS = 6

Pairs = Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]


def points(positions: Pairs, most: int = POINTS) -> NDArray[np.object_]:
    """At most `most` of the positions (longitude, latitude; NaN: none), evenly over the file.

    >>> len(points([(np.linspace(116, 117, 5000), np.full(5000, 39.9))]))
    400
    """
    if not positions:
        return np.empty(0, dtype=object)
    lon, lat = (np.concatenate([pair[i] for pair in positions]) for i in (0, 1))
    there = np.flatnonzero(~np.isnan(lon) & ~np.isnan(lat))
    chosen = there[np.linspace(0, len(there) - 1, min(most, len(there))).astype(np.int64)]
    return np.asarray(shapely.points(lon[chosen], lat[chosen]), dtype=object)


def shapes(geoms: NDArray[np.object_]) -> NDArray[np.object_]:
    """Points, lines or areas in EPSG:4326 as a small map needs them: the largest ones, simplified to its pixels."""
    there = geoms[~shapely.is_missing(geoms) & ~shapely.is_empty(geoms)]
    if len(there) > SHAPES:
        there = there[np.linspace(0, len(there) - 1, SHAPES).astype(np.int64)]
    if not len(there):
        return there
    west, south, east, north = shapely.total_bounds(there)
    made = shapely.simplify(there, max(east - west, north - south) / PIXELS, preserve_topology=False)
    made = np.where(shapely.is_empty(made), shapely.envelope(there), made)
    kept = np.cumsum(shapely.get_num_coordinates(made)) <= VERTICES
    return np.asarray(made[kept], dtype=object)


def evidence(session: Session, report: LoadReport) -> dict[str, Any]:
    """What speaks for and against the CRS of a load, with a sample to draw.

    `declared`, `asked`, `used`; `bbox` and `sample` (GeoJSON geometries, WGS 84); `datum`: how well each datum fits
    (0–1) and `datum_by`: *outline* (overlap with the areas that are loaded), *district* (places inside the district
    they name) or *inside* (places inside the city); `better`: another datum that fits better by more than 0.01.
    """
    known = report.details.get("crs") or {}
    sample = report.drawn if report.drawn is not None else np.empty(0, dtype=object)
    datum, by = _datum(session, report, sample)
    return {
        "declared": known.get("declared"),
        "asked": known.get("asked") or _wish(report),
        "used": report.crs,
        "datum": datum,
        "datum_by": by,
        "better": _better(datum, report.crs),
        "bbox": [round(v, DECIMALS) for v in shapely.total_bounds(sample).tolist()] if len(sample) else None,
        "sample": [_geojson(shape) for shape in sample],
    }


def _wish(report: LoadReport) -> str | None:
    wish = report.options.get("crs")
    return None if wish in (None, "auto") else str(wish)


def _datum(
    session: Session, report: LoadReport, sample: NDArray[np.object_]
) -> tuple[dict[str, float], str | None]:
    """The shares that the loader found itself, else those of sampled points inside the city."""
    told = report.details.get("datum")
    if told:
        return dict(told), "outline" if report.kind == "boundaries" else "district"
    if report.kind not in ("cases", "facilities") or not len(sample) or report.crs is None:
        return {}, None
    lon, lat = shapely.get_coordinates(shapely.point_on_surface(sample)).T
    datums = _comparable(lon, lat, report.crs)
    found = {}
    for datum in datums:
        x, y = (lon, lat) if datum == report.crs else _as_if(lon, lat, report.crs, datum)
        share = _inside(session, x, y)
        if share is None:
            return {}, None
        found[datum] = round(share, 4)
    return found, "inside"


def _comparable(lon: NDArray[np.float64], lat: NDArray[np.float64], used: str) -> tuple[str, ...]:
    """Datums differ inside China only, and only where the file holds degrees."""
    degrees = used in DATUMS or (used not in coordinates.SHIFTED and coordinates.crs_of(used).is_geographic)
    return (
        (used, *(d for d in DATUMS if d != used))
        if degrees and coordinates.in_china(lon, lat).any()
        else (used,)
    )


def _as_if(
    lon: NDArray[np.float64], lat: NDArray[np.float64], used: str, datum: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where the file's own numbers would lie were they in another datum."""
    x, y = coordinates.from_wgs84(lon, lat, used) if used in coordinates.SHIFTED else (lon, lat)
    return coordinates.to_wgs84(x, y, datum)


_COARSEST = text(
    "SELECT e.id FROM edition e JOIN level l ON l.id = e.level_id WHERE upper_inf(e.during) "
    "ORDER BY l.rank NULLS LAST, e.id LIMIT 1"
)
_WITHIN = text(
    "SELECT count(*) FILTER (WHERE EXISTS (SELECT 1 FROM boundary b WHERE b.edition_id = :edition "
    "AND ST_Intersects(b.geom, ST_SetSRID(ST_MakePoint(p.x, p.y), 4326)))), count(*) "
    "FROM unnest(CAST(:x AS double precision[]), CAST(:y AS double precision[])) AS p (x, y)"
)


def _inside(session: Session, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> float | None:
    """The share of places inside the areas of the coarsest level; None when there are no areas."""
    edition = session.scalar(_COARSEST)
    if edition is None:
        return None
    hits, n = session.execute(_WITHIN, {"edition": edition, "x": lon.tolist(), "y": lat.tolist()}).one()
    return float(hits) / float(n) if n else None


def _better(datum: dict[str, float], used: str | None) -> str | None:
    own = "EPSG:4326" if used not in coordinates.SHIFTED else used
    if own not in datum:
        return None
    best = max(datum, key=lambda name: datum[name])
    return best if datum[best] > datum[own] + BETTER_BY else None


def _geojson(shape: Any) -> dict[str, Any]:
    found: dict[str, Any] = shapely.geometry.mapping(
        shapely.set_precision(shape, 10.0**-DECIMALS, mode="pointwise")
    )
    return found

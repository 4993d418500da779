"""A heat map in its three forms: columnar JSON, an Arrow stream, GeoJSON with geometry.

Codes and names of a layer are the same in every answer about it, so their JSON is written once per layer.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from h3ronpy.vector import cells_to_wkb_polygons
from shapely import from_wkb, to_geojson
from sqlalchemy.orm import Session

from api import layers
from api.answers import to_json
from api.digits import whole_numbers
from geo.heat import HeatMap, Zones
from geo.supply import UNITS, Supply

Found = HeatMap | Supply
_PIECES: weakref.WeakKeyDictionary[Zones, tuple[orjson.Fragment, orjson.Fragment]] = (
    weakref.WeakKeyDictionary()
)
SAME_AS_N = frozenset({"cases", "open", "overdue", "count"})
_FALSE: dict[int, orjson.Fragment] = {}


def head(found: Found, breaks: list[float]) -> dict[str, Any]:
    """Everything but the columns."""
    plan = {"id": found.plan.id, "name": found.plan.name} if found.plan else None
    shared = {"plan": plan, "by": found.by, "measure": found.measure, "breaks": breaks}
    if isinstance(found, Supply):
        sums = {"total": found.total, "unplaced": found.unplaced, "outside": found.outside}
        return {**shared, "kind": found.kind, "unit": UNITS[found.measure], **sums, "suppressed_total": 0}
    told = not 0 < found.total < found.k  # so few in all that even their sum says too much
    return {
        **shared,
        "unit": found.unit,
        "period": {"from": found.period[0], "to": found.period[1]},
        "asof": found.asof,
        "total": found.total if told else None,
        "unplaced": found.unplaced,
        "outside": found.outside,
        "unassigned": found.unassigned,
        "overlaps": found.overlaps,
        "suppressed_total": found.suppressed_total if told else None,
        "k": found.k,
        "version": found.version,
    }


def as_json(found: Found, breaks: list[float], columns: str = "all") -> bytes:
    """The columnar form: parallel lists, null where there is no data or the value is hidden.

    `columns="values"`: only what no other answer holds: `values`, `n` where it is not the same, `suppressed` where
    something is hidden.
    """
    made = head(found, breaks)
    brief = columns == "values"
    if not brief:
        made["codes"], made["names"] = _pieces(found)
    same = found.measure in SAME_AS_N
    hidden = isinstance(found, HeatMap) and bool(found.suppressed.any())
    made["values"] = _numbers(found, same)
    if not brief or hidden or not same:
        made["n"] = orjson.Fragment(whole_numbers(found.n))
    if not brief or hidden:
        made["suppressed"] = _hidden(found)
    return to_json(made)


def as_arrow(found: Found, breaks: list[float]) -> bytes:
    """One record batch `code, name, value, n, suppressed`; the rest as JSON in the schema's metadata (`wangge`)."""
    hidden = found.suppressed if isinstance(found, HeatMap) else np.zeros(len(found.codes), dtype=bool)
    values = pa.array(found.values, from_pandas=True)  # NaN as null
    columns = {
        "code": pa.array(found.codes.tolist(), pa.string()),
        "name": pa.array(found.names.tolist(), pa.string()),
        "value": values,
        "n": pa.array(found.n, pa.int64()),
        "suppressed": pa.array(hidden),
    }
    table = pa.table(columns).replace_schema_metadata({"wangge": to_json(head(found, breaks))})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return bytes(sink.getvalue())


def as_geojson(session: Session, found: Found, breaks: list[float]) -> bytes:
    """A FeatureCollection (RFC 7946) whose properties are the columns; the head stands beside `features`."""
    shapes = _shapes(session, found)
    hidden = found.suppressed.tolist() if isinstance(found, HeatMap) else [False] * len(found.codes)
    columns = (
        found.codes.tolist(),
        found.names.tolist(),
        found.values.tolist(),
        found.n.tolist(),
        hidden,
        shapes,
    )
    rows = zip(*columns, strict=True)
    features = [
        {
            "type": "Feature",
            "id": code,
            "geometry": orjson.Fragment(shape),
            "properties": {"code": code, "name": name, "value": value, "n": n, "suppressed": suppressed},
        }
        for code, name, value, n, suppressed, shape in rows
    ]
    return to_json({"type": "FeatureCollection", **head(found, breaks), "features": features})


def _shapes(session: Session, found: Found) -> list[str]:
    """The geometry of each zone as JSON text, in order; `null` for a zone that has none any more."""
    polygons = np.asarray(polygons_of(session, found), dtype=object)
    return ["null" if shape is None else str(shape) for shape in to_geojson(polygons)]


def polygons_of(session: Session, found: Found) -> Any:
    """The polygon of each zone (EPSG:4326), in order; None for a zone that has none any more."""
    if found.by.startswith("hexagon:"):
        cells = np.array([int(code, 16) for code in found.codes.tolist()], dtype=np.uint64)
        return from_wkb([bytes(wkb) for wkb in cells_to_wkb_polygons(cells).to_pylist()])
    assert found.zones is not None
    return layers.polygons(session, found.zones)


def _pieces(found: Found) -> tuple[Any, Any]:
    """Codes and names, written as JSON once per layer; hexagons differ in every answer."""
    zones = found.zones
    if zones is None or zones.codes is not found.codes:
        return found.codes.tolist(), found.names.tolist()
    kept = _PIECES.get(zones)
    if kept is None:
        kept = (
            orjson.Fragment(to_json(zones.codes.tolist())),
            orjson.Fragment(to_json(zones.names.tolist())),
        )
        _PIECES[zones] = kept
    return kept


def _numbers(found: Found, same: bool) -> Any:
    """The values: of counts as whole numbers without a trailing `.0`."""
    if same and isinstance(found, HeatMap):
        return orjson.Fragment(whole_numbers(found.n, found.suppressed))
    values = found.values
    whole = values.astype(np.int64) if not np.isnan(values).any() else None
    if whole is None or not bool((whole == values).all()):
        return values
    return orjson.Fragment(whole_numbers(whole))


def _hidden(found: Found) -> Any:
    if isinstance(found, HeatMap) and found.suppressed.any():
        return found.suppressed
    size = len(found.codes)
    if size not in _FALSE:
        if len(_FALSE) > 64:
            _FALSE.clear()
        _FALSE[size] = orjson.Fragment(to_json([False] * size))
    return _FALSE[size]

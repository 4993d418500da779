"""The answers that FastAPI does not describe by itself: of the plain routes, and as GeoJSON beside JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from api import problems
from api.shapes import cases, consultation, heat, judging
from api.shapes.service import Problem

_COLUMNS = heat.HeatMap | heat.HeatValues
PLAIN: Mapping[str, Any] = {
    "/api/heatmap/grids": _COLUMNS,
    "/api/heatmap/boundaries": _COLUMNS,
    "/api/heatmap/hexagons": _COLUMNS,
    "/api/heatmap/facilities": heat.SupplyMap,
    "/tiles/{layer}": heat.TileSet,
    "/tiles/plans/{plan}/grids": heat.TileSet,
    "/tiles/cases": heat.TileSet,
}  # path of a plain route → its answer in JSON; those that are not here answer something else
FEATURES: Mapping[str, Any] = {
    "/api/heatmap/grids": heat.HeatFeatures,
    "/api/heatmap/boundaries": heat.HeatFeatures,
    "/api/heatmap/hexagons": heat.HeatFeatures,
    "/api/heatmap/facilities": heat.SupplyFeatures,
    "/api/cases": cases.CaseFeatures,
    "/api/cases/{id}": cases.CaseFeature,
    "/api/plans/{plan}/compare": judging.ChangedGround,
    "/api/consultations/{plan}/changes": consultation.GroundChanging,
}  # path → its answer in GeoJSON; files written by GDAL are described by RFC 7946
REFUSED = {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}


class TwoOfOneName(RuntimeError):
    """Two different models of one name: the page could not tell them apart."""


def schema_of(model: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """The schema of an answer; what it consists of is added to `schemas` by name. Raises TwoOfOneName."""
    made = TypeAdapter(model).json_schema(
        mode="serialization", ref_template="#/components/schemas/{model}", by_alias=True
    )
    parts = made.pop("$defs", {})
    name = getattr(model, "__name__", None)
    if name is not None:
        parts[name], made = made, {"$ref": f"#/components/schemas/{name}"}
    for part, schema in parts.items():
        if schemas.setdefault(part, schema) != schema:
            raise TwoOfOneName(part)
    return made


def problem(schemas: dict[str, Any]) -> None:
    """Adds what every refusal looks like."""
    schema_of(Problem, schemas)


def without_titles(found: Any) -> Any:
    """A schema without the titles that pydantic makes of names: they say nothing that the names do not.

    >>> without_titles({"title": "Case", "properties": {"title": {"title": "Title", "type": "string"}}})
    {'properties': {'title': {'type': 'string'}}}
    """
    if isinstance(found, list):
        return [without_titles(part) for part in found]
    if not isinstance(found, dict):
        return found
    kept = {name: without_titles(part) for name, part in found.items()}
    if isinstance(kept.get("title"), str):
        del kept["title"]
    return kept

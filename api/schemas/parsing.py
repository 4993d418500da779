"""A query string as a model, for routes that FastAPI does not serve."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar, get_origin
from urllib.parse import parse_qsl

from pydantic import BaseModel

MAX_FIELDS = 200
M = TypeVar("M", bound=BaseModel)


def parse(model: type[M], query: bytes) -> M:
    """A query string as a model. Raises pydantic's ValidationError, also for a single value given twice.

    >>> from api.schemas.heat import HeatGrids
    >>> parse(HeatGrids, b"from=2024-01-01&category=0101&category=0102").category
    ['0101', '0102']
    """
    found: dict[str, Any] = {}
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=None)
    lists = _repeatable(model)
    for name, value in pairs[:MAX_FIELDS]:
        if name in lists:
            found.setdefault(name, []).append(value)
        elif name in found:
            model.model_validate({**found, name: {"given": "twice"}})
        else:
            found[name] = value
    return model.model_validate(found)


@cache
def _repeatable(model: type[BaseModel]) -> frozenset[str]:
    """The parameters that may stand more than once."""
    fields = model.model_fields.items()
    return frozenset(f.alias or name for name, f in fields if get_origin(f.annotation) is list)

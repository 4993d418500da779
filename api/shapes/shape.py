"""The one base of all answers: what is not named is not there, and what is left out is never null."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Shape(BaseModel):
    """An object of an answer. Every field is there, and no other, unless its default is `absent()`."""

    model_config = ConfigDict(extra="forbid", defer_build=True)


def absent() -> Any:
    """The default of a field that an answer may leave out; where it stands it has its type.

    >>> class Told(Shape):
    ...     notice: str = absent()
    >>> Told.model_json_schema()["properties"]["notice"]
    {'title': 'Notice', 'type': 'string'}
    """
    return Field(default=None, json_schema_extra=_without_default)


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)

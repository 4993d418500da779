"""Columns of GDAL and Parquet as Arrow columns of plain values, under names that differ."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

WKB = "__wkb__"


def unique(names: list[str]) -> list[str]:
    """Column names made different: a second `name` becomes `name_2`; `geometry` is kept for the geometry.

    >>> unique(["a", "a", "geometry"])
    ['a', 'a_2', 'geometry_2']
    """
    seen: dict[str, int] = {"geometry": 1, WKB: 1}
    out = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        out.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return out


def column(values: NDArray[Any]) -> pa.Array:
    """A column of GDAL's as Arrow; lists and other objects as JSON text, bytes dropped."""
    if values.dtype == object:
        return pa.array([_text(v) for v in values], type=pa.string())
    if values.dtype.kind == "f":
        return pa.array(values, mask=np.isnan(values))
    return pa.array(values)


def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Nested Parquet columns as JSON text, the others as they are."""
    kind = column.type
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return pa.chunked_array([pa.array([_text(v) for v in column.to_pylist()], type=pa.string())])
    if pa.types.is_dictionary(kind):
        return column.cast(kind.value_type)
    return column


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes | bytearray):
        return None
    if isinstance(value, np.ndarray):
        value = value.tolist()
    return (
        json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | dict) else str(value)
    )

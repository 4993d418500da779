"""Single values of a query or a body: dates, instants, boxes, words, and how a wrong one is refused."""

from __future__ import annotations

import datetime as dt
import math
import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

FIRST_DAY, LAST_DAY = dt.date(1900, 1, 1), dt.date(2200, 1, 1)
WHOLE = 2**31 - 1  # the largest number of an id or a revision
BBox = tuple[float, float, float, float]


def refuse(zh: str, en: str, field: str | None = None) -> PydanticCustomError:
    """A refusal in both languages; raise it from a validator. Without `field` pydantic's own location is named."""
    context: dict[str, Any] = {"zh": zh, "en": en} | ({"field": field} if field else {})
    return PydanticCustomError("wangge", "{en}", context)


def day(value: Any) -> Any:
    """A calendar date, `YYYY-MM-DD` and nothing else, from 1900 to 2200.

    >>> day("2024-02-29")
    datetime.date(2024, 2, 29)
    """
    if value is None or isinstance(value, dt.date):
        return value
    wrong = refuse("应为日期 YYYY-MM-DD（1900–2200）。", "must be a date YYYY-MM-DD (1900 to 2200).")
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
        raise wrong
    try:
        found = dt.date.fromisoformat(value)
    except ValueError:
        raise wrong from None
    if not FIRST_DAY <= found <= LAST_DAY:
        raise wrong
    return found


def instant(value: Any) -> Any:
    """An ISO 8601 instant with its offset; a `+` that the address turned into a blank is taken back.

    >>> instant("2024-05-01T08:00:00 08:00").isoformat()
    '2024-05-01T08:00:00+08:00'
    """
    if value is None or isinstance(value, dt.datetime):
        return value
    try:
        found = dt.datetime.fromisoformat(re.sub(r" (\d\d:?\d\d)$", r"+\1", str(value)))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or not FIRST_DAY <= found.date() <= LAST_DAY:
        raise refuse(
            "应为带时区的时刻，例如 2025-01-31T23:59:59+08:00。",
            "must be an instant with an offset, such as 2025-01-31T23:59:59+08:00.",
        )
    return found


def box(value: Any) -> Any:
    """`west,south,east,north` in degrees (six numbers: the heights are ignored); west > east crosses longitude 180.

    >>> box("116.1,39.7,116.8,40.2")
    (116.1, 39.7, 116.8, 40.2)
    """
    if value is None or isinstance(value, tuple):
        return value
    if isinstance(value, list):  # FastAPI hands over every occurrence
        value = value[-1] if value else ""
    words = str(value).split(",")
    if len(words) not in (4, 6):
        raise refuse("应有 4 或 6 个数字。", "must be 4 or 6 numbers (west,south,east,north).")
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        numbers = [math.nan]
    if not all(map(math.isfinite, numbers)):
        raise refuse("应为有限的数字。", "must be finite numbers.")
    west, south, east, north = numbers if len(numbers) == 4 else (*numbers[:2], *numbers[3:5])
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= 90 and -90 <= north <= 90):
        raise refuse("超出经纬度范围。", "is outside the range of longitudes and latitudes.")
    if south > north:
        raise refuse("南界高于北界。", "has its south above its north.")
    return (west, south, east, north)


Day = Annotated[dt.date, BeforeValidator(day), WithJsonSchema({"type": "string", "format": "date"})]
Instant = Annotated[
    dt.datetime, BeforeValidator(instant), WithJsonSchema({"type": "string", "format": "date-time"})
]
Box = Annotated[
    BBox, BeforeValidator(box), WithJsonSchema({"type": "string", "examples": ["116.1,39.7,116.8,40.2"]})
]
Word = Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]
Origin = Literal["unknown", "citizen", "patrol", "sensor", "other"]
Status = Literal["open", "closed", "void"]

"""Cases out of PostGIS as columns: one snapshot, one binary COPY, sorted by (category, day opened), written as files.

Columns, one entry per case, sorted by category ordinal, then day:

| name | type | what |
|---|---|---|
| unit | int32 | ordinal of its unit in `unit_ids`; −1 outside every unit, −2 unplaced |
| day | int32 | day opened on the city's clock, days since 1970-01-01 |
| opened, closed, due, dispatched | uint32 | ticks since `base_s` (seconds since 1970); NONE where unknown |
| facts | uint8 | status (bits 0–1), origin (bits 2–4), satisfied (bits 5–6: 0 unknown, 1 no, 2 yes) |
| lon, lat | float64 | EPSG:4326, NaN when unplaced |

Beside them: `unit_ids`, `unit_parents` (ordinal or −1), `category_ptr` (cases of category c: ptr[c] … ptr[c + 1]) and,
where there are many cases, `weekly`: weekly[w, u + 2] is how many were opened in unit u (or −1, −2) before week w, whose
first day is `first day of all + 7 w`. A count of nearly everything is then two rows of it and a few days.
Fractions of a second are cut off. A tick is one second, or a minute where the cases span more than 130
years; instants before the base count as the base, those after the last tick as the last tick (a due time in 9999 is
never overdue).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import sql

from geo.db.copying import read_rows
from geo.progress import Progress, silent

OUTSIDE, UNPLACED = -1, -2
SATISFIED_NO, SATISFIED_YES = 1 << 5, 2 << 5  # in `facts`
NONE = np.uint32(2**32 - 1)
LAST_TICK = 2**32 - 2
INFINITY_US = np.iinfo(np.int64).max
EPOCH_2000_S = 946_684_800
ROWS_PER_BATCH = 250_000
WEEKLY_FROM_CASES, WEEKLY_MAX_BYTES = 500_000, 256 << 20
DEFAULT_TIMEZONE = "Asia/Shanghai"

ROWS = sql.SQL(
    "COPY (SELECT coalesce(unit_id, -1), category_id, opened_at, coalesce(closed_at, 'infinity'), "
    "coalesce(due_at, 'infinity'), coalesce(dispatched_at, 'infinity'), "
    "(status | (origin << 2) | (coalesce(satisfied::int + 1, 0) << 5))::int4, "
    "coalesce(ST_X(geom), 'NaN'), coalesce(ST_Y(geom), 'NaN') FROM cases) TO STDOUT (FORMAT binary)"
)
FIELDS = (
    ("unit_id", "i4"),
    ("category_id", "i4"),
    ("opened", "i8"),
    ("closed", "i8"),
    ("due", "i8"),
    ("dispatched", "i8"),
    ("facts", "i4"),
    ("lon", "f8"),
    ("lat", "f8"),
)
KEY = (
    "SELECT md5(string_agg(part || ':' || version || ':' || changed_at::timestamptz(6)::text, ',' ORDER BY part)) "
    "FROM data_version WHERE part IN ('cases', 'units', 'city')"
)


@dataclass(frozen=True)
class CategoryInfo:
    """A category as the columns know it: `key` is `top` or `top/sub`, n the cases it has itself."""

    id: int
    key: str
    top: str
    name: str
    name_en: str | None
    top_name: str
    sensitive: bool
    minutes: float
    catalogue: str
    n: int = 0


@dataclass(frozen=True)
class Built:
    """Arrays and facts, ready to be written."""

    key: str
    arrays: Mapping[str, NDArray[Any]]
    facts: Mapping[str, Any]


def data_key(connection: psycopg.Connection[Any]) -> str:
    """What the columns depend on, in one word: the versions of cases, units and city, and when they changed."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL TimeZone = 'UTC'")
        row = cursor.execute(KEY).fetchone()
    return str(row[0]) if row and row[0] else "nothing"


def build(connection: psycopg.Connection[Any], progress: Progress = silent) -> Built:
    """Reads everything in one snapshot. `connection` has the owner's rights and no open transaction."""
    connection.rollback()
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    try:
        key = data_key(connection)
        timezone = _timezone(connection)
        unit_ids, parents = _units(connection)
        categories = _categories(connection)
        rows = _rows(connection, progress)
    finally:
        connection.rollback()
    return _arrange(key, timezone, unit_ids, parents, categories, rows)


def _timezone(connection: psycopg.Connection[Any]) -> str:
    row = connection.execute("SELECT timezone FROM city").fetchone()
    return str(row[0]) if row else DEFAULT_TIMEZONE


def _units(connection: psycopg.Connection[Any]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """All unit ids ever, ascending, and the ordinal of the unit each was cut from (−1: of none)."""
    found = connection.execute("SELECT id, coalesce(parent_id, -1) FROM unit ORDER BY id").fetchall()
    table = np.array(found, dtype=np.int32).reshape(-1, 2)
    ids, parents = np.ascontiguousarray(table[:, 0]), table[:, 1]
    at = np.searchsorted(ids, parents)
    return ids, np.where(parents < 0, -1, at).astype(np.int32)


def _categories(connection: psycopg.Connection[Any]) -> list[CategoryInfo]:
    found = connection.execute(
        "SELECT c.id, coalesce(t.code, c.code), CASE WHEN t.id IS NOT NULL THEN c.code END, c.name, c.name_en, "
        "coalesce(t.name, c.name), c.sensitive OR coalesce(t.sensitive, false), c.minutes, g.name "
        "FROM category c LEFT JOIN category t ON t.id = c.parent_id JOIN catalogue g ON g.id = c.catalogue_id "
        "ORDER BY g.id, 2, 3 NULLS FIRST, c.id"
    ).fetchall()
    return [
        CategoryInfo(
            i, top if sub is None else f"{top}/{sub}", top, name, en, top_name, sensitive, minutes, catalogue
        )
        for i, top, sub, name, en, top_name, sensitive, minutes, catalogue in found
    ]


def _rows(connection: psycopg.Connection[Any], progress: Progress) -> dict[str, NDArray[Any]]:
    """The cases in the database's order; instants as int64 microseconds since 2000, positions as they are."""
    batches: list[dict[str, NDArray[Any]]] = []
    done = 0
    with connection.cursor() as cursor:
        for batch in read_rows(cursor, ROWS, FIELDS, ROWS_PER_BATCH):
            batches.append(batch)
            done += len(batch["unit_id"])
            progress("columns", done)
    if not batches:
        return {name: np.empty(0, dtype=f"{kind[0]}{kind[1]}") for name, kind in FIELDS}
    return {name: np.concatenate([batch.pop(name) for batch in batches]) for name, _ in FIELDS}


def _arrange(
    key: str,
    timezone: str,
    unit_ids: NDArray[np.int32],
    parents: NDArray[np.int32],
    categories: list[CategoryInfo],
    rows: dict[str, NDArray[Any]],
) -> Built:
    category = _ordinals(rows["category_id"], categories)
    opened_s = rows["opened"] // 1_000_000 + EPOCH_2000_S
    day = local_days(opened_s, timezone)
    first_day = int(day.min()) if len(day) else 0
    span = int(day.max()) - first_day + 1 if len(day) else 1
    order = np.argsort(category.astype(np.int64) * span + (day - first_day), kind="stable")
    base_s, tick_s, last_s = _clock(rows, opened_s)
    placed = ~np.isnan(rows["lon"])
    at = np.searchsorted(unit_ids, rows["unit_id"])
    unit = np.where(rows["unit_id"] >= 0, at, np.where(placed, OUTSIDE, UNPLACED)).astype(np.int32)
    arrays: dict[str, NDArray[Any]] = {
        "unit": unit[order],
        "day": day[order],
        "facts": rows["facts"].astype(np.uint8)[order],
        "lon": rows["lon"][order],
        "lat": rows["lat"][order],
    }
    known = {name: int((rows[name] != INFINITY_US).sum()) for name in ("closed", "due", "dispatched")}
    known["satisfied"] = int((rows["facts"] >= SATISFIED_NO).sum())
    for name in ("opened", "closed", "due", "dispatched"):
        arrays[name] = _ticks(rows.pop(name), base_s, tick_s)[order]
    counts = np.bincount(category, minlength=len(categories))
    arrays |= {
        "weekly": weekly_sums(arrays["unit"], arrays["day"], len(unit_ids)),
        "unit_ids": unit_ids,
        "unit_parents": parents,
        "category_ptr": np.r_[0, np.cumsum(counts)].astype(np.int64),
    }
    facts = {
        "timezone": timezone,
        "first_day": first_day,
        "base_s": base_s,
        "tick_s": tick_s,
        "first_opened_s": int(opened_s.min()) if len(day) else None,
        "last_opened_s": int(opened_s.max()) if len(day) else None,
        "last_instant_s": last_s,
        "unplaced": int((~placed).sum()),
        "known": known,
        "categories": [asdict(c) | {"n": int(n)} for c, n in zip(categories, counts, strict=True)],
    }
    return Built(key, arrays, facts)


def _ordinals(ids: NDArray[np.int32], categories: list[CategoryInfo]) -> NDArray[np.int32]:
    """Category ids as positions in `categories`."""
    if not categories:
        return np.zeros(len(ids), dtype=np.int32)
    known = np.array([c.id for c in categories], dtype=np.int32)
    sorter = np.argsort(known)
    return sorter[np.searchsorted(known, ids, sorter=sorter)].astype(np.int32)


def local_days(epoch_s: NDArray[np.int64], timezone: str) -> NDArray[np.int32]:
    """The calendar day, on the clock of a time zone, of instants in seconds since 1970.

    >>> local_days(np.array([1_704_038_399, 1_704_038_400]), "Asia/Shanghai").tolist()  # 2024-01-01 begins 16:00 UTC
    [19722, 19723]
    """
    import pandas as pd  # only who builds waits for this import

    days = np.empty(len(epoch_s), dtype=np.int32)
    for start in range(0, len(epoch_s), 1_000_000):
        part = pd.DatetimeIndex(epoch_s[start : start + 1_000_000].astype("datetime64[s]"), tz="UTC")
        local = part.tz_convert(timezone).tz_localize(None).to_numpy().astype("datetime64[D]")
        days[start : start + 1_000_000] = local.astype(np.int64)
    return days


def weekly_sums(
    unit: NDArray[np.int32], day: NDArray[np.int32], units: int, least: int | None = None
) -> NDArray[np.uint32]:
    """Cases per unit before each week, (weeks + 1) × (units + 2); 0 × 0 where it would not pay or not fit.

    >>> weekly_sums(np.array([0, 1, -1]), np.array([0, 8, 9]), 2, least=1).tolist()
    [[0, 0, 0, 0], [0, 0, 1, 0], [0, 1, 1, 1]]
    """
    if len(unit) < (WEEKLY_FROM_CASES if least is None else least):
        return np.zeros((0, 0), dtype=np.uint32)
    week = (day - day.min()) // 7
    weeks, width = int(week.max()) + 1, units + 2
    if weeks * width * 4 > WEEKLY_MAX_BYTES:
        return np.zeros((0, 0), dtype=np.uint32)
    sums = np.zeros((weeks + 1, width), dtype=np.uint32)
    for start in range(0, len(unit), 1_000_000):
        part = slice(start, start + 1_000_000)
        np.add.at(sums, (week[part] + 1, unit[part] + 2), 1)
    return np.cumsum(sums, axis=0, dtype=np.uint32)


def _clock(rows: dict[str, NDArray[Any]], opened_s: NDArray[np.int64]) -> tuple[int, int, int | None]:
    """(base in seconds since 1970, seconds per tick, last data instant).

    The last data instant is the latest opening, closing or dispatch; closings and dispatches that lie in the future
    of both the latest opening and this moment are mistyped years and do not count.
    """
    if not len(opened_s):
        return 0, 1, None
    first, last = int(opened_s.min()), int(opened_s.max())
    horizon = max(last, int(dt.datetime.now(dt.UTC).timestamp()))
    for name in ("closed", "dispatched"):
        known = rows[name] // 1_000_000 + EPOCH_2000_S
        known = known[(rows[name] != INFINITY_US) & (known <= horizon)]
        last = max(last, int(known.max())) if len(known) else last
    return first, (1 if last - first < 130 * 366 * 86_400 else 60), last


def _ticks(microseconds: NDArray[np.int64], base_s: int, tick_s: int) -> NDArray[np.uint32]:
    ticks = (microseconds // 1_000_000 + (EPOCH_2000_S - base_s)) // tick_s
    made = np.clip(ticks, 0, LAST_TICK).astype(np.uint32)
    made[microseconds == INFINITY_US] = NONE
    return made

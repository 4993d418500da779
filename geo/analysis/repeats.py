"""Where the same thing happens again: units with several cases of one category in a period.

A unit is small (a hectare or so), so two cases of one category there are often the same lamp, hole or heap. Void cases
do not count. The list is cut to the most frequent places; `places` says how many there are. Who asks for one zone gets
the units of the zone as they fold today.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text

from geo.analysis.chosen import Chosen, choose
from geo.analysis.counts import EVERYTHING
from geo.analysis.layers import SessionFactory
from geo.analysis.selection import Selection, keeping, select
from geo.cases import CaseFilter
from geo.columns import Columns, ColumnStore

VOID, STATUS_MASK = 2, 3
LEAST = 2
_UNITS = text(
    "SELECT u.id, u.code, ST_X(u.point) AS lon, ST_Y(u.point) AS lat FROM unit u WHERE u.id = ANY(:ids)"
)


@dataclass(frozen=True)
class Repeat:
    """One place: the unit and its inner point (EPSG:4326), the category, how many cases, the first and the last."""

    unit: str
    lon: float
    lat: float
    category: str
    name: str
    name_en: str | None
    n: int
    first: dt.datetime
    last: dt.datetime


@dataclass(frozen=True)
class Repeats:
    """The most frequent places, most cases first, then the latest; `places` and `cases` count all of them."""

    found: tuple[Repeat, ...]
    places: int
    cases: int
    version: str


def repeats(
    factory: SessionFactory,
    store: ColumnStore,
    *,
    where: CaseFilter = EVERYTHING,
    by: str | None = None,
    codes: Sequence[str] = (),
    plan: str = "current",
    units: NDArray[np.int32] | None = None,
    limit: int = 200,
) -> Repeats:
    """Units with two or more cases of one category. `units`: ids to look at, None for all. Raises as `choose`."""
    columns = store.current()
    chosen = choose(factory, store, columns, by, codes, plan)
    live = keeping(select(columns, where), (np.arange(256) & STATUS_MASK) != VOID)
    allowed = _allowed(columns, units)
    pairs = [_pairs(columns, chosen, live, allowed, i) for i in range(len(live.categories))]
    pairs.append(tuple(np.empty(0, dtype=np.int64) for _ in range(3)))
    unit, n, piece = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    top = np.argsort(-n, kind="stable")[:limit]
    made = _described(factory, columns, chosen, live, unit[top], piece[top], n[top])
    made.sort(key=lambda one: (-one.n, -one.last.timestamp(), one.unit, one.category))
    return Repeats(tuple(made), len(n), int(n.sum()), columns.version)


def _allowed(columns: Columns, units: NDArray[np.int32] | None) -> NDArray[np.bool_] | None:
    """Which unit ordinals may be looked at; None for all."""
    if units is None:
        return None
    mask = np.zeros(len(columns.unit_ids), dtype=bool)
    at = columns.unit_ordinals(units)
    mask[at[at >= 0]] = True
    return mask


def _rows(
    columns: Columns, chosen: Chosen, live: Selection, allowed: NDArray[np.bool_] | None, i: int
) -> NDArray[np.int64]:
    """The placed rows of the i-th wanted category."""
    part = slice(int(live.starts[i]), int(live.ends[i]))
    unit = columns.unit[part]
    wanted = (unit >= 0) & (live.keep_table[columns.facts[part]] > 0)
    if not chosen.every:
        wanted &= chosen.wanted[chosen.slots[part]] > 0
    if allowed is not None:
        wanted[wanted] = allowed[unit[wanted]]
    return np.flatnonzero(wanted) + part.start


def _pairs(
    columns: Columns, chosen: Chosen, live: Selection, allowed: NDArray[np.bool_] | None, i: int
) -> tuple[NDArray[np.int64], ...]:
    """(unit ordinals, counts, i again) of one category's places with two or more."""
    n = np.bincount(columns.unit[_rows(columns, chosen, live, allowed, i)], minlength=1)
    unit = np.flatnonzero(n >= LEAST)
    return unit, n[unit].astype(np.int64), np.full(len(unit), i, dtype=np.int64)


def _described(
    factory: SessionFactory,
    columns: Columns,
    chosen: Chosen,
    live: Selection,
    unit: NDArray[np.int64],
    piece: NDArray[np.int64],
    n: NDArray[np.int64],
) -> list[Repeat]:
    """The places of a list in words; first and last are looked up only for these."""
    with factory() as session:
        ids = columns.unit_ids[np.unique(unit)].tolist()
        ground = {row.id: row for row in session.execute(_UNITS, {"ids": ids})}
    made = []
    for i in np.unique(piece).tolist():
        rows = _rows(columns, chosen, live, None, i)
        at = columns.unit[rows]
        category = columns.categories[int(live.categories[i])]
        for k in np.flatnonzero(piece == i).tolist():
            place = ground[int(columns.unit_ids[unit[k]])]
            opened = columns.opened[rows[at == unit[k]]]
            words = (category.key, category.name, category.name_en)
            times = (_instant(columns, int(opened.min())), _instant(columns, int(opened.max())))
            made.append(Repeat(place.code, place.lon, place.lat, *words, int(n[k]), *times))
    return made


def _instant(columns: Columns, tick: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(columns.base_s + tick * columns.tick_s, dt.UTC)

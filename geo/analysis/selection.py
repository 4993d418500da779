"""From a `CaseFilter` to rows: slices of the columns (category, days) and a table of wanted facts."""

from __future__ import annotations

import datetime as dt
import difflib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from geo.analysis import kernels
from geo.cases import CaseFilter
from geo.columns import Columns
from geo.errors import RefusedArgument

EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True, eq=False)
class Selection:
    """Wanted rows: starts[i] … ends[i] for each category; `keep[facts]` is 1 for wanted facts, None for all.

    first_day ≤ day < stop_day, days since 1970 on the city's clock.
    """

    categories: NDArray[np.int32]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    keep: NDArray[np.uint8] | None
    first_day: int
    stop_day: int

    @property
    def rows(self) -> int:
        """How many rows the slices hold, before the table of facts is asked."""
        return int((self.ends - self.starts).sum())

    @property
    def keep_table(self) -> NDArray[np.uint8]:
        """The table, all ones when every fact is wanted."""
        return np.ones(256, dtype=np.uint8) if self.keep is None else self.keep


def select(columns: Columns, where: CaseFilter) -> Selection:
    """The rows a filter wants. Raises RefusedArgument (`category-unknown`) for a key in no catalogue."""
    first = day_number(where.from_date) if where.from_date else -(10**6)
    stop = day_number(where.to_date) if where.to_date else 10**6
    return slices(columns, category_ordinals(columns, where.categories), keep_table(where), first, stop)


def within(columns: Columns, selection: Selection, first: int, stop: int) -> Selection:
    """The part of a selection opened on days first ≤ day < stop."""
    first, stop = max(first, selection.first_day), min(stop, selection.stop_day)
    return slices(columns, selection.categories, selection.keep, first, stop)


def keeping(selection: Selection, wanted: NDArray[np.bool_]) -> Selection:
    """The selection with a narrower table of facts (256 booleans)."""
    return replace(selection, keep=selection.keep_table * wanted.astype(np.uint8))


def all_categories(columns: Columns, selection: Selection) -> Selection:
    """Every category in the days of a selection."""
    every = np.arange(len(columns.categories), dtype=np.int32)
    return slices(columns, every, selection.keep, selection.first_day, selection.stop_day)


def other_categories(columns: Columns, selection: Selection) -> Selection:
    """The categories that a selection leaves out, in its days."""
    every = np.arange(len(columns.categories), dtype=np.int32)
    others = np.setdiff1d(every, selection.categories, assume_unique=True)
    return slices(columns, others, selection.keep, selection.first_day, selection.stop_day)


def day_number(date: dt.date) -> int:
    """Days since 1970-01-01."""
    return (date - EPOCH).days


def keep_table(where: CaseFilter) -> NDArray[np.uint8] | None:
    """Which of the 256 values of `facts` a filter wants; None for all."""
    if not where.origins and not where.statuses:
        return None
    facts = np.arange(256)
    wanted = np.ones(256, dtype=bool)
    if where.statuses:
        wanted &= np.isin(facts & 3, where.status_codes)
    if where.origins:
        wanted &= np.isin(facts >> 2 & 7, where.origin_codes)
    return wanted.astype(np.uint8)


def category_ordinals(columns: Columns, keys: tuple[str, ...]) -> NDArray[np.int32]:
    """Positions of the categories that the keys name (a 大类 with all its 小类), each once; all without keys."""
    if not keys:
        return np.arange(len(columns.categories), dtype=np.int32)
    found: set[int] = set()
    for key in keys:
        if key not in columns.ordinals and columns.categories:
            raise _unknown(columns, key)
        found.update(columns.ordinals.get(key, ()))
    return np.array(sorted(found), dtype=np.int32)


def _unknown(columns: Columns, key: str) -> RefusedArgument:
    known = sorted(columns.ordinals)
    near = ", ".join(difflib.get_close_matches(key[:80], known[:5000], n=3, cutoff=0.4) or known[:5])
    return RefusedArgument(
        f"没有类别 {key[:80]}。",
        f"There is no category {key[:80]}.",
        code="category-unknown",
        field="category",
        do_zh=f"例如：{near}。",
        do_en=f"For example: {near}.",
    )


def slices(
    columns: Columns, categories: NDArray[np.int32], keep: NDArray[np.uint8] | None, first: int, stop: int
) -> Selection:
    starts = np.empty(len(categories), dtype=np.int64)
    ends = np.empty(len(categories), dtype=np.int64)
    kernels.find_slices(columns.day, columns.category_ptr, categories, first, stop, starts, ends)
    return Selection(categories, starts, ends, keep, first, stop)

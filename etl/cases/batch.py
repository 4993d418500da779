"""A batch being cleaned, by what rules, and what comes of it: the values that every step of cleaning shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from etl.cleaning.strings import trimmed
from etl.rejects import Reject
from etl.sources import Layout
from etl.tables.table import RawBatch

LIMITS = {
    "id": 200,
    "category": 200,
    "subcategory": 200,
    "responsible_body": 200,
    "repeat_of": 200,
    "description": 20_000,
    "wkt": 1_000_000,
}
ATTRIBUTE_LIMIT = 4_000


@dataclass(frozen=True)
class Rules:
    """How the batches of one file are cleaned: decided once, before the first row is kept."""

    layout: Layout
    zone: str
    now_us: int
    crs: str = "EPSG:4326"
    order_of: Callable[[str], str | None] = lambda name: (
        None
    )  # field → `day` or `month` for 03/04/2025, asked when met
    personal: frozenset[str] = frozenset()  # headers that are dropped
    decimal_comma: bool = False
    own: bool = False  # an export or reject list of ours: apostrophes before formulas are taken away again
    word: str = "line"  # what a row number counts: line, row, feature


@dataclass
class Seen:
    """What cleaning noticed in a batch without rejecting: code → row numbers."""

    rows: dict[str, list[int]] = field(default_factory=dict)
    words: dict[str, set[str]] = field(default_factory=dict)
    masked: dict[str, int] = field(default_factory=dict)
    personal: dict[str, int] = field(default_factory=dict)
    empty: int = 0

    def add(self, code: str, rows: NDArray[np.int64]) -> None:
        """Remember rows under a code."""
        if len(rows):
            self.rows.setdefault(code, []).extend(rows.tolist())


@dataclass
class Cleaned:
    """The kept rows of a batch, column by column; lon/lat NaN means unplaced; times in µs UTC."""

    rows: NDArray[np.int64]
    id: pa.StringArray
    opened: NDArray[np.int64]
    closed: NDArray[np.int64]
    due: NDArray[np.int64]
    dispatched: NDArray[np.int64]
    top: pa.StringArray
    sub: pa.StringArray
    status: NDArray[np.int16]
    origin: NDArray[np.int16]
    urgency: NDArray[np.int16]  # -1: none
    satisfied: NDArray[np.int16]  # -1: none
    flags: NDArray[np.int16]
    body: pa.StringArray
    repeat_of: pa.StringArray
    description: pa.StringArray
    attributes: pa.StringArray
    lon: NDArray[np.float64]
    lat: NDArray[np.float64]
    rows_in: int = 0
    rejects: list[Reject] = field(default_factory=list)
    rejected: dict[str, int] = field(default_factory=dict)  # code → rows, all of them
    seen: Seen = field(default_factory=Seen)

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, keep: NDArray[np.bool_]) -> Cleaned:
        """The same with only some of the kept rows."""
        mask = pa.array(keep)
        values: dict[str, Any] = {
            name: value[keep] if isinstance(value, np.ndarray) else value.filter(mask)
            for name, value in vars(self).items()
            if isinstance(value, np.ndarray | pa.Array)
        }
        return replace(self, **values)


class Batch:
    """A batch being cleaned: columns by field, and the first problem of every row."""

    def __init__(self, raw: RawBatch, rules: Rules) -> None:
        self.raw, self.rules, self.n = raw, rules, len(raw.rows)
        self.problems: list[tuple[str, str]] = []  # (problem, header), in the order they were met
        self.problem = np.full(self.n, -1, np.int32)  # of every row, its place in `problems`
        self.bad = np.zeros(self.n, np.bool_)
        self.seen = Seen()
        self._texts: dict[str, pa.StringArray] = {}

    def text(self, name: str) -> pa.StringArray:
        """A field's column, trimmed; all null when the file has none."""
        if name not in self._texts:
            header = self.rules.layout.columns.get(name)
            known = header is not None and header not in self.rules.personal
            column = self.header(header) if known and header else pa.nulls(self.n, pa.string())
            self._texts[name] = trimmed(column) if known and name != "description" else column
        return self._texts[name]

    def header(self, name: str) -> pa.StringArray:
        """A column by its header, as one array."""
        column = self.raw.table.column(name)
        return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column

    def refuse(self, mask: NDArray[np.bool_], problem: str, name: str) -> None:
        """Give the rows of `mask` that are still fine a problem, in the column of field `name`."""
        if not mask.any():
            return
        new = mask & ~self.bad
        if new.any():
            self.bad |= new
            self.problem[new] = len(self.problems)
            self.problems.append((problem, self.rules.layout.columns.get(name, name)))

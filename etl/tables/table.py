"""What an opened table offers, whatever its format."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from etl.rejects import Reject

BATCH_ROWS = 100_000


@dataclass
class RawBatch:
    """Rows as delivered: string columns named by the header, their row numbers, and rows that could not be read.

    `x`, `y` (float64, NaN where there is none) come from a geometry; `refused` counts rows beyond the kept rejects.
    """

    table: pa.Table
    rows: NDArray[np.int64]
    rejects: list[Reject] = field(default_factory=list)
    x: NDArray[np.float64] | None = None
    y: NDArray[np.float64] | None = None
    odd: list[tuple[int, str, str]] = field(
        default_factory=list
    )  # (row number, header, problem) of single cells


@dataclass
class Table:
    """An opened table: its header, how it was read, and its rows as often as they are asked for."""

    header: list[str]
    batches: Callable[[], Iterator[RawBatch]]
    driver: str
    encoding: str | None = None
    delimiter: str | None = None
    word: str = "line"  # what a row number counts: line, row (of a sheet), feature, record
    crs: str | None = None  # declared by the file
    has_geometry: bool = False
    notices: list[tuple[str, str, str]] = field(default_factory=list)  # code, zh, en
    facts: dict[str, object] = field(default_factory=dict)


def in_batches(
    table: pa.Table,
    rows: NDArray[np.int64],
    *,
    x: NDArray[np.float64] | None = None,
    y: NDArray[np.float64] | None = None,
    odd: list[tuple[int, str, str]] | None = None,
) -> Iterator[RawBatch]:
    """A table in memory, batch by batch."""
    for start in range(0, len(rows), BATCH_ROWS):
        part = slice(start, start + BATCH_ROWS)
        numbers = rows[part]
        here = [cell for cell in odd or [] if numbers[0] <= cell[0] <= numbers[-1]]
        yield RawBatch(
            table.slice(start, BATCH_ROWS).combine_chunks(),
            numbers,
            x=None if x is None else x[part],
            y=None if y is None else y[part],
            odd=here,
        )

"""Codes of units and grids: templates, sequence order, parsing.

A code is the code of the area it lies in, followed by a sequence number. Templates say how long both parts are:

    beijing-15    12 + 3   6 (GB/T 2260 district) + 3 street + 3 community + 3 sequence (Beijing DB11 rule)
    national-14   12 + 2   6 + 3 + 3 + 2

An area code that does not fit (letters, another length), or an area with more pieces than the digits can count,
gets `<area code>-<sequence>`. The sequence runs as one reads a page: rows from north to south, in a row from
west to east. The key inside the database is never the code.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TEMPLATES: dict[str, tuple[int, int]] = {"beijing-15": (12, 3), "national-14": (12, 2)}
DASHED_DIGITS = 3


@dataclass(frozen=True)
class Code:
    """A code taken apart: the area's code and the sequence number inside it."""

    area: str
    sequence: int
    template: str | None  # None: `<area code>-<sequence>`


def fits(area_code: str, template: str) -> bool:
    """Whether an area's code can be the prefix of this template.

    >>> fits("110101001001", "beijing-15"), fits("Roxbury", "beijing-15")
    (True, False)
    """
    digits, _ = TEMPLATES[template]
    return len(area_code) == digits and area_code.isascii() and area_code.isdigit()


def generate(area_code: str, sequence: int, template: str, *, largest: int | None = None) -> str:
    """The code of piece `sequence` (from 1) of an area; `largest` is the area's highest sequence number.

    >>> generate("110101001001", 7, "beijing-15")
    '110101001001007'
    >>> generate("Roxbury", 7, "beijing-15")
    'Roxbury-007'
    """
    _, digits = TEMPLATES[template]
    if fits(area_code, template) and max(sequence, largest or 0) < 10**digits:
        return f"{area_code}{sequence:0{digits}d}"
    return f"{area_code}-{sequence:0{DASHED_DIGITS}d}"


def parse(code: str, template: str) -> Code | None:
    """The parts of a code, or None when it is neither of the template nor dashed.

    >>> parse("110101001001007", "beijing-15")
    Code(area='110101001001', sequence=7, template='beijing-15')
    >>> parse("Roxbury-007", "beijing-15").area
    'Roxbury'
    """
    digits, length = TEMPLATES[template]
    if len(code) == digits + length and code.isascii() and code.isdigit():
        return Code(code[:digits], int(code[digits:]), template)
    area, dash, sequence = code.rpartition("-")
    if dash and area and sequence.isascii() and sequence.isdigit():
        return Code(area, int(sequence), None)
    return None


def free_sequences(count: int, used: Set[int]) -> list[int]:
    """The `count` lowest sequence numbers from 1 that were never used.

    >>> free_sequences(3, {1, 3})
    [2, 4, 5]
    """
    found: list[int] = []
    candidate = 1
    while len(found) < count:
        if candidate not in used:
            found.append(candidate)
        candidate += 1
    return found


def reading_order(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int64]:
    """Indices as one reads a page: rows from north to south, west to east in a row.

    Rows are as high as a typical piece (the square root of extent divided by their number), so that pieces beside
    each other get following numbers. x grows to the east, y to the north; any unit.

    >>> reading_order(np.array([1.0, 0.0, 0.0]), np.array([1.0, 1.0, 0.0])).tolist()
    [1, 0, 2]
    """
    if len(x) == 0:
        return np.empty(0, np.int64)
    height = max(float(np.ptp(y)), 1e-12)
    width = max(float(np.ptp(x)), 1e-12)
    rows = max(1, min(len(x), round(np.sqrt(len(x) * height / width))))
    row = np.minimum((y.max() - y) / height * rows, rows - 1).astype(np.int64)
    return np.lexsort((-y, x, row)).astype(np.int64)

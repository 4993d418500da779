"""Compiled loop of `etl.cleaning.times`: all strings of one shape become instants in one pass.

The clear version is `times._read_group` in NumPy, which reads what day or month comes first in, and is the tests' oracle.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

WORD = 8
SIX, HIGH = np.uint64(0x0606060606060606), np.uint64(0xF0F0F0F0F0F0F0F0)
DAY_US = 86_400_000_000
FINE, INVALID = 0, 1
PARTS = ("Y", "M", "D", "h", "m", "s", "f", "zh", "zm")


@njit(inline="always")
def days_from_civil(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 of a date of the Gregorian calendar.

    Source: Howard Hinnant, *chrono-Compatible Low-Level Date Algorithms* (2013).
    """
    if month <= 2:
        year -= 1
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


@njit(inline="always")
def days_in_month(year: int, month: int) -> int:
    """28 to 31."""
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month == 4 or month == 6 or month == 9 or month == 11 else 31


def pattern_of(shape: bytes) -> NDArray[np.uint64]:
    """A shape (at least eight bytes, 9 for every digit) in words: (first byte, bytes with 0 for digits, mask of what
    must be equal). The last word overlaps the one before where the length is no multiple of eight.

    >>> [hex(value) for value in pattern_of(b"9999-99-")[0]]
    ['0x0', '0x2d30302d30303030', '0xfff0f0fff0f0f0f0']
    """
    zero = shape.replace(b"9", b"0")
    must = bytes(0xF0 if byte == 57 else 0xFF for byte in shape)
    begins = [min(at, len(shape) - WORD) for at in range(0, len(shape), WORD)]
    parts = [
        (at, *(int.from_bytes(text[at : at + WORD], "little") for text in (zero, must))) for at in begins
    ]
    return np.array(parts, np.uint64)


@njit(cache=True, nogil=True)
def read_shape(
    data: NDArray[np.uint8],
    data_words: NDArray[np.uint64],
    offsets: NDArray[np.int32],
    length: int,
    pattern: NDArray[np.uint64],
    first: NDArray[np.int64],
    width: NDArray[np.int64],
    half_at: int,
    sign_at: int,
    zoned: bool,
    years: tuple[int, int],
    us: NDArray[np.int64],
    local: NDArray[np.int64],
    problem: NDArray[np.uint8],
) -> None:
    """Reads the rows that are INVALID so far and have this shape.

    `pattern` is that of the shape (`pattern_of`), `length` its bytes. `first` and `width` say in which bytes of it the
    PARTS stand (width 0: nowhere), `half_at` where the A or P of a twelve-hour clock, `sign_at` where that of an offset
    (−1: nowhere). Microseconds go to `us` when the text is `zoned`, else to `local`, the wall clock.
    """
    for i in range(len(problem)):
        at = offsets[i]
        if problem[i] != INVALID or offsets[i + 1] - at != length:
            continue
        if not _has_shape(data_words, at, pattern):
            continue
        year, month, day = (
            _number(data, at, first, width, 0),
            _number(data, at, first, width, 1),
            _number(data, at, first, width, 2),
        )
        hour, minute, second = (
            _number(data, at, first, width, 3),
            _number(data, at, first, width, 4),
            _number(data, at, first, width, 5),
        )
        if year < years[0] or year > years[1] or month < 1 or month > 12 or day < 1:
            continue
        if day > days_in_month(year, month) or hour > 23 or minute > 59 or second > 59:
            continue
        if half_at >= 0:
            if hour < 1 or hour > 12:
                continue
            hour = hour % 12 + (12 if data[at + half_at] == 80 or data[at + half_at] == 112 else 0)
        value = days_from_civil(year, month, day) * DAY_US + ((hour * 60 + minute) * 60 + second) * 1_000_000
        value += _number(data, at, first, width, 6) * 1_000_000 // 10 ** width[6]
        problem[i] = FINE
        if zoned:
            shift = (
                _number(data, at, first, width, 7) * 60 + _number(data, at, first, width, 8)
            ) * 60_000_000
            us[i] = value + shift if sign_at >= 0 and data[at + sign_at] == 45 else value - shift
        else:
            local[i] = value


@njit(inline="always")
def _has_shape(data_words: NDArray[np.uint64], at: int, pattern: NDArray[np.uint64]) -> bool:
    """Whether a text has the shape of `pattern`, eight bytes at a time.

    After the exclusive or a literal byte must be 0 and a digit 0 to 9: no high half, and none after adding 6.
    """
    wrong = np.uint64(0)
    for k in range(len(pattern)):
        differs = data_words[np.uint64(at) + pattern[k, 0]] ^ pattern[k, 1]
        wrong |= (differs & pattern[k, 2]) | ((differs + SIX) & HIGH)
    return bool(wrong == 0)


@njit(inline="always")
def _number(
    data: NDArray[np.uint8], at: int, first: NDArray[np.int64], width: NDArray[np.int64], part: int
) -> int:
    value = np.int64(0)
    for k in range(first[part], first[part] + width[part]):
        value = value * 10 + np.int64(data[at + k]) - 48
    return int(value)


@njit(cache=True, nogil=True)
def to_utc(
    local: NDArray[np.int64], unknown: int, first_day: int, shifts: NDArray[np.int64], us: NDArray[np.int64]
) -> int:
    """Subtracts the offset of each local day; returns how many lie on a day whose offset is not known (those stay)."""
    left = 0
    for i in range(len(local)):
        if local[i] == unknown:
            continue
        shift = shifts[local[i] // DAY_US - first_day]
        if shift == unknown:
            left += 1
        else:
            us[i] = local[i] - shift
    return left


@njit(cache=True, nogil=True)
def span(local: NDArray[np.int64], unknown: int) -> tuple[int, int]:
    """First and last local day that is met; the last before the first when there is none."""
    first, last = np.int64(2**62), np.int64(-(2**62))
    for i in range(len(local)):
        if local[i] != unknown:
            day = local[i] // DAY_US
            first, last = min(first, day), max(last, day)
    return int(first), int(last)


@njit(cache=True, nogil=True)
def mark_days(local: NDArray[np.int64], unknown: int, first_day: int, seen: NDArray[np.bool_]) -> None:
    """Marks the local days that are met."""
    for i in range(len(local)):
        if local[i] != unknown:
            seen[local[i] // DAY_US - first_day] = True

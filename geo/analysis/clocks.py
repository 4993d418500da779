"""The clock on the wall: how far a city's time is from UTC, and since when, for all cases at once.

The columns hold the opening as seconds (`opened`) and the day of the city's clock (`day`), so the hour of opening needs
no column of its own: seconds + offset − day. The offset is a step function with two steps a year at most; a file of
hours would cost a byte a case to build, map and keep in step, and save some ten milliseconds in ten million cases.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

DAY_S = 86_400


@dataclass(frozen=True, eq=False)
class Clock:
    """From the instant `since_s[i]` (seconds since 1970) on, the clock shows `offset_s[i]` seconds more than UTC."""

    since_s: NDArray[np.int64]
    offset_s: NDArray[np.int64]


@lru_cache(maxsize=16)
def clock(timezone: str, first_s: int, last_s: int) -> Clock:
    """The steps of a time zone between two instants, to the second.

    Every day is looked at once and a day with a change is halved until the second is found; zones change at most once
    a day (IANA time zone database).

    >>> clock("America/New_York", 1_704_067_200, 1_735_689_600).offset_s.tolist()  # the year 2024
    [-18000, -14400, -18000]
    """
    zone = ZoneInfo(timezone)
    since, offsets = [first_s], [_offset(zone, first_s)]
    at = first_s
    while at < last_s:
        following = min(at + DAY_S, last_s)
        offset = _offset(zone, following)
        if offset != offsets[-1]:
            since.append(_change(zone, at, following, offset))
            offsets.append(offset)
        at = following
    return Clock(np.array(since, dtype=np.int64), np.array(offsets, dtype=np.int64))


def _offset(zone: ZoneInfo, instant_s: int) -> int:
    found = dt.datetime.fromtimestamp(instant_s, dt.UTC).astimezone(zone).utcoffset()
    return round(found.total_seconds()) if found is not None else 0


def _change(zone: ZoneInfo, before: int, after: int, offset: int) -> int:
    """The first second at which the clock shows the new offset."""
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(zone, middle) == offset:
            after = middle
        else:
            before = middle
    return after

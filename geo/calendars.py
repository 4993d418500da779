"""Workdays as announced: public holidays and make-up workdays (调休) from `data/calendars`, and which years are known.

A year that was not announced yet is not guessed: `Calendar.missing` names it and `is_workday` refuses.
"""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from geo.errors import RefusedArgument
from geo.settings import reference

SATURDAY = 5


@dataclass(frozen=True)
class Calendar:
    """The announced years of a country: holidays by day (weekends among them too) and weekend days that are worked."""

    country: str
    version: str
    years: tuple[int, ...]
    off: dict[dt.date, str]
    work: frozenset[dt.date]

    def missing(self, first: dt.date, stop: dt.date) -> tuple[int, ...]:
        """The years of a period (first ≤ day < stop) that were not announced.

        >>> calendar().missing(dt.date(2019, 12, 1), dt.date(2020, 2, 1))
        (2019,)
        """
        last = max(first, stop - dt.timedelta(days=1))
        return tuple(year for year in range(first.year, last.year + 1) if year not in self.years)

    def is_workday(self, day: dt.date) -> bool:
        """Whether offices are open on a day. Raises RefusedArgument (`calendar-incomplete`) for a year not announced.

        >>> calendar().is_workday(dt.date(2025, 2, 8)), calendar().is_workday(dt.date(2025, 10, 8))
        (True, False)
        """
        if day.year not in self.years:
            raise RefusedArgument(
                f"日历不完整：{day.year} 年的放假安排尚未收录（已有 {self.years[0]}–{self.years[-1]} 年）。",
                f"Calendar incomplete: {day.year} is not known yet ({self.years[0]} to {self.years[-1]} are).",
                code="calendar-incomplete",
                do_zh="公布后在 data/calendars 中补上该年。",
                do_en="Add the year to data/calendars when it is announced.",
            )
        return day in self.work or (day.weekday() < SATURDAY and day not in self.off)


@lru_cache
def calendar(country: str = "cn") -> Calendar:
    """The calendar of a country, read once."""
    raw = tomllib.loads(reference(f"calendars/{country}.toml").read_text(encoding="utf-8"))
    years = sorted(raw["year"], key=lambda one: one["year"])
    return Calendar(
        raw["country"],
        raw["version"],
        tuple(one["year"] for one in years),
        {day: name for one in years for name, days in one["off"].items() for day in _days(days)},
        frozenset(dt.date.fromisoformat(day) for one in years for day in one["work"]),
    )


def _days(written: str) -> Iterator[dt.date]:
    first, _, last = written.partition("..")
    day, end = dt.date.fromisoformat(first), dt.date.fromisoformat(last or first)
    while day <= end:
        yield day
        day += dt.timedelta(days=1)

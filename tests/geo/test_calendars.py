"""The announced calendar, held against an independent one wherever that knows the year."""

from __future__ import annotations

import datetime as dt
import doctest

import holidays
import pytest

from geo import calendars
from geo.errors import RefusedArgument

CN = calendars.calendar()


@pytest.mark.parametrize("year", CN.years)
def test_every_day_agrees_with_the_package_holidays(year: int) -> None:
    other = holidays.country_holidays("CN", years=range(year - 1, year + 2))
    assert any(day.year == year for day in other.weekend_workdays), "the package does not know this year"
    first = dt.date(year, 1, 1)
    days = [first + dt.timedelta(days=i) for i in range((dt.date(year + 1, 1, 1) - first).days)]
    assert [d for d in days if CN.is_workday(d) != other.is_working_day(d)] == []


def test_make_up_days_are_weekends_and_nothing_is_both() -> None:
    assert all(day.weekday() >= calendars.SATURDAY for day in CN.work)
    assert not CN.work & CN.off.keys()
    assert CN.years == tuple(range(CN.years[0], CN.years[-1] + 1))


def test_a_year_that_was_not_announced_is_said_to_be_missing() -> None:
    assert CN.missing(dt.date(CN.years[-1], 6, 1), dt.date(CN.years[-1] + 1, 1, 1)) == ()
    assert CN.missing(dt.date(CN.years[-1], 6, 1), dt.date(CN.years[-1] + 1, 1, 2)) == (CN.years[-1] + 1,)
    with pytest.raises(RefusedArgument, match="Calendar incomplete") as refused:
        CN.is_workday(dt.date(CN.years[-1] + 1, 3, 1))
    assert refused.value.code == "calendar-incomplete"


def test_the_examples_run() -> None:
    assert doctest.testmod(calendars).failed == 0

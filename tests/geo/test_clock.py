"""Today is the city's day, whatever zone the server's clock stands in."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.attribution import unit_index
from geo.db.clock import city_today
from tests.geo import small_city


@pytest.mark.parametrize(
    "zone", ["Pacific/Kiritimati", "Pacific/Niue"]
)  # 25 hours apart: one differs from UTC
def test_today_is_the_citys(db: Session, zone: str) -> None:
    small_city.city(db, zone)
    before, today, after = (
        dt.datetime.now(ZoneInfo(zone)).date(),
        city_today(db),
        dt.datetime.now(ZoneInfo(zone)).date(),
    )
    assert today in (before, after)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Niue"])
def test_a_unit_retired_today_in_the_city_takes_no_part(db: Session, zone: str) -> None:
    small_city.city(db, zone)
    small_city.units(
        db, {"a": shapely.box(121, 31, 121.01, 31.01), "b": shapely.box(121.01, 31, 121.02, 31.01)}
    )
    retire = text("UPDATE unit SET during = daterange(NULL, CAST(:day AS date)) WHERE code = :code")
    db.execute(retire, {"day": city_today(db), "code": "a"})
    db.execute(retire, {"day": city_today(db) + dt.timedelta(days=1), "code": "b"})
    found = unit_index(db)
    assert found is not None
    assert (
        db.scalar(
            text("SELECT string_agg(code, ',') FROM unit WHERE id = ANY(:ids)"), {"ids": found[1].tolist()}
        )
        == "b"
    )

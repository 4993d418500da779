"""What day it is in the city: the server's clock may stand in another zone."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.orm import Session

DEFAULT_ZONE = "Asia/Shanghai"


def city_zone(session: Session) -> ZoneInfo:
    """The city's zone (Asia/Shanghai when no profile is set)."""
    return ZoneInfo(session.scalar(text("SELECT timezone FROM city")) or DEFAULT_ZONE)


def city_today(session: Session) -> dt.date:
    """Today's date on the city's clock."""
    return dt.datetime.now(city_zone(session)).date()

"""What all tables share: names of constraints, types, and the check that a geometry is sound."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import CheckConstraint, DateTime, MetaData
from sqlalchemy.dialects.postgresql import DATERANGE, JSONB, Range
from sqlalchemy.orm import DeclarativeBase

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

PARTS = ("city", "boundaries", "units", "plans", "drafts", "cases", "facilities", "network", "weights")


class Base(DeclarativeBase):
    """Tables of Wangge."""

    metadata = metadata
    type_annotation_map = {
        dt.datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
        Range[dt.date]: DATERANGE,
    }


def sound(column: str, name: str = "geometry") -> CheckConstraint:
    """CHECK that a geometry is not empty, finite, inside the world and valid.

    PostGIS accepts NaN and overflowed coordinates in WKB and GeoJSON (measured); comparisons with NaN are false for
    `<=` against a finite bound (PostgreSQL sorts NaN above everything), so the box test refuses both.
    """
    box = " AND ".join(
        f"ST_{side}({column}) {op} {bound}"
        for side, op, bound in (
            ("XMin", ">=", -180),
            ("XMax", "<=", 180),
            ("YMin", ">=", -90),
            ("YMax", "<=", 90),
        )
    )
    return CheckConstraint(f"NOT ST_IsEmpty({column}) AND {box} AND ST_IsValid({column})", name=name)


def sound_point(column: str, name: str = "geometry") -> CheckConstraint:
    """The same for a point, in the cheapest form that PostgreSQL evaluates while copying millions of rows."""
    return CheckConstraint(
        f"{column} IS NULL OR (abs(ST_X({column})) <= 180 AND abs(ST_Y({column})) <= 90) IS TRUE",
        name=name,
    )

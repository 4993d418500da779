"""What happens and what stands in the city: sources, their categories, cases, facilities."""

from __future__ import annotations

import datetime as dt
from typing import Any

from geoalchemy2 import Geometry
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import Mapped, mapped_column

from geo.db.tables.base import Base, sound, sound_point


class Catalogue(Base):
    """A list of categories. An open one grows with its source's own words; a closed one rejects unknown words."""

    __tablename__ = "catalogue"

    id: Mapped[int] = mapped_column(SmallInteger, Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    open: Mapped[bool] = mapped_column(server_default=text("true"))


class Category(Base):
    """大类 (parent null) or 小类 of a catalogue, dated; `minutes` is the usual handling time of one case."""

    __tablename__ = "category"
    __table_args__ = (
        UniqueConstraint("catalogue_id", "parent_id", "code", postgresql_nulls_not_distinct=True),
    )

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    catalogue_id: Mapped[int] = mapped_column(ForeignKey("catalogue.id"))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("category.id"))
    code: Mapped[str] = mapped_column(Text(collation="C"))
    name: Mapped[str]
    name_en: Mapped[str | None]
    minutes: Mapped[float] = mapped_column(Double, server_default=text("30"))
    sensitive: Mapped[bool] = mapped_column(server_default=text("false"))  # k >= 10 for the public
    during: Mapped[Range[dt.date]] = mapped_column(server_default=text("'(,)'::daterange"))


class Source(Base):
    """Who delivers: a hotline, a patrol system, an open-data portal; its clock and its catalogue."""

    __tablename__ = "source"

    id: Mapped[int] = mapped_column(SmallInteger, Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    timezone: Mapped[str | None]
    catalogue_id: Mapped[int] = mapped_column(ForeignKey("catalogue.id"))


CASE_IDS = 1_000  # a load takes case ids by blocks of this size, instead of asking for each


class Case(Base):
    """案件: something that happened at a place and must be handled. One partition per source (`cases_<source_id>`).

    geom null = *unplaced*; geom without unit_id = *outside* every unit (or no units yet). Attributes hold what the
    source knew beside this, never personal columns; `description` is masked and leaves only for staff.
    status 0 open, 1 closed, 2 void · origin 0 unknown, 1 citizen, 2 patrol, 3 sensor, 4 other · urgency 1 (highest) to 4.
    """

    __tablename__ = "cases"
    __table_args__ = (
        UniqueConstraint(
            "source_case_id", "source_id"
        ),  # what differs first: in a partition the source is one
        sound_point("geom"),
        CheckConstraint("closed_at >= opened_at", name="closed"),
        CheckConstraint("status BETWEEN 0 AND 2", name="status"),
        CheckConstraint("origin BETWEEN 0 AND 4", name="origin"),
        CheckConstraint("urgency BETWEEN 1 AND 4", name="urgency"),
        CheckConstraint("opened_at BETWEEN '1900-01-01Z' AND '2200-01-01Z'", name="opened"),
        {"postgresql_partition_by": "LIST (source_id)"},
    )

    source_id: Mapped[int] = mapped_column(SmallInteger, ForeignKey("source.id"), primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, Identity(increment=CASE_IDS), primary_key=True)
    source_case_id: Mapped[str] = mapped_column(Text(collation="C"))
    opened_at: Mapped[dt.datetime]
    closed_at: Mapped[dt.datetime | None]
    due_at: Mapped[dt.datetime | None]
    dispatched_at: Mapped[dt.datetime | None]
    category_id: Mapped[int] = mapped_column(ForeignKey("category.id"))
    status: Mapped[int] = mapped_column(SmallInteger)
    origin: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    urgency: Mapped[int | None] = mapped_column(SmallInteger)
    satisfied: Mapped[bool | None]
    flags: Mapped[int] = mapped_column(
        SmallInteger, server_default=text("0")
    )  # 1 closed_at dropped, 2 time moved over a DST gap
    responsible_body: Mapped[str | None]
    repeat_of: Mapped[str | None]
    description: Mapped[str | None]
    attributes: Mapped[dict[str, Any] | None]
    row_hash: Mapped[bytes] = mapped_column(
        LargeBinary
    )  # 16 bytes over the cleaned row: equal means unchanged
    geom: Mapped[Any | None] = mapped_column(Geometry("POINT", 4326, spatial_index=False))
    unit_id: Mapped[int | None] = mapped_column(Integer)  # set by attribution; units are never deleted
    load_run_id: Mapped[int] = mapped_column(ForeignKey("load_run.id"))


class Facility(Base):
    """设施: a service point or asset with a place, a kind and a capacity."""

    __tablename__ = "facility"
    __table_args__ = (
        UniqueConstraint("source", "source_facility_id"),
        sound("geom"),
        sound_point("point", "point"),
        CheckConstraint("capacity >= 0 AND capacity < 'Infinity'", name="capacity"),
        Index("ix_facility_point", "point", postgresql_using="gist"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    load_run_id: Mapped[int] = mapped_column(ForeignKey("load_run.id"))
    source: Mapped[str]  # the kind's file family: by default the kind
    source_facility_id: Mapped[str]
    kind: Mapped[str] = mapped_column(index=True)
    name: Mapped[str | None]
    capacity: Mapped[float | None] = mapped_column(Double)
    row_hash: Mapped[bytes] = mapped_column(LargeBinary)
    geom: Mapped[Any | None] = mapped_column(Geometry("GEOMETRY", 4326, spatial_index=False))  # as delivered
    point: Mapped[Any | None] = mapped_column(
        Geometry("POINT", 4326, spatial_index=False)
    )  # inside geom; null = unplaced
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    attributes: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))

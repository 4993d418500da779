"""The city, its dated boundaries, what lies on its ground, and the units it is cut into."""

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
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column

from geo.db.tables.base import Base, sound


class City(Base):
    """The one city of this database: its name, its clock, how its grid codes are made."""

    __tablename__ = "city"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, server_default=text("1"))
    name: Mapped[str]
    timezone: Mapped[str] = mapped_column(server_default="Asia/Shanghai")
    code_template: Mapped[str] = mapped_column(server_default="beijing-15")
    synthetic: Mapped[bool] = mapped_column(server_default=text("false"))
    nesting_level: Mapped[str] = mapped_column(server_default="community")
    attributes: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))


class Level(Base):
    """A kind of boundary: an administrative rank (city 1, district 2, street 3, community 4) or a free overlay (rank null)."""

    __tablename__ = "level"

    id: Mapped[int] = mapped_column(SmallInteger, Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    rank: Mapped[int | None] = mapped_column(SmallInteger, unique=True)


class Edition(Base):
    """All boundaries of one level as they hold over `during` (half-open dates; the first edition since ever)."""

    __tablename__ = "edition"
    __table_args__ = (
        ExcludeConstraint(("level_id", "="), ("during", "&&"), using="gist", name="ex_edition_level_during"),
        CheckConstraint("NOT isempty(during)", name="during"),
    )

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    level_id: Mapped[int] = mapped_column(ForeignKey("level.id"))
    load_run_id: Mapped[int | None] = mapped_column(ForeignKey("load_run.id"))
    during: Mapped[Range[dt.date]]
    measuring_crs: Mapped[str]  # the projected CRS its areas were measured in, EPSG:n


class Boundary(Base):
    """One area of an edition: a district, a community, a ward."""

    __tablename__ = "boundary"
    __table_args__ = (
        UniqueConstraint("edition_id", "code"),
        sound("geom"),
        CheckConstraint("area_m2 > 0", name="area"),
        Index("ix_boundary_geom", "geom", postgresql_using="gist"),
    )

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    edition_id: Mapped[int] = mapped_column(ForeignKey("edition.id", ondelete="CASCADE"))
    code: Mapped[str] = mapped_column(Text(collation="C"))
    name: Mapped[str]
    parent_code: Mapped[str | None]  # the code of the area one administrative rank up, where known
    geom: Mapped[Any] = mapped_column(Geometry("MULTIPOLYGON", 4326, spatial_index=False))
    area_m2: Mapped[float] = mapped_column(Double)
    attributes: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))


class Way(Base):
    """A road, rail, water, bridge or path, for barriers, walking and drawing the map."""

    __tablename__ = "way"
    __table_args__ = (
        UniqueConstraint("source", "source_way_id"),
        sound("geom"),
        CheckConstraint("class IN ('road', 'rail', 'water', 'bridge', 'path')", name="class"),
        Index("ix_way_geom", "geom", postgresql_using="gist"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    load_run_id: Mapped[int] = mapped_column(ForeignKey("load_run.id"))
    source: Mapped[str]
    source_way_id: Mapped[str]
    class_: Mapped[str] = mapped_column("class")
    kind: Mapped[str | None]  # the source's own word: primary, residential, river, tram …
    name: Mapped[str | None]
    barrier: Mapped[bool] = mapped_column(
        server_default=text("false")
    )  # rail, water, main road: cuts units and walking
    geom: Mapped[Any] = mapped_column(
        Geometry("GEOMETRY", 4326, spatial_index=False)
    )  # LineString or (water) Polygon


class Unit(Base):
    """单元网格: an indivisible piece of ground inside one area of the nesting level. Never redrawn, only cut or retired."""

    __tablename__ = "unit"
    __table_args__ = (
        sound("geom"),
        CheckConstraint("area_m2 > 0", name="area"),
        CheckConstraint("NOT isempty(during)", name="during"),
        Index("ix_unit_geom", "geom", postgresql_using="gist"),
    )

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    code: Mapped[str] = mapped_column(Text(collation="C"), unique=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))  # the unit it was cut from
    load_run_id: Mapped[int | None] = mapped_column(ForeignKey("load_run.id"))
    during: Mapped[Range[dt.date]] = mapped_column(server_default=text("'(,)'::daterange"))
    geom: Mapped[Any] = mapped_column(Geometry("MULTIPOLYGON", 4326, spatial_index=False))
    point: Mapped[Any] = mapped_column(
        Geometry("POINT", 4326, spatial_index=False)
    )  # a point inside, for labels
    area_m2: Mapped[float] = mapped_column(Double)
    perimeter_m: Mapped[float] = mapped_column(Double)
    built_up: Mapped[bool] = mapped_column(server_default=text("true"))


class UnitArea(Base):
    """Which area of an edition a unit belongs to: dated nesting, exactly as plan → grid is."""

    __tablename__ = "unit_area"

    edition_id: Mapped[int] = mapped_column(ForeignKey("edition.id", ondelete="CASCADE"), primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), primary_key=True)
    boundary_id: Mapped[int] = mapped_column(ForeignKey("boundary.id"), index=True)


class UnitBorder(Base):
    """Two units that share a border: its length and whether people can walk across (no barrier, or a crossing)."""

    __tablename__ = "unit_border"
    __table_args__ = (CheckConstraint("unit_a < unit_b AND length_m > 0", name="ordered"),)

    unit_a: Mapped[int] = mapped_column(ForeignKey("unit.id"), primary_key=True)
    unit_b: Mapped[int] = mapped_column(ForeignKey("unit.id"), primary_key=True)
    length_m: Mapped[float] = mapped_column(Double)
    walkable: Mapped[bool]


class Weight(Base):
    """A number per unit and column: households, people, dwellings … (counts of things, never of named persons)."""

    __tablename__ = "weight"
    __table_args__ = (CheckConstraint("value >= 0 AND value < 'Infinity'", name="value"),)

    column: Mapped[str] = mapped_column(primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), primary_key=True)
    value: Mapped[float] = mapped_column(Double)
    load_run_id: Mapped[int] = mapped_column(ForeignKey("load_run.id"))


Index("ix_unit_parent", Unit.parent_id, postgresql_where=text("parent_id IS NOT NULL"))
Index("ix_edition_level", Edition.level_id)

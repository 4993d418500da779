"""The one schema, read from top to bottom as a story.

A **city** has **levels** of boundaries; each level holds dated **editions** of **boundary** areas. Ground inside the
nesting level is cut once into **units**; a **plan** gives every unit a **grid**. **Sources** deliver **cases** (placed in
a unit once) and **facilities**; **ways** are roads, rails and waters. Every file is one **load_run** with its **rejects**.

Geometry is stored in EPSG:4326 (longitude, latitude) and every geometry column is checked: valid, finite, not empty.
Areas are m², lengths m, measured in the CRS named beside them. No table describes a resident, household or worker.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from geoalchemy2 import Geometry
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import DATERANGE, JSONB, ExcludeConstraint, Range
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

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


# ── The city and its boundaries ─────────────────────────────────────────────────────────────────────────────────────


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


class DataVersion(Base):
    """A counter per part of the data, raised in the transaction that changes it: caches compare it, never guess."""

    __tablename__ = "data_version"

    part: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    changed_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())


class LoadRun(Base):
    """One file loaded once, or one build: what was read, how, and what became of every row.

    rows_in = added + updated + unchanged + duplicate + rejected, always.
    """

    __tablename__ = "load_run"
    __table_args__ = (
        CheckConstraint(
            "rows_in = rows_added + rows_updated + rows_unchanged + rows_duplicate + rows_rejected",
            name="row_law",
        ),
    )

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    kind: Mapped[str]  # boundaries, cases, facilities, network, weights, plan, units
    source: Mapped[str]  # the source, level, kind or plan name the file was loaded as
    file_name: Mapped[str]
    content_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    options: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    layout: Mapped[dict[str, Any]] = mapped_column(
        server_default=text("'{}'::jsonb")
    )  # field -> column that was chosen
    crs: Mapped[str | None]  # declared or chosen: EPSG:n, gcj02, bd09
    encoding: Mapped[str | None]
    rows_in: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    rows_added: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    rows_updated: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    rows_unchanged: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    rows_duplicate: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    rows_rejected: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    rows_unplaced: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    rejects_by_code: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    warnings: Mapped[list[Any]] = mapped_column(
        server_default=text("'[]'::jsonb")
    )  # [{code, count, rows[], zh, en}]
    personal_columns: Mapped[dict[str, Any]] = mapped_column(
        server_default=text("'{}'::jsonb")
    )  # name -> values dropped
    report: Mapped[dict[str, Any]] = mapped_column(
        server_default=text("'{}'::jsonb")
    )  # evidence, repairs, overlaps, gaps
    started_at: Mapped[dt.datetime]
    finished_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())


class Reject(Base):
    """A row that was not loaded, and why; `original` lets the row be corrected and loaded again (no personal columns)."""

    __tablename__ = "reject"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    load_run_id: Mapped[int] = mapped_column(ForeignKey("load_run.id", ondelete="CASCADE"), index=True)
    row: Mapped[int] = mapped_column(
        BigInteger
    )  # physical line in a text file, feature number (from 1) elsewhere
    column: Mapped[str | None]
    value: Mapped[str | None] = mapped_column(String(80))
    code: Mapped[str]
    why_zh: Mapped[str]
    why_en: Mapped[str]
    do_zh: Mapped[str] = mapped_column(server_default="")
    do_en: Mapped[str] = mapped_column(server_default="")
    original: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))


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


# ── Ground: ways, units and their weights ───────────────────────────────────────────────────────────────────────────


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


# ── Plans: unit → grid, dated ───────────────────────────────────────────────────────────────────────────────────────


class Plan(Base):
    """A complete partition of the units into grids. From the first approved date on, exactly one approved plan holds."""

    __tablename__ = "plan"
    __table_args__ = (
        CheckConstraint("state IN ('draft', 'approved', 'withdrawn')", name="state"),
        CheckConstraint("nesting IN ('strict', 'soft', 'free')", name="nesting"),
        CheckConstraint("(state = 'approved') = (during IS NOT NULL)", name="dated"),
        CheckConstraint("during IS NULL OR (NOT isempty(during) AND NOT lower_inf(during))", name="during"),
        ExcludeConstraint(
            ("city_id", "="),
            ("during", "&&"),
            using="gist",
            where=text("state = 'approved'"),
            name="ex_plan_city_during",
        ),
    )

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    city_id: Mapped[int] = mapped_column(ForeignKey("city.id"), server_default=text("1"))
    name: Mapped[str] = mapped_column(unique=True)
    state: Mapped[str] = mapped_column(server_default="draft")
    nesting: Mapped[str] = mapped_column(server_default="strict")
    during: Mapped[Range[dt.date] | None] = mapped_column(DATERANGE)
    revision: Mapped[int] = mapped_column(server_default=text("0"))
    origin: Mapped[str] = mapped_column(
        server_default="proposed"
    )  # proposed, imported, copied, overlaid, rebalanced …
    based_on_id: Mapped[int | None] = mapped_column(ForeignKey("plan.id"))
    load_run_id: Mapped[int | None] = mapped_column(ForeignKey("load_run.id"))
    settings: Mapped[dict[str, Any]] = mapped_column(
        server_default=text("'{}'::jsonb")
    )  # how it was proposed
    author: Mapped[str] = mapped_column(server_default="operator")
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    approved_at: Mapped[dt.datetime | None]
    approved_by: Mapped[str | None]
    bands: Mapped[dict[str, Any]] = mapped_column(
        server_default=text("'{}'::jsonb")
    )  # what a grid may hold: {column: [least, most]}, thinness, near_line_m


class Grid(Base):
    """综合网格: a contiguous set of units of one plan, looked after by one post. `geom` is the union of its units.

    A grid of a draft may be empty for a while (merged away, or just made): then `geom` is null and its area 0.
    """

    __tablename__ = "grid"
    __table_args__ = (
        UniqueConstraint("plan_id", "code"),
        UniqueConstraint("plan_id", "id"),
        sound("geom"),
        CheckConstraint("posts > 0 AND posts < 'Infinity'", name="posts"),
        Index("ix_grid_geom", "geom", postgresql_using="gist"),
    )

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("plan.id", ondelete="CASCADE"))
    code: Mapped[str] = mapped_column(Text(collation="C"))
    name: Mapped[str]
    area_code: Mapped[str | None]  # the nesting area that holds most of it
    geom: Mapped[Any | None] = mapped_column(Geometry("MULTIPOLYGON", 4326, spatial_index=False))
    area_m2: Mapped[float] = mapped_column(Double)
    perimeter_m: Mapped[float] = mapped_column(Double)
    posts: Mapped[float] = mapped_column(
        Double, server_default=text("1")
    )  # 岗: staffed positions; a grid's fair load is in proportion to them
    locked: Mapped[bool] = mapped_column(
        server_default=text("false")
    )  # no search and no edit changes its ground


class PlanUnit(Base):
    """unit → grid in a plan, append-only: the row with the highest revision holds; grid null leaves the unit open."""

    __tablename__ = "plan_unit"

    plan_id: Mapped[int] = mapped_column(ForeignKey("plan.id", ondelete="CASCADE"), primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True, server_default=text("0"))
    grid_id: Mapped[int | None] = mapped_column(ForeignKey("grid.id"))


class PlanEdit(Base):
    """One act of a planner on a draft, append-only: the rows of `plan_unit` with this revision are what it changed.

    Undo and redo are acts too (`undoes` names the revision they take back), so nothing is ever lost.
    """

    __tablename__ = "plan_edit"
    __table_args__ = (UniqueConstraint("plan_id", "revision"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("plan.id", ondelete="CASCADE"))
    revision: Mapped[int]  # of the plan after this act
    act: Mapped[str]  # assign, split, merge, fix, rebalance, lock, posts, rename, undo, redo …
    undoes: Mapped[int | None]
    what: Mapped[dict[str, Any]] = mapped_column(
        server_default=text("'{}'::jsonb")
    )  # its parameters, and what it changed beside units
    author: Mapped[str]
    at: Mapped[dt.datetime] = mapped_column(server_default=func.now())


class PlanHand(Base):
    """Somebody whose work a draft took over when it was made of another draft (copied, carried over, merged): they may
    not approve it, as little as those who changed it itself."""

    __tablename__ = "plan_hand"

    plan_id: Mapped[int] = mapped_column(ForeignKey("plan.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)


class PlanException(Base):
    """A rule that a plan may break when it is approved: which, where, why, and who allowed it."""

    __tablename__ = "plan_exception"
    __table_args__ = (
        UniqueConstraint("plan_id", "rule", "grid_code", postgresql_nulls_not_distinct=True),
        CheckConstraint("length(btrim(reason)) > 0", name="reason"),
    )

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("plan.id", ondelete="CASCADE"))
    rule: Mapped[str]  # the violation's code
    grid_code: Mapped[str | None] = mapped_column(Text(collation="C"))  # null: the whole plan
    reason: Mapped[str]
    author: Mapped[str]
    at: Mapped[dt.datetime] = mapped_column(server_default=func.now())


class PlanLineage(Base):
    """What became of each grid when a plan was approved: the ground, households and cases it passed on, and to whom."""

    __tablename__ = "plan_lineage"
    __table_args__ = (
        UniqueConstraint("plan_id", "grid_before", "grid_after"),
        CheckConstraint("kind IN ('kept', 'shifted', 'split', 'merged', 'new', 'ended')", name="kind"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("plan.id", ondelete="CASCADE"))  # the later plan
    before_plan_id: Mapped[int] = mapped_column(ForeignKey("plan.id"))
    grid_before: Mapped[str] = mapped_column(Text(collation="C"))  # empty: new ground
    grid_after: Mapped[str] = mapped_column(Text(collation="C"))  # empty: ground that ended
    kind: Mapped[str]
    area_m2: Mapped[float] = mapped_column(Double)
    area_share: Mapped[float] = mapped_column(Double)  # of the earlier grid, 0–1
    households_share: Mapped[float | None] = mapped_column(Double)
    cases_share: Mapped[float | None] = mapped_column(Double)


class PlanComment(Base):
    """A remark on a draft, on one of its grids or on an earlier remark; masked like all free text."""

    __tablename__ = "plan_comment"
    __table_args__ = (CheckConstraint("length(btrim(body)) BETWEEN 1 AND 2000", name="body"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("plan.id", ondelete="CASCADE"), index=True)
    grid_code: Mapped[str | None] = mapped_column(Text(collation="C"))
    answers_id: Mapped[int | None] = mapped_column(ForeignKey("plan_comment.id", ondelete="CASCADE"))
    body: Mapped[str]
    author: Mapped[str]
    revision: Mapped[int]  # of the plan when it was written
    at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    hidden_at: Mapped[dt.datetime | None]


class Consultation(Base):
    """A draft that the public may look at until a day (included, on the city's clock): somebody opened it."""

    __tablename__ = "consultation"

    plan_id: Mapped[int] = mapped_column(ForeignKey("plan.id", ondelete="CASCADE"), primary_key=True)
    last_day: Mapped[dt.date]
    opened_by: Mapped[str]
    opened_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    closed_at: Mapped[dt.datetime | None]  # before its day, by an act


class PublicRemark(Base):
    """What somebody from the public wrote about a draft that is open to it: masked, without a name, held until released."""

    __tablename__ = "public_remark"
    __table_args__ = (
        CheckConstraint("length(btrim(body)) BETWEEN 1 AND 1000", name="body"),
        CheckConstraint("state IN ('held', 'released', 'refused')", name="state"),
        CheckConstraint("length(btrim(answer)) BETWEEN 1 AND 2000", name="answer"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    plan_id: Mapped[int] = mapped_column(ForeignKey("plan.id", ondelete="CASCADE"), index=True)
    grid_code: Mapped[str | None] = mapped_column(Text(collation="C"))
    body: Mapped[str]
    revision: Mapped[int]  # of the plan when it was written
    at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    state: Mapped[str] = mapped_column(server_default="held")
    decided_by: Mapped[str | None]
    decided_at: Mapped[dt.datetime | None]
    answer: Mapped[str | None]  # a planner's, masked
    answered_by: Mapped[str | None]
    answered_at: Mapped[dt.datetime | None]


# ── What happens: sources, categories, cases ────────────────────────────────────────────────────────────────────────


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


# ── Work that takes longer than a request ───────────────────────────────────────────────────────────────────────────


class Job(Base):
    """A piece of long work: asked for in one transaction, done by a worker process, watched and cancelled meanwhile."""

    __tablename__ = "job"
    __table_args__ = (
        CheckConstraint("state IN ('queued', 'running', 'done', 'failed', 'cancelled')", name="state"),
        Index("ix_job_queued", "id", postgresql_where=text("state IN ('queued', 'running')")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    kind: Mapped[str]
    params: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    state: Mapped[str] = mapped_column(server_default="queued")
    stage: Mapped[str] = mapped_column(server_default="")
    done: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    total: Mapped[int | None] = mapped_column(BigInteger)
    result: Mapped[dict[str, Any] | None]
    problem: Mapped[dict[str, Any] | None]  # code, zh, en, do_zh, do_en, field
    author: Mapped[str]
    tries: Mapped[int] = mapped_column(server_default=text("0"))
    asked_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[dt.datetime | None]
    finished_at: Mapped[dt.datetime | None]
    seen_at: Mapped[dt.datetime | None]  # last sign of life of its worker
    cancel_asked_at: Mapped[dt.datetime | None]


class Answered(Base):
    """What a request with an Idempotency-Key was answered, written in the transaction of its effect; kept for a day."""

    __tablename__ = "answered"

    key_sha256: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)  # of principal, route and key
    request_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int] = mapped_column(SmallInteger)
    headers: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    body: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[dt.datetime] = mapped_column(server_default=func.now(), index=True)


# ── Who may look, and what left the house ───────────────────────────────────────────────────────────────────────────


class AppUser(Base):
    """An account of this service. A worker or a supervisor is bound to one boundary (`area_level`, `area_code`); a
    planner and an admin see the whole city. `password_hash` is argon2id, null where only tokens or OIDC are used."""

    __tablename__ = "app_user"
    __table_args__ = (
        CheckConstraint("role IN ('public', 'worker', 'supervisor', 'planner', 'admin')", name="role"),
        CheckConstraint("(area_level IS NULL) = (area_code IS NULL)", name="area"),
        CheckConstraint("(role IN ('worker', 'supervisor')) OR area_level IS NULL", name="area_of_role"),
    )

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str] = mapped_column(server_default="admin")
    area_level: Mapped[str | None]
    area_code: Mapped[str | None] = mapped_column(Text(collation="C"))
    password_hash: Mapped[str | None]
    password_at: Mapped[dt.datetime | None]  # when it was last set
    oidc_subject: Mapped[str | None] = mapped_column(unique=True)
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    disabled_at: Mapped[dt.datetime | None]


class Token(Base):
    """A bearer token, stored as SHA-256 only and shown once; a browser session is a token with `session` true."""

    __tablename__ = "token"

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id", ondelete="CASCADE"))
    parent_id: Mapped[int | None] = mapped_column(
        ForeignKey("token.id", ondelete="CASCADE")
    )  # the token a session came from
    sha256: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    session: Mapped[bool] = mapped_column(server_default=text("false"))
    label: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[dt.datetime]  # absolute
    seen_at: Mapped[
        dt.datetime | None
    ]  # a session's last sign of life, about once a minute: it ends when idle
    revoked_at: Mapped[dt.datetime | None]


class Device(Base):
    """A browser in which an account signed in before, by the hash of its cookie: strangers' wrong passwords are counted
    apart from its own, so that they cannot keep the owner out."""

    __tablename__ = "device"

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("app_user.id", ondelete="CASCADE"))
    sha256: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    seen_at: Mapped[dt.datetime] = mapped_column(server_default=func.now())


class Attempt(Base):
    """How often something (a sign-in, a heavy request) was tried under one key in one window: a limit that all workers share.

    The key is a digest, never an address; rows live for minutes.
    """

    __tablename__ = "attempt"
    __table_args__ = {"prefixes": ["UNLOGGED"]}

    key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    window_start: Mapped[dt.datetime] = mapped_column(primary_key=True)
    n: Mapped[int]


class Audit(Base):
    """What was done, by whom, when: loads, approvals, exports with rows and k. Append-only for the application role.

    Rows are chained: when the transaction commits, a deferred trigger numbers the row and hashes it with the hash of
    the row before (`geo/db/audit.py` verifies), so that nothing can be altered, left out or put in between unseen.
    """

    __tablename__ = "audit"
    __table_args__ = (UniqueConstraint("seq"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[dt.datetime] = mapped_column(server_default=func.now())
    who: Mapped[str]
    act: Mapped[str]
    what: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    seq: Mapped[int | None] = mapped_column(BigInteger)  # 1, 2, 3 … without gaps, given at commit
    sha256: Mapped[bytes | None] = mapped_column(LargeBinary)  # of the row before and of this row


Index("ix_audit_at", Audit.at)
Index("ix_audit_who", Audit.who, Audit.id)
Index("ix_token_user", Token.user_id)
Index("ix_device_user", Device.user_id)
Index("ix_load_run_kind", LoadRun.kind, LoadRun.source)
Index("ix_plan_unit_grid", PlanUnit.grid_id)
Index("ix_plan_unit_edited", PlanUnit.plan_id, PlanUnit.revision, postgresql_where=text("revision > 0"))
Index("ix_unit_parent", Unit.parent_id, postgresql_where=text("parent_id IS NOT NULL"))
Index("ix_edition_level", Edition.level_id)

"""Plans: who looks after which ground from when on, every edit of a draft, and what became of the grids."""

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
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import DATERANGE, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column

from geo.db.tables.base import Base, sound


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


Index("ix_plan_unit_grid", PlanUnit.grid_id)
Index("ix_plan_unit_edited", PlanUnit.plan_id, PlanUnit.revision, postgresql_where=text("revision > 0"))

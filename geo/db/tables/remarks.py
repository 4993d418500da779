"""What colleagues and, where a draft is opened to it, the public say about a plan."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from geo.db.tables.base import Base


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

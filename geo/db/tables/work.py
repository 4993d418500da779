"""Work that takes longer than a request, and answers that must not be given twice."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, LargeBinary, SmallInteger, func, text
from sqlalchemy.orm import Mapped, mapped_column

from geo.db.tables.base import Base


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

"""Every file that was loaded, each row that was not, and the version of the data that came of it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    String,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from geo.db.tables.base import Base


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


Index("ix_load_run_kind", LoadRun.kind, LoadRun.source)

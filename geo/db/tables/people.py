"""Accounts, how they are known, how often they asked, and what they did."""

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
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from geo.db.tables.base import Base


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

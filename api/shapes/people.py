"""Who somebody is, accounts, and what was done by whom."""

from __future__ import annotations

import datetime as dt
from typing import Any

from api.shapes.shape import Shape, absent
from api.shapes.words import AreaTold, Role


class Who(Shape):
    """Who the service takes the caller for; `oidc` is what the button of the single sign-on says, null without one."""

    role: Role
    area: AreaTold | None
    name: str | None
    expires_at: dt.datetime | None
    oidc: str | None


class TokenTold(Shape):
    """A live token; its secret is kept nowhere."""

    id: int
    label: str
    created_at: dt.datetime
    expires_at: dt.datetime
    seen_at: dt.datetime | None


class User(Shape):
    """An account. `password`, `oidc`: whether it has one; `sessions`: how many are open.

    `password_made` stands once in the answer to what set a password: the one that was made, or null.
    """

    name: str
    role: Role
    area: AreaTold | None
    password: bool
    oidc: bool
    created_at: dt.datetime
    disabled_at: dt.datetime | None
    seen_at: dt.datetime | None
    sessions: int
    tokens: list[TokenTold]
    password_made: str | None = absent()


class Users(Shape):
    """`/api/users`."""

    users: list[User]


class TokenIssued(Shape):
    """A new token with its secret, this once."""

    token: str
    id: int
    label: str
    expires_at: dt.datetime


class Act(Shape):
    """One row of the audit; `seq` is its number in the chain, null until it is chained."""

    id: int
    seq: int | None
    at: dt.datetime
    who: str
    act: str
    what: dict[str, Any]


class Acts(Shape):
    """A page of acts, the latest first; `people` are all who ever did something."""

    acts: list[Act]
    people: list[str]
    next: int | None


class BadRow(Shape):
    """The first row that is not as it was written."""

    seq: int
    id: int | None
    kind: str
    zh: str
    en: str


class Chain(Shape):
    """Whether the record is whole: rows, the head of the chain, seals that agree with it."""

    rows: int
    head: str
    seals: int
    first_bad: BadRow | None

"""`/api/users`: accounts, their roles, areas, passwords and tokens. Admins only.

A password that was made and a new token stand in the answer once and are kept nowhere; these routes therefore keep no
answers under an `Idempotency-Key`.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field
from sqlalchemy.orm import Session

from api import accounts, answers, auth, tokens
from api.dependencies import ThePrincipal, TheService
from api.schemas import Given, Plain
from api.shapes import people as promised

router = APIRouter(prefix="/api/users", tags=["users"])
Code = Annotated[str, Field(min_length=1, max_length=100)]
Secret = Annotated[str, Field(min_length=1, max_length=400)]


class AreaOf(Given):
    """A boundary that a worker or a supervisor answers for."""

    level: Code
    code: Code


class NewUser(Given):
    """A new account; without `password` one is made, with `password: false` there is none (tokens or OIDC only)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"name": "李明", "role": "supervisor", "area": {"level": "street", "code": "110101001"}}
            ]
        }
    )

    name: Annotated[str, Field(min_length=1, max_length=100)]
    role: auth.Role
    area: AreaOf | None = None
    password: Secret | bool = True
    oidc_subject: Annotated[str, Field(min_length=1, max_length=255)] | None = None


class Changes(Given):
    """What is to be changed; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"role": "planner"}, {"disabled": True}]})

    role: auth.Role | None = None
    area: AreaOf | None = None
    disabled: bool | None = None
    oidc_subject: Annotated[str, Field(max_length=255)] | None = Field(None, description="'' unlinks")


class PasswordOf(Given):
    """A new password; without one it is made."""

    password: Secret | None = None


class NewToken(Given):
    """How long a token lives and what it is for."""

    days: int = Field(90, ge=1, le=tokens.LONGEST_DAYS)
    label: Annotated[str, Field(max_length=100)] = ""


@router.get("", summary="Accounts", response_model=promised.Users)
def users(_: Annotated[Plain, Query()], service: TheService) -> answers.Answer:
    """Every account with role, area, state, when it was last seen, and its live tokens (never a secret)."""
    with service.session() as session:
        return answers.json({"users": _listed(session)})


@router.post("", summary="A new account", response_model=promised.User, status_code=201)
def add(
    _: Annotated[Plain, Query()], given: NewUser, service: TheService, principal: ThePrincipal
) -> answers.Answer:
    """The answer holds a password that was made, this once."""
    made = auth.make_password() if given.password is True else None
    password = given.password if isinstance(given.password, str) else made
    with service.session() as session:
        auth.add_user(
            session, given.name, _by(principal), role=given.role, area=_area(given.area), password=password,
            oidc_subject=given.oidc_subject,
        )  # fmt: skip
        found = _one(session, accounts.plain_name(given.name))
    return answers.json({**found, "password_made": made}, status=201)


@router.patch("/{name}", summary="Role, area, state of an account", response_model=promised.User)
def change(
    _: Annotated[Plain, Query()], name: str, given: Changes, service: TheService, principal: ThePrincipal
) -> answers.Answer:
    """A new role or area holds for what is signed in already; a disabled account's tokens and sessions end."""
    wanted = auth.Change(given.role, _area(given.area), given.disabled, given.oidc_subject)
    with service.session() as session:
        auth.change_user(session, name, wanted, _by(principal))
        found = _one(session, name)
    service.principals.clear()
    return answers.json(found)


@router.post("/{name}/password", summary="Set a password", response_model=promised.User)
def set_password(
    _: Annotated[Plain, Query()], name: str, given: PasswordOf, service: TheService, principal: ThePrincipal
) -> answers.Answer:
    """Ends the account's sessions (one's own present one stays). The answer holds a password that was made, this once."""
    mine = principal.token_id if principal.by == "cookie" and principal.name == name else None
    with service.session() as session:
        chosen = auth.set_password(session, name, given.password, _by(principal), keep_session=mine)
        found = _one(session, name)
    service.principals.clear()
    return answers.json({**found, "password_made": chosen if given.password is None else None})


@router.post("/{name}/tokens", summary="Issue a token", response_model=promised.TokenIssued, status_code=201)
def issue(
    _: Annotated[Plain, Query()], name: str, given: NewToken, service: TheService, principal: ThePrincipal
) -> answers.Answer:
    """The secret stands in the answer, this once."""
    with service.session() as session:
        secret, row = auth.issue_token(session, name, days=given.days, label=given.label, by=_by(principal))
        made = {"token": secret, "id": row.id, "label": row.label, "expires_at": row.expires_at}
    return answers.json(made, status=201)


@router.delete("/{name}/tokens/{id}", summary="Revoke a token", response_model=promised.User)
def revoke(
    _: Annotated[Plain, Query()], name: str, id: str, service: TheService, principal: ThePrincipal
) -> answers.Answer:
    """Ends the token and the sessions made from it."""
    number = int(id) if id.isascii() and id.isdecimal() and len(id) <= 9 else 0
    with service.session() as session:
        auth.revoke_token(session, number, user=name, by=_by(principal))
        found = _one(session, name)
    service.principals.clear()
    return answers.json(found)


def _listed(session: Session) -> list[dict[str, Any]]:
    live = tokens.live_tokens(session)
    found = []
    for row in auth.list_users(session):
        level, code = row.pop("area_level"), row.pop("area_code")
        area = None
        if level is not None:
            name = accounts.area_name(session, auth.Area(level, code))
            area = {"level": level, "code": code, "name": name}
        found.append({**row, "area": area, "tokens": live.get(row["name"], [])})
    return found


def _one(session: Session, name: str) -> dict[str, Any]:
    session.flush()
    return next(row for row in _listed(session) if row["name"] == name)


def _area(given: AreaOf | None) -> auth.Area | None:
    return auth.Area(given.level, given.code) if given else None


def _by(principal: auth.Principal) -> str:
    return principal.name or principal.role

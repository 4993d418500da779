"""Tokens of programs: issued once, shown once, revoked by number."""

from __future__ import annotations

import datetime as dt
import secrets
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from api.accounts import find_user
from api.principals import digest
from geo.db.tables import AppUser, Audit, Token
from geo.errors import NotFound, RefusedArgument

PREFIX = "wg_"
LONGEST_DAYS = 3650


def issue_token(
    session: Session, name: str, *, days: int = 90, label: str = "", by: str = "operator"
) -> tuple[str, Token]:
    """A new bearer token of an account: (the secret, shown this once; its stored row)."""
    if not 1 <= days <= LONGEST_DAYS:
        raise RefusedArgument(
            f"有效期应为 1 至 {LONGEST_DAYS} 天。", f"A token lives 1 to {LONGEST_DAYS} days.", field="days"
        )
    user = find_user(session, name)
    if user.disabled_at is not None:
        raise RefusedArgument(f"用户 {name} 已停用。", f"The user {name} is disabled.", field="name")
    secret = PREFIX + secrets.token_urlsafe(32)
    expires = dt.datetime.now(dt.UTC) + dt.timedelta(days=days)
    token = Token(user_id=user.id, sha256=digest(secret), label=label[:100], expires_at=expires)
    session.add(token)
    session.flush()
    session.add(Audit(who=by, act="token issue", what={"user": name, "token": token.id, "days": days}))
    return secret, token


def revoke_token(session: Session, token_id: int, *, user: str, by: str = "operator") -> None:
    """Ends a user's token and every session made from it."""
    owner = find_user(session, user)
    done = session.execute(
        update(Token)
        .where(
            Token.user_id == owner.id,
            (Token.id == token_id) | (Token.parent_id == token_id),
            Token.revoked_at.is_(None),
        )
        .values(revoked_at=dt.datetime.now(dt.UTC))
        .returning(Token.id)
    ).all()
    if not done:
        raise NotFound(f"没有有效的令牌 {token_id}。", f"There is no live token {token_id}.", field="token")
    session.add(Audit(who=by, act="token revoke", what={"user": user, "token": token_id}))


def live_tokens(session: Session) -> dict[str, list[dict[str, Any]]]:
    """The live bearer tokens of every account by its name, the newest first; never a secret."""
    rows = session.execute(
        select(AppUser.name, Token.id, Token.label, Token.created_at, Token.expires_at, Token.seen_at)
        .join(AppUser, AppUser.id == Token.user_id)
        .where(~Token.session, Token.revoked_at.is_(None), Token.expires_at > dt.datetime.now(dt.UTC))
        .order_by(Token.id.desc())
    )
    found: dict[str, list[dict[str, Any]]] = {}
    for name, *values in rows:
        found.setdefault(name, []).append(
            dict(zip(("id", "label", "created_at", "expires_at", "seen_at"), values, strict=True))
        )
    return found

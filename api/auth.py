"""The door to accounts and sign-in: who is asking, which accounts there are, tokens, sessions.

principals   who a token or cookie stands for, kept for a moment
accounts     names, roles, areas, passwords
tokens       of programs
signing_in   sessions of the page
limits       how often something may be tried
"""

from __future__ import annotations

from api.accounts import Change, add_user, change_user, disable_user, list_users, set_password
from api.passwords import make as make_password
from api.policy import Role
from api.principals import (
    ANONYMOUS,
    KEPT_S,
    Area,
    Principal,
    Principals,
    digest,
    find,
    look_up,
)
from api.signing_in import COOKIE, DEVICE_COOKIE, HEADER, HEADER_VALUE, sign_out
from api.tokens import issue_token, revoke_token

__all__ = [
    "ANONYMOUS",
    "COOKIE",
    "DEVICE_COOKIE",
    "HEADER",
    "HEADER_VALUE",
    "KEPT_S",
    "Area",
    "Change",
    "Principal",
    "Principals",
    "Role",
    "add_user",
    "change_user",
    "digest",
    "disable_user",
    "find",
    "issue_token",
    "list_users",
    "look_up",
    "make_password",
    "revoke_token",
    "set_password",
    "sign_out",
]

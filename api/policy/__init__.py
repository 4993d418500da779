"""Who may ask what, and how far they see: the one table of routes, roles and scopes. What is not in it does not exist (404).

Every request passes `api.guard`, which looks here first; the application refuses to start when it has a route that is
not in the table, or the table a row without a route. `python -m api.policy > docs/access.md` writes the documentation.

table      the rows, by family of routes: a new route gets its row here
rules      what a row says
scopes     roles, and how far somebody sees
media      media types
matching   the rows of a path
"""

from __future__ import annotations

from api.policy.matching import Found, match, mismatch
from api.policy.media import ARROW, GEOJSON, HTML, JSON, MVT, PDF, TEXT, XLSX
from api.policy.rules import Rule
from api.policy.scopes import ADMINS, EVERYONE, FIELD, PLANNERS, PRINCIPALS, READERS, SCOPES, Role
from api.policy.table import LOAD_BYTES, TABLE

__all__ = [
    "ADMINS",
    "ARROW",
    "EVERYONE",
    "FIELD",
    "GEOJSON",
    "HTML",
    "JSON",
    "LOAD_BYTES",
    "MVT",
    "PDF",
    "PLANNERS",
    "PRINCIPALS",
    "READERS",
    "SCOPES",
    "TABLE",
    "TEXT",
    "XLSX",
    "Found",
    "Role",
    "Rule",
    "match",
    "mismatch",
]

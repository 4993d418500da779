"""One row of the table, and the four words a row is written with: `get`, `post`, `patch`, `delete`.

>>> row = post("/api/plans", frozenset({"planner"}), "sight", "新建草案", "begin a draft", body_bytes=4096)
>>> row.method, row.offers, row.body_bytes
('POST', ('application/json',), 4096)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from api.policy.media import JSON
from api.policy.scopes import Scope


@dataclass(frozen=True)
class Rule:
    """One row: method and path, who may, how far they see, which media types are offered, how large a body may be.

    `scope` is a word of `SCOPES`; a row cannot be written without one.
    `identity` false: the caller's token is not even looked at (health, static files), so a wrong one does no harm.
    `body_bytes` is the largest body (0: none), `takes` the media types it may have. `named`: whoever asks must be signed
    in, whatever the role. `heavy_per_minute` limits one person (or network of strangers) on what costs much (0: no limit).
    """

    method: str
    path: str
    who: frozenset[str]
    offers: tuple[str, ...]
    zh: str
    en: str
    identity: bool = True
    body_bytes: int = 0
    takes: tuple[str, ...] = (JSON,)
    scope: Scope = field(kw_only=True)
    named: bool = False
    heavy_per_minute: int = 0


def _row(
    method: str,
    path: str,
    who: frozenset[str],
    scope: Scope,
    zh: str,
    en: str,
    *,
    offers: tuple[str, ...] = (JSON,),
    identity: bool = True,
    body_bytes: int = 0,
    takes: tuple[str, ...] = (JSON,),
    named: bool = False,
    heavy_per_minute: int = 0,
) -> Rule:
    return Rule(
        method=method,
        path=path,
        who=who,
        offers=offers,
        zh=zh,
        en=en,
        identity=identity,
        body_bytes=body_bytes,
        takes=takes,
        scope=scope,
        named=named,
        heavy_per_minute=heavy_per_minute,
    )


get = partial(_row, "GET")
post = partial(_row, "POST")
patch = partial(_row, "PATCH")
delete = partial(_row, "DELETE")

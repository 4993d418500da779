"""From a path to its rows, and whether table and routes are the same set.

>>> from api.policy.scopes import FIELD
>>> rule = match("/api/cases/7").rules["GET"]
>>> rule.who == FIELD, rule.scope
(True, 'area')
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from api.policy.rules import Rule
from api.policy.table import TABLE


@dataclass(frozen=True)
class Found:
    """The rows of one path, by method, and what stood in its braces."""

    rules: Mapping[str, Rule]
    params: Mapping[str, str] = field(default_factory=dict)


def match(path: str) -> Found | None:
    """The rows for a path, the most particular template first; None when there is none.

    >>> match("/tiles/grids/3/4/5.mvt").params["z"]
    '3'
    """
    fixed, patterns = _compiled()
    rules = fixed.get(path)
    if rules is not None:
        return Found(rules)
    for pattern, rules in patterns:
        hit = pattern.fullmatch(path)
        if hit:
            return Found(rules, hit.groupdict())
    return None


def mismatch(table: Iterable[Rule], routes: set[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """(routes without a row, rows without a route); both empty when the table is complete."""
    rows = {(rule.method, rule.path) for rule in table}
    return ([f"{m} {p}" for m, p in sorted(routes - rows)], [f"{m} {p}" for m, p in sorted(rows - routes)])


@lru_cache(maxsize=1)
def _compiled() -> tuple[dict[str, dict[str, Rule]], list[tuple[re.Pattern[str], dict[str, Rule]]]]:
    by_path: dict[str, dict[str, Rule]] = {}
    for rule in TABLE:
        by_path.setdefault(rule.path, {})[rule.method] = rule
    fixed = {path: rules for path, rules in by_path.items() if "{" not in path}
    patterns = [(_pattern(path), rules) for path, rules in by_path.items() if "{" in path]
    return fixed, patterns


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"(\{[a-z]+(?::path)?\})", path)
    made = ""
    for part in parts:
        if part.endswith(":path}"):
            made += f"(?P<{part[1:-6]}>.+)"
        elif part.startswith("{"):
            made += f"(?P<{part[1:-1]}>[^/]+)"
        else:
            made += re.escape(part)
    return re.compile(made, re.DOTALL)

"""Whatever is sent, no route answers with a fault of ours, and nothing of the inside is told."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api import policy

LEAKS = re.compile(
    r"Traceback|psycopg|sqlalchemy|SELECT\s.*\sFROM|HINT:|DETAIL:|/work|/usr/|site-packages", re.DOTALL
)
HOSTILE = st.sampled_from([
    "", " ", "0", "-1", "1e400", "NaN", "9223372036854775808", "1" * 400, "'; DROP TABLE cases;--", "\u202e", "😀" * 50,
    "as-of:", "as-of:2024-02-30", "hexagon:", "hexagon:9", "grid", "community@", "%s", "{x}", "../..", "null", "[]", "\x1b",
    "8931aa4224bffff", "0" * 16, "-Infinity", "2024-01-01/..", "１２", "\ufeff", "\ud7ff",
])  # fmt: skip
VALUES = HOSTILE | st.text(st.characters(exclude_categories=("Cs",)), max_size=40) | st.integers().map(str)
PARAMETERS = st.sampled_from([
    "from", "to", "category", "origin", "status", "measure", "asof", "plan", "level", "resolution", "bbox", "kind", "by",
    "code", "bucket", "limit", "after", "before", "source", "placed", "format", "columns", "classes_by", "lang", "depth", "x",
])  # fmt: skip
GETS = [rule.path for rule in policy.TABLE if rule.method == "GET" and rule.path != "/basemap.pmtiles"]


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(GETS),
    parts=st.lists(VALUES, min_size=6, max_size=6),
    query=st.lists(st.tuples(PARAMETERS, VALUES), max_size=5),
    staff=st.booleans(),
)
def test_no_answer_is_a_fault(town: Any, path: str, parts: list[str], query: Any, staff: bool) -> None:
    names = re.findall(r"\{(\w+)(?::path)?\}", path)
    for name, value in zip(names, parts, strict=False):
        path = re.sub(r"\{" + name + r"(:path)?\}", lambda _, v=value: quote(v, safe="") or "x", path)
    target = path + "?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in query)
    answer = (town.staff if staff else town.get)(target)
    assert answer.status_code < 500 or path == "/", (target, answer.text)
    assert answer.elapsed.total_seconds() < 5
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json", target
        assert not LEAKS.search(str({**answer.json(), "instance": ""})), answer.text


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    z=st.integers(0, 30),
    x=st.integers(0, 2**31),
    y=st.integers(0, 2**31),
    layer=st.sampled_from(["grids", "cases", "hexagons"]),
)
def test_any_tile_number(town: Any, z: int, x: int, y: int, layer: str) -> None:
    inside = z <= 22 and x < 1 << z and y < 1 << z
    assert (town.staff(f"/tiles/{layer}/{z}/{x}/{y}.mvt").status_code in (200, 204)) == inside


WRITES = [rule for rule in policy.TABLE if rule.method not in ("GET", "HEAD") and rule.path != "/api/session"]
FIELDS = st.sampled_from([
    "name", "grids", "per_grid", "weight", "nest", "tolerance", "seed", "choices", "locked", "posts", "revision", "from",
    "unit_ids", "unit_codes", "to_grid", "moves", "grid", "other", "parts", "line", "more", "like", "empty", "code", "bands",
    "nesting", "leaving", "x",
])  # fmt: skip
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | HOSTILE
    | st.sampled_from(["G0000", "U0000", "草稿", "new"])
)
VALUES_IN = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(FIELDS, inner, max_size=3),
    max_leaves=8,
)
BODIES = st.dictionaries(FIELDS, VALUES_IN, max_size=5).map(lambda made: json.dumps(made).encode())
KEYS = st.sampled_from(["", "k", "k2", '"k"', "x" * 300, "a b"])


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rule=st.sampled_from(WRITES),
    part=st.sampled_from(["草稿", "首版", "1", "99999999999", "current", "' OR 1=1"]),
    body=BODIES | st.binary(max_size=30) | st.sampled_from([b"", b"null", b"[" * 3000]),
    key=KEYS,
    seen=st.sampled_from(["", "*", '"r0"', "W/r", '"r0.a", "r1"']),
    query=st.lists(st.tuples(PARAMETERS, HOSTILE), max_size=2),
)
def test_no_write_is_a_fault(
    town: Any, rule: Any, part: str, body: bytes, key: str, seen: str, query: Any
) -> None:
    path = re.sub(r"\{\w+\}", quote(part, safe=""), rule.path)
    if query:
        path += "?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in query)
    headers = {**town.admin, "Content-Type": "application/json"}
    headers |= {name: value for name, value in (("Idempotency-Key", key), ("If-Match", seen)) if value}
    answer = town.ask(rule.method, path, content=body, headers=headers)
    assert answer.status_code < 500, (rule, path, body, answer.text)
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert not LEAKS.search(str({**answer.json(), "instance": ""})), answer.text

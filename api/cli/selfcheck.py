"""Asks the running service over HTTP and compares its numbers with the database's own, by plain SQL.

The service counts from memory-mapped columns; the SQL here knows nothing of them. Two ways to one number are what
`./run demo --check` rests on.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg

from geo.db.session import connect
from geo.settings import Settings

TIMEOUT_S = 60
IN_GRIDS = """
WITH RECURSIVE up (leaf, unit_id, steps) AS (
    SELECT id, id, 0 FROM unit
    UNION ALL
    SELECT up.leaf, unit.parent_id, steps + 1 FROM up JOIN unit ON unit.id = up.unit_id
    WHERE unit.parent_id IS NOT NULL
), grid_of AS (
    SELECT DISTINCT ON (leaf) leaf, grid_id FROM up JOIN plan_unit USING (unit_id)
    WHERE plan_id = %(plan)s ORDER BY leaf, steps, revision DESC
)
SELECT grid.code, count(cases.id) FROM grid
LEFT JOIN grid_of ON grid_of.grid_id = grid.id LEFT JOIN cases ON cases.unit_id = grid_of.leaf
WHERE grid.plan_id = %(plan)s AND grid.geom IS NOT NULL GROUP BY grid.code
"""


@dataclass(frozen=True, slots=True)
class Compared:
    """One comparison: its name, whether both sides agree, and what they said."""

    name: str
    fine: bool
    said: str


def compare(settings: Settings, url: str, token: str) -> Iterator[Compared]:
    """Every comparison, in order; needs a service at `url` and an administrator's token."""
    yield from _up(url)
    with connect(settings) as connection:
        total = _number(connection, "SELECT count(*) FROM cases")
        unplaced = _number(connection, "SELECT count(*) FROM cases WHERE geom IS NULL")
        plan = _current_plan(connection)
        yield Compared("data", total > 0 and plan is not None, f"{total} cases, plan {plan or '—'}")
        if plan is not None:
            yield from _grids(url, token, connection, plan, total, unplaced)
            yield _public(url, total)
            yield _tile(url, connection, plan)
        yield from _hexagons(url, token, total, unplaced)
        yield from _boundaries(url, token, connection, total, unplaced)


def _up(url: str) -> Iterator[Compared]:
    deadline = time.monotonic() + TIMEOUT_S
    while _get(url + "/readyz")[0] != 200 and time.monotonic() < deadline:
        time.sleep(0.2)  # the column files of a fresh database are being made
    for path in ("/healthz", "/readyz", "/api/openapi.json", "/"):
        status, body, kind = _get(url + path)
        yield Compared(path, status == 200 and bool(body), f"{status} {kind}, {len(body)} bytes")


def _grids(
    url: str, token: str, connection: psycopg.Connection, plan: int, total: int, unplaced: int
) -> Iterator[Compared]:
    heat = _json(f"{url}/api/heatmap/grids?plan=current", token)
    yield _sums("grids", heat, total, unplaced)
    wanted = {code: int(n) for code, n in connection.execute(IN_GRIDS, {"plan": plan})}
    have = {code: int(value or 0) for code, value in zip(heat["codes"], heat["values"], strict=True)}
    wrong = {code for code in wanted.keys() | have.keys() if wanted.get(code, 0) != have.get(code, 0)}
    yield Compared(
        "grids one by one", bool(wanted) and not wrong, f"{len(wanted)} grids, {len(wrong)} differ"
    )


def _public(url: str, total: int) -> Compared:
    heat = _json(f"{url}/api/heatmap/grids?plan=current", None)
    shown = sum(int(value) for value in heat["values"] if value is not None)
    parts = shown + int(heat["suppressed_total"]) + int(heat["unplaced"]) + int(heat["outside"])
    small = [value for value in heat["values"] if value is not None and 0 < value < 5]
    said = f"{shown} shown + {heat['suppressed_total']} hidden … = {parts} of {heat['total']}"
    return Compared("public grids", parts == heat["total"] == total and not small, said)


def _hexagons(url: str, token: str, total: int, unplaced: int) -> Iterator[Compared]:
    heat = _json(f"{url}/api/heatmap/hexagons?resolution=9", token)
    yield _sums("hexagons", heat, total, unplaced)
    yield Compared("hexagons outside", heat["outside"] == 0, str(heat["outside"]))


def _boundaries(
    url: str, token: str, connection: psycopg.Connection, total: int, unplaced: int
) -> Iterator[Compared]:
    levels = connection.execute("SELECT name FROM level ORDER BY rank NULLS LAST, name").fetchall()
    for (level,) in levels:
        yield _sums(
            f"boundaries {level}",
            _json(f"{url}/api/heatmap/boundaries?level={level}", token),
            total,
            unplaced,
        )


def _sums(name: str, heat: dict[str, Any], total: int, unplaced: int) -> Compared:
    inside = sum(int(value or 0) for value in heat["values"])
    parts = inside + int(heat["unplaced"]) + int(heat["outside"])
    said = f"{inside} + {heat['unplaced']} unplaced + {heat['outside']} outside = {parts}; SQL {total}, {unplaced}"
    return Compared(name, parts == heat["total"] == total and heat["unplaced"] == unplaced, said)


def _tile(url: str, connection: psycopg.Connection, plan: int) -> Compared:
    row = connection.execute(
        "SELECT ST_X(p), ST_Y(p) FROM (SELECT ST_PointOnSurface(geom) AS p FROM grid WHERE plan_id = %s "
        "AND geom IS NOT NULL LIMIT 1) AS g",
        [plan],
    ).fetchone()
    assert row is not None
    x, y = _tile_of(float(row[0]), float(row[1]), 12)
    status, body, _ = _get(f"{url}/tiles/grids/12/{x}/{y}.mvt")
    return Compared("tile", status == 200 and len(body) > 0, f"12/{x}/{y}: {status}, {len(body)} bytes")


def _tile_of(lon: float, lat: float, zoom: int) -> tuple[int, int]:
    from math import asinh, pi, radians, tan

    n = 2**zoom
    return int((lon + 180) / 360 * n), int((1 - asinh(tan(radians(lat))) / pi) / 2 * n)


def _current_plan(connection: psycopg.Connection) -> int | None:
    row = connection.execute(
        "SELECT id FROM plan WHERE state = 'approved' AND during @> "
        "(now() AT TIME ZONE (SELECT timezone FROM city))::date"
    ).fetchone()
    return None if row is None else int(row[0])


def _number(connection: psycopg.Connection, question: str) -> int:
    row = connection.execute(question).fetchone()
    assert row is not None
    return int(row[0])


def _json(address: str, token: str | None) -> dict[str, Any]:
    status, body, _ = _get(address, token)
    if status != 200:
        raise ValueError(f"{address}: {status} {body[:300].decode(errors='replace')}")
    found: dict[str, Any] = json.loads(body)
    return found


def _get(address: str, token: str | None = None) -> tuple[int, bytes, str]:
    headers = {"Accept": "application/json, */*;q=0.5"} | (
        {"Authorization": f"Bearer {token}"} if token else {}
    )
    try:
        request = urllib.request.Request(address, headers=headers)  # noqa: S310  our own address
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            return answer.status, answer.read(), answer.headers.get_content_type()
    except urllib.error.HTTPError as problem:
        return problem.code, problem.read(), problem.headers.get_content_type()

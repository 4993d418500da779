"""Every route of the live interface × every kind of caller × own, other and missing object: the status, from a table by hand.

The table below knows nothing of `api.policy`: a role added there by mistake is a wrong cell here. A new route needs its
line. Three statuses stand for the three objects (own, other, missing), one for all of them. Changes are asked for with a
revision that is long gone, so that whoever may ask is told so (409, 412) and nothing changes.

Objects: of plans the draft, the plan in force, and none; of cases one in C00, one in C11, and none; of tiles of cases one
over C00, one over C11, and one over the sea; else one that exists, another one, and none.
"""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import text

from geo.db import session as sessions
from tests.api import people
from tests.api.conftest import plan
from tests.api.promised import Interface, promised_in_json

ACTORS = (
    "anonymous", "public", "worker", "supervisor", "planner", "admin", "disabled", "expired", "wrong area", "no area",
)  # fmt: skip
EXACT = ("supervisor", "no area", "planner", "admin")  # the one without an area is a supervisor
GONE = {"revision": 999}
LINE = "LINESTRING (116.30 39.95, 116.31 39.95)"  # beside every unit
PLAN, DRAFT, NONE = "首版", "草稿", "nope"


@dataclass(frozen=True)
class Line:
    """What one route answers to whom. `open_` to those who are not looked at: a wrong token does no harm there."""

    method: str
    path: str
    expected: dict[str, str]
    query: str = ""
    send: dict[str, Any] = field(default_factory=dict)


def line(method: str, path: str, expected: dict[str, str], query: str = "", **send: Any) -> Line:
    return Line(method, path, expected, query, send)


def all_alike(status: str) -> dict[str, str]:
    """Nobody is looked at."""
    return dict.fromkeys(ACTORS, status)


def everyone(seen: str, exact: str | None = None) -> dict[str, str]:
    """What the public and workers get, and what supervisors, planners and administrators do."""
    found = dict.fromkeys(ACTORS, seen)
    for who in EXACT:
        found[who] = exact or seen
    return {**found, "disabled": "401", "expired": "401"}


def only(status: str, *who: str) -> dict[str, str]:
    """These get it; who is not signed in gets 401, others 403."""
    found = dict.fromkeys(ACTORS, "403") | dict.fromkeys(who, status)
    return {**found, "anonymous": "401", "disabled": "401", "expired": "401"}


def readers(status: str) -> dict[str, str]:
    return only(status, *EXACT)


def planners(status: str) -> dict[str, str]:
    return only(status, "planner", "admin")


def admins(status: str) -> dict[str, str]:
    return only(status, "admin")


def of_area(own: str, other: str, nobody: str, everything: str) -> dict[str, str]:
    """Rows of cases: of C00, of C11, of nobody's area, of the whole city."""
    found = only(own, "worker", "supervisor")
    return {**found, "wrong area": other, "no area": nobody, "admin": everything}


LINES = (
    line("GET", "/healthz", all_alike("200")),
    line("GET", "/readyz", all_alike("200")),
    line("GET", "/metrics", all_alike("200")),
    line("GET", "/", all_alike("200")),
    line("GET", "/{file:path}", all_alike("404")),  # no such file
    line("GET", "/basemap.pmtiles", all_alike("404")),  # none is configured
    line("GET", "/api/docs", everyone("200")),
    line("GET", "/api/docs.css", all_alike("200")),
    line("GET", "/api/openapi.json", everyone("200")),
    # signing in
    line("GET", "/api/session", everyone("200")),
    line("POST", "/api/session", everyone("400"), json={}),
    line("DELETE", "/api/session", everyone("200")),
    line("POST", "/api/session/password", {**everyone("400"), "anonymous": "401"}, json={}),
    line("GET", "/api/session/oidc", all_alike("404")),  # not configured
    line("GET", "/api/session/oidc/callback", all_alike("404")),
    # people
    line("GET", "/api/users", admins("200")),
    line("POST", "/api/users", admins("400"), json={}),
    line("PATCH", "/api/users/{name}", admins("400"), json={"role": "king"}),
    line("POST", "/api/users/{name}/password", admins("400 400 404"), json={"password": "x"}),
    line("POST", "/api/users/{name}/tokens", admins("400"), json={"days": 0}),
    line("DELETE", "/api/users/{name}/tokens/{id}", admins("404")),
    line("GET", "/api/audit", admins("200")),
    line("GET", "/api/audit/state", admins("200")),
    # figures
    line("GET", "/api/city", everyone("200")),
    line("GET", "/api/zones", everyone("200"), "by=grid"),
    line("GET", "/api/heatmap/grids", everyone("404 200 404", "200 200 404"), "plan={plan}"),
    line("GET", "/api/heatmap/boundaries", everyone("200"), "level=community"),
    line("GET", "/api/heatmap/hexagons", everyone("200")),
    line("GET", "/api/heatmap/facilities", everyone("200")),
    line("GET", "/api/series", everyone("200")),
    line("GET", "/api/categories", everyone("200")),
    line("GET", "/api/summary", everyone("200")),
    line("GET", "/api/matrix", everyone("200")),
    line("GET", "/api/indicators", readers("200"), "by=grid"),
    line("GET", "/api/repeats", only("200", "worker", "supervisor", "admin", "wrong area", "no area")),
    line("POST", "/api/reports", readers("400"), json={"format": "doc"}),
    # plans as they are
    line("GET", "/api/plans", everyone("200")),
    line("GET", "/api/plans/{plan}", everyone("404 200 404", "200 200 404")),
    line("GET", "/api/plans/{plan}/score", readers("200 200 404")),
    line("GET", "/api/plans/{plan}/compare", readers("200 200 404"), f"with={PLAN}"),
    line("GET", "/api/plans/{plan}/impact", readers("200 200 404"), f"with={PLAN}&format=html"),
    line("GET", "/api/plans/{plan}/replay", readers("200 200 404"), f"with={PLAN}&replicates=10"),
    line("GET", "/api/plans/{plan}/check", readers("200 200 404")),
    line("GET", "/api/plans/{plan}/export.csv", readers("200 200 404")),
    line("GET", "/api/plans/{plan}/export.geojson", readers("200 200 404")),
    line("GET", "/api/plans/{plan}/export.gpkg", readers("200 200 404")),
    line("GET", "/api/plans/{plan}/grids", readers("200 200 404")),
    line("GET", "/api/plans/{plan}/assignment", readers("200 200 404")),
    line("GET", "/api/plans/{plan}/edits", readers("200 200 404")),
    line("GET", "/api/plans/{plan}/changes", readers("200 200 404"), "since=0"),
    line("GET", "/api/plans/{plan}/ground", readers("200 200 404")),
    line("GET", "/api/plans/{plan}/lineage", readers("200 200 404")),
    line("GET", "/api/plans/{plan}/comments", readers("200 200 404")),
    # plans in the making
    line("POST", "/api/plans", planners("400"), json={"name": PLAN}),
    line("POST", "/api/plans/propose", planners("400"), json={"name": PLAN, "grids": 3}),
    line("POST", "/api/plans/import", planners("400"), f"name={PLAN}&file=a.geojson", content=b"{}",
         headers={"Content-Type": "application/geo+json"}),
    line("POST", "/api/plans/overlay", planners("404"), json={"name": "x", "layers": ["a", "b"]}),
    line("POST", "/api/plans/{plan}/rebalance", planners("409 400 404"), json=GONE),
    line("POST", "/api/plans/{plan}/ensemble", planners("400 400 400"), json={"plans": 1}),
    line("DELETE", "/api/plans/{plan}", planners("412 412 404"), headers={"If-Match": '"r999"'}),
    line("POST", "/api/plans/{plan}/approve", planners("409 409 404"), json={"from": "2033-01-01", **GONE}),
    line("POST", "/api/plans/{plan}/withdraw", planners("409 409 404"), json=GONE),
    line("PATCH", "/api/plans/{plan}/units", planners("409 409 404"), json={"unit_codes": ["U0000"], "to_grid": "G0000", **GONE}),
    line("POST", "/api/plans/{plan}/split", planners("409 409 404"), json={"grid": "G0000", **GONE}),
    line("POST", "/api/plans/{plan}/merge", planners("409 409 404"), json={"grid": "G0000", "other": "G0100", **GONE}),
    line("POST", "/api/plans/{plan}/fix", planners("409 409 404"), json={"grid": "G0000", **GONE}),
    line("POST", "/api/plans/{plan}/undo", planners("409 409 404"), json=GONE),
    line("POST", "/api/plans/{plan}/redo", planners("409 409 404"), json=GONE),
    line("POST", "/api/plans/{plan}/lock", planners("409 409 404"), json={"grids": ["G0000"], **GONE}),
    line("POST", "/api/plans/{plan}/posts", planners("409 409 404"), json={"posts": {"G0000": 2}, **GONE}),
    line("POST", "/api/plans/{plan}/rename", planners("409 409 404"), json={"grid": "G0000", "name": "x", **GONE}),
    line("POST", "/api/plans/{plan}/settings", planners("409 409 404"), json={"tolerance": 0.2, **GONE}),
    line("POST", "/api/plans/{plan}/exceptions", planners("400 409 404"), json={"rule": "no such rule", "reason": "x"}),
    line("DELETE", "/api/plans/{plan}/exceptions", planners("404 409 404"), "rule=households"),
    line("POST", "/api/plans/{plan}/rebase", planners("400 409 404"), json={"name": PLAN}),
    line("POST", "/api/plans/{plan}/cut", planners("400 400 404"), json={"unit": "U0000", "line": LINE}),
    line("POST", "/api/units/{unit}/cut", planners("400 400 404"), json={"line": LINE}),
    line("POST", "/api/plans/{plan}/comments", readers("400 409 404"), json={"body": "x", "grid": NONE}),
    line("POST", "/api/plans/{plan}/comments/{id}/hide", planners("404 404 404"), json={}),
    line("GET", "/api/plans/{plan}/consultation", readers("200 200 404")),
    line("POST", "/api/plans/{plan}/consultation", planners("400 409 404"), json={"until": "2020-01-01"}),
    line("DELETE", "/api/plans/{plan}/consultation", planners("409 409 404")),
    line("POST", "/api/plans/{plan}/consultation/remarks/{id}", planners("404 404 404"), json={"state": "released"}),
    line("POST", "/api/plans/{plan}/consultation/remarks/{id}/answer", planners("404 404 404"), json={"answer": "x"}),
    # drafts before the public: one that is open, one that is not, none
    line("GET", "/api/consultations/{plan}", everyone("200 404 404")),
    line("GET", "/api/consultations/{plan}/changes", everyone("200 404 404")),
    line("POST", "/api/consultations/{plan}/remarks", everyone("400 404 404"), json={"body": "x", "grid": NONE}),
    line("GET", "/tiles/consultations/{plan}/grids/{z}/{x}/{y}.mvt", everyone("200 404 404")),
    # single cases
    line("GET", "/api/cases", of_area("200", "200", "200", "200")),
    line("GET", "/api/cases/{id}", of_area("200 404 404", "404 200 404", "404", "200 200 404")),
    line("GET", "/tiles/cases", of_area("200", "200", "200", "200")),
    line("GET", "/tiles/cases/{z}/{x}/{y}.mvt", of_area("200 204 204", "204 200 204", "204", "200 200 204")),
    # loads and jobs
    line("GET", "/api/runs", admins("200")),
    line("GET", "/api/runs/{id}", admins("200 200 404")),
    line("GET", "/api/jobs", readers("200")),
    line("GET", "/api/jobs/{id}", {**readers("404"), "planner": "200 200 404", "admin": "200 200 404"}),  # jobs about plans
    line("POST", "/api/jobs/{id}/cancel", {**readers("404"), "planner": "409 409 404", "admin": "409 409 404"}),
    line("POST", "/api/loads", admins("400"), "what=cases&file=a.csv", content=b"x",
         headers={"Content-Type": "application/octet-stream"}),
    line("GET", "/api/loads", admins("200")),
    line("GET", "/api/loads/{id}", admins("200 200 404")),
    line("GET", "/api/loads/{id}/rejects.csv", admins("200 200 404")),
    line("POST", "/api/exports", readers("400"), json={"layer": "people"}),
    line("GET", "/api/exports", readers("200")),
    line("GET", "/api/exports/{id}", {**readers("404"), "planner": "200 404 404", "admin": "200 200 404"}),
    # maps
    line("GET", "/tiles/plans/{plan}/grids", everyone("404 200 404", "200 200 404")),
    line("GET", "/tiles/plans/{plan}/grids/{z}/{x}/{y}.mvt", everyone("404 200 404", "200 200 404")),
    line("GET", "/tiles/{layer}", everyone("200 200 404")),
    line("GET", "/tiles/{layer}/{z}/{x}/{y}.mvt", everyone("200 200 404")),
)  # fmt: skip


@pytest.fixture(scope="module")
def callers(town: Any) -> dict[str, people.Headers]:
    settings = town.settings
    far = ("community", "C11")
    return {
        "anonymous": {},
        "public": people.token(settings, "公众", "public"),
        **people.staff(settings),
        "disabled": people.token(settings, "停用", "admin", disabled=True),
        "expired": people.token(settings, "过期", "admin", days=-1),
        "wrong area": people.token(settings, "远处", "worker", far),
        "no area": people.token(settings, "无处", "supervisor"),
    }


@pytest.fixture(scope="module")
def objects(town: Any) -> dict[str, tuple[str, str, str]]:
    """What stands in the braces: own, other, missing."""
    with sessions.session(town.settings, "owner") as session:
        jobs = [
            session.scalar(
                text(
                    "INSERT INTO job (kind, state, author) VALUES ('plan.propose', 'done', :a) RETURNING id"
                ),
                {"a": a},
            )
            for a in ("张规划", "别人")
        ]
        exports = [an_export(session, town.settings, a) for a in ("张规划", "别人")]
        run = session.scalar(
            text(
                "INSERT INTO load_run (kind, source, file_name, content_sha256, started_at) "
                "VALUES ('cases', 'x', 'x.csv', '', now()) RETURNING id"
            )
        )
        opened, shut = (
            an_opened_draft(session),
            str(session.scalar(text("SELECT id FROM plan WHERE name = '草稿'"))),
        )
    at = [tile(lon, lat, 16) for lon, lat in ((116.3031, 39.9031), (116.3131, 39.9131), (0.5, 0.5))]
    cases = [people.of_area(town.settings, code)[0] for code in ("C00", "C11")]
    return {
        "plan": (DRAFT, PLAN, NONE),
        "consultation": (opened, shut, "999999"),
        "unit": ("U0000", "U0909", NONE),
        "layer": ("grids", "units", NONE),
        "name": ("张规划", "公众", NONE),
        "/api/cases/{id}": (str(cases[0]), str(cases[1]), "999999999"),
        "/api/runs/{id}": ("1", str(run), "999"),
        "/api/loads/{id}": ("1", str(run), "999"),
        "/api/loads/{id}/rejects.csv": ("1", str(run), "999"),
        "/api/exports/{id}": (exports[0], exports[1], "999999"),
        "/api/jobs": (str(jobs[0]), str(jobs[1]), "999999"),
        "case tile": tuple(at),  # type: ignore[dict-item]
        "tile": ("12/3371/1551", "12/3371/1551", "12/3371/1551"),
    }


def an_opened_draft(session: Any) -> str:
    """A draft that is open to the public."""
    units = list(session.scalars(text("SELECT id FROM unit ORDER BY code")))
    made = plan(session, units, "征求意见稿", "draft", 2)
    session.execute(
        text("INSERT INTO consultation (plan_id, last_day, opened_by) VALUES (:p, '2099-01-01', '张规划')"),
        {"p": made},
    )
    return str(made)


EXPORTED = {
    "file": "grids.csv", "rows": 0, "bytes": 5, "sha256": "", "crs": None, "media_type": "text/csv", "short_names": {},
    "notices": [],
}  # fmt: skip


def an_export(session: Any, settings: Any, author: str) -> str:
    """A finished export of somebody, with its file."""
    place = secrets.token_hex(16)
    folder = settings.exports_dir / place
    folder.mkdir(parents=True)
    (folder / "grids.csv").write_text("code\n")
    return str(
        session.scalar(
            text(
                "INSERT INTO job (kind, state, author, params, result, finished_at) VALUES ('export', 'done', :a, "
                "jsonb_build_object('layer', 'grids', 'format', 'csv', 'place', CAST(:p AS text)), "
                "CAST(:result AS jsonb), now()) RETURNING id"
            ),
            {"a": author, "p": place, "result": json.dumps(EXPORTED)},
        )
    )


def tile(lon: float, lat: float, z: int) -> str:
    import math

    y = (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2
    return f"{z}/{int((lon + 180) / 360 * 2**z)}/{int(y * 2**z)}"


def addressed(one: Line, objects: dict[str, tuple[str, str, str]], i: int) -> str:
    """The address of a route for one of the three objects."""
    path = one.path + (f"?{one.query}" if one.query else "")
    number = objects["/api/jobs"][i] if one.path.startswith("/api/jobs") else "1"
    number = objects[one.path][i] if one.path in objects else number
    at = objects["case tile" if one.path.startswith("/tiles/cases") else "tile"][i]
    if "/consultations/" in path:
        path = path.replace("{plan}", objects["consultation"][i])
    for name in ("plan", "unit", "layer", "name"):
        path = path.replace("{" + name + "}", objects[name][i])
    path = path.replace("{id}", number)
    return path.replace("{z}/{x}/{y}", at).replace("{file:path}", "nothing.txt")


def test_every_route_has_a_line(town: Any) -> None:
    paths = town.get("/api/openapi.json").json()["paths"]
    live = {
        (m.upper(), path)
        for path, found in paths.items()
        for m in found
        if m in ("get", "post", "put", "patch", "delete")
    }
    files = {("GET", "/"), ("GET", "/{file:path}"), ("GET", "/basemap.pmtiles")}
    lines = [(one.method, one.path) for one in LINES]
    assert len(lines) == len(set(lines))
    assert live | files == set(lines)


def test_matrix(
    town: Any,
    callers: dict[str, people.Headers],
    objects: dict[str, tuple[str, str, str]],
    heard: Interface,
) -> None:
    began, cells, wrong = time.monotonic(), 0, []
    kept = town.staff("/api/plans/草稿").json()["revision"]
    for one in LINES:
        several = "{" in addressed_parts(one)
        for who in ACTORS:
            expected = one.expected[who].split()
            for i in range(3 if several else 1):
                sent = {**one.send, "headers": {**callers[who], **one.send.get("headers", {})}}
                answer = town.ask(one.method, addressed(one, objects, i), **sent)
                cells += 1
                if str(answer.status_code) != expected[min(i, len(expected) - 1)]:
                    wrong.append(
                        (one.method, one.path, who, i, expected, answer.status_code, answer.text[:200])
                    )
    took_s = time.monotonic() - began
    print(f"{cells} cells in {took_s:.1f} s, {len(wrong)} wrong")
    assert wrong == [], "\n".join(map(str, wrong))
    assert cells >= 1200
    told = {(m, p, s) for m, p, s in promised_in_json(heard) if m == "GET" and s == 200}
    assert told <= heard.compared, told - heard.compared  # every answer was held against its model
    assert town.staff("/api/plans/草稿").json()["revision"] == kept


def addressed_parts(one: Line) -> str:
    """The parts of a route that name an object."""
    return (one.path + one.query).replace("{file:path}", "")

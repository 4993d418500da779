"""Every route of the policy table that changes something is asked for a real change, and leaves its audit row with it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from api import policy
from geo.db import session as sessions
from tests.api import signed_in
from tests.api.promised import Interface

GRID = '{"type":"FeatureCollection","features":[]}'
PASSWORD = "nine quiet lanterns"


@dataclass
class Desk:
    """Who asks, and what was made so far."""

    town: Any
    made: dict[str, Any] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        answer: httpx.Response = self.town.ask(
            method, path, json=body, headers={**self.town.admin, **headers}
        )
        return answer

    def edit(self, what: str, body: dict[str, Any], method: str = "POST") -> httpx.Response:
        """An act on the draft at the state it has."""
        answer = self.ask(method, f"/api/plans/{self.draft}/{what}", {**body, "revision": self.revision})
        self.made["revision"] = answer.json().get("revision", self.revision)
        return answer

    @property
    def draft(self) -> int:
        return int(self.made["draft"])

    @property
    def revision(self) -> int:
        return int(self.made["revision"])


def begin(desk: Desk) -> httpx.Response:
    answer = desk.ask("POST", "/api/plans", {"name": "审计稿", "like": "current"})
    desk.made |= {"draft": answer.json()["id"], "revision": answer.json()["revision"]}
    return answer


def approve(desk: Desk) -> httpx.Response:
    with sessions.session(desk.town.settings, "owner") as session:
        session.execute(text("UPDATE plan SET nesting = 'free' WHERE id = :p"), {"p": desk.draft})
    return desk.edit("approve", {"from": "2035-01-01"})


def discard(desk: Desk) -> httpx.Response:
    made = desk.ask("POST", "/api/plans", {"name": "弃稿", "like": "current"}).json()
    return desk.ask("DELETE", f"/api/plans/{made['id']}", **{"If-Match": f'"r{made["revision"]}"'})


def comment(desk: Desk) -> httpx.Response:
    answer = desk.ask("POST", f"/api/plans/{desk.draft}/comments", {"body": "河东应归北街。"})
    desk.made["comment"] = answer.json()["comment"]["id"]
    return answer


def propose(desk: Desk) -> httpx.Response:
    answer = desk.ask("POST", "/api/plans/propose", {"name": "审计提案", "grids": 4})
    desk.made["job"] = answer.json()["id"]
    return answer


def import_plan(desk: Desk) -> httpx.Response:
    headers = {**desk.town.admin, "Content-Type": "application/geo+json"}
    answer: httpx.Response = desk.town.ask(
        "POST", "/api/plans/import?name=导入&file=a.geojson", content=GRID.encode(), headers=headers
    )
    return answer


def load(desk: Desk) -> httpx.Response:
    headers = {**desk.town.admin, "Content-Type": "application/octet-stream"}
    file = b"case_id,opened_at,lon,lat\nA,2025-03-01 08:00:00,116.301,39.901\n"
    address = "/api/loads?what=cases&file=a.csv&source=audited"
    answer: httpx.Response = desk.town.ask("POST", address, content=file, headers=headers)
    return answer


def token(desk: Desk) -> httpx.Response:
    answer = desk.ask("POST", "/api/users/审计员/tokens", {"days": 3})
    desk.made["token"] = answer.json()["id"]
    return answer


def sign_in(desk: Desk) -> httpx.Response:
    answer = signed_in.sign_in(desk.town, "审计员", PASSWORD)
    desk.made["page"] = signed_in.carrying(answer)
    return answer


def own_password(desk: Desk) -> httpx.Response:
    body = {"old": PASSWORD, "new": PASSWORD + " lit"}
    answer: httpx.Response = desk.town.ask(
        "POST", "/api/session/password", json=body, headers=desk.made["page"]
    )
    return answer


def sign_out(desk: Desk) -> httpx.Response:
    answer: httpx.Response = desk.town.ask("DELETE", "/api/session", headers=desk.made["page"])
    return answer


LINE = "LINESTRING (116.3001 39.899, 116.3001 39.903)"
LINE_2 = "LINESTRING (116.3025 39.899, 116.3025 39.903)"
ACTS: dict[tuple[str, str], Callable[[Desk], httpx.Response]] = {  # in this order
    ("POST", "/api/plans"): begin,
    ("PATCH", "/api/plans/{plan}/units"): lambda d: d.edit("units", {"unit_codes": ["U0000"], "to_grid": "G0100"}, "PATCH"),
    ("POST", "/api/plans/{plan}/undo"): lambda d: d.edit("undo", {}),
    ("POST", "/api/plans/{plan}/redo"): lambda d: d.edit("redo", {}),
    ("POST", "/api/plans/{plan}/rename"): lambda d: d.edit("rename", {"grid": "G0005", "name": "北街"}),
    ("POST", "/api/plans/{plan}/lock"): lambda d: d.edit("lock", {"grids": ["G0905"]}),
    ("POST", "/api/plans/{plan}/posts"): lambda d: d.edit("posts", {"posts": {"G0205": 3}}),
    ("POST", "/api/plans/{plan}/settings"): lambda d: d.edit("settings", {"tolerance": 0.25}),
    ("POST", "/api/plans/{plan}/split"): lambda d: d.edit("split", {"grid": "G0300"}),
    ("POST", "/api/plans/{plan}/merge"): lambda d: d.edit("merge", {"grid": "G0500", "other": "G0600"}),
    ("POST", "/api/plans/{plan}/fix"): lambda d: d.edit("fix", {"grid": "G0100"}),
    ("POST", "/api/plans/{plan}/comments"): comment,
    ("POST", "/api/plans/{plan}/comments/{id}/hide"): lambda d: d.ask(
        "POST", f"/api/plans/{d.draft}/comments/{d.made['comment']}/hide", {}
    ),
    ("POST", "/api/plans/{plan}/consultation"): lambda d: d.ask(
        "POST", f"/api/plans/{d.draft}/consultation", {"until": str(dt.date.today() + dt.timedelta(days=3))}
    ),
    ("POST", "/api/consultations/{plan}/remarks"): lambda d: d.ask(
        "POST", f"/api/consultations/{d.draft}/remarks", {"body": "河东应归北街。"}
    ),
    ("POST", "/api/plans/{plan}/consultation/remarks/{id}"): lambda d: d.ask(
        "POST", f"/api/plans/{d.draft}/consultation/remarks/1", {"state": "released"}
    ),
    ("POST", "/api/plans/{plan}/consultation/remarks/{id}/answer"): lambda d: d.ask(
        "POST", f"/api/plans/{d.draft}/consultation/remarks/1/answer", {"answer": "已采纳。"}
    ),
    ("DELETE", "/api/plans/{plan}/consultation"): lambda d: d.ask("DELETE", f"/api/plans/{d.draft}/consultation"),
    ("POST", "/api/plans/{plan}/exceptions"): lambda d: d.ask(
        "POST", f"/api/plans/{d.draft}/exceptions", {"rule": "thin", "grid": "G0705", "reason": "整栋宿舍"}
    ),
    ("DELETE", "/api/plans/{plan}/exceptions"): lambda d: d.ask(
        "DELETE", f"/api/plans/{d.draft}/exceptions?rule=thin&grid=G0705"
    ),
    ("POST", "/api/units/{unit}/cut"): lambda d: d.ask("POST", "/api/units/U0000/cut", {"line": LINE}),
    ("POST", "/api/plans/{plan}/cut"): lambda d: d.ask("POST", f"/api/plans/{d.draft}/cut", {"unit": "U0001", "line": LINE_2}),
    ("POST", "/api/plans/overlay"): lambda d: d.ask("POST", "/api/plans/overlay", {"name": "叠合", "layers": ["首版", "street"]}),
    ("POST", "/api/plans/{plan}/rebalance"): lambda d: d.ask(
        "POST", f"/api/plans/{d.draft}/rebalance", {"name": "均衡稿", "tolerance": 0.3}
    ),
    ("POST", "/api/plans/{plan}/ensemble"): lambda d: d.ask("POST", f"/api/plans/{d.draft}/ensemble", {"plans": 10}),
    ("POST", "/api/plans/import"): import_plan,
    ("POST", "/api/plans/propose"): propose,
    ("POST", "/api/jobs/{id}/cancel"): lambda d: d.ask("POST", f"/api/jobs/{d.made['job']}/cancel"),
    ("DELETE", "/api/plans/{plan}"): discard,
    ("POST", "/api/plans/{plan}/approve"): approve,
    ("POST", "/api/plans/{plan}/rebase"): lambda d: d.ask("POST", f"/api/plans/{d.made['second']}/rebase", {"name": "移稿"}),
    ("POST", "/api/plans/{plan}/withdraw"): lambda d: d.edit("withdraw", {}),
    ("POST", "/api/loads"): load,
    ("POST", "/api/exports"): lambda d: d.ask("POST", "/api/exports", {"layer": "grids", "format": "csv"}),
    ("POST", "/api/reports"): lambda d: d.ask("POST", "/api/reports", {"format": "html", "view": {"by": "grid"}}),
    ("POST", "/api/users"): lambda d: d.ask("POST", "/api/users", {"name": "审计员", "role": "planner", "password": PASSWORD}),
    ("PATCH", "/api/users/{name}"): lambda d: d.ask("PATCH", "/api/users/审计员", {"role": "admin"}),
    ("POST", "/api/users/{name}/tokens"): token,
    ("DELETE", "/api/users/{name}/tokens/{id}"): lambda d: d.ask("DELETE", f"/api/users/审计员/tokens/{d.made['token']}"),
    ("POST", "/api/session"): sign_in,
    ("POST", "/api/session/password"): own_password,
    ("DELETE", "/api/session"): sign_out,
    ("POST", "/api/users/{name}/password"): lambda d: d.ask("POST", "/api/users/审计员/password", {"password": PASSWORD}),
}  # fmt: skip
TAKEN_OUT = ("/export.csv", "/export.geojson", "/export.gpkg")
NO_ROW_STAYS = {
    ("DELETE", "/api/plans/{plan}"),
    ("DELETE", "/api/plans/{plan}/exceptions"),
    ("POST", "/api/reports"),
}


def test_every_changing_route_is_asked() -> None:
    changing = {(r.method, r.path) for r in policy.TABLE if r.method not in ("GET", "HEAD")}
    assert changing == set(ACTS)


def newest(town: Any) -> int:
    with sessions.session(town.settings, "owner") as session:
        return int(session.scalar(text("SELECT coalesce(max(id), 0) FROM audit")) or 0)


def since(town: Any, known: int) -> list[dict[str, Any]]:
    with sessions.session(town.settings, "owner") as session:
        rows = session.execute(
            text("SELECT id, who, act, what, seq, xmin::text AS xmin FROM audit WHERE id > :k ORDER BY id"),
            {"k": known},
        )
        return [dict(row) for row in rows.mappings()]


def changed_beside(town: Any, xmin: str) -> int:
    """Rows of all other tables that the transaction of an audit row wrote."""
    with sessions.session(town.settings, "owner") as session:
        tables = session.scalars(
            text(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' "
                "AND relname NOT IN ('audit', 'answered', 'attempt', 'spatial_ref_sys')"
            )
        ).all()
        return sum(
            int(
                session.scalar(text(f'SELECT count(*) FROM "{name}" WHERE xmin::text = :x'), {"x": xmin}) or 0
            )
            for name in tables
        )


@pytest.fixture(scope="module")
def desk(town: Any) -> Desk:
    signed_in.forget_attempts(town)
    return Desk(town)


def test_every_change_leaves_its_row(town: Any, desk: Desk, heard: Interface) -> None:
    wrong: list[tuple[object, str]] = []
    for route, act in ACTS.items():
        if route[1].endswith("/rebase"):
            second = desk.ask("POST", "/api/plans", {"name": "次稿", "like": "首版"}).json()
            desk.made["second"] = second["id"]
            desk.ask(
                "POST", f"/api/plans/{second['id']}/rename", {"grid": "G0005", "name": "x", "revision": 0}
            )
        known = newest(town)
        answer = act(desk)
        rows = since(town, known)
        if not 200 <= answer.status_code < 300:
            wrong.append((route, answer.text[:300]))
        elif not rows or not all(row["seq"] and row["who"] in ("tester", "审计员") for row in rows):
            wrong.append((route, f"rows: {rows}"))
        elif route not in NO_ROW_STAYS and not any(changed_beside(town, row["xmin"]) for row in rows):
            wrong.append((route, "its row is of another transaction than the change"))
        is_json = answer.headers["content-type"] == policy.JSON
        if is_json and (*route, answer.status_code) not in heard.compared:
            wrong.append((route, "the answer was not compared with OpenAPI"))
    assert wrong == [], "\n".join(map(str, wrong))


def test_what_is_refused_leaves_no_row(town: Any, desk: Desk) -> None:
    known = newest(town)
    for path, body in (
        ("/api/plans", {"name": "首版"}), ("/api/plans/首版/rename", {"grid": "G0000", "name": "y", "revision": 0}),
        ("/api/users", {"name": "tester", "role": "admin"}), ("/api/units/U0505/cut", {"line": LINE}),
    ):  # fmt: skip
        assert desk.ask("POST", path, body).status_code >= 400
    assert since(town, known) == []


def test_what_leaves_the_house_is_counted(town: Any, desk: Desk) -> None:
    for ending in TAKEN_OUT:
        known = newest(town)
        assert desk.ask("GET", f"/api/plans/首版{ending}").status_code == 200
        (row,) = since(town, known)
        assert row["act"] == "export" and row["what"]["rows"] > 0 and row["what"]["k"] is None, row

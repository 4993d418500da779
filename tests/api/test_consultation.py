"""A draft before the public: only by setting, only when opened, until its day; remarks held, masked, limited, answered."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from api import limits
from geo.db import session as sessions
from geo.db.clock import city_today
from geo.settings import Settings
from tests.api import people
from tests.api.conftest import found_town, serving

PLANNER, ADMIN, LEADER = "张规划", "李管理", "赵网格长"


@dataclass
class Hall:
    """The service with its setting on, the draft, and people."""

    client: httpx.Client
    settings: Settings
    draft: int
    who: dict[str, people.Headers]

    def ask(self, who: str, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        return self.client.request(method, path, json=body, headers={**self.who.get(who, {}), **headers})

    def open_(self, days: int = 10, who: str = PLANNER) -> httpx.Response:
        body = {"until": str(today(self.settings) + dt.timedelta(days=days))}
        return self.ask(who, "POST", f"/api/plans/{self.draft}/consultation", body)

    def public(self, what: str = "", **more: Any) -> httpx.Response:
        return self.client.get(f"/api/consultations/{self.draft}{what}", **more)

    def remark(self, body: str = "河东应归北街。", **more: Any) -> httpx.Response:
        self.forget()
        return self.ask("", "POST", f"/api/consultations/{self.draft}/remarks", {"body": body, **more})

    def queue(self, who: str = PLANNER) -> dict[str, Any]:
        found: dict[str, Any] = self.ask(who, "GET", f"/api/plans/{self.draft}/consultation").json()
        return found

    def decide(self, remark: int, state: str, who: str = PLANNER) -> httpx.Response:
        path = f"/api/plans/{self.draft}/consultation/remarks/{remark}"
        return self.ask(who, "POST", path, {"state": state})

    def forget(self) -> None:
        with sessions.session(self.settings, "owner") as session:
            session.execute(text("DELETE FROM attempt"))

    def move(self, statement: str, **values: Any) -> None:
        with sessions.session(self.settings, "owner") as session:
            session.execute(text(statement), {"d": self.draft, **values})


def today(settings: Settings) -> dt.date:
    with sessions.session(settings, "owner") as session:
        return city_today(session)


@pytest.fixture
def hall(settings: Settings) -> Iterator[Hall]:
    with sessions.session(settings, "owner") as session:
        found_town(session, cases=300)
        draft = session.scalar(text("SELECT id FROM plan WHERE name = '草稿'"))
    who = {
        PLANNER: people.token(settings, PLANNER, "planner"),
        ADMIN: people.token(settings, ADMIN, "admin"),
        LEADER: people.token(settings, LEADER, "supervisor", ("community", "C00")),
        "员": people.token(settings, "员", "worker", ("community", "C00")),
    }
    with (
        serving(settings.with_(public_comments=True)) as (url, _),
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        yield Hall(client, settings, int(draft or 0), who)


def ways(draft: int) -> list[tuple[str, str]]:
    """Every address under which the public may see a draft."""
    at = f"/api/consultations/{draft}"
    return [
        ("GET", at),
        ("GET", f"{at}/changes"),
        ("GET", f"/tiles/consultations/{draft}/grids/12/3371/1551.mvt"),
        ("POST", f"{at}/remarks"),
    ]


def told(hall: Hall, who: str = "", draft: int | None = None) -> list[tuple[int, str]]:
    """Status and words of each of them, without the address and the number that was asked."""
    hall.forget()
    number = hall.draft if draft is None else draft
    found = []
    for method, path in ways(number):
        answer = hall.ask(who, method, path, {"body": "x"} if method == "POST" else None)
        body = (
            answer.text.replace(f"consultations/{number}", "consultations/N").replace(f" {number}", " N")
            if answer.status_code == 404
            else ""
        )
        found.append((answer.status_code, body))
    return found


def test_what_is_not_open_is_not_there(hall: Hall) -> None:
    """Never opened, closed, past its day, approved, an approved plan, another name: each is word for word a missing plan."""
    missing = told(hall, draft=987654)
    assert [status for status, _ in missing] == [404] * 4
    assert told(hall) == missing
    assert hall.open_().status_code == 200
    assert [status for status, _ in told(hall)] == [200, 200, 200, 201]
    for before, after in (
        ("UPDATE consultation SET closed_at = now()", "UPDATE consultation SET closed_at = NULL"),
        ("UPDATE consultation SET last_day = :y", "UPDATE consultation SET last_day = :t"),
        (
            "UPDATE plan SET state = 'withdrawn' WHERE id = :d",
            "UPDATE plan SET state = 'draft' WHERE id = :d",
        ),
    ):
        day = today(hall.settings)
        hall.move(before, **({"y": day - dt.timedelta(days=1)} if ":y" in before else {}))
        for who in (
            "",
            "员",
            LEADER,
            PLANNER,
            ADMIN,
        ):  # this is the public's door: everybody stands before it alike
            assert told(hall, who) == missing, before
        hall.move(after, **({"t": day} if ":t" in after else {}))
        assert [status for status, _ in told(hall)] == [200, 200, 200, 201], after
    assert hall.client.get("/api/consultations/草稿").status_code == 404  # its name opens nothing
    with sessions.session(hall.settings, "owner") as session:
        approved = session.scalar(text("SELECT id FROM plan WHERE state = 'approved'"))
    assert told(hall, draft=int(approved or 0)) == missing


def test_with_the_setting_off_nothing_is_open(hall: Hall) -> None:
    assert hall.open_().status_code == 200
    with serving(hall.settings) as (url, _), httpx.Client(base_url=url, timeout=60) as client:
        for method, path in ways(hall.draft):
            answer = client.request(method, path, json={"body": "x"} if method == "POST" else None)
            assert answer.status_code == 404, path
        refused = client.post(
            f"/api/plans/{hall.draft}/consultation",
            json={"until": str(today(hall.settings))},
            headers={**hall.who[PLANNER], "Accept-Language": "en"},
        )
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:wangge:problem:consultation-off")
        assert "WANGGE_PUBLIC_COMMENTS" in refused.json()["detail"]
        state = client.get(f"/api/plans/{hall.draft}/consultation", headers=hall.who[PLANNER]).json()
        assert state["enabled"] is False


def test_other_doors_stay_shut(hall: Hall) -> None:
    """Open to be looked at is not open to be counted by: figures under a draft would be subtracted from those in force."""
    assert hall.open_().status_code == 200
    for path in (
        "/api/plans/{}", "/api/heatmap/grids?plan={}", "/api/zones?by=grid&plan={}", "/tiles/plans/{}/grids",
        "/tiles/grids/12/3371/1551.mvt?plan={}", "/api/summary?by=grid&code=G0000&plan={}",
    ):  # fmt: skip
        assert hall.client.get(path.format(hall.draft)).status_code == 404, path
    assert hall.client.get(f"/api/plans/{hall.draft}/comments").status_code == 401


def test_who_may_open_and_until_when(hall: Hall) -> None:
    path = f"/api/plans/{hall.draft}/consultation"
    for who, status in (("", 401), ("员", 403), (LEADER, 403)):
        assert hall.open_(who=who).status_code == status
        assert hall.ask(who, "DELETE", path).status_code == status
    for days in (-1, 400):
        refused = hall.open_(days)
        assert (refused.status_code, refused.json()["field"]) == (400, "until")
    assert hall.ask(PLANNER, "DELETE", path).status_code == 409  # nothing is open
    assert hall.open_(0).json()["opening"]["open"] is True  # today is a day
    later = hall.open_(20, ADMIN).json()["opening"]
    assert later["last_day"] == str(today(hall.settings) + dt.timedelta(days=20))
    closed = hall.ask(PLANNER, "DELETE", path)
    assert closed.json()["opening"]["open"] is False
    current = hall.ask(PLANNER, "POST", "/api/plans/current/consultation", {"until": "2099-01-01"})
    assert current.status_code == 409  # no draft
    with sessions.session(hall.settings, "owner") as session:
        acts = session.execute(
            text("SELECT who, act FROM audit WHERE act LIKE 'plan.consult%' ORDER BY id")
        ).all()
    assert [tuple(row) for row in acts] == [
        (PLANNER, "plan.consult"), (ADMIN, "plan.consult"), (PLANNER, "plan.consult-close"),
    ]  # fmt: skip


def test_what_the_public_sees(hall: Hall) -> None:
    """Grids and changed ground, no person, no comment of the staff, nothing about cases."""
    hall.move("UPDATE plan SET author = '某某编制' WHERE id = :d")
    hall.ask(PLANNER, "POST", f"/api/plans/{hall.draft}/comments", {"body": "内部讨论"})
    hall.open_()
    found = hall.public()
    page = found.json()
    assert set(page) == {
        "plan", "until", "in_force", "codes", "names", "boxes", "most_characters", "remarks",
    }  # fmt: skip
    assert set(page["plan"]) == {"id", "name", "grids"}
    assert len(page["codes"]) == page["plan"]["grids"] == 50
    assert page["codes"][0] == "G0000"
    assert page["boxes"][0] == [116.3, 39.9, 116.304, 39.902]
    for word in ("某某编制", "内部讨论", PLANNER):
        assert word not in found.text
    again = hall.public(headers={"If-None-Match": found.headers["etag"]})
    assert again.status_code == 304
    (feature,) = hall.public("/changes").json()["features"]
    assert feature["geometry"]["type"] in ("Polygon", "MultiPolygon")
    # grids of 5 × 1 became 2 × 1: of each five units one pair goes on, three have changed hands
    assert feature["properties"] == {"area_share": pytest.approx(0.6, abs=0.01)}


def test_a_remark_is_held_released_answered_refused(hall: Hall) -> None:
    hall.open_()
    sent = hall.remark("请打 13800138000 找我", grid="G0002")
    assert sent.status_code == 201
    assert sent.json() == {"state": "held", "body": "请打 [手机] 找我", "masked": ["mobile"]}
    hidden = hall.remark("13800\u200b138\u202e000")  # a number that hides behind what cannot be seen
    assert hidden.json()["body"] == "[手机]"
    assert hall.public().json()["remarks"] == []
    queue = hall.queue()
    assert queue["counts"] == {"held": 2, "released": 0, "refused": 0}
    second, first = queue["remarks"]
    assert (first["grid"], first["body"], first["state"]) == ("G0002", "请打 [手机] 找我", "held")
    assert hall.queue(LEADER)["counts"]["held"] == 2  # reads, as all comments
    assert hall.decide(first["id"], "released", LEADER).status_code == 403
    assert hall.decide(first["id"], "released").status_code == 200
    assert hall.decide(second["id"], "refused").status_code == 200
    path = f"/api/plans/{hall.draft}/consultation/remarks/{first['id']}/answer"
    said = hall.ask(ADMIN, "POST", path, {"answer": "已采纳。联系 13900139000"})
    assert said.json()["remark"]["answer"] == "已采纳。联系 [手机]"
    answer = hall.public()
    (shown,) = answer.json()["remarks"]
    day = str(today(hall.settings))
    assert shown == {
        "id": first["id"], "grid": "G0002", "body": "请打 [手机] 找我", "on": day, "answer": "已采纳。联系 [手机]",
        "answered_on": day,
    }  # fmt: skip
    assert ADMIN not in answer.text
    assert PLANNER not in answer.text
    assert hall.ask(ADMIN, "POST", path, {"answer": None}).json()["remark"]["answered_by"] is None
    assert hall.decide(first["id"], "held").status_code == 200
    assert hall.public().json()["remarks"] == []
    with sessions.session(hall.settings, "owner") as session:
        rows = session.execute(
            text("SELECT who, act FROM audit WHERE act LIKE 'plan.remark%' ORDER BY id")
        ).all()
        stored = session.scalar(text("SELECT string_agg(r::text, ' ') FROM public_remark r"))
    assert [row.who for row in rows] == ["public", "public", PLANNER, PLANNER, ADMIN, ADMIN, PLANNER]
    assert "13800138000" not in str(stored)


@pytest.mark.parametrize(
    "body",
    [
        {}, {"body": ""}, {"body": " \n "}, {"body": "\u200b"}, {"body": "x" * 1001}, {"body": "x\0y"}, {"body": 7},
        {"body": "x", "grid": "nope"}, {"body": "x", "name": "我"}, {"body": "x", "state": "released"},
    ],
)  # fmt: skip
def test_remarks_that_are_refused(hall: Hall, body: dict[str, Any]) -> None:
    hall.open_()
    answer = hall.ask("", "POST", f"/api/consultations/{hall.draft}/remarks", body)
    assert answer.status_code == 400, answer.text
    assert hall.queue()["counts"]["held"] == 0


def test_other_sites_send_no_remark(hall: Hall) -> None:
    hall.open_()
    path = f"/api/consultations/{hall.draft}/remarks"
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://elsewhere.example"}):
        answer = hall.ask("", "POST", path, {"body": "x"}, **headers)
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:wangge:problem:cross-site")
    form = hall.client.post(path, data={"body": "x"})
    assert form.status_code == 415
    assert hall.queue()["counts"]["held"] == 0


def test_many_remarks_are_limited(hall: Hall) -> None:
    """Six a minute and twenty an hour from one network."""
    hall.open_()
    path = f"/api/consultations/{hall.draft}/remarks"
    route = "heavy POST /api/consultations/{plan}/remarks"
    minute = limits._key(route, "network 127.0.0.1", limits.Limit(6, 60))
    answers = []
    for _ in range(4):
        answers += [hall.ask("", "POST", path, {"body": "x"}) for _ in range(6)]
        if len(answers) == 6:
            full = hall.ask("", "POST", path, {"body": "x"})
            assert full.status_code == 429
            assert int(full.headers["Retry-After"]) <= 120
        hall.move("DELETE FROM attempt WHERE key = :k", k=minute)  # the next minute
    assert [a.status_code for a in answers] == [201] * 20 + [429] * 4
    assert int(answers[-1].headers["Retry-After"]) > 120
    assert hall.queue()["counts"]["held"] == 20


def test_a_full_queue_takes_no_more(hall: Hall) -> None:
    hall.open_()
    hall.move(
        "INSERT INTO public_remark (plan_id, body, revision) SELECT :d, 'x', 0 FROM generate_series(1, 1000)"
    )
    answer = hall.remark()
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:wangge:problem:remarks-full")


def test_what_waits_is_found_behind_a_thousand_newer_refusals(hall: Hall) -> None:
    hall.open_()
    assert hall.remark().status_code == 201
    hall.move(
        "INSERT INTO public_remark (plan_id, body, revision, state, decided_by, decided_at) "
        "SELECT :d, 'x', 0, 'refused', 'p', now() FROM generate_series(1, 1001)"
    )
    assert hall.queue()["remarks"][0]["state"] == "held"


def test_a_remark_goes_with_its_draft(hall: Hall) -> None:
    hall.open_()
    assert hall.remark().status_code == 201
    gone = hall.ask(PLANNER, "DELETE", f"/api/plans/{hall.draft}", **{"If-Match": "*"})
    assert gone.status_code == 200, gone.text
    with sessions.session(hall.settings, "owner") as session:
        assert session.scalar(text("SELECT count(*) FROM public_remark")) == 0
        assert session.scalar(text("SELECT count(*) FROM consultation")) == 0

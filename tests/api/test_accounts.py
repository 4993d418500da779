"""Accounts over HTTP: every act with its audit row, the last admin, roles and areas, changes that hold for live sessions."""

from __future__ import annotations

import threading
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from api import auth
from api.accounts import LastAdmin
from geo.db import session as sessions
from geo.errors import Conflict, NotFound, RefusedArgument
from geo.settings import Settings
from tests.api import signed_in as people
from tests.api.signed_in import PASSWORD

S1 = {"level": "street", "code": "S1"}


@pytest.fixture
def fresh(town: Any) -> Any:
    people.forget_attempts(town)
    return town


def acts(town: Any) -> list[tuple[str, str, Any]]:
    with sessions.session(town.settings, "app") as session:
        return [tuple(row) for row in session.execute(text("SELECT who, act, what FROM audit ORDER BY id"))]


def ask(town: Any, method: str, path: str, body: Any = None) -> httpx.Response:
    return town.ask(method, path, json=body, headers={**town.admin, "Accept-Language": "en"})


def test_two_accounts_of_one_name_at_once(fresh: Any) -> None:
    """The second waits for the first and is told that the name is taken; it is no fault of the service's."""
    answers: list[httpx.Response] = []
    second = threading.Thread(
        target=lambda: answers.append(ask(fresh, "POST", "/api/users", {"name": "双生", "role": "planner"}))
    )
    with sessions.session(fresh.settings, "app") as session:
        auth.add_user(session, "双生", role="planner")
        second.start()
        second.join(timeout=1)
        assert second.is_alive()
    second.join(timeout=20)
    assert [(a.status_code, a.json().get("field")) for a in answers] == [(409, "name")]


def test_the_life_of_an_account(fresh: Any) -> None:
    known = len(acts(fresh))
    made = ask(fresh, "POST", "/api/users", {"name": "李明", "role": "supervisor", "area": S1})
    assert made.status_code == 201, made.text
    told = made.json()
    assert told["area"] == {**S1, "name": "东街"}
    assert "password_hash" not in told
    first = told["password_made"]
    page = people.carrying(people.sign_in(fresh, "李明", first))
    assert fresh.get("/api/session", headers=page).json()["area"] == {**S1, "name": "东街"}
    listed = {u["name"]: u for u in ask(fresh, "GET", "/api/users").json()["users"]}
    assert (listed["李明"]["sessions"], listed["李明"]["tokens"], listed["李明"]["password"]) == (1, [], True)
    assert first not in str(listed)

    issued = ask(fresh, "POST", "/api/users/李明/tokens", {"days": 3, "label": "报表"}).json()
    bearer = {"Authorization": f"Bearer {issued['token']}"}
    assert fresh.get("/api/session", headers=bearer).json()["role"] == "supervisor"
    listed = {u["name"]: u for u in ask(fresh, "GET", "/api/users").json()["users"]}
    assert [(t["id"], t["label"]) for t in listed["李明"]["tokens"]] == [(issued["id"], "报表")]
    assert listed["李明"]["seen_at"] is not None
    assert issued["token"] not in str(listed)

    # a new role holds for what is signed in already
    changed = ask(fresh, "PATCH", "/api/users/李明", {"role": "planner"})
    assert changed.json()["area"] is None
    assert fresh.get("/api/session", headers=page).json()["role"] == "planner"
    assert fresh.get("/api/session", headers=bearer).json()["role"] == "planner"

    # a new password ends the sessions, not the programs' tokens
    second = ask(fresh, "POST", "/api/users/李明/password", {}).json()["password_made"]
    assert fresh.get("/api/session", headers=page).json()["role"] == "public"
    assert fresh.get("/api/session", headers=bearer).json()["role"] == "planner"
    assert people.sign_in(fresh, "李明", first).status_code == 401
    page = people.carrying(people.sign_in(fresh, "李明", second))

    assert ask(fresh, "DELETE", f"/api/users/李明/tokens/{issued['id']}").status_code == 200
    assert fresh.get("/api/session", headers=bearer).status_code == 401
    assert ask(fresh, "DELETE", f"/api/users/李明/tokens/{issued['id']}").status_code == 404

    assert ask(fresh, "PATCH", "/api/users/李明", {"disabled": True}).json()["disabled_at"]
    assert fresh.get("/api/session", headers=page).json()["role"] == "public"
    assert people.sign_in(fresh, "李明", second).status_code == 401
    assert ask(fresh, "PATCH", "/api/users/李明", {"disabled": False}).json()["disabled_at"] is None
    assert fresh.get("/api/session", headers=page).json()["role"] == "public"  # what was ended stays ended
    assert people.sign_in(fresh, "李明", second).status_code == 200

    told = [(who, act) for who, act, _ in acts(fresh)[known:]]
    for act in (
        "user add",
        "token issue",
        "user role",
        "user password",
        "token revoke",
        "user disable",
        "user enable",
    ):
        assert ("tester", act) in told, act
    assert told.count(("李明", "sign in")) == 3
    assert [w for _, act, w in acts(fresh) if act == "user role" and w["user"] == "李明"] == [
        {"user": "李明", "from": "supervisor", "to": "planner", "area": None}
    ]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "x", "role": "worker"}, "area"),
        ({"name": "x", "role": "supervisor", "area": {"level": "street", "code": "nowhere"}}, "area"),
        ({"name": "x", "role": "supervisor", "area": {"level": "nothing", "code": "S1"}}, "area"),
        ({"name": "x", "role": "planner", "area": S1}, "area"),
        ({"name": "x", "role": "boss"}, "role"),
        ({"name": "x/y", "role": "planner"}, "name"),
        ({"name": " x", "role": "planner"}, "name"),
        ({"name": "..", "role": "planner"}, "name"),
        ({"name": "a\u202eb", "role": "planner"}, "name"),
        ({"name": "x", "role": "planner", "password": "short"}, "password"),
        ({"name": "x", "role": "planner", "admin": True}, "admin"),
    ],
)  # fmt: skip
def test_what_is_no_account(fresh: Any, body: Any, field: str) -> None:
    known = acts(fresh)
    answer = ask(fresh, "POST", "/api/users", body)
    assert answer.status_code == 400
    assert answer.json()["field"] == field
    assert acts(fresh) == known
    assert people.sql(fresh, "SELECT count(*) FROM app_user WHERE name IN ('x', 'x/y', ' x', '..')") == 0


def test_names_are_taken_once(fresh: Any) -> None:
    assert ask(fresh, "POST", "/api/users", {"name": "caf\u00e9", "role": "planner"}).status_code == 201
    again = ask(fresh, "POST", "/api/users", {"name": "cafe\u0301", "role": "planner"})
    assert again.status_code == 409
    assert ask(fresh, "PATCH", "/api/users/nobody", {"role": "planner"}).status_code == 404


def test_roles_and_areas_stay_together(fresh: Any) -> None:
    people.add(fresh, "换岗", "worker", auth.Area("street", "S1"))
    assert (
        ask(fresh, "PATCH", "/api/users/换岗", {"role": "supervisor"}).json()["area"]["code"] == "S1"
    )  # the area stays
    assert (
        ask(fresh, "PATCH", "/api/users/换岗", {"area": {"level": "community", "code": "C01"}}).json()[
            "area"
        ]["code"]
        == "C01"
    )
    assert ask(fresh, "PATCH", "/api/users/换岗", {"role": "admin"}).json()["area"] is None
    assert ask(fresh, "PATCH", "/api/users/换岗", {"role": "worker"}).status_code == 400
    assert ask(fresh, "PATCH", "/api/users/换岗", {"role": "planner"}).status_code == 200


def test_only_admins(fresh: Any) -> None:
    people.add(fresh, "规划师", "planner")
    mine = people.carrying(people.sign_in(fresh, "规划师"))
    for method, path, body in (
        ("GET", "/api/users", None), ("POST", "/api/users", {"name": "y", "role": "admin"}), ("GET", "/api/audit", None),
        ("PATCH", "/api/users/规划师", {"role": "admin"}), ("POST", "/api/users/tester/password", {}),
        ("GET", "/api/audit/state", None), ("POST", "/api/users/规划师/tokens", {}),
    ):  # fmt: skip
        assert fresh.ask(method, path, json=body, headers=mine).status_code == 403, path
        assert fresh.ask(method, path, json=body).status_code == 401, path


def test_own_password(fresh: Any) -> None:
    people.add(fresh, "自改", "planner")
    here, there = (people.carrying(people.sign_in(fresh, "自改")) for _ in range(2))
    answer = fresh.ask(
        "POST",
        "/api/session/password",
        json={"old": "not it at all", "new": "nine grey windows"},
        headers=here,
    )
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:wangge:problem:password-wrong")
    assert (
        fresh.ask(
            "POST", "/api/session/password", json={"old": PASSWORD, "new": "自改自改自改12"}, headers=here
        ).status_code
        == 400
    )
    assert fresh.get("/api/session", headers=there).json()["name"] == "自改"
    done = fresh.ask(
        "POST", "/api/session/password", json={"old": PASSWORD, "new": "nine grey windows"}, headers=here
    )
    assert done.status_code == 200, done.text
    assert fresh.get("/api/session", headers=here).json()["name"] == "自改"
    assert fresh.get("/api/session", headers=there).json()["name"] is None
    assert people.sign_in(fresh, "自改").status_code == 401
    assert people.sign_in(fresh, "自改", "nine grey windows").status_code == 200
    assert ("自改", "user password") in [(who, act) for who, act, _ in acts(fresh)]
    assert (
        fresh.ask(
            "POST", "/api/session/password", json={"old": PASSWORD, "new": "nine grey windows"}
        ).status_code
        == 401
    )
    none = fresh.ask(
        "POST", "/api/session/password", json={"old": "x", "new": "nine grey windows"}, headers=fresh.admin
    )
    assert none.json()["type"] == "urn:wangge:problem:password-none"


def test_guessing_an_old_password_is_limited(fresh: Any) -> None:
    people.add(fresh, "被偷", "planner")
    mine = people.carrying(people.sign_in(fresh, "被偷"))
    bodies = [{"old": f"guess number {i}", "new": "nine grey windows"} for i in range(14)]
    statuses = [
        fresh.ask("POST", "/api/session/password", json=body, headers=mine).status_code for body in bodies
    ]
    assert statuses.count(403) == 10
    assert statuses[-1] == 429


def test_the_record_of_acts(fresh: Any) -> None:
    ask(fresh, "POST", "/api/users", {"name": "被记", "role": "planner"})
    people.sign_in(fresh, "被记", "wrong but recorded nowhere")
    page = ask(fresh, "GET", "/api/audit?limit=2").json()
    assert len(page["acts"]) == 2
    assert page["acts"][0]["act"] == "user add"
    older = ask(fresh, "GET", f"/api/audit?limit=2&before={page['next']}").json()
    assert older["acts"][0]["id"] < page["acts"][-1]["id"]
    mine = ask(fresh, "GET", "/api/audit?who=tester&limit=1000").json()
    assert {a["who"] for a in mine["acts"]} == {"tester"}
    assert "tester" in mine["people"]
    state = ask(fresh, "GET", "/api/audit/state").json()
    assert state["first_bad"] is None
    assert state["rows"] == len(acts(fresh))


# -- in the database -------------------------------------------------------------------------------------


def test_the_last_admin_stays(settings: Settings, db: Session) -> None:
    auth.add_user(db, "甲")
    for change in (auth.Change(disabled=True), auth.Change(role="planner")):
        with pytest.raises(LastAdmin), db.begin_nested():
            auth.change_user(db, "甲", change)
    auth.add_user(db, "乙")
    auth.change_user(db, "甲", auth.Change(role="planner"))
    with pytest.raises(Conflict), db.begin_nested():
        auth.disable_user(db, "乙")


def test_two_admins_cannot_shut_each_other_out(settings: Settings) -> None:
    for _ in range(4):
        with sessions.session(settings) as session:
            session.execute(text("TRUNCATE app_user CASCADE"))
            auth.add_user(session, "甲")
            auth.add_user(session, "乙")
        start, ended = threading.Barrier(2), []

        def shut(name: str, start: Any = start, ended: Any = ended) -> None:
            start.wait()
            try:
                with sessions.session(settings) as session:
                    auth.disable_user(session, name)
                ended.append("done")
            except LastAdmin:
                ended.append("refused")

        threads = [threading.Thread(target=shut, args=(name,)) for name in ("甲", "乙")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(ended) == ["done", "refused"]


def test_no_row_of_the_record_without_its_act(settings: Settings) -> None:
    """Both come with one commit or neither does."""
    with pytest.raises(ZeroDivisionError), sessions.session(settings) as session:
        auth.add_user(session, "半途")
        raise ZeroDivisionError
    with sessions.session(settings) as session:
        assert session.scalar(text("SELECT count(*) FROM app_user")) == 0
        assert session.scalar(text("SELECT count(*) FROM audit")) == 0


def test_subjects_are_linked_once(db: Session) -> None:
    auth.add_user(db, "甲", oidc_subject="sub-1")
    auth.add_user(db, "乙")
    with pytest.raises(Conflict), db.begin_nested():
        auth.change_user(db, "乙", auth.Change(oidc_subject="sub-1"))
    auth.change_user(db, "甲", auth.Change(oidc_subject=""))
    auth.change_user(db, "乙", auth.Change(oidc_subject="sub-1"))
    with pytest.raises(NotFound):
        auth.change_user(db, "丙", auth.Change(role="planner"))
    with pytest.raises(RefusedArgument):
        auth.add_user(db, "丁", role="worker")


def test_a_worker_without_an_area_from_before(db: Session) -> None:
    """Migrated accounts may lack one; they are listed as such and cannot get one that is not there."""
    db.execute(text("INSERT INTO app_user (name, role) VALUES ('旧', 'worker')"))
    assert next(u for u in auth.list_users(db) if u["name"] == "旧")["area_level"] is None
    with pytest.raises(RefusedArgument):
        auth.change_user(db, "旧", auth.Change(area=auth.Area("street", "S9")))

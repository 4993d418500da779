"""Nobody approves what they made or changed, unless the office is a small one; whoever owns the machine may."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from geo.db import session as sessions
from geo.settings import Settings
from grids import plans
from tests.api import people
from tests.api.conftest import found_town, serving

DAY = "2033-01-01"
MAY = {"zh": "可批准者", "en": "May approve it"}


@dataclass
class Office:
    client: httpx.Client
    settings: Settings
    who: dict[str, people.Headers]
    small: bool

    def ask(self, who: str, method: str, path: str, body: Any = None, lang: str = "zh") -> httpx.Response:
        return self.client.request(method, f"{path}?lang={lang}", json=body, headers=self.who[who])

    def approve(self, who: str, plan: Any, revision: int, lang: str = "zh") -> httpx.Response:
        body = {"from": DAY, "revision": revision}
        return self.ask(who, "POST", f"/api/plans/{plan}/approve", body, lang)


@pytest.fixture(params=[False, True], ids=["office", "small office"])
def office(settings: Settings, request: pytest.FixtureRequest) -> Iterator[Office]:
    with sessions.session(settings, "owner") as session:
        found_town(session, cases=300)
    who = {name: people.token(settings, name, "planner") for name in ("甲", "乙")}
    who["管"] = people.token(settings, "管", "admin")
    people.token(settings, "旧", "planner", disabled=True)
    with (
        serving(settings.with_(small_office=request.param)) as (url, _),
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        yield Office(client, settings, who, request.param)


def begun(office: Office, who: str, name: str) -> int:
    answer = office.ask(who, "POST", "/api/plans", {"name": name, "like": "current"})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["plan"] if "plan" in answer.json() else answer.json()["id"])


def changed(office: Office, who: str, plan: int, revision: int) -> int:
    body = {"grid": "G0000", "name": f"{who}的网格{revision}", "revision": revision}
    answer = office.ask(who, "POST", f"/api/plans/{plan}/rename", body)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["revision"])


def test_who_may_approve(office: Office) -> None:
    plan = begun(office, "甲", "甲稿")
    with sessions.session(office.settings, "owner") as session:
        session.execute(text("UPDATE plan SET nesting = 'free' WHERE id = :p"), {"p": plan})
    revision = changed(office, "乙", plan, 0)
    undone = office.ask("乙", "POST", f"/api/plans/{plan}/undo", {"revision": revision})
    revision = undone.json()["revision"]
    for who in ("甲", "乙"):  # an act that was taken back is one's hand too
        for lang in ("zh", "en"):
            if office.small:
                continue
            refused = office.approve(who, plan, revision, lang)
            assert refused.status_code == 403, refused.text
            told = refused.json()
            assert told["type"] == "urn:wangge:problem:own-plan"
            assert told["approvers"] == ["管"]
            assert MAY[lang] in told["detail"]
    done = office.approve("甲" if office.small else "管", plan, revision)
    assert done.status_code == 200, done.text
    assert done.json()["state"] == "approved"


def test_nobody_is_left(office: Office) -> None:
    plan = begun(office, "管", "众人稿")
    revision = 0
    for who in ("甲", "乙"):
        revision = changed(office, who, plan, revision)
    changed(office, "管", plan, revision)
    refused = office.approve("管", plan, 0, "en")
    if office.small:
        assert refused.status_code == 409  # the revision, not the person
    else:
        assert (refused.status_code, refused.json()["approvers"]) == (403, [])
        assert "WANGGE_SMALL_OFFICE" in refused.json()["detail"]


def test_who_asked_for_a_proposal_is_its_author(office: Office) -> None:
    """The job's author, even if the plan's row named somebody else; and whoever owns the machine stays able to."""
    with sessions.session(office.settings, "owner") as session:
        plan = session.scalar(text("SELECT id FROM plan WHERE name = '草稿'"))
        session.execute(text("UPDATE plan SET nesting = 'free' WHERE id = :p"), {"p": plan})
        session.execute(
            text(
                "INSERT INTO job (kind, state, author, result) VALUES ('plan.propose', 'done', '甲', "
                "jsonb_build_object('plans', jsonb_build_array(jsonb_build_object('id', CAST(:p AS int), 'name', 'x'))))"
            ),
            {"p": plan},
        )
    answer = office.approve("甲", plan, 999)
    assert answer.status_code == (409 if office.small else 403)
    other = office.approve("乙", plan, 999)
    assert (other.status_code, other.json()["type"]) == (409, "urn:wangge:problem:stale-revision")
    with sessions.session(office.settings, "owner") as session:
        done = plans.approve(session, int(plan or 0), dt.date(2033, 1, 1))
        assert done.state == "approved"
        who = session.scalar(text("SELECT who FROM audit WHERE act = 'plan.approve'"))
        assert who == "operator"


@pytest.mark.parametrize("way", ["copied", "copied twice", "carried over", "merged"])
def test_a_draft_made_of_a_draft_carries_its_hands(office: Office, way: str) -> None:
    """甲 drew, 乙 changed, 管 makes a new draft of it: none of the three may approve that one."""
    people.token(office.settings, "丙", "planner")
    source = begun(office, "甲", "底稿")
    changed(office, "乙", source, 0)
    plan = {"copied": copied, "copied twice": copied_twice, "carried over": carried, "merged": merged}[way](
        office, source
    )
    changed(office, "甲", source, 1)  # what happens to the source later is no matter
    with sessions.session(office.settings, "owner") as session:
        session.execute(text("UPDATE plan SET author = '别人' WHERE id = :p"), {"p": source})
    gone = office.client.delete(f"/api/plans/{source}", headers={**office.who["甲"], "If-Match": "*"})
    assert gone.status_code == 200, gone.text  # the hands stay when the source is thrown away
    for who in ("甲", "乙", "管"):
        refused = office.approve(who, plan, 999)
        if office.small:
            assert refused.status_code == 409  # the revision, not the person
        else:
            assert refused.status_code == 403, refused.text
            assert refused.json()["approvers"] == ["丙"]


def copied(office: Office, source: int, who: str = "管", name: str = "新稿") -> int:
    answer = office.ask(who, "POST", "/api/plans", {"name": name, "like": str(source)})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


def copied_twice(office: Office, source: int) -> int:
    return copied(office, copied(office, source, "管", "中稿"), "管")


def carried(office: Office, source: int) -> int:
    """Onto another approved plan."""
    between = begun(office, "管", "间稿")
    with sessions.session(office.settings, "owner") as session:
        session.execute(text("UPDATE plan SET nesting = 'free' WHERE id = :p"), {"p": between})
        session.flush()
        plans.approve(session, between, dt.date(2032, 1, 1))
    answer = office.ask("管", "POST", f"/api/plans/{source}/rebase", {"name": "移稿"})
    assert answer.status_code in (200, 201), answer.text
    return int(answer.json().get("id") or answer.json()["plan"])


def merged(office: Office, source: int) -> int:
    body = {"name": "合稿", "layers": [str(source), "street"]}
    answer = office.ask("管", "POST", "/api/plans/overlay", body)
    assert answer.status_code in (200, 201), answer.text
    return int(answer.json()["id"])


def test_what_was_approved_hands_nobody_on(office: Office) -> None:
    """A draft of the plan in force is its author's alone, whoever drew that plan long ago."""
    with sessions.session(office.settings, "owner") as session:
        session.execute(text("ALTER TABLE plan DISABLE TRIGGER USER"))
        session.execute(text("UPDATE plan SET author = '乙' WHERE state = 'approved'"))
        session.execute(text("ALTER TABLE plan ENABLE TRIGGER USER"))
    plan = begun(office, "甲", "甲稿")
    answer = office.approve("乙", plan, 999)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:wangge:problem:stale-revision")

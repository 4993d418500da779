"""Safe writes: once under a key, only on the revision that was seen, only bodies of the right kind and size."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from api import auth, writes
from geo.db import session as sessions

AS_JSON = {"Content-Type": "application/json"}


def day(plan: int) -> str:
    """A first day of each plan's own."""
    return (dt.date.today() + dt.timedelta(days=plan)).isoformat()


@pytest.fixture
def draft(town: Any) -> int:
    """A fresh draft: a copy of the town's."""
    with sessions.session(town.settings) as session:
        source = session.scalar(text("SELECT id FROM plan WHERE name = '草稿'"))
        plan = session.scalar(
            text(
                "INSERT INTO plan (name, author, nesting) VALUES (gen_random_uuid()::text, 'maker', 'free') RETURNING id"
            )
        )
        session.execute(
            text(
                "INSERT INTO grid (plan_id, code, name, geom, area_m2, perimeter_m) "
                "SELECT :p, code, name, geom, area_m2, perimeter_m FROM grid WHERE plan_id = :s"
            ),
            {"p": plan, "s": source},
        )
        session.execute(
            text(
                "INSERT INTO plan_unit (plan_id, unit_id, grid_id) SELECT :p, pu.unit_id, new.id FROM plan_unit pu "
                "JOIN grid old ON old.id = pu.grid_id JOIN grid new ON new.plan_id = :p AND new.code = old.code "
                "WHERE pu.plan_id = :s"
            ),
            {"p": plan, "s": source},
        )
    return int(plan or 0)


def send(town: Any, method: str, path: str, key: str | None = None, **more: Any) -> httpx.Response:
    headers = {**town.admin, **({"Idempotency-Key": key} if key else {}), **more.pop("headers", {})}
    answer: httpx.Response = town.ask(method, path, headers=headers, **more)
    return answer


def count(town: Any, statement: str, **values: Any) -> int:
    with sessions.session(town.settings) as session:
        return int(session.scalar(text(statement), values) or 0)


def approvals(town: Any, plan: int) -> int:
    return count(
        town, "SELECT count(*) FROM audit WHERE act = 'plan.approve' AND what->>'plan' = :p", p=str(plan)
    )


def test_a_repeated_request_has_one_effect_and_one_answer(town: Any, draft: int) -> None:
    body = {"from": day(draft), "revision": 0}
    first = send(town, "POST", f"/api/plans/{draft}/approve", "a-1", json=body)
    again = send(town, "POST", f"/api/plans/{draft}/approve", '"a-1"', json=body)
    assert (first.status_code, again.status_code) == (200, 200), first.text
    assert again.content == first.content and first.json()["state"] == "approved"
    assert again.headers["etag"] == first.headers["etag"]
    assert "idempotency-replayed" not in first.headers and again.headers["idempotency-replayed"] == "true"
    assert approvals(town, draft) == 1
    without = send(town, "POST", f"/api/plans/{draft}/approve", json=body)
    assert without.status_code == 409 and without.json()["type"] == "urn:wangge:problem:plan-not-draft"


def test_a_key_belongs_to_one_request_and_one_person(town: Any, draft: int) -> None:
    path = f"/api/plans/{draft}/approve"
    assert send(town, "POST", path, "b-1", json={"from": day(draft), "revision": 0}).status_code == 200
    other = send(town, "POST", path, "b-1", json={"from": day(draft), "revision": 1})
    assert (other.status_code, other.json()["type"]) == (422, "urn:wangge:problem:idempotency-key-reused")
    assert other.json()["field"] == "Idempotency-Key"
    with sessions.session(town.settings) as session:
        auth.add_user(session, f"other-{draft}")
        token = auth.issue_token(session, f"other-{draft}")[0]
    other = town.ask(
        "POST", path, json={"from": day(draft), "revision": 9},
        headers={"Authorization": f"Bearer {token}", "Idempotency-Key": "b-1"},
    )  # fmt: skip
    assert other.status_code == 409  # looked at by itself: not the first person's answer


@pytest.mark.parametrize("key", ["", "x" * 201, "schlüssel", "a b", '""', '"a b"'])
def test_what_is_no_key(town: Any, key: str) -> None:
    headers = [(b"authorization", town.admin["Authorization"].encode()), (b"idempotency-key", key.encode())]
    answer = town.ask("DELETE", "/api/plans/999999", headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:wangge:problem:idempotency-key")


def test_what_was_refused_may_be_tried_again_under_its_key(town: Any, draft: int) -> None:
    path, body = f"/api/plans/{draft}", {"from": "2020-01-01", "revision": 0}
    refused = send(town, "POST", path + "/approve", "c-1", json=body)
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:wangge:problem:plan-date")
    assert refused.json()["field"] == "from" and refused.json()["measured"] == "2020-01-01"
    assert count(town, "SELECT count(*) FROM answered WHERE status = 0") == 0
    done = send(town, "DELETE", path, "c-1", headers={"If-Match": '"r0"'})
    assert done.status_code == 200
    assert send(town, "DELETE", path, "c-1", headers={"If-Match": '"r0"'}).content == done.content
    assert (
        count(
            town, "SELECT count(*) FROM audit WHERE act = 'plan.discard' AND what->>'plan' = :p", p=str(draft)
        )
        == 1
    )


def test_many_at_once_under_one_key(town: Any, draft: int) -> None:
    found: list[httpx.Response] = []
    start = threading.Barrier(8)
    headers = {**town.admin, "Idempotency-Key": "d-1", "If-Match": '"r0"'}

    def run() -> None:
        with httpx.Client(base_url=town.url, timeout=30, trust_env=False) as client:
            start.wait()
            found.append(client.request("DELETE", f"/api/plans/{draft}", headers=headers))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in found} <= {200, 409}
    did = [a for a in found if a.status_code == 200 and "idempotency-replayed" not in a.headers]
    assert len(did) == 1
    assert all(a.content == did[0].content for a in found if a.status_code == 200)
    assert (
        count(
            town, "SELECT count(*) FROM audit WHERE act = 'plan.discard' AND what->>'plan' = :p", p=str(draft)
        )
        == 1
    )


def test_a_key_that_is_busy_for_long(town: Any, draft: int) -> None:
    key = writes._digest("key", "tester", "admin", "DELETE", "/api/plans/{plan}", "e-1")
    with sessions.connect(town.settings) as other:
        other.execute(
            "INSERT INTO answered (key_sha256, request_sha256, status, body) VALUES (%s, '', 0, '')", [key]
        )
        answer = send(town, "DELETE", f"/api/plans/{draft}", "e-1", headers={"If-Match": "*"})
        other.rollback()
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:wangge:problem:idempotency-key-in-use")
    assert int(answer.headers["retry-after"]) >= 1
    assert send(town, "DELETE", f"/api/plans/{draft}", "e-1", headers={"If-Match": "*"}).status_code == 200


def test_answers_are_forgotten_after_a_day(town: Any, draft: int) -> None:
    with sessions.session(town.settings) as session:
        session.execute(
            text("INSERT INTO answered VALUES (:k, '', 200, '{}', '', now() - interval '25 hours')"),
            {"k": f"old {draft}".encode()},
        )
    send(town, "DELETE", f"/api/plans/{draft}", f"f-{draft}", headers={"If-Match": "*"})
    assert count(town, "SELECT count(*) FROM answered WHERE at < now() - interval '1 day'") == 0


def test_only_on_the_revision_that_was_seen(town: Any, draft: int) -> None:
    path = f"/api/plans/{draft}"
    seen = town.staff(path).headers["etag"]
    with sessions.session(town.settings) as session:
        session.execute(text("UPDATE plan SET revision = 1 WHERE id = :p"), {"p": draft})
        session.execute(
            text("INSERT INTO plan_edit (plan_id, revision, act, author) VALUES (:p, 1, 'assign', '李工')"),
            {"p": draft},
        )
    for headers, body, status in (
        ({}, {"from": day(draft)}, 428),
        ({}, {"from": day(draft), "revision": 0}, 409),
        ({"If-Match": seen}, {"from": day(draft)}, 412),
        ({"If-Match": '"r0", "r2"'}, {"from": day(draft), "revision": 1}, 412),
    ):
        for lang in ("zh", "en"):
            answer = send(town, "POST", f"{path}/approve?lang={lang}", json=body, headers=headers)
            found = answer.json()
            assert answer.status_code == status == found["status"], found
            if status != 428:
                assert found["type"] == "urn:wangge:problem:stale-revision"
                assert "李工" in found["detail"] and (found["author"], found["revision"]) == ("李工", 1)
    assert approvals(town, draft) == 0
    fresh = town.staff(path).headers["etag"]
    assert fresh != seen
    done = send(town, "POST", f"{path}/approve", json={"from": day(draft)}, headers={"If-Match": fresh})
    assert done.status_code == 200


def test_bodies(town: Any, draft: int) -> None:
    path = f"/api/plans/{draft}/approve"
    for content, field in (
        (b"", None), (b"{", None), (b"[]", None), (b"null", None), (b'"x"', None), (b"{}", "from"),
        (b'{"from": 5}', "from"), (b'{"from": "2026-02-30"}', "from"), (b'{"from": null}', "from"),
        (b'{"from": "2026-01-01", "revision": "0"}', "revision"),
        (b'{"from": "2026-01-01", "revision": 0.5}', "revision"),
        (b'{"from": "2026-01-01", "revision": true}', "revision"),
        (b'{"from": "2026-01-01", "revision": 1e400}', "revision"),
        (b'{"from": "2026-01-01", "revision": NaN}', "revision"),
        (b'{"from": "2026-01-01", "revision": 99999999999}', "revision"),
        (b'{"from": "2026-01-01", "revision": ' + b"9" * 4000 + b"}", None),
        (b'{"from": "2026-01-01", "force": true}', "force"),
        (b'{"from": "2026\\u0000"}', "from"), (b'{"from": "\\ud800"}', "from"), (b'{"\\u0000": 1}', None),
        (b"[" * 4000, None), (b'{"from": "\xff"}', None),
    ):  # fmt: skip
        answer = send(town, "POST", path, content=content, headers=AS_JSON)
        assert answer.status_code == 400, (content, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        if field:
            assert answer.json()["field"] == field, (content, answer.text)
    assert approvals(town, draft) == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=gbk"},
        {"Content-Type": ""},
        {"Content-Type": "application/jsonx"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
def test_other_media_types(town: Any, headers: dict[str, str]) -> None:
    answer = send(town, "POST", "/api/plans/1/approve", content=b'{"from": "2030-01-01"}', headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (415, "urn:wangge:problem:content-type")


def test_size(town: Any) -> None:
    def pieces() -> Any:
        for _ in range(100):
            yield b" " * 100

    declared = send(town, "POST", "/api/plans/1/approve", content=b" " * 5000, headers=AS_JSON)
    streamed = send(town, "POST", "/api/plans/1/approve", content=pieces(), headers=AS_JSON)
    unwanted = send(town, "DELETE", "/api/plans/1", content=b"x", headers={"If-Match": "*"})
    assert [a.status_code for a in (declared, streamed, unwanted)] == [413, 413, 413]


def test_only_drafts_are_thrown_away(town: Any, draft: int) -> None:
    approved = send(town, "DELETE", "/api/plans/首版", headers={"If-Match": "*"})
    assert (approved.status_code, approved.json()["state"]) == (409, "approved")
    assert send(town, "DELETE", "/api/plans/999999", headers={"If-Match": "*"}).status_code == 404
    assert send(town, "DELETE", f"/api/plans/{draft}").status_code == 428
    assert town.ask("DELETE", f"/api/plans/{draft}", headers={"If-Match": "*"}).status_code == 401
    with sessions.session(town.settings) as session:
        session.execute(
            text("INSERT INTO plan (name, based_on_id) VALUES (:n, :p)"), {"n": f"child {draft}", "p": draft}
        )
    done = send(town, "DELETE", f"/api/plans/{draft}", headers={"If-Match": '"r0"'})
    assert done.status_code == 200 and done.json()["discarded"]["id"] == draft
    assert town.staff(f"/api/plans/{draft}").status_code == 404
    for table in ("grid", "plan_unit"):
        assert count(town, f"SELECT count(*) FROM {table} WHERE plan_id = :p", p=draft) == 0


def test_the_public_is_not_told_who(town: Any) -> None:
    for path in ("/api/plans", "/api/plans/首版"):
        assert "author" not in town.get(path).text and "approved_by" not in town.get(path).text
    assert town.staff("/api/plans/草稿").json()["author"] == "operator"

"""Long work: once or not at all, whatever dies; watched, waited for, cancelled; memory and crashes are told."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from sqlalchemy import text

from api.jobs import queue
from geo.db import session as sessions
from geo.errors import NotFound
from geo.settings import Settings
from tests.api.at_work import ODD, begin, state_of, until, working


@pytest.fixture(scope="module")
def worked(town: Any) -> Iterator[Any]:
    """The town with a worker beside it."""
    with working(town.settings, WANGGE_JOB_MEMORY_MB="700"):
        yield town


def effects(settings: Settings, mark: str) -> int:
    with sessions.session(settings) as session:
        found = session.scalar(
            text("SELECT count(*) FROM audit WHERE act = 'effect' AND what->>'mark' = :m"), {"m": mark}
        )
    return int(found or 0)


def test_a_job_is_done_once_and_tells_how_far_it_is(worked: Any) -> None:
    job = begin(worked.settings, "count", mark="a", steps=8, pause_s=0.2)
    seen = until(worked.settings, lambda s: queue.show(s, job), lambda j: j["done"] > 1)
    assert (seen["stage"], seen["total"], seen["state"]) == ("count", 8, "running")
    done = worked.staff(f"/api/jobs/{job}?wait=20").json()
    assert (done["state"], done["result"]) == ("done", {"counted": 8, "by": "张工"})
    assert (done["done"], done["total"], done["author"], done["problem"]) == (8, 8, "张工", None)
    assert done["asked_at"] <= done["started_at"] <= done["finished_at"]
    assert effects(worked.settings, "a") == 1


def test_loads_are_seen_by_admins_alone(worked: Any) -> None:
    """Their results hold rejected rows; who was an admin once has no right to them any more."""
    with sessions.session(worked.settings) as session:
        job = int(session.scalar(text(
            "INSERT INTO job (kind, params, author, state, result, finished_at) "
            "VALUES ('load', '{}', '前任', 'done', '{}', now()) RETURNING id"
        )) or 0)  # fmt: skip
        former = queue.Sight("前任", plans=True, all=False)
        assert job not in {one["id"] for one in queue.listing(session, sight=former)}
        with pytest.raises(NotFound):
            queue.show(session, job, former)
        assert queue.show(session, job, queue.Sight("管", plans=True, all=True))["id"] == job


def test_who_asks_and_changes_his_mind_asks_nothing(worked: Any) -> None:
    with sessions.session(worked.settings) as session:
        before = len(queue.listing(session, limit=1000))
    with pytest.raises(ZeroDivisionError), sessions.session(worked.settings, "app") as session:
        queue.ask(session, "odd.count", {"mark": "never"}, "张工")
        raise ZeroDivisionError
    with sessions.session(worked.settings) as session:
        assert len(queue.listing(session, limit=1000)) == before


@pytest.mark.parametrize(
    ("kind", "code", "field"), [("refuse", "too-few-grids", "grids"), ("broken", "internal", None)]
)
def test_a_failed_job_leaves_nothing_and_says_why(
    worked: Any, kind: str, code: str, field: str | None
) -> None:
    job = begin(worked.settings, kind, mark=kind)
    state_of(worked.settings, job)
    for lang, word in (("zh", "请多给"), ("en", "Give more")):
        found = worked.staff(f"/api/jobs/{job}?lang={lang}").json()
        assert (found["state"], found["result"], found["tries"]) == ("failed", None, 1)
        assert (found["problem"]["type"], found["problem"]["field"]) == (f"urn:wangge:problem:{code}", field)
        assert (word in found["problem"]["detail"]) == (kind == "refuse")
        assert "secret" not in str(found)
    assert effects(worked.settings, kind) == 0


def test_cancelling(worked: Any) -> None:
    settings = worked.settings
    running = begin(settings, "count", mark="c1", steps=1000, pause_s=0.1)
    queued = begin(settings, "count", mark="c2")
    state_of(settings, running, "running")
    answer = worked.ask("POST", f"/api/jobs/{queued}/cancel", headers=worked.admin)
    assert (answer.status_code, answer.json()["state"]) == (202, "cancelled")
    answer = worked.ask("POST", f"/api/jobs/{running}/cancel", headers=worked.admin)
    assert (answer.status_code, answer.json()["cancel_asked_at"] is not None) == (202, True)
    assert worked.staff(f"/api/jobs/{running}?wait=20").json()["state"] == "cancelled"
    again = worked.ask("POST", f"/api/jobs/{running}/cancel", headers=worked.admin)
    assert (again.status_code, again.json()["type"]) == (409, "urn:wangge:problem:job-ended")
    assert effects(settings, "c1") == effects(settings, "c2") == 0


def test_a_job_that_does_not_listen_is_ended(worked: Any) -> None:
    job = begin(worked.settings, "deaf", mark="d")
    state_of(worked.settings, job, "running")
    worked.ask("POST", f"/api/jobs/{job}/cancel", headers=worked.admin)
    assert state_of(worked.settings, job)["state"] == "cancelled"
    assert effects(worked.settings, "d") == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_crash_ends_the_job_alone(worked: Any, number: int) -> None:
    job = begin(worked.settings, "crash", mark="k", signal=int(number))
    found = state_of(worked.settings, job)
    assert (found["state"], found["problem"]["code"]) == ("failed", "job-crashed")
    assert signal.Signals(number).name in found["problem"]["en"]
    assert effects(worked.settings, "k") == 0
    after = begin(worked.settings, "count", mark=f"after {number}")
    assert state_of(worked.settings, after)["state"] == "done"


def test_a_job_that_grows_is_ended(worked: Any) -> None:
    found = state_of(worked.settings, begin(worked.settings, "grow", mark="g"))
    assert (found["state"], found["problem"]["code"]) == ("failed", "job-memory")
    assert "700 MB" in found["problem"]["zh"] and effects(worked.settings, "g") == 0


def test_an_unknown_kind(worked: Any) -> None:
    found = state_of(worked.settings, begin(worked.settings, "never heard of"))
    assert (found["state"], found["problem"]["code"]) == ("failed", "job-kind")


def test_the_worker_does_not_grow(worked: Any) -> None:
    def held() -> int:
        process = next(p for p in psutil.Process().children() if str(ODD) in p.cmdline())
        return process.memory_info().rss

    first = held()
    for _ in range(10):
        last = begin(worked.settings, "count", mark="many")
    state_of(worked.settings, last)
    assert held() - first < 20 * 2**20


def test_waiting_for_news(worked: Any) -> None:
    job = begin(worked.settings, "count", mark="w", steps=6, pause_s=0.3)
    first = worked.staff(f"/api/jobs/{job}")
    seen, etag = [first.json()], first.headers["etag"]
    while seen[-1]["state"] not in queue.ENDED:
        answer = worked.staff(f"/api/jobs/{job}?wait=10", headers={"If-None-Match": etag})
        assert answer.status_code == 200 and answer.headers["etag"] != etag
        seen.append(answer.json())
        etag = answer.headers["etag"]
    assert len(seen) > 3 and seen[-1]["state"] == "done"
    same = worked.staff(f"/api/jobs/{job}?wait=0.3", headers={"If-None-Match": etag})
    assert same.status_code == 304
    for wait in ("-1", "31", "NaN", "x"):
        assert worked.staff(f"/api/jobs/{job}?wait={wait}").status_code == 400


def test_listing(worked: Any) -> None:
    for before in (begin(worked.settings, "refuse"), begin(worked.settings, "count", mark="k")):
        state_of(worked.settings, before)
    job = begin(worked.settings, "count", mark="l")
    state_of(worked.settings, job)
    found = worked.staff("/api/jobs?limit=2&state=done").json()
    assert found["worker"] is True and found["jobs"][0]["id"] == job and len(found["jobs"]) == 2
    older = worked.staff(f"/api/jobs?before={job}&kind=odd.refuse").json()["jobs"]
    assert older and all(j["kind"] == "odd.refuse" and j["id"] < job for j in older)
    assert worked.staff("/api/jobs?state=lost").status_code == 400
    assert worked.staff("/api/jobs/999999999").status_code == 404
    assert worked.get("/api/jobs").status_code == worked.get(f"/api/jobs/{job}").status_code == 401


def test_a_job_whose_connection_breaks_is_done_again_once(worked: Any) -> None:
    job = begin(worked.settings, "count", mark="z", steps=10, pause_s=0.3)
    until(worked.settings, lambda s: queue.show(s, job), lambda j: j["done"] > 1)
    with sessions.connect(worked.settings, autocommit=True) as connection:
        broken = connection.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() "
            "AND state = 'idle in transaction' AND pid <> pg_backend_pid()"
        ).fetchone()
    assert broken == (1,)
    found = state_of(worked.settings, job)
    assert (found["state"], found["tries"], effects(worked.settings, "z")) == ("done", 2, 1)


@pytest.mark.slow
def test_a_worker_killed_mid_job(settings: Settings) -> None:
    """The job goes with its worker; the next worker does it again, once; twice is enough."""
    job = begin(settings, "deaf", mark="x")
    for tries in (1, 2):
        with working(settings) as process:
            want = ("running", tries)
            until(
                settings, lambda s: queue.show(s, job), lambda j, want=want: (j["state"], j["tries"]) == want
            )
            children = until(
                settings, lambda _: psutil.Process(process.pid).children(), lambda found: found != []
            )
            process.kill()
            process.wait()
            psutil.wait_procs(children, timeout=10)
            assert not any(child.is_running() and child.status() != "zombie" for child in children)
    with working(settings):
        found = state_of(settings, job)
        assert (found["state"], found["problem"]["code"], found["tries"]) == ("failed", "job-abandoned", 2)
        assert effects(settings, "x") == 0
        later = begin(settings, "count", mark="y")
        assert state_of(settings, later)["state"] == "done"


@pytest.mark.slow
def test_a_worker_told_to_stop_gives_its_job_back(settings: Settings) -> None:
    job = begin(settings, "count", mark="s", steps=10_000, pause_s=0.05)
    with working(settings) as process:
        state_of(settings, job, "running")
        process.terminate()
        assert process.wait(10) == 0
    found = state_of(settings, job, "queued")
    assert (found["tries"], found["done"], effects(settings, "s")) == (0, 0, 0)
    with sessions.session(settings) as session:
        assert not queue.worker_lives(session)


def test_the_queue_is_bounded(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from geo.errors import RateLimited

    monkeypatch.setattr(queue, "MOST_QUEUED", 2)
    begin(settings, "count")
    begin(settings, "count")
    with pytest.raises(RateLimited) as refused:
        begin(settings, "count")
    assert (refused.value.code, refused.value.facts["measured"]) == ("jobs-full", 2)

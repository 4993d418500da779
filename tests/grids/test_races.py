"""Two planners approve at once, a planner's process is killed, PostgreSQL is killed: always exactly one plan holds.

Kills are aimed by phase, not by clock: the approving process says which statement it is about to send and waits; the
test kills, and counts only kills that found it there.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import os
import select
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from geo.db import cluster, migrations
from geo.db import session as sessions
from geo.errors import Conflict
from geo.settings import Settings
from grids import plans
from tests.grids.small_plans import copy, plan, strips, town

DAY = dt.timedelta(days=1)
FIRST = dt.date(2020, 1, 1)
PHASES = {  # what the approving process is about to send
    "lock": "pg_advisory_xact_lock",
    "predecessor": "UPDATE plan SET during",
    "start": "UPDATE plan SET state",
    "lineage": "COPY plan_lineage",
    "notify": "pg_notify",
}


def first_plan(settings: Settings) -> None:
    with sessions.session(settings) as s:
        plan(s, "zero", strips(town(s), 6, 3), nesting="strict")
        plans.approve(s, "zero", FIRST)


def two_drafts(settings: Settings, number: int) -> tuple[str, str]:
    """Two copies of the plan in force last."""
    with sessions.session(settings) as s:
        last = s.scalar(
            text("SELECT id FROM plan WHERE state = 'approved' ORDER BY lower(during) DESC LIMIT 1")
        )
        names = (f"a{number}", f"b{number}")
        for name in names:
            copy(s, int(last or 0), name)
    return names


def assert_one_at_every_instant(settings: Settings) -> int:
    """From the first date on the approved plans follow each other without gap or overlap; returns how many there are."""
    with sessions.session(settings) as s:
        rows = s.execute(
            text(
                "SELECT lower(during), upper(during) FROM plan WHERE state = 'approved' ORDER BY lower(during)"
            )
        ).all()
    assert rows[0][0] == FIRST and rows[-1][1] is None
    assert all(a[1] == b[0] for a, b in itertools.pairwise(rows))
    return len(rows)


def race(settings: Settings, names: tuple[str, str], day: dt.date) -> tuple[dict[str, Any], dict[str, float]]:
    """Both at once; outcomes, and how long each waited for its answer after the winner's was there."""
    outcomes: dict[str, Any] = {}
    at: dict[str, float] = {}
    start = threading.Barrier(2)

    def run(name: str) -> None:
        try:
            with sessions.session(settings) as s:
                s.connection()
                start.wait()
                outcomes[name] = plans.approve(s, name, day, f"planner {name}")
        except Conflict as problem:
            outcomes[name] = problem
        at[name] = time.perf_counter()

    threads = [threading.Thread(target=run, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes, at


def rounds(settings: Settings, n: int) -> list[float]:
    first_plan(settings)
    waited = []
    for number in range(1, n + 1):
        names = two_drafts(settings, number)
        outcomes, at = race(settings, names, dt.date.today() + number * DAY)
        lost = [name for name in names if isinstance(outcomes[name], Conflict)]
        assert len(lost) == 1, outcomes
        (won,) = set(names) - set(lost)
        problem = outcomes[lost[0]]
        assert (problem.code, problem.facts["winner"]["name"]) == ("plan-conflict", won)
        assert problem.facts["author"] == f"planner {won}" and problem.facts["approved_at"]
        waited.append(at[lost[0]] - at[won])
    assert assert_one_at_every_instant(settings) == n + 1
    return waited


def test_twenty_races_have_one_winner_each(settings: Settings) -> None:
    rounds(settings, 20)


@pytest.mark.slow
def test_five_hundred_races_have_one_winner_each(settings: Settings) -> None:
    waited = sorted(rounds(settings, 500))
    print(
        f"\nloser's answer after the winner's: median {waited[250] * 1e3:.0f} ms, longest {waited[-1] * 1e3:.0f} ms"
    )


# ── kills ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def approver(settings: Settings, name: str, day: dt.date, phase: str) -> tuple[int, int]:
    """A forked process that approves, says when it reaches the phase, and waits there; (pid, pipe)."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    status = 1
    try:
        os.close(reading)
        mine = settings.with_(port=settings.port + 1)  # an engine of its own

        def here(*_: Any) -> None:
            os.write(writing, b"!")
            if phase != "commit":
                time.sleep(60)  # until it is killed, or its server is

        with sessions.session(mine) as s:
            if phase == "commit":
                event.listen(s, "before_commit", here)
            else:
                event.listen(
                    sessions.engine(mine, "owner"), "before_cursor_execute", _when(PHASES[phase], here)
                )
                _watch_copy(phase, here)
            plans.approve(s, name, day, "killed")
        status = 0
    finally:
        os._exit(status)


def _when(words: str, here: Any) -> Any:
    def look(_c: Any, _u: Any, statement: str, *_: Any) -> None:
        if words in " ".join(statement.split()):
            here()

    return look


def _watch_copy(phase: str, here: Any) -> None:
    """COPY does not pass SQLAlchemy's events."""
    if phase == "lineage":
        from grids import lineage

        kept = lineage.store

        def store(*given: Any) -> None:
            here()
            kept(*given)

        lineage.store = store


def reached(pipe: int) -> bool:
    ready, _, _ = select.select([pipe], [], [], 60)
    return bool(ready) and os.read(pipe, 1) == b"!"


def count(settings: Settings) -> int:
    with sessions.session(settings) as s:
        return int(s.scalar(text("SELECT count(*) FROM plan WHERE state = 'approved'")) or 0)


@pytest.mark.slow
def test_kill_minus_nine_of_the_approving_process(settings: Settings) -> None:
    first_plan(settings)
    hits: Counter[str] = Counter()
    for number, phase in enumerate([*PHASES, "commit"] * 2, 1):
        name, _ = two_drafts(settings, number)
        day = dt.date.today() + number * DAY
        before = count(settings)
        pid, pipe = approver(settings, name, day, phase)
        hits[phase] += reached(pipe)
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        os.close(pipe)
        assert os.WIFSIGNALED(status) or phase == "commit"
        after = assert_one_at_every_instant(settings)
        assert after == before or (phase == "commit" and after == before + 1)
        if after == before:  # nothing is left behind that stands in the way
            with sessions.session(settings) as s:
                plans.approve(s, name, day)
    print(f"\nkills that hit: {dict(hits)}")
    assert hits == dict.fromkeys([*PHASES, "commit"], 2)


@pytest.fixture
def own_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A durable cluster of this test's own, to be killed."""
    home = Path("/tmp") / f"wangge-test-{os.getpid()}-kill"
    settings = Settings(home=home)
    cluster.start(settings)
    try:
        migrations.upgrade(settings)
        yield settings
    finally:
        sessions.forget(settings)
        cluster.stop(settings)
        import shutil

        shutil.rmtree(home, ignore_errors=True)


def crash(settings: Settings, how: str) -> None:
    """`immediate`: the postmaster quits without a checkpoint; `kill`: every process of the server at once."""
    if how == "immediate":
        cluster._signal_postmaster(settings, signal.SIGQUIT)
    else:
        for pid in cluster._members(settings):
            with contextlib.suppress(ProcessLookupError):  # the postmaster may have ended it already
                os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while cluster._members(settings) and time.monotonic() < deadline:
        select.select([], [], [], 0.02)


@pytest.mark.slow
def test_twenty_kills_of_postgresql_during_approval(own_cluster: Settings) -> None:
    settings = own_cluster
    first_plan(settings)
    hits: Counter[str] = Counter()
    phases = [*(phase for phase in PHASES if phase != "lock"), "commit"]
    for number, phase in enumerate(phases * 4, 1):
        name, _ = two_drafts(settings, number)
        day = dt.date.today() + number * DAY
        before = count(settings)
        pid, pipe = approver(settings, name, day, phase)
        hits[phase] += reached(pipe)
        crash(settings, "immediate" if number % 2 else "kill")
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(pipe)
        sessions.forget(settings)
        cluster.start(settings)
        after = assert_one_at_every_instant(settings)
        assert after == before or (phase == "commit" and after == before + 1)
        if after == before:
            with sessions.session(settings) as s:
                plans.approve(s, name, day)
    print(f"\nkills of PostgreSQL that hit: {dict(hits)}")
    assert hits == dict.fromkeys(phases, 4) and hits.total() == 20


def test_a_session_that_ends_leaves_no_lock(db: Session, settings: Settings) -> None:
    """The advisory lock ends with its transaction, whatever ends that."""
    first_plan(settings)
    name, _ = two_drafts(settings, 1)
    with pytest.raises(RuntimeError), sessions.session(settings) as s:
        plans.approve(s, name, dt.date.today() + DAY)
        raise RuntimeError
    assert assert_one_at_every_instant(settings) == 1
    with sessions.session(settings) as s:
        plans.approve(s, name, dt.date.today() + DAY)
    assert assert_one_at_every_instant(settings) == 2

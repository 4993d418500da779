"""A load that is killed leaves nothing behind: 50 SIGKILLs aimed at its phases, rerun, identical checksums.

Aimed by phase, not by clock: the loader says on a pipe which phase it has entered, the test waits for that word, lets a
random part of the phase pass and kills. Only kills that found the loader alive count.
"""

from __future__ import annotations

import os
import random
import select
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import text

from etl import cases
from etl.tables import delimited, door
from geo.db import session as sessions
from geo.settings import Settings

ROWS, KILLS, SEED = 50_000, 50, 20261122
PHASES = ("parse", "copy", "merge", "commit")
HEADER = "case_id,opened_at,closed_at,category,subcategory,lon,lat,description,extra"


def write(path: Path, changed: int = 0) -> Path:
    lines = [
        f"K{i},2025-03-01 08:{i % 60:02d}:00,{'2025-03-02 08:00:00' if i % 3 else ''},c{i % 9},s{i % 70},"
        f"{121.3 + i % 997 / 5000:.5f},{31.1 + i % 1009 / 5000:.5f},text {i + (i < changed)},x{i % 11}"
        for i in range(ROWS)
    ]
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path


def checksum(settings: Settings, source: str) -> tuple[int, str | None]:
    query = (
        "SELECT count(*), md5(string_agg(concat_ws('|', source_case_id, opened_at, closed_at, k.code, p.code, ST_AsEWKB(geom), "
        "description, attributes, row_hash), ',' ORDER BY source_case_id)) FROM cases c JOIN source s ON s.id = c.source_id "
        "JOIN category k ON k.id = c.category_id LEFT JOIN category p ON p.id = k.parent_id WHERE s.name = :source"
    )
    with sessions.session(settings) as session:
        row = session.execute(text(query), {"source": source}).one()
        return int(row[0]), row[1]


def loader(settings: Settings, path: Path, source: str) -> tuple[int, int]:
    """Fork a loader; (pid, the pipe on which it says its phases)."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    status = 1
    try:
        os.close(reading)
        delimited.BLOCK_BYTES, door.CHUNK_BYTES = 256 << 10, 128 << 10  # many batches of a small file
        mine = settings.with_(port=settings.port + 1)  # an engine of its own

        def say(phase: str, done: int = 0, total: int | None = None) -> None:
            os.write(writing, f"{phase}\n".encode())

        say("parse")
        with sessions.session(mine) as session:
            cases.load(session, path, source=source, progress=say)
            say("commit")
        status = 0
    finally:
        os._exit(status)


def wait_for(pipe: int, phase: str, times: int) -> bool:
    """Read the pipe until the phase was named `times` times; False when the loader ended before."""
    heard, deadline = b"", time.monotonic() + 120
    while heard.decode().split("\n").count(phase) < times:
        ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
        block = os.read(pipe, 4096) if ready else b""
        if not block:
            return False
        heard += block
    return True


def kill_in(settings: Settings, path: Path, source: str, phase: str, rng: random.Random) -> bool:
    """Kill one loader in a phase; whether it was alive."""
    pid, pipe = loader(settings, path, source)
    try:
        wait_for(pipe, phase, rng.randint(1, 8) if phase == "copy" else 1)
        pause = {"parse": 0.15, "copy": 0.05, "merge": 0.3, "commit": 0.004}[phase] * rng.random()
        select.select([], [], [], pause)  # how far into the phase
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        return os.WIFSIGNALED(status)
    finally:
        os.close(pipe)


@pytest.mark.slow
def test_fifty_kills_leave_nothing_and_a_rerun_is_identical(settings: Settings, tmp_path: Path) -> None:
    rng = random.Random(SEED)
    first, second = write(tmp_path / "first.csv"), write(tmp_path / "second.csv", changed=5000)
    for path, name in ((first, "undisturbed"), (second, "undisturbed")):
        with sessions.session(settings) as session:
            cases.load(session, path, source=name)
        if path == first:
            whole_first = checksum(settings, name)
    whole_second = checksum(settings, "undisturbed")
    assert whole_first[0] == whole_second[0] == ROWS and whole_first != whole_second
    hits: Counter[str] = Counter()
    misses, number, source, merged = 0, 0, "s0", False
    while hits.total() < KILLS:
        assert misses < KILLS, f"too few loaders were found alive: {hits}"
        phase = PHASES[hits.total() % 4]
        before = checksum(settings, source)
        if hits.total() >= KILLS // 2 and not merged:  # the second half of the kills meets a load that merges
            if before[0] == 0:
                with sessions.session(settings) as session:
                    cases.load(session, first, source=source)
                before = checksum(settings, source)
            merged = True
        path, done = (second, whole_second) if merged else (first, whole_first)
        hit = kill_in(settings, path, source, phase, rng)
        after = checksum(settings, source)
        assert after in (before, done), (phase, before, after)
        hits[f"{'merge of a correction' if merged else 'first load'}: {phase}"] += hit
        misses += not hit
        if after == done:  # it had committed: the next one starts anew
            number += 1
            source, merged = f"s{number}", False
    print(f"\nseed {SEED}; kills that hit: {dict(hits)}; missed {misses}")
    for path, whole in ((first, whole_first), (second, whole_second)):
        with sessions.session(settings) as session:
            cases.load(session, path, source="rerun")
        assert checksum(settings, "rerun") == whole
    with sessions.session(settings) as session:
        loose = session.scalar(
            text(
                "SELECT count(*) FROM pg_class c WHERE relname ~ '^cases_[0-9]+$' AND relkind = 'r' AND NOT relispartition"
            )
        )
        assert loose == 0

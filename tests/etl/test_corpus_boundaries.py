"""Every boundary case of the bad-input corpus, through the loader itself, on a real database."""

from __future__ import annotations

import resource
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from etl import boundaries, reading
from geo.db.session import session as open_session
from geo.errors import Refused
from geo.settings import Settings
from tests.etl.corpus_adapter import Case, cases

CASES = cases("etl_boundaries")
SLOW = {"gj_5m_vertices"}
SECONDS = 20.0  # the corpus says 5 s on an idle machine; tests share two cores
PROBLEMS = {"crs": "crs"}  # named loosely in the corpus: any code that begins so


def parameters() -> list[Any]:
    return [pytest.param(c, id=c.id, marks=[pytest.mark.slow] if c.id in SLOW else []) for c in CASES]


@pytest.fixture(scope="module")
def listener() -> Iterator[list[str]]:
    """Port 8777, which hostile files point at: whoever knocks is written down."""
    knocks: list[str] = []
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind(("127.0.0.1", 8777))
    except OSError:
        pytest.skip("port 8777 is taken")
    server.listen()
    server.settimeout(0.2)
    done = threading.Event()

    def listen() -> None:
        while not done.is_set():
            try:
                connection, address = server.accept()
            except TimeoutError:
                continue
            knocks.append(str(address))
            connection.close()

    thread = threading.Thread(target=listen)
    thread.start()
    yield knocks
    done.set()
    thread.join()
    server.close()


def state(session: Session) -> tuple[Any, ...]:
    return tuple(
        session.execute(
            text(
                "SELECT (SELECT count(*) FROM boundary), (SELECT count(*) FROM edition), (SELECT count(*) FROM level), "
                "(SELECT count(*) FROM load_run), (SELECT count(*) FROM reject), (SELECT sum(version) FROM data_version)"
            )
        ).one()
    )


def test_all_cases_are_here(shared_data: Path) -> None:
    assert len(CASES) == 37


@pytest.mark.parametrize("case", parameters())
def test_case(
    case: Case, module_settings: Settings, tmp_path: Path, shared_data: Path, listener: list[str]
) -> None:
    reading.warm()
    path = case.write(tmp_path)
    with open_session(module_settings) as session:
        before = state(session)
        up_since = session.scalar(text("SELECT pg_postmaster_start_time()"))
    memory_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.monotonic()
    outcome, code, words, stored = feed(module_settings, path)
    seconds = time.monotonic() - begun
    assert outcome in case.outcomes, (outcome, code, words)
    if outcome == "reject_file":
        expected = case.problem or ""
        assert code == expected or (expected == "crs" and code.startswith("crs")), (code, words)
    if outcome == "accept_warn":
        assert case.problem in code.split(), (code, words)
    if outcome != "accept":
        missing = [word for word in case.contains if word.lower() not in words.lower()]
        assert not missing, (missing, words)
    for secret in ("Traceback", "psycopg", "SELECT", str(tmp_path), "root:x:0"):
        assert secret not in words
    assert seconds < (60 if case.id in SLOW else SECONDS)
    if case.id not in SLOW:
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory_kb < 200_000
    with open_session(module_settings) as session:
        assert session.scalar(text("SELECT pg_postmaster_start_time()")) == up_since
        if outcome == "reject_file":
            assert state(session) == before
    assert listener == []
    assert not Path("/tmp/evil.txt").exists()
    if case.id == "shp_cpg_gbk":
        assert [row["name"] for row in stored] == ["浦东新区"]
    if case.id == "gj_xss_name":
        assert [row["name"] for row in stored] == ["<script>alert(1)</script>"]
    if case.id == "gj_crs_3857_member":
        assert stored and all(121 < row["x"] < 122 and 30 < row["y"] < 35 for row in stored)


def feed(settings: Settings, path: Path) -> tuple[str, str, str, list[dict[str, Any]]]:
    """Load the file as a level of its own: outcome, code(s), every word said, and what was stored."""
    try:
        with open_session(settings) as session:
            report = boundaries.load(session, path, level="district", replace=True)
            stored = [
                dict(row._mapping)
                for row in session.execute(
                    text(
                        "SELECT name, ST_X(ST_Centroid(geom)) AS x, ST_Y(ST_Centroid(geom)) AS y FROM boundary"
                    )
                )
            ]
    except Refused as refused:
        assert refused.exit_code == 2
        return "reject_file", refused.code, f"{refused.text('en')} {refused.text('zh')}", []
    with open_session(settings) as session:  # every case begins with an empty level
        session.execute(text("DELETE FROM boundary"))
        session.execute(text("DELETE FROM edition"))
        session.execute(text("DELETE FROM level"))
    said = " ".join(f"{n.zh} {n.en}" for n in report.notices.values()) + " ".join(
        f"{r.why_zh} {r.why_en}" for r in report.rejects
    )
    codes = " ".join(report.notices)
    if report.rejected:
        return "reject_rows", codes, said, stored
    return ("accept_warn" if report.notices else "accept"), codes, said, stored

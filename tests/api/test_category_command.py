"""`wangge category list|set`: sensitive categories and handling minutes, with an audit row and a new data version."""

from __future__ import annotations

import json
import subprocess
import sys

from sqlalchemy import text

from geo.db import session as sessions
from geo.db.versions import versions
from geo.settings import Settings
from tests.geo import small_city


def wangge(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "api", "category", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def test_a_category_is_made_sensitive_and_weighed(settings: Settings, environment: dict[str, str]) -> None:
    with sessions.session(settings) as session:
        small_city.city(session)
        small_city.source(session, "hotline", (("01", None), ("01", "0101"), ("02", None)))
        small_city.source(session, "patrol", (("01", "0101"),))
        before = versions(session)["cases"]
    assert wangge(environment, "set", "01", "--sensitive").returncode == 0
    done = wangge(environment, "set", "01/0101", "--catalogue", "patrol", "--minutes", "45", "--json")
    assert json.loads(done.stdout) == {"category": "01/0101", "set": 1}
    shown = json.loads(wangge(environment, "list", "--json").stdout)
    by_key = {(row["catalogue"], row["key"]): row for row in shown}
    assert by_key["hotline", "01"]["sensitive"] and by_key["hotline", "01/0101"]["sensitive_by_group"]
    assert not by_key["hotline", "02"]["sensitive"]
    assert [by_key[name, "01/0101"]["minutes"] for name in ("hotline", "patrol")] == [30.0, 45.0]
    with sessions.session(settings) as session:
        assert versions(session)["cases"] == before + 2
        acts = (
            session.execute(text("SELECT what FROM audit WHERE act = 'category set' ORDER BY id"))
            .scalars()
            .all()
        )
    assert [act["key"] for act in acts] == ["01", "01/0101"] and acts[1]["minutes"] == 45


def test_what_cannot_be_set_is_refused(settings: Settings, environment: dict[str, str]) -> None:
    with sessions.session(settings) as session:
        small_city.source(session, "hotline", (("01", None),))
    for words in (
        ("set", "99", "--sensitive"),
        ("set", "01"),
        ("set", "01", "--minutes", "-1"),
        ("set", "01", "--minutes", "nan"),
    ):
        refused = wangge(environment, *words)
        assert refused.returncode == 2 and "Traceback" not in refused.stderr, refused.stderr
    with sessions.session(settings) as session:
        assert session.scalar(text("SELECT count(*) FROM audit")) == 0

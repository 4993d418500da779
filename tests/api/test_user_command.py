"""`wangge user …`: an account and a token that the service accepts; told once, revocable, refused politely."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from sqlalchemy import text

from api import auth
from geo.db import session as sessions
from geo.settings import Settings


def wangge(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "api", "user", *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def principal(settings: Settings, secret: str) -> auth.Principal | None:
    with sessions.session(settings, "app") as session:
        return auth.find(session, auth.digest(secret))


def test_the_life_of_a_token(settings: Settings, environment: dict[str, str]) -> None:
    made: dict[str, Any] = json.loads(wangge(environment, "add", "李明", "--json").stdout)
    assert made["token"].startswith("wg_")
    assert principal(settings, made["token"]).name == "李明"  # type: ignore[union-attr]
    with sessions.session(settings, "app") as session:
        dump = str(session.execute(text("SELECT * FROM token")).all()) + str(
            session.execute(text("SELECT * FROM audit")).all()
        )
    assert made["token"] not in dump
    again = wangge(environment, "add", "李明")
    assert again.returncode == 2
    assert "already" in again.stderr
    second = json.loads(wangge(environment, "token", "李明", "--days", "1", "--json").stdout)
    assert wangge(environment, "token", "李明", "--revoke", str(second["id"])).returncode == 0
    assert principal(settings, second["token"]) is None
    assert wangge(environment, "token", "李明", "--revoke", "999").returncode == 2
    assert wangge(environment, "token", "李明", "--days", "0").returncode == 2
    assert wangge(environment, "token", "nobody").returncode == 2
    listed = json.loads(wangge(environment, "list", "--json").stdout)
    assert [(u["name"], u["tokens"]) for u in listed] == [("李明", 1)]
    assert made["token"] not in json.dumps(listed)
    assert wangge(environment, "disable", "李明").returncode == 0
    assert principal(settings, made["token"]) is None
    assert wangge(environment, "token", "李明").returncode == 2

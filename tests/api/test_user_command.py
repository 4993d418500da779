"""`wangge user …`: an account and a token that the service accepts; told once, revocable, refused politely."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest
from sqlalchemy import text

from api import auth
from geo.db import session as sessions
from geo.settings import Settings
from tests.grids.typed import typed


class Done(NamedTuple):
    """What one command said."""

    returncode: int
    stdout: str
    stderr: str


def principal(settings: Settings, secret: str) -> auth.Principal | None:
    with sessions.session(settings, "app") as session:
        return auth.find(session, auth.digest(secret))


def test_the_life_of_a_token(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed_here = typed(settings, monkeypatch, capsys)

    def wangge(*words: str) -> Done:
        return Done(*typed_here("user", *words))

    made: dict[str, Any] = json.loads(wangge("add", "李明", "--json").stdout)
    assert made["token"].startswith("wg_")
    assert principal(settings, made["token"]).name == "李明"  # type: ignore[union-attr]
    with sessions.session(settings, "app") as session:
        dump = str(session.execute(text("SELECT * FROM token")).all()) + str(
            session.execute(text("SELECT * FROM audit")).all()
        )
    assert made["token"] not in dump
    again = wangge("add", "李明")
    assert again.returncode == 2
    assert "already" in again.stderr
    second = json.loads(wangge("token", "李明", "--days", "1", "--json").stdout)
    assert wangge("token", "李明", "--revoke", str(second["id"])).returncode == 0
    assert principal(settings, second["token"]) is None
    assert wangge("token", "李明", "--revoke", "999").returncode == 2
    assert wangge("token", "李明", "--days", "0").returncode == 2
    assert wangge("token", "nobody").returncode == 2
    listed = json.loads(wangge("list", "--json").stdout)
    assert [(u["name"], u["tokens"]) for u in listed] == [("李明", 1)]
    assert made["token"] not in json.dumps(listed)
    assert wangge("disable", "李明").returncode == 0
    assert principal(settings, made["token"]) is None
    assert wangge("token", "李明").returncode == 2

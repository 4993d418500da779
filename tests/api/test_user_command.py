"""`wangge user …`: an account and a token that the service accepts; told once, revocable, refused politely."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import shapely
from sqlalchemy import text

from api import auth, passwords
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
    last = wangge("disable", "李明")
    assert last.returncode == 2
    assert "last admin" in last.stderr
    assert wangge("add", "王芳", "--no-password").returncode == 0
    assert wangge("disable", "李明").returncode == 0
    assert principal(settings, made["token"]) is None
    assert wangge("token", "李明").returncode == 2


def test_roles_areas_and_passwords(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    insert_areas: Callable[..., int],
) -> None:
    typed_here = typed(settings, monkeypatch, capsys)

    def wangge(*words: str) -> Done:
        return Done(*typed_here("user", *words))

    with sessions.session(settings) as session:
        insert_areas(session, "street", {"S1": shapely.box(116.3, 39.9, 116.4, 40.0)}, "EPSG:4548", 3)
    assert wangge("add", "根", "--json").returncode == 0
    for wrong in (("--role", "worker"), ("--role", "worker", "--area", "street:S2"), ("--role", "planner", "--area", "street:S1"),
                  ("--role", "boss"), ("--role", "worker", "--area", "S1"), ("--password-stdin", "--no-password")):  # fmt: skip
        assert wangge("add", "周", *wrong).returncode == 2, wrong
    made = json.loads(wangge("add", "周", "--role", "worker", "--area", "street:S1", "--json").stdout)
    assert len(made["password"]) == 19
    assert right(settings, "周", made["password"])
    listed = {u["name"]: u for u in json.loads(wangge("list", "--json").stdout)}
    assert (listed["周"]["role"], listed["周"]["area"], listed["根"]["area"]) == ("worker", "street:S1", None)
    assert wangge("role", "周", "supervisor").returncode == 0  # the area stays
    assert principal(settings, made["token"]).area == auth.Area("street", "S1")  # type: ignore[union-attr]
    assert wangge("role", "周", "planner").returncode == 0
    assert principal(settings, made["token"]).role == "planner"  # type: ignore[union-attr]

    second = json.loads(wangge("password", "周", "--json").stdout)["password"]
    assert right(settings, "周", second) and not right(settings, "周", made["password"])
    monkeypatch.setattr("sys.stdin", io.StringIO("eleven green bottles\nmore\n"))
    said = wangge("password", "周", "--password-stdin")
    assert said.returncode == 0
    assert "eleven" not in said.stdout + said.stderr
    assert right(settings, "周", "eleven green bottles")
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    weak = wangge("password", "周", "--password-stdin")
    assert weak.returncode == 2 and "10 to 200" in weak.stderr
    monkeypatch.setattr("sys.stdin", io.StringIO("twelve red kettles\n"))
    quiet = json.loads(wangge("add", "吴", "--password-stdin", "--json").stdout)
    assert "password" not in quiet
    assert right(settings, "吴", "twelve red kettles")
    assert "password" not in json.loads(wangge("add", "郑", "--no-password", "--json").stdout)

    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert (
        wangge("add", "冯", "--password-stdin").returncode == 2
    )  # nothing typed is no account without a password
    decomposed = json.loads(wangge("add", "Rene\u0301", "--no-password", "--role", "public", "--json").stdout)
    assert principal(settings, decomposed["token"]).name == "Ren\u00e9"  # type: ignore[union-attr]

    assert wangge("role", "吴", "public").returncode == 0
    assert wangge("role", "郑", "public").returncode == 0
    last = wangge("role", "根", "planner")
    assert last.returncode == 2 and "last admin" in last.stderr
    assert wangge("disable", "周").returncode == wangge("enable", "周").returncode == 0
    assert principal(settings, made["token"]) is None
    assert wangge("link", "周", "subject-1").returncode == 0
    assert wangge("link", "吴", "subject-1").returncode == 2


def right(settings: Settings, name: str, password: str) -> bool:
    with sessions.session(settings, "app") as session:
        stored = session.scalar(text("SELECT password_hash FROM app_user WHERE name = :n"), {"n": name})
    return passwords.right(stored, password)

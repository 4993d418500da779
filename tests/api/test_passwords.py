"""Passwords: what is stored, what is refused, how an unknown name answers, how hashes follow the parameters."""

from __future__ import annotations

import logging
import statistics
import time
from typing import Any

import pytest
from sqlalchemy import text

from api import passwords
from geo.db import session as sessions
from geo.errors import RefusedArgument
from tests.api import signed_in as people
from tests.api.signed_in import PASSWORD

BAD = [
    "short", "123456789", "1234567890", "0987654321", "qwertyuiop", "abcdefghij", "aaaaaaaaaaaa", "abababababab",
    "password2026!", "Password-1234", "wangge.2026", "wanggewangge1", "网格网格网格网格2026",
    "admin_admin_1", "密码密码密码密码密码12",
    "1111122222", "x" * 201, "   \n\t  bad here", "zhangsan-2026", "ZhangSan12", "  zhangsan  ",
]  # fmt: skip
GOOD = [
    "seven brown tables",
    "紫色大象爱喝豆浆三碗",
    "k7pm-w3xd-9fqh-t2vn",
    "Tr0ub4dor&3xyz",
    "我家门前有两棵枣树呀",
    "x9" + "abc def " * 20,
]


@pytest.mark.parametrize("password", BAD)
def test_refused(password: str) -> None:
    with pytest.raises(RefusedArgument) as told:
        passwords.refuse_weak(password, "zhangsan")
    assert told.value.code == "password-weak"
    assert password.strip() not in str(told.value)


@pytest.mark.parametrize("password", GOOD)
def test_taken(password: str) -> None:
    passwords.refuse_weak(password, "zhangsan")
    stored = passwords.hashed(password)
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert passwords.right(stored, password)
    assert not passwords.right(stored, password + "x")
    assert not passwords.right(stored, "")


def test_made_passwords_are_never_refused() -> None:
    made = {passwords.make() for _ in range(2000)}
    assert len(made) == 2000
    for password in made:
        passwords.refuse_weak(password, "li")


def test_one_text_is_one_password() -> None:
    stored = passwords.hashed("caf\u00e9 密码很长的")
    assert passwords.right(stored, "cafe\u0301 密码很长的")  # a keyboard that sends the accent apart
    assert passwords.right(passwords.hashed("１２３４abcdef"), "1234abcdef")


@pytest.mark.parametrize(
    "stored", ["", "x", "$argon2id$", "$2b$12$abcdefghijklmnopqrstuv", "$argon2id$v=19$m=8,t=1,p=1$AA$AA"]
)
def test_what_is_no_hash_fits_nothing(stored: str) -> None:
    assert passwords.right(stored, "anything at all") is False


def test_an_unknown_name_takes_as_long_and_says_the_same(town: Any) -> None:
    people.add(town, "常在", "planner")
    people.add(town, "无密", "planner", password=None)
    people.add(town, "停用", "planner")
    with sessions.session(town.settings, "owner") as session:
        session.execute(text("UPDATE app_user SET disabled_at = now() WHERE name = '停用'"))
    took: dict[str, list[float]] = {name: [] for name in ("常在", "无密", "停用", "不存在")}
    bodies = set()
    for _ in range(9):
        for name in took:
            people.forget_attempts(town)
            began = time.perf_counter()
            answer = people.sign_in(town, name, "not the right one")
            took[name].append(time.perf_counter() - began)
            assert answer.status_code == 401
            bodies.add(answer.text)
    assert len(bodies) == 1
    fastest, typical = {n: min(t) for n, t in took.items()}, statistics.median(took["常在"])
    assert all(seconds > 0.5 * fastest["常在"] for seconds in fastest.values()), (fastest, typical)


def test_yesterdays_parameters_are_replaced_at_sign_in(town: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "MEMORY_KIB", 8 * 1024)
    people.add(town, "老用户", "planner")
    monkeypatch.undo()
    before = people.sql(town, "SELECT password_hash FROM app_user WHERE name = '老用户'")
    assert "m=8192" in before
    assert people.sign_in(town, "老用户").status_code == 200
    after = people.sql(town, "SELECT password_hash FROM app_user WHERE name = '老用户'")
    assert "m=19456" in after
    assert people.sign_in(town, "老用户").status_code == 200
    assert people.sql(town, "SELECT password_hash FROM app_user WHERE name = '老用户'") == after


def test_a_password_is_nowhere_in_clear(
    town: Any, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "canary-7731-purple-cow"
    people.add(town, "金丝雀", "admin", password=secret)
    answer = people.sign_in(town, "金丝雀", secret)
    mine = people.carrying(answer)
    town.ask("POST", "/api/session/password", json={"old": secret, "new": secret + "!"}, headers=mine)
    people.sign_in(town, "金丝雀", secret)
    told = town.ask(
        "POST", "/api/users", json={"name": "x/y", "role": "admin", "password": secret}, headers=town.admin
    )
    assert told.status_code == 400
    out = "".join(capfd.readouterr()) + caplog.text + answer.text + told.text
    with sessions.session(town.settings, "owner") as session:
        for table in ("app_user", "token", "audit", "attempt", "device", "answered"):
            out += str(session.execute(text(f"SELECT * FROM {table}")).all())
    assert "canary-7731" not in out
    assert PASSWORD not in out

"""`wangge demo`: everything at once, with the sample city; `--check` proves it and goes home."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from sqlalchemy import func, select, text

from api.cli import edge, output
from api.cli.groups import top
from api.cli.operate import Host, Port, Workers
from api.cli.supervise import Supervisor, die_with_parent
from api.policy import Role
from geo.db.session import session
from geo.db.tables import AppUser, City, LoadRun, Plan
from geo.errors import Unavailable
from geo.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from api.auth import Area

USER = "demo"
TOKEN_DAYS = 7
ROLES: tuple[Role, ...] = (
    "worker",
    "supervisor",
    "planner",
    "admin",
    "public",
)  # a demo account each, called like its role


class CheckFailed(Unavailable):
    """The running service and the database do not agree."""

    default_code = "check-failed"


@top.command("demo")
def demo(
    check: Annotated[bool, typer.Option("--check", help="核对后退出 / compare counts, then exit")] = False,
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
) -> None:
    """样例城市：数据库、数据、方案、服务 / The sample city, up and running; Ctrl-C stops it all."""
    chosen = 0 if check and port is None else port
    settings = edge.settings().with_(host=host, port=chosen, workers=workers)
    with Supervisor(settings, log=settings.home / "service.log") as running:
        try:
            fill(settings)
        except Unavailable:
            if running.asked_to_stop():
                return
            raise
        token = sign_in_token(settings)
        running.serve()
        if running.asked_to_stop():
            return
        examine(settings, running.url, token)
        if check:
            output.tell(f"OK {running.url}")
            return
        welcome(running.url, token, people(settings))
        running.watch()


def fill(settings: Settings) -> None:
    """Makes and loads the sample city when the database holds nothing yet, or half of it from a start that was killed."""
    with session(settings) as opened:
        loaded = opened.scalar(select(func.count()).select_from(LoadRun))
        planned = opened.scalar(select(func.count()).select_from(Plan).where(Plan.state == "approved"))
        city = opened.get(City, 1)
    if loaded and (planned or city is None or not city.synthetic):
        return
    output.say("正在生成样例城市……", "Making the sample city …")
    done = subprocess.run(
        [sys.executable, "-m", "api", "sample"],
        env={**os.environ, **settings.to_environment(), "WANGGE_LANG": edge.lang()},
        preexec_fn=die_with_parent(signal.SIGTERM),
        check=False,
        stdout=sys.stderr,
    )
    if done.returncode not in (0, 3):
        raise Unavailable(
            "样例城市未能生成，原因见上。", "The sample city was not made; the reason stands above."
        )


def sign_in_token(settings: Settings) -> str:
    """A fresh token of the account `demo`; the ones of earlier starts end."""
    from api import auth
    from geo.db.tables import Token

    with session(settings) as opened:
        user = opened.scalar(select(AppUser).where(AppUser.name == USER))
        if user is None:
            user = auth.add_user(opened, USER)
        mine = select(Token.id).where(
            Token.user_id == user.id, Token.revoked_at.is_(None), Token.parent_id.is_(None)
        )
        for old in opened.scalars(mine).all():
            auth.revoke_token(opened, old, user=USER)
        return auth.issue_token(opened, USER, days=TOKEN_DAYS, label="demo")[0]


def examine(settings: Settings, url: str, token: str) -> None:
    """Compares what the service says with what the database holds; raises when they differ."""
    from api.cli.selfcheck import compare

    wrong = []
    for compared in compare(settings, url, token):
        output.say(*[f"{'✓' if compared.fine else '✗'} {compared.name}: {compared.said}"] * 2)
        if not compared.fine:
            wrong.append(compared.name)
    if wrong:
        raise CheckFailed(f"核对不一致：{'、'.join(wrong)}。", f"Not in agreement: {', '.join(wrong)}.")


@dataclass(frozen=True)
class Person:
    """A demo account: its area's name where it has one; its password only where it was made just now."""

    name: str
    area: str | None
    password: str | None


def people(settings: Settings) -> list[Person]:
    """One account per role, made at the first start; later starts keep them and their passwords."""
    from api import accounts, auth

    found = []
    with session(settings) as opened:
        there = {user.name: user for user in opened.scalars(select(AppUser).where(AppUser.name.in_(ROLES)))}
        area = (
            _busiest_street(opened) if accounts.BOUND - there.keys() else None
        )  # seconds: at the first start only
        for role in ROLES:
            known = there.get(role)
            bound = area if role in accounts.BOUND else None
            if known is None and (bound is None) == (role in accounts.BOUND):
                continue  # no street is loaded: nothing a worker could be bound to
            password = None
            if known is None:
                password = auth.make_password()
                known = auth.add_user(opened, role, "demo", role=role, area=bound, password=password)
            found.append(Person(role, _area_of(opened, known), password))
    return found


def _busiest_street(opened: Session) -> Area | None:
    """The street with the most cases: there is something to see."""
    from api import auth

    code = opened.scalar(
        text(
            "SELECT b.code FROM boundary b JOIN edition e ON e.id = b.edition_id AND e.during @> current_date "
            "JOIN level l ON l.id = e.level_id JOIN unit u ON ST_Covers(b.geom, u.point) JOIN cases c ON c.unit_id = u.id "
            "WHERE l.name = 'street' GROUP BY b.code ORDER BY count(*) DESC, b.code LIMIT 1"
        )
    )
    return auth.Area("street", code) if code else None


def _area_of(opened: Session, user: AppUser) -> str | None:
    from api import accounts, auth

    if user.area_level is None or user.area_code is None:
        return None
    return accounts.area_name(opened, auth.Area(user.area_level, user.area_code)) or user.area_code


def welcome(url: str, token: str, people: list[Person]) -> None:
    """Says where it is and how to sign in; a password stands here once and nowhere else."""
    zh = edge.lang() == "zh"
    output.tell("")
    output.tell(f"  Wangge 网格   {url}/")
    output.tell(f"  {'登录令牌' if zh else 'sign-in token'}   {token}")
    output.tell(f"  {'接口说明' if zh else 'API'}   {url}/api/docs")
    output.tell("")
    for line in table(people, zh):
        output.tell(f"  {line}")
    output.tell("")
    if any(person.password for person in people):
        output.say("密码只显示这一次，请记下。", "The passwords are shown this once; note them down.")
    if any(person.password is None for person in people):
        output.say(
            "密码沿用上次；忘记了就运行 wangge user password NAME。",
            "Passwords are those of the first start; forgotten: wangge user password NAME.",
        )
    output.say("按 Ctrl-C 停止一切。", "Ctrl-C stops it all.")


def table(people: list[Person], zh: bool) -> list[str]:
    """The accounts as aligned lines; a Chinese character is two columns wide.

    >>> table([Person("worker", "和平街道", "k7pm-w3xd"), Person("admin", None, None)], zh=True)
    ['用户名  区域      密码', 'worker  和平街道  k7pm-w3xd', 'admin   全市      （沿用）']
    """
    head = ("用户名", "区域", "密码") if zh else ("user", "area", "password")
    city, kept = ("全市", "（沿用）") if zh else ("whole city", "(as before)")
    rows = [head, *((p.name, p.area or city, p.password or kept) for p in people)]
    widths = [max(_width(row[i]) for row in rows) for i in range(3)]
    return [
        "  ".join(cell + " " * (w - _width(cell)) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)

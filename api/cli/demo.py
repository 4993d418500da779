"""`wangge demo`: everything at once, with the sample city; `--check` proves it and goes home."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Annotated

import typer
from sqlalchemy import func, select

from api.cli import edge, output
from api.cli.groups import top
from api.cli.operate import Host, Port, Workers
from api.cli.supervise import Supervisor, die_with_parent
from geo.db.session import session
from geo.db.tables import AppUser, City, LoadRun, Plan
from geo.errors import Unavailable
from geo.settings import Settings

USER = "demo"
TOKEN_DAYS = 7


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
        welcome(running.url, token)
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


def welcome(url: str, token: str) -> None:
    """Says where it is and how to sign in."""
    output.tell("")
    output.tell(f"  Wangge 网格   {url}/")
    output.tell(f"  {'登录令牌' if edge.lang() == 'zh' else 'sign-in token'}   {token}")
    output.tell(f"  {'接口说明' if edge.lang() == 'zh' else 'API'}   {url}/api/docs")
    output.tell("")
    output.say("按 Ctrl-C 停止一切。", "Ctrl-C stops it all.")

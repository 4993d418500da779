"""`wangge user`: accounts of staff and their tokens. A token is printed once and never again."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli import edge, output
from api.cli.groups import user
from api.cli.output import AsJson

Name = Annotated[str, typer.Argument(metavar="NAME", help="用户名 / user name")]
Days = Annotated[int, typer.Option("--days", metavar="N", help="有效天数 / days the token lives")]
Label = Annotated[str, typer.Option("--label", metavar="TEXT", help="用途 / what it is for")]


@user.command("add")
def add(name: Name, as_json: AsJson = False) -> None:
    """新增用户并发放首个令牌 / Add a user and print a first token."""
    from api import auth

    with edge.work() as session:
        auth.add_user(session, name)
        secret, token = auth.issue_token(session, name, label="first")
        shown = {"user": name, "token": secret, "id": token.id, "expires_at": token.expires_at}
    _show(shown, as_json)


@user.command("list")
def list_(as_json: AsJson = False) -> None:
    """列出用户 / List the users."""
    from api import auth

    with edge.work() as session:
        found = auth.list_users(session)
    output.result(found, as_json)


@user.command("disable")
def disable(name: Name) -> None:
    """停用用户及其全部令牌 / Shut an account and all its tokens."""
    from api import auth

    with edge.work() as session:
        auth.disable_user(session, name)
    output.say(
        f"用户 {name} 已停用；其登录在 1 分钟内失效。",
        f"User {name} is disabled; sign-ins end within a minute.",
    )


@user.command("token")
def token(
    name: Name,
    days: Days = 90,
    label: Label = "",
    revoke: Annotated[
        int | None, typer.Option("--revoke", metavar="ID", help="撤销令牌 / end this token instead")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """发放（或撤销）令牌 / Print a new token, shown this once; or end one."""
    from api import auth

    with edge.work() as session:
        if revoke is not None:
            auth.revoke_token(session, revoke, user=name)
            output.say(f"令牌 {revoke} 已撤销。", f"Token {revoke} is revoked.")
            return
        secret, row = auth.issue_token(session, name, days=days, label=label)
        shown = {"user": name, "token": secret, "id": row.id, "expires_at": row.expires_at}
    _show(shown, as_json)


def _show(shown: dict[str, object], as_json: bool) -> None:
    output.result(shown, as_json)
    if not as_json:
        output.say("令牌只显示这一次，请妥善保存。", "The token is shown this once; keep it safe.")

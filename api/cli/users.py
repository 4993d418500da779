"""`wangge user`: accounts of staff, their roles, passwords and tokens. A secret is printed once and never again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli import edge, output
from api.cli.choices import one_of
from api.cli.groups import user
from api.cli.output import AsJson
from api.policy import PRINCIPALS, Role
from geo.errors import RefusedArgument

if TYPE_CHECKING:
    from api.auth import Area

Name = Annotated[str, typer.Argument(metavar="NAME", help="用户名 / user name")]
Days = Annotated[int, typer.Option("--days", metavar="N", help="有效天数 / days the token lives")]
Label = Annotated[str, typer.Option("--label", metavar="TEXT", help="用途 / what it is for")]
ROLES = " | ".join(PRINCIPALS)
_role = one_of("role", *PRINCIPALS)
RoleOf = Annotated[Role, typer.Option("--role", metavar="R", help=ROLES, parser=_role)]
AreaOf = Annotated[
    str | None,
    typer.Option(
        "--area", metavar="LEVEL:CODE", help="所辖区域，网格员和网格长必填 / of a worker or supervisor"
    ),
]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="从标准输入读密码 / read the password from standard input")
]


@user.command("add")
def add(
    name: Name,
    role: RoleOf = "admin",
    area: AreaOf = None,
    password_stdin: FromStdin = False,
    no_password: Annotated[
        bool, typer.Option("--no-password", help="只用令牌或单点登录 / tokens or single sign-on only")
    ] = False,
    oidc_subject: Annotated[
        str | None, typer.Option("--oidc-subject", metavar="SUB", help="单点登录主体 / link to this subject")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """新增用户，给出密码和首个令牌 / Add a user; print a password and a first token."""
    from api import auth

    if password_stdin and no_password:
        raise RefusedArgument(
            "--password-stdin 与 --no-password 不能同用。",
            "--password-stdin and --no-password exclude each other.",
        )
    given = _typed() if password_stdin else None
    made = None if password_stdin or no_password else auth.make_password()
    with edge.work() as session:
        account = auth.add_user(
            session, name, role=role, area=_area(area), password=made if given is None else given, oidc_subject=oidc_subject
        )  # fmt: skip
        secret, token = auth.issue_token(session, account.name, label="first")
        shown: dict[str, Any] = {"user": name, "role": role}
        if made is not None:
            shown["password"] = made
        shown |= {"token": secret, "id": token.id, "expires_at": token.expires_at}
    _show(shown, as_json)


@user.command("list")
def list_(as_json: AsJson = False) -> None:
    """列出用户 / List the users."""
    from api import auth

    with edge.work() as session:
        found = auth.list_users(session)
    for row in found:
        level, code = row.pop("area_level"), row.pop("area_code")
        row["area"] = f"{level}:{code}" if level else None
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


@user.command("enable")
def enable(name: Name) -> None:
    """重新启用用户 / Open an account again; its old tokens stay revoked."""
    from api import auth

    with edge.work() as session:
        auth.change_user(session, name, auth.Change(disabled=False))
    output.say(f"用户 {name} 已启用；旧令牌不恢复。", f"User {name} is enabled; old tokens stay revoked.")


@user.command("role")
def role(
    name: Name,
    new: Annotated[Role, typer.Argument(metavar="ROLE", help=ROLES, parser=_role)],
    area: AreaOf = None,
) -> None:
    """改角色（及区域）/ Give another role (and area); holds for sign-ins that are out, within a minute."""
    from api import auth

    with edge.work() as session:
        auth.change_user(session, name, auth.Change(role=new, area=_area(area)))
    output.say(f"用户 {name} 现为 {new}。", f"User {name} is now {new}.")


@user.command("password")
def password(name: Name, password_stdin: FromStdin = False, as_json: AsJson = False) -> None:
    """设置新密码，结束其网页登录 / Set a new password (made unless read); the account's sessions end."""
    from api import auth

    given = _typed() if password_stdin else None
    with edge.work() as session:
        chosen = auth.set_password(session, name, given)
    if given is not None:
        output.say(f"用户 {name} 的密码已更改。", f"The password of {name} is changed.")
        return
    output.result({"user": name, "password": chosen}, as_json)
    if not as_json:
        output.say("密码只显示这一次，请妥善保存。", "The password is shown this once; keep it safe.")


@user.command("link")
def link(
    name: Name,
    subject: Annotated[str, typer.Argument(metavar="SUB", help="单点登录主体，空为解除 / '' unlinks")],
) -> None:
    """关联单点登录主体 / Link an account to a subject of the single sign-on."""
    from api import auth

    with edge.work() as session:
        auth.change_user(session, name, auth.Change(oidc_subject=subject))
    output.say(
        f"用户 {name} {'已关联' if subject else '已解除关联'}。",
        f"User {name} is {'linked' if subject else 'unlinked'}.",
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


def _area(given: str | None) -> Area | None:
    """LEVEL:CODE as an area."""
    from api import auth

    if given is None:
        return None
    level, _, code = given.partition(":")
    if not level or not code:
        raise RefusedArgument(
            "区域写作 层级:编码。", "An area is written LEVEL:CODE.", field="area",
            do_zh="例如 street:110101001。", do_en="For example street:110101001.",
        )  # fmt: skip
    return auth.Area(level, code)


def _typed() -> str:
    """The first line of standard input; asked for without echo on a terminal."""
    if sys.stdin.isatty():
        return str(typer.prompt("密码 / password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")


def _show(shown: dict[str, object], as_json: bool) -> None:
    output.result(shown, as_json)
    if not as_json:
        secrets_zh = "密码和令牌" if "password" in shown else "令牌"
        secrets_en = "Password and token are" if "password" in shown else "The token is"
        output.say(f"{secrets_zh}只显示这一次，请妥善保存。", f"{secrets_en} shown this once; keep it safe.")

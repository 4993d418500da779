"""`wangge city`: the profile of the one city of this database."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from api.cli import edge, output
from api.cli.groups import city
from api.cli.output import AsJson
from geo.codes import TEMPLATES
from geo.errors import RefusedArgument

UNNAMED = "未命名城市"


@city.command("set")
def set_profile(
    name: Annotated[str | None, typer.Option("--name", help="城市名 / name")] = None,
    timezone: Annotated[str | None, typer.Option("--timezone", help="IANA 时区 / e.g. Asia/Shanghai")] = None,
    code_template: Annotated[
        str | None, typer.Option("--code-template", help="编码模板 / " + ", ".join(TEMPLATES))
    ] = None,
    as_json: AsJson = False,
) -> None:
    """设置城市名、时区、编码模板 / Set name, time zone, code template; what is not given stays."""
    changes = {
        "name": _name(name),
        "timezone": _zone(timezone),
        "code_template": _template(code_template),
    }
    from geo.db.tables import City
    from geo.db.versions import bump

    with edge.work() as session:
        found = session.get(City, 1)
        if found is None:
            found = City(id=1, name=UNNAMED)
            session.add(found)
        for field, value in changes.items():
            if value is not None:
                setattr(found, field, value)
        session.flush()
        bump(session, "city")
    show(as_json)


@city.command("show")
def show(as_json: AsJson = False) -> None:
    """显示城市档案 / Show the profile."""
    from geo.db.tables import City

    with edge.work() as session:
        found = session.get(City, 1)
        names = ("name", "timezone", "code_template", "nesting_level", "synthetic")
        profile = None if found is None else {field: getattr(found, field) for field in names}
    if profile is None:
        output.say("尚未设置：wangge city set --name …", "Not set yet: wangge city set --name …")
        profile = {"name": None, "timezone": "Asia/Shanghai", "code_template": "beijing-15"}
    output.result(profile, as_json)


def _name(name: str | None) -> str | None:
    if name is not None and not 0 < len(name.strip()) <= 100:
        raise RefusedArgument("城市名应为 1 至 100 字。", "A name has 1 to 100 characters.", field="name")
    return name and name.strip()


def _zone(timezone: str | None) -> str | None:
    if timezone is None:
        return None
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise RefusedArgument(
            f"没有时区 {timezone}。",
            f"There is no time zone {timezone}.",
            field="timezone",
            do_zh="请用 IANA 名称，如 Asia/Shanghai。",
            do_en="Use an IANA name such as America/New_York.",
        ) from None
    return timezone


def _template(template: str | None) -> str | None:
    if template is not None and template not in TEMPLATES:
        raise RefusedArgument(
            f"没有编码模板 {template}。",
            f"There is no code template {template}.",
            field="code_template",
            do_zh=f"可选：{'、'.join(TEMPLATES)}。",
            do_en=f"Choose one of {', '.join(TEMPLATES)}.",
        )
    return template

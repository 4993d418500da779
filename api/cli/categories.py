"""`wangge category`: which categories are sensitive, and how many minutes one case of a kind takes."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli import edge, output
from api.cli.groups import category
from api.cli.output import AsJson

Catalogue = Annotated[
    str | None, typer.Option("--catalogue", metavar="NAME", help="类别目录 / only this catalogue")
]


@category.command("list")
def list_(catalogue: Catalogue = None, as_json: AsJson = False) -> None:
    """列出类别、是否敏感、处理时长 / List the categories with their settings."""
    from geo.catalogue import categories

    with edge.work() as session:
        found = categories(session, catalogue)
    output.result(found, as_json)


@category.command("set")
def set_(
    key: Annotated[str, typer.Argument(metavar="KEY", help="代码：大类 或 大类/小类 / code: top or top/sub")],
    catalogue: Catalogue = None,
    sensitive: Annotated[
        bool | None,
        typer.Option(
            "--sensitive/--not-sensitive",
            help="敏感：公开时至少 10 件；大类连同其小类 / published from 10 cases on; a 大类 with all its 小类",
        ),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option("--minutes", metavar="N", help="每件处理分钟数 / minutes one case takes")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """设置类别是否敏感、处理时长 / Set whether a category is sensitive, and its handling time."""
    from geo.catalogue import set_category

    with edge.work() as session:
        found = set_category(
            session, key, who="operator", catalogue=catalogue, sensitive=sensitive, minutes=minutes
        )
    if as_json:
        output.result({"category": key, "set": found}, as_json)
    else:
        output.say(f"已设置 {found} 个类别。", f"{found} categories set.")

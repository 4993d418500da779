"""The tree of commands. A module of this package adds its commands to one of these groups.

from api.cli.groups import plan

@plan.command("list")
def list_plans() -> None: ...
"""

from __future__ import annotations

import typer


def _group(help_: str) -> typer.Typer:
    return typer.Typer(help=help_, no_args_is_help=True, pretty_exceptions_enable=False)


top = typer.Typer(
    name="wangge",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    epilog="--data DIR 与 --lang zh|en 可放在任何位置 / may stand anywhere on the line.",
)
db = _group("数据库：启动、停止、迁移、备份、恢复 / The database.")
city = _group("城市档案 / The city's profile.")
load = _group("装载文件 / Load files.")
units = _group("单元 / Units of ground.")
plan = _group("网格方案 / Grid plans.")
maps = _group("独立网页地图 / Self-contained map pages.")
jobs = _group("作业：列表、查看、取消 / Long work.")
audit = _group("审计 / Who did what, and whether the record is whole.")
user = _group("用户与令牌 / Users and tokens.")

for _name, _app in {
    "db": db,
    "city": city,
    "load": load,
    "units": units,
    "plan": plan,
    "map": maps,
    "jobs": jobs,
    "user": user,
    "audit": audit,
}.items():
    top.add_typer(_app, name=_name)

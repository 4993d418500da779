"""`wangge db`: start, stop, status, migrate, backup and restore."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli import edge, output
from api.cli.groups import db
from api.cli.output import AsJson
from geo.errors import RefusedArgument


@db.command("start")
def start() -> None:
    """启动数据库并迁移 / Start the private cluster and migrate."""
    edge.database()
    output.say("数据库已就绪。", "The database is ready.")


@db.command("stop")
def stop() -> None:
    """停止私有数据库 / Stop the private cluster."""
    from geo.db import cluster

    if cluster.stop(edge.settings()):
        output.say("数据库已停止。", "The database has stopped.")
    else:
        output.say("数据库本来就没有运行。", "The database was not running.")


@db.command("status")
def status(as_json: AsJson = False) -> None:
    """数据库状态 / Whether the database runs."""
    from geo.db import cluster

    output.result(cluster.status(edge.settings()), as_json)


@db.command("migrate")
def migrate() -> None:
    """迁移数据库结构 / Bring the schema up to date."""
    from geo.db import cluster, migrations

    settings = edge.settings()
    cluster.ensure(settings)
    changed = migrations.upgrade(settings)
    head = migrations.head()
    if changed:
        output.say(f"结构已迁移到 {head}。", f"The schema is now at {head}.")
    else:
        output.say(f"结构已是最新（{head}）。", f"The schema is up to date ({head}).")


@db.command("backup")
def make_backup(
    file: Annotated[Path, typer.Argument(help="备份文件 / the file to write")],
    force: Annotated[bool, typer.Option("--force", help="覆盖已有文件 / overwrite")] = False,
) -> None:
    """备份到一个文件 / Write everything into one file, consistent to one instant."""
    from geo.db import backup

    if file.exists() and not force:
        raise RefusedArgument(
            f"{file} 已存在。",
            f"{file} exists already.",
            do_zh="请另选文件名，或加 --force。",
            do_en="Choose another name, or add --force.",
        )
    size = backup.write(edge.database(), file.absolute())
    output.say(f"已备份到 {file}（{size:,} 字节）。", f"Backed up to {file} ({size:,} bytes).")


@db.command("restore")
def restore(
    file: Annotated[Path, typer.Argument(help="备份文件 / a file made by `wangge db backup`")],
    force: Annotated[bool, typer.Option("--force", help="替换已有数据 / replace what is there")] = False,
) -> None:
    """从备份恢复 / Bring a backup back; refused when the database holds data, unless --force."""
    from geo.db import backup, cluster, migrations
    from geo.db.session import forget

    settings = edge.settings()
    cluster.ensure(settings)
    if not force:
        backup.refuse_when_filled(settings)
    backup.restore(settings, file.absolute())
    migrations.upgrade(settings)
    forget(settings)
    output.say(f"已从 {file} 恢复。", f"Restored from {file}.")

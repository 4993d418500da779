"""`wangge up`, `serve`, `doctor`, `db` and `city`: running the service and looking after it."""

from __future__ import annotations

from api.cli import edge, output
from api.cli.groups import db
from api.cli.output import AsJson
from geo.db import cluster, migrations


@db.command("start")
def db_start() -> None:
    """启动数据库并迁移 / Start the private cluster and migrate."""
    edge.database()
    output.say("数据库已就绪。", "The database is ready.")


@db.command("stop")
def db_stop() -> None:
    """停止私有数据库 / Stop the private cluster."""
    if cluster.stop(edge.settings()):
        output.say("数据库已停止。", "The database has stopped.")
    else:
        output.say("数据库本来就没有运行。", "The database was not running.")


@db.command("status")
def db_status(as_json: AsJson = False) -> None:
    """数据库状态 / Whether the database runs."""
    output.result(cluster.status(edge.settings()), as_json)


@db.command("migrate")
def db_migrate() -> None:
    """迁移数据库结构 / Bring the schema up to date."""
    settings = edge.settings()
    cluster.ensure(settings)
    changed = migrations.upgrade(settings)
    head = migrations.head()
    if changed:
        output.say(f"结构已迁移到 {head}。", f"The schema is now at {head}.")
    else:
        output.say(f"结构已是最新（{head}）。", f"The schema is up to date ({head}).")

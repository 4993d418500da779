"""`wangge up`, `wangge serve` and `wangge warm`: running the service."""

from __future__ import annotations

import importlib
from typing import Annotated

import typer

from api.cli import edge, output
from api.cli.groups import top

KERNELS = (
    "geo.placement",
    "geo.analysis.counts",
    "geo.db.copy_columns",
    "maps.natural",
    "api.digits",
    "etl.copying",
    "etl.cleaning.strings",
    "etl.cleaning.times",
    "etl.tables.splitting",
)

Host = Annotated[str | None, typer.Option("--host", help="监听地址 / address to listen on")]
Port = Annotated[int | None, typer.Option("--port", min=0, max=65535, help="端口 / port; 0 = any free one")]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, max=64, help="工作进程数 / worker processes")
]


@top.command("up")
def up(host: Host = None, port: Port = None, workers: Workers = None) -> None:
    """启动数据库、迁移、服务 / Database, migrations and service; Ctrl-C stops it all."""
    run(database=True, host=host, port=port, workers=workers)


@top.command("serve")
def serve(host: Host = None, port: Port = None, workers: Workers = None) -> None:
    """仅启动服务 / The service alone; the database is left running."""
    run(database=False, host=host, port=port, workers=workers)


@top.command("warm", hidden=True)
def warm() -> None:
    """编译计算内核 / Compile the numeric kernels now, so that nobody waits later."""
    from concurrent.futures import ProcessPoolExecutor

    from grids.kernels import FAMILIES

    with ProcessPoolExecutor() as pool:  # each compiles into the same cache on disk
        list(pool.map(compile_one, [*(f"grids.kernels.{family}" for family in FAMILIES), *KERNELS]))


def compile_one(module: str) -> None:
    """Compiles the loops of one module."""
    importlib.import_module(module).warm()


def run(*, database: bool, host: str | None, port: int | None, workers: int | None) -> None:
    """Serves until it is told to stop."""
    from api.cli.supervise import Supervisor

    settings = edge.settings().with_(host=host, port=port, workers=workers)
    with Supervisor(settings, database=database) as running:
        running.serve()
        if not running.asked_to_stop():
            output.tell(running.url)
            output.say(
                f"服务已就绪：{running.url}（Ctrl-C 停止）",
                f"The service is ready: {running.url} (Ctrl-C stops it)",
            )
        running.watch()

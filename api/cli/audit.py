"""`wangge audit`: what was done by whom, and whether the record of it is whole."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from api.cli import edge, output
from api.cli.groups import audit
from api.cli.output import AsJson


@audit.command("list")
def list_(
    last: Annotated[int, typer.Option(min=1, max=100_000, help="最近多少条 / how many, newest first")] = 50,
    who: Annotated[str | None, typer.Option(help="只看某人 / of one person")] = None,
    as_json: AsJson = False,
) -> None:
    """最近的操作 / What was done of late."""
    from geo.db import audit as chain

    with edge.work("app") as session:
        output.result(chain.newest(session, last, who), as_json)


@audit.command("verify")
def verify(as_json: AsJson = False) -> None:
    """核验审计链：无改、无缺、无添 / Is every row as it was written, and are all there? Exit 1 when not."""
    from geo.db import audit as chain

    with edge.work() as session:
        found = chain.verify(session, edge.settings())
    if as_json:
        output.result(dataclasses.asdict(found), as_json)
    if found.first_bad is not None:
        output.say(f"审计链已断：{found.first_bad.zh}", f"The audit chain is broken: {found.first_bad.en}")
        raise typer.Exit(1)
    output.say(
        f"审计链完好：{found.rows} 条，{found.seals} 个封签相符。",
        f"The audit chain is whole: {found.rows} rows, {found.seals} seals agree.",
    )


@audit.command("seal")
def seal() -> None:
    """把链头封签到数据库之外的文件 / Sign the head of the chain into a file outside the database."""
    from geo.db import audit as chain

    with edge.work() as session:
        made = chain.seal(session, edge.settings())
    if made is None:
        output.say("自上次封签以来没有新的记录。", "Nothing new since the last seal.")
    else:
        output.say(f"已封签至第 {made.seq} 号。", f"Sealed up to number {made.seq}.")

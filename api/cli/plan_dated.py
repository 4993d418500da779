"""`wangge plan check|except|bands|copy|rebase|approve|withdraw|lineage`: from a draft to what holds from a day on."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli import edge, output
from api.cli.groups import plan
from api.cli.output import AsJson

Which = Annotated[str, typer.Argument(metavar="PLAN", help="方案编号或名称 / a plan's id or name")]
Who = Annotated[str, typer.Option("--by", help="经办人 / who does it")]
Rule = Annotated[str, typer.Option(help="规则，如 not-contiguous、band:households / the rule")]
OneGrid = Annotated[
    str | None, typer.Option("--grid", help="网格编码；不给则全方案 / a grid's code; all without")
]


@plan.command("check")
def check_plan(which: Which, as_json: AsJson = False) -> None:
    """方案违反的规则、例外与提示 / The rules a plan breaks, what is excepted, and advice."""
    from grids import plans

    with edge.work() as session:
        found = plans.checked(session, which)
    rows = [
        (standing, violation)
        for standing in ("walls", "excepted", "advice")
        for violation in getattr(found, standing)
    ]
    if as_json:
        output.result(
            [{**dataclasses.asdict(v), "rule": v.rule, "standing": _STANDING[s][2]} for s, v in rows], True
        )
    else:
        output.result([_told(s, v) for s, v in rows])
    if not found.walls:
        output.say("没有阻碍批准的问题。", "Nothing stands in the way of approval.")


_STANDING = {
    "walls": ("须改正", "to put right", "wall"),
    "excepted": ("已例外", "excepted", "excepted"),
    "advice": ("提示", "advice", "advice"),
}


def _told(standing: str, violation: Any) -> dict[str, Any]:
    chinese = edge.lang() == "zh"
    return {
        "grid": violation.grid,
        "rule": violation.rule,
        "standing": _STANDING[standing][0 if chinese else 1],
        "what": violation.zh if chinese else violation.en,
        "do": violation.do_zh if chinese else violation.do_en,
    }


@plan.command("except")
def except_plan(
    which: Which,
    rule: Rule,
    reason: Annotated[str | None, typer.Option(help="理由，必填 / why (needed)")] = None,
    grid: OneGrid = None,
    remove: Annotated[bool, typer.Option("--remove", help="撤销例外 / take it back")] = False,
    by: Who = "operator",
    as_json: AsJson = False,
) -> None:
    """记录例外：草案可带理由违反某规则 / Record an exception: a draft may break a rule, with a reason."""
    from grids import exceptions, stored

    with edge.work() as session:
        if remove:
            exceptions.take_back(session, which, rule=rule, grid=grid, author=by)
        else:
            exceptions.allow(session, which, rule=rule, grid=grid, reason=reason or "", author=by)
        rows = exceptions.listing(session, stored.find(session, which).id)
    output.result(rows, as_json)


@plan.command("bands")
def plan_bands(
    which: Which,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="households=300:500、area=:2000000、thinness=0.15")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="data/rules/bands.toml 中的配置：urban … / a profile of that file")
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="先清空 / begin from none")] = False,
    by: Who = "operator",
    as_json: AsJson = False,
) -> None:
    """网格应在的区间：查看或设定 / The bands grids should lie in: show or set."""
    from grids import banding, bands, stored

    with edge.work() as session:
        if set_ or profile or clear:
            given = bands.profile(profile) if profile else {}
            given |= dict(bands.parse(one) for one in set_ or [])
            banding.set_bands(session, which, given, clear=clear, author=by)
        found = stored.find(session, which).bands
    output.result(found, as_json)


@plan.command("rebase")
def rebase_plan(
    which: Which,
    name: Annotated[str | None, typer.Option(help="新草案名称 / the new draft's name")] = None,
    onto: Annotated[str | None, typer.Option(help="移到哪个方案，默认最后批准的 / onto which plan")] = None,
    mine: Annotated[
        bool, typer.Option("--mine", help="都改过的单元以本草案为准 / this draft decides where both changed")
    ] = False,
    by: Who = "operator",
    as_json: AsJson = False,
) -> None:
    """把草案的改动移到后来批准的方案上 / Carry a draft's changes over to the plan approved meanwhile."""
    from grids import rebasing

    with edge.work() as session:
        done = rebasing.rebase(session, which, name=name, onto=onto, mine=mine, author=by)
    output.say(
        f"新草案“{done.name}”（编号 {done.id}）：在“{done.onto}”上改动 {done.mine} 个单元。",
        f"New draft {done.name!r} (id {done.id}): {done.mine} units changed on top of {done.onto!r}.",
    )
    output.result(done, as_json)


@plan.command("approve")
def approve_plan(
    which: Which,
    valid_from: Annotated[str, typer.Option("--from", metavar="DATE", help="生效日 / first day, YYYY-MM-DD")],
    by: Annotated[str, typer.Option(help="批准人 / who approves")] = "operator",
    as_json: AsJson = False,
) -> None:
    """批准方案，自某日起生效 / Approve a plan from a date on."""
    from geo.errors import Refused
    from grids import plans

    first = date(valid_from)
    try:
        with edge.work() as session:
            done = plans.approve(session, which, first, by)
            excepted = plans.checked(session, which).excepted
    except Refused as problem:
        if not as_json:
            output.result([_told("walls", v) for v in problem.facts.get("violations", [])])
        raise
    if excepted and not as_json:
        output.result([_told("excepted", v) for v in excepted])
    output.say(
        f"方案“{done.name}”自 {done.valid_from} 起生效。", f"Plan {done.name!r} holds from {done.valid_from}."
    )
    output.result(_row(done), as_json)


@plan.command("withdraw")
def withdraw_plan(
    which: Which,
    by: Annotated[str, typer.Option(help="撤回人 / who withdraws")] = "operator",
    as_json: AsJson = False,
) -> None:
    """在生效前撤回已批准的方案 / Take an approved plan back before it starts."""
    from grids import plans

    with edge.work() as session:
        done = plans.withdraw(session, which, by)
    output.say(f"方案“{done.name}”已撤回。", f"Plan {done.name!r} is withdrawn.")
    output.result(_row(done), as_json)


@plan.command("lineage")
def plan_lineage(
    which: Which,
    against: Annotated[
        str | None, typer.Option(help="与哪个方案相比，默认批准时的前一个 / the earlier plan")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """网格沿革：每个旧网格的面积、户数、案件去了哪里 / What each earlier grid passed on, and to whom."""
    from grids import lineage

    with edge.work() as session:
        found = lineage.read(session, which, against)
    output.result(found if as_json else found["rows"], as_json)
    if not found["rows"]:
        output.say("没有更早的方案。", "There is no earlier plan.")


@plan.command("export")
def export_plan(
    which: Which,
    to: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            help=".csv 单元归属表；.gpkg .shp.zip .geojson 带指标的网格 / grids with metrics",
        ),
    ],
    weight: Annotated[
        str | None, typer.Option(help="偏差所依据的权重 / the weight the deviation is of")
    ] = None,
    encoding: Annotated[str, typer.Option(help="Shapefile 编码 / encoding: utf-8, gbk")] = "utf-8",
    as_json: AsJson = False,
) -> None:
    """导出方案：单元归属表或带指标的网格 / A plan as a file: unit → grid, or its grids with what they hold."""
    from api import plan_files

    with edge.work() as session:
        written = plan_files.export(session, which, to, weight=weight, encoding=encoding)
    for notice in written.notices:
        output.say(notice["zh"], notice["en"])
    output.say(f"已写出 {written.rows} 行：{to}", f"{written.rows} rows written to {to}.")
    if as_json:
        output.result(written, True)


def _row(one: Any) -> dict[str, Any]:
    return {field.name: getattr(one, field.name) for field in dataclasses.fields(one)}


def date(written: str) -> dt.date:
    """A date as YYYY-MM-DD."""
    from geo.errors import RefusedArgument

    try:
        return dt.date.fromisoformat(written.strip())
    except ValueError as problem:
        raise RefusedArgument(
            f"日期“{written[:40]}”无法识别。", f"{written[:40]!r} is not a date.", code="date", field="from",
            do_zh="请写成 2026-01-31。", do_en="Write it as 2026-01-31.",
        ) from problem  # fmt: skip

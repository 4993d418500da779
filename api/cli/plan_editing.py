"""`wangge plan edit PLAN …`: the acts on a draft at the command line, and its history."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Annotated, Any

import typer

from api.cli import edge, output
from api.cli.groups import plan as plans
from api.cli.output import AsJson

edit = typer.Typer(
    help="编辑草案：分配、拆分、合并、修整、锁定、撤销 / Edit a draft.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
plans.add_typer(edit, name="edit")

Revision = Annotated[
    int | None, typer.Option(min=0, help="所见版本，已变则拒绝 / refuse when the plan is at another revision")
]
By = Annotated[str, typer.Option(help="编辑人 / who edits")]
Grid = Annotated[str, typer.Option(help="网格编码 / the grid's code")]
Grids = Annotated[str, typer.Option(help="网格编码，以逗号分隔 / codes of grids, by commas")]


@edit.callback()
def which(
    context: typer.Context,
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="草案编号或名称 / a draft's id or name")],
) -> None:
    """编辑一个草案；每次操作成为一个版本，可撤销 / Every act becomes a revision and can be undone."""
    context.obj = plan


@edit.command("assign")
def assign(
    context: typer.Context,
    units: Annotated[str, typer.Option(help="单元编码，以逗号分隔 / codes of units, by commas")],
    to: Annotated[str, typer.Option(help="网格编码；new 新网格；none 不归任何网格 / a grid, new, or none")],
    revision: Revision = None,
    by: By = "operator",
    as_json: AsJson = False,
) -> None:
    """把单元分给网格 / Give units to a grid."""
    from grids import drafts

    moves = [drafts.Move(_codes(units), None if to == "none" else to)]
    _act(context, drafts.assign, moves, revision=revision, by=by, as_json=as_json)


@edit.command("split")
def split(
    context: typer.Context,
    grid: Grid,
    parts: Annotated[int, typer.Option(min=2, max=1000, help="份数 / how many parts")] = 2,
    posts: Annotated[str | None, typer.Option(help="各份岗数，如 2,1 / posts of each part")] = None,
    line: Annotated[
        str | None, typer.Option(help="沿线切开：经度 纬度,经度 纬度 / along a line: lon lat,lon lat")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="随机种子 / seed")] = 0,
    revision: Revision = None,
    by: By = "operator",
    as_json: AsJson = False,
) -> None:
    """把一个网格拆成连通、均衡的几份 / Split a grid in contiguous, even parts."""
    from grids import drafts

    shares = _numbers(posts, "posts") if posts is not None else None
    drawn = _line(line) if line is not None else None
    more = {"parts": len(shares) if shares else parts, "posts": shares, "line": drawn, "seed": seed}
    _act(context, drafts.split, grid, revision=revision, by=by, as_json=as_json, **more)


@edit.command("merge")
def merge(
    context: typer.Context,
    grid: Grid,
    other: Annotated[str, typer.Option(help="并入的相邻网格 / the grid beside it that ends")],
    revision: Revision = None,
    by: By = "operator",
    as_json: AsJson = False,
) -> None:
    """把相邻网格并入一个网格 / Merge two grids beside each other."""
    from grids import drafts

    _act(context, drafts.merge, grid, other, revision=revision, by=by, as_json=as_json)


@edit.command("fix")
def fix(
    context: typer.Context,
    grid: Grid,
    tolerance: Annotated[float | None, typer.Option(help="均衡容差 / deviation still called even")] = None,
    seed: Annotated[int, typer.Option(min=0, help="随机种子 / seed")] = 0,
    revision: Revision = None,
    by: By = "operator",
    as_json: AsJson = False,
) -> None:
    """修整一个网格，只动它与相邻网格 / Put one grid right, touching only its neighbours."""
    from grids import drafts

    more = {"tolerance": tolerance, "seed": seed}
    _act(context, drafts.fix, grid, revision=revision, by=by, as_json=as_json, **more)


@edit.command("undo")
def undo(
    context: typer.Context, revision: Revision = None, by: By = "operator", as_json: AsJson = False
) -> None:
    """撤销最近一次操作 / Take the latest act back."""
    from grids import drafts

    _act(context, drafts.undo, revision=revision, by=by, as_json=as_json)


@edit.command("redo")
def redo(
    context: typer.Context, revision: Revision = None, by: By = "operator", as_json: AsJson = False
) -> None:
    """重做刚撤销的操作 / Do again what was undone last."""
    from grids import drafts

    _act(context, drafts.redo, revision=revision, by=by, as_json=as_json)


@edit.command("lock")
def lock(
    context: typer.Context,
    grids: Grids,
    unlock: Annotated[bool, typer.Option("--unlock", help="解锁 / unlock instead")] = False,
    revision: Revision = None,
    by: By = "operator",
    as_json: AsJson = False,
) -> None:
    """锁定网格，使其范围不变 / Lock grids, so that their ground stays."""
    from grids import drafts

    more = {"locked": not unlock}
    _act(context, drafts.lock, _codes(grids), revision=revision, by=by, as_json=as_json, **more)


@edit.command("posts")
def posts(
    context: typer.Context,
    grids: Grids,
    number: Annotated[float, typer.Option(help="每个网格的岗数 / posts of each grid")],
    revision: Revision = None,
    by: By = "operator",
    as_json: AsJson = False,
) -> None:
    """设定网格的岗位数 / How many posts look after grids."""
    from grids import drafts

    wanted = dict.fromkeys(_codes(grids), number)
    _act(context, drafts.posts, wanted, revision=revision, by=by, as_json=as_json)


@edit.command("rename")
def rename(
    context: typer.Context,
    grid: Grid,
    name: Annotated[str | None, typer.Option(help="新名称 / new name")] = None,
    code: Annotated[str | None, typer.Option(help="新编码 / new code")] = None,
    revision: Revision = None,
    by: By = "operator",
    as_json: AsJson = False,
) -> None:
    """改网格的名称或编码 / Rename a grid, or give it another code."""
    from grids import drafts

    _act(context, drafts.rename, grid, revision=revision, by=by, as_json=as_json, name=name, code=code)


@edit.command("log")
def log(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="最多几条 / how many")] = 20,
    as_json: AsJson = False,
) -> None:
    """编辑历史，最近的在前 / The history, the latest first."""
    from grids import drafts, stored

    with edge.work("app") as session:
        found = drafts.log(session, stored.find(session, context.obj).id, limit=limit)
    if as_json:
        output.result(found, True)
        return
    rows = [
        {
            "revision": one["revision"],
            "act": one["act"] + (f" → {one['undoes']}" if one["undoes"] is not None else ""),
            "grids": ", ".join(one["what"].get("changed", [])[:6]),
            "units": one["what"].get("units", 0),
            "author": one["author"],
            "at": f"{one['at']:%Y-%m-%d %H:%M:%S}",
        }
        for one in found
    ]
    output.result(rows)
    if not rows:
        output.say("尚未编辑。", "Nothing was edited yet.")


@plans.command("begin")
def begin(
    name: Annotated[str, typer.Option(help="草案名称 / the draft's name")],
    like: Annotated[
        str, typer.Option(help="以此方案为底稿；默认现行方案 / the plan to start from; the one in force")
    ] = "current",
    empty: Annotated[bool, typer.Option("--empty", help="空白草案 / start from nothing")] = False,
    nest: Annotated[str | None, typer.Option(help="strict, soft, free")] = None,
    by: By = "operator",
    as_json: AsJson = False,
) -> None:
    """以现行或另一方案为底稿新建草案 / Begin a draft like the plan in force, another plan, or from nothing."""
    from geo.zones import resolve_plan
    from grids import drafts
    from grids.stored import city_today

    with edge.work() as session:
        if empty:
            made = drafts.empty(session, name, by, nest or "strict")
        else:
            made = drafts.copy(session, resolve_plan(session, like, city_today(session)).id, name, by)
        facts = {"id": made.id, "name": made.name, "state": made.state, "revision": made.revision}
    output.say(
        f"草案“{name}”（编号 {facts['id']}）。编辑：wangge plan edit {facts['id']} --help",
        f"Draft {name!r} (id {facts['id']}). Edit it: wangge plan edit {facts['id']} --help",
    )
    output.result(facts, as_json)


def _act(
    context: typer.Context, act: Callable[..., Any], *given: Any, revision: int | None, by: str, as_json: bool, **more: Any
) -> None:  # fmt: skip
    """One act in one transaction, then what it changed."""
    from grids.drafts import Desk

    with edge.work() as session:
        done = act(session, context.obj, *given, revision=revision, author=by, desk=Desk(), **more)
    if as_json:
        output.result(dataclasses.asdict(done), True)
        return
    zh = edge.lang() == "zh"
    gone = f"；消失：{'、'.join(done.removed)}" if zh else f"; gone: {', '.join(done.removed)}"
    output.say(
        f"“{done.name}”现为第 {done.revision} 版：{done.units} 个单元易手{gone if done.removed else ''}。",
        f"{done.name!r} is at revision {done.revision}: {done.units} units changed hands{gone if done.removed else ''}.",
    )
    weight = done.score.weight
    output.result(
        [
            {
                "code": grid.code,
                "name": grid.name,
                "units": grid.units,
                weight: grid.loads[weight],
                "deviation": grid.deviation,
                "compactness": grid.compactness,
                "parts": grid.parts,
                "posts": grid.posts,
                "locked": grid.locked,
            }
            for grid in done.grids
        ]
    )
    for broken in done.violations:
        output.say(f"{broken.zh}{broken.do_zh}", f"{broken.en} {broken.do_en}")


def _line(written: str) -> list[list[float]]:
    from geo.errors import RefusedArgument

    found = [_numbers(point, "line", " ") for point in written.replace("，", ",").split(",")]
    if len(found) < 2 or any(len(point) != 2 for point in found):
        raise RefusedArgument(
            f"“{written[:80]}”不是一条线。", f"{written[:80]!r} is not a line.", field="line",
            do_zh="请写成：经度 纬度,经度 纬度。", do_en="Write it as: lon lat,lon lat.",
        )  # fmt: skip
    return found


def _codes(written: str) -> list[int | str]:
    return [code.strip() for code in written.replace("，", ",").split(",") if code.strip()]


def _numbers(written: str, field: str, separator: str = ",") -> list[float]:
    from geo.errors import RefusedArgument

    try:
        return [float(word) for word in written.replace("，", ",").split(separator) if word.strip()]
    except ValueError:
        raise RefusedArgument(
            f"“{written[:80]}”不是一串数字。", f"{written[:80]!r} is not a list of numbers.", field=field
        ) from None

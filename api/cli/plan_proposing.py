"""`wangge plan propose`: the re-gridding engine from the command line."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import typer

from api.cli import edge, output
from api.cli.choices import one_of
from api.cli.groups import plan
from api.cli.output import AsJson

Weights = Annotated[
    list[str] | None,
    typer.Option(
        "--weight",
        help="均分什么：cases, households, workload, area, 列名；可重复，首个为主 / what to share out; repeatable, "
        "the first leads [cases]",
    ),
]
PerGrid = Annotated[
    float | None, typer.Option("--per-grid", help="每网格的量，以权重为单位 / how much one grid holds")
]
Choices = Annotated[
    int, typer.Option(help="方案数，1–5，沿嵌套、均衡、紧凑取舍 / plans along the trade-off, 1 to 5")
]
Lock = Annotated[
    str | None,
    typer.Option(
        metavar="CODE,…", help="保持不动的现行网格 / grids of the plan in force that keep their ground"
    ),
]
Posts = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|N",
        help="岗位：每网格 N 个，或一行一个网格的文件 / posts: N in every grid, or a file, one line a grid",
    ),
]
Barriers = Annotated[
    Path | None, typer.Option(help="另加的障碍线文件 / a file of further lines that nobody walks across")
]

Nesting = Literal["strict", "soft", "free"]  # as `grids.problem` has it, which takes a second to import
Nest = Annotated[
    Nesting,
    typer.Option(
        metavar="MODE",
        parser=one_of("nest", *get_args(Nesting)),
        help="嵌套：strict 不跨区, soft 少跨区, free 随意 / may grids cross areas",
    ),
]


@plan.command("propose")
def propose_plan(
    name: Annotated[str, typer.Option(help="方案名称 / the plan's name; further ones: NAME 2, NAME 3 …")],
    grids: Annotated[int | None, typer.Option(help="网格数 / number of grids")] = None,
    per_grid: PerGrid = None,
    weight: Weights = None,
    nest: Nest = "strict",
    tolerance: Annotated[
        float, typer.Option(help="均衡容差 / deviation from the fair load still called even")
    ] = 0.10,
    barriers: Barriers = None,
    lock: Lock = None,
    posts: Posts = None,
    seed: Annotated[int, typer.Option(help="随机种子，同种子同结果 / same seed, same plan")] = 0,
    choices: Choices = 1,
    as_json: AsJson = False,
) -> None:
    """提出连通、均衡、紧凑、嵌套的方案 / Propose contiguous, balanced, compact, nested plans (docs/method.md)."""
    from grids import plans, proposals

    columns = weight or ["cases"]
    obstacles = _obstacles(barriers) if barriers else None
    with edge.work() as session, output.progress() as progress:
        made = proposals.propose(
            session, name=name, grids=grids, per_grid=per_grid, weight=columns,
            nest=nest, tolerance=tolerance, seed=seed, choices=choices, locked=_codes(lock), posts=_posts(posts),
            obstacles=obstacles, progress=progress,
        )  # fmt: skip
        card = dataclasses.asdict(plans.score(session, made.plan_ids[0], columns[0], tolerance))
    first = made.plans[0]
    if as_json:
        output.result(
            {"id": first.plan_id, "name": name, **card, "plans": made.plans, "bounds": made.bounds}, True
        )
        return
    _tell(made, tolerance)
    output.say(
        f"批准：wangge plan approve {first.plan_id} --from 日期",
        f"Approve: wangge plan approve {first.plan_id} --from DATE",
    )


def _tell(made: Any, tolerance: float) -> None:
    """The choices as a table, then what no plan can beat, then why grids are outside the tolerance."""
    zh = edge.lang() == "zh"
    output.result(
        [
            {
                "id": one.plan_id,
                "name": one.name,
                "choice": one.label_zh if zh else one.label_en,
                "nesting": one.nesting,
                "outside": one.outside,
                "mean": f"{one.mean_deviation:.1%}",
                "worst": f"{one.deviation:.1%}",
                "compactness": f"{one.compactness:.3f}",
                "crossing": one.crossing,
            }
            for one in made.plans
        ]
    )
    limits = made.bounds
    nested_zh = (
        f"{limits.nested:.1%}" if limits.nested is not None else f"至少要 {limits.fewest_nested} 个网格"
    )
    nested_en = (
        f"{limits.nested:.1%}"
        if limits.nested is not None
        else f"at least {limits.fewest_nested} grids needed"
    )
    output.say(
        f"{made.grids} 个网格。任何方案的最大偏差不低于：最重单元所在网格 {limits.heaviest_unit:.1%}；"
        f"严格嵌套的其余网格 {nested_zh}。",
        f"{made.grids} grids. No plan can go below {limits.heaviest_unit:.1%} for the grid with the heaviest unit; "
        f"strictly nested, {nested_en} for the others.",
    )
    for reason in [*limits.explained, *made.plans[0].explained]:
        output.say(reason.zh, reason.en)


def _codes(lock: str | None) -> list[str]:
    return [code.strip() for code in (lock or "").split(",") if code.strip()]


def _posts(given: str | None) -> float | list[float] | None:
    """A number for every grid, or the numbers of a file: its column `posts` (岗位), else its last column."""
    from geo.errors import RefusedArgument

    if given is None:
        return None
    try:
        return float(given)
    except ValueError:
        pass
    try:
        with Path(given).open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
        head = [cell.strip().lower() for cell in rows[0]] if rows else []
        at = next((i for i, cell in enumerate(head) if cell in ("posts", "岗位", "岗位数")), -1)
        if at >= 0 or not _is_number(head[-1]):
            rows = rows[1:]
        return [float(row[at]) for row in rows]
    except (OSError, ValueError, IndexError, UnicodeDecodeError) as problem:
        raise RefusedArgument(
            f"读不出岗位数：{given[:80]}。", f"No numbers of posts in {given[:80]}.", code="posts", field="posts",
            do_zh="给一个数，或每行一个数的 CSV 文件。", do_en="Give a number, or a CSV file with one number a line.",
        ) from problem  # fmt: skip


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _obstacles(path: Path) -> tuple[Any, Any]:
    """Barriers and passages of a file of ways; lines of no known class are barriers."""
    import numpy as np

    from api.cli.ground import read_obstacles

    found = read_obstacles(path)
    return np.concatenate([found.barriers, found.water]), found.passages

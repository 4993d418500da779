"""`wangge plan rebalance` and `wangge plan ensemble`: little moved, and how ordinary a plan is."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from api.cli import edge, output
from api.cli.groups import plan
from api.cli.output import AsJson

Which = Annotated[str, typer.Argument(metavar="PLAN", help="方案编号或名称 / a plan's id or name")]
Weight = Annotated[
    str, typer.Option(help="均分什么：cases, households, workload, area, 列名 / what is shared out")
]
Tolerance = Annotated[float, typer.Option(help="均衡容差 / deviation from the fair load still called even")]
Seed = Annotated[int, typer.Option(help="随机种子，同种子同结果 / same seed, same answer")]
Lock = Annotated[
    str | None, typer.Option(metavar="CODE,…", help="保持不动的网格 / grids that keep their ground")
]
Grids = Annotated[
    str, typer.Option(metavar="+1|-1", help="增减一个网格（岗位） / one grid (post) more or less")
]
Name = Annotated[
    str | None,
    typer.Option(help="写成新草案；非草案方案必填 / a new draft of this name; needed unless PLAN is a draft"),
]
MEASURES = {
    "largest_deviation": ("最大偏差", "largest deviation"),
    "mean_deviation": ("平均偏差", "mean deviation"),
    "compactness": ("紧凑度", "compactness"),
    "cut_edges": ("切断的邻接", "cut edges"),
    "crossing": ("跨区网格", "grids across areas"),
}


@plan.command("rebalance")
def rebalance_plan(
    which: Which,
    tolerance: Tolerance = 0.10,
    weight: Weight = "cases",
    lock: Lock = None,
    grids: Grids = "0",
    leaving: Annotated[
        str | None, typer.Option(metavar="CODE", help="-1 时撤销的网格 / the grid to dissolve")
    ] = None,
    joining: Annotated[
        str | None, typer.Option(metavar="CODE", help="+1 时由此分出 / the grid to divide")
    ] = None,
    name: Name = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """以最小变动恢复均衡，可撤销 / Bring a plan back into balance, moving little; can be undone (docs/method.md)."""
    from grids import rebalancing

    more = _more(grids)
    locked = [code.strip() for code in (lock or "").split(",") if code.strip()]
    with edge.work() as session, output.progress() as progress:
        done = rebalancing.rebalanced(
            session, which, name=name, weight=weight, tolerance=tolerance, more=more, leaving=leaving,
            joining=joining, locked=locked, seed=seed, progress=progress,
        )  # fmt: skip
    if as_json:
        told = {"id": done.plan_id, "name": done.name, "revision": done.revision}
        output.result({**told, "changed": done.changed, "removed": done.removed, **done.found}, True)
        return
    _tell(done, tolerance)


def _tell(done: Any, tolerance: float) -> None:
    """What moved, the least that had to, and why grids are still outside."""
    found = done.found
    output.say(
        f"方案“{done.name}”（编号 {done.plan_id}，修订 {done.revision}）：移动 {found['moved_weight']:g}"
        f"（{found['moved_share']:.2%}；相邻网格间至少 {found['least_share']:.2%}），{found['moved_units']} 个单元，"
        f"{found['changed_grids']} 个网格有变。",
        f"Plan {done.name!r} (id {done.plan_id}, revision {done.revision}): {found['moved_weight']:g} moved "
        f"({found['moved_share']:.2%}; at least {found['least_share']:.2%} between neighbours), "
        f"{found['moved_units']} units, {found['changed_grids']} grids changed.",
    )
    output.say(
        f"{found['within_tolerance']:.1%} 的网格在 ±{tolerance:.0%} 以内，最大偏差 {found['deviation']:.1%}。",
        f"{found['within_tolerance']:.1%} of the grids are within ±{tolerance:.0%}; the worst is {found['deviation']:.1%} off.",
    )
    for one in found["stuck"]:
        grid = one["grid"] or "—"
        output.say(f"网格 {grid} {one['zh']}{one['do_zh']}", f"Grid {grid} {one['en']} {one['do_en']}")


@plan.command("ensemble")
def ensemble_plan(
    which: Which,
    plans: Annotated[int, typer.Option(help="抽取多少个方案 / how many plans to sample")] = 1000,
    chains: Annotated[int, typer.Option(help="几条独立的链 / how many separate walks")] = 4,
    weight: Weight = "cases",
    tolerance: Tolerance = 0.10,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """在随机的可行方案中给方案排名 / Rank a plan among random valid plans of the city (docs/method.md)."""
    from grids import ranking

    with edge.work() as session, output.progress() as progress:
        found = ranking.ranked(
            session, which, weight=weight, tolerance=tolerance, plans=plans, chains=chains, seed=seed,
            progress=progress,
        )  # fmt: skip
    if as_json:
        output.result(found, True)
        return
    output.result([_line(one) for one in found.measures])
    output.say(
        f"{found.plans} 个随机可行方案，{found.chains} 条链。" + _trust(found.mixed, True),
        f"{found.plans} random valid plans from {found.chains} walks. " + _trust(found.mixed, False),
    )


def _line(one: Any) -> dict[str, str]:
    """One measure as a row: the plan's value, the sampled plans', its place, and the diagnostics."""
    zh, rank = edge.lang() == "zh", one.rank
    low, middle, high = (f"{one.quantiles[i]:.4g}" for i in (0, 2, 4))
    place = (
        f"{rank.rank_first}" if rank.rank_first == rank.rank_last else f"{rank.rank_first}–{rank.rank_last}"
    )
    cells = {
        ("指标", "measure"): MEASURES[rank.measure][0 if zh else 1],
        ("本方案", "this plan"): f"{rank.value:.4g}",
        ("随机方案 5 %…50 %…95 %", "random plans 5 %…50 %…95 %"): f"{low} … {middle} … {high}",
        ("名次", "place"): f"{place} / {rank.of}",
        ("更好的占", "better than it"): f"{rank.better_share:.1%}",
        ("R̂", "R̂"): "—" if one.rhat is None else f"{one.rhat:.3f}",
        ("有效样本", "effective"): "—" if one.ess is None else f"{one.ess:.0f}",
    }
    return {names[0 if zh else 1]: value for names, value in cells.items()}


def _trust(mixed: bool, zh: bool) -> str:
    if mixed:
        return "各链一致（R̂ ≤ 1.01）。" if zh else "The walks agree (R̂ ≤ 1.01)."
    return (
        "各链尚未一致（R̂ > 1.01 或有效样本不足），名次只作参考；请增加 --plans。"
        if zh
        else "The walks do not agree yet (R̂ > 1.01 or too few effective plans): places are hints; ask for more --plans."
    )


def _more(grids: str) -> int:
    from geo.errors import RefusedArgument

    known = {"0": 0, "+1": 1, "1": 1, "-1": -1}
    if grids.strip() not in known:
        raise RefusedArgument(
            f"--grids 要用 +1 或 -1，不能是 {grids[:20]}。", f"--grids takes +1 or -1, not {grids[:20]}.",
            code="grids-change", field="grids", measured=grids[:20], allowed=["+1", "-1"],
            do_zh="一次增减一个，可重复运行。", do_en="One at a time; run it again for more.",
        )  # fmt: skip
    return known[grids.strip()]

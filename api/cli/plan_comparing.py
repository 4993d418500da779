"""`wangge plan compare` and `wangge plan replay`: plan A beside plan B."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path
from typing import Annotated, Any

import typer

from api import figures
from api.cli import edge, output
from api.cli.files import check_output, write
from api.cli.groups import plan
from api.cli.output import AsJson
from api.cli.plan_judging import NearM, Tolerance, Weight, plan_id, print_cards

PlanA = Annotated[str, typer.Argument(metavar="A", help="方案编号、名称或 current / id, name or current")]
PlanB = Annotated[str, typer.Argument(metavar="B", help="与之比较的方案 / the plan beside it")]
From = Annotated[str | None, typer.Option("--from", metavar="DATE", help="起始日（含） / first day")]
To = Annotated[str | None, typer.Option("--to", metavar="DATE", help="结束日（不含） / day after the last")]
MOST_SHOWN = 30


@plan.command("compare")
def compare_plans(
    a: PlanA,
    b: PlanB,
    first: From = None,
    stop: To = None,
    weight: Weight = "cases",
    tolerance: Tolerance = 0.10,
    near_m: NearM = None,
    to: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="差异图 .html、差异单元 .geojson、全部数字 .json / map, units, figures"
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """两个方案的差别：谁易手、多少，评分并列 / What changes hands from A to B, and both scorecards."""
    from geo.cases import CaseFilter
    from grids import comparing

    ending = check_output(to, (".html", ".geojson", ".json"))
    where = CaseFilter(day("from", first), day("to", stop))
    with edge.work() as session:
        found = comparing.compare(
            session,
            plan_id(session, a),
            plan_id(session, b),
            first=where.from_date,
            stop=where.to_date,
            weight=weight,
            tolerance=tolerance,
            near_m=near_m,
        )
        if to is not None:
            write(to, _rendered(session, found, ending))
    if to is not None:
        output.say(f"已写出 {to}", f"Written: {to}")
    if as_json:
        output.result(found.as_dict(), True)
    elif to is None:
        _print(found)


@plan.command("replay")
def replay_plans(
    a: PlanA,
    b: PlanB,
    first: From = None,
    stop: To = None,
    category: Annotated[
        list[str] | None, typer.Option("--category", help="类别，可重复 / category, repeatable")
    ] = None,
    weight: Annotated[str, typer.Option(help="cases, workload")] = "cases",
    near_m: NearM = None,
    seed: Annotated[int, typer.Option(help="随机种子 / seed")] = 0,
    replicates: Annotated[int, typer.Option(help="重抽次数 / bootstrap replicates")] = 1000,
    as_json: AsJson = False,
) -> None:
    """用同一时段的真实案件回放两个方案 / The same cases of a period under A and under B, with intervals."""
    from geo.cases import CaseFilter
    from geo.columns import ColumnStore
    from grids import replay

    where = CaseFilter(day("from", first), day("to", stop), tuple(category or ()))
    with edge.work() as session, output.progress() as progress:
        store = ColumnStore(edge.settings(), watch=False)
        columns = store.refresh(progress)
        found = replay.replay(
            session,
            columns,
            plan_id(session, a),
            plan_id(session, b),
            where,
            weight=weight,
            near_m=near_m,
            seed=seed,
            replicates=replicates,
        )
        store.close()
    if as_json:
        output.result(dataclasses.asdict(found), True)
    else:
        print_replay(found)


# ── For people ──────────────────────────────────────────────────────────────────────────────────────────────────────

MOVED = {
    "units": ("单元", "units"),
    "area_m2": ("面积 m²", "area m²"),
    "households": ("户数", "households"),
    "cases": ("案件", "cases"),
    "facilities": ("设施", "facilities"),
}


def _print(found: Any) -> None:
    zh = edge.lang() == "zh"
    output.tell(
        ("易手：" if zh else "Changes hands: ")
        + ("；" if zh else "; ").join(
            f"{MOVED[key][0 if zh else 1]} {part.moved:,.0f}"
            + (f" ({part.share:.1%})" if part.share is not None else "")
            for key, part in found.moved.items()
            if part is not None
        )
    )
    rows = sorted((p for p in found.pairs if not p.stays), key=lambda p: -p.area_m2)
    names = ("原网格", "新网格") if zh else ("from", "to")
    output.result(
        [
            {
                names[0]: p.grid_before or "—",
                names[1]: p.grid_after or "—",
                **{
                    MOVED[key][0 if zh else 1]: getattr(p, key) if key != "area_m2" else f"{p.area_m2:,.0f}"
                    for key in MOVED
                },
            }
            for p in rows[:MOST_SHOWN]
        ]
    )
    if len(rows) > MOST_SHOWN:
        output.say(
            f"…… 另有 {len(rows) - MOST_SHOWN} 对，--json 列出全部。",
            f"… and {len(rows) - MOST_SHOWN} more pairs; --json lists all.",
        )
    output.tell("")
    print_cards([found.card_a, found.card_b])


def print_replay(found: Any) -> None:
    """The replay as a table with intervals, and what stands behind it."""
    zh = edge.lang() == "zh"
    first, stop = found.period or ("—", "—")
    output.tell(
        f"{first} – {stop}（不含），{found.weeks} 周，案件 n = {found.n:,}（区外 {found.outside:,}，未定位 {found.unplaced:,}）"
        if zh
        else f"{first} to {stop} (not included), {found.weeks} weeks, n = {found.n:,} cases "
        f"(outside {found.outside:,}, unplaced {found.unplaced:,})"
    )
    words = (
        ("指标", "差 B−A", "95 % 区间", "B 更好") if zh else ("figure", "B − A", "95 % interval", "B better")
    )
    output.result(
        [
            {
                words[0]: figures.paired_name(key, zh),
                f"A {found.a.plan}": figures.paired(key, one.a),
                f"B {found.b.plan}": figures.paired(key, one.b),
                words[1]: figures.paired(key, one.difference, sign=True, zh=zh),
                words[2]: figures.interval(key, one.low, one.high, zh=zh),
                words[3]: f"{one.b_better_share:.0%}" if one.b_better_share is not None else "—",
            }
            for key, one in found.figures.items()
        ]
    )
    if found.overdue_share is not None:
        spans = " · ".join(
            f"{letter} {under.overdue_lowest:.1%} – {under.overdue_highest:.1%} ({under.overdue_highest_grid})"
            for letter, under in (("A", found.a), ("B", found.b))
            if under.overdue_lowest is not None
        )
        output.tell(
            f"逾期率 {found.overdue_share:.1%}（n = {found.decided:,}）；各网格 {spans}"
            if zh
            else f"overdue {found.overdue_share:.1%} (n = {found.decided:,}); by grid {spans}"
        )
    if any(one.low is None and one.difference is not None for one in found.figures.values()):
        output.tell("不足 8 周，不给区间。" if zh else "Fewer than 8 weeks: no intervals.")


# ── Helpers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def day(field: str, written: str | None) -> dt.date | None:
    """A date option, or None. Raises RefusedArgument `date` naming the option."""
    from geo.errors import RefusedArgument

    if written is None:
        return None
    try:
        return dt.date.fromisoformat(written.strip())
    except ValueError as problem:
        raise RefusedArgument(
            f"日期“{written[:40]}”无法识别。", f"{written[:40]!r} is not a date.", code="date", field=field,
            do_zh="请写成 2026-01-31。", do_en="Write it as 2026-01-31.",
        ) from problem  # fmt: skip


def _rendered(session: Any, found: Any, ending: str) -> bytes:
    import orjson

    from grids import comparing

    if ending == ".json":
        return output.to_json(found.as_dict()).encode()
    if ending == ".geojson":
        return orjson.dumps(comparing.difference_map(found))
    from api.pages import difference_page

    return difference_page(session, found, edge.lang()).encode()

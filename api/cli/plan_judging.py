"""`wangge plan score`: a plan judged, as a table for people or as JSON."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from api import figures
from api.cli import edge, output
from api.cli.groups import plan
from api.cli.output import AsJson

Which = Annotated[str, typer.Argument(metavar="PLAN", help="方案编号、名称或 current / id, name or current")]
Weight = Annotated[str, typer.Option(help="cases, households, workload, area, 列名 / or a column")]
Tolerance = Annotated[float, typer.Option(help="均衡容差 / deviation from the fair load still called even")]
NearM = Annotated[
    float | None, typer.Option("--near-m", help="定位误差（米）/ how far off positions may be, metres [20]")
]


@plan.command("score")
def score_plan(
    which: Which,
    weight: Weight = "cases",
    tolerance: Tolerance = 0.10,
    near_m: NearM = None,
    as_json: AsJson = False,
) -> None:
    """方案的评分表（各项定义见 docs/scores.md）/ A plan's scorecard (docs/scores.md defines every figure)."""
    from grids import judging

    with edge.work() as session:
        card = judging.scorecard(
            session, plan_id(session, which), weight=weight, tolerance=tolerance, near_m=near_m
        )
    if as_json:
        output.result(card.as_dict(), True)
        return
    print_cards([card])


def plan_id(session: Any, word: str) -> int | str:
    """A plan's id or name as it is; `current` and `as-of:DATE` as the id of the plan that holds (then)."""
    from geo.zones import resolve_plan
    from grids.stored import city_today

    if word == "current" or word.startswith("as-of:"):
        return resolve_plan(session, word, city_today(session)).id
    return word


def print_cards(cards: list[Any], headings: list[str] | None = None) -> None:
    """Scorecards side by side, family by family, with the reasons for what is missing below."""
    from grids.measures.catalogue import FAMILIES, FIGURES

    zh = edge.lang() == "zh"
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    table.add_column("指标" if zh else "figure", overflow="fold")
    for i, card in enumerate(cards):
        table.add_column(escape(headings[i] if headings else card.plan), justify="right", overflow="fold")
    family = ""
    for key, figure in FIGURES.items():
        first = FAMILIES[figure.family][0 if zh else 1] if figure.family != family else ""
        family = figure.family
        shown = [figures.shown(key, card.figures[key]) for card in cards]
        table.add_row(first, figures.name(key, zh), *shown)
    Console(highlight=False, width=None if _terminal() else 160).print(table)
    for line in notes_of(cards, zh):
        output.tell(line)


def notes_of(cards: list[Any], zh: bool) -> list[str]:
    """What was weighed and used, and why figures are missing, one line each."""
    from grids.measures.catalogue import FIGURES

    card = cards[0]
    notes = card.notes
    said = [
        f"权重：{figures.weight_name(card.weight, zh)}；容差 {card.tolerance:.0%}，近界 {card.near_m:g} m"
        if zh
        else f"weight: {figures.weight_name(card.weight, zh)}; tolerance {card.tolerance:.0%}, near a line: {card.near_m:g} m"
    ]
    if "residents_from" in notes:
        said.append(
            f"居民取自 {notes['residents_from']}；规范：每万居民 {notes['workers_per_10000']:g} 岗"
            if zh
            else f"residents from {notes['residents_from']}; norm: {notes['workers_per_10000']:g} posts per 10 000"
        )
    if "households_band" in notes:
        least, most = notes["households_band"]
        said.append(f"户数区间 {least:g}–{most:g}" if zh else f"household band {least:g}–{most:g}")
    if "stays_against" in notes:
        said.append(
            f"稳定性对照：{notes['stays_against']}" if zh else f"stability against {notes['stays_against']}"
        )
    reasons: dict[str, list[str]] = {}
    for one in cards:
        for key, why in one.missing.items():
            names = reasons.setdefault(why.zh if zh else why.en, [])
            name = FIGURES[key].zh if zh else FIGURES[key].en
            if name not in names:
                names.append(name)
    joint = "、" if zh else ", "
    return [*said, *(f"— {joint.join(names)}: {why}" for why, names in reasons.items())]


def _terminal() -> bool:
    import sys

    return sys.stdout.isatty()

"""The ranking of a view's report, and what it says about how sure its numbers are."""

from __future__ import annotations

import math

import numpy as np

from api.view_data import Gathered
from api.view_words import CAVEATS, between, layer, number, pick
from maps.reports import Section, Table

MOST_RANKED = 30


def ranking(found: Gathered, zh: bool) -> Section:
    """The highest zones and the chosen ones, with intervals and rank ranges; hexagons by value alone."""
    heat, ranked, unit = found.heat, found.ranked, found.heat.unit
    order = np.argsort(-np.where(np.isnan(heat.values), -np.inf, heat.values), kind="stable")
    known = order[~np.isnan(heat.values[order])]
    chosen = np.isin(heat.codes.astype(str), list(found.view.codes))
    listed = [i for k, i in enumerate(known.tolist()) if k < MOST_RANKED or chosen[i]]
    title = f"排名：{layer(found.view.by, zh)}" if zh else f"Ranking by {layer(found.view.by, zh)}"
    if ranked is None:
        short = tuple(
            (str(heat.codes[i]), number(heat.values[i], unit, zh), f"{int(heat.n[i]):,}") for i in listed
        )
        return Section(title, Table(("编码", "数值", "n") if zh else ("Code", "Value", "n"), short))
    rows = tuple(
        (
            ("▶ " if chosen[i] else "") + str(heat.names[i] or heat.codes[i]),
            str(heat.codes[i]),
            number(heat.values[i], unit, zh),
            f"{int(heat.n[i]):,}",
            between(_known(ranked.low[i]), _known(ranked.high[i]), unit, zh),
            f"{ranked.ranks.rank[i]}",
            f"{ranked.ranks.low[i]}–{ranked.ranks.high[i]}",
            str(ranked.ranks.group[i] or "—"),
        )
        for i in listed
    )
    head = (
        ("名称", "编码", "数值", "n", "95 % 区间", "名次", "名次范围", "组")
        if zh
        else ("Name", "Code", "Value", "n", "95 % interval", "Rank", "Rank range", "Group")
    )
    told = f"共 {len(known)} 个有数值，列前 {min(MOST_RANKED, len(known))} 个" if zh else (
        f"{len(known)} have a value; the first {min(MOST_RANKED, len(known))} are listed"
    )  # fmt: skip
    note = (
        f"{told}。名次范围同时成立的把握为 95 %；范围重叠的，不能说谁高谁低；同组与组首分不开。"
        if zh
        else f"{told}. All rank ranges hold together with 95 %; where they overlap nobody can say who is higher; a group "
        "cannot be told from its first."
    )
    return Section(title, Table(head, rows, words=2), note=note)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def notes(found: Gathered, zh: bool) -> Section:
    """What the numbers say and what they do not."""
    caveats = tuple(pick(CAVEATS[caveat], zh) for caveat in found.summary.caveats)
    lines = _notes_zh(found) if zh else _notes_en(found)
    return Section("有多大把握" if zh else "How sure", lines=(*caveats, *lines))


def _law(found: Gathered) -> str:
    heat = found.heat
    return f"{int(heat.n.sum()):,} + {heat.unplaced:,} + {heat.outside:,} = {heat.total:,}"


def _notes_zh(found: Gathered) -> tuple[str, ...]:
    return (
        f"区域内 + 未定位 + 界外 = 合计：{_law(found)}（地图指标的 n）。",
        "区间为 95 %：件数用精确泊松（Garwood 1936），比率用 Wilson 1927，中位数用顺序统计量；只反映偶然，不含漏报与定位误差。",
        "对比时段的时点同样前移，两期案件有同样长的时间办结；“超出偶然”：5 % 水平（Newcombe 1998；Przyborowski 等 1940）。",
        "名次范围：Tukey HSD（Mohamad、van Zwet、Solari、Goeman 2019）。颜色分级为自然断点。各项定义见 docs/scores.md。",
        "只有一个岗位的网格，其数字即个人的数字：仅供网格长、规划员、管理员使用，不对外发布。",
    )


def _notes_en(found: Gathered) -> tuple[str, ...]:
    return (
        f"In zones + unplaced + outside = total: {_law(found)} (the n of the map).",
        "Intervals are 95 %: exact Poisson for counts (Garwood 1936), Wilson 1927 for shares, order statistics for medians; "
        "they tell of chance, not of missing reports or wrong positions.",
        "The comparison's instant lies as long before, so that both periods' cases had the same time to be closed; beyond "
        "chance: at the 5 % level (Newcombe 1998; Przyborowski & Wilenski 1940).",
        "Rank ranges: Tukey's HSD (Mohamad, van Zwet, Solari & Goeman 2019). Classes are natural breaks. Definitions: "
        "docs/scores.md.",
        "The figures of a grid with one post are a person's: for supervisors, planners and admins, not for publication.",
    )

"""The impact statement: the values of `grids.impact` in the words of a meeting, set by `maps.reports`."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from api import figures
from api.dependencies import release
from api.pages import array, changed_ground, grid_lines, scale, synthetic_badge
from geo import features, outlines
from geo.db.clock import city_today
from geo.db.tables import Plan
from geo.errors import Lang
from grids.comparing import Comparison, Pair
from grids.impact import Impact
from grids.replay import Replay
from maps import classify
from maps.reports import Picture, Section, Statement, Table
from maps.reports.drawing import Scene, draw

MOST_PAIRS, MOST_TROUBLES = 8, 4
BESIDE = (
    "grids", "largest_deviation", "mean_deviation", "gini", "within_tolerance", "largest_forgiven", "compactness", "reock",
    "contiguous", "crossing", "barrier_grids", "walking_span_m", "households_in_band", "posts_share", "near_line_share",
)  # fmt: skip


def statement(session: Session, found: Impact, lang: Lang, today: dt.date) -> Statement:
    """One page about going from plan A to plan B."""
    zh = lang == "zh"
    compared, city = found.comparison, features.city(session)
    a, b = compared.a.plan, compared.b.plan
    return Statement(
        lang=lang,
        title=f"{city['name']} 网格调整影响说明"
        if zh
        else f"{city['name']}: impact of a new grid plan".lstrip(": "),
        subtitle=_subtitle(compared, today, zh),
        badge=synthetic_badge(city["synthetic"], zh),
        lead=_lead(compared, zh),
        beside=_beside(compared, zh),
        picture=_picture(session, compared, zh),
        sections=(_replay(found.replay, zh), _pairs(compared, zh), _troubles(found, zh)),
        sources=_sources(found, zh),
        footer=f"Wangge 网格 {release()} · {today} · {_state(a, zh)} → {_state(b, zh)}",
    )


def _state(plan: Plan, zh: bool) -> str:
    return f"{plan.name}（修订 {plan.revision}）" if zh else f"{plan.name} (revision {plan.revision})"


def _subtitle(compared: Comparison, today: dt.date, zh: bool) -> str:
    a, b = compared.a.plan, compared.b.plan
    states = {
        "draft": ("草案", "draft"),
        "approved": ("已批准", "approved"),
        "withdrawn": ("已撤回", "withdrawn"),
    }
    told = [f"{p.name}（{states[p.state][0]}）" if zh else f"{p.name} ({states[p.state][1]})" for p in (a, b)]
    return f"A {told[0]} → B {told[1]} · {today}"


def _lead(compared: Comparison, zh: bool) -> str:
    parts = []
    names = {
        "area_m2": ("面积", "of the area"),
        "households": ("户数", "of households"),
        "cases": ("案件", "of cases"),
    }
    for key, (cn, en) in names.items():
        moved = compared.moved[key]
        if moved is not None and moved.share is not None:
            amount = f"{moved.moved / 1e6:,.2f} km²" if key == "area_m2" else f"{moved.moved:,.0f}"
            parts.append(
                f"{cn} {moved.share:.1%}（{amount}）" if zh else f"{moved.share:.1%} {en} ({amount})"
            )
    n, k = compared.grids_touched, len(compared.a.codes)
    if not n:
        return "没有地面易手：两个方案相同。" if zh else "No ground changes hands: the plans are the same."
    if zh:
        return f"{k} 个网格中 {n} 个让出地面，改为 {len(compared.b.codes)} 个网格；易手：{'，'.join(parts)}。"
    return f"{n} of {k} grids give ground away; {len(compared.b.codes)} grids after. Changing hands: {', '.join(parts)}."


def _beside(compared: Comparison, zh: bool) -> Section:
    rows = []
    for key in BESIDE:
        before, after = compared.card_a.figures[key], compared.card_b.figures[key]
        if before is None and after is None:
            continue
        better = figures.better_mark(key, before, after)
        rows.append((figures.name(key, zh), figures.shown(key, before), figures.shown(key, after), better))
    head = ("指标", "A", "B", "") if zh else ("Figure", "A", "B", "")
    card = compared.card_a
    weight = figures.weight_name(card.weight, zh)
    note = (
        f"▲ B 更好，▼ B 更差。权重：{weight}；容差 {card.tolerance:.0%}，近界 {card.near_m:g} m。"
        if zh
        else f"▲ B is better, ▼ worse. Weight: {weight}; tolerance {card.tolerance:.0%}, near a line {card.near_m:g} m."
    )
    return Section("评分对照" if zh else "Scores side by side", Table(head, tuple(rows)), note=note)


def _picture(session: Session, compared: Comparison, zh: bool) -> Picture:
    moved = changed_ground(compared)
    cases = np.array([pair.cases for pair, _ in moved], float)
    limits = classify.for_measure("cases", cases) if len(cases) else []
    ramp = classify.colours(classify.ramp_of("cases"), len(limits)) if limits else []
    place = np.clip(np.searchsorted(limits, cases, side="right") - 1, 0, None) if limits else np.empty(0, int)
    ground = outlines.surroundings(session, city_today(session))
    svg, bar_m = draw(
        Scene(
            areas=array([shape for _, shape in moved]),
            colours=[ramp[int(c)] for c in place],
            limit=ground.limit,
            water=ground.water,
            lines=grid_lines(session, compared.a.plan.id),
        )
    )
    used = sorted({int(c) for c in place})
    legend = tuple((ramp[c], _class(limits, c)) for c in used)
    bar = scale(bar_m)
    caption = (
        f"易手地面，颜色为随之易手的案件数；灰线为 A 的网格；黑条 {bar}"
        if zh
        else f"Ground that changes hands, by cases that go along; grey: grids of A; bar: {bar}"
    )
    return Picture(svg, legend, caption)


def _class(limits: list[float], c: int) -> str:
    low = f"{limits[c]:,.0f}"
    if c + 1 == len(limits):
        return f"≥ {low}"
    high = f"{limits[c + 1] - 1:,.0f}"
    return low if low == high else f"{low}–{high}"


def _replay(found: Replay, zh: bool) -> Section:
    rows = []
    for key, one in found.figures.items():
        rows.append(
            (
                figures.paired_name(key, zh),
                figures.paired(key, one.a),
                figures.paired(key, one.b),
                figures.paired(key, one.difference, sign=True, zh=zh),
                figures.interval(key, one.low, one.high, zh=zh),
                f"{one.b_better_share:.0%}" if one.b_better_share is not None else "—",
            )
        )
    head = (
        ("同一批案件", "A", "B", "差 B−A", "95 % 区间", "B 更好")
        if zh
        else ("The same cases", "A", "B", "B − A", "95 % interval", "B better")
    )
    return Section(
        "按真实案件回放" if zh else "Replay on real cases",
        Table(head, tuple(rows)),
        note=_replay_note(found, zh),
    )


def _replay_note(found: Replay, zh: bool) -> str:
    period = f"{found.period[0]} – {found.period[1] - dt.timedelta(days=1)}" if found.period else "—"
    words = (
        ("按案件数", "by number of cases")
        if found.weight == "cases"
        else ("按处理分钟", "by handling minutes")
    )
    by = words[0 if zh else 1]
    late = f"{found.overdue_share:.1%}" if found.overdue_share is not None else "—"
    if zh:
        said = f"{period}，{found.weeks} 周，{by}，n = {found.n:,}（区外 {found.outside:,}，未定位 {found.unplaced:,}）；"
        return f"{said}全市逾期率 {late}（n = {found.decided:,}），两方案相同。区间：按周成对重抽 {found.replicates:,} 次。"
    said = f"{period}, {found.weeks} weeks, {by}, n = {found.n:,} (outside {found.outside:,}, unplaced {found.unplaced:,}); "
    said += f"overdue {late} city-wide (n = {found.decided:,}) under both. "
    return f"{said}Intervals: weeks drawn in pairs, {found.replicates:,} times."


def _pairs(compared: Comparison, zh: bool) -> Section:
    changing = sorted((p for p in compared.pairs if not p.stays), key=lambda p: -p.area_m2)
    head = (
        ("由", "归", "单元", "面积 km²", "占原网格", "户数", "案件", "设施")
        if zh
        else ("From", "To", "Units", "Area km²", "Of the grid", "Households", "Cases", "Facilities")
    )
    rows = tuple(
        (
            _grid(p.grid_before, p.name_before, zh), _grid(p.grid_after, p.name_after, zh), f"{p.units:,}",
            f"{p.area_m2 / 1e6:,.3f}", f"{p.area_share:.0%}" if p.area_share is not None else "—",
            f"{p.households:,.0f}" if p.households is not None else "—", f"{p.cases:,}", f"{p.facilities:,}",
        )
        for p in changing[:MOST_PAIRS]
    )  # fmt: skip
    more = len(changing) - len(rows)
    rest = ""
    if more > 0:
        rest = (
            f"另有 {more} 对，见两个方案的比较页。"
            if zh
            else f"{more} more pairs stand on the page that compares the plans."
        )
    return Section(
        "沿革（面积最大的在前）" if zh else "Lineage, largest first",
        Table(head, rows, words=2) if rows else None,
        note=rest or _none_changes(changing, zh),
    )


def _none_changes(changing: list[Pair], zh: bool) -> str:
    return "" if changing else ("没有网格让出地面。" if zh else "No grid gives ground away.")


def _grid(code: str, name: str, zh: bool) -> str:
    if not code:
        return "（未分配）" if zh else "(open)"
    return f"{name} {code}" if name and name != code else code


def _troubles(found: Impact, zh: bool) -> Section:
    lines = [
        f"{e.grid_code or ('全方案' if zh else 'whole plan')} · {e.rule}：{e.reason}（{e.author}）"
        if zh
        else f"{e.grid_code or 'whole plan'} · {e.rule}: {e.reason} ({e.author})"
        for e in found.exceptions[:MOST_TROUBLES]
    ]
    lines += [v.zh if zh else v.en for v in found.violations[: max(0, MOST_TROUBLES - len(lines))]]
    more = len(found.exceptions) + len(found.violations) - len(lines)
    if more > 0:
        lines.append(
            f"另有 {more} 处，见方案的规则一栏。" if zh else f"{more} more stand under the plan's rules."
        )
    if not lines:
        lines = ["B 没有违反规则，也没有例外。" if zh else "B breaks no rule and has no exception."]
    return Section("例外与未满足的规则" if zh else "Exceptions and rules not met", lines=tuple(lines))


def _sources(found: Impact, zh: bool) -> Section:
    notes: dict[str, Any] = found.comparison.card_b.notes
    residents = notes.get("residents_from", "—")
    if zh:
        lines = (
            "各项定义、公式与出处：docs/scores.md。易手：网格按留住面积最多的一一对应配对，与怎样命名无关。",
            "回放只换网格线：案件是谁处理、多快处理，是当时的；逾期离散因此只说明案件落在哪里，不预言新方案下的快慢。",
            "区间只反映周与周之间的变化，不含定位误差与新情况；近界案件占比说明数字依赖定位精度的程度。",
            f"居民数取自单元的 {residents} 列；规范值（户数区间、每万居民岗位）在 data/rules/grids.toml。",
        )
    else:
        lines = (
            "Definitions, formulas and sources: docs/scores.md. Changing hands: grids are paired so that most ground stays.",
            "Only the lines change in a replay: who handled a case and how fast is what it was. The spread of overdue shares "
            "tells where late cases lie, and does not foretell speed under the new plan.",
            "Intervals tell how weeks differ, not errors of position or new circumstances; the share near a line tells how "
            "much counts depend on exact positions.",
            f"Residents from the units' column {residents}; norms (households, posts per 10 000) in data/rules/grids.toml.",
        )
    return Section("来源与说明" if zh else "Sources and caveats", lines=lines)

"""A view of the map as a report: the values of `api.view_data` in words, tables and drawings for `maps.reports`."""

from __future__ import annotations

import datetime as dt

from api.dependencies import release
from api.pages import synthetic_badge
from api.view_data import Gathered
from api.view_drawings import matrix, picture, trend
from api.view_tables import notes, ranking
from api.view_words import (
    FIGURES,
    MEASURES,
    ORIGINS,
    STATUSES,
    VERSUS,
    certainty,
    days,
    layer,
    moment,
    number,
    pick,
    why,
)
from geo.analysis.summary import Figure
from geo.errors import Lang
from maps.reports import Card, ViewReport

MOST_NAMED = 6


def view_report(found: Gathered, lang: Lang, who: str, now: dt.datetime) -> ViewReport:
    """The report of a view; `who` asked for it at `now`."""
    zh = lang == "zh"
    view, heat, city = found.view, found.heat, found.city
    measure = pick(MEASURES[view.measure], zh)
    title = f"{city['name']} 案件报告：{measure}" if zh else f"{city['name']} case report: {measure}"
    made = moment(now, city["timezone"])
    return ViewReport(
        lang=lang,
        title=title.strip(),
        subtitle=f"由 {who} 于 {made} 生成" if zh else f"Made by {who} on {made}",
        badge=synthetic_badge(city["synthetic"], zh),
        facts=facts_of(found, zh),
        strip_title=_place(found, zh),
        cards=tuple(_card(figure, found, zh) for figure in found.summary.figures),
        map_title=f"地图：{measure}，按{layer(view.by, zh)}"
        if zh
        else f"Map: {measure} by {layer(view.by, zh)}",
        picture=picture(found, zh),
        trend=trend(found, zh),
        matrix=matrix(found, zh),
        ranking=ranking(found, zh),
        notes=notes(found, zh),
        footer=f"Wangge 网格 {release()} · {who} · {made} · {_plan(found, zh)} · {heat.version[:12]}",
    )


def _place(found: Gathered, zh: bool) -> str:
    """Whom the strip, the trend and the matrix are about."""
    codes = found.view.codes
    if not codes:
        return "全市" if zh else "The whole city"
    names = dict(zip(found.heat.codes.tolist(), found.heat.names.tolist(), strict=True))
    told = [str(names.get(code) or code) for code in codes[:MOST_NAMED]]
    more = len(codes) - len(told)
    rest = "" if more <= 0 else f" 等 {len(codes)} 个" if zh else f" and {more} more"
    return ("、" if zh else ", ").join(told) + rest


def _plan(found: Gathered, zh: bool) -> str:
    plan = found.heat.plan
    if plan is None:
        return layer(found.view.by, zh)
    if plan.id == 0:
        return "各案件当时的方案" if zh else "each case's plan of then"
    state = "" if plan.state == "approved" else "（草案）" if zh else " (draft)"
    return f"{plan.name}{state}"


def facts_of(found: Gathered, zh: bool) -> tuple[tuple[str, str], ...]:
    """What was asked, as (name, text)."""
    view, where = found.view, found.view.where
    comma = "、" if zh else ", "
    everything = "全部" if zh else "all"
    kinds = comma.join(found.category_names.get(key, key) for key in where.categories) or everything
    origins = comma.join(pick(ORIGINS[o], zh) for o in where.origins) or everything
    statuses = comma.join(pick(STATUSES[s], zh) for s in where.statuses) or everything
    summary = found.summary
    previous = days(*summary.previous) if summary.previous else "—"
    before = previous if summary.previous_reason is None else why(summary.previous_reason, zh)
    pairs = [
        (("时段", "Period"), days(*summary.period)),
        (("对比", "Compared with"), before),
        (("方案", "Plan"), _plan(found, zh)),
        (("类别", "Categories"), kinds),
        (("来源", "Origin"), origins),
        (("状态", "Status"), statuses),
        (("截至", "As of"), moment(summary.asof, found.city["timezone"])),
    ]
    if view.by != "grid":
        pairs.pop(2)
    return tuple((pick(name, zh), text) for name, text in pairs)


def _card(figure: Figure, found: Gathered, zh: bool) -> Card:
    now, before = figure.now, figure.before
    versus = pick(VERSUS[found.summary.versus], zh)
    if before.value is None:
        compared = why(before.reason, zh)
    else:
        told = number(before.value, figure.unit, zh)
        n = "" if figure.unit == "cases" else f"（n = {before.n:,}）" if zh else f" (n = {before.n:,})"
        compared = f"{versus} {told}{n}{_change(figure, zh)}"
    value = number(now.value, figure.unit, zh)
    return Card(pick(FIGURES[figure.key], zh), value, certainty(figure.key, figure.unit, now, zh), compared)


def _change(figure: Figure, zh: bool) -> str:
    """Whether the change is more than chance."""
    if figure.differs is None or figure.now.value is None or figure.before.value is None:
        return ""
    if not figure.differs:
        return "：差异可属偶然" if zh else ": may be chance"
    up = figure.now.value > figure.before.value
    return (
        ("：↑ 超出偶然" if up else "：↓ 超出偶然")
        if zh
        else (": ↑ beyond chance" if up else ": ↓ beyond chance")
    )

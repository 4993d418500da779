"""A view of the map as the sheets of a workbook: every number as a number, shares between 0 and 1."""

from __future__ import annotations

import datetime as dt
import math

from api.dependencies import release
from api.view_data import Gathered
from api.view_report import facts_of
from api.view_words import FIGURES, MEASURES, WEEKDAYS, moment, pick, why
from geo.errors import Lang
from maps.reports import Sheet
from maps.reports.view import Cell

SUMMARY_HEAD = (
    ("指标", "Figure"), ("单位", "Unit"), ("数值", "Value"), ("n", "n"), ("95 % 下限", "95 % low"), ("95 % 上限", "95 % high"),
    ("说明", "Why none"), ("对比期数值", "Before"), ("对比期 n", "n before"), ("对比期下限", "Low before"),
    ("对比期上限", "High before"), ("对比说明", "Why none before"), ("超出偶然", "Beyond chance"),
)  # fmt: skip


def view_sheets(found: Gathered, lang: Lang, who: str, now: dt.datetime) -> tuple[Sheet, ...]:
    """Summary, ranking, trend, matrix, and what was asked."""
    zh = lang == "zh"
    return (
        _summary(found, zh),
        _ranking(found, zh),
        _trend(found, zh),
        _matrix(found, zh),
        _about(found, zh, who, now),
    )


def _summary(found: Gathered, zh: bool) -> Sheet:
    head = tuple(pick(pair, zh) for pair in SUMMARY_HEAD)
    rows: list[tuple[Cell, ...]] = []
    for figure in found.summary.figures:
        now, before = figure.now, figure.before
        told = {True: "是" if zh else "yes", False: "否" if zh else "no", None: None}[figure.differs]
        rows.append(
            (
                pick(FIGURES[figure.key], zh), figure.unit, now.value, now.n, now.low, now.high, why(now.reason, zh) or None,
                before.value, before.n, before.low, before.high, why(before.reason, zh) or None, told,
            )
        )  # fmt: skip
    return Sheet("概要" if zh else "Summary", head, tuple(rows))


def _ranking(found: Gathered, zh: bool) -> Sheet:
    heat, ranked = found.heat, found.ranked
    head = (
        ("编码", "名称", "数值", "n", "95 % 下限", "95 % 上限", "名次", "名次最高", "名次最低", "组", "岗位")
        if zh
        else (
            "Code",
            "Name",
            "Value",
            "n",
            "95 % low",
            "95 % high",
            "Rank",
            "Rank from",
            "Rank to",
            "Group",
            "Posts",
        )
    )
    rows: list[tuple[Cell, ...]] = []
    for i in range(len(heat.codes)):
        row: tuple[Cell, ...] = (
            str(heat.codes[i]),
            str(heat.names[i] or ""),
            _number(heat.values[i]),
            int(heat.n[i]),
        )
        if ranked is not None:
            ranks = ranked.ranks
            places = [int(part[i]) or None for part in (ranks.rank, ranks.low, ranks.high, ranks.group)]
            posts = None if ranked.posts is None else _number(ranked.posts[i])
            row = (*row, _number(ranked.low[i]), _number(ranked.high[i]), *places, posts)
        rows.append(row)
    rows.sort(key=lambda row: (row[2] is None, -(row[2] if isinstance(row[2], float) else 0.0), str(row[0])))
    return Sheet("排名" if zh else "Ranking", head[: len(rows[0])] if rows else head, tuple(rows))


def _trend(found: Gathered, zh: bool) -> Sheet:
    head = ("起始日", "案件") if zh else ("First day", "Cases")
    rows = tuple((day, int(n)) for day, n in zip(found.trend.starts, found.trend.n, strict=True))
    return Sheet("走势" if zh else "Trend", head, rows)


def _matrix(found: Gathered, zh: bool) -> Sheet:
    head = ("星期" if zh else "Weekday", *(f"{h}:00" for h in range(24)), "天数" if zh else "Days")
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (pick(WEEKDAYS[d], zh), *(int(n) for n in found.matrix.values[d]), int(found.matrix.days[d]))
        for d in range(7)
    )
    return Sheet("星期时刻" if zh else "Weekday hour", head, rows)


def _about(found: Gathered, zh: bool, who: str, now: dt.datetime) -> Sheet:
    """What was asked, by whom, of which data; the sum that holds."""
    heat, city = found.heat, found.city
    rows: list[tuple[Cell, ...]] = [
        ("城市" if zh else "City", city["name"]),
        ("指标" if zh else "Measure", pick(MEASURES[heat.measure], zh)),
        *facts_of(found, zh),
        ("区域内" if zh else "In zones", int(heat.n.sum())),
        ("未定位" if zh else "Unplaced", heat.unplaced),
        ("界外" if zh else "Outside", heat.outside),
        ("合计" if zh else "Total", heat.total),
        ("生成者" if zh else "Made by", who),
        ("生成于" if zh else "Made at", moment(now, city["timezone"])),
        ("数据版本" if zh else "Data version", heat.version[:12]),
        ("软件" if zh else "Software", f"Wangge {release()}"),
    ]
    if city["synthetic"]:
        rows.append(("注意" if zh else "Mind", "合成数据" if zh else "SYNTHETIC DATA"))
    return Sheet("说明" if zh else "About", ("项目", "内容") if zh else ("What", "Value"), tuple(rows))


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)

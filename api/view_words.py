"""The words of a view's report, and how its numbers are written, in both languages."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from geo.analysis.summary import Value

FIGURES = {
    "cases": ("案件", "Cases"),
    "open": ("未办结", "Open"),
    "overdue": ("超期未办结", "Overdue"),
    "overdue_share": ("逾期率", "Late share"),
    "median_days_to_close": ("办结天数（中位）", "Median days to close"),
    "satisfied_share": ("满意率", "Satisfied"),
    "service_share": ("服务占比（群众 : 巡查）", "Service share (residents : patrol)"),
}
MEASURES = {
    **{key: FIGURES[key] for key in ("cases", "open", "overdue", "median_days_to_close", "satisfied_share")},
    "per_km2": ("每平方公里案件", "Cases per km²"),
    "per_1000_households": ("每千户案件", "Cases per 1,000 households"),
    "response_share": ("响应率", "Responded"),
    "resolved_share": ("解决率", "Resolved"),
}
LEVELS = {
    "grid": ("网格", "grid"),
    "city": ("全市", "city"),
    "district": ("区县", "district"),
    "street": ("街道", "street"),
    "community": ("社区", "community"),
    "ward": ("选区", "ward"),
    "hexagon": ("六边形", "hexagon"),
}
ORIGINS = {
    "unknown": ("不详", "unknown"),
    "citizen": ("群众", "residents"),
    "patrol": ("巡查", "patrol"),
    "sensor": ("感知设备", "sensors"),
    "other": ("其他", "other"),
}
STATUSES = {"open": ("未办结", "open"), "closed": ("已办结", "closed"), "void": ("作废", "void")}
REASONS = {
    "no-data": ("没有数据", "no data"),
    "outside-data": ("时段在数据之外", "outside the data"),
    "not-in-data": ("数据中没有此项", "not in the data"),
    "no-cases": ("没有可计的案件", "no such case"),
    "before-data": ("对比时段早于数据，不比", "the data do not reach back"),
    "after-data": ("对比时段晚于数据，不比", "the comparison lies after the data"),
}
VERSUS = {"previous": ("上期", "before"), "last-year": ("去年", "last year")}
CAVEATS = {
    "period-incomplete": (
        "时段延伸到最后一条案件之后，尚不完整：与完整的上期相比会偏低。",
        "The period goes on after the last case: beside a whole one before, it looks smaller than it is.",
    ),
    "source-begins-later": (
        "有来源在对比时段开始后才有案件：增加可能只是多了来源。",
        "A source has no case yet when the comparison begins: a rise may only be the new source.",
    ),
}
WEEKDAYS = (
    ("周一", "Mon"),
    ("周二", "Tue"),
    ("周三", "Wed"),
    ("周四", "Thu"),
    ("周五", "Fri"),
    ("周六", "Sat"),
    ("周日", "Sun"),
)
BUCKETS = {"day": ("每日", "a day"), "week": ("每周", "a week"), "month": ("每月", "a month")}


def pick(pair: tuple[str, str], zh: bool) -> str:
    """One of the two languages."""
    return pair[0 if zh else 1]


def layer(by: str, zh: bool) -> str:
    """What a layer is called; a level of the city's own keeps its name.

    >>> layer("grid", True), layer("ward@2024-01-01", False), layer("hexagon:9", False)
    ('网格', 'ward (2024-01-01)', 'hexagon 9')
    """
    name, _, date = by.partition("@")
    kind, _, size = name.partition(":")
    said = pick(LEVELS.get(kind, (kind, kind)), zh)
    more = f" {size}" if size else f"（{date}）" if date and zh else f" ({date})" if date else ""
    return said + more


def number(value: float | int | None, unit: str, zh: bool) -> str:
    """A value with its unit as a person reads it.

    >>> number(12345, "cases", False), number(0.875, "share", True), number(1.24, "days", False), number(None, "days", True)
    ('12,345', '87.5 %', '1.24 d', '—')
    """
    if value is None:
        return "—"
    if unit == "share":
        return f"{value * 100:.1f} %"
    if unit == "days":
        return f"{value:.{2 if value < 10 else 1}f} {'天' if zh else 'd'}"
    return f"{value:,.0f}" if unit == "cases" else f"{value:,.1f}"


def between(low: float | None, high: float | None, unit: str, zh: bool) -> str:
    """An interval; both ends in the unit, which stands once.

    >>> between(0.1, 0.25, "share", False), between(3.2, 17.1, "cases", False), between(None, None, "days", True)
    ('10.0–25.0 %', '3–17', '—')
    """
    if low is None or high is None:
        return "—"
    ends = [number(end, unit, zh) for end in (low, high)]
    tail = " %" if unit == "share" else (" 天" if zh else " d") if unit == "days" else ""
    return f"{ends[0].removesuffix(tail)}–{ends[1]}"


def why(reason: str | None, zh: bool) -> str:
    """Why there is no value, in words."""
    return pick(REASONS[reason], zh) if reason in REASONS else ""


def certainty(key: str, unit: str, value: Value, zh: bool) -> str:
    """n and the interval under a figure; a count is its own n."""
    if value.value is None:
        return why(value.reason, zh)
    span = between(value.low, value.high, unit, zh)
    if unit == "cases":
        return f"95 %：{span}" if zh else f"95 %: {span}"
    return f"n = {value.n:,}，95 %：{span}" if zh else f"n = {value.n:,}; 95 %: {span}"


def moment(instant: dt.datetime | None, timezone: str) -> str:
    """An instant on the city's clock."""
    return "—" if instant is None else f"{instant.astimezone(ZoneInfo(timezone)):%Y-%m-%d %H:%M}"


def days(first: dt.date | None, stop: dt.date | None) -> str:
    """A period by its first and last day.

    >>> days(dt.date(2026, 1, 1), dt.date(2026, 2, 1))
    '2026-01-01 – 2026-01-31'
    """
    if first is None or stop is None:
        return "—"
    return f"{first} – {max(first, stop - dt.timedelta(days=1))}"

"""How the figures of a scorecard and of a replay are written for people, in both languages."""

from __future__ import annotations

from grids.measures.catalogue import FIGURES, better_of

WEIGHTS = {
    "cases": ("案件数", "cases"),
    "workload": ("处理工作量", "workload"),
    "households": ("户数", "households"),
    "area": ("面积", "area"),
}
Value = float | int | None
PLAIN_SHARES = ("compactness", "compactness_least", "reock", "reock_least")  # a form's measure, read as 0.561
PAIRED = {
    "largest_deviation": ("最大偏差", "Largest deviation"),
    "mean_deviation": ("平均偏差", "Mean deviation"),
    "gini": ("基尼系数", "Gini coefficient"),
    "overdue_spread": ("网格间逾期率离散", "Spread of overdue shares"),
    "near_line_share": ("近界案件占比", "Cases near a line"),
}


def name(key: str, zh: bool) -> str:
    """What a figure is called."""
    return FIGURES[key].zh if zh else FIGURES[key].en


def weight_name(weight: str, zh: bool) -> str:
    """What is shared out, in words; a column of the city's own keeps its name.

    >>> weight_name("workload", True), weight_name("elderly", False)
    ('处理工作量', 'elderly')
    """
    return WEIGHTS.get(weight, (weight, weight))[0 if zh else 1]


def shown(key: str, value: Value) -> str:
    """One figure of the scorecard as a person reads it.

    >>> shown("within_tolerance", 0.5), shown("cut_length_m", 1234.6), shown("gini", None), shown("reock", 0.5)
    ('50.0 %', '1,235 m', '—', '0.500')
    """
    if value is None:
        return "—"
    kind = FIGURES[key].kind
    if kind == "share":
        return f"{value:.3f}" if key in PLAIN_SHARES else f"{value * 100:.1f} %"
    if kind == "m":
        return f"{value:,.0f} m"
    if kind == "count":
        return f"{value:,}"
    if key == "gini":
        return f"{value:.3f}"
    return f"{value:,.3f}".rstrip("0").rstrip(".")


def better_mark(key: str, a: Value, b: Value) -> str:
    """▲ where B is better, ▼ where it is worse, nothing where neither.

    >>> better_mark("gini", 0.3, 0.1), better_mark("gini", 0.1, 0.3), better_mark("grids", 1, 2)
    ('▲', '▼', '')
    """
    return {"b": "▲", "a": "▼"}.get(better_of(key, a, b), "")


def paired_name(key: str, zh: bool) -> str:
    """What a figure of a replay is called."""
    return PAIRED[key][0 if zh else 1]


def paired(key: str, value: Value, *, sign: bool = False, zh: bool = False) -> str:
    """One figure of a replay; shares and deviations in percent, differences of them in percentage points.

    >>> paired("gini", 0.1234), paired("mean_deviation", -0.2893, sign=True), paired("gini", None)
    ('0.123', '−28.9 pp', '—')
    """
    if value is None:
        return "—"
    if not sign:
        return f"{value:.3f}" if key == "gini" else f"{value * 100:.1f} %"
    return _signed(key, value) + _points(key, zh)


def interval(key: str, low: Value, high: Value, *, zh: bool = False) -> str:
    """The interval of a difference.

    >>> interval("overdue_spread", -0.00042, 0.0021), interval("gini", None, None)
    ('[−0.04, +0.21] pp', '—')
    """
    if low is None or high is None:
        return "—"
    return f"[{_signed(key, low)}, {_signed(key, high)}]" + _points(key, zh)


def _points(key: str, zh: bool) -> str:
    return "" if key == "gini" else " 百分点" if zh else " pp"


def _signed(key: str, value: float) -> str:
    """A difference with its sign; below one percentage point with two digits."""
    if key == "gini":
        said = f"{value:+.3f}"
    else:
        said = f"{value * 100:+.2f}" if abs(value) < 0.01 else f"{value * 100:+.1f}"
    return said.replace("-", "−")

"""The drawings of a view's report: the map with its legend, the trend, the matrix."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from api.pages import array, scale
from api.view_data import Gathered
from api.view_words import BUCKETS, WEEKDAYS, layer, number, pick
from maps import classify
from maps.reports import Picture, Shaded, Trend
from maps.reports.charts import bars
from maps.reports.drawing import Scene, draw

DARK, LIGHT = "#1f2933", "#ffffff"
FINE_M, COARSE_M, MANY = 15.0, 40.0, 3000  # detail of the drawing; how many zones are many


def picture(found: Gathered, zh: bool) -> Picture:
    """The map: zones in the colour of their class, the chosen ones in a bold frame, the legend with n."""
    heat = found.heat
    drawn = np.array([shape is not None for shape in found.shapes], dtype=bool)
    limits = classify.for_measure(heat.measure, heat.values)
    ramp = classify.colours(classify.ramp_of(heat.measure), len(limits))
    place = classify.classify(heat.values, limits)
    nothing = str(classify.ramps()["no_data"])
    colours = [ramp[c] if c >= 0 else nothing for c in place.tolist()]
    chosen = np.isin(heat.codes.astype(str), list(found.view.codes)) & drawn
    few = len(heat.codes) <= MANY  # beyond it lines would cover what they divide
    detail_m = FINE_M if few else COARSE_M
    svg, bar_m = draw(
        Scene(
            areas=found.shapes[drawn],
            colours=[c for c, is_drawn in zip(colours, drawn.tolist(), strict=True) if is_drawn],
            limit=found.ground.limit,
            water=found.ground.water,
            lines=array(shapely.boundary(found.shapes[drawn]).tolist()) if few else array([]),
            borders=array(shapely.boundary(found.shapes[chosen]).tolist()),
        ),
        detail_m,
    )
    legend = [(ramp[c], _class_text(limits, c, place, found, zh)) for c in range(len(limits))]
    gone = int((place < 0).sum())
    if gone:
        legend.append((nothing, f"无数据（{gone} 个）" if zh else f"no data ({gone})"))
    frame = ("；粗框：所选" if zh else "; bold: chosen") if chosen.any() else ""
    caption = (
        f"括号内：{layer(found.view.by, zh)}数与其样本 n；黑条 {scale(bar_m)}{frame}"
        if zh
        else f"In brackets: how many zones, and the cases behind them; bar: {scale(bar_m)}{frame}"
    )
    return Picture(svg, tuple(legend), caption)


def _class_text(limits: list[float], c: int, place: NDArray[np.int64], found: Gathered, zh: bool) -> str:
    """A class by its limits, with how many zones it holds and how many cases."""
    unit = found.heat.unit
    inside = place == c
    n = int(found.heat.n[inside].sum())
    low = number(limits[c], unit, zh)
    if c + 1 == len(limits):
        span = f"≥ {low}"
    elif unit == "cases":
        last = number(limits[c + 1] - 1, unit, zh)
        span = low if low == last else f"{low}–{last}"
    else:
        span = f"{low} – < {number(limits[c + 1], unit, zh)}"
    return (
        f"{span}（{int(inside.sum())} 个，n = {n:,}）" if zh else f"{span} ({int(inside.sum())}, n = {n:,})"
    )


def trend(found: Gathered, zh: bool) -> Trend:
    """Cases over the period, of the chosen zones or the city."""
    counted = found.trend
    starts = [f"{day}" for day in counted.starts]
    shown = tuple(starts) if len(starts) < 3 else (starts[0], starts[len(starts) // 2], starts[-1])
    each = pick(BUCKETS[counted.bucket], zh)
    most = int(counted.n.max()) if len(counted.n) else 0
    note = (
        f"{each}案件，合计 {counted.total:,}；横轴为每根柱的首日，首尾两根可能不满。"
        if zh
        else f"Cases {each}, {counted.total:,} in all; under the bars their first day; the first and last may be cut short."
    )
    return Trend(bars(counted.n.tolist()), f"{most:,}", shown, "走势" if zh else "Trend", note)


def matrix(found: Gathered, zh: bool) -> Shaded:
    """Cases by weekday and hour, the darker the more."""
    values = found.matrix.values
    limits = classify.for_measure("cases", values.ravel())
    ramp = classify.colours("heat", len(limits))
    place = classify.classify(values, limits)
    rows = tuple(
        (
            pick(WEEKDAYS[d], zh),
            tuple(
                (_short(int(n)), ramp[c], ink_on(ramp[c]))
                for n, c in zip(values[d].tolist(), place[d].tolist(), strict=True)
            ),
        )
        for d in range(7)
    )
    total, midnight = found.matrix.total, found.matrix.midnight
    note = (
        f"立案的星期与时刻（{found.matrix.timezone}），合计 {total:,}，含未定位 {found.matrix.unplaced:,}。"
        if zh
        else f"Weekday and hour of opening ({found.matrix.timezone}), {total:,} in all, {found.matrix.unplaced:,} of them "
        "unplaced."
    )
    if total and midnight / total > 0.05:
        note += (
            f" 其中 {midnight:,} 件正好在 0:00:00：这些来源可能只记日期。"
            if zh
            else f" {midnight:,} were opened at 0:00:00 sharp: their source may know only the day."
        )
    title = "星期 × 时刻" if zh else "Weekday × hour"
    return Shaded(title, ("", *(str(h) for h in range(24))), rows, (), note)


def ink_on(colour: str) -> str:
    """Dark or white text, whichever stands out more on a colour (relative luminance, WCAG 2.2).

    >>> ink_on("#fcf5c7"), ink_on("#c02646")
    ('#1f2933', '#ffffff')
    """
    return LIGHT if _contrast(colour, LIGHT) > _contrast(colour, DARK) else DARK


def _contrast(a: str, b: str) -> float:
    light, dark = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _short(n: int) -> str:
    """A count that fits a small cell.

    >>> _short(999), _short(12_345)
    ('999', '12k')
    """
    return str(n) if n < 10_000 else f"{round(n / 1000)}k"

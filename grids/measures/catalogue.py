"""What each figure of the scorecard is called, in which unit it is, which way is better; one entry each in `docs/scores.md`.

>>> FIGURES["gini"].better, FIGURES["reock"].family
('lower', 'shape')
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Better = Literal["lower", "higher", "neither"]
Kind = Literal["share", "count", "m", "number", "ratio"]


@dataclass(frozen=True)
class Figure:
    """One figure: its family, kind (share 0–1, count, metres, plain number, ratio around 1) and names."""

    key: str
    family: str
    kind: Kind
    better: Better
    zh: str
    en: str


FAMILIES: dict[str, tuple[str, str]] = {
    "size": ("规模", "Size"),
    "balance": ("均衡", "Balance"),
    "shape": ("形状", "Shape"),
    "nesting": ("嵌套", "Nesting"),
    "barriers": ("屏障", "Barriers"),
    "walking": ("步行", "Walking"),
    "service": ("服务", "Service"),
    "stability": ("稳定", "Stability"),
    "near_line": ("界线", "Lines"),
}

_ALL = (
    Figure("grids", "size", "count", "neither", "网格数", "Grids"),
    Figure("units", "size", "count", "neither", "单元数", "Units"),
    Figure("open_units", "size", "count", "lower", "未分配单元", "Open units"),
    Figure("total", "size", "number", "neither", "权重合计", "Total weight"),
    Figure("mean_load", "size", "number", "neither", "网格平均负荷", "Mean load of a grid"),
    Figure("largest_deviation", "balance", "share", "lower", "最大偏差", "Largest deviation"),
    Figure("mean_deviation", "balance", "share", "lower", "平均偏差", "Mean deviation"),
    Figure("gini", "balance", "number", "lower", "基尼系数", "Gini coefficient"),
    Figure("within_tolerance", "balance", "share", "higher", "容差内网格占比", "Grids within tolerance"),
    Figure("largest_forgiven", "balance", "share", "lower", "最大偏差（扣除超重单元）", "Largest deviation, heavy units apart"),
    Figure("forgiven_grids", "balance", "count", "neither", "含超重单元的网格", "Grids with a unit too heavy"),
    Figure("compactness", "shape", "share", "higher", "紧凑度 Polsby–Popper（平均）", "Polsby–Popper, mean"),
    Figure("compactness_least", "shape", "share", "higher", "紧凑度 Polsby–Popper（最低）", "Polsby–Popper, least"),
    Figure("reock", "shape", "share", "higher", "外接圆占比 Reock（平均）", "Reock, mean"),
    Figure("reock_least", "shape", "share", "higher", "外接圆占比 Reock（最低）", "Reock, least"),
    Figure("cut_edges", "shape", "count", "lower", "被切断的单元边", "Cut edges"),
    Figure("cut_share", "shape", "share", "lower", "被切断的单元边占比", "Cut edges, share"),
    Figure("cut_length_m", "shape", "m", "lower", "网格之间界线总长", "Lines between grids"),
    Figure("contiguous", "shape", "share", "higher", "连通网格占比", "Contiguous grids"),
    Figure("crossing", "nesting", "count", "lower", "跨区域网格", "Grids crossing an area line"),
    Figure("broken_areas", "nesting", "count", "lower", "被跨越的区域", "Areas broken"),
    Figure("areas", "nesting", "count", "neither", "区域数", "Areas"),
    Figure("barrier_grids", "barriers", "count", "lower", "跨屏障网格", "Grids on both sides of a barrier"),
    Figure("barrier_inside_m", "barriers", "m", "lower", "网格内不可穿越边长", "Closed borders inside grids"),
    Figure("walking_span_m", "walking", "m", "lower", "最长格内步行", "Longest walk inside a grid"),
    Figure("walking_span_median_m", "walking", "m", "lower", "格内步行（中位）", "Walk inside a grid, median"),
    Figure("households_in_band", "service", "share", "higher", "户数在区间内的网格占比", "Grids within the household band"),
    Figure("posts", "service", "number", "neither", "岗位数", "Posts"),
    Figure("posts_needed", "service", "number", "neither", "按规范所需岗位", "Posts the norm asks for"),
    Figure("posts_share", "service", "ratio", "higher", "岗位 ÷ 所需", "Posts ÷ needed"),
    Figure("short_grids", "service", "share", "lower", "岗位不足网格占比", "Grids short of posts"),
    Figure("stays_area", "stability", "share", "higher", "不变面积占比", "Area that stays"),
    Figure("stays_units", "stability", "share", "higher", "不变单元占比", "Units that stay"),
    Figure("stays_households", "stability", "share", "higher", "不变户数占比", "Households that stay"),
    Figure("stays_cases", "stability", "share", "higher", "不变案件占比", "Cases that stay"),
    Figure("near_line_share", "near_line", "share", "lower", "近界案件占比", "Cases near a line, share"),
    Figure("near_line_cases", "near_line", "count", "lower", "近界案件", "Cases near a line"),
    Figure("placed_cases", "near_line", "count", "neither", "已落格案件 n", "Cases inside grids, n"),
)  # fmt: skip

FIGURES: dict[str, Figure] = {figure.key: figure for figure in _ALL}


def better_of(key: str, a: float | None, b: float | None) -> Literal["a", "b", "same", "unknown"]:
    """Which of two plans a figure speaks for.

    >>> better_of("gini", 0.2, 0.1), better_of("gini", None, 0.1), better_of("grids", 3, 4)
    ('b', 'unknown', 'same')
    """
    if a is None or b is None:
        return "unknown"
    way = FIGURES[key].better
    if way == "neither" or a == b:
        return "same"
    return "b" if (b < a) == (way == "lower") else "a"

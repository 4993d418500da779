"""Self-contained map pages: one HTML file that opens anywhere, with no network at all.

A folium map without tiles, without its usual ten downloads: Leaflet and our own script and style are written into the
page, a content security policy forbids every request, and all names travel as JSON that the script sets as text.
Ground (water, main roads, rail, borders) is our own, simplified and packed by `maps.compact`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import shapely
from numpy.typing import NDArray

from maps import classify, compact

Lang = Literal["zh", "en"]
ZONE_DETAIL_M, ROAD_DETAIL_M = 12.0, 8.0
WHOLE_PACE_MS = 700
RANKED = 15  # the highest zones that the list names
FEW = 5  # a share or a median of fewer cases is drawn pale
PLAN_COLOURS = ("#b9d4e6", "#f3d9a4", "#c9dfb4", "#e3c1d3", "#d8d2ee", "#f0c7b0", "#bfe0d6", "#dcd6c4")

WORDS: dict[str, dict[str, str]] = {
    "zh": {
        "synthetic": "合成数据",
        "code": "编码",
        "measure": "数值",
        "none": "无数据",
        "few": "n < {n}，浅色",
        "from": "≥ {low}",
        "whole": "全部",
        "play": "播放",
        "pause": "暂停",
        "time": "时间",
        "coloured": "颜色只用于区分相邻网格",
        "ranking": "排名",
        "total": "共 {total} 件",
        "unplaced": "未定位 {n}",
        "outside": "范围外 {n}",
        "hidden": "隐去 {n}",
    },
    "en": {
        "synthetic": "SYNTHETIC DATA",
        "code": "Code",
        "measure": "Value",
        "none": "no data",
        "few": "n < {n}: pale",
        "from": "≥ {low}",
        "whole": "All",
        "play": "Play",
        "pause": "Pause",
        "time": "Time",
        "coloured": "Colours only tell neighbours apart",
        "ranking": "Ranking",
        "total": "{total} cases",
        "unplaced": "unplaced {n}",
        "outside": "outside {n}",
        "hidden": "hidden {n}",
    },
}


@dataclass(frozen=True)
class Frame:
    """One state of the map: a label (the period) and, per zone, value (NaN: none) and n; the totals below the title."""

    label: str
    values: NDArray[np.float64]
    n: NDArray[np.int64]
    total: int
    unplaced: int = 0
    outside: int = 0
    hidden: int = 0


@dataclass(frozen=True)
class Ground:
    """What lies under the values, EPSG:4326: the city's outline, water polygons, lines by kind, labels (lon, lat, text)."""

    limit: Any = None
    water: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, object))
    roads: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, object))
    minor: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, object))
    rail: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, object))
    borders: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, object))
    labels: Sequence[tuple[float, float, str]] = ()


@dataclass(frozen=True)
class Zones:
    """Coloured areas: codes, names and shapes (EPSG:4326), `facts` as (label, one text per zone)."""

    codes: Sequence[str]
    names: Sequence[str]
    shapes: NDArray[np.object_]
    facts: Sequence[tuple[str, Sequence[str | None]]] = ()


def heat_page(
    zones: Zones,
    frames: Sequence[Frame],
    *,
    measure: str,
    measure_name: str,
    unit: str = "",
    title: str,
    ground: Ground | None = None,
    synthetic: bool = False,
    lang: Lang = "zh",
) -> str:
    """A choropleth as one HTML text. `frames[0]` is the whole period; further frames get a time slider with one legend
    for all of them. Class limits and colours are those of the web page (`maps.classify`).
    """
    limits = classify.for_measure(measure, frames[0].values)
    parts = np.concatenate([f.values for f in frames[1:]]) if len(frames) > 1 else np.empty(0)
    part_limits = classify.for_measure(measure, parts) or limits
    ramp = classify.ramp_of(measure)
    data = {
        **_common(zones, frames, ground or Ground(), title, synthetic, lang),
        "unit": unit,
        "legend": measure_name + (f"（{unit}）" if unit and lang == "zh" else f" ({unit})" if unit else ""),
        "share": measure.endswith("_share"),
        "whole": measure in classify.COUNTS,
        "showN": measure not in classify.COUNTS,
        "few": 0 if measure in classify.COUNTS or measure in classify.RATES_WITH_NONE else FEW,
        "limits": {"whole": limits, "part": part_limits},
        "colours": {
            "whole": classify.colours(ramp, len(limits)),
            "part": classify.colours(ramp, len(part_limits)),
            "none": classify.ramps()["no_data"],
        },
    }
    data["words"] = {**data["words"], "measure": measure_name}
    from maps import offline  # folium: only who makes a page waits for it

    return offline.render(data)


def plan_page(
    zones: Zones,
    frame: Frame,
    *,
    neighbours: NDArray[np.int64],
    title: str,
    value_name: str,
    ground: Ground | None = None,
    synthetic: bool = False,
    lang: Lang = "zh",
) -> str:
    """A plan as one HTML text: every grid in a colour that no neighbour has. `neighbours`: (m, 2) positions of zones."""
    data = {
        **_common(zones, [frame], ground or Ground(), title, synthetic, lang),
        "unit": "",
        "legend": {"zh": "网格", "en": "Grids"}[lang],
        "share": False,
        "whole": True,
        "showN": False,
        "few": 0,
        "limits": {"whole": [0.0], "part": [0.0]},
        "colours": {"whole": [], "part": [], "none": "#ddd"},
    }
    data["words"] = {**data["words"], "measure": value_name}
    data["zones"]["colour"] = [PLAN_COLOURS[c] for c in tell_apart(len(zones.codes), neighbours)]
    from maps import offline  # folium: only who makes a page waits for it

    return offline.render(data)


def tell_apart(count: int, neighbours: NDArray[np.int64]) -> list[int]:
    """A colour number per zone so that neighbours differ (greedy, most neighbours first; Welsh & Powell 1967).

    Where more than the available colours meet, the least used one is taken.

    >>> tell_apart(3, np.array([[0, 1], [1, 2]]))
    [1, 0, 1]
    """
    near: list[set[int]] = [set() for _ in range(count)]
    for a, b in neighbours.tolist():
        near[a].add(b)
        near[b].add(a)
    colour = [-1] * count
    used = [0] * len(PLAN_COLOURS)
    for zone in sorted(range(count), key=lambda z: (-len(near[z]), z)):
        taken = {colour[other] for other in near[zone]}
        free = [c for c in range(len(PLAN_COLOURS)) if c not in taken] or list(range(len(PLAN_COLOURS)))
        colour[zone] = free[0] if len(free) > len(PLAN_COLOURS) - 4 else min(free, key=lambda c: used[c])
        used[colour[zone]] += 1
    return colour


# ── The data of the page ────────────────────────────────────────────────────────────────────────────────────────────


def _common(
    zones: Zones, frames: Sequence[Frame], ground: Ground, title: str, synthetic: bool, lang: Lang
) -> dict[str, Any]:
    shapes = np.asarray(zones.shapes, dtype=object)
    words = WORDS[lang]
    return {
        "lang": lang,
        "title": title,
        "synthetic": synthetic,
        "credit": "Wangge 网格 · Leaflet",
        "words": words,
        "decimals": 2,
        "pace": WHOLE_PACE_MS,
        "ranked": RANKED,
        "bounds": _bounds(shapes, frames[0].n, ground),
        "zones": {
            "codes": list(zones.codes),
            "names": list(zones.names),
            "shapes": compact.pack_all(compact.simplified(shapes, ZONE_DETAIL_M)),
            "facts": [{"label": label, "values": list(values)} for label, values in zones.facts],
        },
        "frames": [
            {
                "label": f.label,
                "values": _numbers(f.values),
                "n": f.n.tolist(),
                "totals": _totals(f, words, lang),
            }
            for f in frames
        ],
        "ground": {
            "limit": compact.pack(shapely.simplify(ground.limit, ROAD_DETAIL_M / compact.METRES_PER_DEGREE))
            if ground.limit is not None
            else None,
            "water": [p for g in compact.simplified(ground.water, ZONE_DETAIL_M) for p in compact.pack(g)],
            **{
                k: compact.merged_lines(getattr(ground, k), ROAD_DETAIL_M)
                for k in ("roads", "minor", "rail", "borders")
            },
        },
        "labels": [[round(x, 5), round(y, 5), text] for x, y, text in ground.labels],
    }


def _bounds(shapes: NDArray[np.object_], n: NDArray[np.int64], ground: Ground) -> list[list[float]]:
    """South-west and north-east corner to open at: the city; without an outline, the zones with 99.8 % of the cases, so
    that a few far positions do not shrink the rest; the whole world when there is nothing to show."""
    if ground.limit is not None:
        w, s, e, north = shapely.bounds(ground.limit).tolist()
        return [[s, w], [north, e]]
    if not len(shapes):
        return [[-60.0, -180.0], [75.0, 180.0]]
    box, chance = shapely.bounds(shapes), np.maximum(n, 1e-9)
    corner = []
    for side, share in ((1, 0.001), (0, 0.001), (3, 0.999), (2, 0.999)):
        order = np.argsort(box[:, side])
        upto = np.cumsum(chance[order]) / chance.sum()
        corner.append(float(box[order[min(int(np.searchsorted(upto, share)), len(order) - 1)], side]))
    return [corner[:2], corner[2:]]


def _numbers(values: NDArray[np.float64]) -> list[float | int | None]:
    """Short numbers for JSON: NaN becomes null, whole ones lose their point, others keep four significant digits."""
    return [
        None if not np.isfinite(v) else int(v) if v == int(v) else float(f"{v:.4g}") for v in values.tolist()
    ]


def _totals(frame: Frame, words: dict[str, str], lang: Lang) -> str:
    """`2024-11-01 – 2026-10-31 · 共 200 000 件（未定位 12，范围外 3）`: what the shown values add up to, and what not."""
    rest = [
        words[key].format(n=f"{n:,}")
        for key, n in (("unplaced", frame.unplaced), ("outside", frame.outside), ("hidden", frame.hidden))
        if n
    ]
    total = words["total"].format(total=f"{frame.total:,}")
    inside = ("（" + "，".join(rest) + "）" if lang == "zh" else " (" + ", ".join(rest) + ")") if rest else ""
    return f"{frame.label} · {total}{inside}"

"""What must hold among the areas of one level: one code each, no cycles among parents, no ground twice, no cracks."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from etl import reading
from etl.boundaries.rows import Areas
from etl.rejects import LoadReport
from geo import geometry
from geo.errors import RefusedFile

REFUSED_SHARE = 0.01  # of the smaller polygon, at an administrative level
JOINED_SHARE = 0.2
LISTED = 100
MEASURED_VERTICES = 1_000_000


def one_code_each(areas: Areas, dissolve: bool, administrative: bool, report: LoadReport) -> Areas:
    """Joins features of one code into one area when asked to, or when few features of an overlay are concerned (a
    postal area delivered in parts); refuses them else: the code column is probably the wrong one.
    """
    counts = Counter(areas.codes)
    twice = [code for code, n in counts.items() if n > 1]
    if not twice:
        return areas
    extra = len(areas) - len(counts)
    if dissolve or (not administrative and extra <= JOINED_SHARE * len(areas)):
        return _dissolved(areas, twice, report)
    rows = [int(r) for r, code in zip(areas.rows.tolist(), areas.codes, strict=True) if code == twice[0]]
    shown = ", ".join(twice[:10])
    raise RefusedFile(
        f"{len(twice)} 个编码重复出现：{shown}（{twice[0]} 见第 {rows[:5]} 个要素）。",
        f"{len(twice)} codes occur more than once: {shown} ({twice[0]} in features {rows[:5]}).",
        code="boundary-duplicate",
        do_zh="请用 --code-field 选择唯一的列；若同码要素是同一区域的各部分，用 --dissolve 合并。",
        do_en="Choose a unique column with --code-field, or join parts of one area with --dissolve.",
        codes=twice[:100],
    )


def _dissolved(areas: Areas, twice: list[str], report: LoadReport) -> Areas:
    members: dict[str, list[int]] = defaultdict(list)
    for i, code in enumerate(areas.codes):
        members[code].append(i)
    keep = np.zeros(len(areas), dtype=bool)
    joined_parts: list[list[int]] = []
    for parts in members.values():
        keep[parts[0]] = True
        if len(parts) > 1:
            joined_parts.append(parts)
    firsts = [parts[0] for parts in joined_parts]
    areas.geoms[firsts] = reading.measure("unions", areas.geoms, groups=joined_parts)
    extra = len(areas) - len(members)
    report.duplicate += extra
    report.notice(
        "boundary-dissolved",
        f"{len(twice)} 个编码的多个要素已合并",
        f"several features of {len(twice)} codes were joined",
        rows=areas.rows[~keep].tolist(),
    )
    joined = areas.take(keep)
    joined.geoms = geometry.multi(joined.geoms)
    return joined


def no_cycle(areas: Areas) -> None:
    """Refuses parents that lead back to the area itself."""
    parent = {code: above for code, above in zip(areas.codes, areas.parents, strict=True) if above}
    for start in areas.codes:
        seen = [start]
        here = parent.get(start)
        while here is not None and here in parent and here not in seen:
            seen.append(here)
            here = parent.get(here)
        if here == start:
            chain = " → ".join([*seen[:8], start])
            raise RefusedFile(
                f"上级关系成环：{chain}。",
                f"The parents form a cycle: {chain}.",
                code="boundary-cycle",
                do_zh="请更正上级编码列，或用 --parent-field 另选。",
                do_en="Correct the parent column, or choose another with --parent-field.",
            )


def siblings(areas: Areas, projected: NDArray[np.object_], administrative: bool, report: LoadReport) -> None:
    """Overlaps and gaps in m²: noticed, or refused at an administrative level above 1 % of the smaller polygon."""
    measured = int(shapely.get_num_coordinates(projected).sum()) <= MEASURED_VERTICES
    found = reading.measure("siblings", projected, with_gaps=measured)
    overlaps = [geometry.Overlap(**o) for o in found["overlaps"]]
    report.details["overlaps"] = [_overlap(areas, o) for o in overlaps[:LISTED]]
    report.details["overlap_m2"] = round(sum(o.area_m2 for o in overlaps), 2)
    if overlaps and administrative and overlaps[0].share > REFUSED_SHARE:
        _refuse_overlap(areas, [o for o in overlaps if o.share > REFUSED_SHARE])
    if overlaps:
        worst = max(overlaps, key=lambda o: o.area_m2)
        a, b = areas.codes[worst.a], areas.codes[worst.b]
        report.notice(
            "boundary-overlap",
            f"有重叠，最大的是 {a} 与 {b}：{worst.area_m2:,.1f} m²（较小者的 {worst.share:.3%}）；重叠处的案件归编码较小者",
            f"areas overlap, most {a} and {b}: {worst.area_m2:,.1f} m² ({worst.share:.3%} of the smaller); "
            "cases there go to the lower code",
            count=len(overlaps),
        )
    _gaps(areas, [geometry.Gap(**g) for g in found["gaps"]], measured, report)


def _gaps(areas: Areas, gaps: list[geometry.Gap], measured: bool, report: LoadReport) -> None:
    if not measured:
        report.notice(
            "gaps-not-measured",
            f"图层超过 {MEASURED_VERTICES:,} 个顶点，未量算缝隙",
            f"the layer has more than {MEASURED_VERTICES:,} vertices: gaps were not measured",
            count=1,
        )
        return
    report.details["gaps"] = [_gap(areas, g) for g in gaps[:LISTED]]
    report.details["gap_m2"] = round(sum(g.area_m2 for g in gaps), 2)
    if gaps:
        named = [areas.codes[i] for i in gaps[0].neighbours[:6]]
        report.notice(
            "boundary-gap",
            f"有缝隙或空洞，最大的在 {'、'.join(named)} 之间：{gaps[0].area_m2:,.1f} m²；其中的案件不属于任何区域",
            f"there are gaps, the largest between {', '.join(named)}: {gaps[0].area_m2:,.1f} m²; cases there have no area",
            count=len(gaps),
        )


def _overlap(areas: Areas, o: geometry.Overlap) -> dict[str, Any]:
    codes = sorted((areas.codes[o.a], areas.codes[o.b]))
    return {"codes": codes, "area_m2": round(o.area_m2, 2), "share_of_smaller": round(o.share, 6)}


def _gap(areas: Areas, g: geometry.Gap) -> dict[str, Any]:
    return {"codes": [areas.codes[i] for i in g.neighbours], "area_m2": round(g.area_m2, 2), "kind": g.kind}


def _refuse_overlap(areas: Areas, overlaps: list[geometry.Overlap]) -> None:
    shown_zh = "；".join(
        f"{areas.codes[o.a]} 与 {areas.codes[o.b]} 重叠 {o.area_m2:,.0f} m²（较小者的 {o.share:.1%}）"
        for o in overlaps[:5]
    )
    shown_en = "; ".join(
        f"{areas.codes[o.a]} and {areas.codes[o.b]} share {o.area_m2:,.0f} m² ({o.share:.1%} of the smaller)"
        for o in overlaps[:5]
    )
    raise RefusedFile(
        f"行政区域相互重叠，超过较小者面积的 1%：{shown_zh}。",
        f"Administrative areas overlap by more than 1 % of the smaller one: {shown_en}.",
        code="boundary-overlap",
        do_zh="请修正边界；若是业务图层而非行政区，请换一个层级名装载。",
        do_en="Correct them; if this is an overlay and no administrative layer, load it under a name of its own.",
        overlaps=len(overlaps),
    )


def total_bounds(geoms: NDArray[np.object_]) -> tuple[float, float, float, float]:
    """West, south, east, north of all."""
    west, south, east, north = shapely.total_bounds(geoms).tolist()
    return west, south, east, north

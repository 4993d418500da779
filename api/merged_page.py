"""The report of an overlay of departments' grids, as a statement that `maps.reports` sets."""

from __future__ import annotations

import numpy as np
import shapely
from sqlalchemy.orm import Session

from api.dependencies import release
from api.pages import array, grid_lines, scale, synthetic_badge
from geo import features, outlines
from geo.errors import Lang
from grids.departments import Merged
from grids.stored import city_today
from maps import classify
from maps.reports import Picture, Section, Statement, Table
from maps.reports.drawing import Scene, draw

MOST_ROWS = 14
CLASSES = 4


def statement(session: Session, found: Merged, lang: Lang) -> Statement:
    """Where departments agree, where not, and what their grids became."""
    zh = lang == "zh"
    city, facts = features.city(session), found.as_dict()
    agreed = f"{facts['agreed_share']:.1%}" if facts["agreed_share"] is not None else "—"
    return Statement(
        lang=lang,
        title=f"{city['name']} 多格合一：{found.name}"
        if zh
        else f"{city['name']}: one grid for all, {found.name}",
        subtitle=f"{city_today(session)}",
        badge=synthetic_badge(city["synthetic"], zh),
        lead=f"{len(facts['layers'])} 个部门的网格合成 {facts['grids']} 个；各部门在 {agreed} 的单元边上说法一致。"
        if zh
        else f"The grids of {len(facts['layers'])} departments become {facts['grids']}; they agree on {agreed} of all borders.",
        beside=_layers(found, zh),
        picture=_picture(session, found, zh),
        sections=(_tables(found, zh),),
        sources=_notes(zh),
        footer=f"Wangge 网格 {release()}",
    )


def _layers(found: Merged, zh: bool) -> Section:
    head = (
        ("部门", "权重", "网格", "界线 km", "一致", "他人没有", "仅他人有")
        if zh
        else ("Department", "Weight", "Grids", "Lines km", "Agreed", "Others do not", "Only others")
    )
    rows = tuple(
        (d.name, f"{d.weight:g}", f"{d.grids:,}", *_km(d.drawn_m, d.agreed_m, d.disputed_m, d.missing_m))
        for d in found.overlay.disputes
    )  # fmt: skip
    return Section("各部门的界线（km）" if zh else "Lines by department (km)", Table(head, rows))


def _km(*metres: float) -> list[str]:
    return [f"{m / 1000:,.1f}" for m in metres]


def _picture(session: Session, found: Merged, zh: bool) -> Picture:
    """Units shaded by how disputed their borders are, under the lines of the merged plan."""
    graph, share = found.overlay.merged.graph, found.overlay.line_share
    rows = np.repeat(np.arange(graph.n), np.diff(graph.indptr))
    doubt = np.minimum(share, 1 - share) * graph.length_m
    amount = np.bincount(rows, weights=doubt, minlength=graph.n)
    whole = np.bincount(rows, weights=graph.length_m, minlength=graph.n)
    level = np.divide(2 * amount, whole, out=np.zeros(graph.n), where=whole > 0)  # 0 agreed … 1 evenly split
    place = np.minimum((level * CLASSES).astype(int), CLASSES - 1)
    ramp = classify.colours(classify.ramp_of("cases"), CLASSES)
    shown = [c for c in range(CLASSES) if ((place == c) & (level > 0)).any()]
    areas: list[shapely.Geometry] = [
        shapely.coverage_union_all(found.ground.shapes[(place == c) & (level > 0)]) for c in shown
    ]
    ground = outlines.surroundings(session, city_today(session))
    svg, bar_m = draw(
        Scene(
            areas=array(areas),
            colours=[ramp[c] for c in shown],
            limit=ground.limit or shapely.coverage_union_all(found.ground.shapes),
            water=ground.water,
            lines=grid_lines(session, found.plan_id),
        )
    )
    legend = tuple((ramp[c], f"{c / CLASSES:.0%}–{(c + 1) / CLASSES:.0%}") for c in shown)
    bar = scale(bar_m)
    caption = (
        f"单元边上的分歧（100 % 为两种说法各半）；灰线为合并后的网格；黑条 {bar}"
        if zh
        else f"Dispute along a unit's borders (100 %: evenly split); grey: merged grids; bar: {bar}"
    )
    return Picture(svg, legend, caption)


def _tables(found: Merged, zh: bool) -> Section:
    head = ("部门", "原网格", "合并网格", "单元", "面积 km²", "占原网格") if zh else (
        "Department", "Its grid", "Merged grid", "Units", "Area km²", "Of its grid"
    )  # fmt: skip
    torn = sorted(
        (t for t in found.overlay.translations if t.share_of_grid < 0.995), key=lambda t: -t.area_m2
    )
    rows = tuple(
        (
            t.layer,
            t.grid,
            found.codes[t.merged],
            f"{t.units:,}",
            f"{t.area_m2 / 1e6:,.3f}",
            f"{t.share_of_grid:.0%}",
        )
        for t in torn[:MOST_ROWS]
    )
    whole = len(found.overlay.translations) - len(torn)
    more = max(0, len(torn) - MOST_ROWS)
    note = (
        f"{whole} 个原网格整体并入一个合并网格；另有 {more} 行，-o 对照表.csv 给出全部。"
        if zh
        else f"{whole} grids went whole into one merged grid; {more} more rows: -o tables.csv has all."
    )
    title = (
        "对照表：被拆分的原网格（面积最大的在前）"
        if zh
        else "Translation: grids that were split, largest first"
    )
    return Section(title, Table(head, rows, words=3) if rows else None, note=note)


def _notes(zh: bool) -> Section:
    lines = (
        (
            "原子：在每个部门都同属一格、可步行相通的单元；原子从不拆开。",
            "合并：沿公共边按权重与长度计，“同属”多于“分开”的两组先合（贪心加法边收缩，Keuper 等 2015），只在可步行处合并。",
            "不占任何部门网格大半的碎片并入反对最少的邻居。结果是草案，可再改、再审。",
        )
        if zh
        else (
            "Atoms: units in one grid of every department that can be walked between; an atom is never torn.",
            "Joining: two groups join where, by weight and length, more of their border says together than apart (greedy "
            "additive edge contraction, Keuper et al. 2015), only where one can walk.",
            "Fragments that are not most of any department's grid join the neighbour that objects least. The result is a draft.",
        )
    )
    return Section("方法" if zh else "Method", lines=lines)

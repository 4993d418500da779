"""Where judging and drawing meet: comparisons of plans as self-contained pages."""

from __future__ import annotations

import datetime as dt

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo import features, outlines
from geo.db.clock import city_today
from geo.errors import Lang
from grids.comparing import Comparison, Pair
from maps.folium_maps import Frame, Ground, Zones, heat_page

Shapes = NDArray[np.object_]


def difference_page(session: Session, found: Comparison, lang: Lang) -> str:
    """A page of the ground that changes hands: one shape for each pair of grids, darker where more cases go along."""
    zh = lang == "zh"
    moved = changed_ground(found)
    pairs = [pair for pair, _ in moved]
    facts: list[tuple[str, list[str | None]]] = [
        ("由" if zh else "From", [p.grid_before or "—" for p in pairs]),
        ("归" if zh else "To", [p.grid_after or "—" for p in pairs]),
        ("单元" if zh else "Units", [f"{p.units:,}" for p in pairs]),
        ("面积 m²" if zh else "Area m²", [f"{p.area_m2:,.0f}" for p in pairs]),
        ("设施" if zh else "Facilities", [f"{p.facilities:,}" for p in pairs]),
    ]
    if found.moved["households"] is not None:
        facts.append(("户数" if zh else "Households", [f"{p.households or 0:,.0f}" for p in pairs]))
    cases = np.array([p.cases for p in pairs], np.int64)
    city = features.city(session)
    label = f"{_period(found, zh)}{'；白色：不易手' if zh else '; white: stays'}"
    return heat_page(
        Zones(
            [f"{p.grid_before or '—'} → {p.grid_after or '—'}" for p in pairs],
            [
                f"{p.name_before or p.grid_before or '—'} → {p.name_after or p.grid_after or '—'}"
                for p in pairs
            ],
            array([shape for _, shape in moved]),
            facts,
        ),
        [Frame(label, cases.astype(float), cases, int(cases.sum()))],
        measure="cases",
        measure_name="易手案件" if zh else "Cases that change hands",
        unit="件" if zh else "cases",
        title=f"{city['name']} {found.a.plan.name} → {found.b.plan.name}".strip(),
        ground=_ground(session, grid_lines(session, found.a.plan.id)),
        synthetic=bool(city["synthetic"]),
        lang=lang,
    )


def changed_ground(found: Comparison) -> list[tuple[Pair, shapely.Geometry]]:
    """Each pair of grids between which ground changes hands, with that ground in one shape (EPSG:4326)."""
    before, after = found.a, found.b
    code_before = np.array([*before.codes, ""], dtype=object)[before.partition.grid[found.changed]]
    code_after = np.array([*after.codes, ""], dtype=object)[after.partition.grid[found.changed]]
    at: dict[tuple[str, str], list[int]] = {}
    for u, b, a in zip(found.changed.tolist(), code_before.tolist(), code_after.tolist(), strict=True):
        at.setdefault((b, a), []).append(u)
    return [
        (pair, shapely.coverage_union_all(found.shapes[at[pair.grid_before, pair.grid_after]]))
        for pair in found.pairs
        if (pair.grid_before, pair.grid_after) in at
    ]


def scale(bar_m: float) -> str:
    """How long the bar of a drawing is.

    >>> scale(2000.0), scale(500.0)
    ('2 km', '500 m')
    """
    return f"{bar_m / 1000:g} km" if bar_m >= 1000 else f"{bar_m:g} m"


def synthetic_badge(synthetic: bool, zh: bool) -> str:
    """What a page of the sample city is marked with."""
    return ("合成数据" if zh else "SYNTHETIC DATA") if synthetic else ""


def grid_lines(session: Session, plan_id: int) -> Shapes:
    """The outlines of a plan's grids as lines (EPSG:4326)."""
    rows = session.scalars(
        text(
            "SELECT ST_AsBinary(ST_Boundary(geom)) FROM grid WHERE plan_id = :p AND geom IS NOT NULL ORDER BY id"
        ),
        {"p": plan_id},
    )
    return array([shapely.from_wkb(bytes(row)) for row in rows])


def _ground(session: Session, lines: Shapes) -> Ground:
    found = outlines.surroundings(session, city_today(session))
    return Ground(limit=found.limit, water=found.water, rail=found.rail, minor=lines, borders=found.borders)


def _period(found: Comparison, zh: bool) -> str:
    first, stop = found.period
    if first is None and stop is None:
        return "全部案件" if zh else "All cases"
    if stop is None:
        return f"{first} 起" if zh else f"from {first} on"
    last = stop - dt.timedelta(days=1)
    return f"{first} – {last}" if first else f"{last} 止" if zh else f"until {last}"


def array(items: list[shapely.Geometry]) -> Shapes:
    """Geometries as an array of objects, also when there are none."""
    made = np.empty(len(items), dtype=object)
    made[:] = items
    return made

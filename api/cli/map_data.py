"""From the database to a page: zones with their shapes, one frame for the whole period and one per week or month."""

from __future__ import annotations

import datetime as dt
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import numpy as np
import shapely
from sqlalchemy.orm import Session

from api.layers import polygons as polygons_of
from geo import features, outlines
from geo.analysis import counts
from geo.cases import CaseFilter
from geo.columns import ColumnStore
from geo.db import session as sessions
from geo.db.clock import city_today
from geo.errors import Lang, NotFound, RefusedArgument
from geo.heat import HeatMap
from geo.heat import Zones as CityZones
from geo.settings import Settings
from maps.folium_maps import Frame, Ground, Zones, heat_page, plan_page

MEASURE_NAMES: dict[str, tuple[str, str]] = {
    "cases": ("案件数", "Cases"),
    "open": ("未办结案件", "Open cases"),
    "overdue": ("逾期案件", "Overdue cases"),
    "per_km2": ("案件密度", "Cases per km²"),
    "per_1000_households": ("每千户案件数", "Cases per 1 000 households"),
    "median_days_to_close": ("办结天数中位数", "Median days to close"),
    "response_share": ("按时派遣占比", "Responded in time"),
    "resolved_share": ("办结占比", "Resolved"),
    "satisfied_share": ("满意占比", "Satisfied"),
}
UNITS_ZH = {
    "cases": "件",
    "cases/km²": "件/km²",
    "cases/1000 households": "件/千户",
    "days": "天",
    "share": "",
}
MOST_FRAMES = 260
LABELS_UP_TO = 12


@dataclass(frozen=True)
class Question:
    """What a heat page shows."""

    by: str
    plan: str
    where: CaseFilter
    measure: str
    time: str | None  # week, month or None
    title: str | None
    lang: Lang


def heat_html(settings: Settings, asked: Question) -> tuple[str, HeatMap]:
    """The page and the heat map of its whole period."""
    with _Here(settings) as here:
        whole = here.heat(asked, asked.where)
        zones = whole.zones
        frames = [_frame(whole, zones.codes, _period(whole, asked.lang))]
        frames += here.frames(asked, whole)
        with here.session() as session:
            city = features.city(session)
            polygons = _shapes(session, zones)
            ground = _ground(session)
    page = heat_page(
        Zones(
            list(zones.codes), [_name(n, c) for n, c in zip(zones.names, zones.codes, strict=True)], polygons
        ),
        frames,
        measure=asked.measure,
        measure_name=MEASURE_NAMES[asked.measure][asked.lang == "en"],
        unit=UNITS_ZH.get(whole.unit, whole.unit) if asked.lang == "zh" else whole.unit.replace("share", ""),
        title=asked.title or _title(str(city.get("name") or ""), asked, whole),
        ground=ground,
        synthetic=bool(city.get("synthetic")),
        lang=asked.lang,
    )
    return page, whole


def plan_html(
    settings: Settings, plan: str, where: CaseFilter, title: str | None, lang: Lang
) -> tuple[str, HeatMap]:
    """The page of a plan: its grids told apart by colour, with area, households and cases of each."""
    if plan == "as-was":
        raise RefusedArgument("as-was 不是一个方案。", "as-was is not one plan.", field="plan")
    with _Here(settings) as here:
        asked = Question("grid", plan, where, "cases", None, title, lang)
        whole = here.heat(asked, where)
        zones = whole.zones
        if zones.plan is None:
            raise NotFound("还没有方案。", "There is no plan yet.", code="no-current-plan", field="plan")
        with here.session() as session:
            city = features.city(session)
            polygons = _shapes(session, zones)
            ground = _ground(session)
    zh = lang == "zh"
    facts: list[tuple[str, list[str | None]]] = [
        ("面积 km²" if zh else "Area km²", [f"{a / 1e6:.3f}" for a in zones.area_m2]),
    ]
    if zones.households is not None:
        held = ["–" if np.isnan(h) else f"{h:,.0f}" for h in zones.households]
        facts.append(("户数" if zh else "Households", list(held)))
    left, right = shapely.STRtree(polygons).query(polygons, predicate="intersects")
    page = plan_page(
        Zones(
            list(zones.codes),
            [_name(n, c) for n, c in zip(zones.names, zones.codes, strict=True)],
            polygons,
            facts,
        ),
        _frame(whole, zones.codes, _period(whole, lang)),
        neighbours=np.c_[left[left < right], right[left < right]],
        title=title or f"{city.get('name') or ''} {zones.plan.name}".strip(),
        value_name=MEASURE_NAMES["cases"][0 if zh else 1],
        ground=ground,
        synthetic=bool(city.get("synthetic")),
        lang=lang,
    )
    return page, whole


class _Here:
    """The columns and the database for the time of one command."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store = ColumnStore(settings, watch=False)

    def __enter__(self) -> _Here:
        self._store.refresh()
        return self

    def __exit__(self, *_: object) -> None:
        self._store.close()

    def session(self) -> AbstractContextManager[Session]:
        return sessions.session(self._settings, "app")

    def heat(self, asked: Question, where: CaseFilter) -> HeatMap:
        return counts.heat(
            self.session, self._store, by=asked.by, plan=asked.plan, where=where, measure=asked.measure
        )

    def frames(self, asked: Question, whole: HeatMap) -> list[Frame]:
        """One frame per week or month of the period, on the zones of the whole."""
        if asked.time is None:
            return []
        buckets = counts.series(self.session, self._store, bucket=asked.time, where=asked.where).starts
        if len(buckets) > MOST_FRAMES:
            raise RefusedArgument(
                f"时间滑块会有 {len(buckets)} 格，最多 {MOST_FRAMES} 格。",
                f"The time slider would have {len(buckets)} steps, {MOST_FRAMES} at most.",
                field="time",
                do_zh="请缩短时段或改用 month。",
                do_en="Shorten the period or use month.",
            )
        first, stop = whole.period
        frames = []
        for start, end in zip(buckets, [*buckets[1:], stop], strict=True):
            low, high = max(start, first or start), min(end or start, stop or end or start)
            part = self.heat(asked, replace(asked.where, from_date=low, to_date=high))
            label = f"{start:%Y-%m}" if asked.time == "month" else f"{low} – {high - dt.timedelta(days=1)}"
            frames.append(_frame(part, whole.codes, label))
        return frames


def _frame(heat: HeatMap, codes: np.ndarray[tuple[int, ...], np.dtype[np.object_]], label: str) -> Frame:
    """A heat map on the given codes: hexagons without a case in this frame count zero, other values are none."""
    at = {code: i for i, code in enumerate(heat.codes)}
    place = np.array([at.get(code, -1) for code in codes], dtype=np.int64)
    there = place >= 0
    values = np.full(len(codes), 0.0 if heat.additive or heat.measure == "per_km2" else np.nan)
    n = np.zeros(len(codes), dtype=np.int64)
    values[there], n[there] = heat.values[place[there]], heat.n[place[there]]
    return Frame(label, values, n, heat.total, heat.unplaced, heat.outside, heat.suppressed_total)


def _shapes(session: Session, zones: CityZones) -> np.ndarray[tuple[int, ...], np.dtype[np.object_]]:
    """The polygons in the order of the codes; an empty one where a zone has none any more."""
    found = polygons_of(session, zones)
    made = np.empty(len(found), dtype=object)
    made[:] = [shapely.Polygon() if shape is None else shape for shape in found]
    return made


def _ground(session: Session) -> Ground:
    found = outlines.surroundings(session, city_today(session))
    return Ground(
        limit=found.limit,
        water=found.water,
        roads=found.main_roads,
        minor=found.other_roads,
        rail=found.rail,
        borders=found.borders,
        labels=found.labels if len(found.labels) <= LABELS_UP_TO else (),
    )


def _period(heat: HeatMap, lang: Lang) -> str:
    """`2024-11-01 – 2026-10-31`, both days belong to it."""
    first, stop = heat.period
    if first is None or stop is None:
        return "全部时段" if lang == "zh" else "All time"
    return f"{first} – {stop - dt.timedelta(days=1)}"


def _title(city: str, asked: Question, heat: HeatMap) -> str:
    name = MEASURE_NAMES[asked.measure][asked.lang == "en"]
    plan = f" · {heat.plan.name}" if heat.plan else ""
    return f"{city} {name}{plan}".strip()


def _name(name: str | None, code: str) -> str:
    return name or code

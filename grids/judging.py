"""The full scorecard of a plan: every figure of `docs/scores.md`, from the database.

    card = scorecard(session, "首版", weight="cases", tolerance=0.10, near_m=20)
    card.figures["gini"], card.missing.get("households_in_band")

A figure that cannot be computed is None, and `missing` says why in both languages.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.errors import RefusedArgument
from grids import ground, refusals, stored, units, weights
from grids.ground import Ground
from grids.measures import balance, barriers, near_line, nesting, service, shape, stability, walking
from grids.measures.catalogue import FIGURES
from grids.partition import Partition
from grids.rules import Rules, rules
from grids.stored import Stored
from grids.units import Floats, UnitGraph

Value = float | int | None
LARGEST_TOLERANCE, FARTHEST_M = 10.0, 1000.0


@dataclass(frozen=True)
class Absent:
    """Why a figure is None."""

    zh: str
    en: str


@dataclass(frozen=True)
class Scorecard:
    """All figures of a plan by key (`grids.measures.catalogue`), None where one cannot be computed.

    `missing` says why. `notes` names what was used: the residents' source, the band, the plan stability is against.
    """

    plan: str
    plan_id: int
    weight: str
    tolerance: float
    near_m: float
    figures: dict[str, Value]
    missing: dict[str, Absent] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Flat, for JSON: the figures stand beside the plan's name."""
        reasons = {key: {"zh": why.zh, "en": why.en} for key, why in self.missing.items()}
        head = {k: getattr(self, k) for k in ("plan", "plan_id", "weight", "tolerance", "near_m")}
        return {**head, **self.figures, "missing": reasons, "notes": self.notes}


def scorecard(
    session: Session,
    plan: int | str,
    *,
    weight: str = "cases",
    tolerance: float = 0.10,
    near_m: float | None = None,
    today_ground: City | None = None,
) -> Scorecard:
    """Every figure of a plan. `near_m`: how far off positions may be (default: `data/rules/grids.toml`).

    `today_ground` spares reading the city again when several plans are judged. Raises NotFound `no-such-plan`,
    RefusedArgument `tolerance`, `near-m`, `weight-unknown`, `no-units`.
    """
    norms = rules()
    near = norms.near_m if near_m is None else near_m
    refusals.check_range("tolerance", tolerance, LARGEST_TOLERANCE)
    refusals.check_range("near-m", near, FARTHEST_M)
    row = stored.find(session, plan)
    city = today_ground or read_city(session)
    held = stored.read(session, row, city.graph)
    card = _Card()
    _plain(card, held.partition)
    _balance(session, card, held, city, weight, tolerance)
    _shape(card, held.partition, city)
    _service(card, held, city, norms)
    _stability(session, card, held, city)
    _near_line(card, held.partition, city, near)
    return Scorecard(
        row.name, row.id, weight, tolerance, near,
        {key: card.figures.get(key) for key in FIGURES}, card.missing, card.notes,
    )  # fmt: skip


@dataclass(frozen=True)
class City:
    """What plans of one city share: the unit graph, its ground, households and cases per unit, where cases lie."""

    graph: UnitGraph
    ground: Ground
    households: Floats | None
    residents: tuple[Floats, str] | None
    cases: Floats
    places: tuple[Any, Floats, Floats]


def read_city(session: Session) -> City:
    """Everything that does not depend on a plan, read once."""
    graph = units.read(session, stored.city_today(session))
    area = ground.read(session, graph)
    households = ground.column(session, graph, "households")
    return City(
        graph,
        area,
        households,
        _residents(session, graph, households, rules()),
        ground.cases(session, graph),
        ground.places(session, graph, area.crs),
    )


# ── Families ────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Card:
    """Figures as they come; a figure is a value or a reason."""

    def __init__(self) -> None:
        self.figures: dict[str, Value] = {}
        self.missing: dict[str, Absent] = {}
        self.notes: dict[str, Any] = {}

    def put(self, absent: Absent | None = None, **figures: Value) -> None:
        for key, value in figures.items():
            self.figures[key] = None if value is None or value != value else value
            if self.figures[key] is None and absent is not None:
                self.missing[key] = absent


NO_GRIDS = Absent("方案没有含单元的网格", "no grid of the plan has a unit")


def _plain(card: _Card, partition: Partition) -> None:
    held = partition.unit_counts > 0
    card.put(
        grids=int(held.sum()),
        units=partition.graph.n,
        open_units=int((partition.grid < 0).sum()),
        crossing=nesting.crossing(partition),
        broken_areas=nesting.broken(partition),
        areas=len(partition.graph.area_codes),
    )
    card.put(NO_GRIDS, contiguous=_mean((partition.parts() <= 1)[held]))


def _balance(session: Session, card: _Card, held: Stored, city: City, weight: str, tolerance: float) -> None:
    try:
        load = city.cases if weight == "cases" else weights.read(session, city.graph, weight)
    except RefusedArgument as problem:
        if problem.code != "weight-empty":
            raise
        load = np.zeros(city.graph.n)
    found = balance.of(held.partition, load, tolerance, held.posts)
    card.put(total=found.total, mean_load=found.mean_load)
    card.put(
        Absent(f"网格中的“{weight}”合计为 0", f"the {weight} of all grids add up to 0"),
        largest_deviation=found.largest,
        mean_deviation=found.mean,
        gini=found.gini,
        within_tolerance=found.within,
        forgiven_grids=found.forgiven if found.largest is not None else None,
    )
    card.put(
        Absent(
            "没有可比的网格：全部含超重单元或无负荷",
            "no grid is left: all hold a unit too heavy, or nothing weighs",
        ),
        largest_forgiven=found.largest_forgiven,
    )


def _shape(card: _Card, partition: Partition, city: City) -> None:
    held = partition.unit_counts > 0
    round_, circle = shape.polsby_popper(partition)[held], shape.reock(partition, city.ground.metres)[held]
    cut, barred = shape.cut(partition), barriers.barred(partition)
    spans = walking.span(partition, city.ground.x, city.ground.y)[held]
    card.put(
        NO_GRIDS,
        compactness=_mean(round_),
        compactness_least=_least(round_),
        reock=_mean(circle),
        reock_least=_least(circle),
        walking_span_m=float(spans.max()) if len(spans) else None,
        walking_span_median_m=float(np.median(spans)) if len(spans) else None,
    )
    card.put(cut_edges=cut.edges, cut_length_m=cut.length_m)
    card.put(Absent("单元之间没有公共边", "no two units share a border"), cut_share=cut.share)
    card.put(barrier_grids=barred.grids, barrier_inside_m=barred.total_m)


def _service(card: _Card, held: Stored, city: City, norms: Rules) -> None:
    posts = held.posts
    least, most = held.plan.bands.get("households") or (norms.households_least, norms.households_most)
    no_households = Absent(
        "没有装载户数（权重 households）",
        "no households are loaded (weights named households)",
    )
    if city.households is None:
        card.put(no_households, households_in_band=None)
    else:
        card.put(NO_GRIDS, households_in_band=service.in_band(held.partition, city.households, least, most))
        card.notes["households_band"] = [least, most]
    if city.residents is None:
        card.put(posts=float(posts[held.partition.unit_counts > 0].sum()))
        card.put(no_households, posts_needed=None, posts_share=None, short_grids=None)
        return
    residents, source = city.residents
    found = service.staffing(held.partition, residents, posts, norms.workers_per_10000)
    card.put(posts=found.posts, posts_needed=found.needed)
    nobody = Absent("网格中没有居民", "no residents live in the grids")
    card.put(nobody, posts_share=found.share, short_grids=found.short)
    card.notes.update(
        residents=found.residents, residents_from=source, workers_per_10000=norms.workers_per_10000
    )


def _stability(session: Session, card: _Card, held: Stored, city: City) -> None:
    today = stored.city_today(session)
    current = session.scalar(
        text("SELECT id FROM plan WHERE state = 'approved' AND during @> CAST(:d AS date)"), {"d": today}
    )
    keys = ("stays_area", "stays_units", "stays_households", "stays_cases")
    if current is None:
        none = Absent("今天没有生效的方案可比", "no plan holds today to compare with")
        card.put(none, **dict.fromkeys(keys))
        return
    before = stored.read(session, stored.find(session, int(current)), city.graph)
    shares = staying_shares(before.partition, held.partition, city)
    card.notes["stays_against"] = before.plan.name
    for key, value in shares.items():
        card.put(Absent("现行方案中没有此项", "the current plan holds none of it"), **{key: value})


def staying_shares(before: Partition, after: Partition, city: City) -> dict[str, float | None]:
    """Which share of the earlier plan's area, units, households and cases stays in its grid."""
    goes_on_as = stability.matched(before, after, city.graph.area_m2)
    stays = stability.staying(before, after, goes_on_as)
    assigned = before.grid >= 0

    def share(weight: Floats | None) -> float | None:
        return None if weight is None else stability.share(stays, np.where(assigned, weight, 0.0))

    return {
        "stays_area": share(city.graph.area_m2),
        "stays_units": share(np.ones(city.graph.n)),
        "stays_households": share(city.households),
        "stays_cases": share(city.cases),
    }


def _near_line(card: _Card, partition: Partition, city: City, near_m: float) -> None:
    unit, x, y = city.places
    inside = partition.grid[unit] >= 0
    flagged = near_line.near(near_line.beside(partition, city.ground.metres, near_m), unit, x, y, near_m)
    n = int(inside.sum())
    card.put(placed_cases=n)
    nothing = Absent("没有案件落在网格内", "no case lies in a grid")
    near = int((flagged & inside).sum())
    card.put(nothing, near_line_cases=near if n else None, near_line_share=near / n if n else None)


# ── Helpers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _residents(
    session: Session, graph: UnitGraph, households: Floats | None, norms: Rules
) -> tuple[Floats, str] | None:
    """Residents per unit and where they come from: a loaded column, else households × a stated factor."""
    for name in norms.residents_columns:
        found = ground.column(session, graph, name)
        if found is not None:
            return found, name
    if households is None:
        return None
    return households * norms.persons_per_household, f"households × {norms.persons_per_household:g}"


def _mean(values: Any) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _least(values: Floats) -> float | None:
    return float(values.min()) if len(values) else None

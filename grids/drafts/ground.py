"""What all open drafts stand on: the units, what they weigh, and by which state of the data."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.errors import NotFound, RefusedArgument
from grids import units, weights
from grids.bands import Bands
from grids.ledger import Measured
from grids.units import Floats, UnitGraph

GROUND = ("units", "boundaries", "city")
WEIGHED = ("cases", "weights")
FALLBACK = ("cases", "area")  # what a draft is balanced by when nobody said, the first that is there


@dataclass(frozen=True)
class PlanRow:
    """A plan as its row says, with the state of the data it was read in."""

    id: int
    name: str
    state: str
    revision: int
    nesting: str
    bands: dict[str, Any]
    settings: dict[str, Any]
    template: str
    today: dt.date
    versions: Mapping[str, str]

    @property
    def ground(self) -> tuple[Any, ...]:
        """Equal as long as units, their borders and their areas are the same."""
        return (self.today, *(self.versions.get(part) for part in GROUND))

    @property
    def weighed(self) -> tuple[Any, ...]:
        """Equal as long as units weigh the same, too."""
        return (*self.ground, *(self.versions.get(part) for part in WEIGHED))

    @property
    def weights(self) -> tuple[str, ...]:
        """What the draft is balanced by: the first decides, the others are shown beside it. Empty: nobody said."""
        named = [self.settings.get("weight"), *(self.settings.get("weights") or ())]
        return tuple(dict.fromkeys(name for name in named if isinstance(name, str)))

    @property
    def banded(self) -> tuple[str, ...]:
        """The weights that its bands are about."""
        return tuple(sorted(Bands.of(self.bands).columns))

    @property
    def tolerance(self) -> float:
        """The deviation from the fair load still called even."""
        found = self.settings.get("tolerance", 0.10)
        return float(found) if isinstance(found, int | float) else 0.10


@dataclass(frozen=True, eq=False)
class Ground:
    """The units of one state of the data, found by code or id."""

    key: tuple[Any, ...]
    graph: UnitGraph
    number: Mapping[str, int]


def read_row(session: Session, plan_id: int, *, lock: bool) -> PlanRow:
    """The plan's row, locked against other edits until the transaction ends when `lock`."""
    row = (
        session.execute(text(_ROW + (" FOR UPDATE OF p" if lock else "")), {"plan": plan_id})
        .mappings()
        .one_or_none()
    )
    if row is None:
        raise NotFound(
            f"没有方案 {plan_id}。", f"There is no plan {plan_id}.", code="no-such-plan", field="plan"
        )
    found = dict(row)
    today = dt.datetime.now(ZoneInfo(found.pop("timezone"))).date()
    return PlanRow(today=today, **{**found, "versions": found["versions"] or {}})


_ROW = """
SELECT p.id, p.name, p.state, p.revision, p.nesting, p.bands, p.settings, c.timezone, c.code_template AS template,
  (SELECT jsonb_object_agg(part, version || ' ' || changed_at) FROM data_version) AS versions
FROM plan p JOIN city c ON c.id = p.city_id WHERE p.id = :plan"""


def read_ground(session: Session, row: PlanRow) -> Ground:
    """The units as of the row's state of the data."""
    graph = units.read(session, row.today)
    return Ground(row.ground, graph, {code: u for u, code in enumerate(graph.codes)})


def measure(
    session: Session, ground: Ground, names: tuple[str, ...], banded: tuple[str, ...] = ()
) -> Measured:
    """What the units weigh; with no name given cases, or area where there are none. Then what bands are about."""
    found: dict[str, Floats] = {}
    for name in names or FALLBACK:
        try:
            found[name] = weights.read(session, ground.graph, name)
        except RefusedArgument:
            continue  # taken away or emptied since it was named
        if not names:
            break
    found = found or {"area": ground.graph.area_m2}
    for name in banded:
        if name not in found:
            found[name] = _weight_or_nothing(session, ground.graph, name)
    return Measured.of(ground.graph, found)


def _weight_or_nothing(session: Session, graph: UnitGraph, name: str) -> Floats:
    """All 0 where a weight was taken away or emptied since a band named it: then every grid holds too little."""
    try:
        return weights.read(session, graph, name)
    except RefusedArgument:
        return np.zeros(graph.n)

"""A random small city in a real database, and random questions about it, for the tests that ask SQL the same."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import shapely
from hypothesis import strategies as st
from sqlalchemy import text

from geo.analysis import counts
from geo.attribution import place_again
from geo.cases import ORIGIN, STATUS, CaseFilter
from geo.columns import ColumnStore
from geo.db import session as sessions
from geo.db import versions
from geo.heat import HeatMap
from geo.settings import Settings
from tests.geo import small_city

ZONE = "America/New_York"  # a clock with summer time, far from UTC
START = dt.date(2024, 1, 1)


@dataclass
class Made:
    """A loaded city, ready to be asked."""

    settings: Settings
    store: ColumnStore
    plans: dict[str, int] = field(default_factory=dict)

    def session(self) -> object:
        return sessions.session(self.settings, "app")

    def heat(self, **asked: object) -> HeatMap:
        return counts.heat(self.session, self.store, **asked)  # type: ignore[arg-type]


@contextmanager
def random_city(settings: Settings) -> Iterator[Made]:
    """3000 cases of two sources, two plans in succession and a draft, overlapping wards, a unit that was cut."""
    rng = np.random.default_rng(2024)
    plans = {}
    with sessions.session(settings) as db:
        small_city.city(db, ZONE)
        hotline = small_city.source(
            db, "hotline", (("01", None), ("01", "0101"), ("01", "0102"), ("02", None))
        )
        patrol = small_city.source(db, "patrol", (("01", "0102"), ("03", "a")))
        for source in (hotline, patrol):
            rows = small_city.random_cases(rng, 1500, small_city.category_ids(db, source))
            small_city.cases(db, source, rows)
        ids = small_city.units(db, {f"u{x}{y}": small_city.square(x, y) for x in range(5) for y in range(5)})
        x0, y0, x1, y1 = small_city.square(4, 4).bounds
        halves = {
            "u44a": shapely.box(x0, y0, x1, (y0 + y1) / 2),
            "u44b": shapely.box(x0, (y0 + y1) / 2, x1, y1),
        }
        small_city.units(db, halves, dict.fromkeys(halves, "u44"))
        stripes = {unit: f"g{code[1]}" for code, unit in ids.items()}
        blocks = {unit: f"g{int(code[1]) // 2}{int(code[2]) // 2}" for code, unit in ids.items()}
        plans["first"] = small_city.plan(db, "first", dict(stripes), during="[2024-01-20,2024-02-10)")
        plans["second"] = small_city.plan(db, "second", dict(blocks), during="[2024-02-10,)")
        partial = {
            unit: (None if code[2] == "1" else stripes[unit]) for code, unit in ids.items() if code[2] != "0"
        }
        plans["draft"] = small_city.plan(db, "draft", partial)
        wards = {
            "w1": small_city.square(0, 0, 3),
            "w2": small_city.square(2, 2, 3),
            "w10": small_city.square(1, 4, 2),
        }
        small_city.edition(db, "ward", wards, during="(,2024-02-01)")
        small_city.edition(db, "ward", {"w1": small_city.square(0, 0, 5)}, during="[2024-02-01,)")
        run = db.scalar(text("SELECT min(id) FROM load_run"))
        for unit in list(ids.values())[:20]:
            db.execute(
                text("INSERT INTO weight VALUES ('households', :u, :v, :r)"),
                {"u": unit, "v": float(rng.integers(0, 400)), "r": run},
            )
        versions.bump(db, "weights")
        place_again(db)
    store = ColumnStore(settings, watch=False)
    try:
        yield Made(settings, store, plans)
    finally:
        store.close()


dates = st.one_of(st.none(), st.integers(-3, 65).map(lambda d: START + dt.timedelta(days=d)))


@st.composite
def filters(draw: st.DrawFn) -> CaseFilter:
    first, last = draw(dates), draw(dates)
    if first and last and last < first:
        first, last = last, first
    keys = ["01", "01/0101", "01/0102", "02", "03", "03/a"]
    return CaseFilter(
        first,
        last,
        tuple(draw(st.lists(st.sampled_from(keys), max_size=2))),
        tuple(draw(st.lists(st.sampled_from(sorted(ORIGIN)), max_size=2))),
        tuple(draw(st.lists(st.sampled_from(sorted(STATUS)), max_size=2))),
    )


instants = st.one_of(
    st.none(),
    st.integers(-5, 100).map(lambda d: dt.datetime(2024, 1, 1, 6, 30, tzinfo=dt.UTC) + dt.timedelta(days=d)),
)

"""Every measure × layer × filter equals the same question asked of PostGIS, on a random small city."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import text

from geo.analysis import counts
from geo.cases import CaseFilter
from geo.db import session as sessions
from geo.heat import MEASURES, HeatMap
from geo.settings import Settings
from tests.geo import oracle
from tests.geo.random_city import ZONE, Made, filters, instants, random_city


@pytest.fixture(scope="module")
def made(module_settings: Settings) -> Iterator[Made]:
    with random_city(module_settings) as city:
        yield city


layers = st.sampled_from(
    [
        ("grid", "first"),
        ("grid", "second"),
        ("grid", "draft"),
        ("grid", "as-was"),
        ("grid", "current"),
        ("grid", "as-of:2024-01-25"),
        ("ward@2024-01-15", ""),
        ("ward@2024-03-01", ""),
        ("ward", ""),
    ]
)


def ask_both(
    made: Made, layer: tuple[str, str], where: CaseFilter, measure: str, asof: dt.datetime | None
) -> None:
    by, plan = layer
    heat = made.heat(by=by, plan=plan or "current", where=where, measure=measure, asof=asof)
    households = heat.zones.households
    sizes = {
        code: (float(area), float(households[i]) if households is not None else 0.0)
        for i, (code, area) in enumerate(zip(heat.codes, heat.zones.area_m2, strict=True))
    }
    named = {"current": "second", "as-of:2024-01-25": "first"}.get(plan, plan)
    on = dt.date.fromisoformat(by.partition("@")[2]) if "@" in by else dt.date(2026, 1, 1)
    with sessions.session(made.settings) as db:
        wanted = oracle.ask(
            db,
            by=by,
            where=where,
            measure=measure,
            asof=heat.asof,
            timezone=ZONE,
            plan=made.plans.get(named),
            as_was=plan == "as-was",
            on=on,
            sizes={
                code: (area, 0.0 if np.isnan(counted) else counted) for code, (area, counted) in sizes.items()
            },
        )
    law(heat)
    zones = {code: (value, n) for code, (value, n) in wanted.items() if not code.startswith("*")}
    assert set(zones) <= set(heat.codes)
    for code, value, n in zip(heat.codes, heat.values, heat.n, strict=True):
        expected, expected_n = zones.get(code, (np.nan, 0))
        if expected_n == 0 and measure in ("cases", "open", "overdue", "per_km2"):
            expected = 0.0
        if measure == "per_1000_households":
            counted = sizes[code][1]
            expected = expected_n / counted * 1000 if counted > 0 else np.nan
        assert n == expected_n, (code, n, expected_n)
        assert value == pytest.approx(expected, rel=1e-9, nan_ok=True), code
    rest = {code: n for code, (_, n) in wanted.items() if code.startswith("*")}
    assert heat.unplaced == rest.get("*unplaced", 0)
    assert heat.unassigned == rest.get("*open", 0)
    assert heat.outside == rest.get("*outside", 0) + rest.get("*open", 0)
    assert heat.total == sum(n for _, n in wanted.values())


def law(heat: HeatMap) -> None:
    """Values + unplaced + outside = total."""
    assert int(heat.n.sum()) + heat.unplaced + heat.outside == heat.total
    assert 0 <= heat.unassigned <= heat.outside
    if heat.additive:
        assert heat.values.sum() + heat.unplaced + heat.outside == heat.total


@given(layers, filters(), st.sampled_from(sorted(MEASURES)), instants)
@hypothesis_settings(max_examples=60, deadline=None)
def test_every_measure_equals_sql(
    made: Made, layer: tuple[str, str], where: CaseFilter, measure: str, asof: dt.datetime | None
) -> None:
    ask_both(made, layer, where, measure, asof)


@pytest.mark.parametrize("measure", sorted(MEASURES))
@pytest.mark.parametrize(
    "layer", [("grid", "current"), ("grid", "as-was"), ("grid", "draft"), ("ward@2024-01-15", "")]
)
def test_measure_without_filter_equals_sql(made: Made, layer: tuple[str, str], measure: str) -> None:
    ask_both(made, layer, CaseFilter(), measure, None)


@given(filters(), st.integers(7, 11), st.sampled_from(sorted(MEASURES)))
@hypothesis_settings(max_examples=25, deadline=None)
def test_hexagons_obey_the_law_and_h3(made: Made, where: CaseFilter, resolution: int, measure: str) -> None:
    import h3

    heat = made.heat(by=f"hexagon:{resolution}", where=where, measure=measure)
    law(heat)
    assert heat.outside == 0
    if measure != "cases":
        return
    with sessions.session(made.settings) as db:
        statement = text(
            "SELECT ST_Y(c.geom), ST_X(c.geom) FROM cases c JOIN category k ON k.id = c.category_id "
            f"LEFT JOIN category t ON t.id = k.parent_id WHERE c.geom IS NOT NULL AND {oracle.filter_sql(where)}"
        )
        rows = db.execute(
            statement,
            {
                "tz": ZONE,
                "from_date": where.from_date,
                "to_date": where.to_date,
                "keys": list(where.categories),
                "origins": list(where.origin_codes),
                "statuses": list(where.status_codes),
            },
        ).all()
    expected: dict[str, int] = {}
    for lat, lon in rows:
        cell = h3.latlng_to_cell(lat, lon, resolution)
        expected[cell] = expected.get(cell, 0) + 1
    assert dict(zip(heat.codes, heat.n.tolist(), strict=True)) == expected


def test_overlaps_are_counted_as_postgis_counts_them(made: Made) -> None:
    heat = made.heat(by="ward@2024-01-15")
    with sessions.session(made.settings) as db:
        twice = db.scalar(
            text(
                "SELECT count(*) FROM (SELECT c.id FROM cases c JOIN boundary b ON ST_Intersects(b.geom, c.geom) "
                "JOIN edition e ON e.id = b.edition_id WHERE e.during @> date '2024-01-15' "
                "GROUP BY c.source_id, c.id HAVING count(*) > 1) d"
            )
        )
    assert heat.overlaps == twice > 0


@given(
    filters(),
    st.sampled_from(counts.BUCKETS),
    st.sampled_from([None, ("grid", "g1"), ("ward@2024-01-15", "w2")]),
)
@hypothesis_settings(max_examples=40, deadline=None)
def test_series_equals_sql(made: Made, where: CaseFilter, bucket: str, zone: tuple[str, str] | None) -> None:
    by, code = zone or (None, None)
    found = counts.series(
        made.session, made.store, bucket=bucket, where=where, by=by, code=code, plan="first"
    )  # type: ignore[arg-type]
    inside = f"{oracle.zone_sql(by)} = :code" if by else "true"
    with sessions.session(made.settings) as db:
        rows = db.execute(
            text(
                f"SELECT date_trunc('{bucket}', c.opened_at AT TIME ZONE :tz)::date AS start, count(*) AS n FROM cases c "
                "JOIN category k ON k.id = c.category_id LEFT JOIN category t ON t.id = k.parent_id "
                f"WHERE {oracle.filter_sql(where)} AND {inside} GROUP BY 1"
            ),
            {
                "tz": ZONE,
                "code": code,
                "level": "ward",
                "on": dt.date(2024, 1, 15),
                "plan": made.plans["first"],
                "from_date": where.from_date,
                "to_date": where.to_date,
                "keys": list(where.categories),
                "origins": list(where.origin_codes),
                "statuses": list(where.status_codes),
            },
        ).all()
    counted = {start: n for start, n in zip(found.starts, found.n.tolist(), strict=True) if n}
    assert counted == {row.start: row.n for row in rows}
    assert list(found.starts) == sorted(set(found.starts))
    assert found.total == sum(counted.values())


def test_categories_equal_sql(made: Made) -> None:
    where = CaseFilter(to_date=dt.date(2024, 2, 15), origins=("citizen", "patrol"))
    with sessions.session(made.settings) as db:
        rows = db.execute(
            text(
                "SELECT coalesce(t.code || '/' || k.code, k.code) AS key, count(*) AS n FROM cases c "
                "JOIN category k ON k.id = c.category_id LEFT JOIN category t ON t.id = k.parent_id "
                f"WHERE {oracle.filter_sql(where)} AND {oracle.zone_sql('grid')} = 'g2' GROUP BY 1"
            ),
            {"tz": ZONE, "plan": made.plans["first"], "to_date": where.to_date, "origins": [1, 2]},
        ).all()
    found = counts.by_category(made.session, made.store, where=where, by="grid", code="g2", plan="first")  # type: ignore[arg-type]
    assert dict(zip(found.keys, found.values.tolist(), strict=True)) == {row.key: row.n for row in rows}
    assert found.values.tolist() == sorted(found.values.tolist(), reverse=True)
    tops = counts.by_category(
        made.session, made.store, where=where, by="grid", code="g2", plan="first", depth="top"
    )  # type: ignore[arg-type]
    summed: dict[str, int] = {}
    for row in rows:
        summed[row.key.split("/")[0]] = summed.get(row.key.split("/")[0], 0) + row.n
    assert dict(zip(tops.keys, tops.values.tolist(), strict=True)) == summed

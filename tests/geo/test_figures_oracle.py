"""Summary, matrix, indicators and repeats equal the same questions asked of PostGIS, on a random small city."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import text

from geo.analysis.clocks import clock
from geo.analysis.indicators import indicators
from geo.analysis.matrix import matrix
from geo.analysis.repeats import repeats
from geo.analysis.summary import Figure, Summary, summary
from geo.cases import CaseFilter
from geo.db import session as sessions
from geo.errors import NotFound, RefusedArgument
from geo.heat import MEASURES
from geo.settings import Settings
from tests.geo import oracle
from tests.geo.random_city import ZONE, Made, filters, instants, random_city

LATE = "c.status <> 2 AND c.opened_at <= :asof AND c.due_at IS NOT NULL"
DECIDED = f"{LATE} AND (c.closed_at <= :asof OR ({oracle.OPEN} AND c.due_at < :asof))"
# Figures as SQL: (value, n). Late: closed after its due time, or open past it.
SQL = {
    "cases": ("count(*)", "count(*)"),
    "open": oracle.MEASURE["open"],
    "overdue": oracle.MEASURE["overdue"],
    "overdue_share": (
        f"count(*) FILTER (WHERE {DECIDED} AND coalesce(c.closed_at <= :asof AND c.closed_at > c.due_at, false) "
        f"OR {DECIDED} AND {oracle.OPEN} AND c.due_at < :asof)::float8 / nullif(count(*) FILTER (WHERE {DECIDED}), 0)",
        f"count(*) FILTER (WHERE {DECIDED})",
    ),
    "median_days_to_close": oracle.MEASURE["median_days_to_close"],
    "satisfied_share": oracle.MEASURE["satisfied_share"],
    "service_share": (
        "count(*) FILTER (WHERE c.origin = 1)::float8 / nullif(count(*) FILTER (WHERE c.origin IN (1, 2)), 0)",
        "count(*) FILTER (WHERE c.origin IN (1, 2))",
    ),
}
places = st.sampled_from(
    [
        (None, ()),
        (None, ()),
        ("grid", ("g1",)),
        ("grid", ("g0", "g2", "g4")),
        ("ward@2024-01-15", ("w2",)),
        ("ward@2024-01-15", ("w1", "w10")),
    ]
)


@pytest.fixture(scope="module")
def made(module_settings: Settings) -> Iterator[Made]:
    with random_city(module_settings) as city:
        yield city


def values_of(
    where: CaseFilter, asof: dt.datetime | None, codes: tuple[str, ...], plan: int
) -> dict[str, Any]:
    return {
        "tz": ZONE,
        "asof": asof,
        "plan": plan,
        "codes": list(codes),
        "level": "ward",
        "on": dt.date(2024, 1, 15),
        "from_date": where.from_date,
        "to_date": where.to_date,
        "keys": list(where.categories),
        "origins": list(where.origin_codes),
        "statuses": list(where.status_codes),
    }


def among(by: str | None, where: CaseFilter) -> str:
    """The FROM and WHERE of the cases that are asked for."""
    zone = f"{oracle.zone_sql(by)} = ANY(:codes)" if by else "true"
    return (
        "FROM cases c JOIN category k ON k.id = c.category_id LEFT JOIN category t ON t.id = k.parent_id "
        f"WHERE {oracle.filter_sql(where)} AND {zone}"
    )


def ask_sql(
    made: Made, by: str | None, codes: tuple[str, ...], where: CaseFilter, asof: dt.datetime | None
) -> dict[str, tuple[float | None, int]]:
    columns = ", ".join(f"{value} AS {key}, {n} AS {key}_n" for key, (value, n) in SQL.items())
    with sessions.session(made.settings) as db:
        asked = values_of(where, asof, codes, made.plans["first"])
        row = db.execute(text(f"SELECT {columns} {among(by, where)}"), asked).mappings().one()
    return {key: (row[key], row[f"{key}_n"]) for key in SQL}


def summarise(made: Made, by: str | None, codes: tuple[str, ...], **more: Any) -> Summary:
    return summary(made.session, made.store, by=by, codes=codes, plan="first", **more)  # type: ignore[arg-type]


def compare(figure: Figure, which: str, expected: tuple[float | None, int]) -> None:
    found = getattr(figure, which)
    assert found.n == expected[1], figure.key
    if expected[0] is None:
        assert found.value is None
        assert found.reason == "no-cases"
    else:
        assert found.value == pytest.approx(float(expected[0]), rel=1e-9), figure.key


@given(places, filters(), instants, st.sampled_from(["previous", "last-year"]))
@hypothesis_settings(max_examples=60, deadline=None)
def test_summary_equals_sql_now_and_before(
    made: Made, place: tuple[str | None, tuple[str, ...]], where: CaseFilter, asof: Any, versus: str
) -> None:
    found = summarise(made, *place, where=where, asof=asof, versus=versus)
    first, stop = found.period
    assert first is not None
    assert stop is not None
    inside = first < stop and stop > dt.date(2023, 12, 31) and first <= dt.date(2024, 2, 29)
    if all(figure.now.reason != "outside-data" for figure in found.figures):
        expected = ask_sql(made, *place, where, found.asof)
        for figure in found.figures:
            compare(figure, "now", expected[figure.key])
        assert found.total == expected["cases"][1]
    else:
        assert not inside or first == stop
        assert found.total == 0
    if found.previous_reason is None:
        assert found.previous is not None
        assert found.asof is not None
        assert found.previous_asof == found.asof - (first - found.previous[0])
        then = replace(where, from_date=found.previous[0], to_date=found.previous[1])
        expected = ask_sql(made, *place, then, found.previous_asof)
        for figure in found.figures:
            compare(figure, "before", expected[figure.key])
    else:
        assert {figure.before.value for figure in found.figures} == {None}
        assert {figure.before.reason for figure in found.figures} == {found.previous_reason}
        assert {figure.differs for figure in found.figures} == {None}


def test_the_comparison_is_never_a_made_up_zero(made: Made) -> None:
    whole = summarise(made, None, ())
    assert whole.previous_reason == "before-data"
    assert all(figure.before.value is None for figure in whole.figures)
    second = summarise(made, None, (), where=CaseFilter(dt.date(2024, 1, 20), dt.date(2024, 2, 1)))
    assert second.previous == (dt.date(2024, 1, 8), dt.date(2024, 1, 20))
    assert second.previous_reason is None
    assert all(figure.before.n > 50 for figure in second.figures)
    year = summarise(
        made, None, (), where=CaseFilter(dt.date(2024, 1, 20), dt.date(2024, 2, 1)), versus="last-year"
    )
    assert year.previous == (dt.date(2023, 1, 20), dt.date(2023, 2, 1))
    assert year.previous_reason == "before-data"
    leap = summarise(
        made, None, (), where=CaseFilter(dt.date(2024, 2, 29), dt.date(2024, 3, 1)), versus="last-year"
    )
    assert leap.previous == (dt.date(2023, 2, 28), dt.date(2023, 3, 1))
    later = summarise(made, None, (), where=CaseFilter(dt.date(2025, 1, 1), dt.date(2025, 2, 1)))
    assert {figure.now.reason for figure in later.figures} == {"outside-data"}
    assert later.previous_reason == "after-data"
    partly = summarise(made, None, (), where=CaseFilter(dt.date(2024, 2, 20), dt.date(2024, 3, 20)))
    assert partly.caveats == ("period-incomplete",)
    with pytest.raises(RefusedArgument):
        summarise(made, None, (), versus="tomorrow")
    with pytest.raises(RefusedArgument):
        summarise(made, "grid", ())
    with pytest.raises(NotFound):
        summarise(made, "grid", ("g1", "nowhere"))


def test_zones_unplaced_and_outside_add_up(made: Made) -> None:
    whole = summarise(made, None, ())
    heat = made.heat(by="grid", plan="first")
    apart = [summarise(made, "grid", (code,)).total for code in heat.codes]
    together = summarise(made, "grid", tuple(heat.codes)).total
    assert sum(apart) == together
    assert together + heat.unplaced + heat.outside == whole.total == heat.total
    assert whole.unplaced == heat.unplaced > 0
    cells = [matrix(made.session, made.store, by="grid", codes=(c,), plan="first").total for c in heat.codes]  # type: ignore[arg-type]
    everything = matrix(made.session, made.store)  # type: ignore[arg-type]
    assert cells == apart
    assert everything.values.sum() == everything.total == whole.total
    assert (everything.unplaced, everything.outside) == (whole.unplaced, whole.outside)


@given(places, filters())
@hypothesis_settings(max_examples=40, deadline=None)
def test_matrix_equals_sql(made: Made, place: tuple[str | None, tuple[str, ...]], where: CaseFilter) -> None:
    by, codes = place
    found = matrix(made.session, made.store, where=where, by=by, codes=codes, plan="first")  # type: ignore[arg-type]
    local = "c.opened_at AT TIME ZONE :tz"
    with sessions.session(made.settings) as db:
        rows = db.execute(
            text(
                f"SELECT extract(isodow FROM {local})::int AS d, extract(hour FROM {local})::int AS h, count(*) AS n, "
                f"count(*) FILTER (WHERE ({local})::time = '00:00:00') AS midnight {among(by, where)} GROUP BY 1, 2"
            ),
            values_of(where, None, codes, made.plans["first"]),
        ).all()
    expected = np.zeros((7, 24), dtype=np.int64)
    for row in rows:
        expected[row.d - 1, row.h] = row.n
    assert found.values.tolist() == expected.tolist()
    assert found.midnight == sum(row.midnight for row in rows)
    first, stop = found.period
    if first is not None and stop is not None:
        days = [first + dt.timedelta(days=i) for i in range((stop - first).days)]
        assert found.days.tolist() == [sum(day.weekday() == d for day in days) for d in range(7)]


@pytest.mark.parametrize(
    "zone", ["Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Europe/London"]
)
def test_the_clock_is_that_of_postgis(made: Made, zone: str) -> None:
    first, last = (int(dt.datetime(year, 1, 1, tzinfo=dt.UTC).timestamp()) for year in (1985, 2026))
    steps = clock(zone, first, last)
    asked = np.random.default_rng(5).integers(first, last, 3000)
    near = np.concatenate(
        [steps.since_s[1:], steps.since_s[1:] - 1]
    )  # the second of a change and the one before
    asked = np.concatenate([asked, near])
    ours = steps.offset_s[np.searchsorted(steps.since_s, asked, side="right") - 1]
    with sessions.session(made.settings) as db:
        theirs = db.execute(
            text(
                "SELECT extract(epoch FROM to_timestamp(s) AT TIME ZONE :zone)::bigint - s "
                "FROM unnest(CAST(:asked AS bigint[])) WITH ORDINALITY AS u(s, i) ORDER BY i"
            ),
            {"zone": zone, "asked": asked.tolist()},
        ).scalars()
        assert ours.tolist() == list(theirs)
    assert len(steps.since_s) > (70 if zone in ("America/New_York", "Europe/London") else 0)


@given(st.sampled_from(sorted(MEASURES)), filters(), st.sampled_from(["first", "second", "as-was"]))
@hypothesis_settings(max_examples=30, deadline=None)
def test_indicators_are_the_heat_map_with_room_around(
    made: Made, measure: str, where: CaseFilter, plan: str
) -> None:
    found = indicators(made.session, made.store, measure=measure, where=where, plan=plan)  # type: ignore[arg-type]
    heat = made.heat(by="grid", plan=plan, where=where, measure=measure)
    np.testing.assert_array_equal(found.heat.values, heat.values)
    np.testing.assert_array_equal(found.heat.n, heat.n)
    for name in ("total", "unplaced", "outside", "unassigned", "measure", "unit", "asof", "version"):
        assert getattr(found.heat, name) == getattr(heat, name), name
    known = ~np.isnan(heat.values)
    ranks = found.ranks
    assert (ranks.rank[~known] == 0).all()
    for at in np.flatnonzero(known):
        assert ranks.rank[at] == 1 + (heat.values[known] > heat.values[at]).sum()
    assert (ranks.low[known] <= ranks.rank[known]).all()
    assert (ranks.rank[known] <= ranks.high[known]).all()
    told = known & ~np.isnan(found.low)
    assert (found.low[told] <= heat.values[told] + 1e-9).all()
    assert (heat.values[told] <= found.high[told] + 1e-9).all()


def test_the_interval_of_a_median_is_two_of_its_cases(made: Made) -> None:
    found = indicators(made.session, made.store, measure="median_days_to_close", plan="first")  # type: ignore[arg-type]
    with sessions.session(made.settings) as db:
        rows = db.execute(
            text(
                "SELECT q.zone, extract(epoch FROM q.closed_at - q.opened_at) / 86400 AS days FROM "
                f"(SELECT c.*, {oracle.zone_sql('grid')} AS zone FROM cases c) q "
                "WHERE q.status <> 2 AND q.closed_at <= :asof ORDER BY 1, 2"
            ),
            {"plan": made.plans["first"], "asof": found.heat.asof},
        ).all()
    for code, n, low, high in zip(found.heat.codes, found.heat.n, found.low, found.high, strict=True):
        days = [float(row.days) for row in rows if row.zone == code]
        assert len(days) == n
        below = sum(day < low - 1e-9 for day in days)
        above = sum(day > high + 1e-9 for day in days)
        assert below == above  # the two places mirror each other
        assert 0.02 * n < below < n / 2
        assert any(day == pytest.approx(low, abs=1e-9) for day in days)


def test_hexagons_are_not_ranked(made: Made) -> None:
    with pytest.raises(RefusedArgument):
        indicators(made.session, made.store, by="hexagon:9")  # type: ignore[arg-type]


@given(places, filters())
@hypothesis_settings(max_examples=30, deadline=None)
def test_repeats_equal_sql(made: Made, place: tuple[str | None, tuple[str, ...]], where: CaseFilter) -> None:
    by, codes = place
    found = repeats(made.session, made.store, where=where, by=by, codes=codes, plan="first", limit=10**6)  # type: ignore[arg-type]
    with sessions.session(made.settings) as db:
        rows = db.execute(
            text(
                "SELECT (SELECT code FROM unit u WHERE u.id = c.unit_id) AS unit, k.id AS kind, "
                "coalesce(t.code || '/' || k.code, k.code) AS key, count(*) AS n, min(c.opened_at) AS first, "
                f"max(c.opened_at) AS last {among(by, where)} AND c.unit_id IS NOT NULL AND c.status <> 2 "
                "GROUP BY c.unit_id, k.id, key HAVING count(*) >= 2"
            ),
            values_of(where, None, codes, made.plans["first"]),
        ).all()
    ours = sorted((r.unit, r.category, r.n, r.first, r.last) for r in found.found)
    assert ours == sorted((r.unit, r.key, r.n, r.first, r.last) for r in rows)
    assert (found.places, found.cases) == (len(rows), sum(r.n for r in rows))
    assert [r.n for r in found.found] == sorted((r.n for r in found.found), reverse=True)


def test_repeats_stay_within_the_units_of_an_area(made: Made) -> None:
    some = made.store.current().unit_ids[:5]
    with sessions.session(made.settings) as db:
        asked = {"ids": some.tolist()}
        codes = set(db.execute(text("SELECT code FROM unit WHERE id = ANY(:ids)"), asked).scalars())
    whole = repeats(made.session, made.store)  # type: ignore[arg-type]
    part = repeats(made.session, made.store, units=some)  # type: ignore[arg-type]
    assert {r.unit for r in part.found} == {r.unit for r in whole.found} & codes
    assert 0 < part.places < whole.places
    none = repeats(made.session, made.store, units=some[:0])  # type: ignore[arg-type]
    assert (none.places, none.found) == (0, ())

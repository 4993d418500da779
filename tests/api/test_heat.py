"""Heat over HTTP: equal to SQL, equal in its three forms, the totals law, what the public may see, validators."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from api.routers.heatmap import HeatMaps
from api.routers.tiles import Tiles
from geo.analysis.counts import by_category
from geo.cases import CaseFilter
from geo.db import session as sessions
from geo.db.versions import bump

K = 5
LAYERS = (
    "/api/heatmap/grids",
    "/api/heatmap/boundaries?level=community",
    "/api/heatmap/hexagons?resolution=9",
)
BY_GRID = """
SELECT g.code, count(c.id) FROM grid g
JOIN plan_unit p ON p.grid_id = g.id AND p.plan_id = g.plan_id
LEFT JOIN cases c ON c.unit_id = p.unit_id AND c.opened_at >= '2024-03-01+08' AND c.opened_at < '2024-06-01+08'
WHERE g.plan_id = (SELECT id FROM plan WHERE name = '首版') GROUP BY g.code"""


def law(found: dict[str, Any]) -> None:
    """Visible + hidden + unplaced + outside = total; for what adds up the values say the same.

    Where there are fewer than k in all the public is not even told the sum.
    """
    if found["total"] is None:
        assert found["k"] > 0
        assert not any(found["n"])
        assert found["suppressed_total"] is None
        assert found["unplaced"] == found["outside"] == 0
        return
    shown = sum(found["n"]) + found["suppressed_total"] + found["unplaced"] + found["outside"]
    assert shown == found["total"]
    if found["measure"] in ("cases", "open", "overdue"):
        values = [0 if v is None else v for v in found["values"]]
        assert values == found["n"]
    lengths = {len(found[name]) for name in ("codes", "names", "values", "n", "suppressed")}
    assert len(lengths) == 1


def test_counts_equal_sql(town: Any) -> None:
    found = town.staff("/api/heatmap/grids?from=2024-03-01&to=2024-06-01").json()
    with sessions.session(town.settings, "owner") as session:
        expected = dict(tuple(row) for row in session.execute(text(BY_GRID)))
    assert dict(zip(found["codes"], found["values"], strict=True)) == expected
    assert sum(expected.values()) > 300
    assert found["plan"]["name"] == "首版"
    assert found["period"] == {"from": "2024-03-01", "to": "2024-06-01"}
    assert found["unit"] == "cases"


@pytest.mark.parametrize("path", LAYERS)
@pytest.mark.parametrize(
    "measure",
    ["cases", "open", "overdue", "per_km2", "per_1000_households", "median_days_to_close", "response_share",
     "resolved_share", "satisfied_share"],
)  # fmt: skip
def test_every_measure_on_every_layer(town: Any, path: str, measure: str) -> None:
    for ask in (town.get, town.staff):
        answer = ask(path + ("&" if "?" in path else "?") + f"measure={measure}")
        assert answer.status_code == 200, answer.text
        law(answer.json())


def test_the_three_forms_say_the_same(town: Any) -> None:
    for path in LAYERS:
        plain = town.staff(path).json()
        arrow = town.staff(path, headers={"Accept": "application/vnd.apache.arrow.stream"})
        assert arrow.headers["content-type"] == "application/vnd.apache.arrow.stream"
        table = pa.ipc.open_stream(arrow.content).read_all()
        rows = table.to_pydict()
        assert rows["code"] == plain["codes"]
        assert rows["name"] == plain["names"]
        assert rows["value"] == plain["values"]
        assert rows["n"] == plain["n"]
        head = json.loads(table.schema.metadata[b"wangge"])
        assert head == {k: v for k, v in plain.items() if k in head}
        assert {"total", "unplaced", "outside", "breaks", "plan"} <= set(head)
        geo = town.staff(path + ("&" if "?" in path else "?") + "format=geojson")
        assert geo.headers["content-type"] == "application/geo+json"
        features = geo.json()["features"]
        assert [f["properties"]["code"] for f in features] == plain["codes"]
        assert [f["properties"]["value"] for f in features] == plain["values"]
        assert all(f["geometry"]["type"] in ("Polygon", "MultiPolygon") for f in features)
        assert geo.json()["total"] == plain["total"]


def test_columns_values_leaves_out_what_is_known(town: Any) -> None:
    for query in ("", "&measure=per_km2", "&from=2024-01-01&to=2024-01-20"):
        whole = town.get(f"/api/heatmap/grids?{query}").json()
        bare = town.get(f"/api/heatmap/grids?columns=values{query}").json()
        assert bare == {k: whole[k] for k in bare}
        assert set(whole) - set(bare) <= {"codes", "names", "n", "suppressed"}
        assert ("suppressed" in bare) == any(whole["suppressed"])
        assert bare.get("n", bare["values"]) == whole["n"]
        assert town.get("/api/zones").json()["codes"] == whole["codes"]


def test_the_public_sees_no_small_count(town: Any) -> None:
    seen_hidden = 0
    for path in LAYERS:
        for day in ("2024-01-05", "2024-02-10", "2024-07-20"):
            query = ("&" if "?" in path else "?") + f"from={day[:8]}01&to={day}"
            public, staff = town.get(path + query).json(), town.staff(path + query).json()
            law(public)
            law(staff)
            assert not any(0 < n < K for n in public["n"])
            assert all((v is None) == s for v, s in zip(public["values"], public["suppressed"], strict=True))
            folded = any(public[name] != staff[name] for name in ("unplaced", "outside"))
            assert sum(public["suppressed"]) != 1 or folded  # never one alone
            assert public["unplaced"] == 0 or public["unplaced"] >= K
            assert public["outside"] == 0 or public["outside"] >= K
            assert public["total"] == staff["total"] or 0 < staff["total"] < K
            assert staff["suppressed_total"] == 0
            assert not any(staff["suppressed"])
            seen_hidden += sum(public["suppressed"])
    assert seen_hidden > 10


def test_a_sensitive_category_needs_ten(town: Any) -> None:
    query = "/api/heatmap/grids?category=02/0201&from=2024-01-01&to=2024-03-01"
    public = town.get(query).json()
    assert public["k"] == 10
    assert not any(0 < n < 10 for n in public["n"])
    assert town.get(query.replace("02/0201", "01")).json()["k"] == 5


def test_series_and_categories_hide_too(town: Any) -> None:
    place = "by=grid&code=G0000"
    public, staff = (ask(f"/api/series?bucket=day&{place}").json() for ask in (town.get, town.staff))
    assert sum(staff["n"]) == staff["total"] == public["total"] > 0
    assert not any(0 < n < K for n in public["n"])
    assert sum(public["n"]) + public["suppressed_total"] == public["total"]
    assert any(public["suppressed"])
    public, staff = (
        ask(f"/api/categories?{place}&from=2024-01-01&to=2024-02-01").json() for ask in (town.get, town.staff)
    )
    assert not any(v is not None and 0 < v < K for v in public["values"])
    assert sum(staff["values"]) == staff["total"]


def test_a_hidden_zone_is_hidden_from_every_side(town: Any) -> None:
    """What the map hides, as small or as the other one of a pair, no series and no list of categories tells."""
    period = "from=2024-01-01&to=2024-01-20"
    heat = town.get(f"/api/heatmap/grids?{period}").json()
    hidden = [code for code, s in zip(heat["codes"], heat["suppressed"], strict=True) if s]
    assert len(hidden) >= 2
    for code in hidden:
        for path in ("/api/series", "/api/categories"):
            found = town.get(f"{path}?by=grid&code={code}&{period}").json()
            assert found["total"] is None
            assert found["suppressed_total"] is None
            assert not any(v is not None for v in found["values"])
    few = town.staff("/api/heatmap/grids?from=2024-01-01&to=2024-01-02&category=01/0100").json()["total"]
    assert 0 < few < K
    for path in ("/api/heatmap/grids", "/api/series", "/api/categories"):
        assert town.get(f"{path}?from=2024-01-01&to=2024-01-02&category=01/0100").json()["total"] is None


def test_no_hidden_hexagon_is_listed(town: Any) -> None:
    """Where a single case is: not in the list, its form as map or table, and no other answer tells the cell apart."""
    path = "/api/heatmap/hexagons?resolution=9&from=2024-01-01&to=2024-02-10"
    public, staff = town.get(path).json(), town.staff(path).json()
    shown, all_cells = set(public["codes"]), dict(zip(staff["codes"], staff["n"], strict=True))
    assert 0 < len(shown) < len(all_cells)
    assert not any(public["suppressed"])
    assert all(all_cells[code] >= K for code in shown)
    assert public["suppressed_total"] >= K
    table = pa.ipc.open_stream(town.get(path + "&format=arrow").content).read_all()
    assert set(table.to_pydict()["code"]) == shown
    assert {f["id"] for f in town.get(path + "&format=geojson").json()["features"]} == shown
    few = "/api/heatmap/hexagons?resolution=9&from=2024-01-01&to=2024-01-02&category=01/0100"
    assert 0 < town.staff(few).json()["total"] < K
    assert town.get(few).json()["codes"] == []
    hidden = min(set(all_cells) - shown)
    empty = "8931aa42c27ffff"  # far away
    assert empty not in all_cells
    for what in ("series", "categories"):
        answers = []
        for code in (hidden, hidden.upper(), empty):
            ask = f"/api/{what}?by=hexagon:9&code={code}&from=2024-01-01&to=2024-02-10"
            answers.append({k: v for k, v in town.get(ask).json().items() if k != "code"})
        assert answers[0] == answers[1] == answers[2]
        assert answers[0]["total"] is None
    assert town.get("/api/zones?by=hexagon:9").status_code == 400


def test_where_there_are_few_in_all_no_zone_stands_out(town: Any) -> None:
    few = town.get("/api/heatmap/grids?from=2024-01-01&to=2024-01-02&category=01/0100").json()
    assert few["total"] is None
    assert len(few["suppressed"]) == 20
    assert all(few["suppressed"])


def test_no_public_share_tells_a_small_count(town: Any) -> None:
    seen_hidden = 0
    for measure in ("response_share", "resolved_share", "satisfied_share"):
        for period in ("", "&from=2024-01-01&to=2024-03-01"):
            found = town.get(f"/api/heatmap/grids?measure={measure}{period}").json()
            for value, n, hidden in zip(found["values"], found["n"], found["suppressed"], strict=True):
                seen_hidden += hidden
                part = round((value or 0) * n)
                assert hidden or value is None or (not 0 < part < K and not 0 < n - part < K)
    assert seen_hidden > 0


def test_a_public_top_category_does_not_tell_its_hidden_part(town: Any) -> None:
    seen_hidden = 0
    for day in range(10, 30):
        ask = f"/api/categories?from=2024-01-{day - 4:02}&to=2024-01-{day:02}"
        subs, tops = town.get(ask).json(), town.get(ask + "&depth=top").json()
        hidden = {key.split("/")[0] for key, s in zip(subs["keys"], subs["suppressed"], strict=True) if s}
        assert hidden <= {key for key, s in zip(tops["keys"], tops["suppressed"], strict=True) if s}
        seen_hidden += len(hidden)
        for found in (subs, tops):
            last = [key for key, s in zip(found["keys"], found["suppressed"], strict=True) if s]
            assert found["keys"][len(found["keys"]) - len(last) :] == sorted(last)
    assert seen_hidden > 0
    staff = town.staff("/api/categories?depth=top").json()
    assert not any(staff["suppressed"])


def test_a_top_is_sensitive_with_a_sensitive_part(town: Any) -> None:
    service = town.app.state.service
    for where in (CaseFilter(), CaseFilter(categories=("02",))):
        subs, tops = (
            by_category(service.session, service.store, where=where, depth=depth) for depth in ("sub", "top")
        )
        parts = {key.split("/")[0] for key, s in zip(subs.keys, subs.sensitive.tolist(), strict=True) if s}
        assert parts == {key for key, s in zip(tops.keys, tops.sensitive.tolist(), strict=True) if s} != set()


def test_the_city_in_brief_tells_the_public_days_only(town: Any) -> None:
    public, staff = town.get("/api/city").json(), town.staff("/api/city").json()
    assert public["unplaced"] is None
    assert staff["unplaced"] > 0
    for name in ("first_case", "last_case"):
        instant = datetime.fromisoformat(staff[name])
        assert public[name] == str(instant.astimezone(ZoneInfo(public["timezone"])).date())


def test_a_change_while_an_answer_is_made_leaves_no_wrong_validator(
    town: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The validator stands for what was known before; one read afterwards would call old content new."""
    seen: list[str] = []
    service = town.app.state.service
    real = service.fresh.of

    def noted(*parts: str) -> tuple[int, ...]:
        seen.append("versions")
        found: tuple[int, ...] = real(*parts)
        return found

    def making(name: str, made: Any) -> Any:
        def run(*given: Any, **more: Any) -> Any:
            seen.append("content")
            return made(*given, **more)

        return name, run

    monkeypatch.setattr(service.fresh, "of", noted)
    monkeypatch.setattr(HeatMaps, *making("_cases", HeatMaps._cases))
    monkeypatch.setattr(Tiles, *making("_content", Tiles._content))
    for path in ("/api/heatmap/grids?from=2024-02-03", "/tiles/units/12/3371/1552.mvt"):
        seen.clear()
        assert town.get(path).status_code in (200, 204)
        assert seen == ["versions", "content"]


def test_series_adds_up_to_the_heat(town: Any) -> None:
    heat = town.staff("/api/heatmap/grids").json()
    for code, n in list(zip(heat["codes"], heat["n"], strict=True))[:5]:
        for bucket in ("day", "week", "month"):
            assert town.staff(f"/api/series?bucket={bucket}&by=grid&code={code}").json()["total"] == n


def test_a_draft_exists_for_staff_only(town: Any) -> None:
    assert town.staff("/api/heatmap/grids?plan=草稿").json()["plan"]["name"] == "草稿"
    for path in (
        "/api/heatmap/grids?plan=草稿",
        "/api/zones?plan=草稿",
        "/api/plans/草稿",
        "/tiles/grids?plan=草稿",
        "/tiles/grids/12/3371/1551.mvt?plan=草稿",
        "/tiles/plans/草稿/grids/12/3371/1551.mvt",
        "/api/series?by=grid&code=G0000&plan=草稿",
        "/api/categories?by=grid&code=G0000&plan=草稿",
        "/api/heatmap/facilities?plan=草稿",
    ):
        barred, missing = town.get(path), town.get(path.replace("草稿", "草台"))
        assert barred.status_code == missing.status_code == 404, path
        assert barred.json()["type"] == missing.json()["type"]
        assert town.staff(path).status_code in (200, 204), path
    assert [p["name"] for p in town.get("/api/plans").json()["plans"]] == ["首版"]
    assert len(town.staff("/api/plans").json()["plans"]) == 2
    assert "草稿" not in town.get("/api/city").text


def test_as_was_equals_current_when_there_was_one_plan(town: Any) -> None:
    was, now = (town.staff(f"/api/heatmap/grids?plan={word}").json() for word in ("as-was", "current"))
    assert dict(zip(was["codes"], was["n"], strict=True)) == dict(zip(now["codes"], now["n"], strict=True))


def test_bbox_keeps_the_law_and_crosses_180(town: Any) -> None:
    whole = town.staff("/api/heatmap/hexagons?resolution=9").json()
    part = town.staff("/api/heatmap/hexagons?resolution=9&bbox=116.3,39.9,116.31,39.91").json()
    law(part)
    assert 0 < len(part["codes"]) < len(whole["codes"])
    around = town.staff("/api/heatmap/hexagons?resolution=9&bbox=116,39,115,40").json()
    assert around["codes"] == whole["codes"]
    public = town.get("/api/heatmap/hexagons?resolution=9&bbox=116.3,39.9,116.31,39.91").json()
    law(public)
    everything = dict(
        zip(*(town.get("/api/heatmap/hexagons?resolution=9").json()[k] for k in ("codes", "n")), strict=True)
    )
    assert all(everything[code] == n for code, n in zip(public["codes"], public["n"], strict=True))


def test_facilities(town: Any) -> None:
    found = town.get("/api/heatmap/facilities?measure=capacity&kind=school").json()
    assert sum(found["values"]) + found["unplaced"] + found["outside"] == found["total"] == 1500
    assert town.get("/api/heatmap/facilities?measure=count&by=hexagon:8").json()["total"] == 3
    rate = town.get("/api/heatmap/facilities?measure=per_1000_households").json()
    assert max(v for v in rate["values"] if v is not None) < 10


def test_share_of_households_within_a_walk(town: Any) -> None:
    """The share falls with shorter and slower walks, lies in 0–1, and its n add up; without ways the question is refused."""
    ask = "/api/heatmap/facilities?measure=share_within_minutes&kind=school"
    found = town.get(f"{ask}&minutes=15").json()
    assert found["unit"] == "share"
    assert sum(found["n"]) + found["outside"] == found["total"] > 0
    usual = np.array([v if v is not None else np.nan for v in found["values"]])
    assert np.nanmin(usual) >= 0 and 0 < np.nanmax(usual) <= 1
    short, slow = (
        np.array(town.get(f"{ask}{more}").json()["values"], dtype=float)
        for more in ("&minutes=5", "&minutes=15&speed_m_s=0.8")
    )
    assert (short <= usual).all() and (slow <= usual).all() and short.sum() < usual.sum()


class TestValidators:
    """ETag, 304, Cache-Control, Vary, compression."""

    PATHS = ("/api/heatmap/grids", "/api/city", "/api/zones", "/api/series", "/api/plans", "/tiles/grids/12/3371/1551.mvt",
             "/api/openapi.json", "/tiles/grids")  # fmt: skip

    def test_if_none_match(self, town: Any) -> None:
        for path in self.PATHS:
            first = town.get(path)
            tag = first.headers["etag"]
            again = town.get(path, headers={"If-None-Match": f'"other", {tag}'})
            assert again.status_code == 304, path
            assert again.content == b""
            assert again.headers["etag"] == tag
            assert town.get(path, headers={"If-None-Match": '"other"'}).status_code == 200

    def test_cache_rules(self, town: Any) -> None:
        public, staff = town.get("/api/heatmap/grids"), town.staff("/api/heatmap/grids")
        assert public.headers["cache-control"].startswith("public, max-age=")
        assert staff.headers["cache-control"] == "private, no-cache"
        assert public.headers["etag"] != staff.headers["etag"]
        for word in ("Authorization", "Cookie", "Accept", "Accept-Encoding"):
            assert word in public.headers["vary"]
        assert town.staff("/api/cases").headers["cache-control"] == "private, no-store"

    def test_gzip_holds_the_same(self, town: Any) -> None:
        plain = town.get("/api/zones", headers={"Accept-Encoding": "identity"})
        packed = town.get("/api/zones", headers={"Accept-Encoding": "gzip"})
        assert "content-encoding" not in plain.headers
        assert packed.headers["content-encoding"] == "gzip"
        assert int(packed.headers["content-length"]) < int(plain.headers["content-length"])
        assert packed.content == plain.content

    def test_new_cases_are_counted_within_seconds(self, town: Any) -> None:
        before = town.staff("/api/heatmap/grids")
        with sessions.session(town.settings, "owner") as session:
            session.execute(
                text(
                    "INSERT INTO cases (source_id, source_case_id, opened_at, category_id, status, row_hash, geom, unit_id, "
                    "load_run_id) SELECT source_id, 'new-' || id, opened_at, category_id, status, row_hash, geom, unit_id, "
                    "load_run_id FROM cases WHERE unit_id IS NOT NULL LIMIT 7"
                )
            )
            bump(session, "cases")
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            after = town.staff("/api/heatmap/grids", headers={"If-None-Match": before.headers["etag"]})
            if after.status_code == 200:
                break
            time.sleep(0.1)
        assert after.json()["total"] == before.json()["total"] + 7
        law(after.json())
        assert town.staff("/api/city").json()["cases"] == after.json()["total"]


DAYS = st.dates(
    min_value=__import__("datetime").date(2023, 11, 1), max_value=__import__("datetime").date(2025, 2, 1)
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    first=st.none() | DAYS,
    stop=st.none() | DAYS,
    category=st.lists(st.sampled_from(["01", "02", "01/0100", "02/0201"]), max_size=3),
    origin=st.lists(st.sampled_from(["unknown", "citizen", "patrol", "sensor", "other"]), max_size=3),
    status=st.lists(st.sampled_from(["open", "closed", "void"]), max_size=2),
    measure=st.sampled_from(["cases", "open", "overdue", "per_km2", "satisfied_share"]),
    path=st.sampled_from(LAYERS),
)
def test_totals_law(
    town: Any, first: Any, stop: Any, category: Any, origin: Any, status: Any, measure: str, path: str
) -> None:
    """Whatever is asked, nothing is lost: shown + hidden + unplaced + outside = total, for staff and the public."""
    params: list[tuple[str, str]] = [("measure", measure)]
    params += [("from", str(first))] if first else []
    params += [("to", str(stop))] if stop else []
    params += [
        (name, v)
        for name, given in (("category", category), ("origin", origin), ("status", status))
        for v in given
    ]
    url, _, query = path.partition("?")
    params += [tuple(pair.split("=")) for pair in query.split("&") if pair]  # type: ignore[misc]
    public, staff = town.get(url, params=params), town.staff(url, params=params)
    if first and stop and first >= stop:
        assert public.status_code == staff.status_code == 400
        return
    law(public.json())
    law(staff.json())
    assert not any(0 < n < K for n in public.json()["n"])
    told, true, k = public.json()["total"], staff.json()["total"], public.json()["k"]
    assert told == (None if 0 < true < k else true)

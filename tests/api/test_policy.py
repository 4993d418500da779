"""Who may ask what: every route of the live interface × every principal; nothing outside the table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter
from sqlalchemy import text

import api.app
from api import access_page, policy
from api.app import RouteWithoutPolicy, create_app
from geo.db import session as sessions
from geo.settings import Settings

FILL = {"layer": "grids", "plan": "首版", "z": "12", "x": "3371", "y": "1551", "id": "1"}


def operations(town: Any) -> list[tuple[str, str]]:
    """(method, path) of everything in the live OpenAPI."""
    paths = town.get("/api/openapi.json").json()["paths"]
    return [
        (m.upper(), p)
        for p, found in paths.items()
        for m in found
        if m in ("get", "post", "put", "patch", "delete")
    ]


def filled(path: str) -> str:
    for name, value in FILL.items():
        path = path.replace("{" + name + "}", value)
    return path


def test_openapi_and_table_are_the_same_set(town: Any) -> None:
    files = {("GET", "/"), ("GET", "/{file:path}"), ("GET", "/basemap.pmtiles")}
    assert set(operations(town)) == {(r.method, r.path) for r in policy.TABLE} - files


def test_a_barred_and_a_missing_case_look_the_same(town: Any) -> None:
    barred, missing = town.get("/api/cases/1"), town.get("/api/cases/999999999")
    assert barred.status_code == missing.status_code == 401
    assert {**barred.json(), "instance": ""} == {**missing.json(), "instance": ""}


BY_PLAN = (
    "/api/plans/{}", "/api/zones?by=grid&plan={}", "/api/heatmap/grids?plan={}", "/api/heatmap/facilities?plan={}",
    "/api/heatmap/grids?plan={}&category=none", "/api/heatmap/grids?plan={}&measure=per_1000_households",
    "/api/series?by=grid&code=G0000&plan={}", "/api/categories?by=grid&code=G0000&plan={}",
    "/api/summary?by=grid&code=G0000&plan={}", "/api/matrix?by=grid&code=G0000&plan={}", "/tiles/grids?plan={}",
    "/tiles/grids/12/3371/1551.mvt?plan={}", "/tiles/plans/{}/grids", "/tiles/plans/{}/grids/12/3371/1551.mvt",
)  # fmt: skip


@pytest.mark.parametrize("path", BY_PLAN)
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_draft_is_not_found_by_guessing(town: Any, path: str, lang: str) -> None:
    """By its name or its number the public is told word for word what it is told of a plan that there is not."""
    with sessions.session(town.settings) as session:
        number = session.scalar(text("SELECT id FROM plan WHERE name = '草稿'"))

    def told(word: object) -> str:
        answer = town.get(path.format(word), headers={"Accept-Language": lang})
        assert answer.status_code == 404, answer.text
        return str({**answer.json(), "instance": ""}).replace(str(word), "…")

    assert told("草稿") == told(number) == told("没有这个") == told(987654)


def test_a_route_without_a_row_stops_the_application(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = APIRouter()

    @family.get("/api/secret")
    def secret() -> str:
        return "x"

    monkeypatch.setattr(api.app, "FAMILIES", (*api.app.FAMILIES, family))
    with pytest.raises(RouteWithoutPolicy, match="GET /api/secret"):
        create_app(settings)


def test_a_plain_route_without_a_row_stops_the_application(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    routes = api.app.plain_routes
    monkeypatch.setattr(api.app, "plain_routes", lambda service: {**routes(service), "/tiles/secret": None})
    with pytest.raises(RouteWithoutPolicy, match="GET /tiles/secret"):
        create_app(settings)


def test_a_row_without_a_route_stops_the_application(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = policy.Rule("GET", "/api/gone", policy.ADMINS, (policy.JSON,), "无", "none", scope="city")
    monkeypatch.setattr(policy, "TABLE", (*policy.TABLE, row))
    with pytest.raises(RouteWithoutPolicy, match="GET /api/gone"):
        create_app(settings)


def test_every_row_can_be_reached() -> None:
    for rule in policy.TABLE:
        path = filled(rule.path).replace("{file:path}", "favicon.ico")
        assert policy.match(path).rules[rule.method] == rule  # type: ignore[union-attr]


def test_the_public_never_sees_staff_rows() -> None:
    staff = {rule.path for rule in policy.TABLE if "public" not in rule.who}
    assert {"/api/cases", "/api/cases/{id}", "/tiles/cases/{z}/{x}/{y}.mvt", "/api/runs"} <= staff


def test_rows_of_cases_are_for_those_who_have_an_area_or_all() -> None:
    """Whoever may ask for rows of cases is limited by an area, or is an administrator; nobody else may see rejected rows."""
    for rule in policy.TABLE:
        if rule.scope == "area":
            assert rule.who == policy.FIELD, rule
        if rule.scope == "city":
            assert rule.who == policy.ADMINS, rule
        if rule.scope == "drafts":
            assert rule.who <= policy.READERS, rule
        assert (rule.scope != "none") or rule.who == policy.EVERYONE, rule
    assert {rule.scope for rule in policy.TABLE} == set(policy.SCOPES)


def test_a_row_needs_a_scope() -> None:
    with pytest.raises(TypeError, match="scope"):
        policy.Rule("GET", "/api/x", policy.ADMINS, (policy.JSON,), "", "")  # type: ignore[call-arg]


def test_the_page_of_access_is_current() -> None:
    """`python -m api.policy > docs/access.md` after a change of the table."""
    page = (Path(__file__).parents[2] / "docs" / "access.md").read_text(encoding="utf-8")
    assert page == access_page.markdown()
    lines = page.splitlines()
    assert sum(line.startswith(("| GET |", "| POST |", "| PATCH |", "| DELETE |")) for line in lines) == len(
        policy.TABLE
    )
    assert any(line.startswith("| GET | `/api/cases` | — | ✓ | ✓ | — | ✓ | area |") for line in lines)

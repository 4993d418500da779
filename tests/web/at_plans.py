"""Planners at work in a browser: accounts, drafts, and hands on the map."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page, expect
from sqlalchemy import text

from api import auth
from geo.db import session as sessions
from geo.settings import Settings

PEOPLE = {"王规划": "planner", "李规划": "planner", "赵网格长": "supervisor"}
SAVED = "main.editor[data-saved=saved]"


def accounts(settings: Settings) -> dict[str, str]:
    """A token for each of the people; made once."""
    tokens = {}
    with sessions.session(settings, "owner") as session:
        for name, role in PEOPLE.items():
            if not session.scalar(text("SELECT 1 FROM app_user WHERE name = :n"), {"n": name}):
                auth.add_user(session, name)
            session.execute(text("UPDATE app_user SET role = :r WHERE name = :n"), {"r": role, "n": name})
            tokens[name], _ = auth.issue_token(session, name)
    return tokens


@dataclass
class Api:
    """The service asked by a program, in somebody's name."""

    url: str
    token: str

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        content = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(self.url + path, content, headers, method=method)
        with urllib.request.urlopen(asked, timeout=120) as answer:
            return json.load(answer)

    def draft(self, name: str) -> int:
        """A new draft like the plan in force."""
        return int(self("POST", "/api/plans", {"name": name})["id"])

    def held(self, plan: int) -> dict[str, str | None]:
        """unit code → grid code."""
        found = self("GET", f"/api/plans/{plan}/assignment?units=code")
        codes = [*found["grids"], None]
        return {u: codes[g] for u, g in zip(found["units"], found["grid"], strict=True)}


@contextmanager
def at_desk(visit: Any, url: str, token: str, **more: Any) -> Iterator[Any]:
    """A watched page of somebody who has signed in."""
    watched = visit(url, **more)
    answer = watched.page.context.request.post(
        f"{url}/api/session", data={"token": token}, headers={"X-Requested-With": "wangge"}
    )
    assert answer.ok, answer.text()
    yield watched
    watched.clean()


def open_editor(watched: Any, plan: int) -> Page:
    """The editor of a plan, drawn."""
    page: Page = watched.open(f"/plans/{plan}", ready=False)
    page.wait_for_selector(".editor-map")
    page.wait_for_selector("body[data-ready=true]")
    return page


def saved(page: Page, revision: int) -> None:
    """Waits until the page has this revision and nothing unsent."""
    expect(page.locator("main.editor")).to_have_attribute("data-revision", str(revision))
    page.wait_for_selector(SAVED)


def spot(page: Page, ground: dict[str, Any], unit: str) -> tuple[float, float]:
    """Where on the screen the inner point of a unit lies."""
    i = ground["codes"].index(unit)
    at = [ground["lon"][i], ground["lat"][i]]
    x, y = page.evaluate("(at) => { const p = window.__wangge_map.project(at); return [p.x, p.y] }", at)
    box = page.locator(".editor-map").bounding_box()
    assert box
    return box["x"] + x, box["y"] + y


def stroke(page: Page, points: list[tuple[float, float]]) -> None:
    """A drag through points of the screen."""
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=8)
    page.mouse.up()


def border(api: Api, plan: int, ground: dict[str, Any]) -> tuple[str, str, str, str]:
    """(unit, its grid, unit beside it, another grid): both grids have more than two units and keep their pieces."""
    held = api.held(plan)
    sizes: dict[str | None, int] = {}
    for grid in held.values():
        sizes[grid] = sizes.get(grid, 0) + 1
    codes = ground["codes"]
    for u, code in enumerate(codes):
        for v in ground["beside"][ground["starts"][u] : ground["starts"][u + 1]]:
            one, other = held[code], held[codes[v]]
            if one and other and one != other and min(sizes[one], sizes[other]) > 3:
                return code, one, codes[v], other
    raise AssertionError("no border between two larger grids")

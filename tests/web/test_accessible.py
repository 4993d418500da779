"""axe-core on every page of the room, in both languages, on a desk and on a phone."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_map_and_its_panel(town: Any, visit: Any, lang: str) -> None:
    watched = visit(town.url)
    page = watched.open(f"/?lang={lang}")
    watched.accessible()
    page.locator("ul[role=listbox] li").first.click()
    expect(page.locator("#zone-name")).to_be_visible()
    watched.settle()
    watched.accessible()
    watched.clean()


def test_a_phone(town: Any, visit: Any) -> None:
    watched = visit(town.url, phone=True)
    watched.open("/")
    watched.accessible()
    watched.clean()


def test_an_empty_city(empty_service: Any, visit: Any) -> None:
    watched = visit(empty_service.url)
    watched.open()
    watched.accessible()
    watched.clean()

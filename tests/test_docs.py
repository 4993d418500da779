"""The documents say what the code does: generated ones are up to date, links lead somewhere, codes are explained."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from geo.db.dictionary import markdown

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])


def test_the_data_dictionary_is_the_schema() -> None:
    assert (ROOT / "docs/data-dictionary.md").read_text("utf-8") == markdown(), (
        "run: python -m geo.db.dictionary > docs/data-dictionary.md"
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


def test_the_policy_table_is_the_code() -> None:
    from api import policy

    assert policy.markdown().strip() in (ROOT / "docs/api.md").read_text("utf-8"), "run: python -m api.policy"

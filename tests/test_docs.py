"""The documents say what the code does: generated ones are up to date, links lead somewhere, codes are explained."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from etl.cases.notices import WORDS
from etl.cleaning.problems import PROBLEMS, SAME_CODE
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


def test_the_page_of_access_is_the_code() -> None:
    from api import access_page

    assert access_page.markdown() == (ROOT / "docs/access.md").read_text("utf-8"), (
        "run: python -m api.policy > docs/access.md"
    )


def emitted_codes() -> set[str]:
    """Codes that the loaders can give: `code="…"`, the first word of a notice or reject, keys of the word tables."""
    found: set[str] = set()
    for path in (ROOT / "etl").rglob("*.py"):
        if "sample" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func).rpartition(".")[2].lower()
                words = [k.value for k in node.keywords if k.arg == "code"]
                words += node.args[:3] if name in ("notice", "reject", "refuse", "tell") else []
                found |= {w.value for w in words if isinstance(w, ast.Constant) and isinstance(w.value, str)}
    found = {SAME_CODE.get(code, code) for code in found | set(WORDS) | set(PROBLEMS)}
    return {
        code for code in found if re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+|unplaced|encoding|timezone", code)
    }


def test_every_code_is_explained() -> None:
    text = (ROOT / "docs/reject-codes.md").read_text("utf-8")
    missing = sorted(code for code in emitted_codes() if f"`{code}`" not in text)
    assert missing == [], "explain them in docs/reject-codes.md"

"""Statements and reports as one HTML page: no script, no request, prints on A4 as the PDF does.

The templates are those of `maps/assets`: `printed.html` is the sheet they share, `printed_parts.html` what stands on it.
"""

from __future__ import annotations

from functools import lru_cache

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from maps.reports.statement import Statement
from maps.reports.view import ViewReport

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def statement_html(statement: Statement) -> str:
    """The page; every text is escaped, only our own drawing goes in as it is."""
    return printed("statement.html", statement, map_svg=Markup(statement.picture.svg))  # noqa: S704  drawn by maps.reports.drawing


def printed(template: str, said: Statement | ViewReport, **drawings: Markup) -> str:
    """A template of `maps/assets` with what is said in it, and our own drawings by name."""
    language = "zh-CN" if said.lang == "zh" else "en"
    return _templates().get_template(template).render(said=said, policy=POLICY, language=language, **drawings)


@lru_cache(maxsize=1)
def _templates() -> Environment:
    return Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, loader=PackageLoader("maps", "assets")
    )

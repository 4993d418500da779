"""A statement as one HTML page: no script, no request, prints on A4 as the PDF does."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

from jinja2 import Environment, Template
from markupsafe import Markup

from maps.reports.statement import Statement

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def statement_html(statement: Statement) -> str:
    """The page; every text is escaped, only our own drawing goes in as it is."""
    return _template().render(
        s=statement, svg=Markup(statement.picture.svg), policy=POLICY,  # noqa: S704  drawn by maps.reports.drawing
        language="zh-CN" if statement.lang == "zh" else "en",
    )  # fmt: skip


@lru_cache(maxsize=1)
def _template() -> Template:
    source = (files("maps") / "assets" / "statement.html").read_text(encoding="utf-8")
    return Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(source)

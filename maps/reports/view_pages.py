"""A report of a view as one HTML page (no script, no request, prints on A4) and as PDF, from the same values."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

from jinja2 import Environment, Template
from markupsafe import Markup

from maps.reports.page import POLICY
from maps.reports.paper import compiled
from maps.reports.view import ViewReport


def view_html(report: ViewReport) -> str:
    """The page; every text is escaped, only our own drawings go in as they are."""
    return _template().render(
        r=report,
        map_svg=Markup(report.picture.svg),  # noqa: S704  drawn by maps.reports.drawing
        trend_svg=Markup(report.trend.svg.replace("<svg ", '<svg preserveAspectRatio="none" ', 1)),  # noqa: S704
        policy=POLICY,
        language="zh-CN" if report.lang == "zh" else "en",
    )


def view_pdf(report: ViewReport) -> bytes:
    """The PDF, A4, set by Typst. Raises RefusedArgument `no-chinese-font`."""
    pictures = {"map.svg": report.picture.svg, "trend.svg": report.trend.svg}
    return compiled("view.typ", report.as_dict(), pictures, "pdf")[0]


@lru_cache(maxsize=1)
def _template() -> Template:
    source = (files("maps") / "assets" / "view.html").read_text(encoding="utf-8")
    return Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(source)

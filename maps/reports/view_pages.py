"""A report of a view as one HTML page (no script, no request, prints on A4) and as PDF, from the same values."""

from __future__ import annotations

from markupsafe import Markup, escape

from maps.reports.page import printed
from maps.reports.paper import compiled
from maps.reports.view import ViewReport


def view_html(report: ViewReport) -> str:
    """The page; every text is escaped, only our own drawings go in as they are."""
    return printed(
        "view.html",
        report,
        map_svg=_drawing(report.picture.svg, report.map_title),
        trend_svg=_drawing(report.trend.svg, report.trend.title, 'preserveAspectRatio="none" '),
    )


def view_pdf(report: ViewReport) -> bytes:
    """The PDF, A4, set by Typst. Raises RefusedArgument `no-chinese-font`."""
    pictures = {"map.svg": report.picture.svg, "trend.svg": report.trend.svg}
    return compiled("view.typ", report.as_dict(), pictures)


def _drawing(svg: str, title: str, more: str = "") -> Markup:
    """One of our own drawings (`maps.reports.drawing`, `charts`), with what it shows for those who cannot see it."""
    named = f'<svg role="img" aria-label="{escape(title)}" {more}'
    return Markup(svg.replace("<svg ", named, 1))  # noqa: S704

"""Printed pages: one statement as self-contained HTML and as PDF, from the same plain values.

    page = statement_html(statement)         # str, no request leaves it
    paper = statement_pdf(statement)         # bytes, A4

    page = view_html(report)                 # the present view of the map, the same two ways
    book = workbook(sheets)                  # and as .xlsx

`statement` holds what is said, `drawing` makes the small map, `paper` sets the PDF (Typst), `page` the HTML. `view` holds
the report of a view, `view_pages` sets it, `workbook` writes its tables.
"""

from maps.reports.page import statement_html
from maps.reports.paper import statement_pdf
from maps.reports.statement import Picture, Section, Statement, Table
from maps.reports.view import Card, Shaded, Sheet, Trend, ViewReport
from maps.reports.view_pages import view_html, view_pdf
from maps.reports.workbook import workbook

__all__ = [
    "Card",
    "Picture",
    "Section",
    "Shaded",
    "Sheet",
    "Statement",
    "Table",
    "Trend",
    "ViewReport",
    "statement_html",
    "statement_pdf",
    "view_html",
    "view_pdf",
    "workbook",
]

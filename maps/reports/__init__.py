"""Printed pages: one statement as self-contained HTML and as PDF, from the same plain values.

    page = statement_html(statement)         # str, no request leaves it
    paper = statement_pdf(statement)         # bytes, A4

`statement` holds what is said, `drawing` makes the small map, `paper` sets the PDF (Typst), `page` the HTML.
"""

from maps.reports.page import statement_html
from maps.reports.paper import statement_pdf
from maps.reports.statement import Picture, Section, Statement, Table

__all__ = ["Picture", "Section", "Statement", "Table", "statement_html", "statement_pdf"]

"""A report as an Excel workbook: a sheet for each table, numbers as numbers, and no cell that runs."""

from __future__ import annotations

import io
from collections.abc import Sequence

from geo.exports.safety import neutralise
from maps.reports.view import Cell, Sheet

WIDEST = 60  # characters


def workbook(sheets: Sequence[Sheet]) -> bytes:
    """The .xlsx file; heads are bold and stay in sight, columns as wide as what they hold."""
    from openpyxl import Workbook  # only who writes a workbook waits for this import
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    book = Workbook()
    book.remove(book.worksheets[0])
    for one in sheets:
        sheet = book.create_sheet(one.title[:31])
        for row in (one.head, *one.rows):
            sheet.append([_safe(cell) for cell in row])
        for cell in sheet[1]:
            cell.font = Font(bold=True)
        sheet.freeze_panes = "A2"
        for i in range(len(one.head)):
            width = max(_width(row[i]) for row in (one.head, *one.rows) if i < len(row))
            sheet.column_dimensions[get_column_letter(i + 1)].width = min(width + 2, WIDEST)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _safe(cell: Cell) -> Cell:
    """Texts that a spreadsheet would run are neutralised; characters that a workbook cannot hold are left out."""
    if not isinstance(cell, str):
        return cell
    return neutralise("".join(c for c in cell if c >= " " or c in "\t\n"))


def _width(cell: Cell) -> int:
    """How wide a cell is, a Chinese character counting two."""
    return sum(2 if ord(c) > 0x2E80 else 1 for c in str("" if cell is None else cell))

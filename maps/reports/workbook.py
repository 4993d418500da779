"""A report as an Excel workbook: a sheet for each table, numbers as numbers, and no cell that runs."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from geo.exports.safety import neutralise
from maps.reports.view import Cell, Sheet

WIDEST, LOOKED_AT = 60, 200  # characters; rows that decide how wide a column is


def workbook(sheets: Sequence[Sheet]) -> bytes:
    """The .xlsx file; heads are bold and stay in sight, columns as wide as what they hold."""
    from openpyxl import Workbook  # only who writes a workbook waits for this import
    from openpyxl.utils import get_column_letter

    book = Workbook(write_only=True)
    for one in sheets:
        sheet = book.create_sheet(one.title[:31])
        for i in range(len(one.head)):
            width = max(_width(row[i]) for row in (one.head, *one.rows[:LOOKED_AT]) if i < len(row))
            sheet.column_dimensions[get_column_letter(i + 1)].width = min(width + 2, WIDEST)
        sheet.freeze_panes = "A2"
        sheet.append([_bold(sheet, text) for text in one.head])
        for row in one.rows:
            sheet.append([_safe(cell) for cell in row])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _bold(sheet: Any, text: str) -> Any:
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Font

    cell = WriteOnlyCell(sheet, value=_text(text))
    cell.font = Font(bold=True)
    return cell


def _safe(cell: Cell) -> Cell:
    """Texts that a spreadsheet would run are neutralised; characters that a workbook cannot hold are left out."""
    return _text(cell) if isinstance(cell, str) else cell


def _text(words: str) -> str:
    return neutralise("".join(c for c in words if c >= " " or c in "\t\n"))


def _width(cell: Cell) -> int:
    """How wide a cell is, a Chinese character counting two."""
    return sum(2 if ord(c) > 0x2E80 else 1 for c in str("" if cell is None else cell))

"""A minimal Excel writer (ECMA-376): one sheet, text and date cells, the same bytes every time."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

EPOCH_DAYS = 25_569  # days from 1899-12-30, Excel's day 0, to 1970-01-01
STAMP = (2026, 1, 1, 0, 0, 0)

_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
_OOXML = "http://schemas.openxmlformats.org"
_SHEET_NS, _REL_NS = f"{_OOXML}/spreadsheetml/2006/main", f"{_OOXML}/officeDocument/2006/relationships"
_PACKAGE = f"{_OOXML}/package/2006"
_PART = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_TYPES = (
    f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_PART}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_PART}.worksheet+xml"/>'
    f'<Override PartName="/xl/styles.xml" ContentType="{_PART}.styles+xml"/></Types>'
)
_RELS = (
    f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_REL_NS}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
)
_BOOK_RELS = (
    f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_REL_NS}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="rId2" Type="{_REL_NS}/styles" Target="styles.xml"/></Relationships>'
)
_STYLES = (
    f'{_HEAD}<styleSheet xmlns="{_SHEET_NS}">'
    '<numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/></numFmts>'
    '<fonts count="1"><font><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="1"><fill><patternFill patternType="none"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/></border></borders>'
    '<cellStyleXfs count="1"><xf/></cellStyleXfs>'
    '<cellXfs count="2"><xf/><xf numFmtId="164" applyNumberFormat="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)

Cell = str | int | float | None


def serial(seconds: int) -> float:
    """Excel's day number of a wall-clock time given in seconds since 1970.

    >>> serial(0), serial(43_200)
    (25569.0, 25569.5)
    """
    return round(seconds / 86_400 + EPOCH_DAYS, 9)


def write(
    path: Path, sheet: str, header: Sequence[str], rows: Iterable[Sequence[Cell]], dates: frozenset[int]
) -> None:
    """One sheet. Text cells are inline strings, floats in a column of `dates` get a date format, None is left out."""
    letters = [_letters(i) for i in range(len(header))]
    body = io.StringIO()
    body.write(f'{_HEAD}<worksheet xmlns="{_SHEET_NS}"><sheetData>')
    for number, row in enumerate([header, *rows], start=1):
        body.write(f'<row r="{number}">')
        for column, value in enumerate(row):
            if value is None or value == "":
                continue
            place = f"{letters[column]}{number}"
            if isinstance(value, str):
                keep = ' xml:space="preserve"' if value != value.strip() or "\n" in value else ""
                body.write(f'<c r="{place}" t="inlineStr"><is><t{keep}>{escape(value)}</t></is></c>')
            elif column in dates:
                body.write(f'<c r="{place}" s="1"><v>{value}</v></c>')
            else:
                body.write(f'<c r="{place}"><v>{value}</v></c>')
        body.write("</row>")
    body.write("</sheetData></worksheet>")
    book = (
        f'{_HEAD}<workbook xmlns="{_SHEET_NS}" xmlns:r="{_REL_NS}"><sheets>'
        f'<sheet name="{escape(sheet)}" sheetId="1" r:id="rId1"/></sheets></workbook>'
    )
    parts = {
        "[Content_Types].xml": _TYPES,
        "_rels/.rels": _RELS,
        "xl/workbook.xml": book,
        "xl/_rels/workbook.xml.rels": _BOOK_RELS,
        "xl/styles.xml": _STYLES,
        "xl/worksheets/sheet1.xml": body.getvalue(),
    }
    pack(path, {name: text.encode() for name, text in parts.items()})


def pack(path: Path, files: dict[str, bytes]) -> None:
    """A zip whose bytes depend on nothing but the files: fixed times, fixed order."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name, STAMP)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, content)


def _letters(column: int) -> str:
    """A, B … Z, AA.

    >>> _letters(0), _letters(25), _letters(26)
    ('A', 'Z', 'AA')
    """
    name = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(65 + rest) + name
    return name

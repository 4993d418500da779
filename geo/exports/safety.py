"""Cells that no spreadsheet runs: formula injection neutralised, and restored on re-import.

A text cell whose first character (after any apostrophes) can start a formula gets one apostrophe in front; reading our
own file back takes exactly one away, so every text survives the round trip. Numbers are numbers and stay as they are.
Source: CWE-1236, OWASP "CSV Injection" (2021); the full-width forms are read as operators by Excel in Chinese locales.
"""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

STARTS = "=+\\-@\t\r\n＝＋－＠"
_DANGEROUS = re.compile(f"^'*[{STARTS}]")
_NEUTRALISED = re.compile(f"^'+[{STARTS}]")


def neutralise(value: str) -> str:
    """The text with an apostrophe in front where a spreadsheet would read a formula.

    >>> neutralise("=1+1"), neutralise("'=1+1"), neutralise("道路破损")
    ("'=1+1", "''=1+1", '道路破损')
    """
    return "'" + value if _DANGEROUS.match(value) else value


def restore(value: str) -> str:
    """What `neutralise` was given.

    >>> restore(neutralise("-5 degrees")), restore("'quoted'")
    ('-5 degrees', "'quoted'")
    """
    return value[1:] if _NEUTRALISED.match(value) else value


def neutralise_table(table: pa.Table) -> pa.Table:
    """Every text column of an Arrow table neutralised (vectorised; nulls stay null)."""
    for position, field in enumerate(table.schema):
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            column = pc.cast(table.column(position), pa.string())
            risky = pc.match_substring_regex(column, f"^'*[{STARTS}]")
            safe = pc.if_else(
                pc.fill_null(risky, False), pc.binary_join_element_wise("'", column, ""), column
            )
            table = table.set_column(position, field.name, safe)
    return table

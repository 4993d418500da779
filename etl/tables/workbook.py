"""A workbook's sheet as a table: which row is the header, which rows are data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from etl import reading
from etl.sources import catalogue, normal
from etl.tables.table import Table, in_batches

HEADER_WITHIN = 20  # rows: titles and notes above the header


def as_table(path: Path) -> Table:
    """The first sheet that holds anything, read in the limited child; what was chosen is told."""
    grid, facts = reading.read_rows("sheet", path)
    at = header_row(grid)
    names = _names(grid, at)
    numbers = np.array(facts["rows"], np.int64)
    body = grid.slice(at + 1).rename_columns([str(i) for i in range(grid.num_columns)])
    keep = [i for i, name in enumerate(names) if name]
    body = body.select(keep).rename_columns([names[i] for i in keep])
    odd = [(row, names[c], "cell-formula") for row, c in facts["formulas"] if c < len(names)]
    odd += [(row, names[c], "id-precision") for row, c in facts["imprecise"] if c < len(names)]
    table = Table(
        [names[i] for i in keep],
        lambda: in_batches(body, numbers[at + 1 :], odd=sorted(odd)),
        "workbook",
        word="row",
        facts={"sheet": facts["name"]},
    )
    _tell(table, facts)
    return table


def header_row(grid: pa.Table) -> int:
    """The position of the row, among the first ones, that holds most known header words; else the first.

    >>> header_row(pa.table({"0": ["工单月报", "工单编号", "A1"], "1": [None, "受理时间", "2025-03-01"]}))
    1
    """
    known = {
        normal(word)
        for kind in ("cases", "facilities")
        for listed in catalogue()["synonyms"][kind].values()
        for word in listed
    }
    best, score = 0, 1
    for at, row in enumerate(grid.slice(0, HEADER_WITHIN).to_pylist()):
        hits = sum(1 for value in row.values() if value and normal(value) in known)
        if hits > score:
            best, score = at, hits
    return best


def _names(grid: pa.Table, at: int) -> list[str]:
    if not grid.num_rows:
        return []
    return [(column[at].as_py() or "").strip() for column in grid.columns]


def _tell(table: Table, facts: dict[str, Any]) -> None:
    others = [name for name in facts["sheets"] if name != facts["name"]]
    if others:
        empty = ", ".join(facts["empty"]) or "-"
        table.notices.append(
            (
                "sheet-choice",
                f"读取工作表 {facts['name']}；空表：{empty}；未读：{', '.join(others)}",
                f"read sheet {facts['name']}; empty: {empty}; not read: {', '.join(others)}",
            )
        )

"""Kept and rejected: what a batch becomes once every check has spoken."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from etl import privacy
from etl.cases.batch import ATTRIBUTE_LIMIT, LIMITS, Batch, Cleaned
from etl.cleaning.problems import NUL_SHOWN, SAME_CODE, reject
from etl.rejects import KEPT_REJECTS, Reject
from etl.tables.table import RawBatch


def divide(batch: Batch, found: Cleaned, delivered: RawBatch) -> Cleaned:
    """Kept rows, and a reject for every other one (at most KEPT_REJECTS with words, all of them counted)."""
    kept = found if not batch.bad.any() else found.take(~batch.bad)
    kept.seen = batch.seen
    kept.rows_in = batch.n + len(delivered.rejects)
    kept.seen.empty = len(delivered.rows) - batch.n
    for item in delivered.rejects:
        kept.rejected[item.code] = kept.rejected.get(item.code, 0) + 1
    kept.rejects = delivered.rejects[:KEPT_REJECTS]
    rows = np.flatnonzero(batch.bad)
    made = [_reject(batch, int(row)) for row in rows[:KEPT_REJECTS]]
    counts = np.bincount(batch.problem[rows], minlength=len(batch.problems))
    for (problem, _), count in zip(batch.problems, counts.tolist(), strict=True):
        code = SAME_CODE.get(problem, problem)
        kept.rejected[code] = kept.rejected.get(code, 0) + count
    kept.rejects = sorted([*kept.rejects, *made], key=lambda r: r.row)
    return kept


def _reject(batch: Batch, row: int) -> Reject:
    problem, header = batch.problems[batch.problem[row]]
    field_name = batch.rules.layout.field_of(header) or header
    known = header in batch.raw.table.column_names
    value = batch.raw.table.column(header)[row].as_py() if known else None
    allowed = LIMITS.get(field_name, ATTRIBUTE_LIMIT)
    return reject(
        int(batch.raw.rows[row]),
        problem,
        column=header,
        value=None if value is None else privacy.mask(value[:200])[0],
        original=original(batch.raw.table, row, batch.rules.personal),
        allowed=allowed,
    )


def original(table: pa.Table, row: int, personal: frozenset[str]) -> dict[str, str | None]:
    """The row as delivered, without personal columns, texts masked and cut: to be corrected and loaded again."""
    found: dict[str, str | None] = {}
    for header in table.column_names:
        if header not in personal:
            value = table.column(header)[row].as_py()
            found[header] = (
                None if value is None else privacy.mask(value[:2000])[0].replace("\x00", NUL_SHOWN)
            )
    return found

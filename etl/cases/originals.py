"""Rows of a file read again as they were delivered, to stand in the reject list."""

from __future__ import annotations

import numpy as np

from etl.cases.batch import Rules
from etl.cases.dividing import original
from etl.tables.table import Table


def originals(table: Table, rules: Rules, wanted: set[int]) -> dict[int, dict[str, str | None]]:
    """The rows with these numbers as delivered (read again), without personal columns."""
    found: dict[int, dict[str, str | None]] = {}
    numbers = np.array(sorted(wanted), np.int64)
    for batch in table.batches():
        for at in np.flatnonzero(np.isin(batch.rows, numbers)):
            found[int(batch.rows[at])] = original(batch.table, int(at), rules.personal)
        if len(found) == len(wanted):
            break
    return found

"""Times of a batch: read on the city's clock, in order, none in the future."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from etl.cases.batch import Batch
from etl.cleaning import times
from etl.cleaning.times import DAY_US, NOT_A_TIME
from etl.sources import TIME_FIELDS

FLAG_CLOSED_DROPPED, FLAG_TIME_MOVED = 1, 2


def instants(batch: Batch) -> tuple[dict[str, NDArray[np.int64]], NDArray[np.int16]]:
    """Opened, closed, due and dispatched in µs UTC, `closed_kept` as it was delivered, and the flags of every row."""
    found: dict[str, NDArray[np.int64]] = {}
    flags = np.zeros(batch.n, np.int16)
    for name in TIME_FIELDS:
        column = batch.text(name)
        if column.null_count == len(column):
            found[name] = np.full(batch.n, NOT_A_TIME, np.int64)
            continue
        rules, formats = batch.rules, tuple(batch.rules.layout.formats.get(name, ()))
        parsed = times.parse(column, rules.zone, formats)
        if (parsed.problem == times.AMBIGUOUS).any():
            parsed = times.parse(column, rules.zone, formats, rules.order_of(name))
        batch.refuse(parsed.problem == times.INVALID, "date-invalid", name)
        batch.refuse(parsed.problem == times.AMBIGUOUS, "date-ambiguous", name)
        if name != "due_at":
            batch.refuse(parsed.us > rules.now_us + DAY_US, "date-future", name)
        flags[parsed.moved] |= FLAG_TIME_MOVED
        batch.seen.add(f"time-nonexistent:{name}", batch.raw.rows[parsed.moved])
        batch.seen.add(f"time-ambiguous:{name}", batch.raw.rows[parsed.twice])
        found[name] = parsed.us
    batch.refuse((found["opened_at"] == NOT_A_TIME) & ~batch.bad, "opened-missing", "opened_at")
    early = (found["closed_at"] != NOT_A_TIME) & (found["closed_at"] < found["opened_at"])
    flags[early] |= FLAG_CLOSED_DROPPED
    batch.seen.add("date-order", batch.raw.rows[early & ~batch.bad])
    found["closed_kept"] = found["closed_at"]
    found["closed_at"] = np.where(early, NOT_A_TIME, found["closed_at"])
    return found, flags

"""From rows as delivered to rows that may be stored: one batch in, typed columns, rejects and notices out.

Every row of a batch is kept or rejected, never changed silently. Cleaning is vectorised: a check makes a mask, the first
problem of a row is its reject. Nothing here touches the database.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.cases.batch import Batch, Cleaned, Rules
from etl.cases.coded import coded, status
from etl.cases.dividing import divide
from etl.cases.instants import instants
from etl.cases.places import located
from etl.cases.texts import attributes, check_cells, check_texts, masked, plain_ids
from etl.tables.table import RawBatch
from geo.cases import ORIGIN
from geo.exports.safety import STARTS


def clean(raw: RawBatch, rules: Rules) -> Cleaned:
    """Clean one batch of case rows by the rules of its file."""
    batch = Batch(_without_empty_rows(_restored(raw) if rules.own else raw), rules)
    check_cells(batch)
    check_texts(batch)
    ids = batch.text("id")
    batch.refuse(np.asarray(ids.is_null()), "id-missing", "id")
    moments, flags = instants(batch)
    lon, lat = located(batch)
    state = status(batch, moments["closed_kept"])
    origin = coded(batch, "origin", ORIGIN, ORIGIN["unknown"], ORIGIN["other"])
    satisfied = coded(batch, "satisfied", {"yes": 1, "no": 0, "none": -1}, -1, -1)
    urgency = coded(batch, "urgency", {str(i): i for i in range(1, 5)}, -1, -1)
    description = masked(batch, "description", batch.text("description"))
    further = attributes(batch)
    found = Cleaned(
        batch.raw.rows,
        plain_ids(ids),
        moments["opened_at"],
        moments["closed_at"],
        moments["due_at"],
        moments["dispatched_at"],
        batch.text("category"),
        batch.text("subcategory"),
        state,
        origin,
        urgency,
        satisfied,
        flags,
        batch.text("responsible_body"),
        batch.text("repeat_of"),
        description,
        further,
        lon,
        lat,
    )
    return divide(batch, found, raw)


def _restored(raw: RawBatch) -> RawBatch:
    """Our own file as it was before export: no `reject_…` columns, no apostrophes in front of formulas."""
    table = raw.table.select([name for name in raw.table.column_names if not name.startswith("reject_")])
    columns = [pc.replace_substring_regex(c, f"^'((?:'*)[{STARTS}])", r"\1") for c in table.columns]
    return replace(raw, table=pa.table(columns, names=table.column_names))


def _without_empty_rows(raw: RawBatch) -> RawBatch:
    """Rows of which every field is empty are no rows (spreadsheets export them by the thousand)."""
    first = raw.table.columns[0] if raw.table.num_columns else None
    if first is None or not first.null_count:
        return raw
    empty = np.asarray(first.is_null())
    for column in raw.table.columns[1:]:
        empty &= np.asarray(column.is_null())
        if not empty.any():
            return raw
    if raw.x is not None:
        return raw
    return RawBatch(raw.table.filter(pa.array(~empty)), raw.rows[~empty], raw.rejects, odd=raw.odd)


def now_us(now: dt.datetime | None = None) -> int:
    """Microseconds since 1970 of a moment, by default this one."""
    moment = now or dt.datetime.now(dt.UTC)
    return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)

"""Texts of a batch: lengths, control characters, identifiers as written, personal data masked, further columns."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl import privacy
from etl.cases.batch import ATTRIBUTE_LIMIT, LIMITS, Batch
from etl.cleaning import string_kernels
from etl.cleaning.attributes import as_json
from etl.cleaning.distinct import repeats_itself
from etl.cleaning.strings import any_ends_with, text_buffers, trimmed


def check_texts(batch: Batch) -> None:
    """Length limits and control characters in every column that is kept."""
    fields = {header: name for name, header in batch.rules.layout.columns.items()}
    for header in batch.raw.table.column_names:
        if header in batch.rules.personal:
            continue
        column = batch.header(header)
        name = fields.get(header, header)
        offsets, data = text_buffers(column)
        limit = LIMITS.get(name, ATTRIBUTE_LIMIT)
        if string_kernels.longest(offsets) > limit:
            long = pc.fill_null(pc.greater(pc.utf8_length(column), limit), False)
            batch.refuse(np.asarray(long), "field-too-long", name)
        used = data[offsets[0] : offsets[-1]] if len(offsets) else data
        if string_kernels.has_control(used):
            held = pc.fill_null(pc.match_substring_regex(column, "[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f]"), False)
            batch.refuse(np.asarray(held), "control-character", name)


def check_cells(batch: Batch) -> None:
    """Single cells that the reader found odd: formulas without a value anywhere, identifiers that lost digits."""
    for number, header, problem in batch.raw.odd:
        name = batch.rules.layout.field_of(header)
        if name is not None and (problem != "id-precision" or name in ("id", "repeat_of")):
            batch.refuse(batch.raw.rows == number, problem, name)


def plain_ids(ids: pa.StringArray) -> pa.StringArray:
    """`101.0` of a spreadsheet or a float column is `101`."""
    if not any_ends_with(ids, b".0"):
        return ids
    floats = pc.fill_null(pc.match_substring_regex(ids, r"^[0-9]+\.0$"), False)
    if not pc.any(floats).as_py():
        return ids
    return pc.if_else(floats, pc.replace_substring_regex(ids, r"\.0$", ""), ids)


def masked(batch: Batch, header: str, column: pa.StringArray) -> pa.StringArray:
    """A column with personal data in its words masked (`etl.privacy`); rows and kinds are counted."""
    if column.null_count == len(column):
        return column
    if repeats_itself(column) and not privacy.mask_column(pc.unique(column).drop_null()).rows:
        return column
    found = privacy.mask_column(column)
    if found.rows:
        batch.seen.add(
            f"personal-data:{batch.rules.layout.columns.get(header, header)}", batch.raw.rows[found.rows]
        )
        for kind, count in found.kinds.items():
            batch.seen.masked[kind] = batch.seen.masked.get(kind, 0) + count
    return found.column


def attributes(batch: Batch) -> pa.StringArray:
    """Unknown columns as JSON, masked; personal ones are counted and left behind."""
    used = set(batch.rules.layout.columns.values())
    kept: dict[str, pa.StringArray] = {}
    for header in batch.raw.table.column_names:
        column = batch.header(header)
        if header in batch.rules.personal:
            batch.seen.personal[header] = batch.seen.personal.get(header, 0) + len(column) - column.null_count
        elif header not in used and header and column.null_count < len(column):
            kept[header] = masked(batch, header, trimmed(column))
    return as_json(kept, batch.n)

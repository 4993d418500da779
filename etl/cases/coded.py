"""Words of a batch as small numbers: origin, urgency, satisfaction, and the status a row has."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl import privacy
from etl.cases.batch import Batch
from etl.cleaning.times import NOT_A_TIME
from etl.cleaning.words import lookup, map_words
from etl.sources import words
from geo.cases import STATUS

UNKNOWN = -9


def _table_of(batch: Batch, name: str) -> Mapping[str, str]:
    return {**words()[name], **batch.rules.layout.words.get(name, {})}


def coded(batch: Batch, name: str, codes: Mapping[str, int], missing: int, unknown: int) -> NDArray[np.int16]:
    """A word column as small numbers; unknown words are collected and become `unknown`."""
    if batch.text(name).null_count == batch.n:
        return np.full(batch.n, missing, np.int16)
    found = map_words(batch.text(name), lookup(_table_of(batch, name), codes, UNKNOWN), missing)
    strange = found == UNKNOWN
    if strange.any():
        strange &= ~np.asarray(batch.text(name).is_null())
    if strange.any():
        batch.seen.add(f"word-unknown:{name}", batch.raw.rows[strange])
        values = pc.unique(batch.text(name).filter(pa.array(strange))).to_pylist()
        batch.seen.words.setdefault(name, set()).update(privacy.mask(v)[0][:80] for v in values[:100])
        found[strange] = unknown
    return found


def status(batch: Batch, closed: NDArray[np.int64]) -> NDArray[np.int16]:
    """The source's word; where there is none or it is unknown: closed when a closed time is there."""
    by_time = np.where(closed != NOT_A_TIME, STATUS["closed"], STATUS["open"])
    found = coded(batch, "status", STATUS, UNKNOWN, UNKNOWN)
    return np.where(found == UNKNOWN, by_time, found).astype(np.int16)

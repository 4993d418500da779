"""Text columns as bytes: trimming, and a look at their buffers without a Python loop."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from etl.cleaning import string_kernels as kernels


def trimmed(column: pa.StringArray) -> pa.StringArray:
    """Without spaces at both ends (the ideographic one too); empty becomes null.

    >>> trimmed(pa.array([" a　", "  ", None])).to_pylist()
    ['a', None, None]
    """
    if not _has_edge_space(column):
        return column
    text = pc.utf8_trim_whitespace(column)
    return pc.if_else(pc.equal(text, ""), None, text)


def _has_edge_space(column: pa.StringArray) -> bool:
    """Whether any value is empty or begins or ends with a space, tab, line break or a character beyond ASCII."""
    offsets, data = text_buffers(column)
    if kernels.count_empty(offsets) > column.null_count:
        return True
    return bool(kernels.has_edge_space(offsets, data))


def any_ends_with(column: pa.StringArray, end: bytes) -> bool:
    """Whether any value ends with these bytes.

    >>> any_ends_with(pa.array(["101.0", None]), b".0"), any_ends_with(pa.array(["0"]), b".0")
    (True, False)
    """
    offsets, data = text_buffers(column)
    return bool(kernels.any_ends_with(offsets, data, np.frombuffer(end, np.uint8)))


def text_buffers(column: pa.StringArray) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """(offsets of n + 1 values, bytes) of a string array; the bytes of a null are of length 0 or to be ignored."""
    _, offsets, data = column.buffers()
    start = column.offset
    ends = np.frombuffer(offsets, np.int32)[start : start + len(column) + 1]
    return ends, np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)


def warm() -> None:
    """Compiles the loops once (they stay cached on disk), so that no load waits for it."""
    column = pa.array(["x", None])
    offsets, data = text_buffers(column)
    kernels.longest(offsets)
    kernels.has_control(data)
    trimmed(column)
    any_ends_with(column, b"0")

"""Compiled looks at text columns: most need no cleaning at all, and one pass over their bytes says so."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def has_edge_space(offsets: NDArray[np.int32], data: NDArray[np.uint8]) -> bool:
    """Whether any value begins or ends with a space, a control character or a character that may be a foreign space."""
    for i in range(len(offsets) - 1):
        if offsets[i] < offsets[i + 1]:
            first, last = data[offsets[i]], data[offsets[i + 1] - 1]
            if first <= 32 or last <= 32 or last >= 0x80 or 0xC2 <= first <= 0xE3:
                return True
    return False


@njit(cache=True, nogil=True)
def count_empty(offsets: NDArray[np.int32]) -> int:
    """How many values are of no length, nulls among them."""
    count = 0
    for i in range(len(offsets) - 1):
        count += offsets[i] == offsets[i + 1]
    return count


@njit(cache=True, nogil=True)
def longest(offsets: NDArray[np.int32]) -> int:
    """Bytes of the longest value."""
    most = np.int64(0)
    for i in range(len(offsets) - 1):
        most = max(most, offsets[i + 1] - offsets[i])
    return int(most)


@njit(cache=True, nogil=True)
def any_ends_with(offsets: NDArray[np.int32], data: NDArray[np.uint8], end: NDArray[np.uint8]) -> bool:
    """Whether any value ends with these bytes."""
    size = len(end)
    for i in range(len(offsets) - 1):
        if offsets[i + 1] - offsets[i] >= size:
            same = True
            for k in range(size):
                same &= data[offsets[i + 1] - size + k] == end[k]
            if same:
                return True
    return False


@njit(cache=True, nogil=True)
def has_control(data: NDArray[np.uint8]) -> bool:
    """Whether any byte is a control character other than tab and line breaks."""
    found = False
    for byte in data:  # to the end: without a way out the loop takes many bytes at once
        found |= (byte < 32) & (byte != 9) & (byte != 10) & (byte != 13)
    return found

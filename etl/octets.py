"""Bytes taken eight at a time, for compiled loops over text that would otherwise go byte by byte.

An unsigned 64-bit word begins at every byte of a buffer (the views overlap), little-endian as on every machine that
numba supports. A buffer of fewer than eight bytes has no word; loops fall back to bytes at its end.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

WORD = 8


def words(data: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """The word that begins at each byte of a contiguous buffer, but for the last seven bytes; a view, not a copy.

    >>> hex(words(np.arange(9, dtype=np.uint8))[1])
    '0x807060504030201'
    """
    return _view(data, "<u8")


def halves(data: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """The same with words of four bytes: where lengths are written."""
    return _view(data, "<u4")


def _view(data: NDArray[np.uint8], kind: str) -> NDArray[Any]:
    count = len(data) - np.dtype(kind).itemsize + 1
    if count <= 0:
        return np.empty(0, kind)
    return np.ndarray((count,), kind, buffer=data, strides=(1,))

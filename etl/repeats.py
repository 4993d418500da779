"""Rows of one file that carry the same identifier: equal ones are duplicates, differing ones contradict each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Repeats:
    """128-bit hashes of identifier and row of everything read so far, with the row numbers (40 bytes a row)."""

    def __init__(self) -> None:
        self._ids: list[NDArray[np.uint64]] = []
        self._second: list[NDArray[np.uint64]] = []
        self._hashes: list[NDArray[np.uint64]] = []
        self._rows: list[NDArray[np.int64]] = []

    def add(self, ids: NDArray[np.uint64], hashes: NDArray[np.uint64], rows: NDArray[np.int64]) -> None:
        """Remember a batch: n × 2 hashes of the identifier, n × 2 of the row, row numbers."""
        self._ids.append(ids[:, 0].copy())
        self._second.append(ids[:, 1].copy())
        self._hashes.append(hashes[:, 0] ^ hashes[:, 1])
        self._rows.append(rows)

    def any(self) -> bool:
        """Whether any identifier may stand more than once."""
        if not self._ids:
            return False
        ordered = np.sort(np.concatenate(self._ids))
        return bool((ordered[1:] == ordered[:-1]).any())

    def find(self) -> tuple[NDArray[np.int64], list[list[int]]]:
        """(rows that repeat an earlier equal row, groups of rows of one identifier that differ).

        >>> r = Repeats()
        >>> ids = np.array([[1, 1], [2, 2], [1, 1], [2, 2]], np.uint64)
        >>> r.add(ids, np.array([[5, 0], [6, 0], [5, 0], [7, 0]], np.uint64), np.array([2, 3, 4, 5]))
        >>> r.find()
        (array([4]), [[3, 5]])
        """
        if not self.any():
            return np.empty(0, np.int64), []
        ids, second = np.concatenate(self._ids), np.concatenate(self._second)
        hashes, rows = np.concatenate(self._hashes), np.concatenate(self._rows)
        order = np.lexsort((rows, second, ids))
        ids, second, hashes, rows = ids[order], second[order], hashes[order], rows[order]
        first = np.concatenate(([True], (ids[1:] != ids[:-1]) | (second[1:] != second[:-1])))
        group = np.cumsum(first) - 1
        starts = np.flatnonzero(first)
        sizes = np.diff(np.append(starts, len(ids)))
        differs = np.zeros(len(starts), np.bool_)
        np.logical_or.at(differs, group, hashes != hashes[starts][group])
        same = rows[~first & ~differs[group]]
        conflicts = [rows[s : s + n].tolist() for s, n in zip(starts[differs], sizes[differs], strict=True)]
        return np.sort(same), sorted(conflicts)

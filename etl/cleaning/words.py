"""Words that mean a value (办结 → closed), a whole column at a time: each distinct word is looked at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from etl.cleaning.distinct import each_once


def map_words(column: pa.StringArray, of: Callable[[str], int], missing: int) -> NDArray[np.int16]:
    """`of(word)` for every value, `missing` for null; `of` is called once per distinct word.

    >>> map_words(pa.array(["a", "b", None, "a"]), {"a": 1, "b": 2}.__getitem__, -1).tolist()
    [1, 2, -1, 1]
    """
    few = each_once(column)
    values = np.array([of(word) for word in few.values.to_pylist()], np.int16)
    return few.spread(values, missing).astype(np.int16, copy=False)


def lookup(table: Mapping[str, str], codes: Mapping[str, int], unknown: int) -> Callable[[str], int]:
    """A function word → code: by the table, without regard to case; a number such as `1.0` counts as `1`.

    >>> lookup({"办结": "closed"}, {"closed": 1}, -9)("办结")
    1
    """

    def of(word: str) -> int:
        key = word.strip().casefold()
        key = key[:-2] if key.endswith(".0") and key[:-2].isdecimal() else key
        found = table.get(key)
        return unknown if found is None else codes[found]

    return of

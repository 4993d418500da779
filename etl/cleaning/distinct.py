"""The distinct values of a text column, so that each is looked at once: categories, statuses and standard texts repeat
by the thousand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

SAMPLE_ROWS = 2_000


@dataclass(frozen=True)
class Distinct:
    """`values` in the order they are met, and for every row its place among them; null is −1."""

    values: pa.StringArray
    places: NDArray[np.int32]

    def spread(self, found: NDArray[Any], null: object) -> NDArray[Any]:
        """What was found for each value, for every row; `null` for the rows without value.

        >>> each_once(pa.array(["a", None, "a"])).spread(np.array([7]), 0).tolist()
        [7, 0, 7]
        """
        spread: NDArray[Any] = np.append(found, np.array([null], found.dtype))[self.places]
        return spread


def each_once(column: pa.StringArray) -> Distinct:
    """The distinct values of a column.

    >>> found = each_once(pa.array(["b", "a", None, "b"]))
    >>> found.values.to_pylist(), found.places.tolist()
    (['b', 'a'], [0, 1, -1, 0])
    """
    encoded = pc.dictionary_encode(column)
    places = encoded.indices if not encoded.null_count else pc.fill_null(encoded.indices, -1)
    return Distinct(encoded.dictionary, places.to_numpy(zero_copy_only=False))


def repeats_itself(column: pa.StringArray) -> bool:
    """Whether the first values of a column are mostly ones seen before, so that finding the distinct ones pays.

    >>> repeats_itself(pa.array(["a", "b"] * 10)), repeats_itself(pa.array(["a", "b"]))
    (True, False)
    """
    sample = column.slice(0, SAMPLE_ROWS)
    return 2 * len(pc.unique(sample)) <= len(sample)

"""Which cases a figure is made of: those of the whole city, or of one or several zones of a layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geo.analysis import kernels
from geo.analysis.layers import SessionFactory, layer_of, slot_of
from geo.columns import Columns, ColumnStore
from geo.errors import RefusedArgument

NO_SLOTS: kernels.Slots = np.empty(0, dtype=np.uint16)


@dataclass(frozen=True, eq=False)
class Chosen:
    """`every`: all cases, unplaced and outside too. Else the cases whose slot `wanted` says 1 for."""

    every: bool
    slots: kernels.Slots
    wanted: NDArray[np.uint8]
    version: str = ""


def choose(
    factory: SessionFactory,
    store: ColumnStore,
    columns: Columns,
    by: str | None,
    codes: Sequence[str],
    plan: str,
) -> Chosen:
    """The cases of the zones `codes` of the layer `by` (grids: of `plan`), or of the city without both.

    Raises RefusedArgument (`zone-incomplete`) for one without the other, NotFound (`zone-unknown`).
    """
    if (by is None) != (not codes):
        raise RefusedArgument(
            "by 与 code 须同时给出。", "Give by and code together.", code="zone-incomplete", field="code"
        )
    if by is None:
        return Chosen(True, NO_SLOTS, np.ones(kernels.SLOTS, dtype=np.uint8))
    layer = layer_of(factory, store, columns, by, plan)
    wanted = np.zeros(len(layer.zones) + kernels.SLOTS, dtype=np.uint8)
    for code in codes:
        slot = slot_of(layer, by, code)
        if slot is not None:
            wanted[slot] = 1
    return Chosen(False, layer.slots(), wanted, layer.zones.version)

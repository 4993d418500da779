"""Doubly linked lists of the units of every grid, so that a loop over one grid costs what the grid holds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from grids.kernels.settling import Ints


class Links(NamedTuple):
    """`first[g]` is a unit of grid g, `after[u]` and `before[u]` the next and the former unit of the same grid (−1: none)."""

    first: Ints
    after: Ints
    before: Ints


@njit(cache=True)
def link(label: Ints, k: int) -> Links:
    """The lists of a labelling, units in ascending order."""
    n = len(label)
    links = Links(np.full(k, -1, np.int64), np.full(n, -1, np.int64), np.full(n, -1, np.int64))
    for u in range(n - 1, -1, -1):
        if label[u] >= 0:
            _put(links, u, label[u])
    return links


@njit(cache=True)
def _put(links: Links, u: int, g: int) -> None:
    links.before[u], links.after[u] = -1, links.first[g]
    if links.first[g] >= 0:
        links.before[links.first[g]] = u
    links.first[g] = u


@njit(cache=True)
def relink(links: Links, u: int, a: int, b: int) -> None:
    """Takes unit u out of the list of grid a and puts it first into that of grid b."""
    if links.before[u] >= 0:
        links.after[links.before[u]] = links.after[u]
    else:
        links.first[a] = links.after[u]
    if links.after[u] >= 0:
        links.before[links.after[u]] = links.before[u]
    _put(links, u, b)


def warm() -> None:
    """Compiles every kernel once (they stay cached on disk), so that nobody waits for it later."""
    links = link(np.array([0, 0, 1]), 2)
    relink(links, 0, 0, 1)

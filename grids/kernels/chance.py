"""Chance inside compiled loops: SplitMix64 (Steele, Lea, Flood 2014), its state one number that the caller passes in.

Numba's own generator is a global of the thread; this one is not, so the same seed gives the same plan on any thread.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

State = NDArray[np.uint64]

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11, _S32 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11), np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_UNIT = 1.0 / 9007199254740992.0  # 2⁻⁵³


def start(seed: int) -> State:
    """The state of a generator with this seed."""
    return np.array([seed & 0xFFFFFFFFFFFFFFFF], np.uint64)


@njit(cache=True, nogil=True)
def bits(state: State) -> np.uint64:
    """64 random bits."""
    state[0] += _STEP
    z = state[0]
    z = (z ^ (z >> _S30)) * _MIX_1
    z = (z ^ (z >> _S27)) * _MIX_2
    return z ^ (z >> _S31)  # type: ignore[no-any-return]


@njit(cache=True, nogil=True)
def below(state: State, n: int) -> np.int64:
    """A whole number from 0 to n − 1 (n below 2³²)."""
    return np.int64(((bits(state) & _LOW) * np.uint64(n)) >> _S32)


@njit(cache=True, nogil=True)
def share(state: State) -> float:
    """A number from 0 to below 1."""
    return float(bits(state) >> _S11) * _UNIT


@njit(cache=True, nogil=True)
def shuffle(state: State, items: NDArray[np.int64]) -> None:
    """Brings the items into a random order, in place (Fisher–Yates)."""
    for i in range(len(items) - 1, 0, -1):
        j = below(state, i + 1)
        items[i], items[j] = items[j], items[i]


def warm() -> None:
    """Compiles every kernel once (they stay cached on disk), so that nobody waits for it later."""
    state = start(1)
    share(state)
    shuffle(state, np.arange(3))

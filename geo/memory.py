"""A memory for answers: the last few made, by key, shared between threads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class Memory:
    """Keeps the `size` values that were asked for last.

    >>> memory = Memory(1)
    >>> memory.remember("a", lambda: 1), memory.remember("a", lambda: 2), memory.remember("b", lambda: 3)
    (1, 1, 3)
    >>> memory.remember("a", lambda: 4)
    4
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()

    def remember(self, key: Hashable, make: Callable[[], T], state: Hashable = None) -> T:
        """The value made for `key` in this `state` before, or made now (by several at once when they ask at once)."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and kept[0] == state:
                self._kept.move_to_end(key)
                return kept[1]  # type: ignore[no-any-return]
        made = make()
        with self._lock:
            self._kept[key] = (state, made)
            while len(self._kept) > self.size:
                self._kept.popitem(last=False)
        return made

    def clear(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._kept.clear()

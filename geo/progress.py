"""How long work tells the person waiting how far it is.

A long function takes `progress: Progress = silent` and calls it with a stage name, what is done and the total (None
when unknown). The command line draws a bar from it, a job stores it, a test records it.
"""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """`progress("copy", 50_000, 200_000)`: stage `copy` has done 50 000 of 200 000."""

    def __call__(self, stage: str, done: int, total: int | None = None) -> None: ...


def silent(stage: str, done: int, total: int | None = None) -> None:
    """Say nothing: the default where nobody waits.

    >>> silent("copy", 1, 2)
    """

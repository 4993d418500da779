"""Compiled loops over the unit graph, one family a file. Cached on disk; `wangge warm` compiles them at install."""

from __future__ import annotations

import importlib

FAMILIES = (
    "chance", "energy", "moves", "shaking", "recut", "branches", "repair", "settling", "walking", "linking", "nudging",
    "carrying", "chains", "trees",
)  # fmt: skip


def warm() -> None:
    """Compiles every kernel once (they stay cached on disk), so that nobody waits for it later."""
    for family in FAMILIES:
        importlib.import_module(f"grids.kernels.{family}").warm()

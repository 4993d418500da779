"""Which function does which kind of work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from sqlalchemy.orm import Session

from geo.errors import NotFound
from geo.progress import Progress
from geo.settings import Settings


@dataclass(frozen=True)
class Under:
    """What a function of work is given beside its parameters: for whom it works, and how it tells and is told."""

    author: str
    settings: Settings
    progress: Progress
    cancel: Callable[[], bool]


Work = Callable[[Session, Mapping[str, Any], Under], Mapping[str, Any]]

KINDS: dict[str, str] = {  # kind → module:function
    "plan.propose": "api.jobs.planning:propose",
    "plan.rebalance": "api.jobs.planning:rebalance",
    "plan.ensemble": "api.jobs.planning:ensemble",
    "plan.import": "api.jobs.importing:import_plan",
    "load": "api.jobs.loading:load",
    "export": "api.jobs.exporting:export",
}


def function(kind: str) -> Work:
    """The function of a kind. Raises NotFound `job-kind` for one that this release does not know."""
    where = KINDS.get(kind)
    if where is None:
        raise NotFound(f"本版本不认识作业 {kind}。", f"This release knows no job {kind!r}.", code="job-kind")
    module, _, name = where.partition(":")
    found: Work = getattr(import_module(module), name)
    return found


def preload() -> None:
    """Imports every function once, so that a job's process, forked from this one, starts at once."""
    for kind in KINDS:
        function(kind)

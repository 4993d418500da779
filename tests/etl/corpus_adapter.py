"""The bad-input corpus as test material: its cases, their bytes, and what counts as the promised outcome.

    for case in cases("etl_boundaries"): path = case.write(folder)

The corpus file is read-only material beside the real test data; without it `cases` is empty and tests skip.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
ENDINGS = {"shp.zip": ".shp.zip", "shp": ".shp.zip"}


@dataclass(frozen=True)
class Case:
    """One bad input: what to feed, which outcomes are right, and the problem it must be called."""

    id: str
    target: str
    format: str
    payload: dict[str, Any]
    outcomes: list[str]
    problem: str | None
    contains: list[str] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    effect: str = ""

    def content(self) -> bytes:
        """The bytes to feed."""
        if self.payload["kind"] == "inline":
            text = self.payload["content"]
            return text.encode() if isinstance(text, str) else bytes(text)
        made = eval(self.payload["expr"], _helpers())
        return made.encode() if isinstance(made, str) else bytes(made)

    def write(self, folder: Path) -> Path:
        """The case as a file under a name with the ending of its format."""
        path = folder / f"{self.id}{ENDINGS.get(self.format, '.' + self.format)}"
        path.write_bytes(self.content())
        return path


def corpus_file() -> Path:
    """Where the corpus lies (WANGGE_TEST_DATA, default ../shared)."""
    folder = Path(os.environ.get("WANGGE_TEST_DATA") or ROOT.parent / "shared")
    return folder / "corpus" / "bad_inputs.json"


@lru_cache(maxsize=1)
def _corpus() -> dict[str, Any]:
    path = corpus_file()
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found


@lru_cache(maxsize=1)
def _helpers() -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(_corpus()["helpers_py"], names)
    return names


def cases(target: str) -> list[Case]:
    """The cases of a target (etl_boundaries, etl_cases, api_query, plan_edit, auth), in the corpus's order."""
    return [_case(raw) for raw in _corpus().get("cases", []) if raw["target"] == target]


def _case(raw: dict[str, Any]) -> Case:
    expect = raw.get("expect", {})
    urn = expect.get("problem_type")
    status = expect.get("status", [])
    return Case(
        id=raw["id"],
        target=raw["target"],
        format=raw.get("format", ""),
        payload=raw["payload"],
        outcomes=list(expect.get("outcome", [])),
        problem=urn.rsplit(":", 1)[-1] if urn else None,
        contains=list(expect.get("message_contains", [])),
        statuses=[status] if isinstance(status, int) else list(status),
        effect=expect.get("effect", ""),
    )

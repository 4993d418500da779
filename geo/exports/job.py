"""One export under way, and what it wrote."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from geo.exports.layers import Layer


@dataclass
class Written:
    """What was written: the file, its rows, the files beside or inside it, the short names, and what to know."""

    path: Path
    rows: int
    crs: str
    files: list[str] = field(default_factory=list)
    short_names: dict[str, str] = field(default_factory=dict)
    notices: list[dict[str, str]] = field(default_factory=list)

    def notice(self, code: str, zh: str, en: str) -> None:
        """Add something the reader of the file should know."""
        self.notices.append({"code": code, "zh": zh, "en": en})


@dataclass(frozen=True)
class Job:
    """One export under way: the reprojected layer, the folder it is written in, and what is asked."""

    layer: Layer
    folder: Path
    stem: str
    crs: str
    encoding: str
    written: Written


def local_text(column: Any) -> Any:
    """Aware timestamps as ISO 8601 text with the offset of their zone: 2025-03-01T08:00:00+08:00."""
    whole = pc.cast(column, pa.timestamp("s", tz=column.type.tz), safe=False)
    return pc.replace_substring_regex(
        pc.strftime(whole, format="%Y-%m-%dT%H:%M:%S%z"), pattern=r"([+-]\d{2})(\d{2})$", replacement=r"\1:\2"
    )

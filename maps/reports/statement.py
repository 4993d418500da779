"""What a statement says: plain texts and tables, ready to be set; nothing here computes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Lang = Literal["zh", "en"]


@dataclass(frozen=True)
class Table:
    """A table of texts. The first `words` columns are words (left), the others figures (right)."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1


@dataclass(frozen=True)
class Section:
    """A heading with a table, lines, or both; `note` is set small below."""

    title: str
    table: Table | None = None
    lines: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Picture:
    """A map as SVG, its legend as (colour, text), and a caption."""

    svg: str
    legend: tuple[tuple[str, str], ...]
    caption: str


@dataclass(frozen=True)
class Statement:
    """One page for a meeting: what is proposed, beside a map; then sections in full width; sources last and small."""

    lang: Lang
    title: str
    subtitle: str
    badge: str
    lead: str
    beside: Section
    picture: Picture
    sections: tuple[Section, ...]
    sources: Section
    footer: str

    def as_dict(self) -> dict[str, Any]:
        """Everything but the drawing, for a template."""
        found = asdict(self)
        found["picture"].pop("svg")
        return found

"""What a report of a view says: plain texts, numbers and drawings, ready to be set; nothing here computes."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from typing import Any

from maps.reports.statement import Lang, Picture, Section

Cell = str | int | float | dt.date | None


@dataclass(frozen=True)
class Card:
    """One figure of the strip: what it is called, its value, its n and interval, and what it was before."""

    name: str
    value: str
    sure: str
    before: str


@dataclass(frozen=True)
class Trend:
    """Bars without text as SVG; what stands at the axes: the largest value, the first, middle and last day."""

    svg: str
    top: str
    days: tuple[str, ...]
    title: str
    note: str


@dataclass(frozen=True)
class Shaded:
    """A table of coloured cells: the head of the columns, rows of (label, cells of (text, colour, colour of the text))."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...]
    legend: tuple[tuple[str, str], ...]
    note: str


@dataclass(frozen=True)
class ViewReport:
    """A view of the map as a page: what was asked, the strip, the map, the trend, the matrix, the ranking, how sure."""

    lang: Lang
    title: str
    subtitle: str
    badge: str
    facts: tuple[tuple[str, str], ...]
    strip_title: str
    cards: tuple[Card, ...]
    map_title: str
    picture: Picture
    trend: Trend
    matrix: Shaded
    ranking: Section
    notes: Section
    footer: str

    def as_dict(self) -> dict[str, Any]:
        """Everything but the drawings, for a template."""
        found = asdict(self)
        found["picture"].pop("svg")
        found["trend"].pop("svg")
        return found


@dataclass(frozen=True)
class Sheet:
    """A sheet of a workbook: its name, the head of its columns, rows of texts, numbers and dates."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

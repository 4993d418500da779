"""The summary as the public may see it: nothing about fewer than k cases, nothing that the heat map hides.

1. Fewer than k cases in all: nothing is shown, the total included.
2. A count is hidden where it, or what is left of its whole, is between 1 and k − 1; a share also by its parts.
3. Of a zone a figure is shown only where the heat map of that figure shows the zone (complements included): the sum of
   a visible and a hidden zone minus the visible one would be the hidden one.
4. The limits of a median are the times of two single cases: never shown.

The same holds for the period compared with, by itself.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import replace

from geo.analysis.summary import Figure, Summary, Value

HIDDEN = Value(None, 0, reason="hidden")


def protect_summary(
    found: Summary, k: int, hidden_now: AbstractSet[str], hidden_before: AbstractSet[str]
) -> Summary:
    """The summary with what may not be seen taken out; `hidden_now` and `hidden_before`: keys that the heat map hides."""
    total = found.total
    before = next(figure.before.n for figure in found.figures if figure.key == "cases")
    figures = tuple(
        replace(
            figure,
            now=_shown(figure, figure.now, total, k, hidden_now),
            before=_shown(figure, figure.before, before, k, hidden_before),
        )
        for figure in found.figures
    )
    figures = tuple(replace(f, differs=f.differs if _both(f) else None) for f in figures)
    veiled = 0 < total < k or "cases" in hidden_now
    return replace(found, total=0 if veiled else total, unplaced=0, outside=0, figures=figures, k=k)


def _both(figure: Figure) -> bool:
    return figure.now.value is not None and figure.before.value is not None


def _shown(figure: Figure, value: Value, total: int, k: int, hidden: AbstractSet[str]) -> Value:
    if value.value is None and value.reason != "no-cases":
        return value  # outside the data, not in the data: says nothing about a case
    if 0 < total < k or "cases" in hidden or figure.key in hidden:
        return HIDDEN
    if value.value is None:
        return value
    if figure.unit == "share":
        part = round(value.value * value.n)
        counts = (value.n, total - value.n, part, value.n - part)
        return HIDDEN if any(0 < n < k for n in counts) else value
    if any(0 < n < k for n in (value.n, total - value.n)):
        return HIDDEN
    return replace(value, low=None, high=None) if figure.unit == "days" else value

"""Giving a draft its bands: which weights a grid may hold how much of, and how thin it may be."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from geo.errors import RefusedArgument
from grids import refusals, stored, units, weights
from grids.bands import OTHER, Bands
from grids.drafts import Desk, configure


def set_bands(
    session: Session, plan: int | str, given: dict[str, Any], *, clear: bool = False, author: str = "operator"
) -> Bands:
    """Adds bands to a draft's (replaces them with `clear`), as an act that can be undone.

    Raises RefusedArgument `bands`, `weight-unknown`.
    """
    row = stored.find(session, plan)
    refusals.check_draft(row)
    kept = {k: v for k, v in row.bands.items() if k in OTHER or not clear}
    bands = Bands.of({**kept, **given})
    _check_weights(session, list(Bands.of(given).columns))
    whole = {**{k: v for k, v in kept.items() if k in OTHER}, **bands.stored()}
    configure(session, row.id, bands=whole, revision=None, author=author, desk=Desk())
    session.refresh(row)
    return bands


def _check_weights(session: Session, columns: list[str]) -> None:
    """A band needs a weight that is known; one that is all 0 is known."""
    if not columns:
        return
    graph = units.read(session, stored.city_today(session))
    for column in columns:
        try:
            weights.read(session, graph, column)
        except RefusedArgument as problem:
            if problem.code != "weight-empty":
                raise

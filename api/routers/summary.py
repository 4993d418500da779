"""`/api/summary` and `/api/matrix`: the figures above the map, and when it happens, of the city or of chosen zones."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query

from api import answers
from api.dependencies import Service, ThePrincipal, TheService
from api.routers import shown
from api.schemas import Chosen, MatrixOf, SummaryOf
from api.shapes import figures as promised
from geo.analysis.counts import heat, k_for
from geo.analysis.matrix import DAYS, HOURS, Matrix, matrix, protect_matrix
from geo.analysis.summary import UNITS, Figure, Summary, summary
from geo.analysis.summary_public import protect_summary
from geo.cases import CaseFilter
from geo.disclosure import protect

router = APIRouter(tags=["heat"])
MAPPED = ("open", "overdue", "median_days_to_close", "satisfied_share")  # figures that are also heat maps


@router.get("/api/summary", summary="The figures above the map", response_model=promised.Summary)
def summary_of(
    asked: Annotated[SummaryOf, Query()], service: TheService, principal: ThePrincipal
) -> answers.Answer:
    """Cases, open, overdue, days to close, satisfied, service ÷ enforcement: each with n, a 95 % interval and before."""
    sight = principal.sight_by(asked.by)
    return shown.kept(service, "summary", asked, sight, lambda: _summary(service, asked, sight))


@router.get("/api/matrix", summary="Cases by weekday and hour", response_model=promised.Matrix)
def matrix_of(
    asked: Annotated[MatrixOf, Query()], service: TheService, principal: ThePrincipal
) -> answers.Answer:
    """Cases by weekday (from Monday) and hour of opening on the city's clock; the public sees the whole city only."""
    sight = principal.sight_by(asked.by)
    return shown.kept(service, "matrix", asked, sight, lambda: _matrix(service, asked, sight))


def chosen(service: Service, asked: Chosen, sight: str) -> dict[str, Any]:
    """The arguments that every question about chosen zones shares."""
    shown.check_plan(service, asked.by, asked.plan, sight)
    codes = tuple(sorted(set(asked.code)))
    return {"where": shown.filter_of(asked), "by": asked.by, "codes": codes, "plan": asked.plan}


def _summary(service: Service, asked: SummaryOf, sight: str) -> dict[str, Any]:
    place = chosen(service, asked, sight)
    found = summary(service.session, service.store, asof=asked.asof, versus=asked.versus, **place)
    if sight != "exact":
        found = _protected(service, place, found)
    first, stop = found.period
    hidden = any(f.key == "cases" and f.now.reason == "hidden" for f in found.figures)
    return {
        "by": asked.by,
        "code": place["codes"],
        "period": {"from": first, "to": stop},
        "versus": found.versus,
        "previous": None if found.previous is None else {"from": found.previous[0], "to": found.previous[1]},
        "previous_reason": found.previous_reason,
        "asof": found.asof,
        "previous_asof": found.previous_asof,
        "total": None if hidden else found.total,
        "unplaced": found.unplaced if sight == "exact" else None,
        "outside": found.outside if sight == "exact" else None,
        "figures": [_told(figure) for figure in found.figures],
        "caveats": found.caveats,
        "k": found.k,
        "version": found.version,
    }


def _told(figure: Figure) -> dict[str, Any]:
    now, before = figure.now, figure.before
    return {
        "key": figure.key,
        "unit": figure.unit,
        "value": now.value,
        "n": now.n,
        "low": now.low,
        "high": now.high,
        "reason": now.reason,
        "previous": before.value,
        "previous_n": before.n,
        "previous_low": before.low,
        "previous_high": before.high,
        "previous_reason": before.reason,
        "differs": figure.differs,
    }


def _protected(service: Service, place: dict[str, Any], found: Summary) -> Summary:
    where: CaseFilter = place["where"]
    k = k_for(service.store, where)
    if place["by"] is None:
        return protect_summary(found, k, set(), set())
    now = _hidden(service, place, where, found.asof, k)
    before: set[str] = set(UNITS)
    if found.previous is not None and found.previous_asof is not None:
        then = replace(where, from_date=found.previous[0], to_date=found.previous[1])
        before = _hidden(service, place, then, found.previous_asof, k)
    return protect_summary(found, k, now, before)


def _hidden(service: Service, place: dict[str, Any], where: CaseFilter, asof: Any, k: int) -> set[str]:
    """The figures of some zones that the heat map does not show for each of them.

    Late among decided cases has no heat map, so nobody can say what its complements would give away: never by zone.
    Service and enforcement are two heat maps by who reported.
    """

    def visible(measure: str, which: CaseFilter) -> bool:
        asked = {"by": place["by"], "plan": place["plan"], "where": which, "measure": measure, "asof": asof}
        whole = protect(heat(service.session, service.store, **asked), k)
        return set(place["codes"]) <= set(whole.codes[~whole.suppressed].tolist())

    if not visible("cases", where):
        return set(UNITS)
    hidden = {"overdue_share"} | {key for key in MAPPED if not visible(key, where)}
    sides = [replace(where, origins=(origin,)) for origin in ("citizen", "patrol")]
    if where.origins or not all(visible("cases", side) for side in sides):
        hidden.add("service_share")
    return hidden


def _matrix(service: Service, asked: MatrixOf, sight: str) -> dict[str, Any]:
    place = chosen(service, asked, sight)
    found, reason = matrix(service.session, service.store, **place), None
    if sight != "exact":
        k = k_for(service.store, place["where"])
        found = protect_matrix(found, k)
        if asked.by is not None:
            reason = "zones-not-public"
        elif 0 < found.total < k:
            reason = "hidden"
    first, stop = found.period
    return {
        "by": asked.by,
        "code": place["codes"],
        "period": {"from": first, "to": stop},
        "timezone": found.timezone,
        "weekdays": list(range(1, DAYS + 1)),
        "hours": list(range(HOURS)),
        "days": found.days,
        **(_cells(found, sight) if reason is None else _no_cells()),
        "reason": reason,
        "k": found.k,
        "version": found.version,
    }


def _cells(found: Matrix, sight: str) -> dict[str, Any]:
    exact = sight == "exact"
    rows = zip(found.values.tolist(), found.suppressed.tolist(), strict=True)
    return {
        "values": [[None if h else n for n, h in zip(*row, strict=True)] for row in rows],
        "total": found.total,
        "suppressed_total": found.suppressed_total,
        "unplaced": found.unplaced if exact else None,
        "outside": found.outside if exact else None,
        "midnight": found.midnight if exact else None,
    }


def _no_cells() -> dict[str, Any]:
    nothing = dict.fromkeys(("total", "suppressed_total", "unplaced", "outside", "midnight"))
    return {"values": [[None] * HOURS for _ in range(DAYS)], **nothing}

"""`/api/series` and `/api/categories`: counts over time and by category, of the city or of one zone."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from api import answers
from api.dependencies import Service, ThePrincipal, TheService, release
from api.routers import shown
from api.schemas import CategoriesOf, Place, SeriesOf
from api.shapes import figures as promised
from geo.analysis.counts import by_category, heat, k_for, series
from geo.disclosure import protect, protect_categories, protect_series

router = APIRouter(tags=["heat"])
NOTHING_TOLD: dict[str, Any] = {"total": None, "suppressed_total": None}


@router.get("/api/series", summary="Counts over time", response_model=promised.Series)
def series_of(
    asked: Annotated[SeriesOf, Query()], service: TheService, principal: ThePrincipal
) -> answers.Answer:
    """Cases opened by day, week (from Monday) or month, zeros included; null where the public may not see."""
    sight = principal.sight_by(asked.by)
    key = (service.word(sight, asked.plan), "series", asked, sight)
    kept = service.answers.get(_hashable(key))
    if kept is not None:
        return kept
    place = _place(service, asked, sight)
    found = series(service.session, service.store, bucket=asked.bucket, **place)
    veiled = False
    if sight != "exact":
        k = k_for(service.store, place["where"])
        found, veiled = protect_series(found, k), _veiled(service, place, found.total, k)
    hidden = found.suppressed.tolist()
    made: dict[str, Any] = {
        "bucket": found.bucket,
        "by": asked.by,
        "code": asked.code,
        "starts": found.starts,
        "values": [None if h else n for n, h in zip(found.n.tolist(), hidden, strict=True)],
        "n": found.n,
        "suppressed": hidden,
        "total": found.total,
        "suppressed_total": found.suppressed_total,
        "k": found.k,
        "version": found.version,
    }
    if veiled:
        size = len(found.starts)
        made |= {"values": [None] * size, "n": [0] * size, "suppressed": [True] * size, **NOTHING_TOLD}
    return _kept(service, key, made, found.version, sight)


@router.get("/api/categories", summary="Counts by category", response_model=promised.Categories)
def categories_of(
    asked: Annotated[CategoriesOf, Query()], service: TheService, principal: ThePrincipal
) -> answers.Answer:
    """Cases by category, most first; null where the public may not see."""
    sight = principal.sight_by(asked.by)
    key = (service.word(sight, asked.plan), "categories", asked, sight)
    kept = service.answers.get(_hashable(key))
    if kept is not None:
        return kept
    place = _place(service, asked, sight)
    found = by_category(service.session, service.store, depth=asked.depth, **place)
    veiled = False
    if sight != "exact":
        k = k_for(service.store, place["where"])
        parts = by_category(service.session, service.store, **place) if asked.depth == "top" else None
        found, veiled = protect_categories(found, k, parts), _veiled(service, place, found.total, k)
    hidden = found.suppressed.tolist()
    made: dict[str, Any] = {
        "by": asked.by,
        "code": asked.code,
        "keys": found.keys,
        "names": found.names,
        "names_en": found.names_en,
        "values": [None if h else n for n, h in zip(found.values.tolist(), hidden, strict=True)],
        "suppressed": hidden,
        "total": found.total,
        "suppressed_total": found.suppressed_total,
        "k": found.k,
        "version": found.version,
    }
    if veiled:  # even which categories there are says too much
        made |= {"keys": [], "names": [], "names_en": [], "values": [], "suppressed": [], **NOTHING_TOLD}
    return _kept(service, key, made, found.version, sight)


def _veiled(service: Service, place: dict[str, Any], total: int, k: int) -> bool:
    """Whether the public may see nothing here: too few cases in all, or a zone that the heat map hides (its total
    would give away another hidden one by subtraction)."""
    if 0 < total < k:
        return True
    if place["by"] is None:
        return False
    asked = {name: place[name] for name in ("by", "plan", "where")}
    whole = protect(heat(service.session, service.store, **asked), k)
    if place["by"].startswith("hexagon:"):  # one without a case answers like a hidden one
        return place["code"] not in whole.codes[~whole.suppressed].tolist()
    return bool(whole.suppressed[whole.codes == place["code"]].any())


def _place(service: Service, asked: Place, sight: str) -> dict[str, Any]:
    shown.check_plan(service, asked.by, asked.plan, sight)
    return {"where": shown.filter_of(asked), "by": asked.by, "code": asked.code, "plan": asked.plan}


def _kept(service: Service, key: Any, made: dict[str, Any], version: str, sight: str) -> answers.Answer:
    validator = answers.etag(release(), version, answers.to_json(made))
    answer = answers.json(made, etag=validator, cache=answers.cache_rule(sight))
    return service.answers.put(_hashable(key), answer)


def _hashable(key: Any) -> Any:
    """A parsed query as part of a key: its JSON, for its lists cannot be hashed."""
    word, what, asked, sight = key
    return (word, what, asked.model_dump_json(exclude={"lang"}), sight)

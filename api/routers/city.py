"""`/api/city`: what the page must know before it draws anything."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import numpy as np
from fastapi import APIRouter, Query
from sqlalchemy.orm import Session

from api import answers
from api.dependencies import Service, ThePrincipal, TheService
from api.schemas import Plain
from api.shapes import city as promised
from geo import features
from geo.cases import ORIGIN
from geo.disclosure import SENSITIVE_K, K, hidden_counts
from geo.heat import MEASURES, MeasureKind

router = APIRouter(tags=["city"])


@router.get("/api/city", summary="The city in brief", response_model=promised.City)
def city(_: Annotated[Plain, Query()], service: TheService, principal: ThePrincipal) -> answers.Answer:
    """Name, clock, box, period of the data, levels, plans, categories, measures. Counts below k are left out for
    the public."""
    key = (service.word(principal.sight, "any"), "city", principal.sight)
    kept = service.answers.get(key)
    if kept is not None:
        return kept
    with service.session() as session:
        found = _city(service, session, principal.sight)
    found["version"] = answers.etag(*key)
    made = answers.json(found, etag=found["version"], cache=answers.cache_rule(principal.sight, 10))
    return service.answers.put(key, made)


def _city(service: Service, session: Session, sight: str) -> dict[str, Any]:
    staff = sight == "exact"
    k = 1 if staff else K
    today = service.today(session)
    columns = service.store.current()
    area, plans = features.extent(session), features.plans(session, drafts=staff)
    current = [p["id"] for p in plans if p["state"] == "approved" and _holds(p, today)]
    has = features.present(session)
    known = {**columns.known, "households": int(has["households"])}
    return {
        **features.city(session),
        "bbox": list(area) if area else None,
        "first_case": _instant(columns.first_opened, columns.timezone, staff),
        "last_case": _instant(columns.last_opened, columns.timezone, staff),
        "cases": _shown(columns.n, k),
        "unplaced": columns.unplaced if staff else None,  # a heat map may hide them
        "levels": features.levels(session, today),
        "plans": [
            {name: p[name] for name in ("id", "name", "state", "valid_from", "valid_to", "grids")}
            for p in plans
        ],
        "current_plan": current[0] if current else None,
        "categories": _categories(features.categories(session), {c.id: c.n for c in columns.categories}, k),
        "origins": list(ORIGIN),
        "facility_kinds": features.facility_kinds(session),
        "measures": [
            {
                "key": m.key,
                "needs": m.needs,
                "unit": m.unit,
                "additive": m.additive,
                "available": _available(m, known),
            }
            for m in MEASURES.values()
        ],
        "has": has,
        "basemap": {
            "tianditu": service.settings.tianditu_key or False,
            "pmtiles": service.settings.basemap_pmtiles is not None,
        },
        "sight": sight,
        "k": k,
    }


def _holds(plan: dict[str, Any], today: Any) -> bool:
    return plan["valid_from"] <= today and (plan["valid_to"] is None or today < plan["valid_to"])


def _available(measure: MeasureKind, known: dict[str, int]) -> bool:
    """Whether the data hold what a measure needs."""
    return measure.needs is None or known.get(measure.needs, 0) > 0


def _instant(opened: dt.datetime | None, timezone: str, staff: bool) -> dt.datetime | dt.date | None:
    """When a case was opened; the public is told the day only."""
    return opened if staff or opened is None else opened.astimezone(ZoneInfo(timezone)).date()


def _shown(n: int, k: int) -> int | None:
    return n if n >= k or n == 0 else None


def _categories(rows: list[dict[str, Any]], counts: dict[int, int], k: int) -> list[dict[str, Any]]:
    """Top categories with their children; those of several catalogues under one code are one entry."""
    by_id = {row["id"]: row for row in rows}
    tops: dict[str, dict[str, Any]] = {}
    own: dict[str, tuple[int, bool]] = {}  # key → its own cases, whether it is sensitive
    for row in rows:
        top = by_id[row["parent_id"]] if row["parent_id"] else row
        entry = tops.setdefault(top["code"], _entry(top["code"], top))
        key = f"{top['code']}/{row['code']}" if row["parent_id"] else top["code"]
        if row["parent_id"]:
            entry["children"].setdefault(key, _entry(key, row))
        n, sensitive = own.get(key, (0, False))
        own[key] = (n + counts.get(row["id"], 0), sensitive or row["sensitive"])
    shown = _shown_counts(dict(sorted(own.items())), k)  # in order of key: equals hide alike in every answer
    return [_finished(entry, shown) for entry in tops.values()]


def _shown_counts(own: dict[str, tuple[int, bool]], k: int) -> dict[str, int | None]:
    """Each key's cases, None where the public may not see them: their sum is the known number of all cases."""
    n = np.array([count for count, _ in own.values()], dtype=np.int64)
    least = np.array(
        [max(k, SENSITIVE_K) if sensitive and k > 1 else k for _, sensitive in own.values()], dtype=np.int64
    )
    hidden = hidden_counts(n, least).tolist() if k > 1 else [False] * len(n)
    return {key: None if h else count for key, count, h in zip(own, n.tolist(), hidden, strict=True)}


def _entry(key: str, row: dict[str, Any]) -> dict[str, Any]:
    return {"key": key, "name": row["name"], "name_en": row["name_en"], "n": None, "children": {}}


def _finished(entry: dict[str, Any], shown: dict[str, int | None]) -> dict[str, Any]:
    """An entry with its counts; a top category is told only when each of its parts is."""
    children = [{**child, "n": shown[key]} for key, child in entry["children"].items()]
    for child in children:
        child.pop("children")
    parts = [shown.get(entry["key"], 0), *(child["n"] for child in children)]
    whole = None if any(part is None for part in parts) else sum(part or 0 for part in parts)
    return {**entry, "n": whole, "children": children}

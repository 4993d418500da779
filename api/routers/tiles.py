"""`/tiles/…`: vector tiles and their TileJSON. Tiles are plain ASGI and kept encoded in memory, by data version."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from api import answers, policy
from api.auth import Principal
from api.dependencies import Service, principal_of
from api.routers import shown
from api.schemas import TILES, Plain, parse
from geo import areas, case_tiles, features, tiles
from geo.tiles import Subject, TileId

PARTS = {
    "grids": ("plans", "units"),
    "units": ("units",),
    "boundaries": ("boundaries",),
    "facilities": ("facilities",),
    "ways": ("network",),
    "hexagons": ("boundaries", "units"),
    "cases": ("cases", "units", "boundaries"),
}
IMMUTABLE = "public, max-age=31536000, immutable"
PUBLIC = "public, max-age=60"
PRIVATE = "private, no-cache"  # case points, drafts


class Tiles:
    """`GET /tiles/{layer}/{z}/{x}/{y}.mvt` and `/tiles/plans/{plan}/grids/…`."""

    def __init__(self, service: Service) -> None:
        self.service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        service, who = self.service, principal_of(scope)
        stamp = await service.stamp(scope, who.sight)
        key = (stamp, scope["path"], scope["query_string"], *_eyes(scope, who))
        answer = service.tiles.get(key)
        if answer is None:
            answer = await run_in_threadpool(self._make, scope, who)
            service.tiles.put(key, answer)
        await answer(scope, receive, send)

    def _make(self, scope: Scope, who: Principal) -> answers.Answer:
        at = TileId.parse(*(scope["wangge.params"][name] for name in "zxy"))
        layer = _layer(scope)
        query = parse(Plain if "plan" in scope["wangge.params"] else TILES[layer], scope["query_string"])
        versions = self.service.fresh.of(
            *PARTS[layer]
        )  # before the content: at worst it is asked for once more
        with _session(self.service, layer, who) as (session, seen):
            subject, cache = _subject(self.service, session, layer, scope["wangge.params"], query, who.sight)
            content = self._content(session, subject, at, seen)
        validator = answers.etag(layer, subject, at, seen.word, *versions)
        if not content:
            return answers.Answer(b"", policy.MVT, status=204, etag=validator, cache=cache)
        return answers.Answer(content, policy.MVT, etag=validator, cache=cache)

    def _content(self, session: Session, subject: Subject, at: TileId, seen: areas.Scope) -> bytes:
        if subject.layer == "cases":
            return case_tiles.tile(session, self.service.store, at, seen)
        return tiles.tile(session, subject, at)


class TileSets:
    """`GET /tiles/{layer}` and `/tiles/plans/{plan}/grids`: TileJSON 3.0."""

    def __init__(self, service: Service) -> None:
        self.service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await run_in_threadpool(self._make, scope, principal_of(scope))
        await answer(scope, receive, send)

    def _make(self, scope: Scope, who: Principal) -> answers.Answer:
        layer, params = _layer(scope), scope["wangge.params"]
        query = parse(Plain if "plan" in params else TILES[layer], scope["query_string"])
        with _session(self.service, layer, who) as (session, seen):
            subject, _ = _subject(self.service, session, layer, params, query, who.sight)
            area = areas.extent(session, seen) or features.extent(session)
        found = _tilejson(layer, subject, area, params, scope["query_string"].decode("latin-1"))
        return answers.json(found, etag=answers.etag(found), cache=answers.cache_rule(who.sight))


def _eyes(scope: Scope, who: Principal) -> tuple[object, ...]:
    """What makes two people see different tiles of the same address."""
    if scope["path"].startswith("/tiles/cases"):
        return who.sight, who.role == "admin", who.area
    return (who.sight,)


@contextlib.contextmanager
def _session(service: Service, layer: str, who: Principal) -> Iterator[tuple[Session, areas.Scope]]:
    """A session for a layer, and whose cases it shows: those of who asks, none where the layer has none."""
    if layer == "cases":
        with service.session_of(who) as pair:
            yield pair
    else:
        with service.session() as session:
            yield session, areas.NOWHERE


def _layer(scope: Scope) -> str:
    params = scope["wangge.params"]
    if "plan" in params:
        return "grids"
    return tiles.check_layer(params.get("layer", "cases"))


def _subject(
    service: Service, session: Any, layer: str, params: Any, query: Any, sight: str
) -> tuple[Subject, str]:
    """(what is shown, who may keep it how long: the grids of an approved plan named by its number never change)."""
    today = service.today(session)
    if layer == "grids":
        plan = shown.plan(service, session, params.get("plan") or query.plan, sight)
        settled = IMMUTABLE if "plan" in params else PUBLIC
        rule = settled if plan.state == "approved" else PRIVATE
        return Subject(layer, plan=plan.id, revision=plan.revision), rule
    if layer == "boundaries":
        level, on = shown.level(query.level, today)
        return Subject(layer, level=level, on=on), PUBLIC
    if layer == "hexagons":
        return Subject(layer, resolution=query.resolution, area=features.extent(session)), PUBLIC
    rule = PRIVATE if layer == "cases" else PUBLIC
    return Subject(layer, kind=getattr(query, "kind", None), on=today), rule


def _tilejson(layer: str, subject: Subject, area: Any, params: Any, query: str) -> dict[str, Any]:
    path = f"/tiles/plans/{subject.plan}/grids" if "plan" in params else f"/tiles/{layer}"
    least = tiles.least_zoom(subject.resolution) if subject.resolution is not None else 0
    return {
        "tilejson": "3.0.0",
        "name": layer,
        "scheme": "xyz",
        "tiles": [f"{path}/{{z}}/{{x}}/{{y}}.mvt" + (f"?{query}" if query else "")],
        "minzoom": least,
        "maxzoom": tiles.MAX_ZOOM if layer == "cases" else 16,
        "bounds": list(area) if area else [-180, -85.0511, 180, 85.0511],
        "vector_layers": [{"id": layer, "fields": FIELDS[layer]}],
    }


FIELDS = {
    "grids": {"code": "网格代码 / code", "name": "名称 / name"},
    "units": {"code": "单元代码 / code", "name": "名称 / name"},
    "boundaries": {"code": "区域代码 / code", "name": "名称 / name"},
    "facilities": {"kind": "种类", "name": "名称", "capacity": "容量", "n": "合并数量 / merged"},
    "ways": {"class": "类别 / class", "kind": "种类 / kind", "name": "名称 / name"},
    "hexagons": {"h3": "H3"},
    "cases": {"category": "类别编号", "status": "状态", "opened": "受理日期", "n": "合并数量 / merged"},
}

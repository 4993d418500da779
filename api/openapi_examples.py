"""What the description of the interface cannot derive: the plain routes, an example of each, the page's look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from api.routers.heatmap import MODELS
from api.schemas import Plain, TileGrids


@dataclass(frozen=True)
class PlainRoute:
    """A plain ASGI route as OpenAPI knows it."""

    path: str
    tag: str
    summary: str
    model: type[Plain]


class TileQuery(TileGrids):
    """All that some layer knows; each refuses what belongs to another."""

    level: str | None = None
    kind: str | None = None
    resolution: int = 9


_XYZ = "/{z}/{x}/{y}.mvt"
PLAIN: tuple[PlainRoute, ...] = (
    *(PlainRoute(f"/api/heatmap/{what}", "heat", f"Heat by {what}", model) for what, model in MODELS.items()),
    PlainRoute("/tiles/{layer}", "tiles", "TileJSON of a layer", TileQuery),
    PlainRoute("/tiles/{layer}" + _XYZ, "tiles", "A vector tile", TileQuery),
    PlainRoute("/tiles/plans/{plan}/grids", "tiles", "TileJSON of one plan", Plain),
    PlainRoute(
        "/tiles/plans/{plan}/grids" + _XYZ,
        "tiles",
        "A vector tile of one plan, immutable once approved",
        Plain,
    ),
    PlainRoute("/tiles/cases", "tiles", "TileJSON of cases", Plain),
    PlainRoute("/tiles/cases" + _XYZ, "tiles", "A vector tile of cases", Plain),
)

EXAMPLES: Mapping[str, str] = {
    "/healthz": "/healthz",
    "/readyz": "/readyz",
    "/api/city": "/api/city",
    "/api/zones": "/api/zones?by=grid",
    "/api/heatmap/grids": "/api/heatmap/grids?from=2024-01-01&to=2025-01-01&measure=cases",
    "/api/heatmap/boundaries": "/api/heatmap/boundaries?level=community&measure=per_km2",
    "/api/heatmap/hexagons": "/api/heatmap/hexagons?resolution=9",
    "/api/heatmap/facilities": "/api/heatmap/facilities?measure=count",
    "/api/series": "/api/series?bucket=month",
    "/api/categories": "/api/categories",
    "/api/summary": "/api/summary?from=2026-01-01&to=2026-02-01&versus=last-year",
    "/api/matrix": "/api/matrix?category=01",
    "/api/indicators": "/api/indicators?by=grid&measure=median_days_to_close",
    "/api/repeats": "/api/repeats?from=2026-01-01&limit=20",
    "/api/plans": "/api/plans",
    "/api/plans/{plan}/score": "/api/plans/current/score?weight=households",
    "/api/plans/{plan}/compare": "/api/plans/current/compare?with=2",
    "/api/plans/{plan}/impact": "/api/plans/current/impact?with=2&format=html",
    "/api/plans/{plan}/replay": "/api/plans/current/replay?with=2&from=2026-01-01",
    "/api/cases": "/api/cases?limit=10&status=open",
    "/api/runs": "/api/runs?limit=10",
    "/api/jobs": "/api/jobs?state=running",
    "/api/loads": "/api/loads?what=cases&limit=10",
    "/api/exports": "/api/exports?limit=10",
    "/tiles/{layer}": "/tiles/grids",
}

TEMPLATE = """<!doctype html>
<html lang="zh">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Wangge 网格 · API</title><link rel="stylesheet" href="/api/docs.css">
</head>
<body>
<h1>Wangge 网格 · API <small>{{ api.info.version }}</small></h1>
<p>机器可读：<a href="/api/openapi.json">/api/openapi.json</a> ·
错误均为 <code>application/problem+json</code> (RFC 9457)。 Errors name the field at fault; unknown parameters are refused.</p>
<p>登录 / sign in: <code>Authorization: Bearer wg_…</code> (<code>wangge user token NAME</code>).
图层 / tile layers: {% for layer in layers %}<code>{{ layer }}</code> {% endfor %}</p>
{% for tag, operations in groups %}
<h2>{{ tag }}</h2>
{% for o in operations %}
<section>
<h3><b>{{ o.method }}</b> <code>{{ o.path }}</code></h3>
<p>{{ o.zh }} · {{ o.summary }} · <em>{{ o["x-principals"]|join(", ") }}</em></p>
{% if o.description %}<p>{{ o.description }}</p>{% endif %}
{% if o["x-example"] %}<p><a href="{{ o["x-example"] }}"><code>{{ o["x-example"] }}</code></a></p>{% endif %}
{% if o.parameters %}<table>
<tr><th>参数</th><th></th><th>取值</th><th>说明</th></tr>
{% for p in o.parameters %}<tr><td><code>{{ p.name }}</code></td><td>{{ p["in"] }}{% if p.required %} *{% endif %}</td>
<td><small>{{ p.schema }}</small></td><td>{{ p.description or "" }}</td></tr>
{% endfor %}</table>{% endif %}
</section>
{% endfor %}
{% endfor %}
</body>
</html>
"""

STYLE = """
body { font: 15px/1.5 system-ui, "Noto Sans CJK SC", sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #1c2730; background: #fff }
h2 { border-bottom: 2px solid #d5dde3; text-transform: capitalize }
h3 { margin: 1.6rem 0 .2rem } h3 b { color: #0b6a6f }
section p { margin: .2rem 0 } table { border-collapse: collapse; margin: .4rem 0; width: 100% }
td, th { border: 1px solid #d5dde3; padding: .15rem .5rem; text-align: left; vertical-align: top }
td small { overflow-wrap: anywhere } code { background: #f1f5f7; padding: 0 .2rem }
@media (prefers-color-scheme: dark) { body { color: #dfe8ee; background: #14191d } code { background: #232b31 }
  td, th, h2 { border-color: #37434b } a { color: #7cc7ff } h3 b { color: #5fd0c5 } }
"""

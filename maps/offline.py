"""A folium map that links nothing: Leaflet, our own script and style and the data all stand in the one page.

folium's own pages load ten files from the network and stay white without it; here a content security policy forbids
every request. Names and titles travel as JSON or escaped text and are never rendered as a template or as markup.
"""

from __future__ import annotations

import html
import json
from importlib.resources import files
from typing import Any

import folium
from branca.element import Element, MacroElement
from jinja2 import Template

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)


class _OfflineMap(folium.Map):
    """A folium map that links nothing: what it needs is written into the page."""

    default_js: list[tuple[str, str]] = []  # noqa: RUF012  folium's own class attributes
    default_css: list[tuple[str, str]] = []  # noqa: RUF012


class _Raw(Element):
    """Text for the page's head, exactly as given (branca would read `{{` in it as a template)."""

    _template = Template("{{ this.text }}")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


class _Drawing(MacroElement):
    """Calls our script with the map and the data that stands in the page.

    The data itself never passes through here: branca renders what a macro returns a second time as a template, so a
    name with `{{ … }}` in it would run.
    """

    _template = Template(
        "{% macro script(this, kwargs) %}"
        'Wangge.draw({{ this._parent.get_name() }}, JSON.parse(document.getElementById("wangge-data").textContent));'
        "{% endmacro %}"
    )

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._name = "Wangge"


def render(data: dict[str, Any]) -> str:
    """The whole page for `maps/assets/page.js`; `data` as `maps.folium_maps` makes it (title, lang, bounds …)."""
    (south, west), (north, east) = data["bounds"]
    drawn = _OfflineMap(
        location=[(south + north) / 2, (west + east) / 2],
        tiles=None,
        zoom_start=11,
        zoom_snap=0.25,
        attributionControl=True,
    )
    figure: Any = drawn.get_root()
    for name, text in (
        ("title", f"<title>{html.escape(data['title'])}</title>"),
        ("policy", f'<meta http-equiv="Content-Security-Policy" content="{html.escape(POLICY)}">'),
        ("icon", '<link rel="icon" href="data:,">'),
        ("leaflet-css", f"<style>{_leaflet_css()}</style>"),
        ("leaflet", f"<script>{_asset('leaflet/leaflet.js')}</script>"),
        ("page-css", f"<style>{_asset('page.css')}</style>"),
        ("page", f"<script>{_asset('page.js')}</script>"),
    ):
        figure.header.add_child(_Raw(text), name=name)
    data_text = f'<script type="application/json" id="wangge-data">{_as_json(data)}</script>'
    figure.html.add_child(_Raw(data_text), name="data")
    drawn.add_child(_Drawing())
    page: str = figure.render()
    return page.replace("<html>", f'<html lang="{"zh-CN" if data["lang"] == "zh" else "en"}">', 1)


def _as_json(data: dict[str, Any]) -> str:
    """JSON that cannot end the script element it stands in, whatever a name contains."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for bad in "<>&\u2028\u2029":
        text = text.replace(bad, f"\\u{ord(bad):04x}")
    return text


def _asset(name: str) -> str:
    return (files("maps") / "assets" / name).read_text(encoding="utf-8")


def _leaflet_css() -> str:
    """Leaflet's style without its pictures (markers and layer switch are not used)."""
    style = _asset("leaflet/leaflet.css")
    for picture in ("images/layers.png", "images/layers-2x.png", "images/marker-icon.png"):
        style = style.replace(f"url({picture})", "none")
    return style

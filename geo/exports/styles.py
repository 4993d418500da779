"""QGIS styles (.qml) for exported layers: readable in grey tones or coloured by value, colour-blind-safe.

Colours are cividis (Nuñez, Anderton & Renslow 2018), sampled at equal steps.
"""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree as ET

from geo.exports.layers import Layer

CIVIDIS = [
    "#00224e",
    "#123570",
    "#3b496c",
    "#575d6d",
    "#707173",
    "#8a8678",
    "#a59c74",
    "#c3b369",
    "#e1cc55",
    "#fee838",
]
NO_DATA = "#d9d9d9"


def qml(layer: Layer) -> str:
    """The style as XML: graduated by `value_field` when the layer has one and breaks, else one plain symbol."""
    root = ET.Element("qgis", version="3.22", styleCategories="Symbology|Labeling")
    if layer.value_field and len(layer.breaks) >= 2:
        _graduated(root, layer)
    else:
        renderer = ET.SubElement(
            root, "renderer-v2", type="singleSymbol", symbollevels="0", enableorderby="0"
        )
        symbols = ET.SubElement(renderer, "symbols")
        _symbol(symbols, "0", layer.geometry_kind, "#7fa3c7" if layer.geometry_kind == "Point" else "#f2f2f2")
    return "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n" + ET.tostring(
        root, encoding="unicode"
    )


def colours(classes: int) -> list[str]:
    """`classes` colours from light (low) to dark (high).

    >>> colours(2)
    ['#fee838', '#00224e']
    """
    if classes == 1:
        return [CIVIDIS[4]]
    last = len(CIVIDIS) - 1
    return [CIVIDIS[last - round(i * last / (classes - 1))] for i in range(classes)]


def _graduated(root: ET.Element, layer: Layer) -> None:
    renderer = ET.SubElement(
        root,
        "renderer-v2",
        type="graduatedSymbol",
        attr=layer.value_field or "",
        graduatedMethod="GraduatedColor",
        symbollevels="0",
        enableorderby="0",
    )
    ranges = ET.SubElement(renderer, "ranges")
    symbols = ET.SubElement(renderer, "symbols")
    edges = list(layer.breaks)
    shades = colours(len(edges) - 1)
    for i, (low, high) in enumerate(pairwise(edges)):
        label = f"{low:g} – {high:g}"
        ET.SubElement(
            ranges, "range", lower=str(low), upper=str(high), symbol=str(i), label=label, render="true"
        )
        _symbol(symbols, str(i), layer.geometry_kind, shades[i])


def _symbol(parent: ET.Element, name: str, kind: str, colour: str) -> None:
    marker = kind == "Point"
    symbol = ET.SubElement(
        parent,
        "symbol",
        name=name,
        type="marker" if marker else "fill",
        alpha="1",
        clip_to_extent="1",
        force_rhr="0",
    )
    layer = ET.SubElement(
        symbol,
        "layer",
        {"class": "SimpleMarker" if marker else "SimpleFill", "pass": "0", "locked": "0", "enabled": "1"},
    )
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    options = ET.SubElement(layer, "Option", type="Map")
    values = {
        "color": f"{red},{green},{blue},255",
        "outline_color": "90,90,90,255",
        "outline_width": "0.2",
        "outline_style": "solid",
        "style": "solid",
    }
    if marker:
        values |= {"name": "circle", "size": "2"}
    for key, value in values.items():
        ET.SubElement(options, "Option", name=key, value=value, type="QString")
        ET.SubElement(layer, "prop", k=key, v=value)

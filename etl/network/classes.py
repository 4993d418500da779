"""What a way is: road, rail, water, bridge or path, and whether it is a barrier, from the words of its source.

OpenStreetMap's keys `highway`, `railway`, `waterway`, `natural`, `bridge`, `tunnel` (wiki.openstreetmap.org, Map features),
and the words that Chinese and English map layers put into a class column.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

CLASSES = ("road", "rail", "water", "bridge", "path")

MAIN_ROADS = frozenset(
    f"{word}{link}" for word in ("motorway", "trunk", "primary", "secondary") for link in ("", "_link")
)
ROADS = MAIN_ROADS | {
    "tertiary", "tertiary_link", "unclassified", "residential", "living_street", "road", "service", "track", "busway",
}  # fmt: skip
PATHS = frozenset({"footway", "path", "cycleway", "pedestrian", "steps", "bridleway", "corridor"})
RAILS = frozenset(
    {"rail", "light_rail", "narrow_gauge", "tram", "subway", "monorail", "funicular", "preserved"}
)
RAIL_BARRIERS = frozenset({"rail", "light_rail", "narrow_gauge"})
WATERWAYS = frozenset({"river", "canal", "stream", "drain", "ditch", "riverbank", "dock"})
WATER_BARRIERS = frozenset(
    {"river", "canal", "riverbank", "dock", "coastline", "water", "lake", "reservoir", "wetland"}
)
SMALLEST_BARRIER_M2 = 2_000.0  # a pond smaller than this is walked around

WORDS: dict[str, tuple[str, str | None]] = {
    **{word: ("road", word) for word in ROADS},
    **{word: ("path", word) for word in PATHS},
    **{word: ("rail", word) for word in RAILS},
    **{word: ("water", word) for word in WATERWAYS},
    "road": ("road", None), "street": ("road", "residential"), "highway": ("road", None), "roads": ("road", None),
    "道路": ("road", None), "公路": ("road", None), "街道": ("road", "residential"), "高速": ("road", "motorway"),
    "高速公路": ("road", "motorway"), "快速路": ("road", "trunk"), "主干路": ("road", "primary"),
    "主干道": ("road", "primary"), "国道": ("road", "trunk"), "省道": ("road", "primary"), "县道": ("road", "secondary"),
    "次干路": ("road", "secondary"), "次干道": ("road", "secondary"), "支路": ("road", "tertiary"),
    "乡道": ("road", "tertiary"), "村道": ("road", "unclassified"), "巷": ("road", "residential"),
    "railway": ("rail", "rail"), "铁路": ("rail", "rail"), "轨道": ("rail", "light_rail"), "地铁": ("rail", "subway"),
    "有轨电车": ("rail", "tram"), "高铁": ("rail", "rail"),
    "water": ("water", "water"), "waterway": ("water", "river"), "lake": ("water", "lake"), "pond": ("water", "lake"),
    "reservoir": ("water", "reservoir"), "coastline": ("water", "coastline"),
    "水": ("water", "water"), "水系": ("water", "water"), "水域": ("water", "water"), "河流": ("water", "river"),
    "河": ("water", "river"), "江": ("water", "river"), "运河": ("water", "canal"), "湖": ("water", "lake"),
    "湖泊": ("water", "lake"), "水库": ("water", "reservoir"), "溪": ("water", "stream"), "沟渠": ("water", "ditch"),
    "bridge": ("bridge", None), "桥": ("bridge", None), "桥梁": ("bridge", None), "天桥": ("bridge", "footway"),
    "footpath": ("path", "footway"), "小路": ("path", "path"), "步道": ("path", "footway"),
    "人行道": ("path", "footway"), "自行车道": ("path", "cycleway"), "台阶": ("path", "steps"),
}  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """Class, the source's own word (or our nearest one) and whether it stops what comes from the side."""

    class_: str
    kind: str | None
    barrier: bool


def from_word(word: str) -> Kind | None:
    """The kind a word of a class column means; None when it means no way.

    >>> from_word("主干路"), from_word("Railway").barrier, from_word("fence")
    (Kind(class_='road', kind='primary', barrier=True), True, None)
    """
    found = WORDS.get(word.strip().casefold())
    if found is None:
        return None
    class_, kind = found
    return Kind(class_, kind, stops(class_, kind))


def refined(kind: Kind, word: str | None) -> Kind:
    """The kind with the finer word of a second column (primary, 主干路, river …), where it names one of its class.

    >>> refined(Kind("road", None, False), "primary")
    Kind(class_='road', kind='primary', barrier=True)
    """
    if word is None:
        return kind
    known = WORDS.get(word.strip().casefold())
    finer = known[1] if known is not None and known[0] == kind.class_ else None
    finer = finer or (word.strip()[:40] if kind.kind in (None, kind.class_) else kind.kind)
    return Kind(kind.class_, finer, stops(kind.class_, finer))


def stops(class_: str, kind: str | None) -> bool:
    """Whether a way of this class and kind is a barrier: rail, water, main roads.

    >>> stops("road", "primary"), stops("road", "residential"), stops("rail", "tram"), stops("water", None)
    (True, False, False, True)
    """
    if class_ == "rail":
        return kind is None or kind in RAIL_BARRIERS
    if class_ == "water":
        return kind is None or kind in WATER_BARRIERS
    return class_ == "road" and kind in MAIN_ROADS


def from_tags(tags: Mapping[str, str], *, surface: bool = False, area_m2: float = 0.0) -> Kind | None:
    """The kind of an OpenStreetMap line, or with `surface` of a polygon (only water counts); None: not a way.

    >>> from_tags({"highway": "primary", "bridge": "yes"})
    Kind(class_='bridge', kind='primary', barrier=False)
    >>> from_tags({"railway": "rail", "tunnel": "yes"}).barrier
    False
    """
    if surface:
        return _surface(tags, area_m2)
    hidden = tags.get("tunnel", "no") != "no"
    raised = tags.get("bridge", "no") != "no"
    highway, railway, waterway = tags.get("highway"), tags.get("railway"), tags.get("waterway")
    if highway in ROADS or highway in PATHS:
        if raised:
            return Kind("bridge", highway, False)
        class_ = "road" if highway in ROADS else "path"
        return Kind(class_, f"{highway}_tunnel" if hidden else highway, stops(class_, highway) and not hidden)
    if railway in RAILS:
        return Kind("rail", railway, stops("rail", railway) and not (hidden or raised))
    if waterway in WATERWAYS:
        return Kind("water", waterway, stops("water", waterway) and not hidden)
    if tags.get("natural") == "coastline":
        return Kind("water", "coastline", True)
    return None


def _surface(tags: Mapping[str, str], area_m2: float) -> Kind | None:
    natural, landuse, waterway = tags.get("natural"), tags.get("landuse"), tags.get("waterway")
    if (
        natural == "water"
        or landuse in ("reservoir", "basin")
        or waterway in ("riverbank", "dock", "river", "canal")
    ):
        kind = tags.get("water") or waterway or "water"
        return Kind("water", kind, area_m2 >= SMALLEST_BARRIER_M2)
    return None


def other_tags(text: str | None) -> dict[str, str]:
    """GDAL's `"key"=>"value","key"=>"value"` column as a dictionary.

    >>> other_tags('"bridge"=>"yes","name:fi"=>"Pitk\\\\"ä"')
    {'bridge': 'yes', 'name:fi': 'Pitk"ä'}
    """
    found: dict[str, str] = {}
    words: list[str] = []
    word: list[str] | None = None
    escaped = False
    for letter in text or "":
        if word is None:
            word = [] if letter == '"' else None
        elif escaped:
            word.append(letter)
            escaped = False
        elif letter == "\\":
            escaped = True
        elif letter == '"':
            words.append("".join(word))
            word = None
        else:
            word.append(letter)
        if len(words) == 2:
            found[words[0]] = words[1]
            words = []
    return found

"""Levels: the administrative ranks, what they are called, and which names are taken."""

from __future__ import annotations

import re

from geo.errors import RefusedArgument

RANKS = {"city": 1, "district": 2, "street": 3, "community": 4}
CHINESE = {  # words that probably mean a rank; a level of that name is an overlay all the same, and told so
    "市": "city", "城市": "city", "地市": "city", "区": "district", "区县": "district", "县": "district",
    "街道": "street", "乡镇": "street", "街镇": "street", "社区": "community", "村居": "community", "村": "community",
}  # fmt: skip
TAKEN = {
    "grid",
    "grids",
    "unit",
    "units",
    "hexagon",
    "hexagons",
    "case",
    "cases",
    "facility",
    "facilities",
    "plan",
    "plans",
}
WORDS = {  # how columns speak of a rank: prefixes of column names
    1: ("city", "prefecture", "shi", "市", "地市", "城市"),
    2: ("district", "county", "dist", "qu", "xian", "boro", "borough", "区县", "区", "县", "cnty", "cty"),
    3: ("subdistrict", "street", "township", "town", "jiedao", "xiang", "街道", "乡镇", "街镇", "镇", "乡"),
    4: ("community", "village", "vill", "cun", "shequ", "社区", "村居", "村", "居委会", "居委", "里"),
}


def level_name(text: str) -> tuple[str, int | None]:
    """The level's name and its administrative rank (None for an overlay).

    >>> level_name("street"), level_name("police_district")
    (('street', 3), ('police_district', None))
    """
    name = text.strip()
    if name in TAKEN or "@" in name or ":" in name or not re.fullmatch(r"[\w][\w .\-]{0,59}", name):
        raise RefusedArgument(
            f"层级名“{text[:60]}”不能使用。",
            f"{text[:60]!r} cannot be a level's name.",
            code="level-name",
            field="level",
            do_zh="请用 city、district、street、community，或自己的名称（字母、数字、下划线，最多 60 个字符）。",
            do_en="Use city, district, street, community, or a name of your own (letters, digits, _; at most 60).",
        )
    return name, RANKS.get(name)

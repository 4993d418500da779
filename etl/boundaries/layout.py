"""Which column is the code, which the name, which the parent: by synonym in Chinese and English, then by uniqueness.

Object ids, areas, lengths and coordinates are never codes: the next export numbers and measures them anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etl.boundaries.levels import WORDS
from geo.errors import RefusedArgument

if TYPE_CHECKING:
    import pandas as pd

CODES = (
    "code areacode area_code regioncode zonecode bm dm 代码 编码 编号 区划代码 行政区划代码 行政区代码 "
    "行政代码 统计用区划代码 区域代码 区域编码 区域编号 单位代码 xzqdm xzqhdm qhdm dwdm adcode "
    "admincode admcode adminid pac geoid geocode gbcode gb villcode towncode countycode citycode "
    "districtcode streetcode communitycode fips geoidfq tractce ward precinct district boro_cd borocd "
    "postalcode postcode zipcode zip zcta5ce zcta 社区编码 社区代码 街道代码 街道编码 区县代码 网格编码 "
    "网格编号 网格代码 邮政编码 邮编 id"
)
NAMES = (
    "name 名称 区域名称 地名 行政区名称 行政区划名称 xzqmc xzqhmc qhmc dwmc mc area_name areaname "
    "regionname fullname namelsad label title name_zh name_chn name_cn cname chname villname townname "
    "countyname cityname districtname streetname communityname 社区名称 社区 街道名称 街道 区县名称 "
    "区县 网格名称 po_name neighborhood neighbourhood site_name ntaname boro_name boroname name_en "
    "pyname"
)
PARENTS = (
    "parent parentcode parent_code parentid parent_id padcode parentadcode pcode pid 上级代码 上级编码 "
    "上级 上级区划代码 父级 父级代码 父代码 所属代码 sjdm"
)
CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
CODE_TAIL = r"(code|cd|id|no|num|nbr|adcode|代码|编码|编号|码)"
NEVER = re.compile(
    r"^(objectid|object_id|ogc_fid|ogcfid|fid|gid|oid|rowid|index|subfeatureindex|@?id_?\d*|globalid|uuid"
    r"|.*(shape|geom)_*(st)?_*(area|are|leng|length|len)\w*|.*area.*m2|area|perimeter|acres|sqmiles|sqkm|hectares|aland|awater|length|len"
    r"|shapestare\w*|shapestlen\w*|面积|周长|长度|.*面积.*|.*周长.*|lon|lat|lng|longitude|latitude|intptlat|intptlon|point_?[xy]|x|y|经度|纬度"
    r"|center|centroid|childrennum|acroutes|url|flag)$"
)


@dataclass(frozen=True)
class Layout:
    """The chosen columns; None where there is none (no code column: the name is the code)."""

    code: str | None
    name: str | None
    parent: str | None

    def as_dict(self) -> dict[str, str | None]:
        """For the report."""
        return {"code": self.code, "name": self.name, "parent": self.parent}


def text_of(value: Any) -> str:
    """A code or name as text: `1.0` is `1`, padding is gone, nothing is ''.

    >>> text_of(1.0), text_of(" A7 "), text_of(float("nan")), text_of('{ "adcode": 310000 }')
    ('1', 'A7', '', '310000')
    """
    import pandas as pd  # the service answers without it

    if value is None or (isinstance(value, float) and value != value) or value is pd.NA:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    text = CONTROL.sub(" ", str(value)).strip()
    if re.fullmatch(r"-?\d{1,15}\.0+", text):
        return text.split(".")[0]
    if text.startswith("{"):
        try:
            found = json.loads(text)
        except ValueError:
            return text
        return text_of(found.get("adcode", found.get("code", ""))) if isinstance(found, dict) else text
    return text


def choose(
    frame: pd.DataFrame, level: str, rank: int | None, code: str | None, name: str | None, parent: str | None
) -> Layout:
    """The columns to use; what was asked for wins and must exist."""
    columns = [str(c) for c in frame.columns if c != "geometry"]
    texts = {column: [text_of(v) for v in frame[column]] for column in columns}
    for field, asked in (("code", code), ("name", name), ("parent", parent)):
        if asked is not None and asked not in columns:
            raise _missing(field, asked, columns)
    named = name or _name(columns, texts, level, rank)
    coded = code or _code(columns, texts, level, rank, named)
    above = parent or _parent(columns, texts, rank, coded)
    return Layout(coded, named, above)


def plain(column: str) -> str:
    """A column's name without case, spaces and trailing years: `GEOID10` -> `geoid`, `NAME_2` -> `name`.

    >>> plain("GEOID10"), plain("District Code")
    ('geoid', 'districtcode')
    """
    word = re.sub(r"[\s_\-.()（）]+", "", column.strip().lower())
    return re.sub(r"(?<=[a-z])(10|20|\d)$", "", word) or word


def _plains(words: Iterable[str]) -> dict[str, int]:
    return {plain(word): i for i, word in reversed(list(enumerate(words)))}


_CODES, _NAMES, _PARENTS = _plains(CODES.split()), _plains(NAMES.split()), _plains(PARENTS.split())


def is_never(column: str, values: list[str]) -> bool:
    """Whether a column cannot be a code: an object id, an area, a length, a coordinate, or a mere row number.

    >>> is_never("OBJECTID", ["7", "9"]), is_never("ID", ["1", "2", "3"]), is_never("ID", ["A15", "A7"])
    (True, True, False)
    """
    word = column.strip().lower()
    if plain(word) == "id":
        return _counts(values)
    return bool(NEVER.match(word) or NEVER.match(plain(word)))


def _counts(values: list[str]) -> bool:
    """Whether the values are 0, 1, 2 … or 1, 2, 3 … in some order."""
    if not all(v.isdigit() for v in values) or not values:
        return False
    numbers = sorted(int(v) for v in values)
    return numbers in (list(range(len(numbers))), list(range(1, len(numbers) + 1)))


def _unique(values: list[str]) -> bool:
    return all(values) and len(set(values)) == len(values)


def _code(
    columns: list[str], texts: dict[str, list[str]], level: str, rank: int | None, name: str | None
) -> str | None:
    usable = [c for c in columns if not is_never(c, texts[c]) and any(texts[c])]
    by_word = sorted(
        (c for c in usable if plain(c) in _CODES or _of_level(c, level)), key=lambda c: _order(c, level, rank)
    )
    for column in by_word:
        if _unique(texts[column]):
            return column
    for column in by_word:
        filled = [value for value in texts[column] if value]
        if _unique(filled) and 2 * len(filled) > len(texts[column]):
            return column  # the features without a code are rejected by number
    tail = f"({CODE_TAIL}|{re.escape(plain(level))})$"
    for column in usable:
        several = len(texts[column]) > 1
        if column != name and several and re.search(tail, plain(column)) and _unique(texts[column]):
            return column
    whole = [column for column in by_word if all(texts[column])]
    if whole and not (name and _unique(texts[name])):
        return whole[0]
    if name is not None and _unique(texts[name]):
        return None
    distinct = [c for c in usable if len(texts[c]) > 1 and _unique(texts[c]) and _short(texts[c])]
    return distinct[0] if distinct else None


def _order(column: str, level: str, rank: int | None) -> tuple[bool, bool, int]:
    """Columns named after the level first, then those of its rank, then by the order of the synonyms."""
    word = plain(column)
    of_rank = rank is not None and any(word.startswith(prefix) for prefix in WORDS[rank])
    return not _of_level(column, level), not of_rank, _CODES.get(word, len(_CODES))


def _of_level(column: str, level: str) -> bool:
    """`Neighborhood_ID` for the level neighborhood, `WARD` for ward, `社区编码` for 社区."""
    word, own = plain(column), plain(level)
    return re.fullmatch(re.escape(own) + CODE_TAIL + "?", word) is not None


def _short(values: list[str]) -> bool:
    """Codes are short words, not measurements or sentences."""
    return all(len(v) <= 40 for v in values) and not any(re.fullmatch(r"-?\d+\.\d+", v) for v in values)


def _name(columns: list[str], texts: dict[str, list[str]], level: str, rank: int | None) -> str | None:
    """The name column with the most different names; columns of the level's own rank first when they are no fewer."""
    own = plain(level)
    found = [
        c
        for c in columns
        if (plain(c) in _NAMES or plain(c) in (own + "name", own + "名称")) and any(texts[c])
    ]
    if not found:
        return None

    def order(column: str) -> tuple[int, bool, int]:
        word = plain(column)
        of_rank = rank is not None and any(word.startswith(prefix) for prefix in WORDS[rank])
        latin = word.endswith(("en", "eng")) or word == "pyname"
        return (-len(set(texts[column])) if not latin else 0, not of_rank, _NAMES.get(word, 0))

    return min(found, key=order)


def _parent(
    columns: list[str], texts: dict[str, list[str]], rank: int | None, code: str | None
) -> str | None:
    """A parent column by synonym; for an administrative level else the code column of the nearest rank above."""
    for column in sorted((c for c in columns if plain(c) in _PARENTS), key=lambda c: _PARENTS[plain(c)]):
        if any(texts[column]) and column != code:
            return column
    for above in range((rank or 1) - 1, 0, -1):
        for column in columns:
            word = plain(column)
            coded = re.fullmatch(
                "(" + "|".join(map(re.escape, WORDS[above])) + ")(code|adcode|cd|代码|编码|编号)", word
            )
            if (
                coded
                and column != code
                and all(texts[column])
                and len(set(texts[column])) <= len(texts[column])
            ):
                return column
    return None


def _missing(field: str, asked: str, columns: list[str]) -> RefusedArgument:
    shown = ", ".join(columns[:40])
    return RefusedArgument(
        f"没有列“{asked[:60]}”。现有：{shown}。",
        f"There is no column {asked[:60]!r}. There are: {shown}.",
        code="column-missing",
        field=f"{field}_field",
    )

"""Personal data stays outside: columns are dropped and counted, free text is masked before it is stored.

PIPL Art. 6 and 28 (least data, sensitive data). No table of Wangge describes a person, so a column whose name or
content is personal never leaves the file; in descriptions and addresses, mobile and landline numbers, identity cards,
plates, e-mail addresses, room numbers and names that are announced as names are replaced by a word in brackets.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.sources import normal
from geo.settings import reference


@lru_cache(maxsize=1)
def _personal() -> dict[str, Any]:
    """`data/personal.toml`, read once."""
    return tomllib.loads(reference("personal.toml").read_text(encoding="utf-8"))


@lru_cache(maxsize=1)
def _header_words() -> tuple[frozenset[str], tuple[str, ...]]:
    headers = _personal()["headers"]
    return frozenset(map(normal, headers["equal"])), tuple(map(normal, headers["part"]))


def _surnames() -> str:
    names = _personal()["names"]
    return "|".join([*names["double"].split(), "[" + "".join(names["single"].split()) + "]"])


_PROVINCE = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_CONTENT = (
    ("mobile", r"^(?:\+?86[- ]?)?1[3-9][0-9]{9}$"),
    (
        "id-card",
        r"^[1-9][0-9]{5}(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9Xx]$",
    ),
    ("e-mail", r"^[A-Za-z0-9._%+\-]{1,64}@[A-Za-z0-9.\-]{1,190}\.[A-Za-z]{2,24}$"),
    (
        "plate",
        rf"^[{_PROVINCE}使领][A-Z][·• ]?[A-HJ-NP-Z0-9]{{4,5}}[A-HJ-NP-Z0-9挂学警港澳]$",
    ),
)
SHARE = 0.5  # of the values of an unknown column that look personal make it personal

_DIGIT = r"[0-9０-９]"
_SEP = r"[\s\-－—–_.·•]{0,3}"
_SURNAME = _surnames()
_ROOM_UNIT = "(?:室|号房|房间|户)"
_PHONE_WORD = "电话|座机|固话|致电|拨打|来电|tel|phone|call"
_ROLE = (
    "联系人|姓名|来电人|投诉人|举报人|诉求人|反映人|报案人|当事人|业主|户主|房东|住户|市民|居民|群众|本人|我叫|名叫|联络人|"
    "租客|车主|店主|老板"
)
_TITLE = "先生|女士|小姐|同志|阿姨|大爷|师傅|奶奶|爷爷|大妈|大叔"
_ENGLISH_ROOM = "apt|apartment|unit|room|rm|suite|flat"
_ENGLISH_NAME = (
    r"[Mm]y name is|[Nn]ame(?:d)?\s*[:：]|[Cc]ontact\s*[:：]|[Rr]eported by|"
    r"[Cc]omplainant\s*[:：]|[Cc]aller\s*[:：]|\bM(?:r|rs|s)\."
)


@dataclass(frozen=True)
class Mask:
    """One kind of personal data in text: `hint` is a cheap necessary condition (RE2, over a whole column in Arrow),
    `pattern` finds it exactly, `word` replaces it."""

    kind: str
    word: str
    hint: str
    pattern: re.Pattern[str]


MASKS: tuple[Mask, ...] = (
    Mask(
        "e-mail",
        "[邮箱]",
        "@",
        re.compile(r"[A-Za-z0-9._%+\-]{1,64}@[A-Za-z0-9\-]{1,63}(?:\.[A-Za-z0-9\-]{1,63}){1,5}"),
    ),
    Mask(
        "id-card",
        "[身份证]",
        "[0-9０-９]{6}",
        re.compile(
            rf"(?<![0-9０-９A-Za-z]){_DIGIT}{{6}}{_SEP}(?:[1１][9９]|[2２][0０]){_DIGIT}{{2}}{_SEP}{_DIGIT}{{4}}{_SEP}"
            rf"{_DIGIT}{{3}}[0-9０-９XxＸｘ](?![0-9０-９])"
        ),
    ),
    Mask(
        "mobile",
        "[手机]",
        rf"[1１][3-9３-９]{_DIGIT}{_SEP}{_DIGIT}{{4}}",
        re.compile(
            rf"(?<![0-9０-９])(?:[+＋]?(?:86|８６|0086){_SEP})?[1１][3-9３-９]{_DIGIT}{_SEP}{_DIGIT}{{4}}{_SEP}{_DIGIT}{{4}}(?![0-9０-９])"
        ),
    ),
    Mask(
        "landline",
        "[电话]",
        r"[0-9]{3}[)）]?[\s\-－—.]{0,2}[0-9]{3}",
        re.compile(
            r"(?<![0-9０-９A-Za-z\-])(?:[(（]?0[0-9]{2,3}[)）]?[\s\-－—]{0,2}[2-9][0-9]{2,3}[\s\-]?[0-9]{4}(?:[\-转][0-9]{1,6})?"
            r"|(?:\+?1[\-. ]?)?\(?[2-9][0-9]{2}\)?[\-. ][2-9][0-9]{2}[\-. ][0-9]{4})(?![0-9])"
        ),
    ),
    Mask(
        "landline",
        r"\1[电话]",
        rf"(?i:{_PHONE_WORD}).{{0,12}}[2-9][0-9]{{2}}",
        re.compile(
            rf"((?:{_PHONE_WORD})(?:号码|是|为|me|at|\s|[:：.])*)[2-9][0-9]{{2,3}}[\-\s]?[0-9]{{4}}(?![0-9])",
            re.IGNORECASE,
        ),
    ),
    Mask(
        "plate",
        "[车牌]",
        rf"[{_PROVINCE}使领]\s?[A-Z]",
        re.compile(
            rf"[{_PROVINCE}使领]\s?[A-Z]\s?[·•.\-]?\s?(?=[A-HJ-NP-Z0-9]{{0,5}}[0-9])[A-HJ-NP-Z0-9]{{4,5}}"
            rf"[A-HJ-NP-Z0-9挂学警港澳](?![A-Za-z0-9])"
        ),
    ),
    Mask(
        "room",
        "[房号]",
        "号楼|栋|幢|座|#|＃",
        re.compile(
            rf"(?:{_DIGIT}{{1,4}}|[一二三四五六七八九十]{{1,3}}|[A-Za-z]{{1,2}})(?:号楼|栋|幢|座|#|＃)\s?"
            rf"(?:(?:{_DIGIT}{{1,3}}|[一二三四五六七八九十甲乙丙]{{1,3}}|[A-Za-z])(?:单元|门|梯)\s?)?(?:{_DIGIT}{{1,2}}[层楼]\s?)?"
            rf"[A-Za-z]?{_DIGIT}{{2,5}}[A-Za-z]?(?:{_ROOM_UNIT})?(?![0-9０-９米元个人次年月日平公点:：])"
        ),
    ),
    Mask(
        "room",
        "[房号]",
        rf"{_DIGIT}{{2}}[A-Za-z]?{_ROOM_UNIT}",
        re.compile(
            rf"(?:(?:{_DIGIT}{{1,3}}|[一二三四五六七八九十甲乙丙]{{1,3}})(?:单元|门|梯)\s?)?[A-Za-z]?(?<![0-9０-９]){_DIGIT}{{2,5}}"
            rf"[A-Za-z]?{_ROOM_UNIT}(?![外内]?[居住]*[人民]民)"
        ),
    ),
    Mask(
        "room",
        "[room]",
        rf"(?i:{_ENGLISH_ROOM})\.?\s?#?\s?[0-9]|#\s?[0-9]",
        re.compile(
            rf"\b(?:{_ENGLISH_ROOM})\.?\s?#?\s?[0-9]{{1,5}}[A-Za-z]?\b|(?<=\s)#\s?[0-9]{{1,5}}[A-Za-z]?\b",
            re.IGNORECASE,
        ),
    ),
    Mask(
        "name",
        r"\1[姓名]",
        _ROLE,
        re.compile(
            rf"((?:{_ROLE})(?:姓名)?(?:是|为|叫|系|名叫)?\s*[:：]?\s*)"
            rf"(?:{_SURNAME})(?:[\u4e00-\u9fff]{{1,2}}(?=[，,。；;、：:\s（(\d１\[]|$|反映|投诉|来电|举报|电话|手机|称|说|表示|先生|女士|小姐|同志|致电|诉求|报修|提出|希望)"
            rf"|(?=先生|女士|小姐|某))(?:某{{1,2}})?"
        ),
    ),
    Mask(
        "name",
        r"[姓名]\1",
        rf"\p{{Han}}(?:{_TITLE})",
        re.compile(rf"(?<![\u4e00-\u9fff])(?:{_SURNAME})[\u4e00-\u9fff]{{0,2}}({_TITLE})"),
    ),
    Mask(
        "name",
        r"\1[name]",
        _ENGLISH_NAME,
        re.compile(
            rf"((?:{_ENGLISH_NAME})\s*)[A-Z][a-z'’\-]{{1,20}}(?:\s(?:[A-Z]\.\s?)?[A-Z][a-z'’\-]{{1,20}}){{0,2}}"
        ),
    ),
)
_ANY_HINT = "|".join(f"(?:{hint})" for hint in dict.fromkeys(mask.hint for mask in MASKS))


@dataclass
class Masked:
    """Masked text, how many values changed, which rows, and how often each kind was found."""

    column: pa.StringArray
    rows: list[int] = field(default_factory=list)
    kinds: dict[str, int] = field(default_factory=dict)


def personal_by_name(header: str) -> bool:
    """Whether a header names something personal.

    >>> [personal_by_name(h) for h in ("reporter_name", "id_card", "联系电话", "来电人姓名", "Agency Name", "经度")]
    [True, True, True, True, False, False]
    """
    name = normal(header)
    equal, parts = _header_words()
    return name in equal or any(part in name for part in parts)


def personal_by_content(column: pa.StringArray) -> str | None:
    """The kind of personal data that at least half of a column's values are, or None.

    >>> personal_by_content(pa.array(["13800138000", "13912345678", None])), personal_by_content(pa.array(["1", "2"]))
    ('mobile', None)
    """
    known = column.drop_null()
    if not len(known):
        return None
    sample = known.slice(0, 5000)
    for kind, pattern in _CONTENT:
        hits = np.asarray(pc.match_substring_regex(sample, pattern))
        if hits.sum() < SHARE * len(sample):
            continue
        if kind == "id-card" and not all(
            id_card_valid(v.as_py()) for v in sample.filter(pa.array(hits))[:20]
        ):
            continue
        return kind
    return None


def id_card_valid(number: str) -> bool:
    """Whether the check character of an 18-character Chinese identity number is right (GB 11643-1999).

    >>> id_card_valid("11010519491231002X"), id_card_valid("110105194912310021")
    (True, False)
    """
    if not re.fullmatch(r"\d{17}[\dXx]", number):
        return False
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(int(d) * w for d, w in zip(number, weights, strict=False))
    return "10X98765432"[total % 11] == number[-1].upper()


def mask(text: str) -> tuple[str, list[str]]:
    """A text without personal data, and the kinds that were found.

    >>> mask("联系人：张三，电话13800138000，3号楼2单元501室漏水")
    ('联系人：[姓名]，电话[手机]，[房号]漏水', ['mobile', 'room', 'name'])
    >>> mask("路灯坏了 12 盏")
    ('路灯坏了 12 盏', [])
    """
    kinds = []
    for item in MASKS:
        text, hits = item.pattern.subn(item.word, text)
        if hits and item.kind not in kinds:
            kinds.append(item.kind)
    return text, kinds


def mask_column(column: pa.StringArray) -> Masked:
    """`mask` over a column: each mask runs only on the values its hint points at, each distinct value once."""
    suspect = np.asarray(pc.fill_null(pc.match_substring_regex(column, _ANY_HINT), False))
    if not suspect.any():
        return Masked(column)
    rows = np.flatnonzero(suspect)
    encoded = pc.dictionary_encode(column.take(pa.array(rows)))
    words, kinds = _mask_distinct(encoded.dictionary)
    indices = encoded.indices.to_numpy(zero_copy_only=False)
    changed = np.isin(indices, list(kinds))
    out = Masked(column)
    if not changed.any():
        return out
    for index, times in zip(*np.unique(indices[changed], return_counts=True), strict=True):
        for kind in kinds[int(index)]:
            out.kinds[kind] = out.kinds.get(kind, 0) + int(times)
    out.rows = rows[changed].tolist()
    hits = np.zeros(len(column), np.bool_)
    hits[rows[changed]] = True
    new = pa.array([words[int(index)] for index in indices[changed]], pa.string())
    out.column = pc.replace_with_mask(column, pa.array(hits), new)
    return out


def _mask_distinct(values: pa.StringArray) -> tuple[dict[int, str], dict[int, list[str]]]:
    """Position → masked text and kinds, of the values that change."""
    words: dict[int, str] = {}
    kinds: dict[int, list[str]] = {}
    for item in MASKS:
        hinted = np.flatnonzero(np.asarray(pc.match_substring_regex(values, item.hint)))
        texts = values.take(pa.array(hinted)).to_pylist()
        for at, original in zip(hinted.tolist(), texts, strict=True):
            text, hits = item.pattern.subn(item.word, words.get(at, original))
            if hits:
                words[at] = text
                found = kinds.setdefault(at, [])
                if item.kind not in found:
                    found.append(item.kind)
    return words, kinds


def plain(text: str) -> str:
    """Full-width digits and letters as ASCII, for tests of what masking must have removed.

    >>> plain("１３８")
    '138'
    """
    return unicodedata.normalize("NFKC", text)

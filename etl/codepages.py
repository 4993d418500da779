"""Which encoding a text is in: byte order mark, strict UTF-8, GB18030, then a detector.

The order is deliberate: short Chinese columns mislead detectors, while a text that decodes as strict UTF-8 and holds
bytes above 127 is UTF-8 with near certainty; GB18030 contains GBK and GB2312.
"""

from __future__ import annotations

import codecs

BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
ALIASES = {
    "gbk": "gb18030",
    "gb2312": "gb18030",
    "cp936": "gb18030",
    "936": "gb18030",
    "ansi 936": "gb18030",
    "65001": "utf-8",
    "utf8": "utf-8",
    "ansi 1252": "cp1252",
    "1252": "cp1252",
    "88591": "iso-8859-1",
    "8859-1": "iso-8859-1",
    "big5": "big5hkscs",
    "950": "big5hkscs",
    "ansi 950": "big5hkscs",
}


def known(name: str) -> str | None:
    """The Python codec of an encoding's name as files and people write it, or None.

    >>> known("GBK"), known("UTF-8"), known("no such thing")
    ('gb18030', 'utf-8', None)
    """
    word = name.strip().lower().removeprefix("encoding=").strip()
    try:
        return codecs.lookup(ALIASES.get(word, word)).name
    except LookupError:
        return None


def detect(data: bytes) -> str:
    """The encoding of a text given as bytes (all of it, or a long sample cut at a line end).

    >>> detect("浦东新区".encode("gbk")), detect("浦东新区".encode()), detect(b"Pudong")
    ('gb18030', 'utf-8', 'utf-8')
    """
    for mark, encoding in BOMS:
        if data.startswith(mark):
            return encoding
    for encoding in ("utf-8", "gb18030"):
        if decodes(data, encoding) and not (encoding == "gb18030" and _looks_western(data)):
            return encoding
    from charset_normalizer import from_bytes  # only here: it is slow to import

    best = from_bytes(data[:200_000]).best()
    return known(best.encoding) or "iso-8859-1" if best is not None else "iso-8859-1"


def decodes(data: bytes, encoding: str) -> bool:
    """Whether every byte makes sense in the encoding."""
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _looks_western(data: bytes) -> bool:
    """Text that GB18030 accepts by accident: single accented letters between ASCII letters (`Zürich` in Latin-1).

    Chinese comes in runs: two bytes above 127 at a time (or one followed by a lead below 127, rarely). When most runs
    of high bytes have odd length, it is not Chinese.
    """
    runs: list[int] = []
    length = 0
    for byte in data[:100_000]:
        if byte > 127:
            length += 1
        elif length:
            runs.append(length)
            length = 0
    if length:
        runs.append(length)
    odd = sum(1 for run in runs if run % 2)
    return bool(runs) and odd * 2 > len(runs)

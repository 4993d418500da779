"""Which encoding a text file is in: byte order mark, strict UTF-8, GB18030, then a detector. Never a guess that garbles.

The whole file is read once; what is returned decodes every byte of it, or is UTF-8 with lines that will be rejected.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator

import charset_normalizer

from geo.errors import RefusedArgument, RefusedFile

SAMPLE_BYTES = 1 << 20
MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
ESCAPES = frozenset(
    {"unicode-escape", "raw-unicode-escape", "utf-7", "idna", "punycode"}
)  # of programs and names, not of files
_LONELY = re.compile(r"(?<![^\x00-\x7f])[\u4e00-\u9fff](?![^\x00-\x7f])")
_FOREIGN = re.compile(r"[^\x00-\x7f]")

Chunks = Callable[[], Iterable[bytes]]


def detect(chunks: Chunks, given: str | None = None) -> str:
    """The encoding of a file whose bytes `chunks()` delivers (afresh at each call).

    >>> detect(lambda: ["编号,经度".encode("gb18030")])
    'gb18030'
    >>> detect(lambda: ["编号,经度".encode()])
    'utf-8'
    """
    if given is not None:
        return _checked(chunks, given)
    head = next(iter(chunks()), b"")
    for mark, name in MARKS:
        if head.startswith(mark):
            return name
    if decodes(chunks(), "utf-8"):
        return "utf-8"
    if decodes(chunks(), "gb18030"):
        sample = _sample(chunks(), "gb18030")
        if len(_LONELY.findall(sample)) < 0.8 * len(_FOREIGN.findall(sample)):
            return "gb18030"
    return _ask_detector(chunks) or "utf-8"


def decodes(chunks: Iterable[bytes], name: str) -> bool:
    """Whether every byte decodes."""
    decoder = codecs.getincrementaldecoder(name)()
    try:
        for chunk in chunks:
            if name == "utf-8" and chunk.isascii() and not decoder.getstate()[0]:
                continue
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeError:  # bytes that are none, or no byte order mark where the encoding needs one
        return False
    return True


def as_utf8(chunks: Iterable[bytes], name: str) -> Iterator[bytes]:
    """The same text in UTF-8, without byte order mark; lone carriage returns of old files become line feeds.

    UTF-8 passes through unchecked: the line parser names lines that are not.
    """
    decoder = None if name == "utf-8" else codecs.getincrementaldecoder(name)()
    first, old_mac = True, False
    for chunk in chunks:
        out = chunk if decoder is None else decoder.decode(chunk).encode("utf-8")
        if first and out:
            out = out.removeprefix(codecs.BOM_UTF8)
            old_mac = b"\r" in out and b"\n" not in out
            first = False
        yield out.replace(b"\r", b"\n") if old_mac else out
    if decoder is not None:
        yield decoder.decode(b"", final=True).encode("utf-8")


def _checked(chunks: Chunks, given: str) -> str:
    try:
        name = codecs.lookup(given).name
        "".encode(name)  # a LookupError for what packs or scrambles bytes: hex, zlib, rot13
        if name in ESCAPES:
            raise LookupError(name)
    except (LookupError, UnicodeError) as problem:
        raise RefusedArgument(
            f"没有编码 {given!r}。",
            f"There is no encoding {given!r}.",
            field="encoding",
            do_en="Try utf-8 or gb18030.",
        ) from problem
    name = "gb18030" if name in ("gbk", "gb2312") else name
    if not decodes(chunks(), name):
        raise RefusedFile(
            f"文件不是 {given} 编码。",
            f"The file is not in encoding {given}.",
            code="encoding",
            do_zh="去掉 --encoding 让程序自动识别。",
            do_en="Leave out --encoding to have it detected.",
        )
    return name


def _sample(chunks: Iterable[bytes], name: str) -> str:
    """About a megabyte of text that holds the first foreign characters."""
    decoder = codecs.getincrementaldecoder(name)()
    found = ""
    for chunk in chunks:
        found += "\n".join(re.findall(r"[^\n]*[^\x00-\x7f][^\n]*", decoder.decode(chunk)))[:SAMPLE_BYTES]
        if len(found) >= SAMPLE_BYTES:
            break
    return found


def _ask_detector(chunks: Chunks) -> str | None:
    """A detector's answer, where all bytes decode and it is no wild guess: Western text needs lonely foreign letters."""
    lines: list[bytes] = []
    for chunk in chunks():
        lines += [line for line in chunk.splitlines() if not line.isascii()]
        if sum(map(len, lines)) > SAMPLE_BYTES:
            break
    sample = b"\n".join(lines)[:SAMPLE_BYTES]
    if _mostly_utf8(lines) or not sample:
        return None
    best = charset_normalizer.from_bytes(sample).best()
    candidates = [best.encoding] if best is not None else []
    for name in [*candidates, "cp1252"]:
        name = codecs.lookup(name).name
        multibyte = name in ("big5", "big5hkscs", "cp950", "shift_jis", "cp932", "euc_kr", "cp949", "euc_jp")
        lonely = re.search(rb"[\x80-\xff]{2}|[\x80-\xff](?![A-Za-z \-',.])", sample) is None
        if (multibyte or lonely) and decodes(chunks(), name):
            return name
    return None


def _mostly_utf8(lines: list[bytes]) -> bool:
    """At least half of the lines with foreign bytes are good UTF-8: the others are broken, not another encoding."""
    good = 0
    for line in lines:
        try:
            line.decode("utf-8")
            good += 1
        except UnicodeDecodeError:
            pass
    return good * 2 >= len(lines)

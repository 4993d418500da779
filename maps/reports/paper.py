"""A statement as PDF, A4, set by Typst. All texts travel as JSON that the template reads: no text is ever markup."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

import typst

from geo.errors import RefusedArgument
from maps.reports.statement import Statement

CHINESE = (
    "Noto Sans CJK SC", "Source Han Sans SC", "Source Han Sans CN", "Noto Sans SC", "Microsoft YaHei", "PingFang SC",
    "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "SimHei", "SimSun", "Noto Sans CJK JP", "Noto Serif CJK SC",
    "Source Han Serif SC", "Droid Sans Fallback", "AR PL UMing CN", "AR PL UKai CN", "FangSong", "KaiTi",
)  # fmt: skip
NO_PACKAGES = "/nonexistent"  # Typst may look nothing up: the template needs no package


def statement_pdf(statement: Statement) -> bytes:
    """The PDF. Raises RefusedArgument `no-chinese-font` with the command that installs one."""
    return compiled("statement.typ", statement.as_dict(), {"map.svg": statement.picture.svg})


def chinese_font(families: Collection[str] | None = None) -> str:
    """A font with Chinese characters among `families` (default: those of this machine), sans serif first.

    >>> chinese_font({"Arial", "SimSun", "Noto Sans CJK SC"})
    'Noto Sans CJK SC'
    """
    known = _families() if families is None else families
    for name in CHINESE:
        if name in known:
            return name
    raise RefusedArgument(
        "这台机器上没有中文字体，不能排印 PDF。",
        "This machine has no font with Chinese characters; the PDF cannot be set.",
        code="no-chinese-font",
        field="output",
        do_zh="请运行 sudo apt-get install fonts-noto-cjk，或改用 .html。",
        do_en="Run `sudo apt-get install fonts-noto-cjk`, or write .html instead.",
    )


@lru_cache(maxsize=1)
def _families() -> frozenset[str]:
    return frozenset(typst.Fonts().families())


def compiled(template: str, data: dict[str, Any], pictures: Mapping[str, str]) -> bytes:
    """A template of `maps/assets` set with texts and drawings (SVG by name), as PDF.

    Raises RefusedArgument `no-chinese-font`.
    """
    texts = json.dumps({**data, "fonts": [chinese_font()]}, ensure_ascii=False).encode()
    sources = {
        "main.typ": (files("maps") / "assets" / template).read_bytes(),
        "data.json": texts,
        **{name: svg.encode() for name, svg in pictures.items()},
    }
    made = typst.compile(  # type: ignore[call-overload]  # the stubs do not know of files by name
        sources, format="pdf", package_path=NO_PACKAGES, package_cache_path=NO_PACKAGES
    )
    return bytes(made)

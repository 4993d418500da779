"""Ten-byte field names for shapefiles: short, unique, with a mapping back to the full names."""

from __future__ import annotations

from collections.abc import Sequence

DBF_NAME_BYTES = 10

SHORT = {
    "source_case_id": "case_id",
    "category_top": "cat_top",
    "category_sub": "cat_sub",
    "responsible_body": "resp_body",
    "dispatched_at": "dispatched",
    "median_days_to_close": "med_days",
    "per_1000_households": "per_1000hh",
    "perimeter_m": "perim_m",
    "parent_code": "parent",
}


def short_names(names: Sequence[str], encoding: str = "utf-8") -> dict[str, str]:
    """Full name → a name of at most ten bytes in `encoding`, unique without regard to case.

    A name that fits stays; known long names have agreed short ones; the rest are cut at a character, and a clash gets a
    number. The order of `names` decides who keeps the plain form.

    >>> short_names(["responsible_body", "responsible_date", "名称"])
    {'responsible_body': 'resp_body', 'responsible_date': 'responsibl', '名称': '名称'}
    """
    taken: set[str] = set()
    mapping: dict[str, str] = {}
    for name in names:
        base = _cut(SHORT.get(name, name), DBF_NAME_BYTES, encoding) or "field"
        candidate, number = base, 1
        while candidate.casefold() in taken:
            suffix = f"_{number}"
            candidate = _cut(base, DBF_NAME_BYTES - len(suffix), encoding) + suffix
            number += 1
        taken.add(candidate.casefold())
        mapping[name] = candidate
    return mapping


def _cut(text: str, size: int, encoding: str) -> str:
    """The longest start of `text` that fits `size` bytes, never half a character."""
    return text.encode(encoding, "replace")[:size].decode(encoding, "ignore")

"""The data dictionary, written from the schema itself: `python -m geo.db.dictionary > docs/data-dictionary.md`.

What a table is for comes from its class's docstring, what a column means from the remark beside it in `tables/`.
"""

from __future__ import annotations

import inspect
import io
import re
import sys
import tokenize
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Mapper

from geo.db.tables import Base, cases, ground, loads, people, plans, remarks, work

STORY = (ground, loads, plans, remarks, cases, work, people)  # the rooms of the schema, as one reads them

HEAD = """# Data dictionary

Written by `python -m geo.db.dictionary` from `geo/db/tables/`; a test keeps the two equal. Geometry is EPSG:4326, areas are m²,
lengths m, instants carry a time zone, date ranges are half-open. Every geometry column is checked: valid, finite, not empty.
"""


def markdown() -> str:
    """The whole dictionary as Markdown, tables in the order of the schema's story."""
    return HEAD + "".join(_room(room) for room in STORY)


def _room(room: ModuleType) -> str:
    said = _remarks(Path(inspect.getfile(room)))
    mappers = [m for m in Base.registry.mappers if m.class_.__module__ == room.__name__]
    mappers.sort(key=lambda m: inspect.getsourcelines(m.class_)[1])
    return "".join(_table(mapper, said) for mapper in mappers)


def _table(mapper: Mapper[Any], remarks: dict[tuple[str, str], str]) -> str:
    table: Any = mapper.local_table
    story = re.sub(r"\s+", " ", inspect.getdoc(mapper.class_) or "").strip()
    lines = [f"\n## {table.name}\n\n{story}\n\n", "| column | type | needed | meaning |\n|---|---|---|---|\n"]
    for attribute in mapper.column_attrs:
        column = attribute.columns[0]
        kind = str(column.type.compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]
        notes = [f"→ {key.target_fullname}" for key in column.foreign_keys]
        remark = remarks.get((mapper.class_.__name__, attribute.key))
        meaning = "; ".join([*notes, *([remark] if remark else [])])
        needed = "key" if column.primary_key else ("" if column.nullable else "yes")
        lines.append(f"| {column.name} | {kind.lower()} | {needed} | {meaning.replace('|', '/')} |\n")
    return "".join(lines)


def _remarks(source: Path) -> dict[tuple[str, str], str]:
    """(class, attribute) → the remark at the end of the attribute's line."""
    found: dict[tuple[str, str], str] = {}
    holder = ""
    text = source.read_text(encoding="utf-8")
    comments = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT
    }
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("class "):
            holder = line[6:].partition("(")[0]
        attribute = re.match(r"    (\w+): Mapped", line)
        if attribute and number in comments:
            found[holder, attribute[1]] = comments[number]
    return found


if __name__ == "__main__":
    sys.stdout.write(markdown())

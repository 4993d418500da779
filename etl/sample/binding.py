"""The sample's sources and their common catalogue in the database: names in two languages, handling minutes.

Codes are the words that stand in the files, as for any source that brings its own categories; binding them before the
first load gives them English names and minutes, and both sources one catalogue.
"""

from __future__ import annotations

import tomllib

from sqlalchemy import select
from sqlalchemy.orm import Session

from etl.sample.spec import TIMEZONE
from geo.db.tables import Catalogue, Category, Source
from geo.settings import reference

CATALOGUE = "云川市案件类别（合成）"
SOURCES = ("hotline", "patrol")


def bind(session: Session) -> None:
    """Write catalogue, categories and sources where they are missing; flushes, never commits."""
    raw = tomllib.loads(reference("sample/catalogue.toml").read_text(encoding="utf-8"))
    catalogue = session.scalar(select(Catalogue).where(Catalogue.name == CATALOGUE))
    if catalogue is not None:
        return
    catalogue = Catalogue(name=CATALOGUE, open=True)
    session.add(catalogue)
    session.flush()
    parents: dict[str, int] = {}
    for top in raw["top"]:
        row = Category(
            catalogue_id=catalogue.id,
            code=top["name"],
            name=top["name"],
            name_en=top["name_en"],
            minutes=30.0,
        )
        session.add(row)
        session.flush()
        parents[top["code"]] = row.id
    session.add_all(
        Category(
            catalogue_id=catalogue.id,
            parent_id=parents[sub["code"][:3]],
            code=sub["name"],
            name=sub["name"],
            name_en=sub["name_en"],
            minutes=float(sub["minutes"]),
        )
        for sub in raw["sub"]
    )
    session.add_all(Source(name=name, timezone=TIMEZONE, catalogue_id=catalogue.id) for name in SOURCES)
    session.flush()

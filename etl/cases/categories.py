"""New categories written to the catalogue: two sources of one open catalogue may bring the same word at once."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

INSERT = (
    "INSERT INTO category (id, catalogue_id, parent_id, code, name, name_en) "
    "VALUES (:id, :catalogue, :parent, :code, :name, :en) ON CONFLICT (catalogue_id, parent_id, code) DO NOTHING"
)
KNOWN = "SELECT parent_id, code, id FROM category WHERE catalogue_id = :catalogue"


def write_new(session: Session, rows: list[dict[str, Any]], catalogue_id: int) -> dict[int, int]:
    """Inserts categories with their reserved ids; returns {reserved: id} for those that another load wrote first.

    Call it under the lock under which every load writes its categories. `rows` are 大类 (parent None) and 小类.
    """
    lost: dict[int, int] = {}
    for level in (
        [row for row in rows if row["parent"] is None],
        [row for row in rows if row["parent"] is not None],
    ):
        wanted = [
            row | {"catalogue": catalogue_id, "parent": lost.get(row["parent"], row["parent"])}
            for row in level
        ]
        if not wanted:
            continue
        session.execute(text(INSERT), wanted)
        known = {(r[0], r[1]): r[2] for r in session.execute(text(KNOWN), {"catalogue": catalogue_id})}
        there = {row["id"]: known[row["parent"], row["code"]] for row in wanted}
        lost |= {reserved: id_ for reserved, id_ in there.items() if reserved != id_}
    return lost

"""The rows an act writes: history, units, grids with their polygons, the plan's own row."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
import shapely
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.codes import parse
from geo.db.session import raw
from grids import codes, stored
from grids.drafts.draft import NEW, Draft, Grids
from grids.drafts.ground import PlanRow
from grids.ledger import Ledger, part_of
from grids.units import Ints


def with_rows(session: Session, draft: Draft, ledger: Ledger, grids: Grids) -> Grids:
    """The grids with a code, a name and a row for those that had none."""
    new = np.flatnonzero(grids.ids == NEW)
    if not len(new):
        return grids
    part = part_of(ledger.partition, new)
    named = codes.assign(part, draft.row.template, _used(session, draft, part.areas_of()))
    names = [stored.default_name(part.graph, one) for one in named]
    rows = session.execute(
        text(
            "INSERT INTO grid (plan_id, code, name, posts, area_m2, perimeter_m) SELECT :plan, c, n, p, 0, 0 FROM "
            "unnest(CAST(:codes AS text[]), CAST(:names AS text[]), CAST(:posts AS float8[])) AS v (c, n, p) "
            "RETURNING id, code"
        ),
        {
            "plan": draft.row.id,
            "codes": [one.code for one in named],
            "names": names,
            "posts": grids.posts[new].tolist(),
        },
    ).all()
    ids = {row.code: row.id for row in rows}
    all_ids, all_codes, all_names = grids.ids.copy(), list(grids.codes), list(grids.names)
    for g, one, name in zip(new.tolist(), named, names, strict=True):
        all_ids[g], all_codes[g], all_names[g] = ids[one.code], one.code, name
    return Grids(all_ids, tuple(all_codes), tuple(all_names), grids.posts, grids.locked)


def _used(session: Session, draft: Draft, areas: list[list[int]]) -> dict[str, set[int]]:
    """Sequence numbers by area code that this plan, emptied grids included, or an approved one has used."""
    graph = draft.partition.graph
    prefixes = {graph.area_codes[found[0]] if found else codes.NO_AREA for found in areas}
    rows = session.scalars(
        text(
            "SELECT DISTINCT g.code FROM grid g JOIN plan p ON p.id = g.plan_id "
            "WHERE (p.approved_at IS NOT NULL OR p.id = :plan) AND left(g.code, :most) LIKE ANY (:prefixes)"
        ),
        {"plan": draft.row.id, "most": 80, "prefixes": [_escaped(p) + "%" for p in sorted(prefixes)]},
    )
    used: dict[str, set[int]] = {}
    for code in rows:
        known = parse(code, draft.row.template)
        if known is not None:
            used.setdefault(known.area, set()).add(known.sequence)
    return used


def _escaped(prefix: str) -> str:
    return prefix.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def append(
    session: Session, row: PlanRow, moved: tuple[Ints, Ints], *, act: str, undoes: int | None, what: Mapping[str, Any],
    author: str,
) -> dt.datetime:  # fmt: skip
    """The act's line in the history, the rows of the units it moved (ids, and grid ids with 0 for none), and the plan's
    revision; answers when it was."""
    at: dt.datetime = session.execute(
        text(_APPEND),
        {"plan": row.id, "revision": row.revision, "act": act, "undoes": undoes, "what": orjson.dumps(what).decode(),
         "author": author, "units": moved[0].tolist(), "grids": moved[1].tolist()},
    ).scalar_one()  # fmt: skip
    return at


_APPEND = """
WITH line AS (
  INSERT INTO plan_edit (plan_id, revision, act, undoes, what, author)
  VALUES (:plan, :revision, :act, :undoes, CAST(:what AS jsonb), :author) RETURNING at
), moved AS (
  INSERT INTO plan_unit (plan_id, unit_id, revision, grid_id) SELECT :plan, u, :revision, nullif(g, 0)
  FROM unnest(CAST(:units AS integer[]), CAST(:grids AS integer[])) AS v (u, g)
), raised AS (
  UPDATE plan SET revision = :revision WHERE id = :plan
) SELECT at FROM line"""


def set_plan(session: Session, row: PlanRow) -> None:
    """What an act may set of the plan's own row."""
    session.execute(
        text(
            "UPDATE plan SET nesting = :nesting, bands = CAST(:bands AS jsonb), settings = CAST(:settings AS jsonb) "
            "WHERE id = :plan"
        ),
        {"plan": row.id, "nesting": row.nesting, "bands": orjson.dumps(row.bands).decode(),
         "settings": orjson.dumps(row.settings).decode()},
    )  # fmt: skip


def set_values(session: Session, grids: Grids, altered: Mapping[int, Any]) -> None:
    """Codes, names, posts and locks. Codes give way first, so that two grids may exchange theirs."""
    if not altered:
        return
    at = sorted(altered)
    values = {
        "ids": grids.ids[at].tolist(),
        "codes": [grids.codes[g] for g in at],
        "names": [grids.names[g] for g in at],
    }
    values |= {"posts": grids.posts[at].tolist(), "locked": grids.locked[at].tolist()}
    if any("code" in altered[g] for g in at):
        session.execute(
            text("UPDATE grid SET code = '\u00a0' || id WHERE id = ANY(:ids)"), {"ids": values["ids"]}
        )
    session.execute(
        text(
            "UPDATE grid SET code = v.code, name = v.name, posts = v.posts, locked = v.locked FROM unnest("
            "CAST(:ids AS integer[]), CAST(:codes AS text[]), CAST(:names AS text[]), CAST(:posts AS float8[]), "
            "CAST(:locked AS boolean[])) AS v (id, code, name, posts, locked) WHERE grid.id = v.id"
        ),
        values,
    )


def draw(session: Session, ledger: Ledger, grid_ids: Ints, changed: Ints) -> None:
    """Polygons, areas and outlines of the changed grids; an emptied one has none."""
    if not len(changed):
        return
    part = part_of(ledger.partition, changed)
    with raw(session).cursor(binary=True) as cursor:  # units are numbered in the order of their ids
        statement = "SELECT ST_AsBinary(geom) FROM unit WHERE id = ANY(%s) ORDER BY id"
        wkb = cursor.execute(statement, [part.graph.ids.tolist()]).fetchall()
    shapes = np.asarray(shapely.from_wkb([row[0] for row in wkb]), dtype=object)
    drawn = [
        stored.outline(shapes[part.grid == i]) if ledger.units[g] else None
        for i, g in enumerate(changed.tolist())
    ]
    areas = [part.graph.area_codes[a] if a >= 0 else None for a in ledger.main_area[changed].tolist()]
    session.execute(
        text(
            "UPDATE grid SET geom = CAST(v.geom AS geometry), area_m2 = v.area_m2, perimeter_m = v.perimeter_m, "
            "area_code = v.area FROM unnest(CAST(:ids AS integer[]), CAST(:geoms AS text[]), CAST(:m2 AS float8[]), "
            "CAST(:m AS float8[]), CAST(:areas AS text[])) AS v (id, geom, area_m2, perimeter_m, area) "
            "WHERE grid.id = v.id"
        ),
        {"ids": grid_ids[changed].tolist(), "geoms": drawn, "m2": part.area_m2.tolist(),
         "m": part.perimeter_m.tolist(), "areas": areas},
    )  # fmt: skip

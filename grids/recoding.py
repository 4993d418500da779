"""Codes at approval: grids of the plan before keep theirs, new ones get the next free numbers, west to east, north to south.

A code that any approved plan ever used is never given to another grid. Plans brought from a file keep the file's codes.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.codes import parse
from geo.db.tables import Plan
from grids import codes
from grids.codes import Named
from grids.partition import Partition
from grids.stored import Stored, code_template, default_name

PASSING = "~"  # a code nobody has, while codes change places


def named(
    session: Session, partition: Partition, before: Stored | None, former: dict[int, str] | None = None
) -> list[Named]:
    """Codes for a plan's grids, given the plan before and every code ever approved; `former` fixes who keeps what."""
    template = code_template(session)
    if former is None:
        former = codes.kept(partition, before.partition, before.codes) if before is not None else {}
    return codes.assign(partition, template, used(session, template), former)


def used(session: Session, template: str) -> dict[str, set[int]]:
    """Sequence numbers that approved plans ever used, by area code."""
    rows = session.scalars(
        text(
            "SELECT DISTINCT g.code FROM grid g JOIN plan p ON p.id = g.plan_id WHERE p.approved_at IS NOT NULL"
        )
    )
    found: dict[str, set[int]] = {}
    for code in rows:
        known = parse(code, template)
        if known is not None:
            found.setdefault(known.area, set()).add(known.sequence)
    return found


def final(
    session: Session, held: Stored, before: Stored | None, *, made_from: Plan | None = None
) -> list[Named] | None:
    """The codes a plan's grids get when it is approved after `before`; None when they stay as they are.

    A draft made from the plan before keeps the codes it shares with it; one made apart from it keeps those whose ground
    is mostly the same.
    """
    if held.plan.origin == "imported":
        return None
    former: dict[int, str] | None = None
    if before is not None and made_from is not None and made_from.id == before.plan.id:
        theirs = set(before.codes)
        former = {g: code for g, code in enumerate(held.codes) if code in theirs}
    given = named(session, held.partition, before, former)
    return None if [one.code for one in given] == list(held.codes) else given


def write(session: Session, held: Stored, given: list[Named]) -> dict[str, str]:
    """Gives a draft's grids their codes; names that only said the number follow, exceptions and comments too."""
    graph, areas = held.partition.graph, [found[0] if found else -1 for found in held.partition.areas_of()]
    moved: dict[str, str] = {}
    template = code_template(session)
    for g, one in enumerate(given):
        old = held.codes[g]
        if one.code == old:
            continue
        moved[old] = one.code
        known = parse(old, template)
        said = default_name(graph, Named(old, known.sequence, areas[g])) if known is not None else None
        name = default_name(graph, one) if held.names[g] == said else held.names[g]
        session.execute(
            text("UPDATE grid SET code = :passing || :code, name = :name, area_code = :area WHERE id = :id"),
            {"passing": PASSING, "code": one.code, "name": name, "id": held.grid_ids[g],
             "area": graph.area_codes[one.area] if one.area >= 0 else None},
        )  # fmt: skip
    _make_way(session, held, [one.code for one in given])
    _settle(session, held.plan.id, moved)
    return moved


def _make_way(session: Session, held: Stored, given: list[str]) -> None:
    """Emptied grids of the plan (merged away; their acts can be undone) whose codes are given away get those set free."""
    rows = session.execute(
        text(
            "SELECT id, code FROM grid WHERE plan_id = :p AND code = ANY(:given) AND id <> ALL(:held) ORDER BY code"
        ),
        {"p": held.plan.id, "given": given, "held": list(held.grid_ids)},
    ).all()
    free = sorted(
        set(held.codes) - set(given)
    )  # never fewer: every code taken from an emptied grid was not its holder's
    for (grid_id, _), code in zip(rows, free, strict=False):
        session.execute(
            text("UPDATE grid SET code = :passing || :code WHERE id = :id"),
            {"passing": PASSING, "code": code, "id": grid_id},
        )


def _settle(session: Session, plan_id: int, moved: dict[str, str]) -> None:
    values = {"p": plan_id, "old": list(moved), "new": list(moved.values()), "passing": PASSING}
    session.execute(
        text(
            "UPDATE grid SET code = substr(code, 1 + length(:passing)) WHERE plan_id = :p AND starts_with(code, :passing)"
        ),
        values,
    )
    for table in ("plan_exception", "plan_comment", "public_remark"):
        session.execute(
            text(
                f"UPDATE {table} t SET grid_code = m.new FROM unnest(CAST(:old AS text[]), CAST(:new AS text[])) "  # noqa: S608
                "AS m(old, new) WHERE t.plan_id = :p AND t.grid_code = m.old"
            ),
            values,
        )


__all__ = ["final", "named", "used", "write"]

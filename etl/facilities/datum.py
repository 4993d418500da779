"""Is a list of places in the datum it claims? Places that name their district are held against the district layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo import crs_evidence
from geo.db.clock import city_today
from geo.errors import RefusedFile

BETTER = 0.01  # share of places by which another datum must fit better
NAMED = 20  # places that must name a known area

AREAS = text(
    "SELECT b.name, ST_AsBinary(b.geom), l.name FROM boundary b JOIN edition e ON e.id = b.edition_id "
    "JOIN level l ON l.id = e.level_id WHERE e.during @> CAST(:today AS date) AND b.name = ANY(:names)"
)


def evidence(
    session: Session, lon: NDArray[np.float64], lat: NDArray[np.float64], names: Sequence[str | None]
) -> dict[str, float]:
    """Datum → share (0–1) of the places inside the area they name; empty when too few name one the database knows."""
    wanted = sorted({name for name in names if name})
    if not wanted:
        return {}
    rows = session.execute(AREAS, {"names": wanted[:5000], "today": city_today(session)}).all()
    if not rows:
        return {}
    level = max({row[2] for row in rows}, key=lambda one: sum(row[2] == one for row in rows))
    chosen = [row for row in rows if row[2] == level]
    known = {row[0] for row in chosen}
    use = np.array([name in known for name in names]) & ~np.isnan(lon)
    if use.sum() < NAMED:
        return {}
    areas = np.array([shapely.from_wkb(row[1]) for row in chosen], dtype=object)
    shown = [name or "" for name, keep in zip(names, use, strict=True) if keep]
    found = crs_evidence.datum_evidence(lon[use], lat[use], shown, areas, [row[0] for row in chosen])
    return {datum: round(float(share), 4) for datum, share in found.items()}


def weigh(found: dict[str, float], crs: str, asked: bool) -> tuple[str, str] | None:
    """(zh, en) of a warning when another datum fits better; refuses when nobody named the CRS.

    >>> weigh({"EPSG:4326": 0.9985, "gcj02": 0.95}, "EPSG:4326", False) is None
    True
    """
    if crs not in found:
        return None
    best = max(found, key=lambda datum: found[datum])
    if found[best] - found[crs] <= BETTER:
        return None
    zh = f"按 {crs} 有 {found[crs]:.2%} 的点落在自己写明的区内，按 {best} 有 {found[best]:.2%}"
    en = f"as {crs}, {found[crs]:.2%} of the places lie in the district they name; as {best}, {found[best]:.2%}"
    if asked:
        return zh, en
    raise RefusedFile(
        f"坐标基准存疑：{zh}。",
        f"The datum is doubtful: {en}.",
        code="datum-doubtful",
        field="crs",
        do_zh=f"用 --crs {best}；若确认无误，用 --crs {crs} 坚持原值。",
        do_en=f"Give --crs {best}, or insist with --crs {crs}.",
        shares=found,
    )

"""Who reaches a facility on foot in time: the 15-minute circle (15 分钟便民服务圈) by grid.

GB 50180-2018 plans residential areas by 5-, 10- and 15-minute walks. The measure is the share of a grid's households
(of its ground where no households are loaded) whose unit lies within so many minutes of a facility of the kind asked,
along the loaded roads and paths. Each unit counts at its own point.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.columns import Columns
from geo.errors import RefusedArgument
from geo.heat import Floats, PlanRef
from geo.supply import Supply
from geo.walking import NOT_WALKED, WALKED, WalkingNetwork, metres_to_nearest, network
from geo.zones import grid_zones

_WAYS = text(
    "SELECT ST_AsBinary(geom) FROM way WHERE class = ANY(:classes) AND NOT coalesce(kind, '') = ANY(:never) "
    "AND ST_Dimension(geom) = 1 ORDER BY id"
)
_PLACES = text(
    "SELECT ST_X(point), ST_Y(point) FROM facility WHERE point IS NOT NULL AND (CAST(:kind AS text) IS NULL OR kind = :kind)"
)
_UNITS = text(
    "SELECT u.id, ST_X(u.point), ST_Y(u.point), u.area_m2, w.value FROM unit u "
    "LEFT JOIN weight w ON w.unit_id = u.id AND w.\"column\" = 'households' "
    "WHERE NOT EXISTS (SELECT FROM unit part WHERE part.parent_id = u.id) ORDER BY u.id"
)


@dataclass(frozen=True)
class Walk:
    """How long people walk and how fast: 1.2 m/s is usual, 0.8 m/s for old people."""

    minutes: float = 15.0
    speed_m_s: float = 1.2

    @property
    def metres(self) -> float:
        """How far that gets them."""
        return self.minutes * 60 * self.speed_m_s


_networks: dict[str, WalkingNetwork | None] = {}
_lock = Lock()


def share_within(
    session: Session, columns: Columns, plan: PlanRef, kind: str | None, walk: Walk, version: str
) -> Supply:
    """The share (0–1) of each grid's households that reach a facility of `kind` within the walk.

    `n` are the households (or m² of ground) that the share is of; n + outside = total. `version` names the state of
    the network, so that it is built once. Raises RefusedArgument `no-network` when no ways are loaded.
    """
    ways = _network(session, version)
    if ways is None:
        raise RefusedArgument(
            "还没有可步行的路网，算不出步行可达。",
            "No ways to walk on are loaded, so nobody's walk can be known.",
            code="no-network",
            field="measure",
            do_zh="请先装载路网（道路、步道、桥）。",
            shell_zh="请先运行 wangge load network 文件（道路、步道、桥）。",
            do_en="Load a network of roads, paths and bridges first.",
            shell_en="`wangge load network FILE` loads roads, paths and bridges.",
        )
    places = np.array([tuple(row) for row in session.execute(_PLACES, {"kind": kind})], float).reshape(-1, 2)
    table = np.array([tuple(row) for row in session.execute(_UNITS)], float).reshape(-1, 5)
    far = metres_to_nearest(ways, table[:, 1], table[:, 2], places[:, 0], places[:, 1], walk.metres)
    people = np.nan_to_num(table[:, 4]) if np.isfinite(table[:, 4]).any() else table[:, 3]
    folded = grid_zones(session, columns, plan)
    at = columns.unit_ordinals(table[:, 0].astype(np.int32))
    zone = np.where(at >= 0, folded.unit_zone[at] if len(folded.unit_zone) else -1, -1)
    reached, whole = (
        _by_zone(zone, weight, len(folded.zones.codes)) for weight in (people * np.isfinite(far), people)
    )
    values = np.divide(reached, whole, out=np.full(len(whole), np.nan), where=whole > 0)
    n = np.round(whole).astype(np.int64)
    outside = float(np.round(people[zone < 0].sum()))
    zones = folded.zones
    return Supply(
        "grid", plan, kind, "share_within_minutes", zones.codes, zones.names, values, n, n.sum() + outside, 0.0,
        outside, zones,
    )  # fmt: skip


def _by_zone(zone: NDArray[np.int64], weight: Floats, zones: int) -> Floats:
    inside = zone >= 0
    return np.bincount(zone[inside], weights=weight[inside], minlength=zones).astype(np.float64)


def _network(session: Session, version: str) -> WalkingNetwork | None:
    with _lock:  # two requests at once build it once
        if version not in _networks:
            rows = session.scalars(_WAYS, {"classes": list(WALKED), "never": sorted(NOT_WALKED)}).all()
            lines = np.asarray(shapely.from_wkb([bytes(row) for row in rows]), dtype=object)
            _networks.clear()
            _networks[version] = network(lines)
        return _networks[version]

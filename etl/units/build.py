"""`wangge units build`: reads areas, ways and events, divides the ground, stores the units and places everything in them."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from etl.locks import wait_for
from etl.rejects import LoadReport, reserve_run_id, store
from etl.units import ground
from etl.units.ground import Cells, Ground, Obstacles, Wish
from etl.units.store import make_room, numbered, refuse_in_use, store_units
from geo.attribution import hold_placement, place_again
from geo.db.clock import city_today
from geo.db.versions import bump, versions
from geo.errors import RefusedArgument
from geo.progress import Progress, silent

SMALLEST_M2 = 100.0
MAIN_KINDS = frozenset(
    {"motorway", "motorway_link", "trunk", "trunk_link"}
)  # nobody walks across or along these
MINOR_KINDS = frozenset(
    {"service", "track", "living_street_link", "driveway", "parking_aisle"}
)  # these cut nothing
EVENT_STEP_DEG = 0.0002  # about 20 m: one event per such cell says "something happens here"


@dataclass(frozen=True)
class Areas:
    """The areas of the nesting level, sorted by code: EPSG:4326 polygons with the edition they belong to."""

    level: str
    edition_id: int
    measuring_crs: str
    ids: list[int]
    codes: list[str]
    geometry: NDArray[np.object_]


def build(
    session: Session,
    *,
    within: str = "community",
    target_area_m2: float = 10_000,
    empty_area_m2: float | None = None,
    barriers: Obstacles | None = None,
    cells: Cells = "auto",
    progress: Progress = silent,
) -> LoadReport:
    """Divides every area of level `within` into units and stores them with their borders; flushes, never commits.

    `barriers` come on top of the loaded network. Raises RefusedArgument when the level has no boundaries, when a
    plan uses the present units, or for impossible sizes. Cases and facilities are placed again at the end.

    Dividing takes no lock, so that cases are loaded meanwhile; storing and placing again hold the placement lock.
    """
    _check_sizes(target_area_m2, empty_area_m2)
    started = dt.datetime.now(dt.UTC)
    wait_for(session, "units", "units")
    refuse_in_use(session)
    wish = Wish(float(target_area_m2), empty_area_m2, cells)
    seen = _ground_versions(session)
    areas, obstacles, found = _divide(session, within, wish, barriers, progress)
    # before load_run is touched: case loads take the two in this order, the other way round they could deadlock
    hold_placement(session)
    if _ground_versions(session) != seen:  # another load changed the ground meanwhile; now nobody can
        areas, obstacles, found = _divide(session, within, wish, barriers, progress)
    replaced = make_room(session)
    template = _profile(session, within)
    order, codes = numbered(found, areas.codes, template)
    report = LoadReport("units", within, "", _digest(areas, wish, obstacles), started)
    report.options = {"within": within, "target_area_m2": target_area_m2, "empty_area_m2": empty_area_m2}
    report.rows_in = report.added = len(order)
    report.crs = areas.measuring_crs
    report.details = _describe(found, areas, replaced)
    report.run_id = reserve_run_id(session)
    run_id = store(session, report)
    progress("store", 0, len(order))
    store_units(session, found, order, codes, areas.ids, areas.edition_id, run_id)
    progress("store", len(order), len(order))
    placed = place_again(session, progress)
    report.details |= {"cases_placed": placed.cases, "facilities_placed": placed.facilities}
    moved = {"cases": placed.cases, "facilities": placed.facilities}
    bump(session, "units", "city", *(part for part, n in moved.items() if n))
    return report


def _divide(
    session: Session, within: str, wish: Wish, barriers: Obstacles | None, progress: Progress
) -> tuple[Areas, Obstacles, Ground]:
    areas = read_areas(session, within)
    obstacles = read_obstacles(session, areas.geometry, barriers)
    events = read_events(session)
    found = ground.divide(areas.geometry, areas.measuring_crs, wish, obstacles, events, progress)
    return areas, obstacles, found


def _ground_versions(session: Session) -> tuple[int, ...]:
    """The state of what units are made from (where cases happen only says what counts as built up)."""
    now = versions(session)
    return tuple(now[part] for part in ("boundaries", "network", "city"))


def read_areas(session: Session, level: str) -> Areas:
    """The areas of a level's present edition; refused, with the command that loads them, when there are none."""
    edition = session.execute(
        text(
            "SELECT e.id, e.measuring_crs FROM edition e JOIN level l ON l.id = e.level_id "
            "WHERE l.name = :level ORDER BY (e.during @> CAST(:today AS date)) DESC, lower(e.during) DESC NULLS LAST LIMIT 1"
        ),
        {"level": level, "today": city_today(session)},
    ).first()
    rows = (
        session.execute(
            text(
                "SELECT id, code, ST_AsBinary(geom) AS geom FROM boundary WHERE edition_id = :e ORDER BY code"
            ),
            {"e": edition.id},
        ).all()
        if edition is not None
        else []
    )
    if edition is None or not rows:
        raise _no_areas(session, level)
    geometry = np.asarray(shapely.from_wkb([bytes(r.geom) for r in rows]), dtype=object)
    return Areas(
        level, edition.id, edition.measuring_crs, [r.id for r in rows], [r.code for r in rows], geometry
    )


def read_obstacles(session: Session, areas: NDArray[np.object_], extra: Obstacles | None = None) -> Obstacles:
    """What the loaded network (and `extra`) says about cutting and walking, near the areas."""
    west, south, east, north = shapely.total_bounds(areas).tolist()
    rows = session.execute(
        text(
            "SELECT class AS word, kind, barrier, ST_AsBinary(geom) AS geom FROM way "
            "WHERE geom && ST_MakeEnvelope(:w, :s, :e, :n, 4326) ORDER BY source, source_way_id"
        ),
        {"w": west, "s": south, "e": east, "n": north},
    ).all()
    found = obstacles_of(
        [r.word for r in rows],
        [r.kind for r in rows],
        np.array([r.barrier for r in rows], bool),
        np.asarray(shapely.from_wkb([bytes(r.geom) for r in rows]), dtype=object),
    )
    if extra is None:
        return found
    names = ("cuts", "barriers", "passages", "water")
    return Obstacles(*(np.concatenate([getattr(found, name), getattr(extra, name)]) for name in names))


def obstacles_of(
    classes: list[str], kinds: list[str | None], barrier: NDArray[np.bool_], geometry: NDArray[np.object_]
) -> Obstacles:
    """Sorts ways by what they do.

    Roads (but for service roads), rail and water cut units. Rail, water and motorways stop walkers; other main
    roads only cut, for people cross them at the lights. Every other road, path and bridge leads across what it meets.
    """
    kind = np.array([k or "" for k in kinds], dtype=object)
    is_ = {c: np.array([x == c for x in classes], bool) for c in ("road", "rail", "water", "bridge", "path")}
    main = np.isin(kind, list(MAIN_KINDS)) & is_["road"]
    surface = shapely.get_dimensions(geometry) == 2
    lines = ~surface
    cuts = lines & (
        (is_["road"] & ~np.isin(kind, list(MINOR_KINDS))) | ((is_["rail"] | is_["water"]) & barrier)
    )
    stops = (is_["rail"] | is_["water"] | main) & barrier
    leads = lines & ((is_["road"] & ~main) | is_["path"] | is_["bridge"])
    return Obstacles(
        geometry[cuts], geometry[stops], geometry[leads], geometry[surface & is_["water"] & barrier]
    )


def read_events(session: Session) -> NDArray[np.object_]:
    """Points (EPSG:4326) where a case happened or a facility stands, at most one per 20 m."""
    rows = session.execute(
        text(
            "SELECT DISTINCT floor(ST_X(p) / :s) AS x, floor(ST_Y(p) / :s) AS y FROM ("
            "SELECT geom AS p FROM cases WHERE geom IS NOT NULL UNION ALL "
            "SELECT point FROM facility WHERE point IS NOT NULL) q"
        ),
        {"s": EVENT_STEP_DEG},
    ).all()
    middles = (np.array([(x, y) for x, y in rows], float).reshape(-1, 2) + 0.5) * EVENT_STEP_DEG
    return np.asarray(shapely.points(middles), dtype=object)


def describe(session: Session) -> dict[str, Any]:
    """How many units there are, in what areas, how large and how connected."""
    size = session.execute(
        text(
            "SELECT count(*) AS units, sum(area_m2) AS area_m2, min(area_m2) AS smallest_m2, max(area_m2) AS largest_m2, "
            "percentile_cont(0.5) WITHIN GROUP (ORDER BY area_m2) AS median_area_m2, "
            "count(*) FILTER (WHERE built_up) AS built_up_units, count(*) FILTER (WHERE parent_id IS NOT NULL) AS cut_units "
            "FROM unit u WHERE NOT EXISTS (SELECT 1 FROM unit k WHERE k.parent_id = u.id)"
        )
    ).one()
    borders = session.execute(
        text(
            "SELECT count(*) AS borders, count(*) FILTER (WHERE walkable) AS walkable_borders FROM unit_border"
        )
    ).one()
    level = session.scalar(text("SELECT nesting_level FROM city"))
    return {"within": level, **size._mapping, **borders._mapping}


def _check_sizes(target_m2: float, empty_m2: float | None) -> None:
    for field, value in (("target-area-m2", target_m2), ("empty-area-m2", empty_m2)):
        low = SMALLEST_M2 if field == "target-area-m2" else target_m2
        if value is not None and not (np.isfinite(value) and low <= value <= 1e9):
            raise RefusedArgument(
                f"{field} 为 {value:g}，应在 {low:g} 与 10 亿 m² 之间。",
                f"{field} is {value:g}; it must lie between {low:g} and 1e9 m².",
                code="unit-size",
                field=field,
                measured=value,
                allowed=[low, 1e9],
            )


def _no_areas(session: Session, level: str) -> RefusedArgument:
    others = session.scalars(
        text("SELECT DISTINCT l.name FROM level l JOIN edition e ON e.level_id = l.id ORDER BY 1")
    ).all()
    return RefusedArgument(
        f"没有层级“{level}”的边界" + (f"，现有：{'、'.join(others)}。" if others else "。"),
        f"There are no boundaries of level {level!r}"
        + (f"; there are: {', '.join(others)}." if others else "."),
        code="no-boundaries",
        field="within",
        levels=list(others),
        do_zh=f"请先运行 wangge load boundaries 文件 --level {level}"
        + (f"，或用 --within {others[0]}。" if others else "。"),
        do_en=f"Run `wangge load boundaries FILE --level {level}` first"
        + (f", or use `--within {others[0]}`." if others else "."),
    )


def _profile(session: Session, within: str) -> str:
    """Notes the nesting level in the city's profile (made when absent) and returns its code template."""
    session.execute(
        text(
            "INSERT INTO city (name, nesting_level) VALUES ('', :within) "
            "ON CONFLICT (id) DO UPDATE SET nesting_level = :within"
        ),
        {"within": within},
    )
    return str(session.scalar(text("SELECT code_template FROM city")))


def _digest(areas: Areas, wish: Wish, obstacles: Obstacles) -> bytes:
    digest = hashlib.sha256(repr((areas.level, areas.codes, wish)).encode())
    for geometries in (
        areas.geometry,
        obstacles.cuts,
        obstacles.barriers,
        obstacles.passages,
        obstacles.water,
    ):
        for wkb in shapely.to_wkb(geometries):
            digest.update(wkb)
    return digest.digest()


def _describe(found: ground.Ground, areas: Areas, replaced: int) -> dict[str, Any]:
    size = found.area_m2
    return {
        "areas": len(areas.ids),
        "units": len(size),
        "replaced": replaced,
        "area_m2": float(size.sum()),
        "median_area_m2": float(np.median(size)),
        "largest_m2": float(size.max()),
        "smallest_m2": float(size.min()),
        "outside_m2": found.dropped_m2,
        "borders": len(found.borders.a),
        "walkable_borders": int(found.borders.walkable.sum()),
        "pockets_opened": found.pockets,
        "built_up_units": int(found.built_up.sum()),
    }

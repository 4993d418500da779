"""Point in polygon: 10 million points in 20 000 grids of a city of 40 × 40 km, beside the usual ways.

    python -P benchmarks/placement.py [--points 10000000] [--side 141] [--quick]

Peers in the same run on the same data: shapely's STRtree, geopandas sjoin, DuckDB with its spatial extension (when it
is installed: nothing is fetched), PostGIS on a subsample (a throwaway cluster). Limit: reading one id per point from a
raster of the same size. Answers are compared with GEOS for every point of the subsample.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numba import njit
from numpy.typing import NDArray

from benchmarks.table import Report, Row, best_of
from geo.placement import PointIndex

Floats = NDArray[np.float64]
OURS = "wangge PointIndex, 2 threads"
WEST, SOUTH, EAST, NORTH = 121.0, 31.0, 121.42, 31.36


def coverage(side: int, rng: np.random.Generator) -> NDArray[np.object_]:
    """side² wobbly four-sided areas without gap or overlap, about 28 vertices each."""
    x, y = np.meshgrid(np.linspace(WEST, EAST, side + 1), np.linspace(SOUTH, NORTH, side + 1))
    cell = (EAST - WEST) / side
    x, y = x + rng.normal(0, 0.04 * cell, x.shape), y + rng.normal(0, 0.04 * cell, y.shape)
    corner = np.stack([x, y], axis=-1)
    t = np.linspace(0, 1, 8)[:, None]

    def lines(a: Floats, b: Floats) -> Floats:
        made = a[:, :, None, :] + (b - a)[:, :, None, :] * t
        made[:, :, 1:-1] += rng.normal(0, 0.015 * cell, made[:, :, 1:-1].shape)
        return made

    across, up = lines(corner[:, :-1], corner[:, 1:]), lines(corner[:-1], corner[1:])
    south, north = across[:-1], across[1:, :, ::-1]
    west, east = up[:, :-1, ::-1], up[:, 1:]
    ring = np.concatenate([south, east[:, :, 1:], north[:, :, 1:], west[:, :, 1:]], axis=2)
    return shapely.polygons(ring.reshape(side * side, -1, 2))


@njit(nogil=True)
def gather(x: Floats, y: Floats, raster: NDArray[np.int32], n: int, out: NDArray[np.int32]) -> None:
    """The least that any raster must do: one cell number, one read, one write."""
    px, py = n / (EAST - WEST), n / (NORTH - SOUTH)
    for i in range(len(x)):
        out[i] = raster[int((y[i] - SOUTH) * py) * n + int((x[i] - WEST) * px)]


def limit(x: Floats, y: Floats) -> tuple[float, float]:
    """Seconds for the gather alone, in two threads."""
    from concurrent.futures import ThreadPoolExecutor

    n, out = 2048, np.empty(len(x), np.int32)
    raster = np.arange(n * n, dtype=np.int32)
    halves = [slice(0, len(x) // 2), slice(len(x) // 2, None)]

    def work() -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda h: gather(x[h], y[h], raster, n, out[h]), halves))

    work()
    return best_of(work)


def by_tree(polygons: NDArray[np.object_], x: Floats, y: Floats) -> NDArray[np.int64]:
    """The lowest polygon of every point by shapely's STRtree."""
    point, polygon = shapely.STRtree(polygons).query(shapely.points(x, y), predicate="intersects")
    lowest = np.full(len(x), len(polygons))
    np.minimum.at(lowest, point, polygon)
    return np.where(lowest == len(polygons), -1, lowest)


def by_geopandas(polygons: NDArray[np.object_], x: Floats, y: Floats) -> Any:
    import geopandas as gpd

    points = gpd.GeoDataFrame(geometry=gpd.points_from_xy(x, y), crs="EPSG:4326")
    return gpd.sjoin(
        points, gpd.GeoDataFrame(geometry=polygons, crs="EPSG:4326"), how="left", predicate="intersects"
    )


def by_duckdb(polygons: NDArray[np.object_], x: Floats, y: Floats) -> float | None:
    """Seconds of DuckDB's spatial join; None when the extension is not installed."""
    import duckdb
    import pyarrow as pa

    db = duckdb.connect()
    try:
        db.execute("SET autoinstall_known_extensions = false; LOAD spatial")
    except duckdb.Error:
        return None
    shapes = pa.table({"i": np.arange(len(polygons)), "w": shapely.to_wkb(polygons).tolist()})
    points = pa.table({"x": x, "y": y})
    db.register("shapes", shapes)
    db.register("points", points)
    db.execute("CREATE TABLE z AS SELECT i, ST_GeomFromWKB(w) AS g FROM shapes")
    db.execute("CREATE TABLE p AS SELECT ST_Point(x, y) AS g FROM points")
    return best_of(
        lambda: db.execute("SELECT sum(i) FROM p JOIN z ON ST_Intersects(z.g, p.g)").fetchall(), 1
    )[0]


def by_postgis(polygons: NDArray[np.object_], x: Floats, y: Floats) -> float:
    """Seconds of a PostGIS join with a GiST index on the polygons, in a throwaway cluster."""
    import psycopg

    from geo.db import cluster
    from geo.settings import Settings

    home = Path(tempfile.mkdtemp(prefix="wangge-bench-"))
    home.chmod(0o755)
    settings = Settings(home=home, fsync=False)
    cluster.start(settings)
    try:
        with psycopg.connect(cluster.dsn(settings, cluster.SUPERUSER, "postgres"), autocommit=True) as db:
            db.execute("CREATE EXTENSION IF NOT EXISTS postgis")
            db.execute("CREATE UNLOGGED TABLE z (i int, g geometry)")
            db.execute("CREATE UNLOGGED TABLE p (g geometry)")
            with db.cursor().copy("COPY z FROM STDIN") as copy:
                for i, wkb in enumerate(shapely.to_wkb(polygons, hex=True)):
                    copy.write_row((i, wkb))
            with db.cursor().copy("COPY p FROM STDIN") as copy:
                for wkb in shapely.to_wkb(shapely.points(x, y), hex=True):
                    copy.write_row((wkb,))
            db.execute("CREATE INDEX ON z USING gist (g)")
            db.execute("ANALYZE z, p")
            query = "SELECT count(*), sum(i) FROM p JOIN z ON ST_Intersects(z.g, p.g)"
            return best_of(lambda: db.execute(query).fetchall(), 1)[0]
    finally:
        import shutil

        cluster.stop(settings)
        shutil.rmtree(home, ignore_errors=True)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--points", type=int, default=10_000_000)
    asked.add_argument("--side", type=int, default=141, help="polygons: side × side")
    asked.add_argument("--quick", action="store_true", help="without PostGIS")
    given = asked.parse_args()
    rng = np.random.default_rng(1)
    polygons = coverage(given.side, rng)
    assert shapely.is_valid(polygons).all()
    x, y = rng.uniform(WEST, EAST, given.points), rng.uniform(SOUTH, NORTH, given.points)
    report = Report(
        f"placement: {given.points:,} points in {len(polygons):,} polygons",
        "points",
        "≥ 20 M points/s, every answer equal to GEOS",
    )
    PointIndex(polygons[:4]).place(x[:10], y[:10])  # compiled before the clock starts
    start = time.perf_counter()
    index = PointIndex(polygons)
    built = time.perf_counter() - start
    placed = index.place(x, y)
    seconds, cpu = best_of(lambda: index.place(x, y), 5)
    memory = f"{index.nbytes / 1e6:.0f} MB; {given.points / cpu / 1e6:.1f} M points per cpu second"
    report.add(Row(OURS, seconds, given.points / seconds, cpu_s=cpu, note=memory))
    one, cpu = best_of(lambda: index.place(x, y, threads=1), 2)
    report.add(Row("wangge PointIndex, 1 thread", one, given.points / one, cpu_s=cpu))
    report.add(Row("wangge, building the index included", seconds + built, given.points / (seconds + built)))
    some = slice(0, min(500_000, given.points))
    n = len(x[some])
    answers = []
    taken, cpu = best_of(lambda: answers.append(by_tree(polygons, x[some], y[some])), 1)
    wanted = answers[0]
    report.add(Row("shapely STRtree", taken, n / taken, cpu_s=cpu, against=OURS, note=f"{n:,} points"))
    wrong = int((wanted != placed[some]).sum())
    report.facts |= {"checked_against_geos": n, "wrong": wrong, "build_s": built, "threads": os.cpu_count()}
    taken, cpu = best_of(lambda: by_geopandas(polygons, x[some], y[some]), 1)
    report.add(Row("geopandas sjoin", taken, n / taken, cpu_s=cpu, against=OURS, note=f"{n:,} points"))
    duck = by_duckdb(polygons, x[some], y[some])
    if duck is None:
        report.facts["duckdb_spatial"] = "extension not installed here; nothing is fetched"
        print("  … DuckDB spatial: extension not installed, left out")
    else:
        report.add(Row("DuckDB spatial", duck, n / duck, against=OURS, note=f"{n:,} points"))
    if not given.quick:
        few = slice(0, min(100_000, given.points))
        taken = by_postgis(polygons, x[few], y[few])
        report.add(
            Row(
                "PostGIS join, GiST", taken, len(x[few]) / taken, against=OURS, note=f"{len(x[few]):,} points"
            )
        )
    taken, cpu = limit(x, y)
    report.add(Row("limit: gather only, 2 threads", taken, given.points / taken, cpu_s=cpu, against=OURS))
    report.show()
    if wrong:
        raise SystemExit(f"{wrong} answers differ from GEOS")


if __name__ == "__main__":
    main()

"""Exports of cases beside ogr2ogr and geopandas on the same rows, in one run: rows per second and peak memory.

    .venv/bin/python benchmarks/export.py --rows 1000000

Makes its own throwaway database (fsync off) with random points, writes every format once, and prints a table with the
ratio to each peer. Bar: GeoPackage of one million cases at 250 000 rows/s or more, streamed.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import pyogrio
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.db import cluster, migrations
from geo.db import session as sessions
from geo.exports.case_layer import cases
from geo.exports.writers import write
from geo.settings import Settings

ENDINGS = (".gpkg", ".fgb", ".parquet", ".csv", ".shp.zip", ".geojson")
SELECT = "SELECT source_case_id, opened_at, status, geom FROM cases"


def fill(session: Session, rows: int) -> None:
    """One source with `rows` random cases around 118.8, 31.9."""
    run = "INSERT INTO load_run (kind, source, file_name, content_sha256, started_at) VALUES ('cases', 'b', 'b', '', now())"
    for statement in (
        run,
        "INSERT INTO catalogue (name) VALUES ('b')",
        "INSERT INTO category (catalogue_id, code, name) VALUES (1, '01', '市容环境')",
        "INSERT INTO source (name, catalogue_id) VALUES ('b', 1)",
        "CREATE TABLE cases_1 PARTITION OF cases FOR VALUES IN (1)",
    ):
        session.execute(text(statement))
    session.execute(
        text(
            "INSERT INTO cases (source_id, source_case_id, opened_at, category_id, status, row_hash, geom, load_run_id) "
            "SELECT 1, 'C' || i, timestamptz '2024-01-01Z' + i * interval '1 minute', 1, i % 2, '', "
            "ST_SetSRID(ST_MakePoint(118.7 + random() * 0.2, 31.8 + random() * 0.2), 4326), 1 "
            "FROM generate_series(1, :n) i"
        ),
        {"n": rows},
    )


def timed(act: Callable[[], object]) -> float:
    """Seconds that `act` takes."""
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def ogr2ogr(settings: Settings, out: Path) -> None:
    """The usual way from the shell."""
    subprocess.run(
        ["ogr2ogr", "-f", "GPKG", str(out), f"PG:{cluster.dsn(settings, 'wangge_owner')}", "-sql", SELECT],
        check=True,
        capture_output=True,
    )


def geopandas_way(session: Session, out: Path) -> None:
    """The usual way from Python: read everything, write everything."""
    frame = gpd.read_postgis(text(SELECT), session.connection(), geom_col="geom")
    pyogrio.write_dataframe(frame, out, driver="GPKG")


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="wangge-bench-"))
    home.chmod(0o755)
    settings = Settings(home=home, fsync=False)
    figures: dict[str, float] = {}
    try:
        cluster.start(settings)
        migrations.upgrade(settings)
        with sessions.session(settings) as session:
            fill(session, asked.rows)
        with sessions.session(settings) as session:
            for ending in ENDINGS:
                out = home / f"cases{ending}"
                layer = cases(session, "Asia/Shanghai")
                figures[ending] = asked.rows / timed(lambda layer=layer, out=out: write(layer, out))  # type: ignore[misc]
            memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            figures["geopandas .gpkg"] = asked.rows / timed(
                lambda: geopandas_way(session, home / "peer.gpkg")
            )
        if shutil.which("ogr2ogr"):
            figures["ogr2ogr .gpkg"] = asked.rows / timed(lambda: ogr2ogr(settings, home / "ogr.gpkg"))
    finally:
        cluster.stop(settings)
        shutil.rmtree(home, ignore_errors=True)
    if asked.json:
        print(json.dumps({"rows": asked.rows, "rows_per_s": figures, "peak_mb": memory_mb}))
        return
    print(f"| {asked.rows} cases | rows/s | × ogr2ogr | × geopandas |\n|---|---|---|---|")
    for name, speed in figures.items():
        beside = [
            speed / figures[p] if p in figures else float("nan") for p in ("ogr2ogr .gpkg", "geopandas .gpkg")
        ]
        print(f"| {name} | {speed:,.0f} | {beside[0]:.1f} | {beside[1]:.1f} |")
    print(f"peak memory of our exports: {memory_mb:.0f} MB")


if __name__ == "__main__":
    main()

"""How fast a file of cases becomes rows, end to end, beside its peers and its limit, in one run.

    python -P benchmarks/load.py                      # 1 M rows: everything
    python -P benchmarks/load.py --rows 1000000 3000000 10000000 --peers-up-to 1000000

Columns of the file: identifier, opened, closed, category, sub-category, status, longitude, latitude, description, one
unknown column. *Wangge* reads, cleans, masks, hashes, checks duplicates and stores with every constraint, index and
foreign key on; the peers do less (no cleaning, no reject list, no duplicate check). Two limits: COPY of finished rows
into a partition with all checks, keys and foreign keys, and nothing else to do (`copy_keys`), and into a bare table
(`copy_limit`). Peak RSS is the loader's own process. Seconds of a shared machine mean little: beside them stand the
processor seconds of the client (without its imports) and of the server, all its processes.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from sqlalchemy import text
from sqlalchemy.orm import Session

from geo.db import cluster, migrations
from geo.db import session as sessions
from geo.settings import Settings

BATCH = 500_000


def write(path: Path, rows: int, seed: int = 1) -> None:
    """A clean synthetic file, written batch by batch."""
    rng = np.random.default_rng(seed)
    with path.open("wb") as file:
        for start in range(0, rows, BATCH):
            n = min(BATCH, rows - start)
            table = batch(rng, start, n)
            options = pacsv.WriteOptions(include_header=start == 0, quoting_style="needed")
            pacsv.write_csv(table, file, options)


def batch(rng: np.random.Generator, start: int, n: int) -> pa.Table:
    opened = np.datetime64("2024-01-01T00:00:00") + np.sort(rng.integers(0, 2 * 365 * 86400, n)).astype(
        "m8[s]"
    )
    closed = opened + rng.integers(600, 20 * 86400, n).astype("m8[s]")
    top = rng.integers(0, 12, n)
    lon, lat = np.round(rng.normal(121.47, 0.1, n), 6), np.round(rng.normal(31.23, 0.08, n), 6)
    shown = pc.strftime(pa.array(closed), format="%Y-%m-%d %H:%M:%S")
    return pa.table(
        {
            "case_id": pc.binary_join_element_wise(
                "C", pa.array(np.arange(start, start + n)).cast(pa.string()), ""
            ),
            "opened_at": pc.strftime(pa.array(opened), format="%Y-%m-%d %H:%M:%S"),
            "closed_at": pc.if_else(pa.array(rng.random(n) < 0.85), shown, None),
            "category": pa.array([f"top {i}" for i in range(12)]).take(pa.array(top)),
            "subcategory": pa.array([f"sub {i}" for i in range(84)]).take(
                pa.array(top * 7 + rng.integers(0, 7, n))
            ),
            "status": pc.if_else(pa.array(rng.random(n) < 0.85), "closed", "open"),
            "lon": pa.array(lon),
            "lat": pa.array(lat),
            "description": pa.array(
                [f"things are broken near the crossing, report {i}" for i in range(997)]
            ).take(pa.array(rng.integers(0, 997, n))),
            "channel": pa.array([f"desk {i}" for i in range(9)]).take(pa.array(rng.integers(0, 9, n))),
        }
    )


# ── Runners, each in its own process so that its memory is its own ──────────────────────────────────────────────────


def wangge(settings: Settings, path: Path, rows: int) -> dict[str, object]:
    from etl import cases

    with sessions.session(settings) as session:
        report = cases.load(session, path, source=f"bench {rows} {time.time_ns()}")
    assert report.added == rows, report
    return {"rows": report.added}


def geopandas_to_postgis(settings: Settings, path: Path, rows: int) -> dict[str, object]:
    import geopandas
    import pandas as pd

    frame = pd.read_csv(path, parse_dates=["opened_at", "closed_at"])
    points = geopandas.GeoDataFrame(
        frame.drop(columns=["lon", "lat"]), geometry=geopandas.points_from_xy(frame.lon, frame.lat), crs=4326
    )
    points.to_postgis(
        "peer_geopandas", sessions.engine(settings, "owner"), if_exists="replace", chunksize=100_000
    )
    return {"rows": len(points)}


def copy_text(settings: Settings, path: Path, rows: int) -> dict[str, object]:
    """psql's way: COPY the CSV as text, then make types and points in SQL, with the unique index."""
    with sessions.connect(settings) as connection:
        connection.execute("DROP TABLE IF EXISTS peer_raw, peer_copy")
        connection.execute(
            "CREATE TABLE peer_raw (case_id text, opened_at timestamptz, closed_at timestamptz, category text, "
            "subcategory text, status text, lon float8, lat float8, description text, channel text)"
        )
        with (
            connection.cursor() as cursor,
            cursor.copy("COPY peer_raw FROM STDIN (FORMAT CSV, HEADER)") as copy,
            path.open("rb") as file,
        ):
            while block := file.read(1 << 20):
                copy.write(block)
        connection.execute(
            "CREATE TABLE peer_copy AS SELECT *, ST_SetSRID(ST_MakePoint(lon, lat), 4326) AS geom FROM peer_raw"
        )
        connection.execute("ALTER TABLE peer_copy ADD PRIMARY KEY (case_id)")
    return {"rows": rows}


def duckdb_csv(settings: Settings, path: Path, rows: int) -> dict[str, object]:
    """DuckDB reads and types the same file into its own table (no PostGIS): how fast parsing alone may be."""
    import duckdb

    with tempfile.TemporaryDirectory() as folder:
        connection = duckdb.connect(str(Path(folder) / "peer.duckdb"))
        connection.execute("SET threads = 2")
        connection.execute("CREATE TABLE cases AS SELECT * FROM read_csv(?)", [str(path)])
        found = connection.execute("SELECT count(*) FROM cases").fetchone()
    assert found is not None
    return {"rows": found[0]}


def copy_limit(settings: Settings, path: Path, rows: int) -> dict[str, object]:
    """The limit: the finished binary rows of one batch, copied again and again into a bare table."""
    from etl import copying
    from etl.cases import store

    with sessions.session(settings) as session:
        part, columns, hashes = first_batch(session, path)
        n = len(part)
        encoded = store.encode(
            part, columns, hashes, np.ones(n, np.int32), np.full(n, -1, np.int32), np.arange(n)
        )
        connection = sessions.raw(session)
        connection.execute("CREATE TABLE peer_limit (LIKE cases INCLUDING DEFAULTS)")
        connection.execute(
            "ALTER TABLE peer_limit ALTER source_id SET DEFAULT 1, ALTER load_run_id SET DEFAULT 1"
        )
        names = ", ".join(encoded.columns)
        begun, done = time.perf_counter(), 0
        while done < rows:
            with (
                connection.cursor() as cursor,
                cursor.copy(f"COPY peer_limit ({names}) FROM STDIN (FORMAT BINARY, FREEZE)") as copy,
            ):
                copy.write(copying.HEAD)
                view = memoryview(encoded.payload.data)
                for start in range(0, len(view), 1 << 20):
                    copy.write(view[start : start + (1 << 20)])
                copy.write(copying.TAIL)
            done += n
        seconds = time.perf_counter() - begun
        session.rollback()
    return {"rows": done, "seconds": seconds}


def copy_keys(settings: Settings, path: Path, rows: int) -> dict[str, object]:
    """The server alone: finished rows with ids of their own into a partition with all checks, keys and foreign keys.

    What the loader asks of PostgreSQL and nothing else: rows are made between two copies, with the clock stopped.
    """
    from etl.cases import store

    seconds, done = 0.0, 0
    with sessions.session(settings) as session:
        part, columns, hashes = first_batch(session, path)
        state = store.state_of(session, f"bench {rows} {time.time_ns()}")
        run = session.scalar(
            text(
                "INSERT INTO load_run (kind, source, file_name, content_sha256, started_at) "
                "VALUES ('cases', 'bench', 'bench', '', now()) RETURNING id"
            )
        )
        assert run is not None
        category = store.category_id(session, state, "top", "sub")
        writer = store.Writer(session, state, run)
        n = len(part)
        while done < rows:
            fresh = replace(part, id=pa.array([f"C{i}" for i in range(done, done + n)]))
            categories, nowhere = np.full(n, category, np.int32), np.full(n, -1, np.int32)
            encoded = store.encode(fresh, columns, hashes, categories, nowhere, writer.reserve(n))
            begun = time.perf_counter()
            writer.write(encoded)
            seconds += time.perf_counter() - begun
            done += n
        store.write_source(session, state, "UTC")
        begun = time.perf_counter()
        writer.apply()
        session.commit()
        seconds += time.perf_counter() - begun
    return {"rows": done, "seconds": seconds}


def first_batch(session: Session, path: Path) -> tuple[Any, Any, Any]:
    """The first batch of the file, cleaned; its columns and hashes."""
    from etl import copying
    from etl.cases import store
    from etl.cases.clean import clean, now_us
    from etl.cases.rules import settle
    from etl.tables import open_table

    table = open_table(path)
    rules = settle(session, table, "bench", map_file=None, crs="auto", now=now_us())
    part = clean(next(iter(table.batches())), rules)
    columns = store.row_columns(part)
    return part, columns, copying.hashes(columns, len(part))


RUNNERS = {
    f.__name__: f for f in (wangge, copy_keys, copy_limit, copy_text, geopandas_to_postgis, duckdb_csv)
}

NEEDS: dict[str, tuple[str, ...]] = {
    "wangge": ("etl.cases",),
    "copy_keys": ("etl.cases",),
    "copy_limit": ("etl.cases",),
    "geopandas_to_postgis": ("geopandas", "pandas"),
    "duckdb_csv": ("duckdb",),
    "copy_text": (),
}


def one(name: str, home: Path, path: Path, rows: int) -> None:
    """Run one of them and print seconds, rows/s and this process's peak memory."""
    settings = Settings(home=home)
    for module in NEEDS[name]:  # imports are no loading
        importlib.import_module(module)
    if name in ("wangge", "copy_keys", "copy_limit"):
        warm()
    begun, client, server = time.perf_counter(), time.process_time(), server_s(settings)
    found = RUNNERS[name](settings, path, rows)
    seconds = float(found.get("seconds", time.perf_counter() - begun))  # type: ignore[arg-type]
    client, server = time.process_time() - client, server_s(settings) - server
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures = {"client_s": client, "server_s": server, "seconds": seconds, "peak_mb": peak}
    print(json.dumps({**figures, "rate": int(found["rows"]) / seconds}))  # type: ignore[call-overload]


def warm() -> None:
    """Compiled loops and lazy imports are ready before the clock runs, as in a service or after a first load."""
    from etl import copying
    from etl.cleaning import strings, times
    from etl.tables import splitting

    for module in (copying, strings, times, splitting):
        module.warm()


def server_s(settings: Settings) -> float:
    """Processor seconds of the cluster so far: the postmaster, its children, and those that have ended."""
    postmaster = (settings.home / "pg" / "postmaster.pid").read_text().splitlines()[0]
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, _, rest = stat.read_text().partition(" (")
        except OSError:  # it ended just now
            continue
        fields = rest.rpartition(")")[2].split()
        if pid == postmaster:
            total += sum(map(int, fields[11:15]))
        elif fields[1] == postmaster:
            total += sum(map(int, fields[11:13]))
    return total / os.sysconf("SC_CLK_TCK")


def clear(settings: Settings) -> None:
    """Drop what the last run stored."""
    with sessions.session(settings) as session:
        for table in session.scalars(
            text("SELECT relname FROM pg_class WHERE relname ~ '^(cases_[0-9]+|peer_.*)$' AND relkind = 'r'")
        ).all():
            session.execute(text(f'DROP TABLE "{table}"'))
        for table in ("reject", "load_run", "category", "source", "catalogue"):
            session.execute(text(f"DELETE FROM {table}"))
    with sessions.connect(settings, autocommit=True) as connection:
        connection.execute("CHECKPOINT") if connection.info.user == cluster.SUPERUSER else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--peers-up-to", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--run", choices=RUNNERS)
    parser.add_argument("--file", type=Path)
    given = parser.parse_args()
    if given.run:
        one(given.run, given.folder, given.file, given.rows[0])
        return
    folder = given.folder or Path(tempfile.mkdtemp(prefix="wangge-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    settings = Settings(home=folder)
    cluster.start(settings)
    migrations.upgrade(settings)
    try:
        for rows in given.rows:
            bench(settings, folder, rows, peers=rows <= given.peers_up_to)
    finally:
        sessions.forget(settings)
        cluster.stop(settings)


def bench(settings: Settings, folder: Path, rows: int, peers: bool) -> None:
    path = folder / f"cases_{rows}.csv"
    if not path.exists():
        write(path, rows)
    print(
        f"\n{rows:,} rows, {path.stat().st_size / 1e6:,.0f} MB of CSV, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    names = list(RUNNERS) if peers else ["wangge", "copy_keys", "copy_limit"]
    found: dict[str, dict[str, float]] = {}
    for name in names:
        command = [
            sys.executable,
            "-P",
            __file__,
            "--run",
            name,
            "--folder",
            str(folder),
            "--file",
            str(path),
            "--rows",
            str(rows),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"  {name:22} failed: {done.stderr.strip().splitlines()[-1][:200]}")
            continue
        found[name] = json.loads(done.stdout.strip().splitlines()[-1])
        sessions.forget(settings)
        clear(settings)
    base = found["wangge"]["rate"]
    print("\n| way | s | M rows/s | client s/M | server s/M | peak MB | wangge is … × as fast |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, value in found.items():
        ratio = "" if name == "wangge" else f"{base / value['rate']:.2f}"
        shown = (
            f"{value['seconds']:.1f}",
            f"{value['rate'] / 1e6:.3f}",
            f"{value['client_s'] / rows * 1e6:.2f}",
            f"{value['server_s'] / rows * 1e6:.2f}",
            f"{value['peak_mb']:.0f}",
            ratio,
        )
        print(f"| {name} | {' | '.join(shown)} |")
    print(json.dumps({"benchmark": "load", "rows": rows, "load_average": os.getloadavg()[0], "found": found}))


if __name__ == "__main__":
    main()

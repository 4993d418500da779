"""Heat maps from 10 million cases: any period, categories and plan, beside the usual ways; and the cold start.

    python -P benchmarks/heatmap.py [--cases 10000000] [--units 400] [--no-postgis]

The city is real to the service (a throwaway cluster with units, grids, plans, categories); its cases are written as
column files directly, because loading is measured by `benchmarks/load.py`. Peers answer the same questions from a flat
table (grid, category, day) in PostgreSQL (B-tree on category, day, including grid), DuckDB and pandas. Limit: reading
the unit column from memory once.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text

from benchmarks.table import Report, Row, best_of, spread
from geo import column_files
from geo.analysis import counts
from geo.cases import CaseFilter
from geo.column_build import NONE, data_key, weekly_sums
from geo.columns import ColumnStore
from geo.db import cluster, migrations
from geo.db import session as sessions
from geo.settings import Settings

FIRST, DAYS, CATEGORIES = date(2024, 1, 1), 731, 80
FIRST_DAY = (FIRST - date(1970, 1, 1)).days


@dataclass
class Flat:
    """The cases as the peers get them."""

    grid: NDArray[np.int32]
    category: NDArray[np.int16]
    day: NDArray[np.int16]


@dataclass
class Question:
    """A period (days from FIRST, half-open) and categories."""

    first: int
    stop: int
    categories: list[int]

    def where(self) -> CaseFilter:
        start = FIRST + timedelta(days=self.first)
        keys = tuple(f"c{c:02}" for c in self.categories) if len(self.categories) < CATEGORIES else ()
        return CaseFilter(start, FIRST + timedelta(days=self.stop), keys)


def ground(settings: Settings, side: int) -> None:
    """side² units; three plans that join 2 × 4, 4 × 2 and 10 × 10 of them."""
    with sessions.session(settings) as db:
        db.execute(text("INSERT INTO city (id, name) VALUES (1, 'Benchmark')"))
        db.execute(
            text(
                "INSERT INTO unit (code, geom, point, area_m2, perimeter_m) SELECT format('u%s-%s', x, y), "
                "ST_Multi(ST_MakeEnvelope(121 + x * 0.001, 31 + y * 0.0009, 121.001 + x * 0.001, 31.0009 + y * 0.0009, 4326)), "
                "ST_SetSRID(ST_Point(121.0005 + x * 0.001, 31.00045 + y * 0.0009), 4326), 10000, 400 "
                "FROM generate_series(0, :n) x, generate_series(0, :n) y ORDER BY x, y"
            ),
            {"n": side - 1},
        )
        for name, w, h, during in (
            ("now", 2, 4, "[2024-01-01,)"),
            ("tall", 4, 2, None),
            ("large", 10, 10, None),
        ):
            plan(db, name, side, w, h, during)
        db.execute(text("INSERT INTO catalogue (name) VALUES ('b')"))
        db.execute(
            text(
                "INSERT INTO category (catalogue_id, code, name) "
                "SELECT 1, 'c' || lpad(i::text, 2, '0'), 'category ' || i FROM generate_series(0, :n) i"
            ),
            {"n": CATEGORIES - 1},
        )
        db.execute(
            text("INSERT INTO data_version (part, version) VALUES ('cases', 1), ('units', 1), ('plans', 1)")
        )


def plan(db: Any, name: str, side: int, w: int, h: int, during: str | None) -> None:
    state = "approved" if during else "draft"
    made = db.scalar(
        text("INSERT INTO plan (name, state, during) VALUES (:n, :s, CAST(:d AS daterange)) RETURNING id"),
        {"n": name, "s": state, "d": during},
    )
    db.execute(
        text(
            "INSERT INTO grid (plan_id, code, name, geom, area_m2, perimeter_m) SELECT :p, format('%s-%s', x, y), "
            "format('grid %s-%s', x, y), ST_Multi(ST_MakeEnvelope(121 + x * 0.001, 31 + y * 0.0009, "
            "121 + (x + :w) * 0.001, 31 + (y + :h) * 0.0009, 4326)), 1e4 * :w * :h, 1 "
            "FROM generate_series(0, :n, :w) x, generate_series(0, :n, :h) y"
        ),
        {"p": made, "n": side - 1, "w": w, "h": h},
    )
    db.execute(
        text(
            "INSERT INTO plan_unit (plan_id, unit_id, grid_id) SELECT :p, u.id, g.id FROM unit u JOIN grid g "
            "ON g.plan_id = :p AND g.code = format('%s-%s', (split_part(substr(u.code, 2), '-', 1)::int / :w) * :w, "
            "(split_part(u.code, '-', 2)::int / :h) * :h)"
        ),
        {"p": made, "w": w, "h": h},
    )


def cases(settings: Settings, n: int, side: int) -> Flat:
    """Writes the column files of n cases and returns them flat; hot spots, uneven categories, 1 % outside and unplaced."""
    rng = np.random.default_rng(7)
    category = np.sort(np.minimum(rng.geometric(0.06, n) - 1, CATEGORIES - 1)).astype(np.int32)
    day = rng.integers(0, DAYS, n).astype(np.int32)
    order = np.argsort(category * np.int64(DAYS) + day, kind="stable")
    category, day = category[order], day[order]
    spot = rng.integers(0, side, (200, 2))[rng.integers(0, 200, n)] + rng.normal(0, side / 16, (n, 2))
    x, y = spot.clip(0, side - 1).astype(np.int32).T
    unit = x * side + y
    unit[rng.random(n) < 0.01] = -1
    unit[rng.random(n) < 0.01] = -2
    with sessions.session(settings) as db:
        ids = np.array(db.execute(text("SELECT id FROM unit ORDER BY id")).scalars().all(), dtype=np.int32)
    opened = (day * 86_400 + rng.integers(0, 86_400, n)).astype(np.uint32)
    closed = opened + rng.exponential(5 * 86_400, n).astype(np.uint32)
    facts = (1 + (rng.integers(0, 5, n) << 2) + (rng.integers(0, 3, n) << 5)).astype(np.uint8)
    base = int((np.datetime64(FIRST, "s")).astype(np.int64)) - 8 * 3600
    per = np.bincount(category, minlength=CATEGORIES)
    arrays = {
        "unit": unit.astype(np.int32),
        "day": day + FIRST_DAY,
        "facts": facts,
        "lon": np.where(unit == -2, np.nan, 121.0005 + x * 0.001),
        "lat": np.where(unit == -2, np.nan, 31.00045 + y * 0.0009),
        "opened": opened,
        "closed": closed,
        "due": opened + np.uint32(4 * 86_400),
        "dispatched": np.full(n, NONE),
        "unit_ids": ids,
        "unit_parents": np.full(len(ids), -1, dtype=np.int32),
        "weekly": weekly_sums(unit.astype(np.int32), day + FIRST_DAY, len(ids)),
        "category_ptr": np.r_[0, np.cumsum(per)].astype(np.int64),
    }
    described = [
        {
            "id": i + 1,
            "key": f"c{i:02}",
            "top": f"c{i:02}",
            "name": str(i),
            "name_en": None,
            "top_name": str(i),
        }
        | {"sensitive": False, "minutes": 30.0, "catalogue": "b", "n": int(per[i])}
        for i in range(CATEGORIES)
    ]
    facts_ = {
        "timezone": "Asia/Shanghai",
        "first_day": FIRST_DAY,
        "base_s": base,
        "tick_s": 1,
        "first_opened_s": base,
        "last_opened_s": base + DAYS * 86_400 - 1,
        "last_instant_s": base + DAYS * 86_400 - 1,
        "unplaced": int((unit == -2).sum()),
        "known": {"closed": n, "due": n, "dispatched": 0, "satisfied": n},
        "categories": described,
    }
    with sessions.connect(settings) as connection:
        key = data_key(connection)
    column_files.write(settings.columns_dir, key, arrays, facts_)
    # the grid of plan "now" (2 × 4 units) for the peers
    grid = np.where(unit >= 0, (x // 2) * ((side + 3) // 4) + y // 4, unit)
    return Flat(grid.astype(np.int32), category.astype(np.int16), day.astype(np.int16))


def questions(kind: str, n: int) -> list[Question]:
    """`slice`: one to three categories, 7 to 90 days. `wide`: any period, half of the categories. `all`: everything."""
    rng = np.random.default_rng(3)
    made = []
    for _ in range(n):
        if kind == "all":
            made.append(Question(0, DAYS, list(range(CATEGORIES))))
            continue
        if kind == "slice":
            length, wanted = int(rng.integers(7, 91)), int(rng.integers(1, 4))
        else:
            length, wanted = int(rng.integers(90, DAYS)), CATEGORIES // 2
        first = int(rng.integers(0, DAYS - length))
        made.append(
            Question(first, first + length, sorted(rng.choice(CATEGORIES, wanted, replace=False).tolist()))
        )
    return made


def peers(flat: Flat, settings: Settings, postgis: bool) -> dict[str, Callable[[Question], Any]]:
    """How others answer: grid → count for a question."""
    import duckdb
    import pandas as pd

    frame = pd.DataFrame({"grid": flat.grid, "category": flat.category, "day": flat.day})
    db = duckdb.connect()
    db.register("frame", frame)
    db.execute("CREATE TABLE cases AS SELECT * FROM frame")

    def in_duckdb(q: Question) -> Any:
        sql = "SELECT grid, count(*) FROM cases WHERE day >= ? AND day < ? AND list_contains(?, category) GROUP BY grid"
        return db.execute(sql, [q.first, q.stop, q.categories]).fetchnumpy()

    def in_pandas(q: Question) -> Any:
        wanted = (frame.day >= q.first) & (frame.day < q.stop) & frame.category.isin(q.categories)
        return frame.grid[wanted].value_counts()

    found: dict[str, Callable[[Question], Any]] = {"DuckDB GROUP BY": in_duckdb, "pandas": in_pandas}
    if postgis:
        connection = sessions.connect(settings, autocommit=True)
        connection.execute("SET max_parallel_workers_per_gather = 2; SET work_mem = '256MB'")
        connection.execute("CREATE UNLOGGED TABLE flat (grid int, category smallint, day smallint)")
        from psycopg import sql

        from geo.db.copying import write_rows

        with connection.cursor() as cursor:
            statement = sql.SQL("COPY flat FROM STDIN (FORMAT binary)")
            for start in range(0, len(flat.grid), 1_000_000):
                part = slice(start, start + 1_000_000)
                columns = {"grid": flat.grid[part], "category": flat.category[part], "day": flat.day[part]}
                write_rows(cursor, statement, (("grid", "i4"), ("category", "i2"), ("day", "i2")), columns)
        connection.execute("CREATE INDEX ON flat (category, day) INCLUDE (grid)")
        connection.execute("VACUUM ANALYZE flat")

        def in_postgres(q: Question) -> Any:
            asked = "SELECT grid, count(*) FROM flat WHERE category = ANY(%s::smallint[]) AND day >= %s AND day < %s GROUP BY 1"
            return connection.execute(asked, [q.categories, q.first, q.stop]).fetchall()

        found["PostgreSQL GROUP BY, covering index"] = in_postgres
    return found


COLD = """
import sys, time
start = time.perf_counter()
from pathlib import Path
from geo.settings import Settings
from geo.columns import ColumnStore
from geo.analysis import counts
from geo.db.session import session
settings = Settings(home=Path(sys.argv[1]))
loaded = time.perf_counter()
store = ColumnStore(settings)
store.current()
opened = time.perf_counter()
heat = counts.heat(lambda: session(settings, "app"), store)
print(loaded - start, opened - loaded, time.perf_counter() - opened, time.process_time(), heat.total)
"""


def cold_start(settings: Settings) -> list[float]:
    """Seconds for imports, opening and checking the files, the first heat map; in a new process."""
    command = [sys.executable, "-c", COLD, str(settings.home)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [float(part) for part in done.stdout.split()]


def measure(report: Report, settings: Settings, flat: Flat, postgis: bool) -> None:
    store = ColumnStore(settings)
    columns = store.current()

    def factory() -> Any:
        return sessions.session(settings, "app")

    others = peers(flat, settings, postgis)
    for kind, times in (("slice", 400), ("wide", 60), ("all", 20)):
        asked = questions(kind, times)
        for plan_name in ("now", "tall", "large"):
            heat = counts.heat(factory, store, plan=plan_name, where=asked[0].where())
            run = lambda i, p=plan_name, a=asked: counts.heat(factory, store, plan=p, where=a[i].where())  # noqa: E731
            middle, p99 = spread(run, times)
            _, cpu = best_of(lambda r=run: r(0), 5)
            rows = f"{len(heat.codes):,} grids"
            report.add(Row(f"wangge, {kind}, plan {plan_name}", middle, p99_s=p99, cpu_s=cpu, note=rows))
        for name, answer in others.items():
            few = 2 if name == "pandas" or kind != "slice" else 40
            middle, p99 = spread(lambda i, f=answer, a=asked: f(a[i]), few)
            report.add(Row(f"{name}, {kind}", middle, p99_s=p99, against=f"wangge, {kind}, plan now"))
        check(factory, store, asked[0], flat)
    for name in ("open", "overdue", "resolved_share", "satisfied_share", "median_days_to_close"):
        seconds, cpu = best_of(lambda m=name: counts.heat(factory, store, measure=m), 3)
        report.add(Row(f"wangge, {name}, all cases", seconds, cpu_s=cpu))
    seconds, cpu = best_of(lambda: counts.heat(factory, store, by="hexagon:9"), 3)
    report.add(Row("wangge, hexagon:9, all cases", seconds, cpu_s=cpu))
    seconds, cpu = best_of(lambda: columns.unit.sum(), 5)
    report.add(Row("limit: the unit column read once", seconds, cpu_s=cpu, against="wangge, wide, plan now"))
    store.close()


def check(factory: Any, store: ColumnStore, asked: Question, flat: Flat) -> None:
    """The counts of plan `now` equal those of the flat table."""
    heat = counts.heat(factory, store, plan="now", where=asked.where())
    wanted = (flat.day >= asked.first) & (flat.day < asked.stop) & np.isin(flat.category, asked.categories)
    per_grid = np.bincount(flat.grid[wanted & (flat.grid >= 0)])
    assert sorted(heat.n[heat.n > 0].tolist()) == sorted(per_grid[per_grid > 0].tolist())
    assert heat.total == int(wanted.sum())


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--cases", type=int, default=10_000_000)
    asked.add_argument("--units", type=int, default=400, help="units on a side of the city")
    asked.add_argument("--no-postgis", action="store_true")
    given = asked.parse_args()
    home = Path(tempfile.mkdtemp(prefix="wangge-bench-"))
    home.chmod(0o755)
    settings = Settings(home=home, fsync=False)
    cluster.start(settings)
    try:
        migrations.upgrade(settings)
        ground(settings, given.units)
        flat = cases(settings, given.cases, given.units)
        report = Report(
            f"heat maps: {given.cases:,} cases, {given.units**2:,} units",
            "answers",
            "p99 < 15 ms; cold start < 5 s",
        )
        measure(report, settings, flat, not given.no_postgis)
        started = time.perf_counter()
        imports, opening, first, cpu, total = cold_start(settings)
        report.facts |= {
            "cold_imports_s": imports,
            "cold_open_and_check_s": opening,
            "cold_first_heat_s": first,
        }
        taken = time.perf_counter() - started
        report.add(Row("cold start: imports, open and check files, heat", taken, cpu_s=cpu))
        assert int(total) == given.cases
        report.show()
    finally:
        sessions.forget(settings)
        cluster.stop(settings)
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()

"""`wangge doctor`: does this machine have what Wangge needs; one line per finding, one line how to mend it."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from api.cli import edge, output
from api.cli.groups import top
from api.cli.output import AsJson
from geo.errors import WanggeError
from geo.settings import Settings

if TYPE_CHECKING:
    import psycopg

State = Literal["ok", "warning", "failure"]
GIB = 2**30
MARKS = {"ok": "✓", "warning": "!", "failure": "✗"}
POSTGRESQL_FLOOR = 15


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it is, what was found, and what to do about it (Chinese, English)."""

    what: str
    state: State
    found: str
    do_zh: str = ""
    do_en: str = ""


@top.command("doctor")
def doctor(as_json: AsJson = False) -> None:
    """检查本机环境 / Check this machine; exit 1 when something is missing."""
    findings = list(examine(edge.settings()))
    if as_json:
        output.result(findings, True)
    else:
        for finding in findings:
            _print(finding)
    if any(finding.state == "failure" for finding in findings):
        raise typer.Exit(1)


def examine(settings: Settings) -> Iterator[Finding]:
    """Every finding, one after another; a check that breaks is itself a finding."""
    checks: tuple[Callable[[Settings], Finding], ...] = (python, disk, memory, port, web, fonts, gdal)
    checks += (calendar, isolation)
    for check in checks:
        try:
            yield check(settings)
        except Exception as problem:
            yield Finding(check.__name__, "failure", f"{type(problem).__name__}: {problem}")
    yield from database(settings)


# -- the machine ---------------------------------------------------------------------------------------------


def python(settings: Settings) -> Finding:
    """Python 3.11 or newer."""
    state: State = "ok" if sys.version_info >= (3, 11) else "failure"
    return Finding("Python", state, sys.version.split()[0], "需要 3.11 以上。", "3.11 or newer is needed.")


def disk(settings: Settings) -> Finding:
    """Room for the database: 5 GiB is comfortable, less than 1 GiB is not workable."""
    folder = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    free = shutil.disk_usage(folder).free / GIB
    state: State = "failure" if free < 1 else "warning" if free < 5 else "ok"
    return Finding(
        "disk 磁盘",
        state,
        f"{settings.home}: {free:.1f} GiB",
        "请腾出空间，或用 --data 换一处。",
        "Free some space, or choose another place with --data.",
    )


def memory(settings: Settings) -> Finding:
    """Memory that is available now."""
    pages = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    line = next(
        (x for x in Path("/proc/meminfo").read_text().splitlines() if x.startswith("MemAvailable")), ""
    )
    available = (int(line.split()[1]) * 1024 if line else pages) / GIB
    state: State = "warning" if available < 2 else "ok"
    return Finding(
        "memory 内存", state, f"{available:.1f} GiB", "建议至少 2 GiB。", "2 GiB or more is advised."
    )


def port(settings: Settings) -> Finding:
    """The port is free, or it is our own service that holds it."""
    from api.cli.supervise import answers

    place = f"{settings.host}:{settings.port}"
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as problem:
            if answers(f"http://{place}"):
                return Finding("port 端口", "ok", f"{place}: Wangge")
            return Finding(
                "port 端口",
                "failure",
                f"{place}: {problem.strerror}",
                "请用 --port 另选端口。",
                "Choose another with --port.",
            )
    return Finding("port 端口", "ok", place)


def web(settings: Settings) -> Finding:
    """The web application is built, and from today's sources."""
    root = Path(__file__).resolve().parents[2]
    static, sources = root / "maps" / "static", root / "maps" / "web"
    mend = ("请运行 ./run setup。", "Run ./run setup.")
    if not (static / "index.html").exists():
        return Finding("web 网页", "failure", "not built", *mend)
    mark = static / ".stamp"
    if (sources / "package.json").exists() and mark.exists() and (root / "hatch_build.py").exists():
        sys.path.insert(0, str(root))
        try:
            from hatch_build import stamp
        finally:
            sys.path.remove(str(root))
        if stamp(sources) != mark.read_text():
            return Finding("web 网页", "warning", "older than its sources", *mend)
    return Finding("web 网页", "ok", str(static))


def fonts(settings: Settings) -> Finding:
    """A Chinese font, for maps drawn on this machine (a visitor's browser brings its own)."""
    folders = [Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".local/share/fonts"]
    words = ("cjk", "wqy", "sourcehan", "simsun", "simhei", "msyh", "droidsansfallback", "notosanssc")
    for folder in folders:
        for path in folder.rglob("*"):
            if any(word in path.name.lower() for word in words):
                return Finding("fonts 中文字体", "ok", path.name)
    return Finding(
        "fonts 中文字体",
        "warning",
        "none",
        "apt-get install fonts-noto-cjk",
        "apt-get install fonts-noto-cjk (only for pages drawn on this machine)",
    )


def gdal(settings: Settings) -> Finding:
    """The drivers that loads and exports use are in the GDAL that came with pyogrio."""
    import pyogrio

    version = ".".join(map(str, pyogrio.__gdal_version__))
    needed = {"GPKG", "GeoJSON", "ESRI Shapefile", "FlatGeobuf", "OSM", "OpenFileGDB", "TopoJSON"}
    drivers = pyogrio.list_drivers()
    missing = sorted(needed - set(drivers)) + ([] if {"KML", "LIBKML"} & set(drivers) else ["KML"])
    if missing:
        return Finding(
            "GDAL", "failure", f"{version}; without {', '.join(missing)}", "./run setup", "./run setup"
        )
    return Finding("GDAL", "ok", version)


def calendar(settings: Settings) -> Finding:
    """Public holidays and make-up workdays (调休): the State Council names them each November for the next year."""
    import holidays

    this_year = datetime.now(UTC).year
    asked = range(this_year - 10, this_year + 3)
    known = holidays.country_holidays("CN", years=asked).weekend_workdays
    years = sorted({day.year for day in known} & set(asked))
    last = max(years, default=0)
    state: State = "ok" if last >= this_year else "warning"
    return Finding(
        "calendar 日历",
        state,
        f"holidays + make-up workdays {min(years, default=0)}–{last}",
        f"{last} 年之后的调休尚未收录：请更新 holidays 包（./run lock）。",
        f"Make-up workdays after {last} are not known: update the package holidays (./run lock).",
    )


def isolation(settings: Settings) -> Finding:
    """Whether the child that opens uploaded files is cut off from the network by the kernel."""
    from etl.reading import warm

    if warm():
        return Finding("isolation 隔离", "ok", "network namespace")
    return Finding(
        "isolation 隔离",
        "warning",
        "no network namespace",
        "内核不允许隔离网络；驱动白名单与关闭 curl 仍然有效。",
        "The kernel forbids it; the driver allow list and the switched-off curl still hold.",
    )


# -- the database --------------------------------------------------------------------------------------------


def database(settings: Settings) -> Iterator[Finding]:
    """Versions, tiles, checksums, schema. Starts the private cluster to look, and stops it again if it had to."""
    import psycopg

    from geo.db import cluster, postgres
    from geo.db.session import connect

    started = False
    try:
        if settings.database_url is None:
            started = cluster.start(settings)
        else:
            cluster.ensure(settings)
        with connect(settings) as connection:
            yield server(connection)
            yield postgis(connection)
            yield tiles(connection)
            yield checksums(connection)
        today = schema(settings)
        yield today
        if today.state == "ok":
            yield jobs(settings)
    except WanggeError as problem:
        yield Finding("database 数据库", "failure", problem.zh, problem.do_zh, problem.do_en)
    except psycopg.Error as problem:
        reason = str(problem).strip().splitlines()[0]
        yield Finding("database 数据库", "failure", reason, postgres.APT_LINE, postgres.APT_LINE)
    finally:
        if started:
            cluster.stop(settings)


def server(connection: psycopg.Connection) -> Finding:
    """PostgreSQL 15 or newer, UTF-8."""
    version, encoding = connection.info.server_version, connection.info.parameter_status("server_encoding")
    fine = version // 10000 >= POSTGRESQL_FLOOR and encoding == "UTF8"
    return Finding(
        "PostgreSQL",
        "ok" if fine else "failure",
        f"{version // 10000}.{version % 10000} {encoding}",
        f"需要 PostgreSQL {POSTGRESQL_FLOOR} 以上、UTF8。",
        f"PostgreSQL {POSTGRESQL_FLOOR} or newer with UTF8 is needed.",
    )


def postgis(connection: psycopg.Connection) -> Finding:
    """PostGIS with its GEOS and PROJ."""
    row = connection.execute(
        "SELECT postgis_lib_version(), postgis_geos_version(), split_part(postgis_proj_version(), ' ', 1)"
    ).fetchone()
    assert row is not None
    return Finding("PostGIS", "ok", f"{row[0]}, GEOS {row[1]}, PROJ {row[2]}")


def tiles(connection: psycopg.Connection) -> Finding:
    """ST_AsMVT works: PostGIS was built with protobuf."""
    import psycopg

    try:
        connection.execute(
            "SELECT ST_AsMVT(q) FROM (SELECT ST_AsMVTGeom(ST_Point(1, 1), ST_MakeEnvelope(0, 0, 2, 2)) AS geom) AS q"
        )
    except psycopg.Error:
        connection.rollback()
        return Finding(
            "tiles 瓦片",
            "failure",
            "no protobuf",
            "请用带 protobuf 的 PostGIS。",
            "Use a PostGIS built with protobuf.",
        )
    return Finding("tiles 瓦片", "ok", "ST_AsMVT")


def checksums(connection: psycopg.Connection) -> Finding:
    """Data checksums, so that a flipped bit is noticed."""
    row = connection.execute("SHOW data_checksums").fetchone()
    on = bool(row and row[0] == "on")
    return Finding(
        "checksums 校验",
        "ok" if on else "warning",
        "on" if on else "off",
        "pg_checksums --enable",
        "pg_checksums --enable",
    )


def schema(settings: Settings) -> Finding:
    """The schema is the one that this program knows."""
    from geo.db import migrations

    found, wanted = migrations.current(settings), migrations.head()
    return Finding(
        "schema 结构",
        "ok" if found == wanted else "warning",
        f"{found or '—'} / {wanted}",
        "wangge db migrate",
        "wangge db migrate",
    )


def jobs(settings: Settings) -> Finding:
    """When the service is up, somebody does its long jobs; none has been waiting for a worker in vain."""
    from api.cli.supervise import answers
    from api.jobs import queue
    from geo.db import session as sessions

    with sessions.session(settings) as session:
        lives, waiting = queue.worker_lives(session), len(queue.listing(session, state="queued", limit=1000))
    sessions.forget(settings)
    wanted = waiting > 0 or answers(f"http://{settings.host}:{settings.port}")
    return Finding(
        "jobs 作业",
        "ok" if lives or not wanted else "warning",
        f"{'worker' if lives else 'no worker'}, {waiting} queued",
        "请用 wangge up，或在 wangge serve 之外运行 wangge jobs work。",
        "Use `wangge up`, or run `wangge jobs work` beside `wangge serve`.",
    )


def _print(finding: Finding) -> None:
    output.tell(f"{MARKS[finding.state]} {finding.what:<16} {finding.found}")
    if finding.state != "ok":
        output.tell(f"    → {finding.do_zh if edge.lang() == 'zh' else finding.do_en}")

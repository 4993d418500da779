"""Opening files of strangers safely: the one door to GDAL, GEOS repair and archives.

    file = read_vector(Path("districts.shp"), drivers=DRIVERS)
    file.frame          # GeoDataFrame: attributes, geometry as delivered, CRS as declared (or None)
    file.rows           # feature numbers from 1

Parsing happens in a child process (`etl.child`) with limits on CPU, memory, wall clock and without network; here only the
answer is read: an Arrow file of our own making. A child that crashes or runs out of its limits is a refusal, never a
crash of the service.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from etl.limits import DRIVERS, NETWORK_DRIVERS, Limits
from geo import crs as coordinates
from geo import errors

__all__ = [
    "DRIVERS",
    "NETWORK_DRIVERS",
    "Limits",
    "Repaired",
    "VectorFile",
    "read_rows",
    "read_vector",
    "repair",
    "unpack",
    "warm",
]

WKB = "__wkb__"
ROOT = Path(__file__).resolve().parent.parent
SKIPPED = "VRT OGR_VRT WFS OAPIF HTTP CSW PLSCENES Elasticsearch Carto AmigoCloud NGW GML GeoRSS ADBC GDALG EEDA OGCAPI"
START_S = 60.0


@dataclass(frozen=True)
class VectorFile:
    """One layer as delivered.

    `frame`: attributes and `geometry` (2-D, None where missing or unusable), its CRS as declared or None;
    `crs`: the same as `EPSG:n` or WKT, None when the file declares none that is known;
    `rows`: feature number (from 1) of each row; `encoding`: of the text, None where the format fixes it;
    `notices`: code -> feature numbers: ring-open, geometry-damaged, coordinates-not-finite, geometry-too-complex,
    prj-missing, prj-unreadable, encoding-detected (the last three without numbers).
    """

    frame: geopandas.GeoDataFrame
    driver: str
    layer: str
    encoding: str | None
    crs: str | None
    rows: NDArray[np.int64]
    notices: dict[str, list[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Repaired:
    """Valid polygons (None where nothing could be saved) and what became of each.

    `changed`, `crossed`, `emptied` are positions from 0: repaired; too many self-crossings to try; no area left.
    `reasons` says what was wrong with each changed one, in GEOS's words.
    """

    geoms: NDArray[np.object_]
    changed: NDArray[np.int64]
    crossed: NDArray[np.int64]
    emptied: NDArray[np.int64]
    reasons: list[str]


def read_vector(
    path: Path,
    *,
    drivers: frozenset[str] = DRIVERS,
    layer: str | None = None,
    encoding: str | None = None,
    limits: Limits | None = None,
) -> VectorFile:
    """One layer of a file, read in the limited child.

    What the file is follows from its content; `drivers` is the allow list. `layer` is needed when there are several.
    Raises RefusedFile (file-type, json-syntax, archive-…, shapefile-…, layer-choice, file-damaged, geometry-too-complex …).
    """
    limits = limits or Limits()
    path = _existing(path)
    job = {"job": "read", "path": str(path), "drivers": sorted(drivers), "layer": layer, "encoding": encoding}
    with _folder() as work:
        answer = _run(job, work, limits)
        table = _table(work / "result.arrow")
        geoms = shapely.from_wkb(table.column(WKB).to_numpy(zero_copy_only=False))
        attributes = table.drop_columns([WKB]).to_pandas()
    crs = coordinates.canonical(answer["crs"])
    frame = geopandas.GeoDataFrame(attributes, geometry=geoms, crs=crs)
    return VectorFile(
        frame=frame,
        driver=answer["driver"],
        layer=answer["layer"] if answer["layer"] != "layer" else path.stem,
        encoding=answer["encoding"],
        crs=crs,
        rows=np.arange(1, len(frame) + 1, dtype=np.int64),
        notices=answer["notices"],
    )


def repair(geoms: NDArray[np.object_], limits: Limits | None = None) -> Repaired:
    """Make polygons valid (GEOS structure method) in the limited child; valid ones come back as they are.

    Raises RefusedFile `geometry-too-complex` when the child ran into its limits.
    """
    limits = limits or Limits(cpu_s=30, wall_s=45)
    geoms = np.asarray(geoms, dtype=object)
    if bool(
        (
            shapely.is_valid(geoms) & (shapely.area(geoms) > 0) & np.isin(shapely.get_type_id(geoms), (3, 6))
        ).all()
    ):
        none = np.empty(0, dtype=np.int64)
        return Repaired(geoms, none, none, none, [])
    with _folder() as work:
        table = pa.table({WKB: pa.array(shapely.to_wkb(geoms), type=pa.binary())})
        with (
            pa.OSFile(str(work / "geometry.arrow"), "wb") as file,
            pa.ipc.new_file(file, table.schema) as writer,
        ):
            writer.write_table(table)
        answer = _run({"job": "repair"}, work, limits)
        result = _table(work / "result.arrow")
        repaired = shapely.from_wkb(result.column(WKB).to_numpy(zero_copy_only=False))
        state = result.column("state").to_numpy()
    return Repaired(
        repaired,
        np.flatnonzero(state == 1),
        np.flatnonzero(state == 2),
        np.flatnonzero(state == 3),
        [str(reason) for reason in answer["reasons"]],
    )


def unpack(path: Path, limits: Limits | None = None) -> Path:
    """The file inside a `.gz` or `.zip`, or the folder of its files; other files as they are.

    Unpacked in the limited child into a folder that is removed when the program ends.
    """
    path = _existing(path)
    with path.open("rb") as file:
        if not file.read(4).startswith((b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b")):
            return path
    work = Path(tempfile.mkdtemp(prefix="wangge-unpack-"))
    atexit.register(shutil.rmtree, work, ignore_errors=True)
    return Path(_run({"job": "unpack", "path": str(path)}, work, limits or Limits())["path"])


def read_rows(
    job: str, path: Path, layer: str | None = None, limits: Limits | None = None
) -> tuple[pa.Table, dict[str, Any]]:
    """A table of text read in the limited child (`sheet`: a workbook, `parquet`: plain Parquet), and the child's facts."""
    with _folder() as work:
        answer = _run({"job": job, "path": str(_existing(path)), "layer": layer}, work, limits or Limits())
        return _table(work / "result.arrow"), answer


def warm() -> bool:
    """Have the child ready ahead of need; True when it has no network."""
    with _lock:
        return _template().network_off


def prepare() -> None:
    """Begin to start the child without waiting for it, while there is something else to do."""
    global _known
    with _lock:
        if _known is None or not _known.usable:
            _known = _begun()


# ── The child ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class _Template:
    """The waiting child of this process."""

    process: subprocess.Popen[bytes]
    owner: int
    network_off: bool = False
    ready: bool = False

    @property
    def usable(self) -> bool:
        """Whether it lives and belongs to this process (not to the one we were forked from)."""
        return self.owner == os.getpid() and self.process.poll() is None

    def ask(self, job: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Send one job and wait for how it ended."""
        if self.process.stdin is None:
            raise BrokenPipeError
        self.process.stdin.write(json.dumps(job).encode() + b"\n")
        self.process.stdin.flush()
        return _answer(self.process, seconds)


_lock = threading.Lock()
_known: _Template | None = None


def _template() -> _Template:
    """The child, started when there is none, waited for until it is ready."""
    global _known
    if _known is None or not _known.usable:
        _known = _begun()
    if not _known.ready:
        _known.network_off = bool(_answer(_known.process, START_S).get("network_off"))
        _known.ready = True
    return _known


def _begun() -> _Template:
    process = subprocess.Popen(
        [sys.executable, "-m", "etl.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=None if os.environ.get("WANGGE_DEBUG") else subprocess.DEVNULL,
        cwd=ROOT,
        env=_environment(),
        start_new_session=True,
    )
    return _Template(process, os.getpid())


def _environment() -> dict[str, str]:
    """Nothing of ours but what is needed: no secrets, no proxies, one thread."""
    kept = {
        name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "HOME", "TMPDIR") if name in os.environ
    }
    return kept | {
        "LANG": "C.UTF-8",
        "PYTHONPATH": os.pathsep.join([str(ROOT), *(p for p in sys.path if p.endswith("site-packages"))]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "ARROW_IO_THREADS": "1",
        "GDAL_NUM_THREADS": "1",
        "GDAL_SKIP": SKIPPED,
        "OGR_SKIP": SKIPPED,
        "CPL_CURL_ENABLED": "NO",
        "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none",
        "GDAL_HTTP_TIMEOUT": "1",
        "GDAL_DISABLE_READDIR_ON_OPEN": "TRUE",
        "OGR_GEOJSON_MAX_OBJ_SIZE": "0",
        "SHAPE_RESTORE_SHX": "NO",
        "PROJ_NETWORK": "OFF",
    }


def _answer(process: subprocess.Popen[bytes], seconds: float) -> dict[str, Any]:
    """One line from the child within `seconds`; ends the child and raises TimeoutError when there is none."""
    if process.stdout is None:
        raise BrokenPipeError
    deadline = time.monotonic() + seconds
    line = b""
    while not line.endswith(b"\n"):
        left = deadline - time.monotonic()
        readable, _, _ = select.select([process.stdout], [], [], max(left, 0.0))
        block = os.read(process.stdout.fileno(), 65536) if readable else b""
        if not block:
            process.kill()
            process.wait()
            raise TimeoutError
        line += block
    answer: dict[str, Any] = json.loads(line)
    return answer


def _run(job: dict[str, Any], work: Path, limits: Limits) -> dict[str, Any]:
    """Have the child do a job in `work`; its answer, or the refusal it came to."""
    job = {**job, "work": str(work), "limits": dataclasses.asdict(limits)}
    with _lock:
        try:
            ended = _template().ask(job, limits.wall_s + 15.0)
        except (TimeoutError, BrokenPipeError) as error:
            raise _gave_up(job, limits, "no answer") from error
    if ended.get("exit") != 0 or not (work / "answer.json").exists():
        raise _gave_up(job, limits, _signal_name(ended))
    answer: dict[str, Any] = json.loads((work / "answer.json").read_text(encoding="utf-8"))
    if "refused" in answer:
        raise _refusal(answer["refused"])
    return answer


def _signal_name(ended: dict[str, Any]) -> str:
    number = ended.get("signal")
    return signal.Signals(number).name if number else f"exit {ended.get('exit')}"


def _refusal(said: dict[str, Any]) -> errors.WanggeError:
    """The error the child raised, raised here."""
    kinds = {
        kind.__name__: kind
        for kind in (errors.RefusedFile, errors.FileTooLarge, errors.FileTypeUnknown, errors.Unavailable)
    }
    kind = kinds.get(said["type"], errors.RefusedFile)
    return kind(
        said["zh"],
        said["en"],
        code=said["code"],
        field=said["field"],
        do_zh=said["do_zh"],
        do_en=said["do_en"],
        **said["facts"],
    )


def _gave_up(job: dict[str, Any], limits: Limits, how: str) -> errors.RefusedFile:
    """The child crashed or met a limit: say which job, never guess more."""
    what_zh, what_en = (
        ("修复几何", "Repairing the geometry") if job["job"] == "repair" else ("读取文件", "Reading the file")
    )
    return errors.FileTooLarge(
        f"{what_zh}超出限制（处理器 {limits.cpu_s} 秒、时钟 {limits.wall_s} 秒、"
        f"内存 {limits.memory_bytes / 1e9:.1f} GB）或中途失败。",
        f"{what_en} ran beyond its limits ({limits.cpu_s} s CPU, {limits.wall_s} s clock, "
        f"{limits.memory_bytes / 1e9:.1f} GB memory) or broke off.",
        code="geometry-too-complex" if job["job"] == "repair" else "file-too-complex",
        do_zh="请简化几何或拆分文件。",
        do_en="Simplify the geometry or split the file.",
        ended=how,
    )


# ── Small things ────────────────────────────────────────────────────────────────────────────────────────────────────


def _existing(path: Path) -> Path:
    path = Path(path)
    found = path.resolve()
    geodatabase = found.is_dir() and found.suffix.lower() == ".gdb"
    if not (found.is_file() or geodatabase):
        raise errors.RefusedFile(
            f"没有文件“{path.name}”。",
            f"There is no file {path.name!r}.",
            code="file-missing",
            do_zh="请检查路径。",
            do_en="Check the path.",
        )
    return found


@contextlib.contextmanager
def _folder() -> Any:
    work = Path(tempfile.mkdtemp(prefix="wangge-read-"))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _table(path: Path) -> pa.Table:
    with pa.OSFile(str(path), "rb") as file:
        return pa.ipc.open_file(file).read_all()

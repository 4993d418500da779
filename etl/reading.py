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
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from etl.limits import DRIVERS, NETWORK_DRIVERS, Limits
from etl.process import run, warm
from geo import crs as coordinates
from geo import errors

if TYPE_CHECKING:
    import geopandas

__all__ = [
    "DRIVERS",
    "NETWORK_DRIVERS",
    "Limits",
    "Repaired",
    "VectorFile",
    "divide_by",
    "measure",
    "read_rows",
    "read_vector",
    "repair",
    "unpack",
    "warm",
]

WKB = "__wkb__"


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
        answer = run(job, work, limits)
        table = _table(work / "result.arrow")
        geoms = shapely.from_wkb(table.column(WKB).to_numpy(zero_copy_only=False))
        attributes = table.drop_columns([WKB]).to_pandas()
    crs = coordinates.canonical(answer["crs"])
    import geopandas  # the service answers without it

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
    with _folder() as work:
        _put(geoms, work, 0)
        answer = run({"job": "repair"}, work, limits)
        result = _table(work / "result.arrow")
        repaired = shapely.from_wkb(result.column(WKB).to_numpy(zero_copy_only=False))
        state = result.column("state").to_numpy()
    same = (state == 0) & (shapely.get_type_id(geoms) == shapely.get_type_id(repaired))
    return Repaired(
        np.where(same, geoms, repaired),
        np.flatnonzero(state == 1),
        np.flatnonzero(state == 2),
        np.flatnonzero(state == 3),
        [str(reason) for reason in answer["reasons"]],
    )


def measure(
    function: str, *arrays: NDArray[np.object_], limits: Limits | None = None, **arguments: Any
) -> Any:
    """A function of `etl.measuring` by name, worked out in the limited child: siblings, largest_overlap, outline, unions.

    Raises RefusedFile `geometry-too-complex` when the shapes are too entangled to compare within the limits.
    """
    job = {"job": "measure", "function": function, "arrays": len(arrays), "arguments": arguments}
    with _folder() as work:
        for i, geoms in enumerate(arrays):
            _put(geoms, work, i)
        answer = run(job, work, limits or Limits(cpu_s=240, wall_s=600))
        if "found" in answer:
            return answer["found"]
        return shapely.from_wkb(_table(work / "result.arrow").column(WKB).to_numpy(zero_copy_only=False))


def divide_by(areas: NDArray[np.object_], least_share: float, least_deg2: float) -> Any:
    """How a unit is divided by areas (`geo.dividing.by_areas`), in the limited child: see `geo.cutting_along`."""

    def divide(ground: NDArray[np.object_], others: NDArray[np.object_]) -> NDArray[np.object_]:
        limits = Limits(cpu_s=60, wall_s=90)
        return np.asarray(
            measure(
                "by_areas",
                ground,
                others,
                areas,
                limits=limits,
                least_share=least_share,
                least_deg2=least_deg2,
            ),
            dtype=object,
        )

    return divide


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
    return Path(run({"job": "unpack", "path": str(path)}, work, limits or Limits())["path"])


def read_rows(
    job: str, path: Path, layer: str | None = None, limits: Limits | None = None
) -> tuple[pa.Table, dict[str, Any]]:
    """A table of text read in the limited child (`sheet`: a workbook, `parquet`: plain Parquet), and the child's facts."""
    with _folder() as work:
        answer = run({"job": job, "path": str(_existing(path)), "layer": layer}, work, limits or Limits())
        return _table(work / "result.arrow"), answer


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


def _put(geoms: NDArray[np.object_], work: Path, number: int) -> None:
    table = pa.table({WKB: pa.array(np.atleast_1d(shapely.to_wkb(geoms)), type=pa.binary())})
    path = str(work / f"geometry{number}.arrow")
    with pa.OSFile(path, "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def _table(path: Path) -> pa.Table:
    with pa.OSFile(str(path), "rb") as file:
        return pa.ipc.open_file(file).read_all()

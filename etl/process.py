"""The waiting child of this process: started when first needed, asked one job at a time, replaced when it is gone.

Only the standard library is imported here, so that the child can start while its parent still imports the rest.
"""

from __future__ import annotations

import dataclasses
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etl.limits import Limits
from geo import errors

ROOT = Path(__file__).resolve().parent.parent
SKIPPED = "VRT OGR_VRT WFS OAPIF HTTP CSW PLSCENES Elasticsearch Carto AmigoCloud NGW GML GeoRSS ADBC GDALG EEDA OGCAPI"
START_S = 60.0


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


def run(job: dict[str, Any], work: Path, limits: Limits) -> dict[str, Any]:
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
        ("处理几何", "Working on the geometry")
        if job["job"] in ("repair", "measure")
        else ("读取文件", "Reading the file")
    )
    return errors.FileTooLarge(
        f"{what_zh}超出限制（处理器 {limits.cpu_s} 秒、时钟 {limits.wall_s} 秒、"
        f"内存 {limits.memory_bytes / 1e9:.1f} GB）或中途失败。",
        f"{what_en} ran beyond its limits ({limits.cpu_s} s CPU, {limits.wall_s} s clock, "
        f"{limits.memory_bytes / 1e9:.1f} GB memory) or broke off.",
        code="geometry-too-complex" if job["job"] in ("repair", "measure") else "file-too-complex",
        do_zh="请简化几何或拆分文件。",
        do_en="Simplify the geometry or split the file.",
        ended=how,
    )


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

"""The limited child process that opens files and repairs geometry: `python -m etl.child`, started by `etl.reading`.

It imports the libraries once, cuts itself off from the network, and then waits. For each job (a line of JSON on
standard input) it forks: the fork sets hard limits on itself (CPU, address space, file size, no core), does the one job in
its work folder, writes `answer.json` (and Arrow files) there and ends. When the parent dies, standard input closes and
everything here ends with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import shapely

from etl import archives, opening, repairing, tabling
from etl.limits import Limits
from geo.errors import FileTooLarge, RefusedFile, WanggeError

CLONE_NEWNET, CLONE_NEWUSER = 0x40000000, 0x10000000
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
RESULT_BYTES = 4_000_000_000


def main() -> None:
    """Serve jobs until standard input closes."""
    answers = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    _say(answers, {"ready": True, "network_off": cut_network()})
    waiting = b""
    while True:
        block = os.read(0, 65536)
        if not block:
            return
        waiting += block
        while b"\n" in waiting:
            line, _, waiting = waiting.partition(b"\n")
            _say(answers, _fork(json.loads(line)))


def cut_network() -> bool:
    """Leave for an empty network namespace; False where the system does not allow it."""
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.unshare(CLONE_NEWNET) == 0 or libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0)


def _say(answers: int, message: dict[str, Any]) -> None:
    with contextlib.suppress(BrokenPipeError):
        os.write(answers, json.dumps(message).encode() + b"\n")


def _fork(job: dict[str, Any]) -> dict[str, Any]:
    """Run one job in a fork; how it ended: {"exit": code} or {"signal": n} and the seconds it took."""
    begun = time.monotonic()
    pid = os.fork()
    if pid == 0:
        _work(job)
    deadline = begun + float(job["limits"]["wall_s"])
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            break
        readable, _, _ = select.select([0], [], [], 0.005)
        gone = bool(readable) and _closed()
        if gone or time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            if gone:
                os._exit(0)
            break
    seconds = round(time.monotonic() - begun, 3)
    if os.WIFSIGNALED(status):
        return {"signal": os.WTERMSIG(status), "seconds": seconds}
    return {"exit": os.WEXITSTATUS(status), "seconds": seconds}


def _closed() -> bool:
    """Whether the other end of standard input is gone (the parent sends the next job only after an answer)."""
    poll = select.poll()
    poll.register(0, select.POLLIN)
    return any(event & select.POLLHUP for _, event in poll.poll(0))


def _work(job: dict[str, Any]) -> None:
    """The fork: limit, do, answer, end. Never returns."""
    code = 1
    try:
        limits = Limits(**job["limits"])
        _limit(limits)
        work = Path(job["work"])
        os.chdir(work)
        try:
            answer = JOBS[job["job"]](job, work, limits)
        except WanggeError as refused:
            answer = {"refused": _as_dict(refused)}
        except MemoryError:
            answer = {"refused": _as_dict(_too_much_memory(limits))}
        except Exception as error:
            answer = {"refused": _as_dict(_damaged(job)), "error": f"{type(error).__name__}: {error}"[:2000]}
        (work / "answer.json").write_text(json.dumps(answer, ensure_ascii=False), encoding="utf-8")
        code = 0
    finally:
        os._exit(code)


def _limit(limits: Limits) -> None:
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    os.umask(0o077)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    space = pages * resource.getpagesize() + limits.memory_bytes
    for kind, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, limits.cpu_s),
        (resource.RLIMIT_AS, space),
        (resource.RLIMIT_FSIZE, RESULT_BYTES),
        (resource.RLIMIT_NOFILE, 256),
    ):
        _, hard = resource.getrlimit(kind)
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (value, value))


# ── The jobs ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _read(job: dict[str, Any], work: Path, limits: Limits) -> dict[str, Any]:
    inside = work / "open"
    inside.mkdir()
    opened = opening.open_layer(
        Path(job["path"]), inside, frozenset(job["drivers"]), job["layer"], job["encoding"], limits
    )
    _write(opened.table, work / "result.arrow")
    return {
        "driver": opened.driver,
        "layer": opened.layer,
        "encoding": opened.encoding,
        "crs": opened.crs,
        "notices": opened.notices,
    }


def _repair(job: dict[str, Any], work: Path, limits: Limits) -> dict[str, Any]:
    geoms = shapely.from_wkb(_read_wkb(work / "geometry0.arrow"))
    repaired, state = repairing.repair(geoms, limits.crossings)
    reasons = shapely.is_valid_reason(geoms[state == repairing.REPAIRED])
    table = pa.table(
        {tabling.WKB: pa.array(shapely.to_wkb(repaired), type=pa.binary()), "state": pa.array(state)}
    )
    _write(table, work / "result.arrow")
    return {"reasons": np.asarray(reasons).tolist()}


def _measure(job: dict[str, Any], work: Path, limits: Limits) -> dict[str, Any]:
    from etl import measuring

    arrays = [shapely.from_wkb(_read_wkb(work / f"geometry{i}.arrow")) for i in range(job["arrays"])]
    found = measuring.FUNCTIONS[job["function"]](*arrays, **job["arguments"])  # type: ignore[operator]
    if not isinstance(found, np.ndarray):
        return {"found": found}
    _write(pa.table({tabling.WKB: pa.array(shapely.to_wkb(found), type=pa.binary())}), work / "result.arrow")
    return {}


def _read_wkb(path: Path) -> Any:
    with pa.memory_map(str(path)) as file:
        return pa.ipc.open_file(file).read_all().column(0).to_numpy(zero_copy_only=False)


def _unpack(job: dict[str, Any], work: Path, limits: Limits) -> dict[str, Any]:
    inside = work / "unpacked"
    inside.mkdir()
    return {"path": str(archives.unpack(Path(job["path"]), limits, inside))}


def _sheet(job: dict[str, Any], work: Path, limits: Limits) -> dict[str, Any]:
    from etl import sheets

    sheet = sheets.read_sheet(Path(job["path"]), limits, job.get("layer"))
    _write(sheet.table, work / "result.arrow")
    return {
        name: getattr(sheet, name) for name in ("rows", "name", "sheets", "empty", "formulas", "imprecise")
    }


def _parquet(job: dict[str, Any], work: Path, limits: Limits) -> dict[str, Any]:
    from etl import sheets

    _write(sheets.read_parquet(Path(job["path"]), limits), work / "result.arrow")
    return {}


JOBS = {
    "read": _read,
    "repair": _repair,
    "measure": _measure,
    "unpack": _unpack,
    "sheet": _sheet,
    "parquet": _parquet,
}


def _write(table: pa.Table, path: Path) -> None:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def _as_dict(error: WanggeError) -> dict[str, Any]:
    return {
        "type": type(error).__name__,
        "code": error.code,
        "field": error.field,
        "zh": error.zh,
        "en": error.en,
        "do_zh": error.do_zh,
        "do_en": error.do_en,
        "facts": {k: v for k, v in error.facts.items() if isinstance(v, str | int | float | list)},
    }


def _too_much_memory(limits: Limits) -> FileTooLarge:
    return FileTooLarge(
        f"读取该文件需要超过 {limits.memory_bytes / 1e9:.1f} GB 内存。",
        f"Reading this file takes more than {limits.memory_bytes / 1e9:.1f} GB of memory.",
        do_zh="请拆分文件。",
        do_en="Split the file.",
    )


def _damaged(job: dict[str, Any]) -> RefusedFile:
    name = Path(job.get("path", "")).name
    return RefusedFile(
        f"文件“{name}”已损坏或不完整，无法读取。",
        f"The file {name!r} is damaged or cut short and cannot be read.",
        code="file-damaged",
        do_zh="请重新导出或重新下载。",
        do_en="Export or download it again.",
    )


if __name__ == "__main__":
    main()
    sys.exit(0)
